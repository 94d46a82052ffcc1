"""In which order parts belong that were recorded in another."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.arrays import Array
from rl_editor.policies.order import song_order

N_PART, N_PAUSE = 20, 10


def recorded(order: tuple[int, ...], *, run_through: bool, noise: float = 0.3) -> Array:
    """Parts of a song one by one in some order, a pause after each, and perhaps all of it in its order."""
    rng = np.random.default_rng(5)
    parts = rng.normal(size=(len(order), N_PART, 12))
    pause = np.zeros((N_PAUSE, 12))
    played = [each for number in order for each in (parts[number], pause)]
    if run_through:
        played += [*parts, pause]
    sounds = np.concatenate(played)
    music = np.linalg.norm(sounds, axis=1, keepdims=True) > 0
    sounds = np.where(music, sounds + noise * rng.normal(size=sounds.shape), 0.0)
    return (sounds / np.maximum(np.linalg.norm(sounds, axis=1, keepdims=True), 1e-6)).astype(np.float32)


def plan(order: tuple[int, ...], *, off: int = 0) -> Array:
    """The beats of the parts that were recorded one by one, each begun `off` beats late."""
    step = N_PART + N_PAUSE
    return np.concatenate([np.arange(k * step + off, k * step + N_PART) for k in range(len(order))])


def found(order: tuple[int, ...], place: Array, *, off: int = 0) -> tuple[int, ...]:
    """The parts as the places of their first beats put them."""
    firsts = [place[k * (N_PART + N_PAUSE) + off] for k in range(len(order))]
    return tuple(order[k] for k in np.argsort(firsts))


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("off", [0, 2])
def test_a_run_through_tells_the_order(order: tuple[int, ...], off: int) -> None:
    place = song_order(plan(order, off=off), recorded(order, run_through=True))
    assert found(order, place, off=off) == (0, 1, 2, 3)


@pytest.mark.parametrize("order", [(1, 0), (2, 0, 1), (0, 1, 2)])
def test_where_nothing_is_known_the_order_of_the_recording_holds(order: tuple[int, ...]) -> None:
    sounds = recorded(order, run_through=False)
    assert song_order(plan(order), sounds).tolist() == list(range(len(sounds) + 1))


@settings(deadline=None, max_examples=40)
@given(st.integers(10, 80), st.integers(0, 2**32 - 1))
def test_places_are_an_order_of_all_beats_with_the_end_last(n_beats: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sounds = rng.normal(size=(n_beats, 6)).astype(np.float32)
    played = np.flatnonzero(np.repeat(rng.random(n_beats // 8 + 1) < 0.6, 8)[:n_beats])
    place = song_order(played, sounds / np.linalg.norm(sounds, axis=1, keepdims=True))
    assert sorted(place.tolist()) == list(range(n_beats + 1))
    assert place[-1] == n_beats


def test_beats_that_are_padded_change_nothing() -> None:
    order = (2, 0, 1)
    sounds = recorded(order, run_through=True)
    padded = song_order(plan(order), np.pad(sounds, ((0, 9), (0, 0))))[: len(sounds)]
    assert np.argsort(padded).tolist() == np.argsort(song_order(plan(order), sounds)[:-1]).tolist()
