"""Succession: what follows what in one try says what may follow it in another."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.landings import LandingTable
from rl_editor.analysis.track import Track
from rl_editor.policies.copies import Copies, find_copies
from rl_editor.policies.succession import SUCCESSION_COLUMNS, successions

Make = Callable[..., Track]
SECOND, FIRST, WHOLE = 0, 40, 90
"""Where the recording plays the second half of a song, its first half, and all of it; each half is 30 beats long."""


@pytest.fixture
def recorded_apart(make_track: Make) -> Track:
    """A song's second half, a pause, its first half, a pause, and then the whole song."""
    rng = np.random.default_rng(3)
    names = ("timbre",) * 8 + ("chroma",) * 12 + ("onset",) * 3
    first, second = rng.normal(size=(2, 30, len(names)))
    other = rng.normal(size=(10, len(names)))
    twenty = np.concatenate([other, rng.normal(size=(10, len(names)))])
    sounds = np.concatenate([second, other, first, twenty, first, second, other])
    sounds += 0.2 * rng.normal(size=sounds.shape)
    track = make_track(rng, len(sounds))
    music = np.full(len(sounds), Activity.MUSIC, dtype=np.int8)
    return replace(track, features=sounds.astype(np.float32), feature_names=names, activity=music)


def landing_at(track: Track, playhead: int, beat: int) -> LandingTable:
    """A table in which the first landing of `playhead` goes to `beat` and all others are as they were."""
    beats = track.landings.beat.copy()
    beats[playhead, 0] = beat
    return replace(track.landings, beat=beats)


def told(track: Track, playhead: int, beat: int) -> np.ndarray:
    """What is told of one landing, (SUCCESSION_COLUMNS,)."""
    return successions(landing_at(track, playhead, beat), find_copies(track))[playhead, 0]


def test_the_order_of_halves_is_found_in_the_run_through(recorded_apart: Track) -> None:
    after_the_first_half = FIRST + 30
    right, wrong = (told(recorded_apart, after_the_first_half, beat)[2] for beat in (SECOND, SECOND + 10))
    assert right > 0.5
    assert wrong < 0.1


def test_a_landing_in_another_try_at_what_was_played(recorded_apart: Track) -> None:
    assert told(recorded_apart, FIRST + 20, WHOLE + 20)[0] > 0.5
    assert told(recorded_apart, FIRST + 20, WHOLE + 26)[0] < 0.1


def test_a_landing_in_another_try_at_what_comes_next(recorded_apart: Track) -> None:
    assert told(recorded_apart, WHOLE + 30, SECOND)[1] > 0.5
    assert told(recorded_apart, WHOLE + 30, SECOND + 6)[1] < 0.1


def test_nothing_follows_where_nothing_is_played_twice(make_track: Make) -> None:
    track = make_track(np.random.default_rng(0), 40)
    nothing = Copies(np.tile(np.arange(40)[:, None], (1, 4)), np.zeros((40, 4), dtype=np.float32))
    values = successions(track.landings, nothing)
    assert values.shape == (*track.landings.beat.shape, SUCCESSION_COLUMNS)
    assert (values == 0.0).all()


def test_what_is_told_are_likenesses_of_landings(recorded_apart: Track) -> None:
    values = successions(recorded_apart.landings, find_copies(recorded_apart))
    assert ((values >= 0.0) & (values <= 1.0)).all()
    assert (values[~recorded_apart.landings.valid] == 0.0).all()
