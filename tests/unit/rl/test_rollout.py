"""Rollouts: what is kept of play, where it goes on, and what it leaves alone."""

from typing import Any

import gymnasium
import pytest
import torch
from torch import Tensor

from rl_editor.envs.base import check_env
from rl_editor.envs.gymnasium_adapter import GymnasiumEnv, Numbers
from rl_editor.rl.actor_critic import ActorCritic, MlpActorCritic
from rl_editor.rl.masked import masked_log_probs
from rl_editor.rl.rollout import Player, Rollout, best_play

from .walks import At, Rewriting, Walk


class Counting(ActorCritic[At]):
    """Values are the place's number plus a number prepared; the actor takes the lowest legal action."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.dropout = torch.nn.Dropout(0.5)
        self.prepared = 0

    def prepare(self) -> float:
        self.prepared += 1
        return 100.0

    def forward(self, context: float, observation: At, mask: Tensor) -> tuple[Tensor, Tensor]:
        assert mask.any(dim=1).all()
        value = observation.place @ torch.arange(7.0) + context
        return masked_log_probs(torch.tensor([50.0, 0.0, -50.0]).expand(len(mask), 3), mask), self.dropout(value)


def player_of(env: Walk, seed: int = 0) -> Player[At]:
    player: Player[At] = Player(env, torch.Generator().manual_seed(seed))
    player.begin(seed)
    return player


def network(seed: int = 0) -> MlpActorCritic:
    torch.manual_seed(seed)
    return MlpActorCritic(Walk().reset(0)[0], 3, width=8)


def flat(rollout: Rollout[Any]) -> list[Tensor]:
    return [*rollout.observation, *rollout[1:]]


def test_the_environments_of_these_tests_keep_the_contract() -> None:
    for env in (Walk(), Walk(limit=2), Rewriting()):
        check_env(env)


def test_each_step_keeps_the_mask_it_was_chosen_from_and_its_log_probability() -> None:
    actor = network()
    rollout, _ = player_of(Walk(limit=3)).collect(actor, 20)
    assert rollout.mask.gather(2, rollout.action[..., None]).all()
    for t in range(20):
        log_probs, value = actor(None, At(rollout.observation.place[t]), rollout.mask[t])
        assert torch.equal(log_probs.gather(1, rollout.action[t][:, None])[:, 0], rollout.log_prob[t])
        assert torch.equal(value, rollout.value[t])


def test_after_a_step_comes_the_next_situation_or_what_a_broken_off_episode_would_have_gone_on_from() -> None:
    # one step a time from 1, 2 or 3: broken off after two, at 3, 4 or 5, unless the end was reached
    rollout, _ = player_of(Walk(limit=2), seed=3).collect(Counting(), 12)
    place = rollout.observation.place.argmax(dim=2)
    assert rollout.truncated.any()
    assert not rollout.terminated.any()
    assert torch.equal(rollout.following, place + 1.0 + 100.0)
    assert torch.equal(rollout.following[:-1][~rollout.truncated[:-1]], rollout.value[1:][~rollout.truncated[:-1]])
    assert not torch.equal(rollout.following[:-1][rollout.truncated[:-1]], rollout.value[1:][rollout.truncated[:-1]])


def test_a_pole_that_stands_when_time_is_up_is_worth_what_its_last_situation_is() -> None:
    env = GymnasiumEnv("CartPole-v1", n_envs=2, settings={"max_episode_steps": 5})
    torch.manual_seed(0)
    actor = MlpActorCritic(env.reset(0)[0], env.n_actions, width=8)
    player = Player(env, torch.Generator().manual_seed(0))
    player.begin(7)
    rollout, ended = player.collect(actor, 6)
    assert rollout.truncated.any(dim=1).tolist() == [False] * 4 + [True, False]
    assert not rollout.terminated.any()
    assert ended.returned.tolist() == [5.0, 5.0]
    for row in range(2):
        pole = gymnasium.make("CartPole-v1")  # without that limit
        pole.reset(seed=7 + row)
        for t in range(5):
            seen = pole.step(int(rollout.action[t, row]))[0]
        value = actor(None, Numbers(torch.from_numpy(seen)[None]), torch.ones(1, 2, dtype=torch.bool))[1]
        torch.testing.assert_close(rollout.following[4, row], value[0])
        assert not torch.isclose(rollout.following[4, row], rollout.value[5, row])


def test_episodes_go_on_from_rollout_to_rollout() -> None:
    whole, parts, actor = player_of(Walk()), player_of(Walk()), network()
    expected, all_ended = whole.collect(actor, 12)
    (first, some), (second, others) = parts.collect(actor, 7), parts.collect(actor, 5)
    for one, two, three in zip(flat(expected), flat(first), flat(second), strict=True):
        assert torch.equal(one, torch.cat([two, three]))
    assert torch.equal(all_ended.returned, torch.cat([some.returned, others.returned]))
    assert torch.equal(all_ended.length, torch.cat([some.length, others.length]))


def test_episodes_that_ended_are_told_once_with_their_whole_return() -> None:
    # by ones to the end at 6, half a point lost each time
    player = player_of(Walk(n_envs=6), seed=1)
    begun = 6 - player.env.place  # type: ignore[attr-defined]
    _, ended = player.collect(Counting(), 2)
    assert len(ended.length) == 0
    _, ended = player.collect(Counting(), 3)
    assert sorted(ended.length.tolist()) == sorted(begun.tolist())
    assert torch.equal(ended.returned, -0.5 * ended.length)


def test_play_that_was_kept_goes_on_to_the_bit() -> None:
    actor, one = network(), player_of(Walk(limit=4))
    one.collect(actor, 9)
    kept = {name: value.clone() if isinstance(value, Tensor) else value for name, value in one.state_dict().items()}
    other: Player[At] = Player(Walk(limit=4), torch.Generator())
    other.load_state_dict(kept)
    for mine, its in zip(one.collect(actor, 9), other.collect(actor, 9), strict=True):
        pairs = zip(flat(mine), flat(its), strict=True) if isinstance(mine, Rollout) else zip(mine, its, strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_an_environment_may_write_into_what_it_returned() -> None:
    expected, _ = player_of(Walk(limit=3)).collect(network(), 15)
    found, _ = player_of(Rewriting(limit=3)).collect(network(), 15)
    for one, other in zip(flat(found), flat(expected), strict=True):
        assert torch.equal(one, other)


def test_it_plays_without_dropout_or_gradients_and_draws_from_its_own_generator_alone() -> None:
    actor, player = Counting(), player_of(Walk())
    actor.train()
    before = torch.random.get_rng_state()
    rollout, _ = player.collect(actor, 8)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(rollout.value, rollout.observation.place @ torch.arange(7.0) + 100.0)
    assert not rollout.value.requires_grad
    assert actor.training
    assert actor.prepared == 1


def test_another_generator_plays_another_way() -> None:
    one, _ = Player(env := Walk(n_envs=32), torch.Generator().manual_seed(1)), None
    one.begin(5)
    first, _ = one.collect(network(), 6)
    two: Player[At] = Player(env, torch.Generator().manual_seed(2))
    two.begin(5)
    second, _ = two.collect(network(), 6)
    assert torch.equal(first.observation.place[0], second.observation.place[0])
    assert not torch.equal(first.action, second.action)


@pytest.mark.parametrize(("n_steps", "returned"), [(100, [-1.5, -2.0, -2.5]), (2, [-1.0])])
def test_the_best_play_is_one_episode_each(n_steps: int, returned: list[float]) -> None:
    found = best_play(Counting(), Walk(n_envs=9), seed=0, n_steps=n_steps)
    assert len(found) == 9
    assert sorted(set(found.tolist()), reverse=True) == returned
