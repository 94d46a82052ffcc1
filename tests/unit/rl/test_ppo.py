"""PPO's parts by hand, what they must not touch, and what they learn where the best is known."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.errors import RecipeError
from rl_editor.rl.actor_critic import ActorCritic, MlpActorCritic
from rl_editor.rl.masked import ILLEGAL, masked_log_probs
from rl_editor.rl.ppo import (
    Decisions,
    PPOConfig,
    Update,
    adapted,
    annealed,
    decisions_of,
    kl,
    left_a_choice,
    log_probs_of,
    losses,
    update,
)
from rl_editor.rl.rollout import Player, Rollout, best_play
from rl_editor.rl.value_scale import ValueScale

from .walks import At, Walk

seeds = st.integers(0, 2**31 - 1)
pytestmark = pytest.mark.usefixtures("one_thread")


def alone(each: Tensor) -> Tensor:
    """The mean over one process."""
    return each


class Learner:
    """PPO in a loop of its own, without Lightning."""

    def __init__(self, config: PPOConfig, env: Walk | None = None, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.config, self.env = config, env or Walk(n_envs=16)
        self.actor_critic = MlpActorCritic(self.env.reset(0)[0], 3, width=16)
        self.scale = ValueScale()
        self.player: Player[At] = Player(self.env, torch.Generator().manual_seed(seed))
        self.player.begin(seed)
        self.optimiser = torch.optim.Adam(self.actor_critic.parameters(), lr=config.lr, eps=1e-5)
        self.kl_weight = config.kl_weight
        self.reference: ActorCritic[At] | None = None
        self.steps = 0

    def tick(self, *, critic_only: bool = False) -> Update:
        rollout, _ = self.player.collect(self.actor_critic, self.config.n_steps)
        decisions, _ = decisions_of(self.actor_critic, rollout, self.scale, self.config, alone)
        if self.reference is not None:
            decisions = decisions._replace(reference=log_probs_of(self.reference, decisions))
        return self.learn(decisions, critic_only=critic_only)

    def learn(self, decisions: Decisions[At], *, critic_only: bool = False) -> Update:
        return update(
            self.actor_critic, decisions, self.config, kl_weight=self.kl_weight, critic_only=critic_only,
            generator=self.player.generator, backward=lambda loss: loss.backward(), step=self.step, average=alone,
        )  # fmt: skip

    def step(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.actor_critic.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.steps += 1

    def weights(self, part: str = "") -> dict[str, Tensor]:
        return {name: each.clone() for name, each in self.actor_critic.state_dict().items() if part in name}


def drawn(seed: int, m: int = 12, n_actions: int = 5) -> tuple[Tensor, Decisions[At]]:
    """Logits, and decisions that some other actor made; about a third of them were forced."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(m, n_actions, generator=generator) < 0.4
    mask[torch.arange(m), torch.randint(n_actions, (m,), generator=generator)] = True
    mask[: m // 3] = torch.nn.functional.one_hot(torch.arange(m // 3) % n_actions, n_actions).bool()
    mask[-1] = True
    old = masked_log_probs(torch.randn(m, n_actions, generator=generator), mask)
    action = old.argmax(dim=1)
    decisions = Decisions(
        At(torch.zeros(m, 7)), mask, action, old.gather(1, action[:, None])[:, 0],
        *torch.randn(2, m, generator=generator), None,
    )  # fmt: skip
    return torch.randn(m, n_actions, generator=generator), decisions


def told(config: PPOConfig, logits: Tensor, decisions: Decisions[At], weight: float = 1.0) -> tuple[Tensor, Any]:
    count = left_a_choice(decisions.mask).sum().float()
    log_probs = masked_log_probs(logits, decisions.mask)
    return losses(log_probs, logits[:, 0], decisions, config, kl_weight=weight, count=count)


@given(seeds)
def test_the_loss_is_what_a_loop_finds(seed: int) -> None:
    logits, decisions = drawn(seed)
    reference = masked_log_probs(logits.flip(0), decisions.mask)
    config = PPOConfig(clip=0.1, value_weight=0.7, entropy_weight=0.3)
    total, figures = told(config, logits, decisions._replace(reference=reference), weight=2.0)
    policy, entropies, shares, moved, clipped, distances, squares = ([] for _ in range(7))
    for m in range(len(logits)):
        squares.append((float(logits[m, 0]) - float(decisions.target[m])) ** 2)
        legal = [a for a in range(5) if decisions.mask[m, a]]
        if len(legal) == 1:
            continue
        exps = {a: math.exp(float(logits[m, a])) for a in legal}
        chance = {a: exps[a] / sum(exps.values()) for a in legal}
        ratio = chance[int(decisions.action[m])] / math.exp(float(decisions.log_prob[m]))
        advantage = float(decisions.advantage[m])
        policy.append(-min(ratio * advantage, min(max(ratio, 0.9), 1.1) * advantage))
        entropies.append(-sum(p * math.log(p) for p in chance.values()))
        shares.append(entropies[-1] / math.log(len(legal)))
        moved.append(ratio - 1 - math.log(ratio))
        clipped.append(float(abs(ratio - 1) > 0.1))
        distances.append(sum(p * (math.log(p) - float(reference[m, a])) for a, p in chance.items()))

    def mean(values: list[float]) -> Tensor:
        return torch.tensor(sum(values) / len(values))

    parts = [mean(each) for each in (policy, squares, shares, moved, clipped, distances)]
    torch.testing.assert_close(torch.stack(figures), torch.stack(parts), rtol=1e-4, atol=1e-5)
    expected = parts[0] + 0.7 * parts[1] - 0.3 * mean(entropies) + 2.0 * parts[5]
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-5)


@given(seeds)
def test_forced_moves_and_illegal_actions_teach_the_actor_nothing(seed: int) -> None:
    logits, decisions = drawn(seed)
    logits.requires_grad_()
    config = PPOConfig(value_weight=0.0)
    total, _ = told(config, logits, decisions._replace(reference=masked_log_probs(-logits.detach(), decisions.mask)))
    total.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[~left_a_choice(decisions.mask)].any()
    assert not logits.grad[~decisions.mask].any()
    assert logits.grad[left_a_choice(decisions.mask)].any()


def test_an_update_where_all_moves_are_forced_is_the_critic_s_alone() -> None:
    learner = Learner(PPOConfig())
    rollout, _ = learner.player.collect(learner.actor_critic, 8)
    forced = torch.nn.functional.one_hot(rollout.action, 3).bool()
    forced_rollout = rollout._replace(mask=forced, log_prob=torch.zeros_like(rollout.log_prob))
    before = learner.weights("actor")
    learner.learn(decisions_of(learner.actor_critic, forced_rollout, learner.scale, learner.config, alone)[0])
    after = learner.weights("actor")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("better", [True, False])
def test_beyond_the_clip_nothing_pushes_further_but_all_pulls_back(better: bool) -> None:
    mask = torch.ones(1, 2, dtype=torch.bool)
    for logit, pushed in ((1.0, not better), (-1.0, better), (0.0, True)):
        logits = torch.tensor([[logit, 0.0]], requires_grad=True)
        decisions = Decisions(
            At(torch.zeros(1, 7)), mask, torch.zeros(1, dtype=torch.int64), torch.tensor([math.log(0.5)]),
            torch.tensor([1.0 if better else -1.0]), torch.zeros(1), None,
        )  # fmt: skip
        config = PPOConfig(value_weight=0.0, entropy_weight=0.0)
        told(config, logits, decisions)[0].backward()
        assert logits.grad is not None
        assert bool(logits.grad.any()) == pushed


@given(seeds, st.integers(1, 6))
def test_the_distance_from_a_reference_is_exact_over_legal_actions(seed: int, n_actions: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(3, n_actions, generator=generator) < 0.5
    mask[:, 0] = True
    one, other = (masked_log_probs(torch.randn(3, n_actions, generator=generator), mask) for _ in range(2))
    found = kl(one, other)
    for row in range(3):
        legal = mask[row]
        p, q = one[row][legal].double().exp(), other[row][legal].double().exp()
        torch.testing.assert_close(found[row].double(), (p * (p / q).log()).sum(), rtol=1e-4, atol=1e-6)
    assert (kl(one, one) == 0).all()
    assert torch.isfinite(found).all()
    assert (one[~mask] == ILLEGAL).all()


def test_the_first_minibatch_is_judged_by_the_actor_that_played_it() -> None:
    learner = Learner(PPOConfig(n_steps=32))
    for _ in range(3):
        done = learner.tick()
        assert float(done.first_ratio) < 1e-5
        assert float(done.figures.approx_kl) > 0


def test_dropout_is_off_in_play_and_in_learning() -> None:
    learner = Learner(PPOConfig(n_steps=32))
    learner.actor_critic.actor.insert(2, torch.nn.Dropout(0.5))
    learner.actor_critic.actor[-1].weight.data.mul_(100.0)
    learner.actor_critic.train()
    assert float(learner.tick().first_ratio) < 1e-5
    assert learner.actor_critic.training


def test_log_probabilities_by_other_masks_than_those_of_play_are_told_by_that_ratio() -> None:
    learner = Learner(PPOConfig(n_steps=32))
    rollout, _ = learner.player.collect(learner.actor_critic, 32)
    every = rollout._replace(mask=torch.ones_like(rollout.mask))
    done = learner.learn(decisions_of(learner.actor_critic, every, learner.scale, learner.config, alone)[0])
    assert float(done.first_ratio) > 0.1


def test_advantages_are_found_once_and_normalised_over_the_decisions_that_left_a_choice() -> None:
    learner = Learner(PPOConfig())
    rollout, _ = learner.player.collect(learner.actor_critic, 64)
    decisions, _ = decisions_of(learner.actor_critic, rollout, learner.scale, learner.config, alone)
    chosen = decisions.advantage[left_a_choice(decisions.mask)]
    assert 0 < len(chosen) < len(decisions.advantage)
    torch.testing.assert_close(chosen.mean(), torch.zeros(()), rtol=0, atol=1e-5)
    torch.testing.assert_close(chosen.std(correction=0), torch.ones(()), rtol=0, atol=1e-4)


def test_targets_are_returns_whatever_the_scale_was() -> None:
    # a critic that says 0 on its own scale says the mean return, whatever that was when it played
    learner = Learner(PPOConfig(gamma=1.0, gae_lambda=1.0, n_steps=64))
    learner.scale.update(torch.tensor(50.0), torch.tensor(100.0), learner.actor_critic.critic_head())
    rollout, _ = learner.player.collect(learner.actor_critic, 64)
    decisions, _ = decisions_of(learner.actor_critic, rollout, learner.scale, learner.config, alone)
    last = torch.where(rollout.terminated, rollout.reward, torch.nan).flatten()
    told_there = learner.scale.denormalised(decisions.target)
    torch.testing.assert_close(told_there[~last.isnan()], last[~last.isnan()], rtol=1e-3, atol=1e-3)


def test_what_the_critic_says_of_a_situation_changes_by_learning_alone() -> None:
    learner = Learner(PPOConfig(n_steps=32))
    learner.tick()
    rollout, _ = learner.player.collect(learner.actor_critic, 32)
    dearer = rollout._replace(reward=100.0 * rollout.reward - 30.0)

    def said() -> Tensor:
        seen, mask = learner.env.seen(torch.arange(6)), torch.ones(6, 3, dtype=torch.bool)
        return learner.scale.denormalised(learner.actor_critic(None, seen, mask)[1]).detach()

    before, spread = said(), float(learner.scale.spread)
    decisions_of(learner.actor_critic, dearer, learner.scale, learner.config, alone)
    assert float(learner.scale.spread) > 5.0 * spread
    torch.testing.assert_close(said(), before, rtol=1e-4, atol=1e-3)


def test_what_ended_and_what_was_broken_off_are_worth_different_things() -> None:
    number = torch.zeros(1, 1)
    no, yes = number.bool(), ~number.bool()
    rollout: Rollout[At] = Rollout(
        At(torch.zeros(1, 1, 7)), torch.ones(1, 1, 3, dtype=torch.bool), number.long(), number, number,
        following=number + 4.0, reward=number + 1.0, terminated=yes, truncated=no,
    )  # fmt: skip
    config = PPOConfig(gamma=0.5)

    def target(rollout: Rollout[At]) -> float:
        scale, network = ValueScale(), MlpActorCritic(At(torch.zeros(1, 7)), 3, width=4)
        return float(scale.denormalised(decisions_of(network, rollout, scale, config, alone)[0].target))

    assert target(rollout) == pytest.approx(1.0)
    assert target(rollout._replace(terminated=no, truncated=yes)) == pytest.approx(3.0)


def test_all_decisions_are_learned_from_once_an_epoch_in_another_order() -> None:
    class Seeing(MlpActorCritic):
        def forward(self, context: None, observation: Any, mask: Tensor) -> tuple[Tensor, Tensor]:
            seen.append(observation.place[:, 0])
            return super().forward(context, observation, mask)

    seen: list[Tensor] = []
    learner = Learner(PPOConfig(epochs=2, minibatches=3, kl_stop=0.0))
    learner.actor_critic = Seeing(learner.env.reset(0)[0], 3, width=4)
    rollout, _ = learner.player.collect(learner.actor_critic, 5)
    decisions, _ = decisions_of(learner.actor_critic, rollout, learner.scale, learner.config, alone)
    numbered = decisions._replace(observation=At(torch.arange(80.0)[:, None].expand(80, 7).contiguous()))
    seen.clear()
    done = learner.learn(numbered)
    assert done.minibatches == len(seen) == 6
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert torch.equal(first.sort().values, torch.arange(80.0))
    assert torch.equal(second.sort().values, torch.arange(80.0))
    assert not torch.equal(first, second)


def test_minibatches_that_are_put_together_are_one_step_of_their_mean() -> None:
    # as many actions are left free in each decision, so that means of means are means
    weights = []
    for parts, together in ((1, 1), (4, 4)):
        learner = Learner(PPOConfig(epochs=1, minibatches=parts, accumulate=together, kl_stop=0.0))
        rollout, _ = learner.player.collect(learner.actor_critic, 8)
        free = rollout._replace(mask=torch.ones_like(rollout.mask))
        learner.learn(decisions_of(learner.actor_critic, free, learner.scale, learner.config, alone)[0])
        assert learner.steps == 1
        weights.append(learner.weights())
    for name, one in weights[0].items():
        torch.testing.assert_close(weights[1][name], one, rtol=1e-4, atol=1e-5)


def test_what_is_left_over_of_an_accumulation_is_a_step_too() -> None:
    learner = Learner(PPOConfig(epochs=1, minibatches=5, accumulate=2, kl_stop=0.0))
    learner.tick()
    assert learner.steps == 3


def test_a_rollout_is_left_when_the_actor_has_moved_too_far() -> None:
    far = PPOConfig(lr=0.1, epochs=10, n_steps=32)
    assert Learner(replace(far, kl_stop=0.01)).tick().minibatches < 40
    assert Learner(replace(far, kl_stop=0.0)).tick().minibatches == 40


def test_while_the_critic_warms_up_no_bit_of_the_actor_changes() -> None:
    learner = Learner(PPOConfig(lr=0.01))
    learner.tick()  # the optimiser has momentum by now
    actor, critic = learner.weights("actor"), learner.weights("critic")
    errors = [float(learner.tick(critic_only=True).figures.value_loss) for _ in range(8)]
    after = learner.weights("actor")
    assert all(torch.equal(actor[name], after[name]) for name in actor)
    assert not any(torch.equal(critic[name], each) for name, each in learner.weights("critic").items())
    assert errors[-1] < errors[0]
    learner.tick()
    assert not any(torch.equal(actor[name], each) for name, each in learner.weights("actor").items())


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10**6))
def test_it_finds_the_best_of_a_walk(seed: int) -> None:
    learner = Learner(PPOConfig(n_steps=32, lr=5e-3, gamma=1.0), seed=seed)
    for _ in range(30):
        learner.tick()
    judged = Walk(n_envs=12)
    judged.reset(1)
    best = judged.worth(1.0)[judged.place]
    returned = best_play(learner.actor_critic, judged, seed=1, n_steps=50)
    torch.testing.assert_close(returned, best)
    _, value = learner.actor_critic(None, judged.reset(1)[0], judged.mask())
    torch.testing.assert_close(learner.scale.denormalised(value), best, rtol=0, atol=0.6)


class Endless(Walk):
    """One place, where each step pays 1 whatever is done; after 5 it is broken off or, as told, at its end."""

    ends = False

    def step(self, action: Tensor) -> Any:
        self.taken = self.taken + 1
        done = self.taken >= 5
        self.taken = torch.where(done, 0, self.taken)
        seen, no = self.seen(self.place), torch.zeros_like(done)
        # a new episode begins at another place, or it could not be told from the old one
        return type("Step", (), {
            "observation": seen, "mask": self.mask(), "reward": torch.ones(self.n_envs), "final": seen,
            "terminated": done if self.ends else no, "truncated": no if self.ends else done,
        })()  # fmt: skip


class Ending(Endless):
    ends = True


@pytest.mark.parametrize(("env", "lowest", "highest"), [(Endless, 4.5, 5.5), (Ending, 0.5, 3.5)])
def test_a_limit_of_time_does_not_lower_what_goes_on_for_ever(env: type[Walk], lowest: float, highest: float) -> None:
    # at gamma .8 a step a point is worth 5 where it goes on for ever, at most 3.4 where 5 steps are all
    learner = Learner(PPOConfig(n_steps=20, lr=5e-3, gamma=0.8), env(n_envs=8))
    for _ in range(40):
        learner.tick()
    _, value = learner.actor_critic(None, learner.env.reset(0)[0], learner.env.mask())
    assert (learner.scale.denormalised(value) > lowest).all()
    assert (learner.scale.denormalised(value) < highest).all()


class Unpaid(Walk):
    def step(self, action: Tensor) -> Any:
        after = super().step(action)
        return after._replace(reward=torch.zeros(self.n_envs))


def distance_after(ticks: int, budget: float) -> float:
    """Nats a decision from where it began, of an actor that nobody pays."""
    config = PPOConfig(n_steps=32, lr=3e-3, entropy_weight=0.0, kl_budget=budget)
    learner = Learner(config, Unpaid(n_envs=16))
    torch.manual_seed(9)
    reference = MlpActorCritic(learner.env.reset(0)[0], 3, width=16)
    torch.nn.init.orthogonal_(reference.actor[-1].weight, 3.0)
    learner.actor_critic.load_state_dict(reference.state_dict())
    learner.reference = reference.requires_grad_(False)
    found = 0.0
    for _ in range(ticks):
        found = float(learner.tick().figures.reference_kl)
        if budget:
            learner.kl_weight = adapted(learner.kl_weight, found, budget)
        else:
            learner.kl_weight = 0.0
    return found


def test_who_is_paid_nothing_stays_near_the_reference() -> None:
    assert distance_after(40, budget=0.02) < 0.04
    assert distance_after(40, budget=0.0) > 0.1


@pytest.mark.parametrize(
    ("distance", "weight"), [(0.2, 4.0), (0.16, 4.0), (0.12, 2.0), (0.08, 2.0), (0.06, 1.0), (0.0, 1.0)]
)
def test_the_weight_of_a_distance_follows_its_budget(distance: float, weight: float) -> None:
    assert adapted(2.0, distance, budget=0.1) == weight


def test_that_weight_stays_within_bounds() -> None:
    weight = 1.0
    for _ in range(100):
        weight = adapted(weight, 1.0, budget=0.1)
    assert weight == 1e4
    for _ in range(100):
        weight = adapted(weight, 0.0, budget=0.1)
    assert weight == 1e-4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_steps": 0}, "n_steps: 0 must be at least 1"),
        ({"accumulate": 0}, "accumulate: 0 must be at least 1"),
        ({"lr": -1.0}, "lr: -1.0 must not be below 0"),
        ({"gamma": 1.1}, "gamma: 1.1 must be from 0 to 1"),
        ({"clip": 1.0}, "clip: 1.0 must be between 0 and 1"),
        ({"kl_weight": 0.0}, "kl_weight: 0.0 must be from 0.0001 to 10000"),
    ],
)
def test_settings_that_make_no_sense_are_told(wrong: dict[str, Any], message: str) -> None:
    build: Callable[..., PPOConfig] = PPOConfig
    with pytest.raises(RecipeError, match=message):
        build(**wrong)


def test_reference_log_probabilities_are_those_of_each_step() -> None:
    learner = Learner(PPOConfig())
    rollout, _ = learner.player.collect(learner.actor_critic, 6)
    decisions, _ = decisions_of(learner.actor_critic, rollout, learner.scale, learner.config, alone)
    found = log_probs_of(learner.actor_critic.eval(), decisions)
    torch.testing.assert_close(found.gather(1, decisions.action[:, None])[:, 0], decisions.log_prob)


def test_the_learning_rate_falls_in_a_straight_line_and_then_stays() -> None:
    config = PPOConfig(lr=1.0, anneal=10)
    assert [annealed(config, rollout) for rollout in (0, 5, 10, 50)] == pytest.approx([1.0, 0.505, 0.01, 0.01])
    assert annealed(PPOConfig(lr=0.5), 50) == 0.5
