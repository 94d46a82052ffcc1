"""Outlook: what is still to be had from each beat on in the time that is left, by the margins alone.

The best an edit can do that only goes forward in the song, found backwards over beats and time left as in value
iteration. The head is told it as one more thing to go by (the idea: Tamar et al., Value iteration networks, NIPS 2016),
so that it need not learn to look further ahead than it sees; what goes back, and what was played already, is for the
head to judge.
"""

from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from rl_editor.arrays import Array, BoolArray, IntArray

_JOIN = 5.0  # beats that a join costs, beside its seam score
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
    place: Tensor
    """Of each bound in the song, (G, B+1) int64."""
    lacking: Tensor
    """Beats that each step costs by which an edit stays too short, (G,)."""
    ratio: Tensor
    """Length of the edit over the recording's, (G,)."""

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
        goes_back = self.place[recording, beat + 1] < self.place[recording, beat]
        onward = torch.where(goes_back, -self.lacking[recording] * after, self.values[recording, beat + 1, after])
        kept = self.worth[recording, beat] + onward
        landed = self.landed[recording, playhead]
        there = self.values[recording[:, None], landed.clamp(min=0), steps[:, None]]
        gains = there - self.price[recording, playhead] - best[:, None]
        return best, kept - best, torch.where(landed >= 0, gains, 0.0)

    def is_ahead(self, recording: Tensor, playhead: Tensor) -> Tensor:
        """Which landings of N playheads go forward in the song, (N, K) bool; at the beginning all do."""
        landed = self.landed[recording, playhead]
        there = self.place[recording[:, None], landed.clamp(min=0)]
        forward = (there > self.place[recording, playhead][:, None]) | (playhead == 0)[:, None]
        return forward & (landed >= 0)

    def played(self, number: int) -> IntArray:
        """The beats that the best way on plays of one recording, as it is recorded, (N,)."""
        columns = (self.worth, self.steps, self.landed, self.price, self.place, self.values)
        n_steps = round(float(self.ratio[number] / self.step[number]))
        played: BoolArray = _played(*(column[number].cpu().numpy() for column in columns), n_steps)
        return np.flatnonzero(played)


@torch.no_grad()
def outlook(
    margin: Tensor, share: Tensor, ratio: Tensor, landed: Tensor, score: Tensor, place: Tensor | None = None
) -> Outlook:
    """The outlook of G recordings.

    Args:
        margin: how far each beat is above what need not be kept, (G, B); a beat is worth between -1 and 1.
        share: length of each beat as a share of the recording, (G, B); 0 where there is no beat.
        ratio: length of the edit over the recording's, (G,).
        landed: beat of each landing, (G, B+1, K); -1 where there is none.
        score: seam score of each, (G, B+1, K).
        place: of each bound in the song, (G, B+1) int64; None: as it is recorded.
    """
    worth = torch.tanh(margin / 2).float() * (share > 0)
    mean = share.sum(dim=1) / (share > 0).sum(dim=1).clamp(min=1)
    step = torch.maximum(mean, ratio / _STEPS).clamp(min=1e-9)
    ends = (share.cumsum(dim=1).double() / step[:, None]).round().long()
    steps = torch.diff(ends, dim=1, prepend=torch.zeros_like(ends[:, :1]))
    price = score.float() + _JOIN * (torch.arange(score.shape[1], device=score.device) > 0)[:, None]
    n_steps = int((ratio / step).max().ceil()) + 1
    lacking = _LACKING * step / mean.clamp(min=1e-9)
    if place is None:
        place = torch.arange(landed.shape[1], device=landed.device).expand(landed.shape[:2])
    columns = [column.cpu().numpy() for column in (worth, steps, landed, price, place)]
    values = [_values(*each, n_steps, lack) for *each, lack in zip(*columns, lacking.tolist(), strict=True)]
    found = torch.as_tensor(np.stack(values)).to(margin.device)
    return Outlook(found, step, worth, steps, price, landed, place, lacking, ratio.detach())


@njit(cache=True)
def _values(
    worth: Array, steps: IntArray, landed: IntArray, price: Array, place: IntArray, n_steps: int, lacking: float
) -> Array:  # pragma: no cover - compiled
    """`Outlook.values` of one recording, (B+1, n_steps + 1); `lacking` beats are lost for each step not played."""
    n_beats = len(worth)
    values = np.zeros((n_beats + 1, n_steps + 1), dtype=np.float32)
    for left in range(n_steps + 1):
        values[n_beats, left] = -lacking * left
    order = np.argsort(place[1:n_beats])[::-1] + 1
    # last: an edit may begin anywhere, wherever the first beat belongs
    for beat in np.append(order, 0):
        goes_back = place[beat + 1] < place[beat]
        for left in range(1, n_steps + 1):
            after = max(left - steps[beat], 0)
            values[beat, left] = worth[beat] + (-lacking * after if goes_back else values[beat + 1, after])
        for k in range(landed.shape[1]):
            there = landed[beat, k]
            if there > 0 and (beat == 0 or place[there] > place[beat]):
                for left in range(1, n_steps + 1):
                    values[beat, left] = max(values[beat, left], values[there, left] - price[beat, k])
    return values


@njit(cache=True)
def _played(
    worth: Array, steps: IntArray, landed: IntArray, price: Array, place: IntArray, values: Array, n_steps: int
) -> BoolArray:  # pragma: no cover - compiled
    """Which beats the best way on from the beginning plays in so many steps, (B,)."""
    n_beats = len(worth)
    played = np.zeros(n_beats, dtype=np.bool_)
    beat, left = 0, n_steps
    while beat < n_beats and left > 0:
        best = -np.inf if place[beat + 1] < place[beat] else worth[beat] + values[beat + 1, max(left - steps[beat], 0)]
        going = beat
        for k in range(landed.shape[1]):
            there = landed[beat, k]
            if there > 0 and (beat == 0 or place[there] > place[beat]) and values[there, left] - price[beat, k] > best:
                best, going = values[there, left] - price[beat, k], there
        played[going] = True
        left -= steps[going]
        beat = going + 1
    return played
