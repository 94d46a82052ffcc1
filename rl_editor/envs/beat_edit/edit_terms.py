"""The reward's terms of any edit, whoever made it: what the environment would have paid for it."""

import itertools

import numpy as np

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.edits.crossings import crossing_score
from rl_editor.edits.edl import EDL, Segment
from rl_editor.edits.joins import fitting_fades
from rl_editor.envs.beat_edit.reward import (
    COVERED,
    Joins,
    RewardConfig,
    Terms,
    fade_terms,
    join_terms,
    length_term,
    possible_labels,
    worth_of,
)

_LIMP_S = 0.1  # of limp that are worth a seam score of 1
_MOST_LIMP = 1.5
_PLAYED = 0.75  # of a beat: a segment that holds this point plays it


def terms_of(edl: EDL, track: Track, config: RewardConfig, *, score: Array | None = None) -> Terms:
    """The terms of any edit of this recording; without a target the length counts for nothing.

    A join that is no landing of the table counts as the nearest place it leads to, by what the Track holds, and limps
    by what it is off.

    Args:
        edl: whoever made it.
        track: analysis of its source.
        config: prices.
        score: content, (B,) in [0, 1]; None for what is known without training.
    """
    worth = worth_of(track, config, score)
    segments = _merged(edl)
    edges = np.array([(segment.start, segment.end) for segment in segments])
    at = np.interp(edges, track.bounds, np.arange(track.n_beats + 1))
    begin = np.minimum(np.round(at[:1, 0]).astype(np.int64), track.n_beats - 1)
    end = np.maximum(np.round(at[-1:, 1]).astype(np.int64), 1)
    plays, backward = _plays(segments, track)
    rate = track.source.sample_rate
    joins, steps_db = _joins(edl, segments, track)
    by_join = join_terms(track, worth, joins, config)
    fades = np.array([segment.fade for segment in segments[1:]], dtype=np.int64)
    target = edl.n_samples if edl.target_s is None else round(edl.target_s * rate)
    repeated_s = float((plays * (plays - 1) // 2 * np.diff(track.bounds)).sum()) / rate
    broken = 1.0 - worth.opens[begin] + 1.0 - worth.opens[end]
    content_s = np.interp(edges, track.bounds, worth.until)
    return Terms(
        content=_number(content_s[:, 1] - content_s[:, 0]),
        seam=_number(by_join["seam"] - config.prices.level_s * steps_db),
        fade=_number(fade_terms(fades, joins.fits, config)),
        tempo=_number(by_join["tempo"]),
        energy=_number(by_join["energy"]),
        phrases=_number(by_join["phrases"]) - 0.5 * config.phrase_s * _number(broken),
        order=float(-config.order_s * backward),
        repetition=float(-config.prices.repeat * repeated_s),
        start=float(worth.start[begin[0]]),
        ending=float(worth.ending[end[0]]),
        coverage=float(config.coverage_s * _covered(plays, worth.labels, target, track)),
        length=float(length_term(np.array([edl.n_samples]), target, track, config)[0]),
    )


def _number(values: DoubleArray) -> float:
    return float(values.sum())


def _merged(edl: EDL) -> list[Segment]:
    """Segments that go on from each other as one."""
    firsts = [0, *edl.joins]
    lasts = [k - 1 for k in (*edl.joins, len(edl.segments))]
    pairs = [(edl.segments[a], edl.segments[b]) for a, b in zip(firsts, lasts, strict=True)]
    return [Segment(first.start, last.end, first.fade, first.gain_db) for first, last in pairs]


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


def _joins(edl: EDL, segments: list[Segment], track: Track) -> tuple[Joins, DoubleArray]:
    """The joins of an edit, with what each is off, and by how many dB the gain jumps at each."""
    places, bounds = track.landings, track.bounds
    starts = places.starts(bounds)
    rows = []
    for before, after in itertools.pairwise(segments):
        row = int(np.clip(np.abs(bounds - before.end).argmin(), 1, track.n_beats))
        goal = after.start + int(bounds[row]) - before.end  # where it would land if it left on the bound
        held = np.flatnonzero(places.valid[row])
        order = np.lexsort((places.score[row, held], np.abs(starts[row, held] - goal)))
        near = int(held[order[0]]) if len(held) else -1  # of those that start in one place the best
        at = float(np.interp(goal, bounds, np.arange(len(bounds))))
        beat, half = divmod(min(round(2 * at), 2 * track.n_beats - 1), 2)
        if near >= 0 and abs(starts[row, near] - goal) < np.diff(bounds)[places.beat[row, near]] / 4:
            score, start = float(places.score[row, near]), int(starts[row, near])
            beat, half = int(places.beat[row, near]), int(places.half[row, near])
            fits = fitting_fades(places.family[row, [near]], places.correlation[row, [near]], edl.source.sample_rate)
        else:
            start = int(bounds[beat] + half * ((bounds[beat + 1] - bounds[beat]) // 2))
            natural = beat == row and half == 0
            score = 0.0 if natural else float(crossing_score(track, np.array([row]), np.array([beat]))[0])
            fits = fitting_fades(np.array([Family.BOUNDARY]), np.zeros(1), edl.source.sample_rate)
        limp_s = abs(goal - start) / edl.source.sample_rate
        rows.append((row, beat, half, score + min(limp_s / _LIMP_S, _MOST_LIMP), int(fits[0])))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    whole = [column.astype(np.int64) for column in columns]
    gains = np.array([segment.gain_db for segment in segments])
    return Joins(whole[0], whole[1], whole[2].astype(np.int8), columns[3].astype(np.float32), whole[4]), np.abs(
        np.diff(gains)
    )


def _covered(plays: IntArray, labels: IntArray, target: int, track: Track) -> float:
    """Share of the different sections that an edit of `target` samples can hold which it plays."""
    n_labels = int(labels.max(initial=-1)) + 1
    if n_labels == 0:
        return 0.0
    counts = np.bincount(labels[(plays > 0) & (labels >= 0)], minlength=n_labels)
    possible = possible_labels(n_labels, float(target), float(np.median(np.diff(track.bounds))))
    return min(int((counts >= COVERED).sum()) / possible, 1.0)
