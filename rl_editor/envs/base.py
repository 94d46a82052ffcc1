"""The tensor contract of environments: N episodes that step together on one device, and a checker of it.

An environment holds N episodes. `reset` begins all of them anew; `step` takes one action each and gives what follows.
All shapes are static. An episode that ends is begun anew in the same step (SAME_STEP): what `step` returns of it is the
first observation of the next episode, and what the ended one would have shown stands in `final`. `step` is total: an
action that is not legal becomes one that is, by a rule of the environment's own, and is counted. Everything random is
drawn from one generator, so that a seed tells the whole run.

Nothing here is about music: whoever writes another environment fulfils `TensorEnv` and calls `check_env`.
"""

from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from rl_editor.errors import EnvError

_DTYPES = {"reward": torch.float32, "terminated": torch.bool, "truncated": torch.bool, "illegal": torch.bool}


class Tensors(Protocol):
    """A NamedTuple of tensors whose first axis is N."""

    def _asdict(self) -> dict[str, Tensor]: ...


Obs = TypeVar("Obs", bound=Tensors)
Obs_co = TypeVar("Obs_co", bound=Tensors, covariant=True)


class Transition(NamedTuple, Generic[Obs]):
    """What follows one action in each of N episodes."""

    observation: Obs
    """Of the episode that goes on: the next one where this one ended."""
    mask: Tensor
    """Legal actions there, (N, A) bool."""
    reward: Tensor
    """(N,) float32."""
    terminated: Tensor
    """The episode came to its end, (N,) bool."""
    truncated: Tensor
    """It was broken off; its value lies in `final`, (N,) bool."""
    final: Obs
    """What is observed before a new episode begins; equal to `observation` where none does."""
    illegal: Tensor
    """The action was not legal and was replaced, (N,) bool."""

    @property
    def done(self) -> Tensor:
        """Where an episode ended, (N,) bool."""
        return self.terminated | self.truncated


class TensorEnv(Protocol[Obs]):
    """N episodes of one task."""

    n_envs: int
    """N."""
    n_actions: int
    """A."""
    device: torch.device

    def reset(self, seed: int | None = None) -> tuple[Obs, Tensor]:
        """Begin N episodes; the observation and the legal actions (N, A).

        Args:
            seed: begins the generator anew; None lets it go on.
        """
        ...

    def step(self, action: Tensor) -> Transition[Obs]:
        """One action in each episode.

        Args:
            action: (N,) int64 from 0 to A-1, legal or not.
        """
        ...


def random_legal(mask: Tensor, generator: torch.Generator) -> Tensor:
    """One legal action for each row, all equally likely, (N,) int64.

    Args:
        mask: (N, A) bool, something true in each row.
        generator: on the mask's device.
    """
    count = mask.cumsum(dim=1, dtype=torch.int32)
    drawn = torch.rand(len(mask), generator=generator, device=mask.device)
    nth = (drawn * count[:, -1]).to(torch.int32).clamp(max=count[:, -1] - 1)
    return torch.searchsorted(count, (nth + 1)[:, None])[:, 0]


def check_env(env: TensorEnv[Obs], *, steps: int = 200, seed: int = 0) -> None:
    """Whether an environment keeps the contract, found out by random play.

    What only the environment knows is not found out: that an episode began anew is seen by its looking unlike the end
    of the last one, in at least one place.

    Args:
        env: any; it is reset.
        steps: how many are taken, twice; enough for an episode to end.
        seed: of the environment and of the play.
    Raises:
        EnvError: with what is wrong.
    """
    first = _played(env, steps, seed)
    again = _played(env, steps, seed)
    _expect(all(torch.equal(one, two) for one, two in zip(first, again, strict=True)), "one seed gives two runs")
    other = _played(env, steps, seed + 1)
    _expect(
        any(not torch.equal(one, two) for one, two in zip(first, other, strict=True)), "another seed changes nothing"
    )


def _played(env: TensorEnv[Obs], steps: int, seed: int) -> list[Tensor]:
    """All that was returned in one run, with every part of it checked; every tenth action is drawn without the mask.

    Copied at once: an environment may write into what it returned before.
    """
    generator = torch.Generator(env.device).manual_seed(seed)
    observation, mask = env.reset(seed)
    kinds = _kinds(observation)
    seen = _copied(observation, mask)
    ended, anew = 0, False
    for t in range(steps):
        _check_mask(env, mask)
        before = mask.clone()
        legal = random_legal(before, generator)
        wild = torch.randint(env.n_actions, (env.n_envs,), generator=generator, device=env.device)
        action = wild if t % 10 == 9 else legal
        chosen = before.gather(1, action[:, None])[:, 0]
        after = env.step(action)
        _check_transition(env, after, kinds, t)
        _expect(torch.equal(after.illegal, ~chosen), f"step {t}: `illegal` does not tell which actions were")
        ended += int(after.done.sum())
        anew = anew or _unlike(after.observation, after.final, after.done)
        mask = after.mask
        seen += _copied(after.observation, mask, after.reward, after.terminated, after.truncated)
    _check_mask(env, mask)
    _expect(ended > 0, f"no episode ends within {steps} steps")
    _expect(anew, "an episode that ends is shown as it ended: none begins anew in the same step")
    return seen


def _check_mask(env: TensorEnv[Obs], mask: Tensor) -> None:
    _expect(mask.shape == (env.n_envs, env.n_actions), f"mask of shape {tuple(mask.shape)}")
    _expect(mask.dtype == torch.bool, f"mask of {mask.dtype}")
    _expect(mask.device.type == env.device.type, f"mask on {mask.device}")
    _expect(bool(mask.any(dim=1).all()), "an episode without a legal action")


def _check_transition(env: TensorEnv[Obs], after: Transition[Obs], kinds: dict[str, object], t: int) -> None:
    for name, dtype in _DTYPES.items():
        value = getattr(after, name)
        _expect(value.shape == (env.n_envs,), f"step {t}: {name} of shape {tuple(value.shape)}")
        _expect(value.dtype == dtype, f"step {t}: {name} of {value.dtype}, must be {dtype}")
        _expect(value.device.type == env.device.type, f"step {t}: {name} on {value.device}")
    _expect(bool(torch.isfinite(after.reward).all()), f"step {t}: a reward that is no number")
    _expect(_kinds(after.observation) == kinds, f"step {t}: an observation of another shape or type")
    _expect(_kinds(after.final) == kinds, f"step {t}: a final observation of another shape or type")
    _expect(not bool((after.terminated & after.truncated).any()), f"step {t}: terminated and truncated at once")
    for name, value in after.observation._asdict().items():
        _expect(bool(torch.isfinite(value.double()).all()), f"step {t}: {name} holds what is no number")
    _expect(
        not _unlike(after.observation, after.final, ~after.done),
        f"step {t}: another final observation where nothing ended",
    )


def _unlike(one: Tensors, other: Tensors, rows: Tensor) -> bool:
    """Whether two observations differ in any of these rows."""
    pairs = zip(one._asdict().values(), other._asdict().values(), strict=True)
    return any(not torch.equal(mine[rows], theirs[rows]) for mine, theirs in pairs)


def _copied(observation: Tensors, *others: Tensor) -> list[Tensor]:
    return [each.clone() for each in (*observation._asdict().values(), *others)]


def _kinds(observation: Tensors) -> dict[str, object]:
    return {name: (tuple(value.shape), value.dtype, value.device.type) for name, value in observation._asdict().items()}


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise EnvError(f"not an environment of this contract: {message}")
