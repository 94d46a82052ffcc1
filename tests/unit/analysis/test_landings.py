"""The landing table on small made-up recordings, against the measure taken pair by pair."""

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.beat_features import QUARTERS, BeatFeatures
from rl_editor.analysis.entries import find_entries
from rl_editor.analysis.landings import (
    BOUNDARY_COLUMNS,
    CONTINUATION_COLUMNS,
    GAP_COLUMNS,
    Family,
    LandingTable,
    landing_table,
)
from rl_editor.analysis.seams import TERM_WEIGHTS, Continuation, Step, continuation

GROUPS = {"mel": 6, "timbre": 6, "chroma": 4, "onset": 3}
RATE = 1000


def features(n_beats: int, seed: int = 0, repeat: tuple[int, int, int] | None = None) -> BeatFeatures:
    """Random features; `repeat` = (from, to, length) copies beats."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_beats * QUARTERS, sum(GROUPS.values()))).astype(np.float32)
    if repeat:
        source, target, length = (QUARTERS * beats for beats in repeat)
        values[target : target + length] = values[source : source + length]
    return BeatFeatures(values, tuple(name for name, count in GROUPS.items() for _ in range(count)))


def quiet_step(n_beats: int) -> Step:
    level = np.zeros((2 * n_beats + 1, 5), dtype=np.float32)
    return Step(level, level, np.ones(2, dtype=np.float32))


def table(measure: Continuation, activity: np.ndarray, boundary: np.ndarray) -> LandingTable:
    n_beats = len(activity)
    return landing_table(
        np.arange(n_beats + 1) * 500,
        sample_rate=RATE,
        activity=activity,
        boundary=boundary,
        continuation=measure,
        entries=find_entries(measure, activity == Activity.MUSIC, boundary),
        step=quiet_step(n_beats),
        mono=np.random.default_rng(0).standard_normal(n_beats * 500).astype(np.float32),
        mono_rate=RATE,
    )


@pytest.fixture(scope="module")
def plain() -> tuple[Continuation, LandingTable]:
    measure = continuation(features(60, repeat=(10, 40, 8)), np.ones(60, dtype=bool))
    boundary = np.zeros(61, dtype=np.float32)
    boundary[[8, 24, 40]] = 1.0
    return measure, table(measure, np.zeros(60, dtype=np.int8), boundary)


def test_costs_in_blocks_equal_the_terms_of_single_pairs(plain: tuple[Continuation, LandingTable]) -> None:
    measure, _ = plain
    costs = measure.costs(5, 50)
    for playhead, beat, half in [(5, 9, 0), (20, 3, 1), (49, 49, 0), (30, 59, 1), (12, 0, 0)]:
        terms = measure.terms(*(np.array([value]) for value in (playhead, beat, half)))
        np.testing.assert_allclose(costs[playhead - 5, 2 * beat + half], terms[0] @ TERM_WEIGHTS, atol=2e-3)


def test_the_natural_continuation_costs_nothing(plain: tuple[Continuation, LandingTable]) -> None:
    costs = plain[0].costs(0, 60)
    np.testing.assert_allclose(costs[np.arange(60), 2 * np.arange(60)], 0.0, atol=5e-3)


def test_a_repeat_is_the_first_continuation_both_ways(plain: tuple[Continuation, LandingTable]) -> None:
    _, places = plain
    for playhead in range(12, 17):
        assert places.beat[playhead, 0] == playhead + 30
        assert places.beat[playhead + 30, 0] == playhead


def test_the_table_never_offers_what_keep_would_play(plain: tuple[Continuation, LandingTable]) -> None:
    _, places = plain
    natural = np.arange(61)[:, None]
    assert not (places.valid & (places.beat == natural) & (places.half == 0)).any()


def test_continuations_go_both_ways_where_they_can_and_are_sorted(
    plain: tuple[Continuation, LandingTable],
) -> None:
    _, places = plain
    beat = places.beat[20:40, CONTINUATION_COLUMNS]
    ahead = beat >= np.arange(20, 40)[:, None]
    assert (ahead.sum(axis=1) >= 3).all()
    assert ((~ahead).sum(axis=1) >= 3).all()
    assert (np.diff(places.continuation[20:40, CONTINUATION_COLUMNS], axis=1) >= -2e-3).all()


def test_boundaries_hold_the_best_part_ahead_and_behind(plain: tuple[Continuation, LandingTable]) -> None:
    _, places = plain
    found = set(places.beat[30, BOUNDARY_COLUMNS].tolist())
    assert {8, 24} & found
    assert 40 in found


def test_gaps_lead_from_dead_time_to_the_next_music() -> None:
    activity = np.zeros(60, dtype=np.int8)
    activity[20:30] = Activity.TALK
    boundary = np.zeros(61, dtype=np.float32)
    boundary[[0, 20, 30, 60]] = 1.0
    places = table(continuation(features(60), activity == Activity.MUSIC), activity, boundary)
    assert places.beat[20, GAP_COLUMNS][0] == 30
    assert places.family[20, GAP_COLUMNS][0] == Family.GAP
    assert (activity[places.beat[places.valid]] == Activity.MUSIC).all()
    assert (places.family[25, places.valid[25]] != Family.CONTINUATION).all()


def test_what_a_rehearsed_passage_leads_to_is_offered_wherever_it_is_played_again() -> None:
    """Of A B, B and A, the last A leads to the B that was played alone."""
    quarters = features(100).quarters
    values = quarters.copy()
    first, second = slice(16 * QUARTERS, 28 * QUARTERS), slice(28 * QUARTERS, 40 * QUARTERS)
    values[50 * QUARTERS : 62 * QUARTERS] = quarters[second]
    values[74 * QUARTERS : 86 * QUARTERS] = quarters[first]
    names = features(1).names
    measure = continuation(BeatFeatures(values, names), np.ones(100, dtype=bool))
    places = table(measure, np.zeros(100, dtype=np.int8), np.zeros(101, dtype=np.float32))
    assert 50 in places.beat[86]


def test_no_row_offers_one_place_twice(plain: tuple[Continuation, LandingTable]) -> None:
    _, places = plain
    for beat, half in zip(places.beat[1:], places.half[1:], strict=True):
        added = [(b, h) for b, h in zip(beat.tolist(), half.tolist(), strict=True) if b >= 0]
        entries = [b for b, h in added[8:] if h == 0]
        assert len(entries) == len(set(entries))


def test_starts_stay_inside_their_beat(plain: tuple[Continuation, LandingTable]) -> None:
    _, places = plain
    bounds = np.arange(61) * 500
    starts = places.starts(bounds)
    beat = places.beat[places.valid]
    assert (starts[places.valid] >= 0).all()
    assert (starts[places.valid] < bounds[beat + 1]).all()


def test_a_table_is_the_same_whatever_the_blocks(
    plain: tuple[Continuation, LandingTable], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, places = plain
    monkeypatch.setattr("rl_editor.analysis.landings._BLOCK", 7)
    boundary = np.zeros(61, dtype=np.float32)
    boundary[[8, 24, 40]] = 1.0
    again = table(measure, np.zeros(60, dtype=np.int8), boundary)
    assert np.array_equal(again.beat, places.beat)
