"""Preferences as differences of scores: how likely an answer on two things, or a rating of one, is.

Nothing here is about music. Of two things with scores a and b only d = a - b counts for an answer, so that exchanging
them exchanges the answers exactly. An answer is a grade k from -S (the second by far) over 0 (a tie) to S (the first by
far), and

    P(k) ~ exp(k d / 2 + w_|k|),    w_1 = 0.

With S = 1 this is Davidson's model of ties (Davidson, JASA 1970), whose tie parameter is exp(w_0); without ties and
grades it is Bradley and Terry's (Biometrika 1952). Grades by adjacent categories: Agresti, Applied Statistics 1992. A
strong answer thus speaks for a greater difference by itself, no margin or soft target has to be invented, and how
readily raters use ties and strong words is learned.

Ratings follow the same score by a cumulative logit (McCullagh, JRSS B 1980), P(rating <= r) = sigmoid(t_r - s a),
rather than a Gaussian: marks out of ten are ordered, not evenly spaced, and end at both ends.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

STRENGTHS = 3
"""S: grades on either side of a tie."""
RATINGS = 10
"""Ratings are 1 to this."""
_FIRST_THRESHOLD, _STEP = -4.0, 1.0  # before anything is learned: ratings spread evenly over the usual scores


class Raters(nn.Module):
    """How answers and ratings come about from scores; its parameters are the raters' habits."""

    def __init__(self) -> None:
        super().__init__()
        self.tie = nn.Parameter(torch.zeros(()))
        self.stronger = nn.Parameter(torch.zeros(STRENGTHS - 1))
        self.lowest = nn.Parameter(torch.tensor(_FIRST_THRESHOLD))
        self.steps = nn.Parameter(torch.full((RATINGS - 2,), _STEP).expm1().log())
        self.slope = nn.Parameter(torch.ones(()).expm1().log())

    @property
    def weights(self) -> Tensor:
        """w_0 to w_S, (S+1,)."""
        return torch.cat([self.tie[None], self.tie.new_zeros(1), self.stronger])

    @property
    def thresholds(self) -> Tensor:
        """t_1 to t_9, rising, (RATINGS - 1,)."""
        return self.lowest + torch.cat([self.lowest.new_zeros(1), functional.softplus(self.steps).cumsum(dim=0)])

    def answers(self, difference: Tensor) -> Tensor:
        """Log-probabilities of all grades, (..., 2S+1)."""
        return grade_log_probs(difference, self.weights)

    def ratings(self, score: Tensor) -> Tensor:
        """Log-probabilities of all ratings, (..., RATINGS)."""
        return rating_log_probs(functional.softplus(self.slope) * score, self.thresholds)


def grade_log_probs(difference: Tensor, weights: Tensor) -> Tensor:
    """Log-probabilities of the grades -S to S, (..., 2S+1).

    Args:
        difference: score of the first less that of the second, (...).
        weights: w_0 to w_S, (S+1,).
    """
    most = len(weights) - 1
    grade = torch.arange(-most, most + 1, device=difference.device)
    return (difference[..., None] * grade / 2 + weights[grade.abs()]).log_softmax(dim=-1)


def rating_log_probs(score: Tensor, thresholds: Tensor) -> Tensor:
    """Log-probabilities of ratings 1 to R, (..., R).

    Args:
        score: (...), in units of the thresholds.
        thresholds: rising, (R-1,).
    """
    below = thresholds - score[..., None]
    rows = (*score.shape, 1)
    upper = torch.cat([below, below.new_full(rows, torch.inf)], dim=-1)
    lower = torch.cat([below.new_full(rows, -torch.inf), below], dim=-1)
    # log(sigmoid(u) - sigmoid(l)), stable at both ends: both sides of the middle are taken by the smaller tail
    gap = -torch.expm1((lower - upper).clamp(min=-1e4, max=-1e-6))
    return functional.logsigmoid(upper) + functional.logsigmoid(-lower) + gap.log()


def answer_loss(log_probs: Tensor, side: Tensor, strength: Tensor) -> Tensor:
    """Negative log-likelihood of answers, (N,).

    Args:
        log_probs: of the grades, (..., N, 2S+1).
        side: 1 where the first is better, -1 where the second is, 0 for a tie, (N,) int64.
        strength: 1 to S; 0 where it was not told, or for a tie, (N,) int64.
    """
    most = log_probs.shape[-1] // 2
    grade = torch.arange(-most, most + 1, device=log_probs.device)
    fits = grade.sign() == side[:, None]
    fits &= (strength == 0)[:, None] | (grade.abs() == strength[:, None])
    return -log_probs.masked_fill(~fits, -torch.inf).logsumexp(dim=-1)


def choice_loss(difference: Tensor, side: Tensor) -> Tensor:
    """Negative log-likelihood of a choice without ties or strength (Bradley and Terry), (..., N).

    Args:
        difference: (..., N).
        side: 1 where the first is better, else -1, (N,).
    """
    return functional.softplus(-side * difference)


def rating_loss(log_probs: Tensor, rating: Tensor) -> Tensor:
    """Negative log-likelihood of ratings, (..., N).

    Args:
        log_probs: (..., N, R).
        rating: 1 to R, (N,) int64.
    """
    return -log_probs.gather(-1, (rating - 1).expand(log_probs.shape[:-1])[..., None])[..., 0]


def centring(first: Tensor, second: Tensor) -> Tensor:
    """How far the scores of pairs together are from 0, (...): answers say nothing of where scores lie, so this does.

    Source: Eisenstein et al. 2023 (arXiv 2312.09244), as in TRL's `center_rewards_coefficient`.
    """
    return (first + second).square()
