"""Joins of an edit: how long their fades are, and what can be told about them."""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.landings import Family
from rl_editor.analysis.seams import SEAM_TERMS
from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import positions

DOUBTFUL = 0.6
"""Seam score above which a join is worth listening to before anybody else does."""
_TIGHT_S, _SHORT_S = 0.008, 0.030
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
    """Seam score, None for a join the landing table does not hold."""
    worst: str | None = None
    """The seam term that differs most, with its value in natural units."""


def join_fade(track: Track, row: int, column: int) -> int:
    """Samples of fade for a landing of the table: tight before an attack, longer where the sound is the same."""
    same = track.landings.correlation[row, column] >= _SAME_SOUND
    unlike = track.landings.family[row, column] != Family.CONTINUATION
    return round((_SHORT_S if same or unlike else _TIGHT_S) * track.source.sample_rate)


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
    """All joins of an edit, in output order, with what the landing table knows of them.

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
    """Score and worst term of the landing from sample `end` to sample `start`, None where the table has none."""
    row = int(np.searchsorted(track.bounds, end))
    if row >= len(track.bounds) or track.bounds[row] != end:
        return None, None
    places = track.landings
    found = np.flatnonzero(places.valid[row] & (places.starts(track.bounds)[row] == start))
    if len(found) == 0:
        return None, None
    terms = places.seam[row, found[0]]
    worst = int(terms.argmax())
    return float(places.score[row, found[0]]), f"{SEAM_TERMS[worst]} {terms[worst]:.2f}"
