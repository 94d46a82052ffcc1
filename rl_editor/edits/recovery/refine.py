"""Fine decoding: which offset each 10 ms of the edit plays, from the local correlation at every offset proposed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from rl_editor.arrays import Array, DoubleArray
from rl_editor.edits.recovery.hearing import RATE, excerpt
from rl_editor.edits.recovery.offsets import SAME_OFFSET, Offset, information, lag_of

BLOCK = 110
"""Samples at `RATE` of one decision: 10 ms."""
_SMOOTHED = 5  # blocks of a local correlation
_AROUND_S = 2.0  # how far from where it was proposed an offset is tried
_UNMATCHED = 0.14  # information of a local correlation of 0.5
_MISSING = 1.0  # information more where the raw sounds and the edit is silent: a tenth of a second pays for a jump
_JUMP = 12.0  # what a change of offset must add; 30 ms of a perfect fit add 14
_SILENT = 1e-6  # of the energy of a loud block
_GATED = 1e-4  # of the energy of a loud block of the raw: what is quieter may well be silent in the edit
_NEVER = -1e3
_LONGEST_S = 8.0
_LEAST_CORRELATION = 0.5  # other music in the same key reaches 0.4 for a note or two


@dataclass(frozen=True)
class Stretch:
    """[start, end) of the edit at one offset to the raw; samples at `RATE`."""

    start: int
    end: int
    offset: float
    correlation: float
    """Over the whole stretch, in [0, 1]."""


def refine(edit: Array, raw: Array, offsets: Sequence[Offset]) -> list[Stretch]:
    """Stretches of the edit in order, neighbours at different offsets; what fits nowhere is left out.

    Args:
        edit: (channels, n) at `RATE`, of the raw's polarity.
        raw: (channels, n) at `RATE`.
        offsets: where to look.
    """
    n_blocks = -(-edit.shape[1] // BLOCK)
    heard, sounding = _audible(edit, _SILENT), _audible(raw, _GATED)
    gain = np.full((n_blocks, len(offsets) + 1), _NEVER, dtype=np.float32)
    gain[:, 0] = 0.0  # unmatched
    for column, offset in enumerate(offsets, start=1):
        for first, last in _surroundings(offset, n_blocks):
            fit = local_correlation(edit, raw, offset.samples, first, last)
            there = np.arange(first, last) + offset.samples / BLOCK
            loud = np.interp(there, np.arange(len(sounding)), sounding, 0.0, 0.0)
            # silence tells nothing where the raw is silent too, but where the raw sounds it does not come from there
            missing = np.maximum(loud - heard[first:last], 0.0)
            weight = heard[first:last] + missing
            gain[first:last, column] = (information(fit) - _UNMATCHED - _MISSING * missing) * weight
    path = _best_path(gain, np.float32(_JUMP))
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), n_blocks]
    runs = [
        (a * BLOCK, min(b * BLOCK, edit.shape[1]), offsets[path[a] - 1].samples)
        for a, b in pairwise(edges)
        if path[a] > 0
    ]
    alone = [_measured(edit, raw, *run) for run in runs]
    known = set(alone)
    joined = [
        each if each in known else _measured(edit, raw, each.start, each.end, each.offset) for each in merged(alone)
    ]
    return [stretch for stretch in joined if stretch.correlation >= _LEAST_CORRELATION]


def local_correlation(edit: Array, raw: Array, offset: float, first: int, last: int) -> DoubleArray:
    """Correlation at an offset over 50 ms around each of the blocks [first, last), in [-1, 1]."""
    n = min(last * BLOCK, edit.shape[1]) - first * BLOCK
    here = edit[:, first * BLOCK : first * BLOCK + n]
    there = excerpt(raw, first * BLOCK + offset, n)
    kernel = np.ones(_SMOOTHED)
    both, own, other = (
        np.convolve(_block_sums((a * b).sum(axis=0)), kernel, mode="same")
        for a, b in ((here, there), (here, here), (there, there))
    )
    return np.clip(both / np.sqrt(np.maximum(own * other, 1e-30)), -1.0, 1.0)


def correlation(edit: Array, raw: Array, start: int, end: int, offset: float) -> float:
    """Correlation of [start, end) of the edit with the raw at an offset, in [0, 1]; 0 of silence.

    Args:
        edit: (channels, n) at `RATE`, of the raw's polarity.
        raw: (channels, n) at `RATE`.
        start, end: samples at `RATE`.
        offset: samples at `RATE`, may lie between samples.
    """
    here, there = edit[:, start:end], excerpt(raw, start + offset, end - start)
    energy = float(np.vdot(here, here)) * float(np.vdot(there, there))
    return float(np.clip(np.vdot(here, there) / np.sqrt(energy), 0.0, 1.0)) if energy > 0 else 0.0


def _audible(sound: Array, floor: float) -> DoubleArray:
    """0 to 1 for each block: 0 for silence, 1/2 at `floor` of the energy of the sound's loud blocks."""
    energy = _block_sums(np.square(sound).sum(axis=0))
    loud = max(float(np.percentile(energy, 95)), 1e-20)
    return energy / (energy + floor * loud)


def _measured(edit: Array, raw: Array, start: int, end: int, offset: float) -> Stretch:
    """The stretch with its offset to a hundredth of a sample, from its middle."""
    length = min(end - start, round(_LONGEST_S * RATE))
    middle = (start + end - length) // 2
    offset = lag_of(edit, raw, middle, length, offset)
    return Stretch(start, end, offset, correlation(edit, raw, start, end, offset))


def merged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Stretches in order, those that go on at the offset of the one before joined to it."""
    joined: list[Stretch] = []
    for stretch in stretches:
        before = joined[-1] if joined else None
        if before and before.end == stretch.start and abs(before.offset - stretch.offset) < SAME_OFFSET:
            longer = max(before, stretch, key=lambda each: each.end - each.start)
            joined[-1] = Stretch(before.start, stretch.end, longer.offset, longer.correlation)
        else:
            joined.append(stretch)
    return joined


def _surroundings(offset: Offset, n_blocks: int) -> list[tuple[int, int]]:
    """Blocks [first, last) in which an offset is tried; they do not overlap."""
    around = round(_AROUND_S * RATE)
    joined: list[tuple[int, int]] = []
    for start, end in offset.spans:
        first, last = max((start - around) // BLOCK, 0), min((end + around) // BLOCK, n_blocks)
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _block_sums(values: Array) -> DoubleArray:
    padded = np.pad(values, (0, -len(values) % BLOCK))
    return padded.reshape(-1, BLOCK).sum(axis=1, dtype=np.float64)


@njit(cache=True)
def _best_path(gain, jump):  # type: ignore[no-untyped-def]
    """Column of each row that gives the largest sum, changes costing `jump`."""
    rows, columns = gain.shape
    score = gain[0].copy()
    stayed = np.ones((rows, columns), dtype=np.bool_)
    best_before = np.zeros(rows, dtype=np.int64)
    for t in range(1, rows):
        best = int(np.argmax(score))
        best_before[t] = best
        leap = score[best] - jump
        for k in range(columns):
            stay = score[k]
            if stay < leap:
                stayed[t, k] = False
                stay = leap
            score[k] = stay + gain[t, k]
        score -= leap
    path = np.empty(rows, dtype=np.int64)
    at = int(np.argmax(score))
    for t in range(rows - 1, -1, -1):
        path[t] = at
        if not stayed[t, at]:
            at = best_before[t]
    return path
