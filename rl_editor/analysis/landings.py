"""The landing table: for each playhead the K places worth going on from.

Row p serves the playhead before beat p; its columns are 8 *continuation* landings (the next beats sound like what
would have come), 4 *boundary* (the start of a part), 4 *gap* (over silence, talk, a false start), each family best
first, and 16 *entries*, which are boundaries too: where something begins that may be meant to follow here. They also
stand in the columns that a row has no use for, such as those of the gaps within music. Row 0 holds K places to begin.
The natural landing (p, no half) is the action KEEP and never in the table. Built in blocks of rows, so that an hour of
music fits.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy.ndimage import minimum_filter1d

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.alignment import align
from rl_editor.analysis.entries import PART, Entries
from rl_editor.analysis.seams import CONTINUATION_TERMS, SEAM_TERMS, TERM_WEIGHTS, Continuation, Step
from rl_editor.arrays import Array, BoolArray, IntArray, SmallIntArray

CONTINUATION_COLUMNS = slice(0, 8)
BOUNDARY_COLUMNS = slice(8, 12)
GAP_COLUMNS = slice(12, 16)
K = 32
_EACH_WAY = 3  # continuations kept forward and backward, where there are any
_BLOCK = 512
_DOUBTFUL = 0.6  # continuation above which two places are not alike enough to be laid on each other
_MOST_PARTS = 96
_NONE = np.iinfo(np.int64).max


class Family(IntEnum):
    """Kinds of landings."""

    CONTINUATION = 0
    BOUNDARY = 1
    GAP = 2


FAMILY_OF_COLUMN = np.repeat(
    [Family.CONTINUATION, Family.BOUNDARY, Family.GAP, Family.BOUNDARY], [8, 4, 4, K - 16]
).astype(np.int8)


@dataclass(frozen=True, eq=False)
class LandingTable:
    """K landings for each of B+1 playheads; `beat` is -1 where a row has fewer."""

    beat: IntArray
    """Beat j to go on from, (B+1, K)."""
    half: SmallIntArray
    """1: begin in the middle of the beat, (B+1, K)."""
    family: SmallIntArray
    """(B+1, K) of `Family`."""
    continuation: Array
    """(B+1, K); 1 where nothing can be compared."""
    step: Array
    """Mean of the two step terms, (B+1, K)."""
    score: Array
    """Seam score, (B+1, K): continuation, with what it jumps in level beyond 1, or for the other families
    `boundary_score`; in row 0 how weak a beginning it is."""
    lag: IntArray
    """Samples of the source by which the landing is moved so that the two places fit, (B+1, K); 0 where they are not
    alike."""
    correlation: Array
    """Of the sound within 100 ms, after the lag, (B+1, K); 0 where the two places are not alike."""
    seam: Array
    """Seam vectors, (B+1, K, C), columns `SEAM_TERMS`."""

    @property
    def valid(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Mask of the places that hold a landing, (B+1, K)."""
        return self.beat >= 0

    def starts(self, bounds: IntArray) -> IntArray:
        """Where each landing begins, in samples of the source, (B+1, K); 0 where there is none.

        Args:
            bounds: (B+1,) samples.
        """
        beat = np.maximum(self.beat, 0)
        middle = (bounds[beat + 1] - bounds[beat]) // 2
        start = bounds[beat] + self.half * middle + self.lag
        return np.where(self.valid, np.clip(start, 0, bounds[beat + 1] - 1), 0)


def landing_table(
    bounds: IntArray,
    *,
    sample_rate: int,
    activity: SmallIntArray,
    boundary: Array,
    continuation: Continuation,
    entries: Entries,
    step: Step,
    mono: Array,
    mono_rate: int,
) -> LandingTable:
    """Find the landings of a recording.

    Args:
        bounds: (B+1,) samples of the source.
        sample_rate: Hz of the source.
        activity: (B,) of `Activity`.
        boundary: (B+1,) in [0, 1].
        continuation: measure prepared for these beats.
        entries: beats at which something begins.
        step: measure prepared for each beat, half beat and the end.
        mono: the sound at `mono_rate`, for the alignment.
        mono_rate: Hz.
    """
    n_beats = len(bounds) - 1
    places = np.full((n_beats + 1, K), _NONE, dtype=np.int64)
    is_music = activity == Activity.MUSIC
    open_places = np.repeat(is_music, 2)
    for first in range(0, n_beats + 1, _BLOCK):
        last = min(first + _BLOCK, n_beats + 1)
        costs = continuation.costs(first, last)
        places[first:last, CONTINUATION_COLUMNS] = _best_continuations(costs, first, open_places)
        places[first:last, BOUNDARY_COLUMNS] = _best_boundaries(first, last, boundary, is_music, step)
    # nothing is continued but music, and only by music
    places[~np.append(False, is_music) | ~np.append(is_music, True), CONTINUATION_COLUMNS] = _NONE
    places[:, GAP_COLUMNS] = _gaps(activity)
    family = np.broadcast_to(FAMILY_OF_COLUMN, places.shape).copy()
    family[places == _NONE] = Family.BOUNDARY
    _fill(places, entries)
    places[0], family[0] = _beginnings(boundary, is_music, entries), Family.BOUNDARY
    return _measure(places, family, bounds, sample_rate, boundary, continuation, step, mono, mono_rate)


def _fill(places: IntArray, entries: Entries) -> None:
    """Put into the empty columns of each row the entries that suit it best, in place."""
    if len(entries.beat) == 0:
        return
    place = np.repeat(2 * entries.beat, 2)
    place[1::2] += 1
    for playhead, row in enumerate(places):
        empty = np.flatnonzero(row == _NONE)
        held = row[row != _NONE]
        # a landing a whole beat beside another one is the same place, and so is one beside the playhead
        distance = np.abs(place[:, None] - held)
        own = ((distance == 0) | (distance == 2)).any(axis=1) | (np.abs(place - 2 * playhead) <= 3)
        order = np.argsort(np.where(own, np.inf, entries.cost[playhead]), kind="stable")[: len(empty)]
        order = order[~own[order]]
        row[empty[: len(order)]] = place[order]


def _best_continuations(costs: Array, first: int, open_places: BoolArray) -> IntArray:
    """Places (column numbers 2j + h) of the 8 best local minima of each row, at least three each way if there are."""
    at = np.arange(costs.shape[1])
    playhead = 2 * np.arange(first, first + len(costs))[:, None]
    costs = np.where(costs > minimum_filter1d(costs, 5, axis=1), np.inf, costs)
    costs[:, ~open_places] = np.inf
    costs[np.abs(at - playhead) < 2] = np.inf
    forward, forward_cost = _smallest(np.where(at > playhead, costs, np.inf), 8 - _EACH_WAY)
    backward, backward_cost = _smallest(np.where(at < playhead, costs, np.inf), 8 - _EACH_WAY)
    place = np.concatenate([forward, backward], axis=1)
    cost = np.concatenate([forward_cost, backward_cost], axis=1)
    wanted = cost.copy()
    wanted[:, :_EACH_WAY] -= 1e3
    wanted[:, 8 - _EACH_WAY : 8] -= 1e3
    chosen = np.argsort(wanted, axis=1, kind="stable")[:, :8]
    rows = np.arange(len(costs))[:, None]
    cost, place = cost[rows, chosen], place[rows, chosen]
    order = np.argsort(cost, axis=1, kind="stable")
    return np.where(np.isfinite(cost[rows, order]), place[rows, order], _NONE)


def _smallest(costs: Array, n: int) -> tuple[IntArray, Array]:
    """Columns and values of the n smallest of each row, ascending, the earliest first among equals.

    Costs count to a thousandth: below it exact repeats differ only by rounding, which no two machines share.
    """
    n = min(n, costs.shape[1])
    rows = np.arange(len(costs))[:, None]
    ranks = np.where(np.isfinite(costs), np.round(costs * 1e3), 1e9).astype(np.int64) * costs.shape[1]
    ranks += np.arange(costs.shape[1])
    columns = np.argpartition(ranks, n - 1, axis=1)[:, :n]
    columns = columns[rows, np.argsort(ranks[rows, columns], axis=1)]
    return columns, costs[rows, columns]


def _best_boundaries(first: int, last: int, boundary: Array, is_music: BoolArray, step: Step) -> IntArray:
    """Places of the 4 best parts to go on with from playheads [first, last), (last - first, 4).

    The best forward, the best backward, the best two else.
    """
    parts = _parts(boundary, is_music)
    playhead = np.arange(first, last)[:, None]
    places = np.full((last - first, 4), _NONE, dtype=np.int64)
    if len(parts) == 0:
        return places
    steps = step.terms(np.repeat(2 * playhead, len(parts)), np.tile(2 * parts, last - first)).mean(axis=1)
    cost = boundary_score(steps.reshape(last - first, -1), boundary[playhead], boundary[parts])
    cost[np.abs(parts - playhead) < 2] = np.inf
    rows = np.arange(last - first)
    anywhere = parts != playhead
    for column, allowed in enumerate((parts > playhead, parts < playhead, anywhere, anywhere)):
        candidates = np.where(allowed, cost, np.inf)
        best = candidates.argmin(axis=1)
        found = np.isfinite(candidates[rows, best])
        places[found, column] = 2 * parts[best[found]]
        cost[rows[found], best[found]] = np.inf
    return places


def boundary_score(step: Array, leaving: Array, arriving: Array) -> Array:
    """Seam score of a join where nothing continues: what steps, and what is broken off or begins in the middle.

    Args:
        step: mean step, natural units.
        leaving: boundary strength where the music is left, in [0, 1].
        arriving: boundary strength where it goes on, in [0, 1].
    """
    return 0.4 * step + 0.5 * (1.0 - leaving) + 0.5 * (1.0 - arriving)


def _parts(boundary: Array, is_music: BoolArray) -> IntArray:
    """Beats that begin a part, the strongest ones, ascending."""
    starts = np.flatnonzero((boundary[:-1] > PART) & is_music)
    strongest = np.argsort(-boundary[starts], kind="stable")[:_MOST_PARTS]
    return np.sort(starts[strongest])


def _gaps(activity: SmallIntArray) -> IntArray:
    """Places over what is not music, (B+1, 4): from its beginning or inside it, to runs of music.

    The next two runs, the longest one ahead and the longest one behind.
    """
    music = runs(activity, Activity.MUSIC)
    places = np.full((len(activity) + 1, 4), _NONE, dtype=np.int64)
    if len(music) < 2:
        return places
    starts, lengths = music[:, 0], music[:, 1] - music[:, 0]
    is_music = np.append(activity == Activity.MUSIC, False)
    for playhead in np.flatnonzero(~is_music):
        ahead = np.flatnonzero(starts > playhead)
        behind = np.flatnonzero(music[:, 1] < playhead)
        wanted = [*ahead[:2], *_longest(ahead, lengths), *_longest(behind, lengths)]
        distinct = list(dict.fromkeys(int(starts[run]) for run in wanted))
        places[playhead, : len(distinct)] = 2 * np.array(distinct)
    return places


def _longest(chosen: IntArray, lengths: IntArray) -> IntArray:
    return chosen[[int(lengths[chosen].argmax())]] if len(chosen) else chosen


def _beginnings(boundary: Array, is_music: BoolArray, entries: Entries) -> IntArray:
    """K places to begin: half of them the strongest parts, half the surest entries that are not there yet, (K,)."""
    parts = _parts(boundary, is_music)
    parts = parts[np.argsort(-boundary[parts], kind="stable")]
    sure = entries.beat[np.argsort(-entries.strength - 0.5 * entries.boundary, kind="stable")]
    chosen: list[int] = []
    for beats, most in ((parts, K // 2), (sure, K), (parts, K)):
        for beat in beats.tolist():
            if len(chosen) < most and beat > 0 and all(abs(beat - other) > 1 for other in chosen):
                chosen.append(beat)
    places = np.full(K, _NONE, dtype=np.int64)
    places[: len(chosen)] = 2 * np.array(chosen, dtype=np.int64)
    return places


def _measure(
    places: IntArray,
    family: SmallIntArray,
    bounds: IntArray,
    sample_rate: int,
    boundary: Array,
    continuation: Continuation,
    step: Step,
    mono: Array,
    mono_rate: int,
) -> LandingTable:
    """Everything that is told about the chosen places."""
    shape = places.shape
    row, column = np.nonzero(places != _NONE)
    place = places[row, column]
    beat, half = place // 2, place % 2
    seam = np.ones((*shape, len(SEAM_TERMS)), dtype=np.float32)
    lag = np.zeros(shape, dtype=np.int64)
    r = np.zeros(shape, dtype=np.float32)
    for at in range(0, len(row), _BLOCK * K):
        block = slice(at, at + _BLOCK * K)
        terms = continuation.terms(row[block], beat[block], half[block])
        steps = step.terms(2 * row[block], place[block])
        seam[row[block], column[block]] = np.concatenate([terms, steps], axis=1)
    # nothing is heard before a beginning that could be compared
    seam[0] = 1.0
    measured = seam[..., : len(CONTINUATION_TERMS)] @ np.array(TERM_WEIGHTS, dtype=np.float32)
    fits = measured[row, column] < _DOUBTFUL
    row, column, beat, half = row[fits], column[fits], beat[fits], half[fits]
    here_s = bounds[row] / sample_rate
    there_s = (bounds[beat] + half * ((bounds[beat + 1] - bounds[beat]) // 2)) / sample_rate
    lag_s, correlation = align(mono, mono_rate, here_s, there_s)
    lag[row, column] = np.round(lag_s * sample_rate)
    r[row, column] = correlation
    steps = seam[..., len(CONTINUATION_TERMS) :].mean(axis=2)
    beats = np.where(places != _NONE, places // 2, -1)
    broken = boundary_score(steps, boundary[:, None], boundary[np.maximum(beats, 0)])
    jump = np.maximum(seam[..., SEAM_TERMS.index("step_level")] - 1.0, 0.0)
    score = np.where(family == Family.CONTINUATION, measured + jump, broken)
    score[0] = 1.0 - boundary[np.maximum(beats[0], 0)]
    return LandingTable(
        beat=beats,
        half=np.where(places != _NONE, places % 2, 0).astype(np.int8),
        family=family,
        continuation=measured.astype(np.float32),
        step=steps.astype(np.float32),
        score=score.astype(np.float32),
        lag=lag,
        correlation=r,
        seam=seam,
    )
