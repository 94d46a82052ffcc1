"""Where in an edit and its source a fault can be planted: beats, phrases, mistakes, dead time, joins that matter."""

from collections.abc import Sequence

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.edits.edl import EDL

MISTAKE_BEATS = 8
"""Beats of a stretch with a mistake in its middle."""
_SURE_MISTAKE = 0.8  # sum over the beats of a stretch, those in its middle counting most
_PHRASE_BARS = 4


def flows(edl: EDL, track: Track, k: int) -> bool:
    """Whether music would have gone on where join k leaves the raw, or led to where it enters it."""
    row, into = nearest_row(track, edl.segments[k - 1].end), nearest_row(track, edl.segments[k].start)
    follows = row < track.n_beats and track.is_music[row : row + 2].all()
    return bool(follows or (into >= 2 and track.is_music[into - 2 : into].all()))


def mistakes(edl: EDL, track: Track) -> list[int]:
    """Where stretches begin that have a mistake in their middle and are not played, the surest first."""
    assert track.spoiled is not None
    elsewhere = track.is_music & ~kept_beats(edl, track)
    whole = np.convolve(elsewhere, np.ones(MISTAKE_BEATS), mode="valid") == MISTAKE_BEATS
    middle = np.bartlett(MISTAKE_BEATS + 2)[1:-1]
    sure = np.where(whole, np.convolve(track.spoiled, middle, mode="valid"), 0.0)
    found: list[int] = []
    for row in np.argsort(-sure, kind="stable").tolist():
        if sure[row] >= _SURE_MISTAKE and all(abs(row - other) >= MISTAKE_BEATS for other in found):
            found.append(row)
    return found


def unlike(heard: Array, row: int, there: int) -> float:
    """How unlike two stretches of `MISTAKE_BEATS` are, with as many beats on each side, which hold no mistake.

    Args:
        heard: features of each beat, all of one scale, (B, F).
        row: first beat of the one.
        there: first beat of the other.
    """
    around = np.arange(-MISTAKE_BEATS, 2 * MISTAKE_BEATS)
    here, other = (heard[np.clip(first + around, 0, len(heard) - 1)] for first in (row, there))
    return float(np.abs(here - other).mean())


def whole_beats(edl: EDL, track: Track) -> Sequence[tuple[int, tuple[int, int]]]:
    """Each segment's number with the whole beats it plays, [first, last)."""
    rows = []
    for k, segment in enumerate(edl.segments):
        first = int(np.searchsorted(track.bounds, segment.start))
        last = int(np.searchsorted(track.bounds, segment.end, side="right")) - 1
        rows.append((k, (first, max(first, last))))
    return rows


def nearest_row(track: Track, at: int) -> int:
    """The row of `bounds` next to a sample of the source."""
    return int(np.abs(track.bounds - at).argmin())


def kept_beats(edl: EDL, track: Track) -> BoolArray:
    """Beats that are played at least in part."""
    kept = np.zeros(track.n_beats, dtype=bool)
    for segment in edl.segments:
        kept |= (track.bounds[:-1] < segment.end) & (track.bounds[1:] > segment.start)
    return kept


def phrase_starts(track: Track) -> IntArray:
    """Rows on which phrases begin; every fourth bar where none are known."""
    bar = track.bar // _PHRASE_BARS if track.phrase is None else track.phrase
    return np.flatnonzero(np.diff(bar, prepend=bar[0] - 1)).astype(np.int64)


def beat_s(track: Track, at: int) -> float:
    """Length of the beat at a sample of the source, seconds."""
    row = min(nearest_row(track, at), track.n_beats - 1)
    return float(track.bounds_s[row + 1] - track.bounds_s[row])


def dead_samples(track: Track, start: int, end: int) -> int:
    """How much of [start, end) of the source is no music, in samples; what lies beyond its ends is nothing."""
    overlap = np.maximum(np.minimum(track.bounds[1:], end) - np.maximum(track.bounds[:-1], start), 0)
    return int(overlap[~track.is_music].sum())
