from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError

seeds = st.integers(0, 2**32 - 1)
MakeTrack = Callable[..., Track]


def plays(edl: EDL) -> np.ndarray:
    """How often each sample of the source is played."""
    count = np.zeros(edl.source.n_samples + 1, dtype=int)
    for segment in edl.segments:
        count[segment.start] += 1
        count[segment.end] -= 1
    return np.cumsum(count)[:-1]


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.1, 2.5), st.sampled_from([0.2, 0.5, 1.0, 3.0]))
def test_the_length_in_samples_is_within_the_slack_or_the_request_is_refused(
    make_track: MakeTrack, seed: int, keep: float, slack_s: float
) -> None:
    track = make_track(np.random.default_rng(seed), 80)
    request = EditRequest(keep=keep, slack_s=slack_s)
    try:
        edl = PlannerEditor().edit(track, request)[0]
    except RequestError:
        assert slack_s < 1.0  # beats of half a second leave no length unmet by more
        return
    assert abs(edl.duration_s - keep * track.source.duration_s) <= slack_s
    assert edl.n_samples == sum(len(segment) for segment in edl.segments)


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.1, 0.9))
def test_nothing_is_played_twice_when_there_is_enough_music(make_track: MakeTrack, seed: int, keep: float) -> None:
    track = make_track(np.random.default_rng(seed), 80)
    edl = PlannerEditor().edit(track, EditRequest(keep=keep))[0]
    starts = [segment.start for segment in edl.segments]
    assert starts == sorted(starts)
    # an aligned landing may begin some milliseconds before the beat it belongs to
    assert (plays(edl) > 1).sum() <= 12 * len(edl.joins)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_without_a_target_what_is_not_music_is_left_out(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    activity = np.full(120, Activity.MUSIC, dtype=np.int8)
    activity[:20], activity[100:] = Activity.TALK, Activity.SILENCE
    track = make_track(rng, 120, activity=activity, share=0.0)
    beginnings = track.landings.beat
    beginnings[0, 0] = 20
    edl = PlannerEditor().edit(track, EditRequest())[0]
    assert [(s.start, s.end) for s in edl.segments] == [(track.bounds[20], track.bounds[100])]
    assert edl.target_s is None


def test_a_recording_without_music_is_refused(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 30, activity=np.full(30, Activity.TALK, dtype=np.int8))
    with pytest.raises(RequestError, match="no music was found"):
        PlannerEditor().edit(track, EditRequest(keep=0.5))


def test_an_impossible_length_is_refused_with_the_longest(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 60)
    with pytest.raises(RequestError, match=r"can't be made 3:00:00 long; the longest edit is [12]:\d\d"):
        PlannerEditor().edit(track, EditRequest(target_s=3 * 3600))


def test_the_same_request_gives_the_same_edit(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(3), 200)
    first, second = (PlannerEditor().edit(track, EditRequest(keep=0.35))[0] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"keep": 0.0}, "share to keep 0.0"),
        ({"target_s": -1.0}, "length -1.0"),
        ({"target_s": float("nan")}, "length nan"),
        ({"slack_s": -0.1}, "slack -0.1"),
        ({"keep": 0.5, "target_s": 10.0}, "not both"),
    ],
)
def test_wishes_without_meaning_are_refused(wishes: dict[str, float], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        EditRequest(**wishes)
