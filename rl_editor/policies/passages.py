"""Passages: the stretches over which a beat and its copy go on alike, before and after it.

One beat cannot tell which of two tries is the good one; the whole of both can: one of them holds a slip, or breaks off
while the other goes on.
"""

from typing import NamedTuple

import numpy as np

from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.policies.copies import Copies

_WINDOW = 6  # beats over which likeness is averaged
_ALIKE = 0.4  # mean cosine above which a passage goes on
_GAP = 24  # beats without this copy that a passage may hold: a slip is such a gap, and what it is about
_FURTHEST = 256  # beats that a passage is followed beyond its copies


class Passages(NamedTuple):
    """P passages: beats `first + k` and `other + k` are alike for each k below `length`."""

    first: IntArray
    """(P,)."""
    other: IntArray
    """(P,)."""
    length: IntArray
    """Beats, (P,)."""
    of: IntArray
    """The passage of each beat with each of its copies, (B, C); -1 where there is none."""


def find_passages(sounds: Array, copies: Copies) -> Passages:
    """The passages that a recording's copies belong to.

    Args:
        sounds: `music_of` the recording, (B, F).
        copies: of the same beats.
    """
    of = np.full(copies.beat.shape, -1)
    beat, slot = np.nonzero(copies.likeness > 0.0)
    lag = copies.beat[beat, slot] - beat
    order = np.lexsort((beat, lag))
    beat, slot, lag = beat[order], slot[order], lag[order]
    begins = np.ones(len(beat), dtype=bool)
    begins[1:] = (np.diff(lag) != 0) | (np.diff(beat) > _GAP)
    of[beat, slot] = begins.cumsum() - 1
    ends = np.append(begins[1:], True)[: len(beat)]
    first, last, lag = beat[begins], beat[ends], lag[begins]
    last = last + _further(sounds, last, lag, 1)
    first = first - _further(sounds, first, lag, -1)
    return Passages(first, first + lag, last - first + 1, of)


def _further(sounds: Array, beat: IntArray, lag: IntArray, side: int) -> IntArray:
    """For how many beats after (or before) `beat` (P,) the recording and itself `lag` later go on alike, (P,)."""
    further = np.zeros(len(beat), dtype=np.int64)
    going = np.arange(len(beat))
    offsets = side * np.arange(1, _WINDOW + 1)
    for _ in range(_FURTHEST):
        here = (beat + side * further)[going, None] + offsets
        there = here + lag[going, None]
        inside = _within(here, len(sounds)) & _within(there, len(sounds))
        here, there = np.where(inside, here, 0), np.where(inside, there, 0)
        alike = np.where(inside, np.einsum("pwf,pwf->pw", sounds[here], sounds[there]), 0.0).mean(axis=1)
        going = going[inside[:, 0] & (alike > _ALIKE)]
        if not len(going):
            break
        further[going] += 1
    return further


def _within(beat: IntArray, n_beats: int) -> BoolArray:
    return (beat >= 0) & (beat < n_beats)
