"""An environment of another kind: fill bags, one article a step, so that what is in them is worth the most.

    rl-editor fit --config examples/own_env.yaml --trust-recipe

A bag holds 6 to 10 kg, and an article may be taken as often as it fits; the episode ends when the bag is full. To take
what is worth most for its weight is a trap: what fits beside it is worth little.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rl_editor.envs.base import Transition

WEIGHT_KG = torch.tensor([6, 5, 4, 3, 1])
WORTH = torch.tensor([9.3, 7.5, 5.0, 3.8, 1.0])
LEAST_KG, MOST_KG = 6, 10


class Bag(NamedTuple):
    """What is seen of N bags."""

    room: Tensor
    """One-hot of the kilograms that still fit, (N, 11) float32."""


class Packing:
    """N bags that are filled together."""

    n_actions = len(WEIGHT_KG)

    def __init__(self, n_envs: int = 64) -> None:
        """Make the bags.

        Args:
            n_envs: Bags that are filled at a time.
        """
        self.n_envs, self.device = n_envs, torch.device("cpu")
        self.generator = torch.Generator()

    def reset(self, seed: int | None = None) -> tuple[Bag, Tensor]:
        """Empty bags."""
        if seed is not None:
            self.generator.manual_seed(seed)
        self.room = self._empty()
        return self._seen(self.room), self._mask()

    def step(self, action: Tensor) -> Transition[Bag]:
        """Put one article into each bag; one that does not fit becomes the lightest."""
        fits = self._mask().gather(1, action[:, None])[:, 0]
        action = torch.where(fits, action, self.n_actions - 1)
        room = self.room - WEIGHT_KG[action]
        full = room == 0  # the lightest article fits into every other bag
        self.room = torch.where(full, self._empty(), room)
        never = torch.zeros_like(full)
        return Transition(self._seen(self.room), self._mask(), WORTH[action], full, never, self._seen(room), ~fits)

    def state_dict(self) -> dict[str, Tensor]:
        """All that decides how it goes on, so that a run can be resumed."""
        return {"room": self.room, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from there."""
        self.room = state["room"]
        self.generator.set_state(state["generator"])

    def _empty(self) -> Tensor:
        return torch.randint(LEAST_KG, MOST_KG + 1, (self.n_envs,), generator=self.generator)

    def _seen(self, room: Tensor) -> Bag:
        return Bag(torch.nn.functional.one_hot(room, MOST_KG + 1).float())

    def _mask(self) -> Tensor:
        return self.room[:, None] >= WEIGHT_KG
