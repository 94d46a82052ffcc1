import numpy as np
import pytest
from numpy.testing import assert_allclose

from rl_editor.analysis.tempo import (
    FRAME_RATE,
    PERIODS,
    periodicity,
    tempo_candidates,
    tempo_stretches,
)


def pulses(times_s: np.ndarray, length_s: float, *, seed: int = 0) -> np.ndarray:
    """Onset strength of a hit at each time: a peak of 40 ms over a little noise."""
    strength = np.random.default_rng(seed).exponential(0.2, round(length_s * FRAME_RATE))
    for at in times_s * FRAME_RATE:
        frames = np.arange(int(at) - 1, int(at) + 3)
        frames = frames[(frames >= 0) & (frames < len(strength))]
        strength[frames] += 6.0 * (1.0 - np.abs(frames - at) / 2).clip(0)
    return strength.astype(np.float32)


@pytest.mark.parametrize("bpm", range(60, 201, 20))
def test_a_pulse_is_among_the_candidates_at_its_tempo(bpm: int) -> None:
    (stretch,) = tempo_stretches(pulses(np.arange(0.3, 60, 60 / bpm), 60.0))
    assert min(abs(candidate.tempo_bpm / bpm - 1) for candidate in stretch.candidates) < 0.015


def test_candidates_come_best_first_and_differ() -> None:
    repetition = np.random.default_rng(0).random(len(PERIODS)).astype(np.float32)
    found = tempo_candidates(repetition, count=5)
    assert [candidate.score for candidate in found] == sorted((c.score for c in found), reverse=True)
    assert found[0].score == 1.0
    tempi = np.log(np.sort([candidate.tempo_bpm for candidate in found]))
    assert len(tempi) == 5
    assert np.diff(tempi).min() > 0.07


def test_periodicity_is_the_sum_of_correlations_at_multiples() -> None:
    strength = pulses(np.arange(0.3, 12, 0.5), 12.0)
    centred = strength - strength.mean()

    def correlation(lag: float) -> float:
        before, part = int(lag), lag - int(lag)
        values = [centred[: len(centred) - n] @ centred[n:] / (len(centred) - n) for n in (before, before + 1)]
        return float((1 - part) * values[0] + part * values[1]) / float(strength.var())

    for period in (0, 150, len(PERIODS) - 1):
        expected = sum(
            weight * max(correlation(multiple * PERIODS[period] * factor) for factor in (0.994, 0.997, 1, 1.003, 1.006))
            for multiple, weight in ((1, 1.0), (2, 1.0), (3, 0.35), (4, 1.0))
        )
        assert_allclose(periodicity(strength)[0, period], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("before", "after"), [(120, 90), (120, 180), (100, 140), (160, 66)])
def test_another_tempo_begins_a_stretch_where_it_is_heard(before: int, after: int) -> None:
    times_s = np.concatenate([np.arange(0.3, 60, 60 / before), np.arange(60.2, 120, 60 / after)])
    stretches = tempo_stretches(pulses(times_s, 120.0))
    assert len(stretches) == 2
    assert abs(stretches[1].start / FRAME_RATE - 60.0) <= 9.0
    for stretch, bpm in zip(stretches, (before, after), strict=True):
        assert min(abs(candidate.tempo_bpm / bpm - 1) for candidate in stretch.candidates) < 0.015


def test_drift_is_no_other_tempo() -> None:
    beat = np.arange(400)
    intervals = 0.5 / (1 + 0.04 * np.sin(2 * np.pi * beat * 0.5 / 40))
    assert len(tempo_stretches(pulses(np.cumsum(intervals), 200.0))) == 1


@pytest.mark.parametrize("n_frames", [0, 1, 30, 700, 1203, 9000])
def test_stretches_tile_any_recording(n_frames: int) -> None:
    for strength in (np.zeros(n_frames), np.ones(n_frames), np.random.default_rng(1).random(n_frames)):
        stretches = tempo_stretches(strength.astype(np.float32))
        assert [s.start for s in stretches] + [n_frames] == [0] + [s.end for s in stretches]


def test_silence_has_no_tempo() -> None:
    (stretch,) = tempo_stretches(np.zeros(3000, dtype=np.float32))
    assert stretch.candidates == ()
