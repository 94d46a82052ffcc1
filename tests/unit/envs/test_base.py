"""The checker of the tensor contract, on an environment that keeps it and on ones that break it."""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.envs.base import Transition, check_env, random_legal
from rl_editor.errors import EnvError


class Steps(NamedTuple):
    left: Tensor


class Countdown:
    """Takes 1 or 2 from a drawn number each step, never more than is left; what is left is paid for."""

    n_actions = 2

    def __init__(self, n_envs: int = 5) -> None:
        self.n_envs, self.device = n_envs, torch.device("cpu")
        self.generator = torch.Generator()

    def reset(self, seed: int | None = None) -> tuple[Steps, Tensor]:
        if seed is not None:
            self.generator.manual_seed(seed)
        self.left = self.drawn()
        return Steps(self.left), self.mask()

    def step(self, action: Tensor) -> Transition[Steps]:
        illegal = ~self.mask().gather(1, action[:, None])[:, 0]
        left = self.left - torch.where(illegal, 0, action) - 1
        done = left == 0
        self.left = torch.where(done, self.drawn(), left)
        return Transition(
            Steps(self.left), self.mask(), left.float(), done, torch.zeros_like(done), Steps(left), illegal
        )

    def drawn(self) -> Tensor:
        return torch.randint(1, 20, (self.n_envs,), generator=self.generator)

    def mask(self) -> Tensor:
        return torch.stack([self.left >= 1, self.left >= 2], dim=1)


class Reusing(Countdown):
    """Returns the same tensors again and again, written anew."""

    def reset(self, seed: int | None = None) -> tuple[Steps, Tensor]:
        nothing = torch.zeros(self.n_envs)
        self.shown = Transition(
            Steps(nothing.long()),
            torch.zeros(self.n_envs, 2, dtype=torch.bool),
            nothing,
            nothing.bool(),
            nothing.bool(),
            Steps(nothing.long()),
            nothing.bool(),
        )
        observation, mask = super().reset(seed)
        self.shown.observation.left.copy_(observation.left)
        return self.shown.observation, self.shown.mask.copy_(mask)

    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        self.shown.observation.left.copy_(after.observation.left)
        self.shown.final.left.copy_(after.final.left)
        for name in ("mask", "reward", "terminated", "truncated", "illegal"):
            getattr(self.shown, name).copy_(getattr(after, name))
        return self.shown


@pytest.mark.parametrize("kept", [Countdown, Reusing])
def test_an_environment_that_keeps_the_contract_passes(kept: type[Countdown]) -> None:
    check_env(kept())


class Shaky(Countdown):
    def drawn(self) -> Tensor:
        return torch.randint(1, 20, (self.n_envs,))


class Stuck(Countdown):
    def mask(self) -> Tensor:
        return super().mask() & (self.left != 7)[:, None]


class Silent(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        return super().step(action)._replace(illegal=torch.zeros(self.n_envs, dtype=torch.bool))


class Infinite(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(reward=after.reward / after.reward)


class Shifting(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(observation=Steps(after.observation.left.float()))


class Forgetful(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(final=Steps(torch.zeros_like(after.final.left)))


class Overwriting(Reusing):
    """Draws without the seed, but ends each run with the same in all that it ever returned."""

    def drawn(self) -> Tensor:
        return torch.randint(1, 20, (self.n_envs,))

    def reset(self, seed: int | None = None) -> tuple[Steps, Tensor]:
        self.last = torch.full((self.n_envs,), 5 + (seed or 0)), 200
        return super().reset(seed)

    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        self.last = self.last[0], self.last[1] - 1
        if self.last[1] == 0:
            self.left = self.last[0]
            for shown in (after.observation.left, after.final.left):
                shown.copy_(self.left)
            for each in (after.reward, after.terminated):
                each.zero_()
            after.mask.copy_(self.mask())
        return after


class Counting(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(reward=after.reward.long())


class Doubtful(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(terminated=after.terminated.float())


class Scoring(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(truncated=after.truncated.long())


class Numbering(Countdown):
    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        return after._replace(illegal=after.illegal.to(torch.uint8))


class Endless(Countdown):
    def drawn(self) -> Tensor:
        return torch.randint(10**4, 10**5, (self.n_envs,), generator=self.generator)


class Lingering(Countdown):
    """What has ended goes on from where it ended."""

    def step(self, action: Tensor) -> Transition[Steps]:
        after = super().step(action)
        self.left = torch.where(after.terminated, 1, self.left)
        shown = torch.where(after.terminated, after.final.left, self.left)
        return after._replace(observation=Steps(shown), mask=self.mask())


class Deaf(Countdown):
    def drawn(self) -> Tensor:
        return torch.full((self.n_envs,), 10)

    def mask(self) -> Tensor:
        return torch.stack([self.left >= 1, self.left < 0], dim=1)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (Shaky, "one seed gives two runs"),
        (Stuck, "without a legal action"),
        (Silent, "`illegal` does not tell"),
        (Infinite, "no number"),
        (Shifting, "another shape or type"),
        (Forgetful, "final observation where nothing ended"),
        (Overwriting, "one seed gives two runs"),
        (Counting, "reward of torch.int64"),
        (Doubtful, "terminated of torch.float32"),
        (Scoring, "truncated of torch.int64"),
        (Numbering, "illegal of torch.uint8"),
        (Endless, "no episode ends within 200 steps"),
        (Lingering, "none begins anew"),
        (Deaf, "another seed changes nothing"),
    ],
)
def test_each_breach_is_told(broken: type[Countdown], told: str) -> None:
    with pytest.raises(EnvError, match=told):
        check_env(broken())


@given(st.integers(0, 2**31 - 1), st.integers(1, 6), st.integers(1, 9))
def test_only_legal_actions_are_drawn(seed: int, n: int, n_actions: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(n, n_actions, generator=generator) < 0.4
    mask[:, seed % n_actions] = True
    for _ in range(20):
        assert mask.gather(1, random_legal(mask, generator)[:, None]).all()


def test_legal_actions_are_drawn_equally_often() -> None:
    mask = torch.tensor([[False, True, True, False, True]]).expand(30_000, 5)
    drawn = random_legal(mask, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn, minlength=5)
    assert counts[[0, 3]].sum() == 0
    assert (counts[[1, 2, 4]] - 10_000).abs().max() < 400
