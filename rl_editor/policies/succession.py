"""Succession: whether the recording itself, somewhere, goes on as a landing would.

Where the same music was played several times, what follows it in one try says what may follow it in another: so the
parts of a song that were recorded apart, and in another order, find their order in a run-through of the whole.
"""

import numpy as np

from rl_editor.analysis.landings import LandingTable
from rl_editor.arrays import Array, IntArray
from rl_editor.policies.copies import Copies

SUCCESSION_COLUMNS = 3
_OFF = 1  # beats that copies may be off
_SHIFTS = (0, 4, 8)  # beats from a join at which it is asked what is played


def successions(places: LandingTable, copies: Copies) -> Array:
    """How surely each landing goes on as the recording does, (B+1, K, SUCCESSION_COLUMNS) in [0, 1]; 0 for none.

    First: the landing goes on where another try at what was just played does. Second: it is another try at what comes
    next. Third: what was just played and what the landing plays follow each other in some other try at both.

    Args:
        places: landings of B beats.
        copies: of the same beats.
    """
    n_beats = len(copies.beat)
    heads = np.arange(n_beats + 1)
    landed = np.maximum(places.beat, 0)
    told = np.zeros((3, *landed.shape), dtype=np.float32)
    starts = [_starts(landed, after, copies) for after in _SHIFTS]
    for others, likeness in starts:
        told[1] = np.maximum(told[1], (_meet(others, heads[:, None, None]) * likeness).max(axis=2))
    for before in _SHIFTS:
        just = np.maximum(heads - 1 - before, 0)
        following = copies.beat[just] + 1 + before
        surely = np.where(heads[:, None] > before, copies.likeness[just], 0.0)
        told[0] = np.maximum(told[0], (_meet(following[:, None], landed[..., None]) * surely[:, None]).max(axis=2))
        for others, likeness in starts:
            for slot in range(following.shape[1]):
                met = (_meet(following[:, None, slot, None], others) * likeness).max(axis=2)
                told[2] = np.maximum(told[2], met * surely[:, None, slot])
    return np.where(places.valid[..., None], np.stack(list(told), axis=2), 0.0).astype(np.float32)


def _starts(landed: IntArray, after: int, copies: Copies) -> tuple[IntArray, Array]:
    """Where other tries at what is landed on begin, by the copies `after` beats on, and how alike, (B+1, K, C) each."""
    beat = np.minimum(landed + after, len(copies.beat) - 1)
    return copies.beat[beat] - after, copies.likeness[beat]


def _meet(one: IntArray, other: IntArray) -> Array:
    """1 where two beats are the same, but for what copies may be off."""
    met: Array = (np.abs(one - other) <= _OFF).astype(np.float32)
    return met
