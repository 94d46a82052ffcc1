"""Tabular Q-learning on N episodes that step together, where not every action is legal in every state.

Source: Watkins and Dayan, Q-learning, Machine Learning 8, 1992. Rates by visits: Even-Dar and Mansour, Learning Rates
for Q-learning, JMLR 5, 2003.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class QTableConfig:
    """How a table learns."""

    gamma: float = 1.0
    """Worth of a reward one step later."""
    decay: float = 0.8
    """The n-th visit of a state and action moves its value by n to the power of minus this. Above 0.5 it converges, the
    lower the sooner it forgets its beginnings; 0 suits what leaves nothing to chance: the newest target is all."""


class Transitions(NamedTuple):
    """N steps, (N,) each unless told otherwise."""

    state: Tensor
    """int64."""
    action: Tensor
    """int64."""
    reward: Tensor
    """Float."""
    following: Tensor
    """State that came of it, int64; any where the episode ended."""
    legal: Tensor
    """Legal actions there, (N, A) bool."""
    ended: Tensor
    """Nothing follows, bool."""


class QTable:
    """What each of A actions is worth in each of S states."""

    value: Tensor
    """Expected return, (S, A) float64; 0 where nothing was learned yet."""
    visits: Tensor
    """How often each was learned from, (S, A) int64."""

    def __init__(
        self, n_states: int, n_actions: int, config: QTableConfig | None = None, *, device: torch.device | str = "cpu"
    ) -> None:
        """A table of zeros.

        Args:
            n_states: S.
            n_actions: A.
            config: how it learns.
            device: where it lives.
        """
        self.config = config or QTableConfig()
        self.value = torch.zeros(n_states, n_actions, dtype=torch.float64, device=device)
        self.visits = torch.zeros(n_states, n_actions, dtype=torch.int64, device=device)

    def update(self, seen: Transitions) -> Tensor:
        """Learn from N steps at once; their temporal differences, (N,) float64.

        All are measured against the table as it was. Steps of one state and action are as many visits, and move its
        value by the mean of their differences, so that the order of the N does not matter.
        """
        pair = seen.state * self.value.shape[1] + seen.action
        value, visits = self.value.view(-1), self.visits.view(-1)
        best = best_legal(self.value[seen.following], seen.legal)
        target = seen.reward.to(value) + self.config.gamma * torch.where(seen.ended, 0.0, best)
        difference = target - value[pair]
        count = torch.bincount(pair, minlength=len(value))
        visits += count
        share = (count[pair] / visits[pair]) ** self.config.decay / count[pair]
        value.index_add_(0, pair, share * difference)
        return difference

    def greedy(self, state: Tensor, legal: Tensor) -> Tensor:
        """The best legal action of those that were ever learned from, else the first legal one, (N,) int64.

        Args:
            state: (N,) int64.
            legal: (N, A) bool, something true in each row.
        """
        known = legal & (self.visits[state] > 0)
        learned = torch.where(known, self.value[state], -torch.inf).argmax(dim=1)
        return torch.where(known.any(dim=1), learned, legal.to(torch.uint8).argmax(dim=1))

    def explore(self, state: Tensor, legal: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
        """The greedy action, or with probability `epsilon` any legal one, all equally likely, (N,) int64.

        Args:
            state: (N,) int64.
            legal: (N, A) bool, something true in each row.
            epsilon: in [0, 1].
            generator: on the table's device.
        """
        anything = torch.multinomial(legal.to(torch.float32), 1, generator=generator)[:, 0]
        chance = torch.rand(len(state), generator=generator, device=state.device) < epsilon
        return torch.where(chance, anything, self.greedy(state, legal))


def best_legal(value: Tensor, legal: Tensor) -> Tensor:
    """Greatest value of a legal action, (N,); 0 where none is legal.

    Args:
        value: (N, A) float.
        legal: (N, A) bool.
    """
    best = torch.where(legal, value, -torch.inf).amax(dim=1)
    return torch.where(legal.any(dim=1), best, 0.0)
