"""Beginnings and endings: worth most at the edges of music, and less for each beat that is lost of it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.edits.worth import beginnings, endings

MakeTrack = Callable[..., Track]
_BAR = 4


def track_of(make_track: MakeTrack, *lengths: int, boundary: float = 0.0) -> Track:
    """Stretches of beats, silence and music in turn."""
    kinds = [Activity.SILENCE, Activity.MUSIC] * len(lengths)
    activity = np.repeat(kinds[: len(lengths)], lengths).astype(np.int8)
    track = make_track(np.random.default_rng(0), len(activity), activity=activity)
    return replace(track, boundary=np.full(len(activity) + 1, boundary, dtype=np.float32))


def test_each_lost_beat_of_a_bar_makes_a_beginning_and_an_ending_worth_less(make_track: MakeTrack) -> None:
    track = track_of(make_track, 8, 6, 8)
    np.testing.assert_allclose(beginnings(track)[8:14], [1.0, 0.625, 0.25, -0.125, -0.5, -0.5])
    np.testing.assert_allclose(endings(track)[9:15], [-0.5, -0.5, -0.125, 0.25, 0.625, 1.0])


def test_outside_the_music_anything_may_begin_and_has_ended(make_track: MakeTrack) -> None:
    track = track_of(make_track, 8, 12, 8)
    assert (beginnings(track)[~track.is_music] == 1.0).all()
    assert (endings(track)[[1, 8, 20, 24, 28]] == 1.0).all()


def test_a_recording_that_is_all_music_begins_and_ends_at_its_edges(make_track: MakeTrack) -> None:
    track = track_of(make_track, 0, 20)
    assert beginnings(track)[0] == 1.0
    assert endings(track)[-1] == 1.0
    assert (beginnings(track)[1:] < 1.0).all()
    assert (endings(track)[:-1] < 1.0).all()


def test_within_the_music_a_part_may_begin_and_end(make_track: MakeTrack) -> None:
    track = track_of(make_track, 8, 24, 8, boundary=0.8)
    inside = slice(8 + _BAR, 32 - _BAR)
    np.testing.assert_allclose(beginnings(track)[inside], -0.1, atol=1e-6)
    np.testing.assert_allclose(endings(track)[inside], -0.1, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(rest=st.integers(0, 12), music=st.integers(1, 20), after=st.integers(0, 12))
def test_what_begins_a_recording_ends_the_same_one_played_backwards(
    make_track: MakeTrack, rest: int, music: int, after: int
) -> None:
    track = track_of(make_track, rest, music, after)
    backwards = replace(track, activity=track.activity[::-1].copy())
    started = beginnings(track)
    ended = endings(backwards)[::-1]
    played = track.is_music
    np.testing.assert_allclose(started[played], ended[:-1][played])
