"""Planted faults: what a ruler, a reward or a critic must be able to tell from the edit they were planted in.

Each is a pure function of an EDL and the Track of its source, graded from slight to gross, and plants one fault and
nothing else. Lengths stay within half a second, except where losing or adding is the fault itself. An edit that can't
bear a fault (no join to spoil, nothing spoiled to keep) gives None. Truth and fault are EDLs, so one renderer and one
encoder make the sound of both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.track import Track
from rl_editor.arrays import IntArray
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.fault_places import (
    MISTAKE_BEATS,
    beat_s,
    dead_samples,
    flows,
    kept_beats,
    mistakes,
    nearest_row,
    phrase_starts,
    unlike,
    whole_beats,
)

Plant = Callable[[EDL, Track, float, np.random.Generator], EDL | None]
"""Of an edit, the Track of its source, the grade, and all that is random."""

_FADE_S = 0.008
_LOOP_BEATS = _PART_BEATS = 16
_APART_BEATS = 16
_LEAST_BEATS = 8
_BESIDE_BEATS = 4  # at least, that are left of a stretch on each side
_DEAD, _DEAD_ROOM_S = 0.9, 10.0


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
    opens = phrase_starts(track)
    places = []
    for k, rows in whole_beats(edl, track):
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
    return _moved_join(edl, track, lambda at: grade * beat_s(track, at), rng)


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
    """About the last `grade` seconds of the music are missing: first the ring-out. With them goes what followed.

    It ends within a beat at every grade, and no dead time is lost within the music, so that nothing is won by what a
    loss happens to hit.
    """
    last = edl.segments[-1]
    played = (track.bounds[:-1] < last.end) & (track.bounds[1:] > last.start)
    ends = int(track.bounds[1:][played & track.is_music].max(initial=0))
    cut = (min(last.end, ends) if ends else last.end) - round(grade * edl.source.sample_rate)
    beat = int(np.searchsorted(track.bounds, cut, side="right")) - 1
    if cut - last.start < 4 * grade * edl.source.sample_rate or dead_samples(track, cut, ends):
        return None
    end = int(track.bounds[beat : beat + 2].sum()) // 2
    return replace(edl, segments=(*edl.segments[:-1], replace(last, end=end)))


def lost_start(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """About the first `grade` beats of the music are missing.

    It begins at one place of a bar at every grade, never where a bar does, and no dead time is lost within the music,
    so that nothing is won by what a loss happens to hit.
    """
    first = edl.segments[0]
    begins, ends = nearest_row(track, first.start), nearest_row(track, first.end)
    within_bar = np.flatnonzero(track.bar_position[begins + 1 : ends]) + begins + 1
    if begins + round(grade) + _LEAST_BEATS > ends or len(within_bar) == 0:
        return None
    alike = within_bar[track.bar_position[within_bar] == track.bar_position[within_bar[0]]]
    row = int(alike[np.abs(alike - begins - grade).argmin()])
    if not track.is_music[begins:row].all():
        return None
    lost = int(track.bounds[row] - track.bounds[begins])
    return replace(edl, segments=(replace(first, start=first.start + lost), *edl.segments[1:]))


def fragment_chain(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """`grade` bars that follow each other are played in a drawn order: a join at nearly each."""
    n = round(grade)
    k, (first, last) = max(whole_beats(edl, track), key=lambda each: each[1][1] - each[1][0])
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
    """`grade` times two neighbouring parts of four bars or so, each from a phrase's beginning, have changed places."""
    opens = phrase_starts(track)
    places: list[tuple[int, list[int]]] = []
    for k, (first, last) in whole_beats(edl, track):
        starts = opens[(opens >= first) & (opens <= last)]
        for row in starts:
            wanted = [int(starts[np.abs(starts - row - beats).argmin()]) for beats in (_PART_BEATS, 2 * _PART_BEATS)]
            if row < wanted[0] < wanted[1] and abs(wanted[0] - row - _PART_BEATS) <= _PART_BEATS // 2:
                places.append((k, [int(row), *wanted]))
    middle = np.median([rows[1] for _, rows in places]) if places else 0
    chosen: list[tuple[int, list[int]]] = []
    for k, rows in sorted(places, key=lambda place: abs(place[1][1] - middle)):
        if all(k != other or rows[-1] <= taken[0] or taken[-1] <= rows[0] for other, taken in chosen):
            chosen.append((k, rows))
    if len(chosen) < grade:
        return None
    for k, rows in sorted(chosen[: round(grade)], reverse=True):
        edl = _reordered(edl, track, k, track.bounds[rows], np.array([1, 0]))
    return edl


def spoiled_kept(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """`grade` mistakes are heard: each with the beats around it, in place of the beats that are most like those."""
    if track.spoiled is None:
        return None
    heard = (track.features - track.features.mean(axis=0)) / np.maximum(track.features.std(axis=0), 1e-6)
    free = [
        (k, row)
        for k, (first, last) in whole_beats(edl, track)
        for row in range(first + _BESIDE_BEATS, last - _BESIDE_BEATS - MISTAKE_BEATS + 1)
    ]
    places: list[tuple[int, int, int]] = []
    for there in mistakes(edl, track):
        if len(places) == grade or not free:
            break
        k, row = min(free, key=lambda place: unlike(heard, place[1], there))
        places.append((k, row, there))
        free = [place for place in free if place[0] != k or abs(place[1] - row) >= _APART_BEATS]
    if len(places) < grade:
        return None
    segments = list(edl.segments)
    for k, row, there in sorted(places, reverse=True):
        left, entered = _split(segments[k], track, row, row + MISTAKE_BEATS)
        start, end = track.bounds[[there, there + MISTAKE_BEATS]].tolist()
        segments[k : k + 1] = [left, Segment(start, end, _fade(edl), why="spoiled"), entered]
    return replace(edl, segments=tuple(segments))


def superseded_kept(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """The first `grade` of a song, as a share, is played from another attempt at it."""
    if track.song is None or track.attempt is None:
        return None
    kept = kept_beats(edl, track)
    k, (first, last) = max(whole_beats(edl, track), key=lambda each: each[1][1] - each[1][0])
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
    """`grade` seconds without music are kept before a stretch or after the last, there where there are most."""
    n, room = round(grade * edl.source.sample_rate), round(_DEAD_ROOM_S * edl.source.sample_rate)
    places = [(k, edl.segments[k].start, -1) for k in (0, *edl.joins)]
    places.append((len(edl.segments) - 1, edl.segments[-1].end, 1))

    def dead(at: int, way: int, longer: int) -> int:
        first, last = sorted((at, at + way * longer))
        return dead_samples(track, first, last)

    places = [(k, at, way) for k, at, way in places if dead(at, way, n) >= _DEAD * n]
    if not places:
        return None
    k, at, way = max(places, key=lambda place: dead(place[1], place[2], room))
    segment = edl.segments[k]
    longer = replace(segment, end=at + n) if way > 0 else replace(segment, start=at - n, fade=min(segment.fade, at - n))
    return replace(edl, segments=(*edl.segments[:k], longer, *edl.segments[k + 1 :]))


def repeat_overdone(edl: EDL, track: Track, grade: float, rng: np.random.Generator) -> EDL | None:
    """Four bars are played `grade` times more, in place of what would have followed."""
    n = round(grade) * _LOOP_BEATS
    opens = phrase_starts(track)
    places = [
        (k, int(row))
        for k, (first, last) in whole_beats(edl, track)
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
    Fault("wrong order", (1, 2), "pairs", "order_agreement", wrong_order, needs_human=True),
    Fault("spoiled attempt kept", (1, 2, 4), "mistakes", "agreement", spoiled_kept, needs_human=True),
    Fault("superseded instead of kept", (0.25, 0.5, 1), "share", "agreement", superseded_kept, needs_human=True),
    Fault("dead time kept", (2, 5, 10), "s", "dead_time", dead_time_kept),
    Fault("repeat overdone", (1, 2, 4), "times", "repetition", repeat_overdone),
)
"""All kinds, with their grades."""


def _moved_join(edl: EDL, track: Track, moved_s: Callable[[int], float], rng: np.random.Generator) -> EDL | None:
    """One join into flowing music entered too early or too late."""
    flowing = [k for k in edl.joins if flows(edl, track, k)]
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


def _fade(edl: EDL) -> int:
    return round(_FADE_S * edl.source.sample_rate)
