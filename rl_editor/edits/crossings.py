"""The landings of one request: those of the table, and the crossings that its wishes call for.

The table was made without knowing the request: each playhead has K landings, and none of them may lead over a ban, or
from one lock to the next in the little time that is asked for. A *crossing* leads over what lies between, from any
bound near to one side to any beat near to the other. It is no more than that: what continues is not known here, so it
is judged as a boundary, by what steps from beat to beat and by what it breaks off, and it is not aligned.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rl_editor.analysis.activity import runs
from rl_editor.analysis.landings import Family, boundary_score
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray
from rl_editor.edits.wishes import Wishes

_NEAR = 16  # beats on either side, about four bars: enough to find a downbeat, and a length to a beat
_FEWEST = 8  # own steps from which a percentile is taken


class Landings(NamedTuple):
    """What an edit may go on with; all arrays (N,), those of the table first."""

    leave: IntArray
    """Playhead the landing serves."""
    beat: IntArray
    """Beat to go on from."""
    half: SmallIntArray
    """1: begin in the middle of the beat."""
    start: IntArray
    """Where it begins, lag included, in samples of the source."""
    family: SmallIntArray
    """Of `Family`."""
    score: Array
    """Seam score."""
    correlation: Array
    """Of the sound around the two places; 0 for a crossing, where it is not known."""

    def at(self, places: IntArray) -> "Landings":
        """Those at `places` (M,) among them."""
        return Landings(
            self.leave[places],
            self.beat[places],
            self.half[places],
            self.start[places],
            self.family[places],
            self.score[places],
            self.correlation[places],
        )


def landings_of(track: Track, wishes: Wishes, *, crossings: bool = True) -> Landings:
    """The landings of the table, row 0 aside, and of the crossings those that the table does not hold.

    Args:
        track: analysis of the recording.
        wishes: what is banned, locked, begun and ended with.
        crossings: False for those of the table alone.
    """
    places = track.landings
    at = np.nonzero(places.valid & (np.arange(track.n_beats + 1) > 0)[:, None])
    table = Landings(
        leave=at[0],
        beat=places.beat[at],
        half=places.half[at],
        start=places.starts(track.bounds)[at],
        family=places.family[at],
        score=places.score[at],
        correlation=places.correlation[at],
    )
    if not crossings:
        return table
    whole = table.half == 0
    held = set(zip(table.leave[whole].tolist(), table.beat[whole].tolist(), strict=True))
    wanted = sorted({pair for pair in _pairs(wishes) if pair[1] > pair[0]} - held)
    leave, beat = np.array(wanted, dtype=np.int64).reshape(-1, 2).T
    return Landings(
        leave=np.append(table.leave, leave),
        beat=np.append(table.beat, beat),
        half=np.append(table.half, np.zeros(len(beat), dtype=np.int8)),
        start=np.append(table.start, track.bounds[beat]),
        family=np.append(table.family, np.full(len(beat), Family.BOUNDARY, dtype=np.int8)),
        score=np.append(table.score, crossing_score(track, leave, beat)),
        correlation=np.append(table.correlation, np.zeros(len(beat), dtype=np.float32)),
    )


def crossing_score(track: Track, leave: IntArray, beat: IntArray) -> Array:
    """Seam score of going on from beats `beat` at playheads `leave`, each (N,), by what the Track holds, (N,)."""
    step = crossing_steps(track, leave, beat).mean(axis=1)
    return boundary_score(step, track.boundary[leave], track.boundary[beat]).astype(np.float32)


def crossing_steps(track: Track, leave: IntArray, beat: IntArray) -> Array:
    """Steps from the beats before playheads `leave` to beats `beat`, each (N,): level and spectrum, (N, 2).

    Like the step terms of a seam vector, but between whole beats: in units of the 98th percentile of the recording's
    own steps within the music; 1 where the Track does not hold what is compared.
    """
    spectrum = track.features[:, np.array(track.feature_names) == "timbre"]
    values = (track.level_db[:, None], spectrum)
    return np.stack([_steps(each, leave - 1, beat, track.is_music) for each in values], axis=1)


def level_steps_db(track: Track, leave: IntArray, beat: IntArray) -> DoubleArray:
    """By how much the level of beats `beat` differs from that of the beats before playheads `leave`, (N,), dB."""
    return np.abs(track.level_db[beat] - track.level_db[leave - 1]).astype(np.float64)


def _steps(values: Array, before: IntArray, after: IntArray, is_music: BoolArray) -> Array:
    """Distances of rows of `values` (B, D) in natural units, (N,)."""
    if values.shape[1] == 0:
        return np.ones(len(after), dtype=np.float32)

    def distance(here: IntArray, there: IntArray) -> Array:
        return np.sqrt(np.square(values[there] - values[here]).mean(axis=1))

    own = np.flatnonzero(is_music[:-1] & is_music[1:])
    own = own if len(own) >= _FEWEST else np.arange(len(values) - 1)
    unit = float(np.percentile(distance(own, own + 1), 98)) if len(own) else 1.0
    return distance(before, after) / np.float32(max(unit, 1e-6))


def _pairs(wishes: Wishes) -> Iterator[tuple[int, int]]:
    """Playhead and beat of all that may be asked to lead over something."""
    for leaves, beats in _stretches(wishes):
        yield from ((int(leave), int(beat)) for leave in leaves for beat in beats)


def _stretches(wishes: Wishes) -> Iterator[tuple[IntArray, IntArray]]:
    """Playheads to leave from and beats to go on from, for each ban and between what must follow each other.

    What lies between two locks, and between them and a start or an end that is wished for, may have to be left out
    for the length's sake.
    """
    playable = np.flatnonzero(~wishes.banned)
    for first, last in runs(wishes.banned.astype(np.int8), 1):
        yield playable[playable < first][-_NEAR:] + 1, playable[playable >= last][:_NEAR]
    begins = [] if wishes.start is None else [(wishes.start, wishes.start + 1)]
    ends = [] if wishes.end is None else [(wishes.end - 1, wishes.end)]
    fixed = [*begins, *runs(wishes.locked.astype(np.int8), 1).tolist(), *ends]
    for (_, last), (first, _) in itertools.pairwise(fixed):
        inside = playable[(playable >= last - 1) & (playable <= first)]
        yield inside[:_NEAR] + 1, inside[-_NEAR:]
