"""The scale of returns, kept up to date, so that a critic always learns numbers around 0 and 1."""

import torch
from torch import Tensor, nn

_LEAST = 1e-4  # standard deviation: constant returns are not blown up
_FORGOTTEN = 0.01


class ValueScale(nn.Module):
    """Mean and variance of returns, part of the weights: a critic means nothing without them.

    The first update sets them; each later one forgets 1 % of what was known, or as much as makes all updates count
    alike while there are fewer than a hundred. Until the first one the scale is the plain one. A later update rewrites
    the critic's last layer, so that no value changes but by learning.

    Source: Pop-Art of van Hasselt, Guez, Hessel, Mnih, Silver, Learning values across many orders of magnitude, NIPS
    2016 (arXiv 1602.07714).
    """

    mean: Tensor
    """() float32."""
    variance: Tensor
    """() float32."""
    updates: Tensor
    """How many there were, () int64."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @property
    def spread(self) -> Tensor:
        """Standard deviation of returns, ()."""
        return self.variance.sqrt().clamp(min=_LEAST)

    @torch.no_grad()
    def update(self, mean: Tensor, variance: Tensor, head: nn.Linear) -> None:
        """Take in the returns of one rollout.

        Args:
            mean: theirs, (); of all processes where several train.
            variance: theirs about that mean, ().
            head: gives the critic's values; is rewritten for the scale as it becomes, but not at the first update, so
                that a critic that has learned nothing begins at the mean return and not at 0.
        """
        known, old_mean, old_spread = bool(self.updates), self.mean.clone(), self.spread
        self.updates += 1
        share = (1.0 / self.updates).clamp(min=_FORGOTTEN)
        moved = mean - self.mean
        self.mean += share * moved
        # of a mixture: what both vary within themselves, and by the distance of their means
        self.variance.mul_(1.0 - share).add_(share * variance + share * (1.0 - share) * moved.square())
        if known:
            head.weight.mul_(old_spread / self.spread)
            head.bias.mul_(old_spread).add_(old_mean - self.mean).div_(self.spread)

    def normalised(self, returns: Tensor) -> Tensor:
        """Returns on the critic's scale, float32."""
        return (returns.float() - self.mean) / self.spread

    def denormalised(self, value: Tensor) -> Tensor:
        """The critic's values as returns, float32."""
        return value.float() * self.spread + self.mean
