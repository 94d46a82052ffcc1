"""An edit as the actions that make it, and back.

`decode` finds the actions that come nearest to any edit, a human's too; `replay` makes the edit of actions. They are
inverse to each other within one beat, and exact where each segment ends on a bound and starts where a landing of the
table does. The tables are never changed by what a human did: a landing that they do not hold is *outside*, carries
its own start, and is played as a jump.

What `replay` makes of a decoded edit is decoded to the same actions again, so that one edit gives one demonstration.
That holds for all edits whose segments last three beats or more and whose joins do not go into the first beat of the
recording, and from the second decoding on for every edit: else the first may have to change a skip, or move an end by
so much that a landing that skips alike is more than a beat from the edit's start but not from where it moved to.
"""

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
from rl_editor.edits.edl import EDL, Maker, Segment, merged
from rl_editor.edits.joins import fade_at_end, fade_at_start
from rl_editor.errors import EDLError

_REACH = 1.0  # beats by which an edge may be moved
_SAME_SKIP = 0.25  # beats more or less that a landing may skip than the join it stands for: the pulse goes on
# beats that stand for what is worse than any sum of moved edges
_OTHER_SKIP = 1e2
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

    Each end is taken to a bound next to it, and one on a bound stays there. The start after it is taken to a landing
    of that bound's row, if one is at most a beat away and skips as much as the edit within a quarter of a beat: the
    join happens a little earlier or later in the same music. Else it lands outside, moved along with the end, so that
    the skip is the edit's own; only where no beat would be left to play does it stay where it was. The first start is
    taken to any landing of row 0 at most a beat away, or stays. Chosen is what lands outside least often and then
    moves least: the sum over all joins of the beats by which end and start are moved, and by which one is moved more
    than the other. The fade class is the one nearest to the fade by ratio. Segments that go on from each other are
    one; gains are not decoded, nor are the fades of the edit's two ends.

    Args:
        edl: any edit of this recording.
        track: its analysis.
    Raises:
        EDLError: the edit is of another recording.
    """
    if edl.source != track.source:
        raise EDLError(f"the edit is of another recording than {track.source.file or 'the one that was analysed'}")
    segments, held = merged(edl.segments), _held(track)
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


def _held(track: Track) -> _Held:
    table = track.landings
    landings = legal_by_rule(track)[:, landing_action(0, TIGHT) :: FADE_CLASSES]
    return _Held(track.bounds, landings, table.beat, table.half.astype(np.int64), table.starts(track.bounds))


def _beginnings(held: _Held, start: int) -> _Ways:
    """Ways to begin at sample `start`: with the recording, at a landing of row 0, or outside."""
    ways = _landings(held, np.array([0]), 0, start, _REACH)
    at = float(_in_beats(held.bounds, start))
    if at > _REACH:
        return ways
    kept = (0, _NO_LANDING, 0, 0, 0, at, 2 * at)
    return _Ways._make(np.append(value, column) for value, column in zip(kept, ways, strict=True))


def _joins(held: _Held, end: int, start: int) -> _Ways:
    """Ways to leave a segment near sample `end` and go on near sample `start`."""
    return _landings(held, _rows_near(held.bounds, end), end, start, _SAME_SKIP)


def _endings(held: _Held, end: int) -> _Ways:
    """Ways to stop near sample `end`."""
    rows = _rows_near(held.bounds, end)
    nothing = np.zeros_like(rows)
    moved = np.abs(rows - _in_beats(held.bounds, end))
    return _Ways(rows, nothing + _NO_LANDING, nothing, nothing, nothing, moved, moved)


def _rows_near(bounds: IntArray, end: int) -> IntArray:
    """Rows next to sample `end` at which an edit may leave off: two, or its own if it stands on a bound."""
    at = float(_in_beats(bounds, end))
    return np.arange(max(int(np.floor(at)), 1), max(int(np.ceil(at)), 1) + 1)


def _landings(held: _Held, rows: IntArray, end: int, start: int, same_skip: float) -> _Ways:
    """Ways to leave at one of `rows` instead of sample `end`, and to go on at a landing instead of sample `start`.

    Of the table are those within `same_skip` beats of where the start goes when it is moved along with the end;
    outside are that place itself and, where all else fails, `start`.
    """
    bounds, wanted, left = held.bounds, _in_beats(held.bounds, start), _in_beats(held.bounds, end)
    along = _moved_along(bounds, start, rows - left)
    inside = along >= 0
    # a place of whole samples is measured as one, for the next decoding sees no other
    goal = np.where(inside, _in_beats(bounds, along), wanted + rows - left)
    starts = _in_beats(bounds, held.start[rows])
    near = (np.abs(starts - goal[:, None]) <= same_skip) & (np.abs(starts - wanted) <= _REACH)
    at, column = np.nonzero(held.landings[rows] & near)
    row = rows[at]
    table = row, column, held.beat[row, column], held.half[row, column], held.start[row, column]
    moved = _outside(bounds, rows[inside], along[inside])
    unmoved = _outside(bounds, rows, np.full_like(rows, start))
    row, column, beat, half, begins = (np.concatenate(each) for each in zip(table, moved, unmoved, strict=True))
    begins_at = _in_beats(bounds, begins)
    late_end, late_start = row - left, begins_at - wanted
    cost = np.abs(late_end) + np.abs(late_start) + np.abs(late_start - late_end)
    cost += np.where(column == _OUTSIDE, _NOT_IN_THE_TABLE + np.abs(begins_at - beat - half / 2), 0.0)
    cost[len(row) - len(unmoved[0]) :] += _OTHER_SKIP
    cost += np.where((row > 0) & (begins == bounds[row]), _NO_JUMP, 0.0)
    return _Ways(row, column, beat, half, begins, np.maximum(np.abs(late_end), np.abs(late_start)), cost)


def _moved_along(bounds: IntArray, start: int, late: DoubleArray) -> IntArray:
    """Sample `start` moved by `late` beats and no fraction of a sample more; -1 outside the recording, (M,)."""
    goal = _in_beats(bounds, start) + late
    along = start + np.trunc(np.interp(goal, np.arange(len(bounds)), bounds) - start).astype(np.int64)
    return np.where((goal >= 0) & (along < bounds[-1]), along, -1)


def _outside(bounds: IntArray, rows: IntArray, starts: IntArray) -> tuple[IntArray, ...]:
    """Ways to leave at each of `rows` for its own one of `starts`: row, column, beat, half and start, (M,) each.

    A landing may be counted under the beat or the half of one that it stands in, or under what follows.
    """
    beats = np.searchsorted(bounds, starts, side="right") - 1
    places = 2 * beats[:, None] + np.arange(3)
    at, _ = np.nonzero(places < 2 * (len(bounds) - 1))
    place = places[places < 2 * (len(bounds) - 1)]
    return rows[at], np.full_like(place, _OUTSIDE), place // 2, place % 2, starts[at]


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
    return merged(segments)
