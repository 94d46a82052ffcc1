"""Planted faults: what a ruler, a reward or a critic must be able to tell from the edit they were planted in.

Each is a pure function of an EDL and the Track of its source, graded from slight to gross, and plants one fault and
nothing else. Lengths stay within half a second, except where losing or adding is the fault itself. An edit that can't
bear a fault (no join to spoil, nothing spoiled to keep) gives None. Truth and fault are EDLs, so one renderer and one
encoder make the sound of both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, IntArray
from rl_editor.edits.edl import EDL, Maker, Segment

Plant = Callable[[EDL, Track, float, np.random.Generator], EDL | None]
"""Of an edit, the Track of its source, the grade, and all that is random."""

Place = TypeVar("Place")

_FADE_S = 0.008
_PHRASE_BARS = 4
_LOOP_BEATS = 16
_APART_BEATS = 16
_LEAST_BEATS = 8
_SPOILED_BEATS = 4
_DEAD = 0.9


@dataclass(frozen=True)
class Fault:
    """A kind of fault and how it is planted."""

    name: str
    grades: tuple[float, ...]
    """From slight to gross."""
    unit: str
    component: str
    """The component of the ruler that ought to see it."""
    plant: Plant
    needs_human: bool = False
    """Only a comparison with the right edit can tell it for sure."""
    ordered: bool = True
    """Whether a higher grade is worse. Two beats off are no worse than one, and whether a cut without a fade clicks
    lies in how the waves happen to stand."""

    def planted(self, edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
        """The edit with this fault, its maker named after it; None where the edit can't bear it."""
        edited = self.plant(edl, track, grade, rng)
        return None if edited is None else replace(edited, maker=Maker(self.name.replace(" ", "_")))


def mid_phrase_cut(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """The second half of `grade` phrases is left out."""
    opens = _phrase_starts(track)
    places = []
    for k, rows in _rows(edl, track):
        for first, last in pairwise(opens):
            middle = (first + last) // 2
            middle -= int(track.bar_position[middle])
            if rows[0] + 4 <= middle and first < middle and last <= rows[1] - 4:
                places.append((k, middle, int(last)))
    chosen: list[tuple[int, int, int]] = []
    for at in rng.permutation(len(places)).tolist():
        if all(abs(places[at][1] - other[1]) >= _APART_BEATS for other in chosen):
            chosen.append(places[at])
    if len(chosen) < grade:
        return None
    segments = list(edl.segments)
    for k, middle, last in sorted(chosen[: round(grade)], reverse=True):
        left, entered = _split(segments[k], track, middle, last)
        segments[k : k + 1] = [left, entered]
    return replace(edl, segments=tuple(segments))


def off_beat_join(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """One join limps: what follows is entered `grade` seconds too early or too late."""
    return _moved_join(edl, track, lambda _: grade, rng)


def join_off_by_beats(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """One join limps: what follows is entered `grade` beats too early or too late."""
    return _moved_join(edl, track, lambda at: grade * _beat_s(track, at), rng)


def hard_cut(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """No join has a fade, and all stand `grade` seconds after their attack."""
    if not edl.joins:
        return None
    later = round(grade * edl.source.sample_rate)
    segments = list(edl.segments)
    for k in edl.joins:
        segments[k - 1] = replace(segments[k - 1], end=segments[k - 1].end + later)
        segments[k] = replace(segments[k], start=segments[k].start + later, fade=0)
    fits = all(segment.end <= edl.source.n_samples for segment in segments)
    return replace(edl, segments=tuple(segments)) if fits else None


def level_jump(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """From one join to the next the level is `grade` dB off."""
    if not edl.joins:
        return None
    first = int(rng.choice(edl.joins))
    last = next((k for k in edl.joins if k > first), len(edl.segments))
    gain_db = float(grade * rng.choice([-1.0, 1.0]))
    segments = [
        replace(segment, gain_db=segment.gain_db + gain_db) if first <= k < last else segment
        for k, segment in enumerate(edl.segments)
    ]
    return replace(edl, segments=tuple(segments))


def lost_ending(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """The last `grade` seconds are missing: first the ring-out, then the end of the music."""
    last = edl.segments[-1]
    end = last.end - round(grade * edl.source.sample_rate)
    if end - last.start < 4 * grade * edl.source.sample_rate:
        return None
    return replace(edl, segments=(*edl.segments[:-1], replace(last, end=end)))


def lost_start(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """The first `grade` beats are missing."""
    first = edl.segments[0]
    row = _row(track, first.start) + round(grade)
    if row + _LEAST_BEATS > _row(track, first.end):
        return None
    return replace(edl, segments=(replace(first, start=int(track.bounds[row])), *edl.segments[1:]))


def fragment_chain(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """`grade` bars that follow each other are played in a drawn order: a join at nearly each."""
    n = round(grade)
    k, (first, last) = max(_rows(edl, track), key=lambda each: each[1][1] - each[1][0])
    bars = [row for row in range(first, last) if track.bar_position[row] == 0]
    if len(bars) < n + 3:
        return None
    begin = int(rng.integers(1, len(bars) - n - 1))
    edges = track.bounds[bars[begin : begin + n + 1]]
    order = rng.permutation(n)
    while (np.diff(order) == 1).sum() > n // 8:
        order = rng.permutation(n)
    return _reordered(edl, track, k, edges, order)


def wrong_order(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """Two neighbouring parts of about `grade` beats, each from a phrase's beginning, have changed places."""
    n = round(grade)
    opens = _phrase_starts(track)
    places = []
    for k, (first, last) in _rows(edl, track):
        starts = opens[(opens >= first) & (opens <= last)]
        for row in starts:
            wanted = [int(starts[np.abs(starts - row - beats).argmin()]) for beats in (n, 2 * n)]
            if row < wanted[0] < wanted[1] and abs(wanted[0] - row - n) <= n // 2:
                places.append((k, [int(row), *wanted]))
    if not places:
        return None
    k, rows = _middle(places, lambda place: place[1][1])
    return _reordered(edl, track, k, track.bounds[rows], np.array([1, 0]))


def spoiled_kept(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """`grade` beats are played from an attempt in which they hold mistakes."""
    if track.spoiled is None:
        return None
    n = round(grade)
    bad = np.where(track.is_music & ~_kept(edl, track), track.spoiled, -1.0)
    sums = np.convolve(bad, np.ones(_SPOILED_BEATS), mode="valid")
    if len(sums) == 0 or sums.max() < 1.0:
        return None
    there = int(sums.argmax())  # at every grade the same beats first, so that more of it is more
    places = [
        (k, row)
        for k, (first, last) in _rows(edl, track)
        for row in range(first + 4, last - 4)
        if track.bar_position[row] == track.bar_position[there]
    ]
    if not places or there + n > track.n_beats:
        return None
    k, row = _middle(places, lambda place: place[1])
    if row + n > _rows(edl, track)[k][1][1] - 4:
        return None
    left, entered = _split(edl.segments[k], track, row, row + n)
    wrong = Segment(int(track.bounds[there]), int(track.bounds[there + n]), _fade(edl), why="spoiled")
    return replace(edl, segments=(*edl.segments[:k], left, wrong, entered, *edl.segments[k + 1 :]))


def superseded_kept(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """The first `grade` of a song, as a share, is played from another attempt at it."""
    if track.song is None or track.attempt is None:
        return None
    kept = _kept(edl, track)
    k, (first, last) = max(_rows(edl, track), key=lambda each: each[1][1] - each[1][0])
    song = int(np.bincount(track.song[first:last][track.is_music[first:last]] + 1, minlength=1).argmax()) - 1
    n = round(grade * (last - first))
    long_enough = [
        begin
        for begin, end in runs(track.activity, Activity.MUSIC).tolist()
        if track.song[begin] == song and not kept[begin:end].any() and end - begin >= n
    ]
    if song < 0 or n < 8 or not long_enough:
        return None
    begin = int(rng.choice(long_enough))
    segment = edl.segments[k]
    wrong = Segment(int(track.bounds[begin]), int(track.bounds[begin + n]), segment.fade, why="superseded")
    rest = (replace(segment, start=int(track.bounds[first + n]), fade=_fade(edl)),) if first + n < last - 1 else ()
    return replace(edl, segments=(*edl.segments[:k], wrong, *rest, *edl.segments[k + 1 :]))


def dead_time_kept(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """`grade` seconds without music are kept before a stretch or after the last."""
    n = round(grade * edl.source.sample_rate)
    choices = [
        (k, replace(segment, start=segment.start - n, fade=min(segment.fade, segment.start - n)))
        for k, segment in enumerate(edl.segments)
        if (k == 0 or k in edl.joins) and _dead(track, segment.start - n, segment.start)
    ]
    last = edl.segments[-1]
    if _dead(track, last.end, last.end + n):
        choices.append((len(edl.segments) - 1, replace(last, end=last.end + n)))
    if not choices:
        return None
    k, longer = choices[int(rng.integers(len(choices)))]
    return replace(edl, segments=(*edl.segments[:k], longer, *edl.segments[k + 1 :]))


def repeat_overdone(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """Four bars are played `grade` times more, in place of what would have followed."""
    n = round(grade) * _LOOP_BEATS
    opens = _phrase_starts(track)
    places = [
        (k, int(row))
        for k, (first, last) in _rows(edl, track)
        for row in opens
        if first <= row and row + _LOOP_BEATS + n <= last - 4
    ]
    if not places:
        return None
    k, row = places[int(rng.integers(len(places)))]
    segment = edl.segments[k]
    end = int(track.bounds[row + _LOOP_BEATS])
    again = Segment(int(track.bounds[row]), end, _fade(edl), why="repeat")
    rest = replace(segment, start=int(track.bounds[row + _LOOP_BEATS + n]), fade=_fade(edl))
    repeats = [again] * round(grade)
    return replace(edl, segments=(*edl.segments[:k], replace(segment, end=end), *repeats, rest, *edl.segments[k + 1 :]))


FAULTS = (
    Fault("mid-phrase cut", (1, 2, 4), "cuts", "phrases", mid_phrase_cut),
    Fault("off-beat join", (0.023, 0.046), "s", "joins", off_beat_join),
    Fault("join off by part of a beat", (0.25, 0.5), "beats", "joins", join_off_by_beats),
    Fault("join off by beats", (1, 2), "beats", "joins", join_off_by_beats, ordered=False),
    Fault("hard cut", (0, 0.03, 0.09), "s after the attack", "joins", hard_cut, ordered=False),
    Fault("level jump", (3, 6, 12), "dB", "joins", level_jump),
    Fault("lost ending", (1, 3, 8), "s", "ending", lost_ending),
    Fault("lost start", (1, 5, 13), "beats", "start", lost_start),
    Fault("fragment chain", (4, 8, 16), "bars", "fragmentation", fragment_chain),
    Fault("wrong order", (16, 32), "beats", "order_agreement", wrong_order, needs_human=True),
    Fault("spoiled attempt kept", (4, 8, 16), "beats", "agreement", spoiled_kept, needs_human=True),
    Fault("superseded instead of kept", (0.25, 0.5, 1), "share", "agreement", superseded_kept, needs_human=True),
    Fault("dead time kept", (2, 5, 10), "s", "dead_time", dead_time_kept),
    Fault("repeat overdone", (1, 2, 4), "times", "repetition", repeat_overdone),
)
"""All kinds, with their grades."""


def _middle(places: Sequence[tuple[int, Place]], row: Callable[[tuple[int, Place]], int]) -> tuple[int, Place]:
    """The place whose row is nearest to the median of all: much the same at every grade."""
    rows = np.array([row(place) for place in places])
    return places[int(np.abs(rows - np.median(rows)).argmin())]


def _moved_join(edl: EDL, track: Track, moved_s: Callable[[int], float], rng: np.random.Generator) -> EDL | None:
    """One join into flowing music entered too early or too late."""
    flowing = [k for k in edl.joins if _flows(edl, track, k)]
    if not flowing:
        return None
    k = int(rng.choice(flowing))
    segment = edl.segments[k]
    moved = round(moved_s(segment.start) * edl.source.sample_rate) * int(rng.choice([-1, 1]))
    if not 0 <= segment.start + moved < segment.end - edl.source.sample_rate:
        return None
    return replace(
        edl, segments=(*edl.segments[:k], replace(segment, start=segment.start + moved), *edl.segments[k + 1 :])
    )


def _flows(edl: EDL, track: Track, k: int) -> bool:
    """Whether music would have gone on where join k leaves the raw, or led to where it enters it."""
    row, into = _row(track, edl.segments[k - 1].end), _row(track, edl.segments[k].start)
    follows = row < track.n_beats and track.is_music[row : row + 2].all()
    return bool(follows or (into >= 2 and track.is_music[into - 2 : into].all()))


def _reordered(edl: EDL, track: Track, k: int, edges: IntArray, order: IntArray) -> EDL:
    """Segment k with the parts between `edges` in another order."""
    segment = edl.segments[k]
    parts = [(int(edges[number]), int(edges[number + 1])) for number in order.tolist()]
    pieces = [(segment.start, int(edges[0])), *parts, (int(edges[-1]), segment.end)]
    played: list[Segment] = []
    for start, end in pieces:
        if start >= end:
            continue
        if played and played[-1].end == start:
            played[-1] = replace(played[-1], end=end)
        else:
            played.append(Segment(start, end, _fade(edl) if played else segment.fade, segment.gain_db, segment.why))
    return replace(edl, segments=(*edl.segments[:k], *played, *edl.segments[k + 1 :]))


def _split(segment: Segment, track: Track, leave: int, enter: int) -> tuple[Segment, Segment]:
    """A segment without the beats [leave, enter)."""
    fade = round(_FADE_S * track.source.sample_rate)
    left = replace(segment, end=int(track.bounds[leave]))
    return left, replace(segment, start=int(track.bounds[enter]), fade=fade)


def _rows(edl: EDL, track: Track) -> Sequence[tuple[int, tuple[int, int]]]:
    """Each segment's number with the whole beats it plays, [first, last)."""
    rows = []
    for k, segment in enumerate(edl.segments):
        first = int(np.searchsorted(track.bounds, segment.start))
        last = int(np.searchsorted(track.bounds, segment.end, side="right")) - 1
        rows.append((k, (first, max(first, last))))
    return rows


def _row(track: Track, at: int) -> int:
    return int(np.abs(track.bounds - at).argmin())


def _kept(edl: EDL, track: Track) -> BoolArray:
    """Beats that are played at least in part."""
    kept = np.zeros(track.n_beats, dtype=bool)
    for segment in edl.segments:
        kept |= (track.bounds[:-1] < segment.end) & (track.bounds[1:] > segment.start)
    return kept


def _phrase_starts(track: Track) -> IntArray:
    """Rows on which phrases begin; every fourth bar where none are known."""
    bar = track.bar // _PHRASE_BARS if track.phrase is None else track.phrase
    return np.flatnonzero(np.diff(bar, prepend=bar[0] - 1)).astype(np.int64)


def _beat_s(track: Track, at: int) -> float:
    row = min(_row(track, at), track.n_beats - 1)
    return float(track.bounds_s[row + 1] - track.bounds_s[row])


def _dead(track: Track, start: int, end: int) -> bool:
    """Whether nearly all of [start, end) of the source is no music."""
    if start < 0 or end > track.source.n_samples:
        return False
    overlap = np.maximum(np.minimum(track.bounds[1:], end) - np.maximum(track.bounds[:-1], start), 0)
    return float(overlap[~track.is_music].sum()) >= _DEAD * (end - start)


def _fade(edl: EDL) -> int:
    return round(_FADE_S * edl.source.sample_rate)
