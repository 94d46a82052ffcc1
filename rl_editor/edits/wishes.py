"""Wishes of a request in beats of a track: what must be played, what must not, where to begin and end."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray
from rl_editor.clock import clock
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError


@dataclass(frozen=True, eq=False)
class Wishes:
    """A request's locks, bans, start and end, widened to beats."""

    locked: BoolArray
    """Beats that must be played, (B,)."""
    banned: BoolArray
    """Beats that must not be played, (B,)."""
    start: int | None = None
    """Beat to begin with; None where the editor chooses."""
    end: int | None = None
    """Bound to end at; None where the editor chooses."""
    start_at: int | None = None
    """The start that was asked for, before it was moved to a beat, in samples."""
    end_at: int | None = None
    """The end that was asked for, in samples."""

    @property
    def first_locked(self) -> int | None:
        """The first beat that must be played."""
        return int(self.locked.argmax()) if self.locked.any() else None

    @property
    def last_locked(self) -> int | None:
        """The last beat that must be played."""
        return len(self.locked) - 1 - int(self.locked[::-1].argmax()) if self.locked.any() else None


def resolve(track: Track, request: EditRequest) -> Wishes:
    """A request's wishes in beats of this track.

    Raises:
        RequestError: a time lies outside the recording, or two wishes contradict each other.
    """
    name = track.source.file or "recording"
    duration_s = track.source.duration_s
    for first_s, last_s in (*request.locks, *request.bans):
        if last_s > duration_s + 0.01:
            span = f"{clock(first_s)}-{clock(last_s)}"
            raise RequestError(f"{name}: {span} is not within the recording, which lasts {clock(duration_s)}")
    for time_s in (request.start_s, request.end_s):
        if time_s is not None and time_s > duration_s + 0.01:
            raise RequestError(f"{name}: {clock(time_s)} is after the recording's end at {clock(duration_s)}")
    wishes = Wishes(
        locked=_beats(track, request.locks),
        banned=_beats(track, request.bans),
        start=None if request.start_s is None else _beat_at(track, request.start_s),
        end=None if request.end_s is None else _bound_at(track, request.end_s),
        start_at=None if request.start_s is None else round(request.start_s * track.source.sample_rate),
        end_at=None if request.end_s is None else round(request.end_s * track.source.sample_rate),
    )
    _check(wishes, name)
    ends_before = wishes.start is not None and wishes.end is not None and wishes.end <= wishes.start
    if ends_before and request.order == "forward" and not request.loops:
        raise RequestError(f"{name}: the end is before the start; only free order, or loops, can play that")
    return wishes


def _check(wishes: Wishes, name: str) -> None:
    if (wishes.locked & wishes.banned).any():
        raise RequestError(f"{name}: a lock and a ban hold the same beat")
    if wishes.banned.all():
        raise RequestError(f"{name}: nothing is left that may be played")
    # what was passed is not gone back to for a lock, whatever the order
    if wishes.first_locked is not None and wishes.start is not None and wishes.first_locked < wishes.start:
        raise RequestError(f"{name}: a lock lies before the start")
    if wishes.last_locked is not None and wishes.end is not None and wishes.last_locked >= wishes.end:
        raise RequestError(f"{name}: a lock lies after the end")
    if wishes.start is not None and wishes.banned[wishes.start]:
        raise RequestError(f"{name}: the beat to start with is banned")
    if wishes.end is not None and wishes.banned[wishes.end - 1]:
        raise RequestError(f"{name}: the beat to end with is banned")


def _beats(track: Track, ranges: Iterable[tuple[float, float]]) -> BoolArray:
    """Beats that any of the ranges touches, (B,)."""
    touched = np.zeros(track.n_beats, dtype=np.bool_)
    bounds_s = track.bounds_s
    for first_s, last_s in ranges:
        touched |= (bounds_s[:-1] < last_s) & (bounds_s[1:] > first_s)
    return touched


def _beat_at(track: Track, time_s: float) -> int:
    return int(np.clip(np.abs(track.bounds_s[:-1] - time_s).argmin(), 0, track.n_beats - 1))


def _bound_at(track: Track, time_s: float) -> int:
    return max(int(np.abs(track.bounds_s - time_s).argmin()), 1)
