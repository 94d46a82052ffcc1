"""Where a place of the raw stands in its music: beat, bar, phrase, run. All the ruler reads of the Track's form."""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.track import Track

ON_BEAT_S = 0.08
"""A place nearer to a bound than this stands on it."""
_AROUND = 8


@dataclass(frozen=True)
class Place:
    """What begins at a place of the raw."""

    beat: bool
    bar_position: int
    in_phrase: int
    """Beats since the phrase began; 0 on its first."""

    @property
    def opens_phrase(self) -> bool:
        """Whether a phrase begins here."""
        return self.beat and self.in_phrase == 0

    @property
    def opens_bar(self) -> bool:
        """Whether a bar begins here."""
        return self.beat and self.bar_position == 0


def place(track: Track, at: int) -> Place:
    """What begins at sample `at` of the raw; at its end a phrase is taken to."""
    row = nearest_bound(track, at)
    near = abs(int(track.bounds[row]) - at) <= ON_BEAT_S * track.source.sample_rate
    if row >= track.n_beats:
        return Place(near, 0, 0)
    phrase = track.bar if track.phrase is None else track.phrase
    first = int(np.searchsorted(phrase, phrase[row])) if (np.diff(phrase) >= 0).all() else row
    return Place(near, int(track.bar_position[row]), row - first)


def nearest_bound(track: Track, at: int) -> int:
    """The row of `bounds` next to a sample of the raw."""
    row = int(np.clip(np.searchsorted(track.bounds, at), 1, track.n_beats))
    return row - 1 if at - track.bounds[row - 1] <= track.bounds[row] - at else row


def beat_length_s(track: Track, at: int) -> float:
    """Median length of the beats around a sample of the raw, seconds."""
    row = nearest_bound(track, at)
    around = track.bounds_s[max(row - _AROUND, 0) : row + _AROUND + 1]
    return float(np.median(np.diff(around)))


def beat_before_s(track: Track, at: int) -> float:
    """Median length of the beats that lead to a sample of the raw, seconds."""
    row = max(nearest_bound(track, at), 1)
    return float(np.median(np.diff(track.bounds_s[max(row - _AROUND, 0) : row + 1])))


def off_beat_s(track: Track, out: int, into: int) -> float:
    """How much too late the beat goes on when the raw is left at one sample and entered at another, seconds.

    Within half a beat; negative where it comes too early.
    """
    phases = []
    for at in (out, into):
        row = int(np.clip(np.searchsorted(track.bounds, at, side="right") - 1, 0, track.n_beats - 1))
        phases.append((at - track.bounds[row]) / (track.bounds[row + 1] - track.bounds[row]))
    turn = (phases[0] - phases[1] + 0.5) % 1.0 - 0.5
    return float(turn) * beat_length_s(track, into)


def music_share(track: Track, start: int, end: int) -> float:
    """Share of [start, end) of the raw that is music; what lies beyond its ends is none."""
    overlap = np.minimum(track.bounds[1:], end) - np.maximum(track.bounds[:-1], start)
    return float(np.maximum(overlap, 0)[track.is_music].sum()) / max(end - start, 1)


def music_before_s(track: Track, at: int) -> float:
    """Seconds of music in one run right before a sample of the raw; 0 where there is none."""
    return max((at - start for start, end in _music(track) if start < at <= end), default=0) / track.source.sample_rate


def music_after_s(track: Track, at: int) -> float:
    """Seconds of music in one run right after a sample of the raw; 0 where there is none."""
    return max((end - at for start, end in _music(track) if start <= at < end), default=0) / track.source.sample_rate


def next_music(track: Track, at: int) -> int:
    """Where music begins at or after a sample of the raw; within a beat that is music, or after all, the sample."""
    return at if _inside(track, at) else min((start for start, _ in _music(track) if start >= at), default=at)


def last_music(track: Track, at: int) -> int:
    """Where music ended at or before a sample of the raw; within a beat that is music, or before all, the sample."""
    return at if _inside(track, at) else max((end for _, end in _music(track) if end <= at), default=at)


def _inside(track: Track, at: int) -> bool:
    return any(start <= at < end for start, end in _music(track))


def _music(track: Track) -> list[tuple[int, int]]:
    """Runs of music, [start, end) in samples."""
    return [(int(track.bounds[first]), int(track.bounds[last])) for first, last in runs(track.activity, Activity.MUSIC)]
