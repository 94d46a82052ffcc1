"""The scale of returns, kept up to date, so that a critic always learns numbers around 0 and 1."""

import torch
from torch import Tensor, nn

_LEAST = 1e-4  # standard deviation: constant returns are not blown up
_FORGOTTEN = 0.01


class ValueScale(nn.Module):
    """Mean and variance of returns, part of the weights: a critic means nothing without them.

    The first update sets them; each later one forgets 1 % of what was known, or as much as makes all updates count
    alike while there are fewer than a hundred. Until the first one the scale is the plain one.

    Source: the value normalisation of Yu et al., The surprising effectiveness of PPO in cooperative multi-agent games,
    NeurIPS 2022 (arXiv 2103.01955); its idea, van Hasselt et al., Learning values across many orders of magnitude,
    NIPS 2016.
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

    def update(self, mean: Tensor, variance: Tensor) -> None:
        """Take in the returns of one rollout.

        Args:
            mean: theirs, (); of all processes where several train.
            variance: theirs about that mean, ().
        """
        self.updates += 1
        share = (1.0 / self.updates).clamp(min=_FORGOTTEN)
        moved = mean - self.mean
        self.mean += share * moved
        # of a mixture: what both vary within themselves, and by the distance of their means
        self.variance.mul_(1.0 - share).add_(share * variance + share * (1.0 - share) * moved.square())

    def normalised(self, returns: Tensor) -> Tensor:
        """Returns on the critic's scale, float32."""
        return (returns.float() - self.mean) / self.spread

    def denormalised(self, value: Tensor) -> Tensor:
        """The critic's values as returns, float32."""
        return value.float() * self.spread + self.mean
