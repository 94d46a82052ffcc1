import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.beat_doubts import beat_doubts, jumps
from rl_editor.analysis.beat_tracker import Beats, Reading, Tracked, track_beats
from rl_editor.analysis.tempo import FRAME_RATE

LENGTH_S = 45.0


def clicks(voices: list[tuple[np.ndarray, tuple[float, float, float]]], seed: int) -> np.ndarray:
    """Onset strength in three bands, (T, 3): each click a peak of 40 ms over a little noise."""
    bands = np.random.default_rng(seed).exponential(0.1, (round(LENGTH_S * FRAME_RATE), 3))
    for times_s, weights in voices:
        frames = np.round(times_s * FRAME_RATE).astype(int)
        for reach, share in ((-1, 0.5), (0, 1.0), (1, 0.5)):
            bands[frames + reach] = np.maximum(bands[frames + reach], share * np.array(weights))
    return bands.astype(np.float32)


def tracked(*readings: Reading, start_s: float = 0.0, end_s: float = 60.0) -> Tracked:
    return Tracked(start_s, end_s, readings)


def steady(n: int = 60) -> np.ndarray:
    return 0.5 * np.arange(n, dtype=np.float64)


@settings(max_examples=8, deadline=None)
@given(bpm=st.floats(95, 135), start_s=st.floats(0.2, 0.6), seed=st.integers(0, 99))
def test_a_clear_backbeat_leaves_no_doubt(bpm: float, start_s: float, seed: int) -> None:
    beats_s = np.arange(start_s, LENGTH_S - 0.5, 60 / bpm)
    between_s = (beats_s[:-1] + beats_s[1:]) / 2
    voices = [(beats_s[::2], (5.0, 1.0, 0.5)), (beats_s[1::2], (0.5, 4.0, 4.0)), (between_s, (0.0, 0.3, 1.0))]
    assert beat_doubts(track_beats(clicks(voices, seed))) == ()


@settings(max_examples=8, deadline=None)
@given(bpm=st.floats(110, 125), start_s=st.floats(0.2, 0.6), seed=st.integers(0, 99))
def test_clicks_on_and_off_the_beat_alike_are_in_doubt(bpm: float, start_s: float, seed: int) -> None:
    # at twice the tempo they would be too fast for a beat
    alike = clicks([(np.arange(start_s, LENGTH_S - 0.5, 30 / bpm), (3.0, 3.0, 3.0))], seed)
    assert any("half a beat later" in line for line in beat_doubts(track_beats(alike)))


def test_silence_and_known_tempi_raise_no_doubt() -> None:
    assert beat_doubts(Beats(np.zeros(0), ())) == ()
    assert beat_doubts(Beats(steady(), (tracked(Reading(120.0, 0.0, -5.0)),))) == ()


@pytest.mark.parametrize(
    ("tempo_bpm", "words"),
    [
        (60.3, "half this"),
        (239.0, "twice this"),
        (180.0, "3/2 of this"),
        (90.0, "3/4 of this"),
        (140.0, "1.17 times this"),
    ],
)
def test_a_reading_nearly_as_good_is_told_by_its_ratio(tempo_bpm: float, words: str) -> None:
    chosen = Reading(120.0, 0.0, -5.0)
    close = Beats(steady(), (tracked(chosen, Reading(tempo_bpm, -0.3, -5.0), start_s=40.0, end_s=130.0),))
    clear = Beats(steady(), (tracked(chosen, Reading(tempo_bpm, -3.0, -5.0)),))
    assert beat_doubts(close) == (f"the beat may be at {words} tempo, 0:40 to 2:10",)
    assert beat_doubts(clear) == ()


def test_a_beat_that_may_be_half_a_beat_off_is_told() -> None:
    beats = Beats(steady(), (tracked(Reading(120.0, 0.0, -0.2)),))
    assert beat_doubts(beats) == ("the beat may lie half a beat later, 0:00 to 1:00",)


def test_the_same_doubt_in_neighbouring_stretches_is_told_once_and_lines_come_in_time() -> None:
    off, clear = Reading(120.0, 0.0, -0.2), Reading(120.0, 0.0, -5.0)
    spans = ((off, 0.0, 60.0), (off, 60.0, 90.0), (clear, 90.0, 120.0), (off, 120.0, 150.0))
    beats = Beats(steady(), tuple(tracked(reading, start_s=start, end_s=end) for reading, start, end in spans))
    what = "the beat may lie half a beat later"
    assert beat_doubts(beats) == (f"{what}, 0:00 to 1:30", f"{what}, 2:00 to 2:30")


@given(at=st.integers(1, 58), share=st.floats(0.3, 0.7))
def test_a_jump_of_the_beat_is_found_where_it_is(at: int, share: float) -> None:
    times_s = steady() + np.where(np.arange(60) > at, 0.5 * share, 0.0)
    ((at_s, moved),) = jumps(Beats(times_s, (tracked(Reading(120.0, 0.0, -5.0)),)))
    assert at_s == pytest.approx(0.5 * at)
    assert moved == pytest.approx(min(share, 1 - share))


@given(drift=st.floats(0, 0.04), lost=st.integers(0, 3))
def test_drift_and_lost_whole_beats_are_no_jumps(drift: float, lost: int) -> None:
    beat = np.delete(np.arange(80), np.arange(40, 40 + lost))
    times_s = 0.5 * beat * (1 + drift * beat / 80)
    assert jumps(Beats(times_s, (tracked(Reading(120.0, 0.0, -5.0)),))) == []


def test_another_tempo_is_no_jump() -> None:
    times_s = np.concatenate([steady(40), 20.2 + 0.8 * np.arange(40)])
    reading = Reading(100.0, 0.0, -5.0)
    assert jumps(Beats(times_s, (tracked(reading, end_s=20.0), tracked(reading, start_s=20.0)))) == []
