"""An edit as the actions that make it, and back.

`decode` finds the actions that come nearest to any edit, a human's too; `replay` makes the edit of actions. They are
inverse to each other within one beat, and exact where each segment ends on a bound and starts where a landing of the
table does. The tables are never changed by what a human did: a landing that they do not hold is *outside*, carries
its own start, and is played as a jump.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, DoubleArray, IntArray
from rl_editor.edits.actions import (
    END,
    FADE_CLASSES,
    KEEP,
    TIGHT,
    Places,
    advance,
    begin,
    column_of,
    fade_class_of,
    fade_samples,
    landing_action,
    legal,
    legal_by_rule,
    make_tables,
)
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.joins import fade_at_end, fade_at_start
from rl_editor.errors import EDLError

_REACH = 1.0  # beats by which an edge may be moved
# beats that stand for what is worse than any sum of moved edges
_NOT_IN_THE_TABLE = 1e3
_NO_JUMP = 1e6
_NO_LANDING, _OUTSIDE = -1, -2
_BEGINNING = "beginning"


class Outside(NamedTuple):
    """Landings of T actions that the table does not hold, (T,) int64 each; -1 where an action needs none."""

    beat: IntArray
    """Beat to go on from."""
    half: IntArray
    """1: the rest of the beat is played at once, 0: its KEEP follows."""
    start: IntArray
    """Samples of the source."""


class Decoded(NamedTuple):
    """T actions that make an edit, the last one END."""

    actions: IntArray
    """Indices of `rl_editor.edits.actions`, (T,); one that lands outside stands as landing 0 with its own fade."""
    playhead: IntArray
    """Beat before which the playhead stands when each is taken: its row of the tables, (T,)."""
    outside: Outside
    """What the table does not hold; `outside.beat >= 0` masks these actions out of a loss."""
    moved: DoubleArray
    """By how many beats an action moves the edges of the edit that was decoded, the further one of two, (T,)."""


class _Held(NamedTuple):
    """What the table holds."""

    bounds: IntArray
    landings: BoolArray
    """Landings that are legal by rule, (B+1, K)."""
    beat: IntArray
    half: IntArray
    start: IntArray


class _Ways(NamedTuple):
    """M ways from one segment to the next, (M,) each."""

    row: IntArray
    """Playhead when the segment is left."""
    column: IntArray
    """Landing of that row, `_OUTSIDE`, or `_NO_LANDING`."""
    beat: IntArray
    half: IntArray
    start: IntArray
    moved: DoubleArray
    cost: DoubleArray


def decode(edl: EDL, track: Track) -> Decoded:
    """The actions that come nearest to an edit.

    Each end is taken to a bound and each start to a landing of that bound's row, at most a beat away, or else it
    lands outside, exactly where the edit does. Chosen is what lands outside least often and then moves least: the sum
    over all joins of the beats by which end and start are moved, and by which one is moved more than the other. The
    fade class is the one nearest to the fade by ratio. Segments that go on from each other are one; gains are not
    decoded, nor are the fades of the edit's two ends.

    Args:
        edl: any edit of this recording.
        track: its analysis.
    Raises:
        EDLError: the edit is of another recording.
    """
    if edl.source != track.source:
        raise EDLError(f"the edit is of another recording than {track.source.file or 'the one that was analysed'}")
    segments, held = _merged(edl.segments), _held(track)
    ways = [_beginnings(held, segments[0].start)]
    ways += [_joins(held, before.end, after.start) for before, after in pairwise(segments)]
    ways.append(_endings(held, segments[-1].end))
    chosen = [_Ways._make(column[k] for column in each) for each, k in zip(ways, _cheapest(ways), strict=True)]
    classes = fade_samples(track)
    fades = [TIGHT, *(_nearest(segment.fade, classes) for segment in segments[1:]), TIGHT]
    return _as_actions(chosen, fades)


def replay(
    actions: IntArray, track: Track, outside: Outside | None = None, *, maker: Maker, target_s: float | None = None
) -> EDL:
    """The edit that actions make: the environment's transition, one edit at a time.

    Args:
        actions: (T,), the last one END.
        track: analysis of the recording.
        outside: landings that the table does not hold.
        maker: what chose the actions.
        target_s: the length that was asked for.
    Raises:
        EDLError: an action is not legal where it is taken, or the last one is not END.
    """
    tables = make_tables([track])
    state = begin(tables, torch.zeros(1, dtype=torch.int64))
    outside = Outside(*np.full((3, len(actions)), -1)) if outside is None else outside
    places = Places(*(torch.tensor(each, dtype=torch.int64)[:, None] for each in outside))
    playhead = np.empty(len(actions), dtype=np.int64)
    for t, action in enumerate(torch.tensor(actions, dtype=torch.int64)[:, None]):
        playhead[t] = at = int(state.playhead)
        jumps = bool(outside.beat[t] >= 0 and action > END and not state.must_keep and not state.ended)
        if not (jumps or legal(tables, state)[0, action]):
            raise EDLError(f"action {t + 1} of {len(actions)}: {int(action)} is not legal before beat {at}")
        state = advance(tables, state, action, Places(*(each[t] for each in places)))
    if not state.ended:
        raise EDLError(f"{len(actions)} actions without an END: the edit is not finished")
    segments = _segments(actions, playhead, outside, track)
    return EDL(track.source, tuple(segments), maker, target_s, end_fade=fade_at_end(track, segments[-1].end))


def _merged(segments: Sequence[Segment]) -> list[Segment]:
    """Segments with those that go on from each other made one."""
    merged = list(segments[:1])
    for segment in segments[1:]:
        if segment.start == merged[-1].end:
            merged[-1] = replace(merged[-1], end=segment.end)
        else:
            merged.append(segment)
    return merged


def _held(track: Track) -> _Held:
    table = track.landings
    landings = legal_by_rule(track)[:, landing_action(0, TIGHT) :: FADE_CLASSES]
    return _Held(track.bounds, landings, table.beat, table.half.astype(np.int64), table.starts(track.bounds))


def _beginnings(held: _Held, start: int) -> _Ways:
    """Ways to begin at sample `start`: with the recording, at a landing of row 0, or outside."""
    ways = _ways(held, np.array([0]), 0, start)
    at = float(_in_beats(held.bounds, start))
    if at > _REACH:
        return ways
    kept = (0, _NO_LANDING, 0, 0, 0, at, 2 * at)
    return _Ways._make(np.append(value, column) for value, column in zip(kept, ways, strict=True))


def _joins(held: _Held, end: int, start: int) -> _Ways:
    """Ways to leave a segment near sample `end` and go on near sample `start`."""
    return _ways(held, _rows_near(held.bounds, end), end, start)


def _endings(held: _Held, end: int) -> _Ways:
    """Ways to stop near sample `end`."""
    rows = _rows_near(held.bounds, end)
    nothing = np.zeros_like(rows)
    moved = np.abs(rows - _in_beats(held.bounds, end))
    return _Ways(rows, nothing + _NO_LANDING, nothing, nothing, nothing, moved, moved)


def _rows_near(bounds: IntArray, end: int) -> IntArray:
    """Rows within reach of sample `end` at which an edit may leave off, at least one."""
    at = float(_in_beats(bounds, end))
    return np.arange(max(int(np.ceil(at - _REACH)), 1), min(int(np.floor(at + _REACH)), len(bounds) - 1) + 1)


def _ways(held: _Held, rows: IntArray, end: int, start: int) -> _Ways:
    """Ways to leave at one of `rows` for a landing within reach of sample `start`, or for itself, outside."""
    bounds, wanted = held.bounds, _in_beats(held.bounds, start)
    near = np.abs(_in_beats(bounds, held.start[rows]) - wanted) <= _REACH
    at, column = np.nonzero(held.landings[rows] & near)
    row = rows[at]
    table = row, column, held.beat[row, column], held.half[row, column], held.start[row, column]
    places = _places_of(bounds, start)
    row, place = np.repeat(rows, len(places)), np.tile(places, len(rows))
    outside = row, np.full_like(row, _OUTSIDE), place // 2, place % 2, np.full_like(row, start)
    row, column, beat, half, begins = (np.concatenate(pair) for pair in zip(table, outside, strict=True))
    late_end, late_start = row - _in_beats(bounds, end), _in_beats(bounds, begins) - wanted
    cost = np.abs(late_end) + np.abs(late_start) + np.abs(late_start - late_end)
    cost += np.where(column == _OUTSIDE, _NOT_IN_THE_TABLE + np.abs(wanted - beat - half / 2), 0.0)
    cost += np.where((row > 0) & (begins == bounds[row]), _NO_JUMP, 0.0)
    return _Ways(row, column, beat, half, begins, np.maximum(np.abs(late_end), np.abs(late_start)), cost)


def _places_of(bounds: IntArray, start: int) -> IntArray:
    """Beats and halves, as numbers 2j + h, that a landing at sample `start` may be counted under."""
    beat = int(np.searchsorted(bounds, start, side="right")) - 1
    return np.arange(2 * beat, min(2 * beat + 3, 2 * (len(bounds) - 1)))


def _in_beats(bounds: IntArray, at: int | IntArray) -> DoubleArray:
    """Samples of the source as beats and fractions of them, from 0 to B."""
    return np.asarray(np.interp(at, bounds, np.arange(len(bounds))))


def _cheapest(ways: list[_Ways]) -> list[int]:
    """One way each of least cost together, such that every segment plays a beat at least; the first among equals."""
    best, came_from = ways[0].cost, []
    for before, after in pairwise(ways):
        total = np.where(before.beat[:, None] < after.row, best[:, None], np.inf)
        came_from.append(total.argmin(axis=0))
        best = total.min(axis=0) + after.cost
    path = [int(best.argmin())]
    for previous in reversed(came_from):
        path.append(int(previous[path[-1]]))
    return path[::-1]


def _as_actions(chosen: list[_Ways], fades: list[int]) -> Decoded:
    """The actions of the chosen ways (scalars), with the beats that are kept between them."""
    steps: list[tuple[int, int, float, int, int, int]] = []
    at = 0
    for k, (way, fade_class) in enumerate(zip(chosen, fades, strict=True)):
        row, column, moved = int(way.row), int(way.column), float(way.moved)
        steps += [(KEEP, beat, 0.0, -1, -1, -1) for beat in range(at, row)]
        if column == _OUTSIDE:
            steps.append((landing_action(0, fade_class), row, moved, int(way.beat), int(way.half), int(way.start)))
        elif column >= 0:
            steps.append((landing_action(column, fade_class), row, moved, -1, -1, -1))
        elif k > 0:
            steps.append((END, row, moved, -1, -1, -1))
        at = int(way.beat + way.half)
    actions, playhead, moves, *outside = (np.array(column) for column in zip(*steps, strict=True))
    return Decoded(actions, playhead, Outside(*outside), moves)


def _nearest(fade: int, classes: IntArray) -> int:
    """The class whose length is nearest to a fade by ratio, the shortest among equals."""
    return int(np.abs(np.log(classes) - np.log(max(fade, 1))).argmin())


def _segments(actions: IntArray, playhead: IntArray, outside: Outside, track: Track) -> list[Segment]:
    """What actions play that are taken before the beats of `playhead`, (T,) each."""
    classes = fade_samples(track)
    starts, family = track.landings.starts(track.bounds), track.landings.family
    start, fade, why = 0, fade_at_start(track, 0), _BEGINNING
    segments: list[Segment] = []
    for t in np.flatnonzero(actions != KEEP):
        action, row = int(actions[t]), int(playhead[t])
        if row > 0:
            segments.append(Segment(start, int(track.bounds[row]), fade, why=why))
        if action == END:
            break
        is_outside, column = outside.beat[t] >= 0, column_of(action)
        start = int(outside.start[t] if is_outside else starts[row, column])
        if row == 0:
            fade = fade_at_start(track, start)
        else:
            fade = int(classes[fade_class_of(action)])
            why = "outside" if is_outside else Family(int(family[row, column])).name.lower()
    return _merged(segments)
