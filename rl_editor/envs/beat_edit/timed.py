"""The playing times that finish an edit with locks or a fixed end: a table over playheads and times.

Such times have gaps, so two bounds would not do. Time is counted as where the edit would end if it went on without a
landing: the playhead's bound and what is still to play. KEEP leaves that as it is; a landing moves it by what it skips.
So rounding happens at landings alone: a cell of the table is true only if all times in it finish, which loses up to a
cell at each landing but never promises too much. What KEEP alone can finish is told exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rl_editor.arrays import BoolArray, IntArray
from rl_editor.edits.stacking import stacked

_CELLS = 8  # of the table in half a window
_MOST_LOOPS = 4  # repeats of the reserve loop that a certificate may count on


@dataclass(frozen=True, eq=False)
class FinishingTimes:
    """Of one assignment."""

    finishes: BoolArray
    """Whether all times of a cell finish from a playhead, (B+1, cells)."""
    cell: int
    """Samples."""
    earliest: int
    """Samples at which the first cell begins; negative."""
    straight: IntArray
    """The earliest and the latest time that KEEP alone can finish from each playhead, (B+1, 2); the latest is the
    earlier where there is none."""
    via: BoolArray
    """Playheads from which KEEP leads to the reserve loop, (B+1,)."""
    loop_row: int
    """Playhead that it leaves from; 0 where there is none."""


def finishing_times(
    bounds: IntArray,
    *,
    keeps: BoolArray,
    ends: BoolArray,
    onward: BoolArray,
    beat: IntArray,
    shift: IntArray,
    window: int,
    longest: int,
    loop_row: int | None,
) -> FinishingTimes:
    """Finishing times of one assignment.

    Args:
        bounds: samples, (B+1,).
        keeps: beats that may be kept, (B,).
        ends: playheads at which the edit may end, (B+1,): one run, all after the last lock or a single one.
        onward: landings that don't go back, (B+1, K).
        beat: where they land, (B+1, K).
        shift: samples that each skips, (B+1, K).
        window: samples by which the length may be off.
        longest: the longest target of an episode, in samples.
        loop_row: playhead the reserve loop leaves from.
    """
    cell = max(window // _CELLS, 1)
    earliest = -2 * window
    n_cells = (int(bounds[-1]) + longest + 4 * window) // cell + 1
    every = (1 << n_cells) - 1
    finishes = [0] * len(bounds)
    straight = np.tile([1, 0], (len(bounds), 1))
    for p in range(len(bounds) - 1, -1, -1):
        cells = 0
        if ends[p]:
            first = -(-(int(bounds[p]) - window - earliest) // cell)
            last = (int(bounds[p]) + window + 1 - earliest) // cell
            cells |= ((1 << last) - 1) & ~((1 << first) - 1) if last > first else 0
            straight[p] = bounds[p] - window, bounds[p] + window
        if p < len(bounds) - 1 and keeps[p]:
            cells |= finishes[p + 1]
            if straight[p + 1, 0] <= straight[p + 1, 1]:
                straight[p] = straight[p, 0] if ends[p] else straight[p + 1, 0], straight[p + 1, 1]
        for k in np.flatnonzero(onward[p]).tolist():
            cells |= _moved(finishes[int(beat[p, k]) + 1], int(shift[p, k]), cell)
        finishes[p] = cells & every
    row = 0 if loop_row is None else loop_row
    held = np.concatenate([[0], np.cumsum(~keeps)])
    playhead = np.arange(len(bounds))
    via = (playhead <= row) & (held[row] == held) & (loop_row is not None)
    table = np.stack([_bits(each, n_cells) for each in finishes])
    return FinishingTimes(table, cell, earliest, straight, via, row)


@dataclass(frozen=True, eq=False)
class Timed:
    """Finishing times of those of R assignments that need them, padded."""

    index: Tensor
    """Which of them is each assignment's, (R,) int64; -1 where none is needed."""
    finishes: Tensor
    """(R', B+1, cells) bool."""
    cell: Tensor
    """(R',) int64."""
    earliest: Tensor
    """(R',) int64."""
    straight: Tensor
    """(R', B+1, 2) int64."""
    via: Tensor
    """(R', B+1) bool."""
    loop_row: Tensor
    """(R',) int64."""

    @classmethod
    def stacked(cls, tables: Sequence[FinishingTimes | None], rows: int, device: torch.device | str) -> "Timed | None":
        """Those of R assignments, None where one needs none; None if no assignment does."""
        needed = [each for each in tables if each is not None]
        if not needed:
            return None
        cells = max(each.finishes.shape[1] for each in needed)
        places = iter(range(len(needed)))
        return cls(
            index=torch.tensor([-1 if each is None else next(places) for each in tables], device=device),
            finishes=stacked((each.finishes for each in needed), rows, cells, device=device),
            cell=torch.tensor([each.cell for each in needed], device=device),
            earliest=torch.tensor([each.earliest for each in needed], device=device),
            straight=stacked((each.straight for each in needed), rows, device=device),
            via=stacked((each.via for each in needed), rows, device=device),
            loop_row=torch.tensor([each.loop_row for each in needed], device=device),
        )

    def finish(
        self, row: Tensor, playhead: Tensor, ends_at: Tensor, loop_samples: Tensor, times: Tensor, otherwise: Tensor
    ) -> Tensor:
        """Whether edits finish that would end at sample `ends_at` if they went on; `otherwise` where no table is
        needed. All of one shape.

        Args:
            row: of the assignments.
            playhead: where they stand.
            ends_at: bound of the playhead and what is still to play, samples.
            loop_samples: what the reserve loop plays again.
            times: how often it may.
            otherwise: what holds without locks and a fixed end.
        """
        own = self.index[row]
        at = own.clamp(min=0)
        earliest, latest = self.straight[at, playhead].unbind(-1)
        fits = self._cell(at, playhead, ends_at) | ((ends_at >= earliest) & (ends_at <= latest))
        via, loop_row = self.via[at, playhead], self.loop_row[at]
        for loops in range(1, _MOST_LOOPS + 1):
            fits |= via & (times >= loops) & self._cell(at, loop_row, ends_at - loops * loop_samples)
        return torch.where(own >= 0, fits, otherwise)

    def _cell(self, at: Tensor, playhead: Tensor, ends_at: Tensor) -> Tensor:
        cell = torch.div(ends_at - self.earliest[at], self.cell[at], rounding_mode="floor")
        inside = (cell >= 0) & (cell < self.finishes.shape[2])
        return inside & self.finishes[at, playhead, cell.clamp(0, self.finishes.shape[2] - 1)]


def _moved(cells: int, shift: int, cell: int) -> int:
    """Cells all of whose times, `shift` samples later, lie in true cells."""
    whole, rest = divmod(shift, cell)
    moved = cells >> whole if whole >= 0 else cells << -whole
    if rest == 0:
        return moved
    return moved & (cells >> (whole + 1) if whole + 1 >= 0 else cells << -(whole + 1))


def _bits(cells: int, count: int) -> BoolArray:
    """A number's bits, lowest first, (count,)."""
    packed = np.frombuffer(cells.to_bytes(-(-count // 8), "little"), dtype=np.uint8)
    return np.unpackbits(packed, count=count, bitorder="little").astype(bool)
