"""Attempts: which runs of music try the same song, which of them a better one replaces, and where one went wrong.

Runs of music are aligned pairwise, beat by beat, by local alignment (Smith and Waterman 1981) on the distance of
their beats. Runs that hold the same material are attempts at one song. The attempt to keep is one that is complete,
then the one with fewest mistakes, then the last. An attempt is superseded only where the kept one has a copy of it.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.seams import Continuation
from rl_editor.arrays import Array, BoolArray, IntArray, SmallIntArray

_SAME = 0.5
"""Distance in natural units under which two beats count as copies; any two are 0.76 apart in the median."""
_SKIP = 0.4  # price of a beat that one of the attempts has and the other not
_LEAST_BEATS = 8
_FALSE_START_BEATS = 24
_COVERED = 0.6  # share of an attempt that must have copies before it is another try at the same song
_COMPLETE = 0.85  # of the longest attempt's beats
_BETTER = 0.015  # share of spoiled beats that counts as a difference


@dataclass(frozen=True, eq=False)
class Attempts:
    """What is known of attempts, by beat."""

    song: IntArray
    """Number of the song each beat belongs to, (B,), by first appearance; -1 outside the music."""
    attempt: IntArray
    """Number of the attempt at its song, (B,), from 1; 0 outside the music."""
    superseded: Array
    """1 where the attempt that is kept has a copy of the beat, else 0, (B,)."""
    spoiled: Array
    """How surely each beat holds an audible mistake, (B,) in [0, 1]."""


@dataclass(frozen=True, eq=False)
class _Copy:
    """Beats of run `a` and of run `b` that are the same place of one song."""

    a: int
    b: int
    here: IntArray
    there: IntArray


def find_attempts(measure: Continuation, activity: SmallIntArray, level_db: Array) -> Attempts:
    """Group the runs of music into attempts at songs.

    Args:
        measure: distances of beats.
        activity: (B,) of `Activity`.
        level_db: (B,) dBFS.
    """
    music = runs(activity, Activity.MUSIC)
    copies = [
        copy
        for a in range(len(music))
        for b in range(a + 1, len(music))
        if (copy := _align(measure, a, b, music[a], music[b])) is not None
    ]
    spoiled = _spoiled(measure, copies, level_db)
    group = _songs(music, copies)
    song, attempt = np.full(len(activity), -1), np.zeros(len(activity), dtype=np.int64)
    superseded = np.zeros(len(activity), dtype=np.float32)
    for number, members in enumerate(group):
        for count, run in enumerate(members, start=1):
            song[slice(*music[run])], attempt[slice(*music[run])] = number, count
        kept = _best(members, music, spoiled)
        for copy in copies:
            if copy.a in members and copy.b in members and kept in (copy.a, copy.b):
                other, beats = (copy.b, copy.there) if copy.a == kept else (copy.a, copy.here)
                superseded[_replaced(beats, music[other])] = 1.0
    for first, last in music[_false_starts(music)]:
        superseded[first:last] = 1.0
    return Attempts(song, attempt, superseded, spoiled)


def _align(measure: Continuation, a: int, b: int, first: IntArray, second: IntArray) -> _Copy | None:
    """The longest stretch, in order, that two runs [first, last) have in common, None under 8 beats."""
    distance = measure.distances(np.arange(*first), np.arange(*second))
    here, there = _local_alignment((_SAME - distance).astype(np.float32), np.float32(_SKIP))
    if len(here) < _LEAST_BEATS:
        return None
    return _Copy(a, b, here + first[0], there + second[0])


def _songs(music: IntArray, copies: list[_Copy]) -> list[list[int]]:
    """Runs grouped by song, in order: two belong together if most of the shorter one is in the other."""
    song = list(range(len(music)))
    for copy in copies:
        shorter = min(np.diff(music[[copy.a, copy.b]], axis=1).ravel())
        if len(copy.here) >= _COVERED * shorter:
            low, high = sorted((song[copy.a], song[copy.b]))
            song = [low if number == high else number for number in song]
    return [[run for run, number in enumerate(song) if number == each] for each in sorted(set(song))]


def _best(members: list[int], music: IntArray, spoiled: Array) -> int:
    """The attempt to keep: complete, then with fewest mistakes, then the last."""
    lengths = {run: int(music[run, 1] - music[run, 0]) for run in members}
    longest = max(lengths.values())

    def worth(run: int) -> tuple[bool, float, int]:
        mistakes = float(spoiled[slice(*music[run])].mean())
        return lengths[run] >= _COMPLETE * longest, -round(mistakes / _BETTER), run

    return max(members, key=worth)


def _false_starts(music: IntArray) -> BoolArray:
    """Runs too short to be a try at anything, where there are longer ones, (R,)."""
    lengths = music[:, 1] - music[:, 0]
    return (lengths < _FALSE_START_BEATS) & (lengths < 0.25 * lengths.max(initial=0))


def _replaced(copied: IntArray, run: IntArray) -> slice:
    """The beats of a run that the kept attempt replaces: all of it, or the end or beginning that has copies."""
    first, last = int(run[0]), int(run[1])
    if len(copied) >= _COVERED * (last - first):
        return slice(first, last)
    begins = first if copied[0] - first < _LEAST_BEATS else int(copied[0])
    return slice(begins, last if last - copied[-1] <= _LEAST_BEATS else int(copied[-1]) + 1)


def _spoiled(measure: Continuation, copies: list[_Copy], level_db: Array) -> Array:
    """Beats that differ from their copy, and are the stranger or the weaker of the two, (B,) in [0, 1]."""
    spoiled = np.zeros(measure.n_beats, dtype=np.float32)
    for copy in copies:
        difference = measure.pairs(copy.here, copy.there)
        usual = np.median(difference)
        stands_out = np.clip((difference - 1.5 * usual - 0.05) / 0.2, 0.0, 1.0)
        quieter = level_db[copy.here] - level_db[copy.there]
        quieter = quieter - np.median(quieter)
        blame = np.clip(0.5 - quieter / 6.0, 0.0, 1.0)
        np.maximum.at(spoiled, copy.here, stands_out * blame)
        np.maximum.at(spoiled, copy.there, stands_out * (1.0 - blame))
    return spoiled


@njit(cache=True)
def _local_alignment(gain, skip):  # type: ignore[no-untyped-def]
    """Rows and columns, ascending, of the best local alignment of a gain matrix."""
    rows, columns = gain.shape
    score = np.zeros((rows + 1, columns + 1), dtype=np.float32)
    step = np.zeros((rows + 1, columns + 1), dtype=np.int8)
    best, at_row, at_column = np.float32(0.0), 0, 0
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            value, pointer = score[i - 1, j - 1] + gain[i - 1, j - 1], 1
            if score[i - 1, j] - skip > value:
                value, pointer = score[i - 1, j] - skip, 2
            if score[i, j - 1] - skip > value:
                value, pointer = score[i, j - 1] - skip, 3
            if value > 0:
                score[i, j], step[i, j] = value, pointer
                if value > best:
                    best, at_row, at_column = value, i, j
    here = np.empty(rows, dtype=np.int64)
    there = np.empty(rows, dtype=np.int64)
    n = 0
    i, j = at_row, at_column
    while step[i, j] != 0:
        pointer = step[i, j]
        if pointer == 1:
            here[n], there[n] = i - 1, j - 1
            n += 1
        if pointer != 3:
            i -= 1
        if pointer != 2:
            j -= 1
    return here[:n][::-1].copy(), there[:n][::-1].copy()
