"""Passages and comparison: what two tries at the same music have in common, and in what they differ."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.policies.comparison import COMPARED_COLUMNS, compare
from rl_editor.policies.copies import find_copies, music_of
from rl_editor.policies.passages import Passages, find_passages

Make = Callable[..., Track]


def compared(track: Track) -> np.ndarray:
    """Of each beat with its first later and its first earlier copy, (B, 2, E)."""
    copies = find_copies(track)
    return compare(track, copies, find_passages(music_of(track), copies))[:, [0, 2]]


def main_passage(track: Track, beat: int) -> tuple[int, int, int]:
    """First beat, other beat and length of the passage of a beat with its first later copy."""
    passages = find_passages(music_of(track), find_copies(track))
    number = passages.of[beat, 0]
    return int(passages.first[number]), int(passages.other[number]), int(passages.length[number])


def test_the_whole_of_both_tries_is_one_passage(played_twice: Make) -> None:
    first, other, length = main_passage(played_twice(noise=0.5), 30)
    assert other - first == 80
    assert first <= 3
    assert first + length >= 57


def test_all_beats_of_a_try_share_their_passage(played_twice: Make) -> None:
    track = played_twice(noise=0.5)
    of = find_passages(music_of(track), find_copies(track)).of
    assert len(set(of[8:52, 0].tolist())) == 1


def test_a_passage_ends_where_one_try_breaks_off(played_twice: Make) -> None:
    first, _, length = main_passage(played_twice(noise=0.3, slip=slice(120, 140)), 20)
    assert 36 <= first + length <= 46


def test_every_passage_lies_within_the_recording(played_twice: Make) -> None:
    for seed_noise in (0.1, 0.8, 3.0):
        track = played_twice(noise=seed_noise)
        copies = find_copies(track)
        passages: Passages = find_passages(music_of(track), copies)
        assert (passages.length > 0).all()
        for side in (passages.first, passages.other):
            assert (side >= 0).all()
            assert (side + passages.length <= track.n_beats).all()
        beat, slot = np.nonzero(copies.likeness > 0)
        at = beat - passages.first[passages.of[beat, slot]]
        assert (at >= 0).all()
        assert (at < passages.length[passages.of[beat, slot]]).all()
        assert (passages.other[passages.of[beat, slot]] + at == copies.beat[beat, slot]).all()
        assert ((passages.of >= 0) == (copies.likeness > 0)).all()


def test_a_slip_is_told_to_the_whole_try(played_twice: Make) -> None:
    clean, slipped = (compared(played_twice(noise=0.3, slip=slip)) for slip in (None, slice(40, 44)))
    far_from_it = slice(10, 25)
    apart = np.abs(slipped[far_from_it] - clean[far_from_it]).max(axis=(0, 1))
    assert (apart[:22] < 0.5).all(), "at the beat nothing of it is heard"
    assert (apart[22:] > 0.5).any(), "over the passage it is"


def test_what_is_signed_has_the_other_sign_for_the_other_try(played_twice: Make) -> None:
    track = played_twice(noise=0.3)
    track = replace(track, level_db=np.where(np.arange(track.n_beats) < 60, -20.0, -26.0).astype(np.float32))
    told = compared(track)
    level = 9
    np.testing.assert_allclose(told[20:40, 0, level], 1.0, atol=1e-5)
    np.testing.assert_allclose(told[100:120, 1, level], -1.0, atol=1e-5)


def test_a_gain_changes_nothing(played_twice: Make) -> None:
    track = played_twice(noise=0.3)
    louder = replace(track, level_db=track.level_db + 9.0)
    np.testing.assert_allclose(compared(louder), compared(track), atol=1e-4)


def test_a_recording_without_music_is_compared_with_nothing(played_twice: Make) -> None:
    track = played_twice(noise=0.1, silent=slice(0, 140))
    told = compared(track)
    assert told.shape[2] == COMPARED_COLUMNS
    assert (told == 0.0).all()


def test_of_three_tries_the_one_that_two_contradict_is_the_odd_one(make_track: Make) -> None:
    rng = np.random.default_rng(1)
    names = ("timbre",) * 8 + ("chroma",) * 12 + ("onset",) * 3
    song, other = rng.normal(size=(2, 40, len(names)))
    sounds = np.concatenate([song, other[:12], song, other[12:], song])
    sounds += 0.3 * rng.normal(size=sounds.shape)
    sounds[70:76] = rng.normal(size=(6, len(names)))
    track = make_track(rng, len(sounds))
    music = np.full(len(sounds), Activity.MUSIC, dtype=np.int8)
    track = replace(track, features=sounds.astype(np.float32), feature_names=names, activity=music)
    copies = find_copies(track)
    told = compare(track, copies, find_passages(music_of(track), copies))
    mean_odder = slice(25, 28)

    def against(try_: slice, lag: int) -> np.ndarray:
        slots = np.abs(copies.beat[try_] - np.arange(try_.start, try_.stop)[:, None] - lag) <= 1
        assert (slots.sum(axis=1) == 1).all()
        return told[try_, :, mean_odder][slots]

    assert (against(slice(62, 68), -52) > 0.03).all(), "the odd one against the first"
    assert (against(slice(10, 16), 52) < -0.03).all(), "the first against the odd one"
    assert (np.abs(against(slice(10, 16), 120)) < 0.03).all(), "the first against the last"
