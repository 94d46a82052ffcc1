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
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.landings import K
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.edits.joins import SHORT_S, TIGHT_S

KEEP, END = 0, 1
FADE_CLASSES = 4
N_ACTIONS = 2 + FADE_CLASSES * K
TIGHT, SHORT, BEAT, BAR = range(FADE_CLASSES)

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

    def stacked(arrays: Sequence[np.ndarray], padding: int, dtype: torch.dtype = torch.int64) -> Tensor:
        full = np.stack([_padded(array, rows, padding) for array in arrays])
        return torch.as_tensor(full, dtype=dtype, device=device)

    bounds = [np.append(track.bounds, np.full(rows - len(track.bounds), track.bounds[-1])) for track in tracks]
    return Tables(
        bounds=stacked(bounds, 0),
        beat=stacked([track.landings.beat for track in tracks], -1),
        half=stacked([track.landings.half for track in tracks], 0),
        start=stacked(starts, 0),
        legal=stacked(lawful, 0, torch.bool),
    )


def _padded(array: np.ndarray, rows: int, padding: int) -> np.ndarray:
    return np.pad(array, [(0, rows - len(array))] + [(0, 0)] * (array.ndim - 1), constant_values=padding)


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
    row = tables.legal.flatten(0, 1)[_rows(tables, state)]
    mask = row & ~(state.must_keep | state.ended)[:, None]
    mask[:, KEEP] = row[:, KEEP] & ~state.ended
    return mask


def kinds(tables: Tables, state: State) -> Tensor:
    """Kind of each landing in the playhead's row, (N, K) int64 of `Kind`; -1 where there is none."""
    return kinds_of(state, tables.beat.flatten(0, 1)[_rows(tables, state)])


def kinds_of(state: State, beat: Tensor) -> Tensor:
    """Kind of landings on `beat`, (N, K) int64 of `Kind`; -1 where that is below 0."""
    played = state.plays.gather(1, beat.clamp(min=0)) > 0
    kind = torch.where(beat < state.furthest[:, None], Kind.REORDER, Kind.CUT)
    kind = torch.where(played, Kind.LOOP, kind)
    return torch.where(beat >= 0, kind, -1)


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
    running = ~state.ended
    keep = (action == KEEP) & running
    lands = (action > END) & running
    at = _rows(tables, state) * K + column_of(action).clamp(min=0)
    beat, half, start = (each.flatten()[at] for each in (tables.beat, tables.half, tables.start))
    if outside is not None:
        there = outside.beat >= 0
        own = zip(outside, (beat, half, start), strict=True)
        beat, half, start = (torch.where(there, place, table) for place, table in own)
    leave = state.playhead
    playhead = torch.where(lands, beat + half, leave + keep)
    start = torch.where(lands, start, _bound(tables, state.track, leave))
    plays_one = keep | (lands & (half == 1))
    played = playhead - 1
    state.plays.scatter_add_(1, played.clamp(min=0)[:, None], plays_one[:, None].to(state.plays.dtype))
    return State(
        track=state.track,
        playhead=playhead,
        must_keep=torch.where(lands, half == 0, state.must_keep & ~keep),
        ended=state.ended | (action == END),
        furthest=torch.where(plays_one, torch.maximum(state.furthest, played), state.furthest),
        plays=state.plays,
        samples=state.samples + _bound(tables, state.track, playhead) - start,
    )


def _rows(tables: Tables, state: State) -> Tensor:
    """Rows of the playheads in tables whose first two axes are flattened, (N,)."""
    return state.track * tables.bounds.shape[1] + state.playhead


def _bound(tables: Tables, track: Tensor, beat: Tensor) -> Tensor:
    return tables.bounds.flatten()[track * tables.bounds.shape[1] + beat]
