"""What is heard around a place, and where places stand on the grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.edits.ruler.grid import (
    last_music,
    music_after_s,
    music_before_s,
    music_share,
    next_music,
    off_beat_s,
    place,
)
from rl_editor.edits.ruler.hearing import between, excerpt, mono, side, unlike

from .conftest import BEAT, BEATS, QUIET, RATE, RING, Jam


@given(st.integers(-50, 150), st.integers(0, 120))
def test_between_is_the_sound_inside_and_silence_outside(first: int, length: int) -> None:
    sound = np.arange(1, 101, dtype=np.float32)
    expected = [sound[k] if 0 <= k < 100 else 0.0 for k in range(first, first + length)]
    assert between(sound, first, first + length).tolist() == expected


def test_two_places_of_one_pattern_sound_alike_at_any_sample_between_frames(jam: Jam) -> None:
    sound = mono(jam.audio, RATE)
    at = (QUIET + 16) * BEAT + 77
    here, there = excerpt(sound, at, 100), excerpt(sound, at + 16 * BEAT, 100)
    for after in (False, True):
        assert unlike(side(here.onsets, here, after=after), side(there.onsets, there, after=after)) < 0.15
        shifted = side(there.onsets, there, after=after, shift=6)
        assert unlike(side(here.onsets, here, after=after), shifted) > 0.5


def test_a_louder_recording_has_the_same_onsets_timbre_and_harmony(jam: Jam) -> None:
    sound = mono(jam.audio, RATE)
    here, louder = excerpt(sound, 20 * BEAT, 40), excerpt(4.0 * sound, 20 * BEAT, 40)
    np.testing.assert_allclose(louder.onsets, here.onsets, atol=1e-3)
    np.testing.assert_allclose(louder.timbre, here.timbre, atol=1e-2)
    np.testing.assert_allclose(louder.chroma, here.chroma, atol=1e-3)


def test_unlikeness_is_0_for_itself_and_1_for_what_shares_nothing() -> None:
    x, y = np.array([[1.0, 0.0, 0.0]], dtype=np.float32), np.array([[0.0, 1.0, 0.0]], dtype=np.float32)
    assert unlike(x, 3.0 * x) == pytest.approx(0.0)
    assert unlike(x, y) == 1.0
    assert unlike(0.0 * x, y) == 0.0


@given(out=st.integers(QUIET, 60), into=st.integers(QUIET, 60), late=st.floats(-0.45, 0.45))
def test_a_stumble_is_how_far_beats_are_apart_in_phase(jam: Jam, out: int, into: int, late: float) -> None:
    """Entered later in its beat than the other was left, music goes on too early."""
    stumble_s = off_beat_s(jam.track, out * BEAT, into * BEAT + round(late * BEAT))
    assert stumble_s == pytest.approx(-late * BEAT / RATE, abs=2 / RATE)


def test_a_place_knows_beat_bar_and_phrase(jam: Jam) -> None:
    opening, third, between_beats = (place(jam.track, round((QUIET + beats) * BEAT)) for beats in (16, 18, 16.5))
    assert opening.opens_phrase
    assert opening.opens_bar
    assert (third.beat, third.bar_position, third.in_phrase) == (True, 2, 2)
    assert not between_beats.beat


def test_music_around_a_place_is_counted_to_the_ends_of_its_run(jam: Jam) -> None:
    first, last = QUIET * BEAT, (QUIET + BEATS + RING) * BEAT
    assert music_before_s(jam.track, first) == 0.0
    assert music_before_s(jam.track, first + 3 * BEAT) == pytest.approx(3 * BEAT / RATE)
    assert music_after_s(jam.track, last) == 0.0
    assert music_after_s(jam.track, last - BEAT) == pytest.approx(BEAT / RATE)
    assert music_share(jam.track, first - BEAT, first + BEAT) == pytest.approx(0.5)


def test_music_next_to_a_place_is_the_place_itself_within_music_and_beyond_all_of_it(jam: Jam) -> None:
    first, last = QUIET * BEAT, (QUIET + BEATS + RING) * BEAT
    assert [next_music(jam.track, at) for at in (first - 3 * BEAT, first + 7, last)] == [first, first + 7, last]
    assert [last_music(jam.track, at) for at in (first - BEAT, first + 7, last + BEAT)] == [
        first - BEAT,
        first + 7,
        last,
    ]
