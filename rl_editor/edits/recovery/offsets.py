"""Offsets: how many samples of the raw lie ahead of the edit, proposed window by window from cross-correlation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.fft

from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.edits.recovery.coarse import UNMATCHED, likeliest
from rl_editor.edits.recovery.hearing import HALF, RATE, excerpt, interpolator

WINDOW_S = 1.5
_REACH_S = 0.05  # searched on each side, besides one frame
_CANDIDATES = 4
_CANDIDATES_AGAIN = 16
_SKIP_S = 0.5
_APART_S = 0.1
_LEAST_CORRELATION = 0.2
_NEARLY_AS_GOOD = 0.4  # share of the best candidate's information
_BLOCK = 64
_STEPS = interpolator(np.arange(16) / 16)
_NEAR = 4  # samples at RATE
_QUIETEST = 1e-6  # of the energy of the loudest window
_FLOOR = 1e-4

SAME_OFFSET = 1.0
"""Samples at `RATE` under which two offsets are one: 0.1 ms."""


@dataclass(frozen=True)
class Window:
    """[start, start + length) of the edit, heard at `there` of the raw; samples at `RATE`."""

    start: int
    length: int
    there: int


@dataclass(frozen=True)
class Offset:
    """A constant distance from the edit to the raw, and where in the edit it was heard."""

    samples: float
    """Place in the raw minus place in the edit, at `RATE`."""
    spans: tuple[tuple[int, int], ...]
    """[start, end) of the edit, samples at `RATE`."""


def information(correlation: DoubleArray) -> DoubleArray:
    """How much a correlation tells: minus half the log of the unexplained share, 0 to 4.6; signed.

    Source: likelihood ratio of a linear model in noise. A residual under -40 dB counts as none.
    """
    return -0.5 * np.sign(correlation) * np.log(np.maximum(1.0 - correlation**2, 0.0) + _FLOOR)


def along(path: IntArray, hop: int, timbres: tuple[Array, Array]) -> list[list[Window]]:
    """Windows of the edit, each with the places of the raw to try: the path's, and those that sound most alike.

    Args:
        path: frame of the raw for each frame of the edit, (T,).
        hop: samples between frames.
        timbres: of edit and raw.
    """
    new = np.ones(len(path) + 1, dtype=np.bool_)
    new[1:-1] = np.where(path[1:] == UNMATCHED, path[:-1] != UNMATCHED, path[1:] != path[:-1] + 1)
    groups = []
    for start, end in pairwise(np.flatnonzero(new).tolist()):
        for first, last in _tiles(start, end, hop):
            followed = [] if path[first] == UNMATCHED else [int(path[first])]
            groups.append(_windows(first, last, followed, _CANDIDATES, hop, timbres))
    return groups


def within(
    hole: tuple[int, int], around: Sequence[float], hop: int, timbres: tuple[Array, Array]
) -> list[list[Window]]:
    """Windows of a stretch where nothing has fitted yet, each with more places, and those a small skip away.

    Args:
        hole: [start, end) of the edit, samples at `RATE`.
        around: offsets of the stretches before and after it.
        hop: samples between frames.
        timbres: of edit and raw.
    """
    groups = []
    shifts = np.arange(-_SKIP_S, _SKIP_S, 2 * _REACH_S) * RATE
    for first, last in _tiles(hole[0] // hop, max(hole[1] // hop, hole[0] // hop + 1), hop):
        near = [round((first * hop + offset + shift) / hop) for offset in around for shift in shifts.tolist()]
        inside = [place for place in near if 0 <= place < len(timbres[1])]
        groups.append(_windows(first, last, inside, _CANDIDATES_AGAIN, hop, timbres))
    return groups


def propose(edit: Array, raw: Array, groups: Sequence[Sequence[Window]], hop: int) -> tuple[list[Offset], int]:
    """Offsets at which windows fit, of each group those about as good as its best; and the polarity, 1 or -1.

    Args:
        edit, raw: (channels, n) at `RATE`.
        groups: places to try for each window.
        hop: samples between the frames they are told in.
    """
    windows = [window for group in groups for window in group]
    if not windows:
        return [], 1
    offset, r = measure(edit, raw, windows, round(_REACH_S * RATE) + hop)
    polarity = 1 if float((np.sign(r) * r**4).sum()) >= 0 else -1
    r = r * polarity
    told = information(r)
    group_of = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    best = np.zeros(len(groups))
    np.maximum.at(best, group_of, told)
    kept = np.flatnonzero((r >= _LEAST_CORRELATION) & (told >= _NEARLY_AS_GOOD * best[group_of]))
    spans = [(windows[k].start, windows[k].start + windows[k].length) for k in kept]
    return distinct(offset[kept], told[kept], spans), polarity


def lag_of(edit: Array, raw: Array, start: int, length: int, offset: float) -> float:
    """The offset within 4 samples of `offset` at which [start, start + length) of the edit fits best.

    To about 0.01 samples; `offset` itself where none of them fits better than those beyond.

    Args:
        edit: (channels, n) at `RATE`, of the raw's polarity.
        raw: (channels, n) at `RATE`.
        start, length: samples at `RATE`.
        offset: samples at `RATE`, may lie between samples.
    """
    first = round(start + offset)
    low = max(0, _NEAR + HALF - first)  # leave out what lies outside the raw
    high = min(length, raw.shape[1] - _NEAR - HALF - first)
    if high - low < _NEAR:
        return offset
    template, around = (
        edit[:, start + low : start + high],
        raw[:, first + low - _NEAR - HALF : first + high + _NEAR + HALF],
    )
    fit = _correlated(around[:, None], template[:, None], 2 * (_NEAR + HALF) + 1)[0]
    near = fit[2 * HALF : -2 * HALF]  # in half samples
    best = int(near.argmax())
    if near[best] <= 0 or best in (0, len(near) - 1):
        return offset
    peak = 2 * HALF + best
    return first - start - _NEAR - HALF + _extreme(fit, peak)[0] / 2


def _tiles(start: int, end: int, hop: int) -> list[tuple[int, int]]:
    """Windows of half overlap inside frames [start, end)."""
    width = max(2, round(WINDOW_S * RATE / hop))
    count = max(1, -(-2 * (end - start - width) // width) + 1)
    firsts = np.linspace(start, max(end - width, start), count).round().astype(int).tolist()
    return [(first, min(first + width, end)) for first in firsts]


def _windows(
    first: int, last: int, places: list[int], count: int, hop: int, timbres: tuple[Array, Array]
) -> list[Window]:
    """Frames [first, last) of the edit at some places of the raw and at `count` that sound alike."""
    pattern = timbres[0][first:last]
    likely, _ = likeliest(pattern[::2], timbres[1][::2], count, max(1, round(_APART_S * RATE / hop / 2)))
    tried = [*places, *(likely * 2).tolist()] if len(pattern) else []
    return [Window(first * hop, (last - first) * hop, place * hop) for place in tried]


def measure(edit: Array, raw: Array, windows: Sequence[Window], reach: int) -> tuple[DoubleArray, DoubleArray]:
    """Offset, to a part of a sample, and signed correlation of each window at its best lag, (W,) each.

    Args:
        edit, raw: (channels, n) at `RATE`; may be the same.
        windows: what to look for where, at least one.
        reach: samples by which the places may be wrong.
    """
    width, margin = max(window.length for window in windows), reach + HALF
    start, length, there = np.array([(each.start, each.length, each.there) for each in windows]).T
    offset, r = np.empty(len(windows)), np.empty(len(windows))
    lags = np.arange(2 * margin + 1)
    for at in range(0, len(windows), _BLOCK):
        block = slice(at, at + _BLOCK)
        pieces = [excerpt(edit, each.start, width) for each in windows[block]]
        templates = np.stack(pieces, axis=1) * (np.arange(width) < length[block, None])
        around = np.stack([excerpt(raw, each.there - margin, width + 2 * margin) for each in windows[block]], axis=1)
        fit = _correlated(around, templates, len(lags))
        own = np.square(templates, dtype=np.float64).sum(axis=(0, 2))
        sums = np.pad(np.cumsum(np.square(around, dtype=np.float64).sum(axis=0), axis=1), ((0, 0), (1, 0)))
        ends = np.minimum(lags + length[block, None], sums.shape[1] - 1)
        energy = np.take_along_axis(sums, ends, axis=1) - sums[:, lags]
        energy = np.maximum(energy, max(_QUIETEST * float(energy.max()), 1e-20)).repeat(2, axis=1)[:, :-1]
        fit /= np.sqrt(np.maximum(own[:, None], 1e-20) * energy)
        peaks = 2 * HALF + np.abs(fit[:, 2 * HALF : -2 * HALF]).argmax(axis=1)  # in half samples
        found = np.array([_extreme(*each) for each in zip(fit, peaks.tolist(), strict=True)])
        offset[block] = there[block] - start[block] - margin + found[:, 0] / 2
        r[block] = np.clip(found[:, 1], -1.0, 1.0)
    return offset, r


def _correlated(around: Array, templates: Array, n_lags: int) -> DoubleArray:
    """Sum over channels of the correlation at every half sample, (windows, 2 n_lags - 1).

    Twice as fine as the sounds: between two samples near the highest frequency a peak would go unseen.

    Args:
        around, templates: (channels, windows, n) each, the templates not longer.
        n_lags: samples.
    """
    n = scipy.fft.next_fast_len(around.shape[2], real=True)
    product = scipy.fft.rfft(around, n, axis=2) * scipy.fft.rfft(templates, n, axis=2).conj()
    return 2.0 * scipy.fft.irfft(product.sum(axis=0), 2 * n, axis=1)[:, : 2 * n_lags - 1]


def _extreme(fit: DoubleArray, peak: int) -> tuple[float, float]:
    """Where a band-limited function is extreme near its sample `peak`, by interpolation at 1/16, and its value."""
    near = fit[peak - HALF : peak + HALF + 1] * np.sign(fit[peak])
    heights = np.append(_STEPS @ near[:-1], _STEPS @ near[1:])
    top = int(heights.argmax())
    at = peak - 1 + top / len(_STEPS)
    value = float(heights[top] * np.sign(fit[peak]))
    if not 0 < top < len(heights) - 1:
        return at, value
    left, middle, right = heights[top - 1 : top + 2]
    curvature = left - 2.0 * middle + right
    return at + (0.5 * (left - right) / curvature / len(_STEPS) if curvature < 0 else 0.0), value


def distinct(offset: DoubleArray, weight: DoubleArray, spans: Sequence[tuple[int, int]]) -> list[Offset]:
    """Offsets less than 0.1 ms from their neighbour are one: that of the largest weight.

    Args:
        offset: samples at `RATE`, (N,).
        weight: how sure each is, (N,).
        spans: where each was heard, (N,) pairs.
    """
    order = np.argsort(offset)
    groups = np.split(order, np.flatnonzero(np.diff(offset[order]) > SAME_OFFSET) + 1)
    return [
        Offset(float(offset[group[weight[group].argmax()]]), tuple(sorted(spans[k] for k in group)))
        for group in groups
        if len(group)
    ]
