"""Copies: where else the same music is played."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.policies.copies import COPIES, compare, find_copies

Make = Callable[..., Track]
NAMES = ("timbre",) * 8 + ("chroma",) * 12 + ("onset",) * 3


def played_twice(make_track: Make, *, noise: float, silent: slice | None = None) -> Track:
    """Sixty beats, a pause of twenty, the same sixty again."""
    rng = np.random.default_rng(0)
    song = rng.normal(size=(60, len(NAMES)))
    sounds = np.concatenate([song, rng.normal(size=(20, len(NAMES))), song])
    sounds += noise * rng.normal(size=sounds.shape)
    activity = np.full(140, Activity.MUSIC, dtype=np.int8)
    if silent is not None:
        activity[silent] = Activity.SILENCE
    track = make_track(rng, 140, activity=activity)
    return replace(track, features=sounds.astype(np.float32), feature_names=NAMES)


def test_a_repeat_is_found_both_ways_to_the_beat(make_track: Make) -> None:
    copies = find_copies(played_twice(make_track, noise=0.5))
    inner = np.arange(8, 52)
    assert (copies.beat[inner, 0] == inner + 80).all()
    assert (copies.beat[inner + 80, COPIES // 2] == inner).all()
    assert (copies.likeness[inner, 0] > 0.5).all()


def test_likeness_falls_with_the_difference(make_track: Make) -> None:
    near, far = (find_copies(played_twice(make_track, noise=noise)).likeness[20:40, 0].mean() for noise in (0.2, 1.0))
    assert near > far + 0.2


def test_what_is_no_music_has_no_copies_and_is_none(make_track: Make) -> None:
    track = played_twice(make_track, noise=0.1, silent=slice(80, 140))
    copies = find_copies(track)
    assert (copies.likeness[80:] == 0.0).all()
    assert (copies.beat[80:] == np.arange(80, 140)[:, None]).all()
    assert not np.isin(copies.beat[:60], np.arange(80, 140)).any()


def test_neither_level_nor_an_equaliser_matters(make_track: Make) -> None:
    track = played_twice(make_track, noise=0.5)
    filtered = replace(track, features=track.features + np.linspace(-6, 6, len(NAMES), dtype=np.float32))
    one, other = find_copies(track), find_copies(filtered)
    np.testing.assert_array_equal(one.beat, other.beat)
    np.testing.assert_allclose(one.likeness, other.likeness, atol=1e-4)


def test_a_track_without_features_has_no_copies(make_track: Make) -> None:
    copies = find_copies(make_track(np.random.default_rng(0), 30))
    assert (copies.likeness == 0.0).all()


def test_a_recording_without_music_is_compared_with_nothing(make_track: Make) -> None:
    track = played_twice(make_track, noise=0.1, silent=slice(0, 140))
    copies = find_copies(track)
    assert (copies.likeness == 0.0).all()
    assert (compare(track, copies) == 0.0).all()
