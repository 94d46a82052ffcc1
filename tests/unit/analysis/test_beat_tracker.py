import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rl_editor.analysis.beat_tracker import _INTERVALS, _best_path, best_beats, track_beats
from rl_editor.analysis.tempo import FRAME_RATE

KICK, SNARE, HAT = (5.0, 1.0, 0.5), (0.5, 4.0, 4.0), (0.0, 0.3, 2.0)


def onsets(events: list[tuple[np.ndarray, tuple[float, float, float]]], length_s: float) -> np.ndarray:
    """Onset strength in three bands, (T, 3): each event a peak of 40 ms over a little noise."""
    bands = np.random.default_rng(0).exponential(0.15, (round(length_s * FRAME_RATE), 3))
    for times_s, weights in events:
        for at in times_s * FRAME_RATE:
            for frame in range(max(0, int(at) - 1), min(len(bands), int(at) + 3)):
                bands[frame] = np.maximum(bands[frame], np.array(weights) * max(0.0, 1 - abs(frame - at) / 2))
    return bands.astype(np.float32)


def drums(beats_s: np.ndarray, length_s: float, *, swing: float = 1 / 2) -> np.ndarray:
    """Kick and snare by turns, hats on each beat and `swing` of the way to the next."""
    between = beats_s[:-1] + swing * np.diff(beats_s)
    return onsets([(beats_s[::2], KICK), (beats_s[1::2], SNARE), (beats_s, HAT), (between, HAT)], length_s)


def share_found(found_s: np.ndarray, beats_s: np.ndarray) -> float:
    """F within 25 ms."""
    if len(found_s) == 0:
        return 0.0
    apart = np.abs(found_s[:, None] - beats_s) < 0.025
    return 2 * float(apart.any(axis=0).sum()) / (len(found_s) + len(beats_s))


@pytest.mark.parametrize("seed", range(30))
def test_the_path_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    evidence, step_cost = rng.normal(0, 1, rng.integers(1, 13)), float(rng.choice([0.0, 0.3, 1.0]))
    rules = Rules(np.array([2, 3, 3, 6]), step_cost, np.array([2, 5]), float(rng.choice([0.2, 1.0, 5.0])))
    frames = _best_path(evidence, *rules)
    assert_allclose(best_worth(frames, evidence, rules), best_of_all(evidence, rules))


class Rules(NamedTuple):
    """What `_best_path` takes besides the evidence."""

    intervals: np.ndarray
    step_cost: float
    jumps: np.ndarray
    jump_cost: float


def best_of_all(evidence: np.ndarray, rules: Rules) -> float:
    n = len(evidence)
    paths = (path for count in range(1, n + 1) for path in itertools.combinations(range(n), count))
    return max(best_worth(np.array(path), evidence, rules) for path in paths)


def best_worth(frames: np.ndarray, evidence: np.ndarray, rules: Rules) -> float:
    """What a set of beats is worth with its best nominal intervals: one before the start, one beyond the end."""
    intervals = rules.intervals
    fits: list[Sequence[int | None]] = [np.flatnonzero(intervals + 1 > frames[0]).tolist()]
    for gap in np.diff(frames):
        regular = np.flatnonzero((intervals == gap) | (intervals + 1 == gap)).tolist()
        fits.append([*regular, *[None] * int(rules.jumps[0] <= gap <= rules.jumps[1])])
    fits.append(np.flatnonzero(frames[-1] + intervals + 1 >= len(evidence)).tolist())
    costs = [_cost(states, rules) for states in itertools.product(*fits)]
    return float(evidence[frames].sum()) - min(costs) if costs else -np.inf


def _cost(states: tuple[int | None, ...], rules: Rules) -> float:
    """Of a sequence of nominal intervals, None for a jump, after which any interval may follow."""
    steps = sum(abs(a - b) for a, b in itertools.pairwise(states) if a is not None and b is not None)
    return rules.step_cost * steps + rules.jump_cost * states.count(None)


def test_intervals_stay_near_the_period_and_beats_cover_everything() -> None:
    evidence = np.random.default_rng(0).normal(0, 0.3, 3000)
    frames = best_beats(evidence, 50.0)
    assert np.diff(frames).min() >= np.floor(50 * np.exp(-0.22))
    assert np.diff(frames).max() <= np.ceil(50 * np.exp(0.22))
    assert frames[0] < 63
    assert frames[-1] >= 3000 - 63
    assert _INTERVALS % 2 == 1  # the period itself is among them


@pytest.mark.parametrize("bpm", [60, 75, 90, 110, 120, 140, 160, 180, 200])
@pytest.mark.parametrize("swing", [1 / 2, 2 / 3])
def test_beats_of_a_drum_pattern_are_found(bpm: int, swing: float) -> None:
    beats_s = np.arange(0.3, 45, 60 / bpm)
    beats = track_beats(drums(beats_s, 45.0, swing=swing))
    assert share_found(beats.times_s, beats_s) > 0.97
    (stretch,) = beats.stretches
    assert abs(stretch.readings[0].tempo_bpm / bpm - 1) < 0.01


@pytest.mark.parametrize("bpm", range(70, 201, 26))
def test_a_bare_click_is_followed(bpm: int) -> None:
    beats_s = np.arange(0.3, 45, 60 / bpm)
    assert share_found(track_beats(onsets([(beats_s, (4.0, 4.0, 4.0))], 45.0)).times_s, beats_s) > 0.97


def test_drift_is_followed() -> None:
    time_s, beats_s = 0.3, []
    while time_s < 120:
        beats_s.append(time_s)
        time_s += 0.5 / (1 + 0.04 * np.sin(2 * np.pi * time_s / 40))
    assert share_found(track_beats(drums(np.array(beats_s), 120.0)).times_s, np.array(beats_s)) > 0.98


@pytest.mark.parametrize(("before", "after"), [(120, 126), (120, 90), (120, 180), (96, 144), (160, 66)])
def test_a_change_of_tempo_is_followed(before: int, after: int) -> None:
    beats_s = np.concatenate([np.arange(0.3, 59.8, 60 / before), np.arange(60.2, 120, 60 / after)])
    assert share_found(track_beats(drums(beats_s, 120.0)).times_s, beats_s) > 0.96


@pytest.mark.parametrize("lost", [0.25, 0.5, 2.5])
def test_beats_are_right_soon_before_and_after_a_cut(lost: float) -> None:
    before_s, after_s = np.arange(0.3, 60, 0.5), np.arange(59.8 + 0.5 * (1 - lost % 1), 120, 0.5)
    bands = np.concatenate([drums(before_s, 59.9), drums(after_s - after_s[0] + 0.1, 120.0 - after_s[0] + 0.1)])
    after_s = after_s - after_s[0] + 60.0
    found_s = track_beats(bands).times_s
    for part_s, first_s, last_s in ((before_s[before_s < 59.9], 0, 58.5), (after_s, 61.5, 119)):
        inside = found_s[(found_s > first_s) & (found_s < last_s)]
        assert share_found(inside, part_s[(part_s > first_s) & (part_s < last_s)]) > 0.97


def test_a_syncopated_passage_does_not_move_the_beat() -> None:
    beats_s = np.arange(0.3, 120, 60 / 170)
    pushed = (beats_s[:-1] > 40) & (beats_s[:-1] < 46)
    off_s = beats_s[:-1][pushed] + 30 / 170
    plain_s = beats_s[:-1][~pushed]
    bands = onsets([(plain_s[::2], KICK), (plain_s[1::2], SNARE), (beats_s, HAT), (off_s, KICK)], 120.0)
    assert share_found(track_beats(bands).times_s, beats_s) > 0.97


def test_beats_are_found_on_both_sides_of_silence() -> None:
    beats_s = np.concatenate([np.arange(0.3, 60, 0.5), np.arange(90.2, 150, 0.5)])
    bands = drums(beats_s, 150.0)
    bands[round(61 * FRAME_RATE) : round(90 * FRAME_RATE)] = 0
    found_s = track_beats(bands).times_s
    assert share_found(found_s[(found_s < 60) | (found_s > 90)], beats_s) > 0.98
    assert np.diff(found_s).max() < 0.6


def test_songs_of_a_session_are_tracked_each_at_its_tempo() -> None:
    starts_s, tempi = np.arange(0, 800, 100), (124, 92, 150, 110, 140, 78, 100, 165)
    songs = [start + np.arange(0.3, 90, 60 / bpm) for start, bpm in zip(starts_s, tempi, strict=True)]
    beats = track_beats(
        np.concatenate([drums(song - start, 100.0) for song, start in zip(songs, starts_s, strict=True)])
    )
    for song in songs:
        inside = (beats.times_s > song[0] - 0.1) & (beats.times_s < song[-1] + 0.1)
        assert share_found(beats.times_s[inside], song) > 0.95
    assert len(beats.stretches) == len(songs)


@pytest.mark.parametrize("n_frames", [0, 1, 2, 40, 300, 2000])
def test_where_nothing_pulses_times_ascend_all_the_same(n_frames: int) -> None:
    noise = np.random.default_rng(0).exponential(1, (n_frames, 3)).astype(np.float32)
    for bands in (np.zeros_like(noise), np.ones_like(noise), noise):
        beats = track_beats(bands)
        assert (np.diff(beats.times_s) > 0).all()
        assert len(beats.times_s) == 0 or beats.times_s[-1] * FRAME_RATE < n_frames
    assert len(track_beats(np.zeros_like(noise)).times_s) == 0


def test_readings_come_best_first_and_tell_the_octave() -> None:
    (stretch,) = track_beats(drums(np.arange(0.3, 45, 0.75), 45.0)).stretches
    scores = [reading.score for reading in stretch.readings]
    assert scores == sorted(scores, reverse=True)
    assert stretch.margin == scores[0] - scores[1]
    assert any(abs(reading.tempo_bpm / 160 - 1) < 0.02 for reading in stretch.readings[1:])


def test_the_half_beat_is_in_doubt_where_both_halves_sound_alike() -> None:
    beats_s = np.arange(0.3, 45, 60 / 80)
    between_s = beats_s + 30 / 80
    clear = track_beats(drums(beats_s, 45.0)).stretches[0].readings[0]
    alike = track_beats(onsets([(beats_s, KICK), (between_s, SNARE)], 45.0)).stretches[0].readings
    slow = min(alike, key=lambda reading: abs(reading.tempo_bpm - 80))
    assert clear.score - clear.off_beat_score > 1.0
    assert abs(slow.score - slow.off_beat_score) < 0.7
