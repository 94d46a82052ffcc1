"""Crossings: what the landing table lacks for a request, and that nothing legal is then refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.edits.crossings import Landings, crossing_score, crossing_steps, landings_of
from rl_editor.edits.length import played_beats
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.edits.wishes import Wishes, resolve
from rl_editor.errors import RequestError

MakeTrack = Callable[..., Track]
seeds = st.integers(0, 2**32 - 1)


def pairs(landings: Landings) -> list[tuple[int, int]]:
    return list(zip(landings.leave.tolist(), landings.beat.tolist(), strict=True))


def crossings(track: Track, request: EditRequest) -> Landings:
    wishes = resolve(track, request)
    first = len(landings_of(track, wishes, crossings=False).leave)
    every = landings_of(track, wishes)
    return every.at(np.arange(first, len(every.leave)))


def over(track: Track, first: int, last: int) -> tuple[float, float]:
    """A range in the midst of beats `first` to `last` - 1."""
    return track.bounds_s[first] + 0.1, track.bounds_s[last] - 0.1


def test_without_wishes_the_landings_are_those_of_the_table(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 60)
    landings = landings_of(track, resolve(track, EditRequest()))
    places = track.landings
    expected = [
        (row, places.beat[row, k], places.starts(track.bounds)[row, k], places.score[row, k])
        for row, k in zip(*np.nonzero(places.valid), strict=True)
        if row > 0
    ]
    assert expected == list(zip(landings.leave, landings.beat, landings.start, landings.score, strict=True))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(0, 50), st.integers(1, 8), st.integers(0, 50), st.integers(1, 8))
def test_crossings_leave_and_arrive_beside_a_ban_never_in_one(
    make_track: MakeTrack, seed: int, first: int, length: int, other: int, other_length: int
) -> None:
    track = make_track(np.random.default_rng(seed), 60)
    bans = (over(track, first, first + length), over(track, other, other + other_length))
    banned = resolve(track, EditRequest(bans=bans)).banned
    found = crossings(track, EditRequest(bans=bans))
    assert not banned[found.beat].any()
    assert not banned[found.leave - 1].any()
    assert all(banned[leave:beat].any() for leave, beat in pairs(found))
    table = pairs(landings_of(track, resolve(track, EditRequest()), crossings=False))
    whole = {
        pair for pair, half in zip(table, track.landings.half[1:][track.landings.valid[1:]], strict=True) if not half
    }
    assert not whole & set(pairs(found))
    assert (found.start == track.bounds[found.beat]).all()


def test_a_ban_is_crossed_from_all_four_bars_before_to_all_four_after(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 60, share=0.0)
    found = crossings(track, EditRequest(bans=(over(track, 30, 33),)))
    assert sorted(pairs(found)) == [(leave, beat) for leave in range(15, 31) for beat in range(33, 49)]
    assert (found.family == Family.BOUNDARY).all()
    assert not found.half.any()


def test_two_locks_and_the_wished_start_and_end_are_joined_over_what_lies_between(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 60, share=0.0)
    at_s = track.bounds_s
    request = EditRequest(locks=(over(track, 10, 12), over(track, 50, 52)), start_s=at_s[8], end_s=at_s[54])
    found = set(pairs(crossings(track, request)))
    assert {(9, 10), (12, 50), (27, 35), (52, 53)} <= found
    assert not {(12, 51), (11, 50), (28, 50), (12, 34), (52, 54)} & found


def test_the_score_is_that_of_a_boundary_between_whole_beats(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 41)
    level_db = np.cumsum(np.append(0.0, np.full(40, 2.0))) % 20.0  # steps of 2 dB, and two back by 18
    timbre = np.stack([np.arange(41.0), np.arange(41.0)], axis=1)  # each beat 1 dB from the next
    boundary = np.zeros(42)
    boundary[[8, 23]] = 0.8, 0.4
    track = replace(
        track,
        level_db=level_db.astype(np.float32),
        features=timbre.astype(np.float32),
        feature_names=("timbre", "timbre"),
        boundary=boundary.astype(np.float32),
    )
    leave, beat = np.array([8]), np.array([23])
    unit = np.percentile(np.abs(np.diff(level_db)), 98)
    step = np.array([abs(level_db[23] - level_db[7]) / unit, 16.0])
    np.testing.assert_allclose(crossing_steps(track, leave, beat), [step], rtol=1e-5)
    expected = 0.4 * step.mean() + 0.5 * (1 - 0.8) + 0.5 * (1 - 0.4)
    np.testing.assert_allclose(crossing_score(track, leave, beat), [expected], rtol=1e-5)


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_a_louder_recording_has_the_same_scores(make_track: MakeTrack, gain_db: float) -> None:
    track = make_track(np.random.default_rng(1), 40)
    louder = replace(track, level_db=track.level_db + np.float32(gain_db))
    leave, beat = np.array([5, 9, 20]), np.array([12, 30, 33])
    np.testing.assert_allclose(crossing_score(louder, leave, beat), crossing_score(track, leave, beat), rtol=1e-4)


def test_where_the_spectrum_is_not_known_its_step_counts_as_large(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 20)
    assert crossing_steps(track, np.array([5]), np.array([12]))[0, 1] == 1.0


def reachable(track: Track, wishes: Wishes, landings: Landings) -> set[int]:
    """Lengths in samples of all edits over these landings that go forward, found beat by beat."""
    bounds, banned, locked = track.bounds.tolist(), wishes.banned, wishes.locked
    standing: list[set[int]] = [set() for _ in bounds]
    begins = range(track.n_beats) if wishes.start is None else [wishes.start]
    for place in range(track.n_beats):
        if place in begins and not locked[:place].any():
            standing[place].add(0)
        for length in standing[place]:
            if not banned[place]:
                standing[place + 1].add(length + bounds[place + 1] - bounds[place])
        for k in np.flatnonzero((landings.leave == place) & (landings.beat >= place)):
            beat, start = int(landings.beat[k]), int(landings.start[k])
            heard = banned[beat - 1] if start < bounds[beat] else False
            lost = locked[place:beat].any() or (locked[beat] and start > bounds[beat])
            if not (heard or lost or banned[beat]):
                lengths = {length + bounds[beat + 1] - start for length in standing[place] if length > 0}
                standing[beat + 1] |= lengths
    last = max(np.flatnonzero(locked), default=-1)
    ends = range(last + 1, len(bounds)) if wishes.end is None else [wishes.end]
    return set().union(*(standing[end] for end in ends)) - {0}


@settings(max_examples=100, deadline=None)
@given(
    seeds,
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=2),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 2)), max_size=2),
    st.none() | st.integers(0, 5),
    st.none() | st.integers(9, 14),
    st.floats(0.1, 1.0),
)
def test_an_edit_is_found_wherever_there_is_one_over_table_and_crossings(
    make_track: MakeTrack,
    seed: int,
    bans: list[tuple[int, int]],
    locks: list[tuple[int, int]],
    start: int | None,
    end: int | None,
    share: float,
) -> None:
    track = make_track(np.random.default_rng(seed), 14, share=0.03)
    at_s = track.bounds_s

    def ranges(beats: list[tuple[int, int]]) -> tuple[tuple[float, float], ...]:
        return tuple(over(track, first, min(first + length, 14)) for first, length in beats)

    request = EditRequest(
        bans=ranges(bans),
        locks=ranges(locks),
        start_s=None if start is None else at_s[start],
        end_s=None if end is None else at_s[end],
        slack_s=0.5,
    )
    try:
        wishes = resolve(track, request)
    except RequestError:
        return
    target_s = max(share * float(np.diff(at_s)[~wishes.banned].sum()), 0.4)
    request = replace(request, target_s=target_s)
    lengths_s = np.array(sorted(reachable(track, wishes, landings_of(track, wishes)))) / track.source.sample_rate
    nearest_s = np.abs(lengths_s - target_s).min(initial=np.inf)
    if nearest_s <= 0.2:  # well within the slack: rounding to units of the search plays no part
        edl = PlannerEditor().edit(track, request)[0]
        assert abs(edl.duration_s - target_s) <= 0.5
        assert not played_beats(edl, track)[wishes.banned].any()
    elif nearest_s > 1.1:  # more than the slack, half a beat and what lags may add
        with pytest.raises(RequestError):
            PlannerEditor().edit(track, request)


@pytest.mark.parametrize("keep", [0.2, 0.35, 0.5, 0.6])
def test_a_ban_is_crossed_though_the_table_is_empty(make_track: MakeTrack, keep: float) -> None:
    track = make_track(np.random.default_rng(0), 90, share=0.0)
    third_s = track.source.duration_s / 3
    bans = ((third_s, 2 * third_s),)
    edl = PlannerEditor().edit(track, EditRequest(keep=keep, bans=bans, end_s=track.source.duration_s))[0]
    assert abs(edl.duration_s - keep * track.source.duration_s) <= 1.0
    assert not played_beats(edl, track)[resolve(track, EditRequest(bans=bans)).banned].any()


def test_without_crossings_the_table_is_all_there_is(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 90, share=0.0)
    third_s = track.source.duration_s / 3
    request = EditRequest(keep=0.5, bans=((third_s, 2 * third_s),))
    with pytest.raises(RequestError, match="the nearest lengths are"):
        PlannerEditor(crossings=False).edit(track, request)
    assert len(PlannerEditor().edit(track, request)[0].joins) == 1
