"""Entries of small made-up recordings, against what is repeated in them by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis import entries as module
from rl_editor.analysis.beat_features import QUARTERS, BeatFeatures
from rl_editor.analysis.entries import Entries, find_entries
from rl_editor.analysis.seams import Continuation, continuation

B = 120
GROUPS = {"mel": 6, "timbre": 6, "chroma": 4, "onset": 3}


def measure(*copies: tuple[float, float, int], seed: int = 0) -> Continuation:
    """Random beats, of which each (from, to, length) copies some."""
    values = np.random.default_rng(seed).standard_normal((B * QUARTERS, sum(GROUPS.values()))).astype(np.float32)
    for source, target, length in copies:
        into, out_of = round(target * QUARTERS), round(source * QUARTERS)
        values[into : into + length * QUARTERS] = values[out_of : out_of + length * QUARTERS]
    names = tuple(name for name, count in GROUPS.items() for _ in range(count))
    return continuation(BeatFeatures(values, names), np.ones(B, dtype=bool))


def found(heard: Continuation, boundary: np.ndarray | None = None) -> Entries:
    return find_entries(heard, np.ones(B, dtype=bool), np.zeros(B + 1, np.float32) if boundary is None else boundary)


@settings(max_examples=20, deadline=None)
@given(st.integers(6, 30), st.integers(60, 90), st.integers(10, 20), st.integers(0, 5))
def test_both_ends_of_a_copy_begin_where_it_begins(source: int, target: int, length: int, seed: int) -> None:
    entries = found(measure((source, target, length), seed=seed))
    strongest = entries.beat[np.argsort(-entries.strength)[:2]]
    assert np.abs(np.sort(strongest) - [source, target]).max() <= 1


def test_nothing_begins_where_nothing_is_repeated() -> None:
    assert len(found(measure()).beat) == 0


@pytest.mark.parametrize("n_beats", [1, 2, 3, 7, 9])
def test_a_recording_of_a_few_beats_has_entries_or_none(n_beats: int) -> None:
    values = np.random.default_rng(0).standard_normal((n_beats * QUARTERS, sum(GROUPS.values()))).astype(np.float32)
    names = tuple(name for name, count in GROUPS.items() for _ in range(count))
    heard = continuation(BeatFeatures(values, names), np.ones(n_beats, dtype=bool))
    entries = find_entries(heard, np.ones(n_beats, dtype=bool), np.ones(n_beats + 1, dtype=np.float32))
    assert entries.cost.shape == (n_beats + 1, 2 * len(entries.beat))
    assert (entries.beat < n_beats).all()


def test_a_part_is_an_entry_without_a_copy() -> None:
    boundary = np.zeros(B + 1, dtype=np.float32)
    boundary[[40, 77]] = (1.0, 0.2)
    assert found(measure(), boundary).beat.tolist() == [40]


def test_what_is_attempted_often_begins_more_surely() -> None:
    once, often = measure((10, 60, 12)), measure((10, 60, 12), (10, 80, 12), (10, 100, 12))
    assert found(often).strength.max() > found(once).strength.max()


def test_what_follows_elsewhere_is_wanted_here() -> None:
    """16 to 40 is played whole, its second half again at 60, its first half again at 84: from there 60 is meant."""
    entries = found(measure((28, 60, 12), (16, 84, 12)))
    cost = dict(zip(entries.beat.tolist(), entries.cost[96, ::2].tolist(), strict=True))
    assert all(value > cost[60] + 0.3 for beat, value in cost.items() if beat not in (28, 60) and abs(beat - 96) > 1)


def test_what_is_wanted_may_begin_in_the_middle_of_a_beat() -> None:
    boundary = np.zeros(B + 1, dtype=np.float32)
    boundary[60] = 1.0
    entries = found(measure((28, 60.5, 12), (16, 84, 12)), boundary)
    here = entries.cost[96].reshape(-1, 2)[entries.beat == 60][0]
    assert here[1] < here[0] - 0.3


def test_entries_are_the_same_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = measure((10, 60, 12), (16, 90, 12))
    whole = found(heard)
    monkeypatch.setattr(module, "_BLOCK", 7)
    parts = found(heard)
    assert np.array_equal(whole.beat, parts.beat)
    np.testing.assert_allclose(whole.cost, parts.cost, atol=2e-3)
