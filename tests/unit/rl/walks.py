"""Environments of a few lines, for tests of what plays in them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from rl_editor.envs.base import Transition


class At(NamedTuple):
    place: Tensor
    """One-hot, (N, 7) float32."""


class Walk:
    """A line of places 0 to 6, begun at 1 to 3: to go on costs `cost`, to go two on pays the new place's number but is
    legal only on even places, to stop pays 1 and is legal from 4 on; at 6 it ends, after `limit` steps it is broken
    off."""

    n_actions = 3

    def __init__(self, n_envs: int = 4, limit: int = 100, cost: float = 0.5) -> None:
        self.n_envs, self.device, self.limit, self.cost = n_envs, torch.device("cpu"), limit, cost
        self.generator = torch.Generator()

    def reset(self, seed: int | None = None) -> tuple[At, Tensor]:
        if seed is not None:
            self.generator.manual_seed(seed)
        self.place, self.taken = self.drawn(), torch.zeros(self.n_envs, dtype=torch.int64)
        return self.seen(self.place), self.mask()

    def step(self, action: Tensor) -> Transition[At]:
        illegal = ~self.mask().gather(1, action[:, None])[:, 0]
        action = torch.where(illegal, 0, action)
        place = (self.place + torch.tensor([1, 2, 0])[action]).clamp(max=6)
        reward = torch.where(action == 2, 1.0, torch.where(action == 1, place.float(), -self.cost))
        self.taken = self.taken + 1
        terminated = (place == 6) | (action == 2)
        truncated = ~terminated & (self.taken >= self.limit)
        done = terminated | truncated
        self.place = torch.where(done, self.drawn(), place)
        self.taken = torch.where(done, 0, self.taken)
        seen = self.seen(self.place)
        return Transition(seen, self.mask(), reward, terminated, truncated, self.seen(place), illegal)

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place, "taken": self.taken, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place, self.taken = state["place"], state["taken"]
        self.generator.set_state(state["generator"])

    def drawn(self) -> Tensor:
        return torch.randint(1, 4, (self.n_envs,), generator=self.generator)

    def seen(self, place: Tensor) -> At:
        return At(torch.nn.functional.one_hot(place, 7).float())

    def mask(self) -> Tensor:
        return torch.stack([self.place >= 0, self.place % 2 == 0, self.place >= 4], dim=1)

    def worth(self, gamma: float) -> Tensor:
        """Value iteration over places 0 to 5 without the limit, (6,)."""
        value = torch.zeros(9)
        for place in reversed(range(6)):
            ahead = torch.where(torch.arange(9) >= 6, 0.0, value)
            ways = [-self.cost + gamma * float(ahead[place + 1])]
            if place % 2 == 0:
                ways.append(min(place + 2, 6) + gamma * float(ahead[place + 2]))
            if place >= 4:
                ways.append(1.0)
            value[place] = max(ways)
        return value[:6]


class Rewriting(Walk):
    """Returns the same tensors again and again, written anew."""

    def reset(self, seed: int | None = None) -> tuple[At, Tensor]:
        seen, mask = super().reset(seed)
        self.kept = Transition(
            seen, mask, torch.zeros(self.n_envs), *torch.zeros(2, self.n_envs).bool(), At(seen.place.clone()),
            torch.zeros(self.n_envs).bool(),
        )  # fmt: skip
        return self.kept.observation, self.kept.mask

    def step(self, action: Tensor) -> Transition[At]:
        after = super().step(action)
        self.kept.observation.place.copy_(after.observation.place)
        self.kept.final.place.copy_(after.final.place)
        for name in ("mask", "reward", "terminated", "truncated", "illegal"):
            getattr(self.kept, name).copy_(getattr(after, name))
        return self.kept
