"""Copies: where else the same music is played."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.policies.copies import COPIES, find_copies

Make = Callable[..., Track]


def test_a_repeat_is_found_both_ways_to_the_beat(played_twice: Make) -> None:
    copies = find_copies(played_twice(noise=0.5))
    inner = np.arange(8, 52)
    assert (copies.beat[inner, 0] == inner + 80).all()
    assert (copies.beat[inner + 80, COPIES // 2] == inner).all()
    assert (copies.likeness[inner, 0] > 0.5).all()


def test_likeness_falls_with_the_difference(played_twice: Make) -> None:
    near, far = (find_copies(played_twice(noise=noise)).likeness[20:40, 0].mean() for noise in (0.2, 1.0))
    assert near > far + 0.2


def test_what_is_no_music_has_no_copies_and_is_none(played_twice: Make) -> None:
    track = played_twice(noise=0.1, silent=slice(80, 140))
    copies = find_copies(track)
    assert (copies.likeness[80:] == 0.0).all()
    assert (copies.beat[80:] == np.arange(80, 140)[:, None]).all()
    assert not np.isin(copies.beat[:60], np.arange(80, 140)).any()


def test_neither_level_nor_an_equaliser_matters(played_twice: Make) -> None:
    track = played_twice(noise=0.5)
    filtered = replace(track, features=track.features + np.linspace(-6, 6, track.features.shape[1], dtype=np.float32))
    one, other = find_copies(track), find_copies(filtered)
    np.testing.assert_array_equal(one.beat, other.beat)
    np.testing.assert_allclose(one.likeness, other.likeness, atol=1e-4)


def test_a_track_without_features_has_no_copies(make_track: Make) -> None:
    copies = find_copies(make_track(np.random.default_rng(0), 30))
    assert (copies.likeness == 0.0).all()
