"""Joins of an edit: how long their fades are, and what can be told about them."""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.landings import Family
from rl_editor.analysis.seams import CONTINUATION_TERMS, SEAM_TERMS
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray, IntArray, SmallIntArray
from rl_editor.edits.crossings import crossing_score, crossing_steps
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import positions

DOUBTFUL = 0.6
"""Seam score above which a join is worth listening to before anybody else does."""
TIGHT_S, SHORT_S = 0.008, 0.030
"""Fades before an attack, and where the sound is the same on both sides."""
_SAME_SOUND = 0.6  # correlation above which a longer fade hides more than it smears
_FADE_IN_S = 0.010
_RING_OUT_S = 0.250


@dataclass(frozen=True)
class Join:
    """What can be told about one join of an edit."""

    at_s: float
    """Where it is heard, seconds of the output."""
    from_s: float
    """Where the outgoing segment ends, seconds of the source."""
    to_s: float
    """Where the incoming one starts."""
    why: str
    score: float | None = None
    """Seam score; None for a join that is no landing of the table and does not lead from bound to bound."""
    worst: str | None = None
    """The seam term that differs most, with its value in natural units."""


def join_fade(family: int, correlation: float, sample_rate: int, *, after_ban: bool = False) -> int:
    """Samples of fade for a landing, long where the sound is the same or nothing continues, else tight.

    Tight, too, where what comes just before the landing is banned, since a fade lets through a little of it.
    """
    if after_ban:
        return round(TIGHT_S * sample_rate)
    return int(fitting_fades(np.array([family]), np.array([correlation]), sample_rate)[0])


def fitting_fades(family: IntArray | SmallIntArray, correlation: Array | DoubleArray, sample_rate: int) -> IntArray:
    """Samples of fade that fit landings of these families and correlations, (N,)."""
    longer = (correlation >= _SAME_SOUND) | (family != Family.CONTINUATION)
    return np.where(longer, round(SHORT_S * sample_rate), round(TIGHT_S * sample_rate))


def fade_at_start(track: Track, start: int) -> int:
    """Samples of fade-in for an edit that begins at `start`; none at the beginning of the recording."""
    return round(_FADE_IN_S * track.source.sample_rate) if start > 0 else 0


def fade_at_end(track: Track, end: int) -> int:
    """Samples of fade-out for an edit that ends at `end`: none at the recording's end, two beats inside music."""
    if end >= track.source.n_samples:
        return 0
    beat = int(np.searchsorted(track.bounds, end, side="left"))
    if beat < track.n_beats and track.activity[beat] == Activity.MUSIC:
        return end - int(track.bounds[max(beat - 2, 0)])
    return round(_RING_OUT_S * track.source.sample_rate)


def describe(edl: EDL, track: Track) -> list[Join]:
    """All joins of an edit, in output order, with what the Track knows of them.

    Args:
        edl: the edit.
        track: analysis of its source.
    """
    rate = edl.source.sample_rate
    at = positions(edl.segments)
    joins = []
    for k in edl.joins:
        before, after = edl.segments[k - 1], edl.segments[k]
        seam = _seam(track, before.end, after.start)
        joins.append(Join(at[k] / rate, before.end / rate, after.start / rate, after.why, *seam))
    return joins


def _seam(track: Track, end: int, start: int) -> tuple[float | None, str | None]:
    """Score and worst term of going on from sample `end` at sample `start`, None where nothing is known of it."""
    row = int(np.searchsorted(track.bounds, end))
    if row >= len(track.bounds) or track.bounds[row] != end:
        return None, None
    places = track.landings
    found = np.flatnonzero(places.valid[row] & (places.starts(track.bounds)[row] == start))
    if len(found):
        return float(places.score[row, found[0]]), _worst(SEAM_TERMS, places.seam[row, found[0]])
    beat = int(np.searchsorted(track.bounds, start))
    if row == 0 or beat >= track.n_beats or track.bounds[beat] != start:
        return None, None
    crossing = np.array([row]), np.array([beat])
    steps = crossing_steps(track, *crossing)[0]
    return float(crossing_score(track, *crossing)[0]), _worst(SEAM_TERMS[len(CONTINUATION_TERMS) :], steps)


def _worst(names: tuple[str, ...], terms: Array) -> str:
    return f"{names[int(terms.argmax())]} {terms.max():.2f}"
