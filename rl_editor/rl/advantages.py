"""How much better than expected each decision of a rollout turned out.

Source: Schulman, Moritz, Levine, Jordan, Abbeel, High-dimensional continuous control using generalized advantage
estimation, ICLR 2016 (arXiv 1506.02438). Ends by a time limit are no ends of the task, so what would have followed is
estimated: Pardo, Tavakoli, Levdik, Kormushev, Time limits in reinforcement learning, ICML 2018 (arXiv 1712.00378).
"""

import torch
from torch import Tensor


def advantages(
    reward: Tensor,
    value: Tensor,
    following: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantages of T steps in N episodes under way, (T, N) float32.

    Each column is an environment's own time. Nothing flows back over the end of an episode; what lies beyond is worth
    0 where it terminated, and what its last observation promises where it was truncated.

    Args:
        reward: paid for each step, (T, N).
        value: estimated before it, (T, N).
        following: estimated after it, of the same episode even where it was truncated, (T, N); of no account where it
            terminated.
        terminated: the step brought the episode to its end, (T, N) bool.
        truncated: the episode was broken off after the step, (T, N) bool.
        gamma: worth of a reward one step later.
        gae_lambda: weight of the advantage one step later; 0 trusts the estimates, 1 the rewards.
    """
    surprise = reward.float() + gamma * following.float().masked_fill(terminated, 0.0) - value.float()
    carried = gamma * gae_lambda * (~(terminated | truncated)).float()
    found = torch.empty_like(surprise)
    later = torch.zeros_like(surprise[0])
    for t in reversed(range(len(surprise))):
        later = surprise[t] + carried[t] * later
        found[t] = later
    return found


def explained_variance(value: Tensor, target: Tensor) -> Tensor:
    """Share of the targets' variance that the values account for, (); 1 is perfect, below 0 worse than their mean.

    Args:
        value: estimates, any shape.
        target: what they should have been, likewise. Where all are equal the share is 0.
    """
    spread = target.float().var(correction=0)
    unexplained = (target.float() - value.float()).var(correction=0)
    return torch.where(spread > 0, 1.0 - unexplained / spread.clamp(min=torch.finfo(torch.float32).tiny), 0.0)
