"""What PPO trains: a network that tells the chances of actions and the worth of a situation."""

import copy
import itertools
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from rl_editor.rl.masked import masked_log_probs


class Tensors(Protocol):
    """A NamedTuple of tensors that have their first axes in common."""

    def _asdict(self) -> dict[str, Tensor]: ...


Obs = TypeVar("Obs", bound=Tensors)


class ActorCritic(nn.Module, Generic[Obs]):
    """An actor and a critic over observations of one kind. Derive from it, and write `forward`.

    It plays and is trained in `eval` mode, and must then be a function of its arguments and weights alone, row by row.
    """

    def prepare(self) -> Any:
        """What does not change from step to step: a transformer encodes its recordings here.

        Asked for once a rollout and once a minibatch, with gradients where it is trained; given back to `forward`.
        """
        return None

    def forward(self, context: Any, observation: Obs, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of actions (N, A), as `masked_log_probs` gives them, and values (N,).

        Args:
            context: from `prepare`.
            observation: of N situations, any of those of the rollout.
            mask: legal actions there, (N, A) bool; all true where only the value is asked for.
        """
        raise NotImplementedError

    def untrained_copy(self) -> "ActorCritic[Obs]":
        """A copy that stays as it is."""
        return copy.deepcopy(self).eval().requires_grad_(False)

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """The weights on which no log-probability depends; they alone are trained while the critic warms up."""
        raise NotImplementedError

    def critic_head(self) -> nn.Linear:
        """The layer, with a bias, whose one output is the value; it is rewritten when the scale of returns moves."""
        raise NotImplementedError


class MlpActorCritic(ActorCritic[Any]):
    """Two perceptrons, one that acts and one that judges, for observations of few numbers."""

    def __init__(self, observation: Tensors, n_actions: int, width: int = 64, depth: int = 2) -> None:
        """Make them.

        Args:
            observation: any (N, ...), for its size; all its tensors are flattened and put side by side.
            n_actions: A.
            width: Neurons of each hidden layer.
            depth: Hidden layers of each perceptron.
        """
        super().__init__()
        n_inputs = _flat(observation).shape[1]
        self.actor = _perceptron(n_inputs, n_actions, width, depth, last_gain=0.01)
        self.critic = _perceptron(n_inputs, 1, width, depth, last_gain=1.0)

    def forward(self, context: None, observation: Tensors, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (N, A) and values (N,)."""
        flat = _flat(observation)
        return masked_log_probs(self.actor(flat), mask), self.critic(flat)[:, 0]

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the perceptron that judges."""
        return self.critic.parameters()

    def critic_head(self) -> nn.Linear:
        """Its last layer."""
        return cast(nn.Linear, self.critic[-1])


def _flat(observation: Tensors) -> Tensor:
    return torch.cat([tensor.reshape(len(tensor), -1).float() for tensor in observation._asdict().values()], dim=1)


def _perceptron(n_inputs: int, n_outputs: int, width: int, depth: int, *, last_gain: float) -> nn.Sequential:
    """Tanh layers, orthogonal at first; a small last gain makes all actions about equally likely.

    Source: Andrychowicz et al., What matters in on-policy reinforcement learning?, ICLR 2021 (arXiv 2006.05990).
    """
    sizes = [n_inputs, *[width] * depth, n_outputs]
    layers = [nn.Linear(before, after) for before, after in itertools.pairwise(sizes)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, last_gain if layer is layers[-1] else 2.0**0.5)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*itertools.chain(*((layer, nn.Tanh()) for layer in layers[:-1])), layers[-1])
