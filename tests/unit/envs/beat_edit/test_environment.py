"""Beat editing as an environment: its lengths, its reward, and that it agrees with what edits and plans elsewhere."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.edits import content
from rl_editor.edits.actions import END, KEEP, Places, State, advance, begin
from rl_editor.edits.crossings import landings_of
from rl_editor.edits.demonstration import decode, replay
from rl_editor.edits.edl import EDL, Maker, merged
from rl_editor.edits.graph import PlannerConfig, Rules, build_graph
from rl_editor.edits.planner import Problem
from rl_editor.edits.planner import decode as planner_edit
from rl_editor.edits.request import EditRequest
from rl_editor.edits.search import search
from rl_editor.edits.wishes import resolve
from rl_editor.edits.worth import Prices
from rl_editor.envs.base import check_env, random_legal
from rl_editor.envs.beat_edit.edit_terms import terms_of
from rl_editor.envs.beat_edit.environment import BeatEditEnv, Finished
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances, draw_instances, draw_requests, make_instances
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.errors import EnvError, RequestError

MakeTrack = Callable[..., Track]
seeds = st.integers(0, 2**32 - 1)
NAMES = tuple("ABCABCDEABCFGHABCABCDEABC")


def songs(make_track: MakeTrack, seed: int, *lengths: int) -> list[Track]:
    """Recordings with sections, talk and an unsteady tempo."""
    rng = np.random.default_rng(seed)
    made = []
    for n_beats in lengths:
        activity = np.full(n_beats, Activity.MUSIC, dtype=np.int8)
        activity[: n_beats // 10] = Activity.TALK
        track = make_track(rng, n_beats, activity=activity)
        section = np.arange(n_beats) // 16
        tempo = rng.uniform(90, 130, n_beats).astype(np.float32)
        made.append(replace(track, section=section, section_labels=NAMES[: section[-1] + 1], tempo_bpm=tempo))
    return made


def instances(tracks: list[Track], seed: int, count: int = 20, config: RewardConfig | None = None) -> Instances:
    asked = draw_requests(tracks, count, np.random.default_rng(seed), InstanceConfig())
    return make_instances(tracks, asked, config or RewardConfig())


def episodes(env: BeatEditEnv, seed: int, steps: int) -> list[tuple[int, np.ndarray, float, np.ndarray, int]]:
    """Random legal play: of each finished episode its instance, actions, return, terms and samples played."""
    generator = torch.Generator().manual_seed(seed)
    _, mask = env.reset(seed)
    returns, found = torch.zeros(env.n_envs, dtype=torch.float64), []
    for _ in range(steps):
        action = random_legal(mask, generator)
        ends = (action == END).nonzero()[:, 0]
        edits, played = env.finished(ends), env.state.samples[ends]
        after = env.step(action)
        returns += after.reward
        for k, row in enumerate(ends.tolist()):
            actions = edits.actions[k][edits.actions[k] >= 0].numpy()
            terms = env.last_terms[row].numpy().copy()
            found.append((int(edits.instance[k]), np.append(actions, END), float(returns[row]), terms, int(played[k])))
            returns[row] = 0.0
        mask = after.mask
    return found


def as_edl(made: Instances, number: int, actions: np.ndarray) -> EDL:
    track = made.track_of(number)
    target_s = int(made.target[number]) / track.source.sample_rate
    return replay(actions, track, maker=Maker("test"), target_s=target_s)


def test_it_keeps_the_contract(make_track: MakeTrack) -> None:
    check_env(BeatEditEnv(instances(songs(make_track, 0, 40, 70), 0), 8), steps=150)


def test_from_a_state_it_goes_on_as_it_would_have(make_track: MakeTrack) -> None:
    made = instances(songs(make_track, 0, 40, 70), 0)
    env, other = BeatEditEnv(made, 8), BeatEditEnv(made, 8)
    generator = torch.Generator().manual_seed(0)
    _, mask = env.reset(0)
    for _ in range(60):
        mask = env.step(random_legal(mask, generator)).mask
    state, seen = env.state_dict(), []
    actions = []
    for _ in range(60):
        actions.append(random_legal(mask, generator))
        seen.append(env.step(actions[-1]))
        mask = seen[-1].mask
    for _ in range(2):  # a second time too: nothing that was played has changed the state
        other.load_state_dict(state)
        for action, expected in zip(actions, seen, strict=True):
            found = other.step(action)
            assert all(torch.equal(*pair) for pair in zip(found.observation, expected.observation, strict=True))
            assert torch.equal(found.mask, expected.mask)
            assert torch.equal(found.reward, expected.reward)
    with pytest.raises(EnvError, match="another number of episodes, or of other recordings"):
        BeatEditEnv(made, 4).load_state_dict(state)


def test_every_episode_ends_within_the_window_and_has_the_length_of_its_edit(make_track: MakeTrack) -> None:
    made = instances(songs(make_track, 1, 50, 90, 130), 1, 60)
    found = episodes(BeatEditEnv(made, 16), 1, 500)
    assert len(found) > 50
    for number, actions, _, _, played in found:
        edl = as_edl(made, number, actions)
        assert edl.n_samples == played
        assert abs(played - int(made.target[number])) <= int(made.rules.window[made.row[number]])


@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_what_is_paid_is_what_the_finished_edit_is_worth(make_track: MakeTrack, seed: int) -> None:
    config = RewardConfig()
    lengths = (40, 60, 400)  # the longest has room for more sections than there are in some of its edits
    made = instances(songs(make_track, seed, *lengths), seed, 12, config)
    for number, actions, returned, terms, _ in episodes(BeatEditEnv(made, 4, config), seed, 300):
        edl = as_edl(made, number, actions)
        worth = terms_of(edl, made.track_of(number), config)
        np.testing.assert_allclose(terms, worth, rtol=1e-9, atol=1e-9, err_msg=str(TERMS))
        paid = (sum(worth) - float(made.baseline[number])) / (edl.target_s or 1.0)
        assert returned == pytest.approx(paid, rel=1e-4, abs=1e-3)


def test_paid_at_the_end_is_what_is_paid_as_it_comes(make_track: MakeTrack) -> None:
    tracks = songs(make_track, 2, 40, 60)
    returns = []
    for dense in (True, False):
        config = RewardConfig(dense=dense)
        found = episodes(BeatEditEnv(instances(tracks, 2, 12, config), 4, config), 2, 150)
        returns.append([(number, round(value, 2)) for number, _, value, _, _ in found])
    assert returns[0] == returns[1]


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_a_batch_is_its_episodes_one_by_one(make_track: MakeTrack, seed: int) -> None:
    made = instances(songs(make_track, seed, 40, 60), seed, 6)
    which = torch.arange(6)
    together, generator = BeatEditEnv(made, 6), torch.Generator().manual_seed(seed % 2**31)
    alone = [BeatEditEnv(made, 1) for _ in range(6)]
    observed, mask = together.start(which)
    singles = [env.start(which[k : k + 1]) for k, env in enumerate(alone)]
    running = torch.ones(6, dtype=torch.bool)
    for _ in range(200):
        for k in running.nonzero()[:, 0].tolist():
            for whole, own in zip((*observed, mask), (*singles[k][0], singles[k][1]), strict=True):
                assert torch.equal(whole[k : k + 1], own)
        action = random_legal(mask, generator)
        after = together.step(action)
        for k in running.nonzero()[:, 0].tolist():
            single = alone[k].step(action[k : k + 1])
            assert torch.equal(single.reward, after.reward[k : k + 1])
            assert torch.equal(single.terminated, after.terminated[k : k + 1])
            singles[k] = (single.observation, single.mask)
        running &= ~after.terminated
        observed, mask = after.observation, after.mask
        if not running.any():
            return
    raise AssertionError("an episode that does not end")


@settings(max_examples=15, deadline=None)
@given(seed=seeds, keep=st.floats(0.2, 0.9))
def test_the_planners_optimum_costs_the_same_when_it_is_stepped(make_track: MakeTrack, seed: int, keep: float) -> None:
    track = songs(make_track, seed, 120)[0]
    request, config = EditRequest(keep=keep), PlannerConfig(RewardConfig().prices)
    wishes, score = resolve(track, request), content.rules(track, superseded=RewardConfig().superseded)
    landings = landings_of(track, wishes, crossings=False)
    surcharge = np.zeros(len(landings.leave), dtype=np.float32)
    problem = Problem(track, score, wishes, request, config, landings, surcharge)
    graph = build_graph(track, score, landings, config, wishes, Rules(unit=100, shortest_run=8, backward=False))
    found = search(graph, int(keep * track.bounds[-1] / 100) + 10)
    lengths = np.flatnonzero(np.isfinite(found.best_value))
    units = int(lengths[-1])
    planned, _ = planner_edit(problem, found, units)
    decoded = decode(planned, track)
    assert (decoded.outside.beat < 0).all()
    target = EditRequest(target_s=planned.duration_s)
    env = BeatEditEnv(make_instances([track], [(0, target)], RewardConfig()), 1)
    env.start(torch.zeros(1, dtype=torch.int64))
    for action in decoded.actions.tolist():
        assert env.mask[0, action]
        env.step(torch.tensor([action]))
    paid = dict(zip(TERMS, env.last_terms[0].tolist(), strict=True))
    cost = paid["content"] + paid["seam"] + paid["start"] + paid["ending"]
    assert cost == pytest.approx(float(found.best_value[units]), rel=1e-6, abs=1e-9)
    assert paid["fade"] == paid["repetition"] == 0.0
    stepped = replay(decoded.actions, track, maker=planned.maker)
    assert [(s.start, s.end, s.fade) for s in stepped.segments] == [
        (s.start, s.end, s.fade) for s in merged(planned.segments)
    ]


def test_a_request_without_an_edit_is_refused_with_the_nearest_lengths(make_track: MakeTrack) -> None:
    track = songs(make_track, 5, 60)[0]
    none = replace(track, landings=replace(track.landings, beat=np.full_like(track.landings.beat, -1)))
    with pytest.raises(RequestError, match="nearest lengths are"):
        make_instances([none], [(0, EditRequest(keep=1.4))], RewardConfig())
    with pytest.raises(RequestError, match="needs a length"):
        make_instances([track], [(0, EditRequest())], RewardConfig())


def test_drawn_requests_that_no_edit_meets_are_left_out(make_track: MakeTrack) -> None:
    track = songs(make_track, 5, 60)[0]
    none = replace(track, landings=replace(track.landings, beat=np.full_like(track.landings.beat, -1)))
    made = draw_instances([none], 40, np.random.default_rng(0), InstanceConfig(), RewardConfig())
    assert 0 < len(made) < 40
    assert float(made.target.max()) <= none.source.n_samples + 1000
    with pytest.raises(RequestError, match="nearest lengths are"):
        draw_instances([none], 5, np.random.default_rng(0), InstanceConfig(shortest=1.4), RewardConfig())


def test_an_illegal_action_becomes_a_legal_one_and_is_counted(make_track: MakeTrack) -> None:
    env = BeatEditEnv(instances(songs(make_track, 6, 40), 6), 1)
    env.reset(0)
    illegal = int((~env.mask[0]).nonzero()[0])
    lowest = int(env.mask[0].nonzero()[0])
    other = BeatEditEnv(env.instances, 1)
    other.reset(0)
    assert torch.equal(other.mask, env.mask)
    one, two = env.step(torch.tensor([illegal])), other.step(torch.tensor([lowest]))
    assert bool(one.illegal)
    assert not bool(two.illegal)
    assert torch.equal(one.observation.scalars, two.observation.scalars)
    assert int(env.illegal) == 1


def test_a_learned_score_is_added_and_a_rating_is_the_return(make_track: MakeTrack) -> None:
    made = instances(songs(make_track, 7, 40), 7)
    seen: list[Finished] = []

    def learned(edits: Finished) -> torch.Tensor:
        seen.append(edits)
        return (edits.actions >= 0).sum(dim=1).float()

    def rated(edits: Finished) -> torch.Tensor:
        return torch.where(edits.instance % 2 == 0, 7.0, torch.nan)

    plain = episodes(BeatEditEnv(made, 3), 0, 150)
    config = RewardConfig(learned=0.5)
    scored = episodes(BeatEditEnv(made, 3, config, learned=learned), 0, 150)
    for (_, actions, value, _, _), (_, _, with_score, _, _) in zip(plain, scored, strict=True):
        assert with_score - value == pytest.approx(0.5 * len(actions), abs=1e-3)
    by_hand = episodes(BeatEditEnv(made, 3, rated=rated), 0, 150)
    assert {number % 2 for number, *_ in by_hand} == {0, 1}
    for (number, _, value, _, _), (_, _, plain_value, _, _) in zip(by_hand, plain, strict=True):
        assert value == pytest.approx(7.0 if number % 2 == 0 else plain_value, abs=1e-3)


@pytest.mark.parametrize("half", [0, 1])
def test_a_step_to_a_place_outside_the_table_is_an_advance_to_it(make_track: MakeTrack, half: int) -> None:
    """Legal or not: of three edits only the first two are taken outside, the third goes where its landing leads."""
    track = make_track(np.random.default_rng(0), 40)
    made = make_instances([track], [(0, EditRequest(keep=0.9))], RewardConfig())
    env, tables = BeatEditEnv(made, 3), made.rules.tables
    env.start(torch.zeros(3, dtype=torch.int64))
    state = begin(tables, made.row[torch.zeros(3, dtype=torch.int64)])
    keeps = torch.full((3,), KEEP)
    for _ in range(5):
        env.step(keeps)
        state = advance(tables, state, keeps)
    illegal = int((~env.mask[1, 2:]).nonzero()[0]) + 2
    legal = int(env.mask[2, 2:].nonzero()[0]) + 2
    action = torch.tensor([legal, illegal, legal])
    start = torch.tensor([int(track.bounds[12]) + 5, int(track.bounds[3]) + 20, -1])
    places = Places(torch.tensor([12, 3, -1]), torch.tensor([half, half, -1]), start)
    after, expected = env.step(action, places), advance(tables, state, action, places)
    for field in fields(State):
        assert torch.equal(getattr(env.state, field.name), getattr(expected, field.name)), field.name
    assert not after.illegal.any()
    assert after.observation.playhead.tolist()[:2] == [12 + half, 3 + half]
    assert torch.equal(env.left, env.asked.target - expected.samples)
    assert env.finished(torch.arange(3)).actions[:, 5].tolist() == action.tolist()


def test_a_score_that_is_not_known_adds_nothing(make_track: MakeTrack) -> None:
    made = instances(songs(make_track, 7, 40), 7)
    plain = episodes(BeatEditEnv(made, 3), 0, 100)
    unknown = episodes(
        BeatEditEnv(made, 3, learned=lambda edits: torch.full((len(edits.instance),), torch.nan)), 0, 100
    )
    assert [value for _, _, value, _, _ in plain] == [value for _, _, value, _, _ in unknown]


@pytest.mark.parametrize("wrong", [1.0, np.zeros(1), torch.zeros(1, 1), torch.zeros(1, dtype=torch.int64)])
@pytest.mark.parametrize("judge", ["learned", "rated"])
def test_a_judge_that_gives_no_number_for_each_edit_is_told(make_track: MakeTrack, wrong: object, judge: str) -> None:
    made = instances(songs(make_track, 7, 40), 7)
    env = BeatEditEnv(made, 1, **{judge: lambda _: wrong})
    with pytest.raises(EnvError, match="must be a tensor of 1 floating-point numbers"):
        episodes(env, 0, 200)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: InstanceConfig(shortest=2.0, longest=1.0), "longest no shorter"),
        (lambda: InstanceConfig(shortest=0.0), "above 0"),
        (lambda: InstanceConfig(slack_s=float("nan")), "slack_s nan"),
        (lambda: InstanceConfig(free=1.5), "from 0 to 1"),
        (lambda: RewardConfig(order_s=-1.0), "order_s -1.0"),
        (lambda: RewardConfig(learned=float("inf")), "learned inf"),
        (lambda: RewardConfig(superseded=2.0), "from 0 to 1"),
        (lambda: RewardConfig(prices=3.0), "must be Prices"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_mean_nothing_are_refused(make: Callable[[], object], told: str) -> None:
    with pytest.raises(EnvError, match=told):
        make()


def test_prices_that_mean_nothing_are_refused() -> None:
    for wrong in ({"seam_s": -1.0}, {"repeat": float("nan")}, {"bad_s": 0.0}):
        with pytest.raises(RequestError, match=f"price {next(iter(wrong))}"):
            Prices(**wrong)


def test_there_is_at_least_one_environment(make_track: MakeTrack) -> None:
    with pytest.raises(EnvError, match="at least 1"):
        BeatEditEnv(instances(songs(make_track, 7, 40), 7), 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_the_same_is_played(make_track: MakeTrack) -> None:
    tracks, config = songs(make_track, 8, 40, 70), RewardConfig()
    here, there = (
        BeatEditEnv(draw_instances(tracks, 12, np.random.default_rng(0), InstanceConfig(), config, device=device), 12)
        for device in ("cpu", "cuda")
    )
    check_env(there, steps=150)
    generator = torch.Generator().manual_seed(0)
    (_, mask), (_, mirrored) = (env.start(torch.arange(12, device=env.device)) for env in (here, there))
    running = torch.ones(12, dtype=torch.bool)
    while running.any():
        assert torch.equal(mask[running], mirrored.cpu()[running])
        action = random_legal(mask, generator)
        after, other = here.step(action), there.step(action.cuda())
        np.testing.assert_allclose(other.reward.cpu()[running], after.reward[running], atol=1e-4)
        running &= ~after.done
        mask, mirrored = after.mask, other.mask
