"""Distributions over actions of which not all are legal.

Illegal actions have the log-probability `ILLEGAL`, a large finite number, so that entropy and gradients stay finite.
Nothing here is about music.
"""

import torch
from torch import Tensor

ILLEGAL = -1e9


def masked_log_probs(logits: Tensor, mask: Tensor) -> Tensor:
    """Log-probabilities of legal actions, `ILLEGAL` for the others, (..., A) float32.

    Args:
        logits: (..., A), any float type.
        mask: legal actions, (..., A) bool, at least one in each row.
    """
    filled = logits.float().masked_fill(~mask, ILLEGAL)
    return filled.log_softmax(dim=-1).masked_fill(~mask, ILLEGAL)


def entropy(log_probs: Tensor) -> Tensor:
    """Entropy in nats of `masked_log_probs`, (...)."""
    # 0 and not `ILLEGAL` goes into exp, where an underflow takes many times as long
    known = log_probs.masked_fill(log_probs <= ILLEGAL, 0.0)
    return -(known.exp() * known).sum(dim=-1)


def sample(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """One action of each row, (...) int64, by Gumbel's trick (Gumbel 1954)."""
    noise = torch.rand(log_probs.shape, generator=generator, device=log_probs.device).clamp(1e-10, 1.0 - 1e-7)
    return (log_probs - (-noise.log()).log()).argmax(dim=-1)


def log_prob_of_any(log_probs: Tensor, wanted: Tensor) -> Tensor:
    """Log-probability that the action is one of the wanted ones, (...).

    Args:
        log_probs: (..., A).
        wanted: (..., A) bool; where none is, the result is `ILLEGAL`.
    """
    return log_probs.masked_fill(~wanted, ILLEGAL).logsumexp(dim=-1)
