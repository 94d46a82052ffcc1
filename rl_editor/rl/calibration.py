"""What differences of scores are worth on answers they were not fitted to. Nothing here is about music.

All take d, the difference of scores of each pair, and whether the first of it won; ties are left out.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_LEAST, _MOST = 1e-3, 1e3  # factors between which the best is looked for
_HALVINGS = 60


class Band(NamedTuple):
    """Pairs of similar margin."""

    margin: float
    """Mean of |d|."""
    accuracy: float
    pairs: int


def best_factor(difference: Tensor, won: Tensor, *, prior: float = 1.0) -> float:
    """The factor f > 0 by which sigmoid(f d) is likeliest; the inverse of a temperature (Guo et al., ICML 2017).

    Args:
        difference: d, (N,).
        won: (N,) bool.
        prior: pairs in favour of 1 won and lost at the middle margin each, so that a few answers that all come true do
            not make it infinite.
    """
    d, y = difference.double(), won.double()
    middle = d.abs().median() if len(d) else torch.ones((), dtype=torch.float64)

    def slope(factor: float) -> float:  # of the mean likelihood, falling in the factor
        return float(((y - (factor * d).sigmoid()) * d).sum() + prior * middle * (0.5 - (factor * middle).sigmoid()))

    low, high = _LEAST, _MOST
    for _ in range(_HALVINGS):
        at = (low * high) ** 0.5
        low, high = (at, high) if slope(at) > 0 else (low, at)
    return (low * high) ** 0.5


def calibration_error(probability: Tensor, won: Tensor, *, bins: int = 10) -> float:
    """Expected calibration error over bins of equally many pairs: mean distance of what was said from what came true.

    Which of a pair stands first is chance, so the side that is thought the likelier is looked at (Guo et al. 2017).

    Args:
        probability: that the first wins, (N,), N > 0.
        won: (N,) bool.
        bins: fewer where there are fewer pairs.
    """
    sure, order = torch.where(probability >= 0.5, probability, 1.0 - probability).double().sort()
    right = ((probability >= 0.5) == won)[order].double()
    parts = zip(sure.tensor_split(bins), right.tensor_split(bins), strict=True)
    return sum(abs(float(said.sum() - came.sum())) for said, came in parts) / len(sure)


def accuracy(difference: Tensor, won: Tensor) -> float:
    """Share of pairs whose order is right, equal scores counting half."""
    right = torch.where(won, difference, -difference)
    return float(((right > 0).double() + 0.5 * (right == 0).double()).mean())


def accuracy_by_margin(difference: Tensor, won: Tensor, *, bands: int = 3) -> list[Band]:
    """Accuracy of pairs in bands of equally many, the narrowest margins first."""
    order = difference.abs().argsort()
    return [
        Band(float(difference[rows].abs().mean()), accuracy(difference[rows], won[rows]), len(rows))
        for rows in order.tensor_split(bands)
        if len(rows)
    ]


def correlation_within(values: Tensor, others: Tensor, group: Tensor) -> float:
    """Correlation of two quantities within groups, whose own means are taken off; 0 where nothing varies.

    Args:
        values: (N,).
        others: (N,).
        group: number of each one's group, (N,) int64.
    """
    x, y = (_less_means(each.double(), group) for each in (values, others))
    spread = float(x.norm() * y.norm())
    return float(x @ y) / spread if spread > 1e-12 else 0.0


def _less_means(values: Tensor, group: Tensor) -> Tensor:
    total, count = (group.bincount(weights, minlength=1) for weights in (values, torch.ones_like(values)))
    return values - (total / count)[group]
