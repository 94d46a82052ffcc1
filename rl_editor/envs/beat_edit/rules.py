"""The rules of beat editing under a request: which actions are legal, so that the edit can always be finished.

`edits/actions.py` says what an action does and which are legal by rule; here a request narrows them. Locks are never
passed over, what is banned is not played, an end that is asked for is the only one, and every action must leave a
*certificate*: a way to finish that is known to exist. So a policy that plays any legal actions always ends within the
window around the target, but not every way that could be finished is allowed. Order and repeats restrict landings that
go back; going ahead, by KEEP or a landing, may come to beats that were played before, and pays for it.

In samples: with L still to play, window w (the slack, or half of the longest step, which no way of playing can then
jump over) and A(p) the most that can be played from playhead p by KEEP and landings ahead, an edit can be finished if
L >= -w and A(p) >= L - w. Where repeats are allowed, one *reserve loop* may be played again and again before; where
parts may change places it may be taken once to a beat that was not played yet. With
locks or a fixed end the playing times that finish have gaps: then a table over playheads and times tells them
(`timed.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, IntArray
from rl_editor.edits.actions import (
    END,
    FADE_CLASSES,
    KEEP,
    N_ACTIONS,
    SLOTS,
    State,
    Tables,
    legal_by_rule,
    make_tables,
)
from rl_editor.edits.stacking import stacked
from rl_editor.edits.wishes import Wishes
from rl_editor.envs.beat_edit.timed import FinishingTimes, Timed, finishing_times
from rl_editor.errors import RequestError

_NEVER = -(2**29)  # samples that stand for: not at all
_MOST = 2**30  # samples that an edit may be long, 6 hours at 48 kHz
_BEAT, _LEAST, _MOST_LEFT, _MOST_VIA, _LEGAL = range(5)
# A row of `_LEGAL` is 4 SLOTS bytes, of which the last N_ACTIONS are the actions': KEEP is the third byte of its number
# and END the fourth, counted from the lowest, as little-endian machines keep them.
_FIRST_BYTE = 4 * SLOTS - N_ACTIONS


@dataclass(frozen=True, eq=False)
class Assignment:
    """A recording with what is wished for it; the length is the episode's."""

    track: Track
    wishes: Wishes
    slack: int
    """Samples."""
    free: bool = False
    """Sections may change places."""
    longest: int = 0
    """Longest target of an episode, in samples; counts where there are locks or a fixed end."""


@dataclass(frozen=True, eq=False)
class Rules:
    """What R assignments allow, padded to the longest recording; made by `make_rules`, on little-endian machines."""

    tables: Tables
    window: Tensor
    """Samples by which a length may be off, (R,) int64."""
    free: Tensor
    """Sections may change places, (R,) bool."""
    first: Tensor
    """Beat that an edit has to begin with, (R,) int64; -1 where it may choose."""
    limits: Tensor
    """What the mask needs of KEEP, END and each landing, side by side so that one gather brings it, (R, B+1, 5, SLOTS)
    int32: the beat that is then played (-1 for no landing); the least and the most samples that may be left to play
    before it; the most by way of the reserve loop, that loop not counted; and where it is legal, a byte each for the
    four fade classes of a landing, the third for KEEP and the fourth for END."""
    loop_beat: Tensor
    """Beat on which the reserve loop lands, (R,) int64; the number of beats where there is none."""
    loop_samples: Tensor
    """Samples that it plays again, (R,) int64; 0 where there is none."""
    only_keep: Tensor
    """The moves after a landing on a beat: KEEP alone, (SLOTS,) bool."""
    timed: Timed | None
    """Playing times that finish, where there are locks or a fixed end."""

    def going_back(self, row: Tensor, loops: Tensor, most_plays: Tensor) -> "GoingBack":
        """What N edits of assignments `row` (N,) may do but go ahead.

        Args:
            row: (N,) int64.
            loops: whether beats may be repeated, (N,) bool.
            most_plays: how often a beat may then be landed on, (N,) int64.
        """
        free, loop_beat, loop_samples = (each[row] for each in (self.free, self.loop_beat, self.loop_samples))
        return GoingBack(free, loop_beat, loop_samples, torch.where(loops, most_plays, 0))


class GoingBack(NamedTuple):
    """What each of N edits may do but go ahead: the same during the whole of it."""

    free: Tensor
    """Sections may change places, (N,) bool."""
    loop_beat: Tensor
    """As in `Rules`, (N,) int64."""
    loop_samples: Tensor
    """As in `Rules`, (N,) int64."""
    most_plays: Tensor
    """How often a beat may be landed on, (N,) int64; 0 where none may be repeated."""

    def of(self, which: Tensor) -> "GoingBack":
        """That of edits `which` (n,)."""
        return GoingBack(*(each.index_select(0, which) for each in self))


class _Graph:
    """One assignment's moves ahead: what the certificate's tables are made of."""

    def __init__(self, assignment: Assignment) -> None:
        track, wishes = assignment.track, assignment.wishes
        places = track.landings
        self.bounds = track.bounds
        self.legal = legal_by_rule(track, wishes.banned) & _wished(track, wishes)
        self.beat = np.maximum(places.beat, 0)
        self.start = places.starts(track.bounds)
        self.valid = places.valid
        self.usable = places.valid & self.legal[:, 2::FADE_CLASSES]
        self.lasts = np.where(places.valid, track.bounds[self.beat + 1] - self.start, 0)
        playhead = np.arange(len(track.bounds))[:, None]
        self.onward = self.usable & (self.beat >= playhead)
        self.onward[0] = False  # row 0 only begins
        self.keeps = self.legal[:-1, KEEP]
        longest = max(int(np.diff(track.bounds).max()), int(self.lasts[self.usable].max(initial=0)))
        self.window = max(assignment.slack, -(-longest // 2))

    def ahead(self) -> IntArray:
        """Most samples from each playhead without going back, (B+1,)."""
        most = np.zeros(len(self.bounds), dtype=np.int64)
        for p in range(len(most) - 2, -1, -1):
            keep = self.bounds[p + 1] - self.bounds[p] + most[p + 1] if self.keeps[p] else 0
            columns = np.flatnonzero(self.onward[p])
            landed = self.lasts[p, columns] + most[self.beat[p, columns] + 1]
            most[p] = max(keep, int(landed.max(initial=0)))
        return most

    def loop(self) -> tuple[int, int, int] | None:
        """Playhead, beat and samples of the longest loop whose beats can all be kept; None without one."""
        held = np.concatenate([[0], np.cumsum(~self.keeps)])
        row, column = np.nonzero(self.usable & (self.beat < np.arange(len(self.bounds))[:, None]))
        beat = self.beat[row, column]
        length = self.bounds[row] - self.start[row, column]
        length = np.where((held[row] == held[beat]) & (row > 0), length, 0)
        if length.max(initial=0) <= 0:
            return None
        best = int(length.argmax())
        return int(row[best]), int(beat[best]), int(length[best])

    def through(self, row: int, ahead: IntArray) -> IntArray:
        """Samples by KEEP to playhead `row` and what is ahead there, (B+1,)."""
        held = np.concatenate([[0], np.cumsum(~self.keeps)])
        playhead = np.arange(len(self.bounds))
        there = (playhead <= row) & (held[row] == held[playhead])
        return np.where(there, self.bounds[row] - self.bounds + ahead[row], _NEVER)

    def limits(self, ahead: IntArray, through: IntArray) -> IntArray:
        """`Rules.limits` of this assignment, (B+1, 5, SLOTS)."""
        playhead, w = np.arange(len(self.bounds)), self.window
        fades = self.legal[:, 2:].astype(np.uint8).reshape(len(self.bounds), -1, FADE_CLASSES).view(np.int32)[..., 0]
        after, length = np.minimum(playhead + 1, len(self.bounds) - 1), np.append(np.diff(self.bounds), 0)
        there = self.beat + 1
        end = np.full_like(playhead, w)
        keep, stop = self.legal[:, KEEP].astype(np.int64) << 16, self.legal[:, END].astype(np.int64) << 24
        columns = (
            (playhead, playhead, np.where(self.valid, self.beat, -1)),
            (length - w, -end, self.lasts - w),
            (length + w + ahead[after], end, self.lasts + w + ahead[there]),
            (length + w + through[after], end + _NEVER, self.lasts + w + through[there]),
            (keep, stop, fades),
        )
        packed = [np.column_stack(column) for column in columns]
        return np.stack([np.maximum(column, _NEVER) for column in packed], axis=1)


def make_rules(assignments: Sequence[Assignment], *, device: torch.device | str = "cpu") -> Rules:
    """The rules of R assignments.

    Raises:
        RequestError: a recording and its longest target are together longer than 6 hours.
    """
    for each in assignments:
        if int(each.track.bounds[-1]) + each.longest >= _MOST:
            raise RequestError(f"{each.track.source.file or 'recording'}: too long, with what is asked for")
    graphs = [_Graph(each) for each in assignments]
    tables = make_tables([each.track for each in assignments], [graph.legal for graph in graphs], device=device)
    rows = tables.bounds.shape[1]
    aheads, loops = [graph.ahead() for graph in graphs], [graph.loop() for graph in graphs]
    throughs = [
        np.full(len(ahead), _NEVER) if loop is None else graph.through(loop[0], ahead)
        for graph, ahead, loop in zip(graphs, aheads, loops, strict=True)
    ]
    limits = (
        graph.limits(ahead, through).astype(np.int32)
        for graph, ahead, through in zip(graphs, aheads, throughs, strict=True)
    )

    def numbers(values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=device)

    return Rules(
        tables=tables,
        window=numbers([graph.window for graph in graphs]),
        free=torch.tensor([each.free for each in assignments], device=device),
        first=numbers([-1 if each.wishes.start is None else each.wishes.start for each in assignments]),
        limits=stacked(limits, rows, device=device),
        loop_beat=numbers([rows if loop is None else loop[1] for loop in loops]),
        loop_samples=numbers([0 if loop is None else loop[2] for loop in loops]),
        only_keep=torch.arange(SLOTS, device=device) == KEEP,
        timed=_timed(assignments, graphs, loops, rows, device),
    )


def _timed(
    assignments: Sequence[Assignment],
    graphs: Sequence[_Graph],
    loops: Sequence[tuple[int, int, int] | None],
    rows: int,
    device: torch.device | str,
) -> Timed | None:
    """Finishing times of the assignments that have locks or a fixed end; None where none has."""
    tables: list[FinishingTimes | None] = []
    for each, graph, loop in zip(assignments, graphs, loops, strict=True):
        if each.wishes.end is None and not each.wishes.locked.any():
            tables.append(None)
            continue
        shifts = np.where(graph.onward, graph.start - graph.bounds[:, None], 0)
        tables.append(
            finishing_times(
                graph.bounds,
                keeps=graph.keeps,
                ends=graph.legal[:, END],
                onward=graph.onward,
                beat=graph.beat,
                shift=shifts,
                window=graph.window,
                longest=each.longest,
                loop_row=None if loop is None else loop[0],
            )
        )
    return Timed.stacked(tables, rows, device)


def _wished(track: Track, wishes: Wishes) -> BoolArray:
    """Actions at each playhead that no lock and no end that is asked for forbids, (B+1, A)."""
    allowed = np.ones((track.n_beats + 1, N_ACTIONS), dtype=bool)
    playhead = np.arange(track.n_beats + 1)
    if wishes.end is not None:
        allowed[:, END] = playhead == wishes.end
    if wishes.last_locked is not None:
        allowed[:, END] &= playhead > wishes.last_locked
    places = track.landings
    beat = np.maximum(places.beat, 0)
    locks_before = np.concatenate([[0], np.cumsum(wishes.locked)])
    passes = locks_before[np.maximum(beat, playhead[:, None])] > locks_before[playhead][:, None]
    cuts_into = wishes.locked[beat] & (places.starts(track.bounds) > track.bounds[beat])
    allowed[:, 2:] &= np.repeat(~(passes | cuts_into), FADE_CLASSES, axis=1)
    return allowed


def allowed(rules: Rules, state: State, left: Tensor, back: GoingBack) -> Tensor:
    """Legal actions after which the edit can be finished, (N, A) bool; none for an edit that has ended.

    Args:
        rules: of R assignments.
        state: N edits, `state.track` rows of the rules.
        left: samples still to play, (N,) int64.
        back: what they may do but go ahead, `rules.going_back` of their rows.
    """
    row = state.track
    limits = rules.limits.flatten(0, 1).index_select(0, row * rules.tables.bounds.shape[1] + state.playhead)
    beat = limits[:, _BEAT]
    behind, ahead = _reserve(state, back)
    loop = torch.where(beat <= back.loop_beat[:, None], ahead[:, None], behind[:, None])
    short = left.to(torch.int32)[:, None]
    can = (short >= limits[:, _LEAST]) & ((short <= limits[:, _MOST_LEFT]) | (short <= limits[:, _MOST_VIA] + loop))
    if rules.timed is not None:
        ends = can[:, END].clone()
        can = _in_time(rules, rules.timed, row, beat, short - limits[:, _LEAST], loop, otherwise=can)
        can[:, END] = ends
    can &= _by_kind(state, beat, back)
    can = torch.where(state.must_keep[:, None], rules.only_keep, can) & ~state.ended[:, None]
    legal = limits[:, _LEGAL] * can
    legal[:, END].add_(legal[:, KEEP])
    return legal.view(torch.uint8)[:, _FIRST_BYTE:].to(torch.bool)


def _reserve(state: State, back: GoingBack) -> tuple[Tensor, Tensor]:
    """Samples that the reserve loop can still play, (N,) int32: once its beat lies behind, and while it lies ahead.

    `_NEVER` where the loop can't be come to: its beat was passed over, and parts may not change places.
    """
    there = back.loop_beat.clamp(max=state.plays.shape[1] - 1)
    plays = state.plays.gather(1, there[:, None])[:, 0]
    behind = torch.where(plays > 0, back.most_plays - plays, back.most_plays.clamp(min=1))
    times = torch.stack([behind, back.most_plays - plays - 1]).clamp(min=0)
    both = (times * back.loop_samples).clamp(max=_MOST // 2).to(torch.int32)
    return torch.where((plays > 0) | back.free, both[0], _NEVER), both[1]


def _by_kind(state: State, beat: Tensor, back: GoingBack) -> Tensor:
    """Moves (N, SLOTS) that order and repeats allow: those ahead; of those back what is unplayed, or may be again."""
    plays = state.plays.gather(1, beat.clamp(0, state.plays.shape[1] - 1).to(torch.int64))
    back_to = torch.where(plays == 0, back.free[:, None], plays < back.most_plays[:, None])
    return (beat >= state.playhead[:, None]) | back_to


def _in_time(
    rules: Rules, timed: Timed, row: Tensor, beat: Tensor, spare: Tensor, loop: Tensor, otherwise: Tensor
) -> Tensor:
    """Whether edits finish in time once `beat` was played, (N, SLOTS); `otherwise` where nothing is timed.

    Args:
        rules: of R assignments.
        timed: their finishing times.
        row: assignments, (N,).
        beat: played last, (N, SLOTS), like all that follows.
        spare: samples left after it, and the window.
        loop: samples that the reserve loop can still play.
        otherwise: what holds without locks and a fixed end.
    """
    rows = row[:, None].expand_as(beat)
    playhead = beat.clamp(min=0).to(torch.int64) + 1
    playhead = playhead.clamp(max=rules.tables.bounds.shape[1] - 1)
    bound = rules.tables.bounds.flatten()[rows * rules.tables.bounds.shape[1] + playhead]
    samples = rules.loop_samples[rows]
    times = torch.where(samples > 0, loop.clamp(min=0) // samples.clamp(min=1), 0)
    ends_at = spare - rules.window[rows] + bound
    return timed.finish(rows, playhead, ends_at, samples, times, otherwise)
