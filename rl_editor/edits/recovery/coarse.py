"""Coarse global decoding: which frame of the raw each frame of the edit sounds like, along as few paths as explain it.

The edit plays the raw at its own speed, so a path advances one frame of the raw a frame of the edit or jumps. Where
nothing of the raw fits, the path is in a state of its own. Source: Viterbi, IEEE Trans. Inf. Theory 13, 1967.
"""

import numpy as np
from numba import njit

from rl_editor.arrays import Array, IntArray
from rl_editor.edits.recovery.hearing import RATE
from rl_editor.progress import Report

UNMATCHED = -1
"""The frame of the raw where nothing fits."""
_SHORTEST_HOP = 256
_MOST_CELLS = 4e8
_BLOCK = 256
_JUMP_S = 0.05  # a jump costs as much as this time of perfect likeness
_UNMATCHED_LIKENESS = 0.3


def choose_hop(n_edit: int, n_raw: int) -> int:
    """Samples between frames: 23 ms, doubled until frames of edit times frames of raw take seconds, not minutes."""
    hop = _SHORTEST_HOP
    while (n_edit / hop) * (n_raw / hop) > _MOST_CELLS:
        hop *= 2
    return hop


def follow(edit: Array, raw: Array, hop: int, report: Report) -> IntArray:
    """The frame of the raw that each frame of the edit comes from, (T,); `UNMATCHED` where none does.

    Args:
        edit: timbre (T, F).
        raw: timbre (R, F).
        hop: samples at `RATE` between frames.
        report: told how far it is.
    """
    jump = np.float32(_JUMP_S * RATE / hop)
    came_by_jump = np.zeros((len(edit), len(raw) // 8 + 1), dtype=np.uint8)
    best_before = np.full(len(edit), UNMATCHED, dtype=np.int64)
    unmatched_by_jump = np.zeros(len(edit), dtype=np.bool_)
    score = np.zeros(len(raw) + 1, dtype=np.float32)
    for at in range(0, len(edit), _BLOCK):
        likeness = edit[at : at + _BLOCK] @ raw.T
        _advance(
            likeness, score, jump, np.float32(_UNMATCHED_LIKENESS), came_by_jump[at:], best_before[at:],
            unmatched_by_jump[at:],
        )  # fmt: skip
        report("following", (at + len(likeness)) / len(edit))
    return _traced(score, came_by_jump, best_before, unmatched_by_jump)


@njit(cache=True)
def _advance(likeness, score, jump, idle, came_by_jump, best_before, unmatched_by_jump):  # type: ignore[no-untyped-def]
    """Viterbi over the rows of `likeness`; the last entry of `score` is the unmatched state."""
    n = likeness.shape[1]
    for t in range(likeness.shape[0]):
        best = 0
        for j in range(1, n):
            if score[j] > score[best]:
                best = j
        highest, unmatched = score[best], score[n]
        # a jump comes from the best place of all; from the unmatched state it costs as much
        best_before[t] = best if highest >= unmatched else -1
        leap = max(highest, unmatched) - jump
        for j in range(n - 1, -1, -1):
            stay = score[j - 1] if j > 0 else leap
            if stay < leap or j == 0:
                came_by_jump[t, j >> 3] |= 1 << (j & 7)
                stay = leap
            score[j] = stay + likeness[t, j]
        if highest - jump > unmatched:
            unmatched_by_jump[t] = True
            score[n] = highest - jump + idle
        else:
            score[n] = unmatched + idle
        if highest > 1e4:  # keeps the rounding of long edits small
            for j in range(n + 1):
                score[j] -= highest


@njit(cache=True)
def _traced(score, came_by_jump, best_before, unmatched_by_jump):  # type: ignore[no-untyped-def]
    n = len(score) - 1
    path = np.empty(len(best_before), dtype=np.int64)
    at = int(np.argmax(score[:n]))
    if score[n] > score[at]:
        at = -1
    for t in range(len(path) - 1, -1, -1):
        path[t] = at
        if at < 0:
            # the unmatched state is entered from the best place, which is then not the unmatched state itself
            at = best_before[t] if unmatched_by_jump[t] else -1
        elif came_by_jump[t, at >> 3] >> (at & 7) & 1:
            at = best_before[t]
        else:
            at -= 1
    return path


def likeliest(pattern: Array, raw: Array, count: int, apart: int) -> tuple[IntArray, Array]:
    """The places of the raw at which a pattern fits best, at most `count`, best first, and how well, in [-1, 1].

    Args:
        pattern: timbre (L, F), L >= 1.
        raw: timbre (R, F).
        count: most places.
        apart: frames between places at least.
    """
    fit = _diagonal_means(np.ascontiguousarray(pattern @ raw.T))
    places: list[int] = []
    fits: list[float] = []
    for _ in range(count):
        place = int(fit.argmax())
        if not np.isfinite(fit[place]):
            break
        places.append(place)
        fits.append(float(fit[place]))
        fit[max(place - apart + 1, 0) : place + apart] = -np.inf
    return np.array(places, dtype=np.int64), np.array(fits, dtype=np.float32)


@njit(cache=True)
def _diagonal_means(likeness):  # type: ignore[no-untyped-def]
    """Mean of each diagonal that lies at least half inside the raw."""
    length, n = likeness.shape
    total = np.zeros(n, dtype=np.float32)
    for t in range(length):
        for j in range(n - t):
            total[j] += likeness[t, j + t]
    for j in range(n):
        inside = min(length, n - j)
        total[j] = total[j] / inside if 2 * inside >= length else -np.inf
    return total
