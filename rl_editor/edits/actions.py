"""The actions of editing: their numbers, which are legal by rule, and what each one does.

A playhead stands before a beat and either plays it (KEEP), goes on at one of the K landings of its row, with one of
four fades, or stops (END). N states step together, each on its own recording; all shapes are static.

    index            0     1    2 + 4k + d
    action           KEEP  END  landing k, fade class d
    fade class d     0 tight (8 ms), 1 short (30 ms), 2 the recording's median beat, 3 its median bar

CUT, LOOP and REORDER are what a landing is called after what was played before (`kinds`). Legal by rule is

- KEEP of a beat that is not banned;
- END once something was played;
- a landing that plays no banned beat, nor lets one be heard during a fade of a beat or a bar. Row 0 serves only to
  begin: its landings begin the edit where they stand, no join and so but one fade class. Of landings in one row that
  start at the same sample only the one of the best seam score is legal, of fade classes of equal length the first;
- after a landing on a beat nothing but its KEEP, so that no segment is empty. A landing in the middle of a beat plays
  the rest of it at once.

What a request adds (its length, locks, start and end) narrows this mask; that is the environment's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.landings import K
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.edits.joins import SHORT_S, TIGHT_S
from rl_editor.edits.stacking import stacked

KEEP, END = 0, 1
FADE_CLASSES = 4
N_ACTIONS = 2 + FADE_CLASSES * K
TIGHT, SHORT, BEAT, BAR = range(FADE_CLASSES)
SLOTS = 2 + K
"""KEEP, END and each landing, whatever its fade: what is different of the moves of a playhead."""

Index = TypeVar("Index", int, IntArray, Tensor)


class Kind(IntEnum):
    """What a landing is, seen from what was already played."""

    CUT = 0
    """To an unplayed beat ahead of all that was played: what lies between is left out."""
    LOOP = 1
    """To a beat that was played: it is repeated."""
    REORDER = 2
    """To an unplayed beat below the furthest one played: sections change places."""


class Places(NamedTuple):
    """Landings that stand in no table, (N,) each."""

    beat: Tensor
    """Beat to go on from; -1 where the action's own landing is meant."""
    half: Tensor
    """1: the rest of the beat is played at once, 0: its KEEP has to follow."""
    start: Tensor
    """Samples of the source, before the end of the beat."""


class Move(NamedTuple):
    """What an action does, whatever was played before; int64 of one shape."""

    playhead: Tensor
    """Where it leads."""
    beat: Tensor
    """Beat that it plays or lands on; 0 for END."""
    played: Tensor
    """That beat if it is played at once, else -1."""
    samples: Tensor
    """What it adds to `State.samples`."""
    must_keep: Tensor
    """1 where its beat is still to be played, else 0."""
    joins: Tensor
    """1 where it makes a join, else 0."""


@dataclass(frozen=True, eq=False)
class Tables:
    """What never changes while R recordings are edited, padded to the longest; made by `make_tables`."""

    bounds: Tensor
    """Samples, (R, B+1) int64; the last bound is repeated."""
    beat: Tensor
    """Beat of each landing, (R, B+1, K) int64; -1 where there is none."""
    half: Tensor
    """(R, B+1, K) int64."""
    start: Tensor
    """Where each landing begins, in samples of the source, (R, B+1, K) int64."""
    legal: Tensor
    """Actions legal by rule at each playhead as far as they do not depend on the state, (R, B+1, A) bool."""

    @cached_property
    def moves(self) -> Tensor:
        """The `Move` of each slot side by side, so that one gather brings it, (R (B+1) SLOTS, 6) int32."""
        track = torch.arange(len(self.bounds), device=self.bounds.device)[:, None, None]
        playhead = torch.arange(self.bounds.shape[1], device=self.bounds.device)[:, None]
        after = (playhead + 1).clamp(max=len(playhead) - 1)
        none, zero = torch.full_like(playhead, -1), torch.zeros_like(playhead)
        keep = Move(after, playhead, playhead, self.bounds[track, after] - self.bounds[track, playhead], zero, zero)
        end = Move(playhead, zero, none, zero, zero, zero)
        landing = _landing(self, track, playhead, Places(self.beat, self.half, self.start))
        shape = (*self.beat.shape[:2], -1)
        columns = (
            torch.cat([each.expand(shape) for each in column], dim=2) for column in zip(keep, end, landing, strict=True)
        )
        return torch.stack([column.to(torch.int32) for column in columns], dim=3).flatten(0, 2)

    @cached_property
    def slot(self) -> Tensor:
        """Slot of each action, (A,) int64."""
        actions = torch.arange(N_ACTIONS, device=self.bounds.device)
        return torch.where(actions > END, 2 + column_of(actions), actions)


@dataclass(frozen=True, eq=False)
class State:
    """N edits under way."""

    track: Tensor
    """Row of the tables, (N,) int64."""
    playhead: Tensor
    """Beat before which it stands, (N,) int64."""
    must_keep: Tensor
    """A landing was just taken whose beat is still to be played, (N,) bool."""
    ended: Tensor
    """(N,) bool."""
    furthest: Tensor
    """The highest beat played, (N,) int64; -1 before there is one."""
    plays: Tensor
    """How often each beat was played, (N, B) int16."""
    samples: Tensor
    """Length of what was played, (N,) int64. Right after a landing on a beat it counts only what the landing plays
    before that beat, and takes away what it leaves out of it."""


def landing_action(column: Index, fade_class: Index) -> Index:
    """Index of the action that takes landing `column` of the row with a fade of `fade_class`."""
    return 2 + FADE_CLASSES * column + fade_class


def column_of(action: Index) -> Index:
    """Which landing of its row an action takes; negative for KEEP and END."""
    return (action - 2) // FADE_CLASSES


def fade_class_of(action: Index) -> Index:
    """With which class of fade an action takes its landing; without meaning for KEEP and END."""
    return (action - 2) % FADE_CLASSES


def fade_samples(track: Track) -> IntArray:
    """Length of each fade class in this recording, in samples, (4,)."""
    lengths = np.diff(track.bounds)
    bars = np.add.reduceat(lengths, np.flatnonzero(np.diff(track.bar, prepend=track.bar[0] - 1)))
    rate = track.source.sample_rate
    return np.round([TIGHT_S * rate, SHORT_S * rate, np.median(lengths), np.median(bars)]).astype(np.int64)


def legal_by_rule(track: Track, banned: BoolArray | None = None) -> BoolArray:
    """Actions that are legal at each playhead, as far as that does not depend on what was played, (B+1, A).

    Args:
        track: analysis of the recording.
        banned: beats that must not be played, (B,).
    """
    bounds, places = track.bounds, track.landings
    banned = np.zeros(track.n_beats, dtype=bool) if banned is None else banned
    fades, starts = fade_samples(track), places.starts(bounds)
    # during a tight or a short fade nobody hears a beat: only the longer ones bring in what lies before the start
    lead_in = np.where(np.arange(FADE_CLASSES) >= BEAT, fades, 0)
    first_heard = np.maximum(starts[..., None] - lead_in, 0)
    first_beat = np.minimum(np.searchsorted(bounds, first_heard, side="right") - 1, places.beat[..., None])
    bans_before = np.concatenate([[0], np.cumsum(banned)])
    clear = bans_before[places.beat + 1][..., None] == bans_before[np.maximum(first_beat, 0)]
    distinct = np.array([fade not in fades[:d] for d, fade in enumerate(fades)])
    landings = (places.valid & ~_surpassed(starts, places.score, places.valid))[..., None] & clear & distinct
    landings[0, :, 1:] = False
    keep = np.append(~banned, False)
    end = np.arange(len(bounds)) > 0  # whoever stands before beat 0 has played nothing, or has it to play
    return np.concatenate([keep[:, None], end[:, None], landings.reshape(len(bounds), -1)], axis=1)


def _surpassed(starts: IntArray, score: Array, valid: BoolArray) -> BoolArray:
    """Landings that start where a better one of their row does, or an equal one before them, (B+1, K)."""
    same = (starts[:, :, None] == starts[:, None, :]) & valid[:, None, :]
    earlier = np.tri(starts.shape[1], k=-1, dtype=bool)
    ours, other = score[:, :, None], score[:, None, :]
    return (same & ((other < ours) | ((other == ours) & earlier))).any(axis=2)


def make_tables(
    tracks: Sequence[Track], lawful: Sequence[BoolArray] | None = None, *, device: torch.device | str = "cpu"
) -> Tables:
    """Tables of R recordings.

    Args:
        tracks: analyses of the recordings, R; one may stand here several times with other bans.
        lawful: of each what is legal, (B+1, A); None for what is legal by rule where nothing is banned.
        device: where the tables live.
    """
    rows = max(track.n_beats for track in tracks) + 1
    lawful = [legal_by_rule(track) for track in tracks] if lawful is None else lawful
    starts = [track.landings.starts(track.bounds) for track in tracks]

    bounds = [np.append(track.bounds, np.full(rows - len(track.bounds), track.bounds[-1])) for track in tracks]
    return Tables(
        bounds=stacked(bounds, rows, device=device),
        beat=stacked((track.landings.beat for track in tracks), rows, fill=-1, device=device).long(),
        half=stacked((track.landings.half for track in tracks), rows, device=device).long(),
        start=stacked(starts, rows, device=device),
        legal=stacked(lawful, rows, device=device),
    )


def begin(tables: Tables, track: Tensor) -> State:
    """N edits of which nothing was played yet.

    Args:
        tables: of R recordings.
        track: row of the tables for each edit, (N,) int64.
    """
    nothing = torch.zeros_like(track)
    return State(
        track=track,
        playhead=nothing,
        must_keep=nothing.bool(),
        ended=nothing.bool(),
        furthest=nothing - 1,
        plays=torch.zeros(len(track), tables.bounds.shape[1] - 1, dtype=torch.int16, device=track.device),
        samples=nothing,
    )


def legal(tables: Tables, state: State) -> Tensor:
    """Actions that are legal by rule, (N, A) bool; none for an edit that has ended."""
    row = tables.legal.flatten(0, 1).index_select(0, _rows(tables, state))
    mask = row & ~(state.must_keep | state.ended)[:, None]
    mask[:, KEEP] = row[:, KEEP] & ~state.ended
    return mask


def kinds(tables: Tables, state: State) -> Tensor:
    """Kind of each landing in the playhead's row, (N, K) int64 of `Kind`; -1 where there is none."""
    return kinds_of(state, tables.beat.flatten(0, 1).index_select(0, _rows(tables, state)))


def kinds_of(state: State, beat: Tensor) -> Tensor:
    """Kind of landings on `beat`, (N, K) int64 of `Kind`; -1 where that is below 0."""
    played = state.plays.gather(1, beat.clamp(min=0)) > 0
    kind = (beat < state.furthest[:, None]) * int(Kind.REORDER)  # else CUT, which is 0
    return kind.masked_fill_(played, Kind.LOOP).masked_fill_(beat < 0, -1)


def move(tables: Tables, state: State, action: Tensor, outside: Places | None = None) -> Move:
    """What an action does in each of N edits, (N,); nothing where an edit has ended.

    Args:
        tables: of R recordings.
        state: N edits.
        action: (N,) int64, each legal in its state; an illegal one gives a move without meaning.
        outside: places that some of the landing actions go to instead of the table's.
    """
    slot = tables.slot.index_select(0, action.masked_fill(state.ended, END))
    by = Move(*tables.moves.index_select(0, _rows(tables, state) * SLOTS + slot).long().unbind(1))
    if outside is None:
        return by
    there = (outside.beat >= 0) & (action > END) & ~state.ended
    own = zip(_landing(tables, state.track, state.playhead, outside), by, strict=True)
    return Move(*(torch.where(there, place, table) for place, table in own))


def moved(state: State, by: Move, action: Tensor) -> State:
    """The edits after a `move`; `state` must not be used again, as with `advance`."""
    state.plays.scatter_add_(1, by.beat[:, None], (by.played >= 0)[:, None].to(state.plays.dtype))
    return State(
        track=state.track,
        playhead=by.playhead,
        must_keep=by.must_keep.bool(),
        ended=state.ended | (action == END),
        furthest=torch.maximum(state.furthest, by.played),
        plays=state.plays,
        samples=state.samples + by.samples,
    )


def advance(tables: Tables, state: State, action: Tensor, outside: Places | None = None) -> State:
    """The edits after one action each; what has ended stays as it is.

    `state.plays` is written in place and handed on, since copying (N, B) costs more than all the rest: the state that
    was passed in must not be used again.

    Args:
        tables: of R recordings.
        state: N edits.
        action: (N,) int64, each legal in its state; an illegal one gives a state without meaning.
        outside: places that some of the landing actions go to instead of the table's.
    """
    return moved(state, move(tables, state, action, outside), action)


def _landing(tables: Tables, track: Tensor, leave: Tensor, places: Places) -> Move:
    """The moves that go on at `places` from playheads `leave`."""
    beat, whole = places.beat.clamp(min=0), places.half == 0
    return Move(
        playhead=beat + places.half,
        beat=beat,
        played=torch.where(whole, -1, beat),
        samples=tables.bounds[track, beat + places.half] - places.start,
        must_keep=whole.long(),
        joins=(leave > 0).long().expand_as(beat),
    )


def _rows(tables: Tables, state: State) -> Tensor:
    """Rows of the playheads in tables whose first two axes are flattened, (N,)."""
    return state.track * tables.bounds.shape[1] + state.playhead
