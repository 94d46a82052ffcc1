"""Repeats: where else in the raw the same sound is, so that a stretch of the edit may come from there as well."""

from collections.abc import Sequence

import numpy as np

from rl_editor.arrays import Array
from rl_editor.edits.recovery.coarse import likeliest
from rl_editor.edits.recovery.hearing import RATE, excerpt
from rl_editor.edits.recovery.offsets import WINDOW_S, Window, lag_of, measure

EQUAL = 1e-4
"""Residual energy under which two stretches are the same sound: -40 dB."""
_MOST = 12
_FRAMES = 200
_APART_S = 0.1
_LEAST_LIKENESS = 0.9
_LEAST_CORRELATION = 0.9


def alike(raw: Array, timbre: Array, hop: int, start: float, length: int) -> list[float]:
    """Other starts at which the raw sounds much as in [start, start + length), likeliest first, to 0.1 samples.

    Args:
        raw: (channels, n) at `RATE`.
        timbre: of the raw, (R, F).
        hop: samples between its frames.
        start: samples at `RATE`, may lie between samples.
        length: samples at `RATE`.
    """
    step = max(1, length // hop // _FRAMES)
    first = round(start / hop)
    pattern = timbre[first : first + max(length // hop, 1) : step]
    if not len(pattern):
        return []
    here = round(start)
    shorter = min(length, round(WINDOW_S * RATE))
    inset = (length - shorter) // 2
    places = _places(pattern, timbre, step, max(1, round(_APART_S * RATE / hop)))
    windows = [
        Window(here + inset, shorter, place * hop + inset)
        for place in places
        if abs(place - first) * hop > _APART_S * RATE and place * hop + inset + shorter < raw.shape[1]
    ]
    if not windows:
        return []
    offsets, r = measure(raw, raw, windows, 2 * hop)
    return [start + offset for offset in offsets[r >= _LEAST_CORRELATION].tolist()]


def equals(raw: Array, start: float, length: int, others: Sequence[float]) -> list[float]:
    """Those of other starts, to 0.01 samples, whose sound is equal: residual at most -40 dB.

    Args:
        raw: (channels, n) at `RATE`.
        start: samples at `RATE`, may lie between samples.
        length: samples at `RATE`.
        others: samples at `RATE`, to about a sample.
    """
    here = round(start)
    mine = excerpt(raw, start, length)
    fine = [start + lag_of(raw, raw, here, length, other - start) for other in others]
    inside = [other for other in fine if 0 <= other <= raw.shape[1] - length]
    return [other for other in inside if residual(mine, excerpt(raw, other, length)) <= EQUAL]


def residual(sound: Array, other: Array) -> float:
    """Energy of the difference of two sounds (channels, n), as a share of the first one's; 0 for two silences."""
    energy = float(np.square(sound, dtype=np.float64).sum())
    return float(np.square(sound - other, dtype=np.float64).sum()) / energy if energy > 0 else 0.0


def _places(pattern: Array, timbre: Array, step: int, apart: int) -> list[int]:
    """The frames of the raw where a pattern of every step-th frame may begin, best first."""
    found: list[tuple[float, int]] = []
    for phase in range(step):
        places, fits = likeliest(pattern, timbre[phase::step], _MOST, max(1, apart // step))
        found += zip(fits.tolist(), (places * step + phase).tolist(), strict=True)
    likely = sorted(found, reverse=True)
    chosen: list[int] = []
    for fit, place in likely:
        if fit >= _LEAST_LIKENESS and all(abs(place - other) > apart for other in chosen):
            chosen.append(place)
    return chosen[:_MOST]
