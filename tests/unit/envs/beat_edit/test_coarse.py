"""The coarse view of beat editing: its map both ways, and that a table learns what there is to learn."""

from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END, KEEP, N_ACTIONS, Kind, column_of
from rl_editor.edits.request import EditRequest
from rl_editor.envs.base import random_legal
from rl_editor.envs.beat_edit.coarse import ACTIONS, N_STATES, Coarse, make_coarse
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances, draw_requests, make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.rl.q_table import QTable, QTableConfig, Transitions

MakeTrack = Callable[..., Track]
seeds = st.integers(0, 2**31 - 1)
PAID = RewardConfig()


def some_instances(make_track: MakeTrack, seed: int, *lengths: int) -> Instances:
    rng = np.random.default_rng(seed)
    tracks = [make_track(rng, n_beats) for n_beats in lengths]
    return make_instances(tracks, draw_requests(tracks, 12, rng, InstanceConfig()), PAID)


def under_way(make_track: MakeTrack, seed: int) -> tuple[BeatEditEnv, Coarse]:
    """Edits that random play has brought to some place."""
    made = some_instances(make_track, seed, 30, 50)
    env, generator = BeatEditEnv(made, 16, PAID), torch.Generator().manual_seed(seed)
    _, mask = env.reset(seed)
    for _ in range(seed % 40):
        mask = env.step(random_legal(mask, generator)).mask
    return env, make_coarse(made)


def coarse_action(env: BeatEditEnv, action: Tensor) -> Tensor:
    """What each action is coarsely, the landing being the best of its kind or not, (N,)."""
    kind = env.landings().kind.gather(1, column_of(action).clamp(min=0)[:, None])[:, 0]
    names = ["keep" if one == KEEP else "end" if one == END else "" for one in action.tolist()]
    named = [name or Kind(max(int(own), 0)).name.lower() for name, own in zip(names, kind, strict=True)]
    return torch.tensor([ACTIONS.index(name) for name in named])


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_each_coarse_action_stands_for_a_legal_one_that_is_just_that_coarsely(make_track: MakeTrack, seed: int) -> None:
    env, coarse = under_way(make_track, seed)
    options = coarse.options(env)
    assert options.shape == (env.n_envs, len(ACTIONS))
    assert (options >= 0).any(dim=1).all()
    for number in range(len(ACTIONS)):
        can = options[:, number] >= 0
        action = torch.where(can, options[:, number], KEEP)
        assert env.mask.gather(1, action[:, None])[can].all()
        assert (coarse_action(env, action)[can] == number).all()


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_every_legal_action_has_a_coarse_one_whose_landing_is_no_worse(make_track: MakeTrack, seed: int) -> None:
    env, coarse = under_way(make_track, seed)
    options, landings = coarse.options(env), env.landings()
    recording, playhead = env.instances.track[env.state.track], env.state.playhead
    for action in range(N_ACTIONS):
        number = coarse_action(env, torch.full((env.n_envs,), action))
        for row in env.mask[:, action].nonzero()[:, 0].tolist():
            best = int(options[row, number[row]])
            assert best >= 0
            if action in {KEEP, END}:
                assert best == action
                continue
            columns = [column_of(best), column_of(action)]
            kinds = [Kind(int(landings.kind[row, column])) for column in columns]
            assert kinds[0] == kinds[1]
            track = env.instances.tracks[int(recording[row])]
            best_score, score = track.landings.score[int(playhead[row]), columns]
            assert best_score <= score


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_states_are_cells_of_the_grid(make_track: MakeTrack, seed: int) -> None:
    env, coarse = under_way(make_track, seed)
    state = coarse.state(env)
    assert state.shape == (env.n_envs,)
    assert state.min() >= 0
    assert state.max() < N_STATES


def test_a_landing_whose_beat_is_still_to_be_kept_is_a_state_of_its_own(make_track: MakeTrack) -> None:
    env = BeatEditEnv(some_instances(make_track, 3, 40), 8, PAID)
    coarse, generator = make_coarse(env.instances), torch.Generator().manual_seed(0)
    _, mask = env.reset(0)
    stages = set()
    for _ in range(100):
        stage = coarse.state(env) // (N_STATES // 3)
        assert torch.equal(stage == 2, env.state.must_keep)
        assert torch.equal(stage == 0, (env.state.furthest < 0) & ~env.state.must_keep)
        stages |= set(stage.tolist())
        mask = env.step(random_legal(mask, generator)).mask
    assert stages == {0, 1, 2}


def test_louder_music_is_seen_alike(make_track: MakeTrack) -> None:
    made = some_instances(make_track, 5, 40)
    louder = [replace(track, level_db=track.level_db + 10.0) for track in made.tracks]
    one, other = make_coarse(made), make_coarse(replace(made, tracks=tuple(louder)))
    assert torch.equal(one.energy, other.energy)


def exact_state(env: BeatEditEnv) -> list[Hashable]:
    """All that what follows depends on where nothing may be repeated or change places."""
    columns = (env.state.playhead, env.state.must_keep, env.state.furthest, env.state.samples)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def reached(made: Instances, prefixes: Tensor) -> BeatEditEnv:
    """Edits after the actions of each row, none of which ends it."""
    env = BeatEditEnv(made, len(prefixes), PAID)
    env.start(torch.zeros(len(prefixes), dtype=torch.int64))
    for action in prefixes.T:
        env.step(action)
    return env


def best_return(made: Instances) -> tuple[float, int]:
    """What the best edit returns, by value iteration over all states that can be reached, and how many those are."""
    found: dict[Hashable, int] = {}
    edges: list[tuple[Hashable, float, Hashable | None]] = []
    prefixes = torch.zeros(1, 0, dtype=torch.int64)
    while len(prefixes):
        env = reached(made, prefixes)
        states, mask = exact_state(env), env.mask
        rows, actions = mask.nonzero().T
        tried = torch.cat([prefixes[rows], actions[:, None]], dim=1)
        env = reached(made, tried[:, :-1])
        ends = actions == END
        reward = env.step(actions).reward.double()
        after, further = exact_state(env), []
        for k, row in enumerate(rows.tolist()):
            edges.append((states[row], float(reward[k]), None if ends[k] else after[k]))
            if not ends[k] and after[k] not in found:
                found[after[k]] = len(found)
                further.append(k)
        prefixes = tried[further]
    value = dict.fromkeys((state for state, _, _ in edges), -np.inf)
    before = None
    while value != before:
        before = dict(value)
        for state, paid, following in edges:
            value[state] = max(value[state], paid + (0.0 if following is None else value[following]))
    return value[edges[0][0]], len(value)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_with_exact_states_the_table_finds_the_best_edit_there_is(make_track: MakeTrack, seed: int) -> None:
    track = make_track(np.random.default_rng(seed), 12, share=0.08)
    made = make_instances([track], [(0, EditRequest(keep=0.6))], PAID)
    best, n_states = best_return(made)
    numbers: dict[Hashable, int] = {}

    def number(env: BeatEditEnv) -> Tensor:
        return torch.tensor([numbers.setdefault(state, len(numbers)) for state in exact_state(env)])

    env, generator = BeatEditEnv(made, 64, PAID), torch.Generator().manual_seed(seed)
    table = QTable(n_states, N_ACTIONS, QTableConfig(decay=0.0))
    _, mask = env.reset(seed)
    state = number(env)
    for _ in range(600):
        action = table.explore(state, mask, 0.5, generator)
        after = env.step(action)
        following = number(env)
        table.update(Transitions(state, action, after.reward, following, after.mask, after.done))
        state, mask = following, after.mask
    beginning = torch.tensor([0])
    assert n_states > 30
    assert len(numbers) == n_states
    learned = table.value[beginning][table.visits[beginning] > 0]
    assert float(learned.max()) == pytest.approx(best, abs=1e-5)
    returned, done = 0.0, False
    env = BeatEditEnv(made, 1, PAID)
    _, mask = env.start(torch.tensor([0]))
    while not done:
        after = env.step(table.greedy(number(env), mask))
        returned, done, mask = returned + float(after.reward), bool(after.done), after.mask
    assert returned == pytest.approx(best, abs=1e-5)
