from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END
from rl_editor.edits.demonstration import Outside, replay
from rl_editor.edits.length import exactly
from rl_editor.edits.request import EditRequest
from rl_editor.edits.wishes import resolve
from rl_editor.envs.beat_edit.gymnasium_env import BeatEdit
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.played import MAKER, edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import EnvError

seeds = st.integers(0, 2**32 - 1)
MakeTrack = Callable[..., Track]


def play(env: BeatEdit, rng: np.random.Generator) -> list[int]:
    actions = list[int]()
    while not actions or not env._episodes.ended[0]:
        actions.append(int(rng.choice(np.flatnonzero(env.action_masks()))))
        env.step(np.int64(actions[-1]))
    return actions


@settings(max_examples=25, deadline=None)
@given(seed=seeds, slack_s=st.sampled_from([0.0, 0.1, 1.0]), free=st.booleans())
def test_the_edit_is_the_replay_of_the_actions_met_to_the_slack(
    make_track: MakeTrack, seed: int, slack_s: float, free: bool
) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 30)
    request = EditRequest(keep=0.5, slack_s=slack_s, order="free" if free else "forward")
    env = BeatEdit(tracks=[track], requests=[request])
    env.reset(seed=seed)
    actions = play(env, rng)
    edl, target_s = env.edl(), 0.5 * track.source.duration_s
    replayed = replay(np.array(actions), track, maker=MAKER, target_s=target_s)
    met = exactly(replayed, resolve(track, request), track, slack_s=slack_s)
    assert edl == (replayed if met is None else met)
    event("as played" if met == replayed else "not to be met" if met is None else "moved to its length")
    assert env._episodes.info(0)["length_met"] == (met is not None)
    if met is not None:
        assert abs(edl.n_samples - round(target_s * 1000)) <= slack_s * 1000


def test_lengths_are_met_to_the_sample_but_where_neither_end_can_be_moved_and_that_is_told(
    make_track: MakeTrack,
) -> None:
    rng, unmet = np.random.default_rng(0), 0
    track = make_track(rng, 40)
    half_s = float(np.diff(track.bounds_s).max()) / 2 + 0.1
    env = BeatEdit(tracks=[track], requests=[EditRequest(keep=keep, slack_s=0.0) for keep in (0.2, 0.4, 0.7)])
    for number in range(60):
        env.reset(seed=0, options={"instance": number % 3})
        play(env, rng)
        edl = env.edl()
        off_s = abs(edl.duration_s - (edl.target_s or 0.0))
        assert env._episodes.info(0)["length_met"] == (off_s <= 0.0005)
        assert off_s <= half_s
        if off_s > 0.0005:  # it begins where the recording does and ends where that ends
            unmet += 1
            assert (edl.segments[0].start, edl.segments[-1].end) == (0, track.source.n_samples)
    assert 0 < unmet <= 12


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_what_was_played_so_far_is_as_long_as_the_environment_counts(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 30)
    env = BeatEdit(tracks=[track], requests=[EditRequest(keep=0.7)])
    env.reset(seed=seed)
    inner, before = env._episodes._env, None
    for _ in range(20):
        env.step(rng.choice(np.flatnonzero(env.action_masks())))
        if env._episodes.ended[0]:
            break
        if not bool(inner.state.must_keep[0]):
            before = env.edl()
            assert before.n_samples == int(inner.state.samples[0])
        elif before is not None:
            assert env.edl() == before  # a landing whose beat was not played yet plays nothing


def test_a_start_that_is_asked_for_is_where_the_edit_begins(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 30)
    request = EditRequest(target_s=5.0, start_s=float(track.bounds_s[7]))
    env = BeatEdit(tracks=[track], requests=[request])
    env.reset(seed=0)
    actions = play(env, np.random.default_rng(1))
    assert actions[-1] == END
    assert abs(env.edl().segments[0].start - track.bounds[7]) <= 350  # moved for its length by half a beat at most
    made = make_instances([track], [(0, request)], RewardConfig())
    assert edit_of(made, 0, np.array(actions[:1])).segments[0].start == track.bounds[7]


@pytest.mark.parametrize("begin", [0, 1, 7])
def test_from_a_start_that_is_asked_for_it_goes_on_as_the_replay_does(make_track: MakeTrack, begin: int) -> None:
    track = make_track(np.random.default_rng(0), 40)
    request = EditRequest(keep=0.5, start_s=float(track.bounds_s[begin]), order="free", slack_s=0.0)
    env, joins = BeatEdit(tracks=[track], requests=[request]), 0
    for seed in range(10):
        env.reset(seed=seed)
        actions = np.array([2, *play(env, np.random.default_rng(seed))])
        landed = Outside(
            *(np.append(value, np.full(len(actions) - 1, -1)) for value in (begin, 0, track.bounds[begin]))
        )
        replayed = replay(actions, track, landed, maker=MAKER, target_s=0.5 * track.source.duration_s)
        met = exactly(replayed, resolve(track, request), track, slack_s=0.0)
        assert env.edl() == (replayed if met is None else met)
        joins += len(replayed.joins)
    assert joins >= 5


def test_maker_of_an_edit_is_told(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 30)
    made = make_instances([track], [(0, EditRequest(keep=0.5))], RewardConfig())
    assert edit_of(made, 0, np.array([0, 0])).maker == MAKER
    with pytest.raises(EnvError, match="nothing was played"):
        edit_of(made, 0, np.array([], dtype=np.int64))
