"""The reward's terms of any edit, whoever made it: what the environment would have paid for it."""

import itertools
from typing import NamedTuple

import numpy as np

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.arrays import DoubleArray, IntArray
from rl_editor.edits.crossings import crossing_score
from rl_editor.edits.edl import EDL, Segment, merged
from rl_editor.edits.joins import fitting_fades
from rl_editor.edits.worth import Prices, join_price
from rl_editor.envs.beat_edit.reward import (
    Joins,
    RewardConfig,
    Terms,
    Worth,
    coverage_term,
    fade_terms,
    join_terms,
    length_term,
    phrase_term,
    possible_sections,
    repeat_term,
    worth_of,
)

_LIMP_S = 0.1  # of limp, from which on a longer one costs little more
_NEAR_S = 0.25  # from an edit's end to the bound whose landings it may be using
_PULSE, _EDGE = 8, 0.3  # beats that a pulse is taken from, and by which it may overlap the join
_BESIDE = 1  # beats next to a join, whose bounds are pulled along by what lies beyond it in the raw
_AT = 0.25  # beats from a bound within which an edit begins or ends there
_PLAYED = 0.75  # of a beat: a segment that holds this point plays it


class Way(NamedTuple):
    """One join, as in `Joins`."""

    leave: int
    beat: int
    half: int
    score: float
    fits: int
    limp_s: float
    """Seconds by which the beat stumbles."""


def terms_of(edl: EDL, track: Track, config: RewardConfig) -> Terms:
    """The terms of any edit of this recording; without a target the length counts for nothing.

    A join that is no landing of the table counts as the nearest place it leads to, by what the Track holds, and limps
    by what it is off.

    Args:
        edl: whoever made it.
        track: analysis of its source.
        config: prices.
    """
    worth = worth_of(track, config)
    segments = merged(edl.segments)
    edges = np.array([(segment.start, segment.end) for segment in segments])
    at = np.interp(edges, track.bounds, np.arange(track.n_beats + 1))
    plays, backward = _plays(segments, track)
    rate = track.source.sample_rate
    joins, limps_s = _joins(segments, track, config.prices)
    steps_db = np.abs(np.diff([segment.gain_db for segment in segments]))
    by_join = join_terms(track, worth, joins, config)
    fades = np.array([segment.fade for segment in segments[1:]], dtype=np.int64)
    target = edl.n_samples if edl.target_s is None else round(edl.target_s * rate)
    repeated = plays * (plays - 1) // 2 * np.diff(track.bounds)
    outside = np.array([_at(worth.opens, at[0, 0]), _at(worth.opens, at[-1, 1])])
    content_s = np.interp(edges, track.bounds, worth.until)
    return Terms(
        content=_total(content_s[:, 1] - content_s[:, 0]),
        seam=_total(by_join["seam"] - config.prices.level_s * steps_db - _limp_price(limps_s, config.prices)),
        fade=_total(fade_terms(fades, joins.fits, config)),
        tempo=_total(by_join["tempo"]),
        energy=_total(by_join["energy"]),
        phrases=_total(by_join["phrases"]) + _total(phrase_term(outside, config)),
        order=float(-config.order_s * backward),
        repetition=_total(repeat_term(repeated, track, config)),
        start=_at(worth.start, at[0, 0]),
        ending=_at(worth.ending, at[-1, 1]),
        coverage=_coverage(plays, worth, target, track, config),
        length=float(length_term(np.array([edl.n_samples]), target, track, config)[0]),
    )


def _at(values: DoubleArray, place: float) -> float:
    """What is at `place`, in beats: of the bound near it, or in the middle of a beat the worse of the bounds beside."""
    near = np.round([place - _AT, place + _AT]).astype(np.int64).clip(0, len(values) - 1)
    return float(values[near].min())


def _total(values: DoubleArray) -> float:
    return float(values.sum())


def _plays(segments: list[Segment], track: Track) -> tuple[IntArray, int]:
    """How often each beat is played, (B,), and how many joins go back to what was passed over."""
    points = track.bounds[:-1] + _PLAYED * np.diff(track.bounds)
    plays = np.zeros(track.n_beats, dtype=np.int64)
    backward, furthest = 0, -1
    for segment in segments:
        first, last = np.searchsorted(points, (segment.start, segment.end))
        if last > first:
            backward += int(first < furthest and plays[first] == 0)
            plays[first:last] += 1
            furthest = max(furthest, int(last) - 1)
    return plays, backward


def _joins(segments: list[Segment], track: Track, prices: Prices) -> tuple[Joins, DoubleArray]:
    """The joins of an edit, and how much they limp, (N,)."""
    ways = [_way(track, before.end, after.start, prices) for before, after in itertools.pairwise(segments)]
    leave, beat, half, score, fits, limps_s = np.array(ways, dtype=np.float64).reshape(-1, 6).T
    whole = (leave.astype(np.int64), beat.astype(np.int64), half.astype(np.int8))
    return Joins(*whole, score.astype(np.float32), fits.astype(np.int64)), limps_s


def _way(track: Track, end: int, start: int, prices: Prices) -> Way:
    """The join from sample `end` to sample `start`: a landing of the table, or the place near it that costs least."""
    row = int(np.searchsorted(track.bounds, end))
    if row < len(track.bounds) and track.bounds[row] == end:
        held = [way for way in _landings(track, row, start) if way.limp_s == 0]
        if held:
            return min(held, key=lambda way: way.score)
    ways = [_crossing(track, end, start)]
    for near in (row - 1, row):
        if 1 <= near <= track.n_beats and abs(int(track.bounds[near]) - end) < _NEAR_S * track.source.sample_rate:
            moved = start + int(track.bounds[near]) - end  # where it would land if it left on that bound
            ways += _landings(track, near, moved)
    return min(ways, key=lambda way: _price(track, way, prices))


def _landings(track: Track, row: int, start: int) -> list[Way]:
    """Landings of a row that begin within a quarter beat of sample `start`; what they are off by is their limp."""
    places, rate = track.landings, track.source.sample_rate
    off = np.abs(places.starts(track.bounds)[row] - start)
    quarter = np.diff(track.bounds)[np.maximum(places.beat[row], 0)] / 4
    found = np.flatnonzero(places.valid[row] & (off < quarter))
    fits = fitting_fades(places.family[row], places.correlation[row], rate)
    return [
        Way(row, int(places.beat[row, k]), int(places.half[row, k]), float(places.score[row, k]), int(fits[k]), off_s)
        for k, off_s in zip(found.tolist(), (off[found] / rate).tolist(), strict=True)
    ]


def _crossing(track: Track, end: int, start: int) -> Way:
    """The join as a crossing between the bounds nearest to it, which limps as the pulse does."""
    row = int(np.clip(np.abs(track.bounds - end).argmin(), 1, track.n_beats))
    beat = min(int(np.abs(track.bounds - start).argmin()), track.n_beats - 1)
    score = 0.0 if beat == row else float(crossing_score(track, np.array([row]), np.array([beat]))[0])
    fits = fitting_fades(np.array([Family.BOUNDARY]), np.zeros(1), track.source.sample_rate)
    return Way(row, beat, 0, score, int(fits[0]), _limp_s(track, end, start))


def _price(track: Track, way: Way, prices: Prices) -> float:
    """What a place costs, its limp included."""
    at = np.array([way.leave]), np.array([way.beat]), np.array([way.half], dtype=np.int8)
    score, limp_s = np.array([way.score], dtype=np.float32), np.array([way.limp_s])
    return float((join_price(track, *at, score, prices) + _limp_price(limp_s, prices))[0])


def _limp_price(limps_s: DoubleArray, prices: Prices) -> DoubleArray:
    """Seconds of good music that limps cost, up to what a seam score of 1 does, (N,).

    On top of what a join costs otherwise: a bad one that limps is heard to be worse than one that does not.
    """
    return -prices.seam_s * np.expm1(-np.abs(limps_s) / _LIMP_S)


def _limp_s(track: Track, end: int, start: int) -> float:
    """Seconds by which the pulse comes late where an edit leaves at sample `end` and goes on at `start`.

    The pulse that led to the end is carried on and the one that follows the start carried back, each by a line through
    its beats but the one beside the join: single bounds are off by more than what limps.
    """
    bounds = track.bounds.astype(np.float64)
    edge = _EDGE * float(np.median(np.diff(bounds)))
    led, follows = bounds[bounds <= end + edge][:-_BESIDE], bounds[bounds >= start - edge][_BESIDE:]
    due, one = _next_beat(led[-_PULSE:], end)
    comes, other = _next_beat(follows[:_PULSE], start)
    period = min(one, other)
    return ((comes - due + period / 2) % period - period / 2) / track.source.sample_rate


def _next_beat(beats: DoubleArray, at: int) -> tuple[float, float]:
    """Samples from `at` to the nearest beat of the pulse of `beats`, and its period."""
    if len(beats) < 3:
        return 0.0, 1.0
    period, first = np.polyfit(np.arange(len(beats)), beats, 1)
    return float(period * round((at - first) / period) + first - at), float(period)


def _coverage(plays: IntArray, worth: Worth, target: int, track: Track, config: RewardConfig) -> float:
    counts = np.bincount(worth.labels[(plays > 0) & (worth.labels >= 0)], minlength=worth.labels.max(initial=-1) + 1)
    return float(coverage_term(counts, np.array(float(possible_sections(track, worth, target))), config))
