"""Entries: beats at which something begins that is heard elsewhere too, and which of them a playhead may lead to.

Whoever rehearses begins the same passage several times, each time after something else: a count-in, talk, another
passage. So where two stretches of a recording are alike and what comes before them is not, both begin there. And what
should follow a playhead can be known from another place that was led up to in the same way: what follows there is
what is wanted here, and each copy of it will do. Neither needs the two sides of a join to sound alike, as a
continuation does.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from rl_editor.analysis.seams import Continuation
from rl_editor.arrays import Array, BoolArray, IntArray

_LED = range(-4, 0)
_BEGINS = range(8)  # over which two stretches are copies
_FOLLOWS = range(16)  # over which is compared what should follow: half as much takes a figure for the whole passage
_SAME = 0.5
"""Distance in natural units under which two stretches are copies; any two are 0.76 apart in the median."""
_NEAR = 16  # beats within which a copy says nothing: a figure that goes on is like itself
_MODELS = 8  # places led up to alike from which is learned what should follow
_COPIES = 6
PART = 0.3
"""Boundary strength over which a bound may begin a part."""
_MOST = 400
_BLOCK = 512
_UNLIKE = 2.0  # natural units beyond which nothing is more unlike
# natural units that it is worth: music for as long as is compared, a lead that differs, a new part
_MUSIC, _OTHER_LEAD, _NEW_PART = 1.0, 0.2, 0.2
_HALF = 0.1  # that it costs to go on half a beat later: two grids are seldom that far apart


@dataclass(frozen=True, eq=False)
class Entries:
    """Beats at which something begins, and how well each suits each playhead."""

    beat: IntArray
    """(E,), ascending."""
    strength: Array
    """How differently six copies of what begins are led up to, (E,) in [0, 1]; less where there are fewer."""
    boundary: Array
    """How strongly a new part begins within a beat, (E,) in [0, 1]."""
    cost: Array
    """How little each suits each playhead, (B+1, 2E), column 2e + h, natural units, finite: how unlike what begins
    there, or half a beat later (h = 1), is to what should follow, less what speaks for it: that music goes on, that it
    is led up to otherwise (else one would stay), that a part begins."""


def find_entries(measure: Continuation, is_music: BoolArray, boundary: Array) -> Entries:
    """The entries of a recording: where copies begin, and parts; at most 400, the strongest.

    Args:
        measure: distances of beats.
        is_music: (B,).
        boundary: how strongly a new part begins at each bound, (B+1,) in [0, 1].
    """
    n_beats = measure.n_beats
    strength = np.zeros(n_beats, dtype=np.float32)
    models = np.empty((n_beats + 1, min(_MODELS, n_beats)), dtype=np.int64)
    led = np.empty(models.shape, dtype=np.float32)
    for first in range(0, n_beats + 1, _BLOCK):
        last = min(first + _BLOCK, n_beats + 1)
        before = measure.diagonals(first, last, _LED)
        models[first:last] = np.argpartition(before, models.shape[1] - 1, axis=1)[:, : models.shape[1]]
        led[first:last] = np.take_along_axis(before, models[first:last], axis=1)
        inside = slice(first, min(last, n_beats))
        before, after = before[: inside.stop - first], measure.diagonals(inside.start, inside.stop, _BEGINS)
        far = np.abs(np.arange(inside.start, inside.stop)[:, None] - np.arange(n_beats)) >= _NEAR
        copies = far & (after < _SAME) & is_music[inside, None] & is_music
        # at the recording's ends nothing can be compared: no copy follows, and what comes before is unlike
        gain = np.clip(np.minimum(before, 1.0) - np.minimum(after, 1.0), 0.0, 1.0)
        strength[inside] = _mean_of_six(np.where(copies, gain, 0.0))
    peaks = (strength > 0) & (strength >= maximum_filter1d(strength, 5))
    beat = np.flatnonzero(peaks | ((boundary[:-1] > PART) & is_music))
    nearby = maximum_filter1d(boundary, 3)[:-1]
    beat = np.sort(beat[np.argsort(-strength[beat] - nearby[beat], kind="stable")[:_MOST]])
    speaks_for = _MUSIC * _music_ahead(is_music)[beat] + _NEW_PART * nearby[beat]
    cost = _unlike(measure, models, led, beat) - np.repeat(speaks_for, 2)
    return Entries(beat, strength[beat], nearby[beat], cost)


def _mean_of_six(gain: Array) -> Array:
    """Mean of the six largest of each row, as many of them 0 as are missing."""
    n = min(_COPIES, gain.shape[1])
    return np.partition(gain, -n, axis=1)[:, -n:].sum(axis=1) / np.float32(_COPIES)


def _music_ahead(is_music: BoolArray) -> Array:
    """Share of music in what begins at each beat, (B,)."""
    sums = np.append(0, np.cumsum(is_music))
    first = np.arange(len(is_music))
    return ((sums[np.minimum(first + len(_FOLLOWS), len(is_music))] - sums[first]) / len(_FOLLOWS)).astype(np.float32)


def _unlike(measure: Continuation, models: IntArray, led: Array, beat: IntArray) -> Array:
    """The less alike of what leads to a model and what follows it, by the best model, less the lead, (B+1, 2E)."""
    follows = np.full((measure.n_beats + 1, 2 * len(beat)), np.inf, dtype=np.float32)
    leads = np.empty_like(follows)
    # measured a second time, since all beats with all beats would not fit for an hour of music
    for half in (0, 1):
        for first in range(0, measure.n_beats + 1, _BLOCK):
            last = min(first + _BLOCK, measure.n_beats + 1)
            leads[first:last, half::2] = measure.diagonals(first, last, _LED, half=half)[:, beat]
            inside = min(last, measure.n_beats)
            if first < inside:
                follows[first:inside, half::2] = measure.diagonals(first, inside, _FOLLOWS, half=half)[:, beat]
    cost = follows.copy()  # what follows the playhead itself is the nearest model
    for model, unlike in zip(models.T, led.T, strict=True):
        np.minimum(cost, np.maximum(unlike[:, None], follows[model]), out=cost)
    cost[:, 1::2] += _HALF
    return (np.minimum(cost, _UNLIKE) - _OTHER_LEAD * np.minimum(leads, 1.0)).astype(np.float32)
