"""Proximal policy optimisation of an actor and a critic, where not every action is legal in every situation.

Source: Schulman, Wolski, Dhariwal, Radford, Klimov, Proximal policy optimization algorithms, 2017 (arXiv 1707.06347).
Details as in Huang et al., The 37 implementation details of proximal policy optimization, ICLR Blog Track 2022, but for
these: what follows a truncated episode is estimated, not taken for nothing; advantages are found once a rollout;
decisions that left no choice teach the actor nothing.

Several processes train together where `average` gives the mean over them; sums are divided by the mean count, so that
their mean gradient is that of one process with all their decisions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

import torch
from torch import Tensor

from rl_editor.errors import RecipeError
from rl_editor.rl.actor_critic import ActorCritic, Obs
from rl_editor.rl.advantages import advantages, explained_variance
from rl_editor.rl.masked import ILLEGAL, entropy
from rl_editor.rl.rollout import Rollout, evaluating, mapped
from rl_editor.rl.value_scale import ValueScale

Average = Callable[[Tensor], Tensor]
_WEIGHTS = 1e-4, 1e4  # that an adaptive weight stays between
_LEAST_RATE = 0.01  # of the first learning rate


@dataclass(frozen=True)
class PPOConfig:
    """How PPO learns."""

    n_steps: int = 128
    """Steps of each episode between two updates."""
    epochs: int = 4
    """How often each decision is learned from."""
    minibatches: int = 4
    """Parts of a rollout that are learned from one after another."""
    accumulate: int = 1
    """Minibatches whose gradients make one step of the optimiser."""
    lr: float = 3e-4
    """Learning rate (Adam), at first."""
    anneal: int = 0
    """Rollouts over which the learning rate falls to a hundredth, in a straight line; 0: it stays."""
    clip_norm: float = 0.5
    """Largest norm of a step's gradient."""
    gamma: float = 0.99
    """Worth of a reward one step later."""
    gae_lambda: float = 0.95
    """Weight of the advantage one step later: 0 trusts the critic, 1 the rewards."""
    clip: float = 0.2
    """Change of an action's probability ratio from which on an update does not push it further."""
    value_weight: float = 0.5
    """Weight of the critic's loss."""
    entropy_weight: float = 0.01
    """Weight of the entropy, in nats."""
    kl_stop: float = 0.03
    """Nats between the actor and the one that played beyond which a rollout is learned from no more; 0: never."""
    kl_budget: float = 0.0
    """Nats a decision that the actor may move from the one that training began with; 0: as far as it likes."""
    kl_weight: float = 1.0
    """Weight of that distance at first; halved or doubled from rollout to rollout to meet the budget."""
    critic_warmup: int = 0
    """Rollouts at first from which only the critic learns."""

    def __post_init__(self) -> None:
        for name in ("n_steps", "epochs", "minibatches", "accumulate"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}: {getattr(self, name)} must be at least 1")
        weights = ("value_weight", "entropy_weight", "kl_stop", "kl_budget")
        for name in ("lr", "anneal", "clip_norm", "critic_warmup", *weights):
            if getattr(self, name) < 0:
                raise RecipeError(f"{name}: {getattr(self, name)} must not be below 0")
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"{name}: {getattr(self, name)} must be from 0 to 1")
        if not 0 < self.clip < 1:
            raise RecipeError(f"clip: {self.clip} must be between 0 and 1")
        if not _WEIGHTS[0] <= self.kl_weight <= _WEIGHTS[1]:
            raise RecipeError(f"kl_weight: {self.kl_weight} must be from {_WEIGHTS[0]:g} to {_WEIGHTS[1]:g}")


class Decisions(NamedTuple, Generic[Obs]):
    """M decisions to learn from."""

    observation: Obs
    mask: Tensor
    """The legal actions that were chosen from, (M, A) bool."""
    action: Tensor
    """(M,) int64."""
    log_prob: Tensor
    """Of the action, when it was chosen, (M,)."""
    advantage: Tensor
    """Normalised over the decisions that left a choice, (M,)."""
    target: Tensor
    """What the critic should have said, on its own scale, (M,)."""
    reference: Tensor | None = None
    """Log-probabilities of the reference, (M, A); None without one."""


class Figures(NamedTuple):
    """What an update was like, mean of its minibatches and processes, all () float32."""

    policy_loss: Tensor
    value_loss: Tensor
    """Mean squared error on the critic's scale."""
    entropy: Tensor
    """Share of the entropy that a choice among all legal actions alike has, over decisions that left one."""
    approx_kl: Tensor
    """Nats a decision between the actor that played and the one that learns, estimated by `_k3`."""
    clip_fraction: Tensor
    """Share of decisions whose probability ratio lies outside the clip."""
    reference_kl: Tensor
    """Exact nats a decision from the reference, 0 without one."""


class Update(NamedTuple):
    """What came of an update."""

    figures: Figures
    first_ratio: Tensor
    """Largest distance from 1 of the first minibatch's probability ratios, (); 0 but for rounding."""
    minibatches: int
    """How many were learned from before it was stopped."""


def decisions_of(
    actor_critic: ActorCritic[Obs], rollout: Rollout[Obs], scale: ValueScale, config: PPOConfig, average: Average
) -> tuple[Decisions[Obs], Tensor]:
    """What a rollout teaches, (T N) decisions, and how much of it the critic foresaw, (); the scale is updated.

    Args:
        actor_critic: who played; its critic is rewritten for the scale as it becomes.
        rollout: T steps of N episodes.
        scale: of returns; what the critic said is read by it as it was, targets are written as it becomes.
        config: how much the future counts.
        average: mean over processes.
    """
    value = scale.denormalised(rollout.value)
    advantage = advantages(
        rollout.reward,
        value,
        scale.denormalised(rollout.following),
        rollout.terminated,
        rollout.truncated,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
    )
    returned = advantage + value
    scale.update(*_mean_and_variance(returned, torch.ones_like(returned), average), actor_critic.critic_head())
    decisions = Decisions(
        observation=rollout.observation,
        mask=rollout.mask,
        action=rollout.action,
        log_prob=rollout.log_prob,
        advantage=_normalised(advantage, left_a_choice(rollout.mask).float(), average),
        target=scale.normalised(returned),
    )
    return _mapped(lambda each: each.flatten(0, 1), decisions), average(explained_variance(value, returned))


@torch.no_grad()
def log_probs_of(actor_critic: ActorCritic[Obs], decisions: Decisions[Obs], parts: int = 1) -> Tensor:
    """Log-probabilities that a network which is not trained gives to all actions of decisions, (M, A).

    Args:
        actor_critic: in `eval` mode.
        decisions: of whomever.
        parts: that are looked at one after another, for want of memory.
    """
    context = actor_critic.prepare()
    every = torch.arange(len(decisions.action), device=decisions.action.device).tensor_split(parts)
    taken = (_mapped(lambda each, rows=rows: each.index_select(0, rows), decisions) for rows in every)  # type: ignore[misc]
    return torch.cat([actor_critic(context, part.observation, part.mask)[0] for part in taken])


def update(
    actor_critic: ActorCritic[Obs],
    decisions: Decisions[Obs],
    config: PPOConfig,
    *,
    kl_weight: float,
    critic_only: bool,
    generator: torch.Generator,
    backward: Callable[[Tensor], None],
    step: Callable[[], None],
    average: Average,
) -> Update:
    """Learn from the decisions of one rollout, `config.epochs` times unless the actor has moved too far before.

    Args:
        actor_critic: is trained.
        decisions: from `decisions_of`.
        config: how.
        kl_weight: of the distance from the reference.
        critic_only: only the critic learns; no other weight changes by a bit.
        generator: draws the minibatches.
        backward: adds a loss's gradients to those there are.
        step: moves the weights that have gradients, and takes the gradients away.
        average: mean over processes.
    """
    seen: list[Figures] = []
    first = decisions.target.new_zeros(())
    # without dropout, as in play: or the ratio would tell noise from noise
    with evaluating(actor_critic):
        for part in _minibatches(decisions, config.minibatches, config.epochs, generator):
            log_probs, value = actor_critic(actor_critic.prepare(), part.observation, part.mask)
            choices = left_a_choice(part.mask).float()
            log_ratio = _log_ratio(log_probs.detach(), part.action, part.log_prob)
            count, moved = average(torch.stack([choices.sum(), (_k3(log_ratio) * choices).sum()]))
            if not seen:
                first = average((log_ratio.exp() - 1.0).abs().max())
            elif config.kl_stop and float(moved) > config.kl_stop * float(count):
                break
            loss, figures = losses(log_probs, value, part, config, kl_weight=kl_weight, count=count.clamp(min=1.0))
            backward(loss / config.accumulate)
            seen.append(figures)
            if len(seen) % config.accumulate == 0:
                _move(actor_critic, step, critic_only)
    if len(seen) % config.accumulate:
        _move(actor_critic, step, critic_only)
    mean = average(torch.stack([torch.stack(figures) for figures in seen]).mean(dim=0))
    return Update(Figures(*mean), first, len(seen))


def losses(
    log_probs: Tensor, value: Tensor, part: Decisions[Any], config: PPOConfig, *, kl_weight: float, count: Tensor
) -> tuple[Tensor, Figures]:
    """The loss of M decisions, (), and what it is made of; in float32 whatever the network computes in.

    Args:
        log_probs: of all actions now, (M, A).
        value: of the critic now, (M,).
        part: the decisions.
        config: weights and clip.
        kl_weight: of the distance from the reference.
        count: what sums over decisions that left a choice are divided by, ().
    """
    rows = left_a_choice(part.mask).nonzero()[:, 0]  # all that the actor learns from
    log_probs, mask, advantage = (each.index_select(0, rows) for each in (log_probs.float(), part.mask, part.advantage))
    log_ratio = _log_ratio(log_probs, part.action[rows], part.log_prob[rows])
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
    gain = torch.minimum(ratio * advantage, clipped * advantage)
    spread = entropy(log_probs)
    distance = torch.zeros_like(spread) if part.reference is None else kl(log_probs, part.reference[rows])

    def mean(each: Tensor) -> Tensor:
        return each.sum() / count

    policy_loss = -mean(gain)
    value_loss = (value.float() - part.target).square().mean()
    total = policy_loss + config.value_weight * value_loss - config.entropy_weight * mean(spread)
    if part.reference is not None:
        total = total + kl_weight * mean(distance)
    told = (
        policy_loss,
        value_loss,
        mean(spread / mask.sum(dim=1).float().log()),
        mean(_k3(log_ratio)),
        mean(((ratio - 1.0).abs() > config.clip).float()),
        mean(distance),
    )
    return total, Figures(*(each.detach() for each in told))


def kl(log_probs: Tensor, reference: Tensor) -> Tensor:
    """Exact Kullback-Leibler divergence of masked log-probabilities from a reference's, in nats, (...).

    Args:
        log_probs: (..., A).
        reference: (..., A), with the same legal actions.
    """
    illegal = log_probs <= ILLEGAL
    known = log_probs.masked_fill(illegal, 0.0)  # exp is slow where it underflows
    return (known.exp() * (known - reference.float().masked_fill(illegal, 0.0))).sum(dim=-1)


def adapted(weight: float, distance: float, budget: float) -> float:
    """Weight of a distance, for the next rollout, so that it comes to lie around its budget.

    Source: section 4 of arXiv 1707.06347.
    """
    if distance > 1.5 * budget:
        return min(2.0 * weight, _WEIGHTS[1])
    if distance < budget / 1.5:
        return max(weight / 2.0, _WEIGHTS[0])
    return weight


def annealed(config: PPOConfig, rollout: int) -> float:
    """Learning rate of the rollout of that number, from 0."""
    done = min(rollout / config.anneal, 1.0) if config.anneal else 0.0
    return config.lr * (1.0 - (1.0 - _LEAST_RATE) * done)


def left_a_choice(mask: Tensor) -> Tensor:
    """Where more than one action is legal, (...) bool.

    Args:
        mask: (..., A) bool.
    """
    return mask.sum(dim=-1) > 1


def _normalised(advantage: Tensor, counted: Tensor, average: Average) -> Tensor:
    """Mean 0 and variance 1 over what counts."""
    mean, variance = _mean_and_variance(advantage, counted, average)
    return (advantage - mean) / (variance.sqrt() + 1e-8)


def _mean_and_variance(each: Tensor, counted: Tensor, average: Average) -> tuple[Tensor, Tensor]:
    """Of what counts 1 and not 0, in all processes."""
    total, count = average(torch.stack([(each * counted).sum(), counted.sum()]))
    count = count.clamp(min=torch.finfo(torch.float32).tiny)
    mean = total / count
    return mean, average(((each - mean).square() * counted).sum()) / count


def _minibatches(
    decisions: Decisions[Obs], parts: int, epochs: int, generator: torch.Generator
) -> Iterator[Decisions[Obs]]:
    """All decisions in so many parts of almost equal size, shuffled anew for each epoch."""
    size = len(decisions.action)
    for _ in range(epochs):
        order = torch.randperm(size, generator=generator, device=generator.device)
        for rows in order.tensor_split(min(parts, size)):
            yield _mapped(lambda each, rows=rows: each.index_select(0, rows), decisions)  # type: ignore[misc]


def _mapped(change: Callable[[Tensor], Tensor], decisions: Decisions[Obs]) -> Decisions[Obs]:
    return Decisions(
        observation=mapped(change, decisions.observation),
        mask=change(decisions.mask),
        action=change(decisions.action),
        log_prob=change(decisions.log_prob),
        advantage=change(decisions.advantage),
        target=change(decisions.target),
        reference=None if decisions.reference is None else change(decisions.reference),
    )


def _log_ratio(log_probs: Tensor, action: Tensor, log_prob: Tensor) -> Tensor:
    """How much likelier the actions are now than when they were chosen, (M,)."""
    return log_probs.float().gather(1, action[:, None])[:, 0] - log_prob


def _k3(log_ratio: Tensor) -> Tensor:
    """An estimate of a divergence from its samples' log-ratios, unbiased and never negative.

    Source: Schulman, Approximating KL divergence, 2020 (joschu.net/blog/kl-approx.html).
    """
    return log_ratio.exp() - 1.0 - log_ratio


def _move(actor_critic: ActorCritic[Any], step: Callable[[], None], critic_only: bool) -> None:
    """Take a step; where only the critic learns, an optimiser finds no gradients at the other weights."""
    if critic_only:
        critic = {id(weight) for weight in actor_critic.critic_parameters()}
        for weight in actor_critic.parameters():
            if id(weight) not in critic:
                weight.grad = None
    step()
