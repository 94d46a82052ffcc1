"""Wishes: honoured, or refused with a reason."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.edits.length import difference, played_beats, repeated
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.edits.wishes import resolve
from rl_editor.errors import RequestError

MakeTrack = Callable[..., Track]


@st.composite
def ranges(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    found = []
    for _ in range(draw(st.integers(0, 2))):
        first = draw(st.floats(0, 30))
        found.append((first, first + draw(st.floats(0.2, 4))))
    return tuple(found)


def whole(edl: EDL, track: Track) -> np.ndarray:
    starts, ends = track.bounds[:-1], track.bounds[1:]
    return np.array([((s.start <= starts) & (s.end >= ends)) for s in edl.segments]).any(axis=0)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    ranges(),
    ranges(),
    st.none() | st.floats(0, 15),
    st.none() | st.floats(15, 35),
    st.none() | st.floats(0.2, 1.3),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from(["forward", "free"]),
)
def test_wishes_are_honoured_or_refused(
    make_track: MakeTrack,
    seed: int,
    locks: tuple[tuple[float, float], ...],
    bans: tuple[tuple[float, float], ...],
    start_s: float | None,
    end_s: float | None,
    keep: float | None,
    slack_s: float,
    order: str,
) -> None:
    track = make_track(np.random.default_rng(seed), 90)
    request = EditRequest(locks=locks, bans=bans, start_s=start_s, end_s=end_s, keep=keep, slack_s=slack_s, order=order)
    try:
        edl = PlannerEditor().edit(track, request)[0]
    except RequestError:
        return
    wishes = resolve(track, request)
    assert whole(edl, track)[wishes.locked].all()
    assert not played_beats(edl, track)[wishes.banned].any()
    half_beat_s = float(np.diff(track.bounds_s).max()) / 2
    for asked_s, bound, at in (
        (start_s, wishes.start, edl.segments[0].start),
        (end_s, wishes.end, edl.segments[-1].end),
    ):
        if asked_s is not None and bound is not None:
            nearest_s = abs(track.bounds_s[bound] - asked_s)
            assert abs(at / track.source.sample_rate - asked_s) <= max(half_beat_s, nearest_s) + 1e-3
    if keep is not None:
        assert abs(edl.duration_s - keep * track.source.duration_s) <= slack_s + 1e-3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.15, 0.8))
def test_without_slack_the_length_is_exact_to_the_sample(make_track: MakeTrack, seed: int, keep: float) -> None:
    track = make_track(np.random.default_rng(seed), 100)
    edl = PlannerEditor().edit(track, EditRequest(keep=keep, slack_s=0.0))[0]
    assert edl.n_samples == round(keep * track.source.duration_s * track.source.sample_rate)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
def test_free_order_moves_parts_but_repeats_none(make_track: MakeTrack, seed: int, keep: float) -> None:
    track = make_track(np.random.default_rng(seed), 100)
    edl = PlannerEditor().edit(track, EditRequest(keep=keep, order="free"))[0]
    assert repeated(edl) == 0


@pytest.mark.parametrize("seed", range(4))
def test_free_order_lets_the_first_part_come_last(make_track: MakeTrack, seed: int) -> None:
    track = make_track(np.random.default_rng(seed), 100)
    start_s, end_s = track.bounds_s[60], track.bounds_s[40]
    request = EditRequest(keep=0.5, start_s=start_s, end_s=end_s, order="free")
    edl = PlannerEditor().edit(track, request)[0]
    assert repeated(edl) == 0
    assert edl.segments[0].start >= track.bounds[60]
    assert abs(edl.duration_s - 0.5 * track.source.duration_s) <= 1.0


def test_several_edits_are_best_first_and_differ(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(4), 200)
    edits = PlannerEditor().edit(track, EditRequest(keep=0.3, count=4))
    assert len(edits) == 4
    pairs = [(a, b) for k, a in enumerate(edits) for b in edits[:k]]
    assert all(difference(a, b) >= 0.2 for a, b in pairs)


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"locks": ((1, 5),), "bans": ((4, 6),)}, "a lock and a ban hold the same beat"),
        ({"locks": ((50, 90),)}, "0:50-1:30 is not within the recording"),
        ({"start_s": 500.0}, "is after the recording's end"),
        ({"bans": ((0, 3),), "start_s": 1.0}, "the beat to start with is banned"),
        ({"bans": ((20, 30),), "end_s": 25.0}, "the beat to end with is banned"),
        ({"locks": ((2, 40),), "keep": 0.2}, "the nearest lengths are"),
        ({"start_s": 30.0, "end_s": 5.0}, "the end is before the start"),
        ({"start_s": 20.0, "locks": ((5, 8),)}, "a lock lies before the start"),
        ({"end_s": 20.0, "locks": ((25, 28),)}, "a lock lies after the end"),
        ({"start_s": 5.0, "end_s": 30.0, "target_s": 40.0}, "the nearest lengths are"),
    ],
)
def test_a_wish_that_can_not_be_met_is_refused_with_its_reason(
    make_track: MakeTrack, wishes: dict[str, object], says: str
) -> None:
    track = make_track(np.random.default_rng(0), 90, share=0.05)
    with pytest.raises(RequestError, match=says):
        PlannerEditor().edit(track, EditRequest(**wishes))


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"locks": ((5, 5),)}, "range 5 s to 5 s"),
        ({"bans": ((-1, 5),)}, "range -1 s to 5 s"),
        ({"start_s": -1.0}, "time -1.0"),
        ({"order": "backward"}, "order 'backward'"),
        ({"count": 0}, "ask for at least one"),
    ],
)
def test_wishes_without_meaning_are_refused(wishes: dict[str, object], says: str) -> None:
    with pytest.raises(RequestError, match=says):
        EditRequest(**wishes)
