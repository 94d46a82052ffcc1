"""Attempts: small exact cases, and sample jams whose truth is known."""

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.attempts import Attempts, _local_alignment, find_attempts
from rl_editor.analysis.beat_features import QUARTERS, BeatFeatures
from rl_editor.analysis.seams import continuation
from rl_editor.analysis.track import Track
from rl_editor.audio.sample_songs import make_song
from rl_editor.data.takes import Take, make_take

GROUPS = {"mel": 8, "timbre": 8, "chroma": 6, "onset": 3}


def beats_of(song: np.ndarray, rng: np.random.Generator, sloppy: float = 0.1) -> np.ndarray:
    """A performance: the song's beats, not quite."""
    return song + sloppy * rng.standard_normal(song.shape).astype(np.float32)


def session(parts: list[np.ndarray | int]) -> tuple[BeatFeatures, np.ndarray]:
    """Features and activity of runs of music (arrays) and pauses (numbers of beats)."""
    rng = np.random.default_rng(9)
    width = sum(GROUPS.values())
    rows, activity = [], []
    for part in parts:
        if isinstance(part, int):
            rows.append(rng.standard_normal((part, QUARTERS, width)).astype(np.float32))
            activity += [Activity.TALK] * part
        else:
            rows.append(part)
            activity += [Activity.MUSIC] * len(part)
    names = tuple(name for name, count in GROUPS.items() for _ in range(count))
    values = np.concatenate(rows).reshape(-1, width)
    return BeatFeatures(values, names), np.array(activity, dtype=np.int8)


def attempts_in(parts: list[np.ndarray | int], level_db: np.ndarray | None = None) -> Attempts:
    features, activity = session(parts)
    level = np.full(len(activity), -18.0, dtype=np.float32) if level_db is None else level_db
    return find_attempts(continuation(features, activity == Activity.MUSIC), activity, level)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture
def song(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((60, QUARTERS, sum(GROUPS.values()))).astype(np.float32)


def test_the_last_of_two_whole_attempts_is_kept(song: np.ndarray, rng: np.random.Generator) -> None:
    found = attempts_in([beats_of(song, rng), 20, beats_of(song, rng)])
    assert found.superseded[:60].all()
    assert not found.superseded[60:].any()
    assert set(found.attempt[:60]) == {1}
    assert set(found.attempt[80:]) == {2}


def test_a_broken_off_attempt_does_not_replace_a_whole_one(song: np.ndarray, rng: np.random.Generator) -> None:
    found = attempts_in([beats_of(song, rng), 20, beats_of(song[:30], rng)])
    assert not found.superseded[:60].any()
    assert found.superseded[80:].all()


def test_an_attempt_with_dropouts_is_replaced_even_by_an_earlier_one(
    song: np.ndarray, rng: np.random.Generator
) -> None:
    bad = beats_of(song, rng)
    bad[20:28] = 2.0 * rng.standard_normal(bad[20:28].shape)
    level_db = np.full(140, -18.0, dtype=np.float32)
    level_db[100:108] = -40.0
    found = attempts_in([beats_of(song, rng), 20, bad], level_db)
    assert not found.superseded[:60].any()
    assert found.superseded[80:].all()
    assert found.spoiled[100:108].mean() > 0.8
    assert found.spoiled[20:28].mean() < 0.2


def test_a_song_tried_once_is_never_dropped(song: np.ndarray, rng: np.random.Generator) -> None:
    other = rng.standard_normal(song.shape).astype(np.float32)
    found = attempts_in([song, 20, other, 10, beats_of(song, rng)])
    assert not found.superseded[80:140].any()
    assert found.song[0] == found.song[-1] != found.song[100]


def test_local_alignment_is_the_best_of_all_by_brute_force(rng: np.random.Generator) -> None:
    gain = rng.normal(0, 1, (5, 5)).astype(np.float32)
    here, there = _local_alignment(gain, np.float32(0.4))

    def best_from(i: int, j: int) -> float:
        if i >= 5 or j >= 5:
            return 0.0
        return max(0.0, gain[i, j] + best_from(i + 1, j + 1), best_from(i + 1, j) - 0.4, best_from(i, j + 1) - 0.4)

    best = max(best_from(i, j) for i in range(5) for j in range(5))
    skipped = (np.diff(here) - 1).sum() + (np.diff(there) - 1).sum()
    np.testing.assert_allclose(gain[here, there].sum() - 0.4 * skipped, best, atol=1e-5)


@pytest.fixture(scope="module", params=[500, 503])
def jam(request: pytest.FixtureRequest) -> tuple[Take, Track]:
    rng = np.random.default_rng(request.param)
    take = make_take([make_song(rng).piece], rng, length_s=400.0, stems=False)
    return take, analyse(take.audio, take.sample_rate)


def test_in_a_jam_the_good_attempt_is_kept_and_the_worse_ones_are_not(jam: tuple[Take, Track]) -> None:
    take, track = jam
    middle = (track.bounds[1:] + track.bounds[:-1]) // 2
    right = []
    for attempt in take.attempts:
        inside = (middle >= attempt.start) & (middle < attempt.end) & track.is_music
        superseded = track.superseded[inside].mean() if inside.any() else 1.0
        right.append((superseded < 0.5) == attempt.kept)
    assert np.mean(right) >= 0.75
    kept = next(attempt for attempt in take.attempts if attempt.kept)
    inside = (middle >= kept.start) & (middle < kept.end)
    assert track.superseded[inside].mean() < 0.1
