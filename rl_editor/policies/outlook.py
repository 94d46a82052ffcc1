"""Outlook: what is still to be had from each beat on in the time that is left, by the margins alone.

The best an edit can do that only goes forward, found backwards over beats and time left as in value iteration. The head
is told it as one more thing to go by (the idea: Tamar et al., Value iteration networks, NIPS 2016), so that it need not
learn to look further ahead than it sees; what goes back, and what was played already, is for the head to judge.
"""

from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from rl_editor.arrays import Array, IntArray

_JOIN = 2.0  # beats that a join costs, beside its seam score
_STEPS = 256  # steps of time left, at most
_LACKING = 2.0  # beats that each beat costs by which an edit stays too short


class Outlook(NamedTuple):
    """Of G recordings."""

    values: Tensor
    """Worth of standing before each beat with so many steps of time left, (G, B+1, T+1), in beats."""
    step: Tensor
    """Share of the recording that one step lasts, (G,)."""
    worth: Tensor
    """Of each beat, (G, B) in [-1, 1]."""
    steps: Tensor
    """That each beat lasts, (G, B) int64."""
    price: Tensor
    """Of each landing, (G, B+1, K) in beats."""
    landed: Tensor
    """Beat of each landing, (G, B+1, K) int64; -1 where there is none."""

    def at(self, recording: Tensor, playhead: Tensor, left: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Worth of N situations, what keeping on gains over the best (N,), and what each landing gains (N, K).

        Args:
            recording: (N,).
            playhead: (N,).
            left: share of the recording that is still to be played, (N,).
        """
        steps = (left / self.step[recording]).round().long().clamp(0, self.values.shape[2] - 1)
        best = self.values[recording, playhead, steps]
        beat = playhead.clamp(max=self.worth.shape[1] - 1)
        after = (steps - self.steps[recording, beat]).clamp(min=0)
        kept = self.worth[recording, beat] + self.values[recording, beat + 1, after]
        landed = self.landed[recording, playhead]
        there = self.values[recording[:, None], landed.clamp(min=0), steps[:, None]]
        gains = there - self.price[recording, playhead] - best[:, None]
        return best, kept - best, torch.where(landed >= 0, gains, 0.0)


@torch.no_grad()
def outlook(margin: Tensor, share: Tensor, ratio: Tensor, landed: Tensor, score: Tensor) -> Outlook:
    """The outlook of G recordings.

    Args:
        margin: how far each beat is above what need not be kept, (G, B); a beat is worth between -1 and 1.
        share: length of each beat as a share of the recording, (G, B); 0 where there is no beat.
        ratio: length of the edit over the recording's, (G,).
        landed: beat of each landing, (G, B+1, K); -1 where there is none.
        score: seam score of each, (G, B+1, K).
    """
    worth = torch.tanh(margin / 2).float() * (share > 0)
    mean = share.sum(dim=1) / (share > 0).sum(dim=1).clamp(min=1)
    step = torch.maximum(mean, ratio / _STEPS).clamp(min=1e-9)
    ends = (share.cumsum(dim=1).double() / step[:, None]).round().long()
    steps = torch.diff(ends, dim=1, prepend=torch.zeros_like(ends[:, :1]))
    price = score.float() + _JOIN * (torch.arange(score.shape[1], device=score.device) > 0)[:, None]
    n_steps = int((ratio / step).max().ceil()) + 1
    lacking = (_LACKING * step / mean.clamp(min=1e-9)).tolist()
    columns = [column.cpu().numpy() for column in (worth, steps, landed, price)]
    values = [_values(*each, n_steps, lack) for *each, lack in zip(*columns, lacking, strict=True)]
    return Outlook(torch.as_tensor(np.stack(values)).to(margin.device), step, worth, steps, price, landed)


@njit(cache=True)
def _values(
    worth: Array, steps: IntArray, landed: IntArray, price: Array, n_steps: int, lacking: float
) -> Array:  # pragma: no cover - compiled
    """`Outlook.values` of one recording, (B+1, n_steps + 1); `lacking` beats are lost for each step not played."""
    n_beats = len(worth)
    values = np.zeros((n_beats + 1, n_steps + 1), dtype=np.float32)
    for left in range(n_steps + 1):
        values[n_beats, left] = -lacking * left
    for beat in range(n_beats - 1, -1, -1):
        for left in range(1, n_steps + 1):
            values[beat, left] = worth[beat] + values[beat + 1, max(left - steps[beat], 0)]
        for k in range(landed.shape[1]):
            there = landed[beat, k]
            if there > beat:
                for left in range(1, n_steps + 1):
                    values[beat, left] = max(values[beat, left], values[there, left] - price[beat, k])
    return values
