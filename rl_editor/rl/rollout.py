"""Playing on: T steps in each of N episodes, with all that learning from them needs.

What is wanted of an environment is said here, so that whatever keeps the tensor contract of `rl_editor.envs.base` and
can tell its state fits without knowing of this module.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from rl_editor.rl.actor_critic import ActorCritic, Obs, Tensors
from rl_editor.rl.masked import sample

Obs_co = TypeVar("Obs_co", bound=Tensors, covariant=True)
Named = TypeVar("Named", bound=Tensors)


class Step(Protocol[Obs_co]):
    """What follows one action in each of N episodes."""

    @property
    def observation(self) -> Obs_co:
        """Of the episode that goes on, or of the next one."""
        ...

    @property
    def mask(self) -> Tensor:
        """Legal actions there, (N, A) bool."""
        ...

    @property
    def reward(self) -> Tensor:
        """(N,) float32."""
        ...

    @property
    def terminated(self) -> Tensor:
        """The episode came to its end, (N,) bool."""
        ...

    @property
    def truncated(self) -> Tensor:
        """It was broken off, (N,) bool."""
        ...

    @property
    def final(self) -> Obs_co:
        """What is observed before a new episode begins."""
        ...


class Environment(Protocol[Obs_co]):
    """N episodes that step together, begun anew in the step that ends them, and that can be gone on with later."""

    n_envs: int
    n_actions: int
    device: torch.device

    def reset(self, seed: int | None = None) -> tuple[Obs_co, Tensor]:
        """Begin N episodes; the observation and the legal actions (N, A)."""
        ...

    def step(self, action: Tensor) -> Step[Obs_co]:
        """One action (N,) in each."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that decides how it goes on, its generator's state too: tensors and plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


class Rollout(NamedTuple, Generic[Obs]):
    """T steps of N episodes, all tensors (T, N, ...)."""

    observation: Obs
    mask: Tensor
    """The legal actions that were chosen from, (T, N, A) bool."""
    action: Tensor
    """int64."""
    log_prob: Tensor
    """Of the action, when it was chosen."""
    value: Tensor
    """Of the situation, on the critic's own scale."""
    following: Tensor
    """Value of what came of it in the same episode; of no account where that terminated."""
    reward: Tensor
    terminated: Tensor
    truncated: Tensor


class Ended(NamedTuple):
    """The E episodes that ended during a rollout."""

    returned: Tensor
    """Sum of their rewards, (E,) float32."""
    length: Tensor
    """Steps they took, (E,) int64."""


class Player(Generic[Obs]):
    """Plays N episodes by an actor that may change between rollouts; they go on from one to the next."""

    def __init__(self, env: Environment[Obs], generator: torch.Generator) -> None:
        """Take an environment; `begin` or `load_state_dict` comes next.

        Args:
            env: whose N episodes are played.
            generator: draws the actions, on the actor's device.
        """
        self.env, self.generator = env, generator
        self._returned = torch.zeros(env.n_envs, device=env.device)
        self._length = torch.zeros(env.n_envs, dtype=torch.int64, device=env.device)

    def begin(self, seed: int) -> None:
        """Begin N episodes."""
        observation, mask = self.env.reset(seed)
        self._observation, self._mask = mapped(torch.clone, observation), mask.clone()
        self._returned.zero_()
        self._length.zero_()

    @torch.no_grad()
    def collect(self, actor_critic: ActorCritic[Obs], n_steps: int) -> tuple[Rollout[Obs], Ended]:
        """Play on; without dropout, and with what the actor prepares made once.

        Args:
            actor_critic: chooses and judges.
            n_steps: T.
        """
        device = self.generator.device
        ended: list[Ended] = []
        with evaluating(actor_critic):
            context = actor_critic.prepare()
            kept = _room(n_steps, *self._now(device))
            for t in range(n_steps):
                observation, mask = self._now(device)
                log_probs, value = actor_critic(context, observation, mask)
                action = sample(log_probs.float(), self.generator)
                after = self.env.step(action.to(self.env.device))
                mapped(lambda row, now, t=t: row[t].copy_(now), kept.observation, observation)
                kept.mask[t], kept.action[t], kept.value[t] = mask, action, value
                kept.log_prob[t] = log_probs.gather(1, action[:, None])[:, 0]
                kept.following[t] = _beyond(actor_critic, context, after, device)
                kept.reward[t], kept.terminated[t], kept.truncated[t] = after.reward, after.terminated, after.truncated
                ended.append(self._count(after))
            last = actor_critic(context, *self._now(device))[1]
        ahead = torch.cat([kept.value[1:], last[None].float()])
        kept = kept._replace(following=torch.where(kept.truncated, kept.following, ahead))
        return kept, Ended(*map(torch.cat, zip(*ended, strict=True)))

    def state_dict(self) -> dict[str, Any]:
        """Where the episodes stand, the environment included: tensors and plain values."""
        return {
            "env": self.env.state_dict(),
            "observation": dict(self._observation._asdict()),
            "mask": self._mask,
            "returned": self._returned,
            "length": self._length,
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        observation, _ = self.env.reset(0)  # tells what an observation is made of
        self.env.load_state_dict(state["env"])
        device = self.env.device
        self._observation = type(observation)(**{name: each.to(device) for name, each in state["observation"].items()})
        self._mask, self._returned = state["mask"].to(device), state["returned"].to(device)
        self._length = state["length"].to(device)
        self.generator.set_state(state["generator"].cpu())

    def _now(self, device: torch.device) -> tuple[Obs, Tensor]:
        return mapped(lambda each: each.to(device), self._observation), self._mask.to(device)

    def _count(self, after: Step[Obs]) -> Ended:
        """Add a step to the episodes under way, and take out those that it ended."""
        self._observation, self._mask = mapped(torch.clone, after.observation), after.mask.clone()
        self._returned += after.reward
        self._length += 1
        done = after.terminated | after.truncated
        ended = Ended(self._returned[done], self._length[done])
        self._returned.masked_fill_(done, 0.0)
        self._length.masked_fill_(done, 0)
        return ended


def paid_late(rollout: Rollout[Obs], ended: Ended, paid: Tensor) -> tuple[Rollout[Obs], Ended]:
    """A rollout with what became known of its episodes after it was played, each at its end.

    Args:
        rollout: with episodes that terminated.
        ended: those, in the order in which they ended.
        paid: in the same order, (E,).
    """
    reward = rollout.reward.clone()
    reward[rollout.terminated] += paid.to(reward.device)  # step by step, and of each step in the order of the rows
    return rollout._replace(reward=reward), ended._replace(returned=ended.returned + paid.to(ended.returned.device))


@torch.no_grad()
def best_play(actor_critic: ActorCritic[Obs], env: Environment[Obs], *, seed: int, n_steps: int) -> Tensor:
    """Returns of one episode in each environment, the likeliest action taken each time, (N,) float32.

    Args:
        actor_critic: who acts.
        env: is reset.
        seed: of the environment.
        n_steps: after so many an episode is counted as it is.
    """
    device = next(actor_critic.parameters()).device
    observation, mask = env.reset(seed)
    returned = torch.zeros(env.n_envs, device=env.device)
    going = torch.ones(env.n_envs, dtype=torch.bool, device=env.device)
    with evaluating(actor_critic):
        context = actor_critic.prepare()
        for _ in range(n_steps):
            seen = mapped(lambda each: each.to(device), observation)
            after = env.step(actor_critic(context, seen, mask.to(device))[0].argmax(dim=1).to(env.device))
            returned += after.reward * going
            going = going & ~(after.terminated | after.truncated)
            observation, mask = after.observation, after.mask
            if not bool(going.any()):
                break
    return returned


def mapped(change: Callable[..., Tensor], first: Named, *others: Named) -> Named:
    """A NamedTuple of what comes of its tensors, field by field."""
    pairs = zip(first._asdict().items(), *(other._asdict().values() for other in others), strict=True)
    return type(first)(**{name: change(one, *more) for (name, one), *more in pairs})


def _room(n_steps: int, observation: Obs, mask: Tensor) -> Rollout[Obs]:
    """Where a rollout is written."""

    def room(like: Tensor) -> Tensor:
        return like.new_empty(n_steps, *like.shape)

    number = torch.zeros(n_steps, len(mask), device=mask.device)
    return Rollout(
        observation=mapped(room, observation),
        mask=room(mask),
        action=number.long(),
        log_prob=number.clone(),
        value=number.clone(),
        following=number.clone(),
        reward=number.clone(),
        terminated=number.bool(),
        truncated=number.bool(),
    )


def _beyond(actor_critic: ActorCritic[Obs], context: Any, after: Step[Obs], device: torch.device) -> Tensor:
    """Value of what episodes that were broken off would have gone on from, 0 for the others, (N,)."""
    value = torch.zeros(len(after.reward), device=device)
    rows = after.truncated.nonzero()[:, 0]
    if len(rows):
        final = mapped(lambda each: each[rows].to(device), after.final)
        any_action = torch.ones(len(rows), after.mask.shape[1], dtype=torch.bool, device=device)
        value[rows.to(device)] = actor_critic(context, final, any_action)[1].float()
    return value


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Without dropout while it lasts, whatever comes then."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)
