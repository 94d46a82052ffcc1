"""Outlook: what is still to be had from each beat on, by the margins alone.

The best an edit can do that only goes forward, found backwards beat by beat as in value iteration. The head is told it
as one more thing to go by (the idea: Tamar et al., Value iteration networks, NIPS 2016), so that it need not learn to
look further ahead than it sees; what goes back, and what was played already, is for the head to judge.
"""

import numpy as np
import torch
from numba import njit
from torch import Tensor

from rl_editor.arrays import Array, IntArray

_JOIN = 2.0  # beats that a join costs, beside its seam score


@torch.no_grad()
def outlook(margin: Tensor, landed: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
    """Worth of standing before each beat, (G, B+1), and what each landing gains over the best, (G, B+1, K), in beats.

    Args:
        margin: how far each beat is above what need not be kept, (G, B); a beat is worth between -1 and 1.
        landed: beat of each landing, (G, B+1, K); -1 where there is none.
        score: seam score of each, (G, B+1, K).
    """
    worth = torch.tanh(margin / 2).float()
    price = score.float() + _JOIN * (torch.arange(score.shape[1], device=score.device) > 0)[:, None]
    columns = (worth.cpu().numpy(), landed.cpu().numpy(), price.cpu().numpy())
    values = torch.as_tensor(np.stack([_values(*each) for each in zip(*columns, strict=True)])).to(margin.device)
    there = values.gather(1, landed.clamp(min=0).flatten(1)).view(landed.shape)
    gains = torch.where(landed >= 0, there - price - values[..., None], 0.0)
    return values, gains


@njit(cache=True)
def _values(worth: Array, landed: IntArray, price: Array) -> Array:  # pragma: no cover - compiled
    n_beats = len(worth)
    values = np.zeros(n_beats + 1, dtype=np.float32)
    for beat in range(n_beats - 1, -1, -1):
        best = max(np.float32(0.0), worth[beat] + values[beat + 1])
        for k in range(landed.shape[1]):
            if landed[beat, k] > beat:
                best = max(best, values[landed[beat, k]] - price[beat, k])
        values[beat] = best
    return values
