"""The length of an edit to the sample, and how much of what it plays."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, IntArray
from rl_editor.edits.edl import EDL
from rl_editor.edits.joins import fade_at_end, fade_at_start
from rl_editor.edits.wishes import Wishes

_DIFFERENT = 0.2  # share of the kept time in which two edits must differ
_LARGEST_LAG_S = 0.03
_ALIGNED_S = 0.05  # a landing may begin so much before its beat that some milliseconds are heard twice


def exactly(edl: EDL, wishes: Wishes, track: Track, *, slack_s: float) -> EDL | None:
    """The edit with its target met within the slack, its last end or first start moved if need be, else None.

    Moved is by at most half the longest beat and the joins' lags, a side that was wished for by half a beat, and never
    into a locked or a banned beat. The side that lies outside the music is moved first.
    """
    if edl.target_s is None:
        return edl
    rate = edl.source.sample_rate
    missing = round(edl.target_s * rate) - edl.n_samples
    if abs(edl.duration_s - edl.target_s) <= slack_s:
        return edl
    # lengths lie a beat apart, and each join's lag may put them off by its own size
    if abs(missing) > np.diff(track.bounds).max() / 2 + _LARGEST_LAG_S * rate * len(edl.joins):
        return None
    first_beat = int(np.searchsorted(track.bounds, edl.segments[0].start, side="right")) - 1
    outside = not track.is_music[max(first_beat - (missing > 0), 0)]
    # an end that was wished for is moved only where the start can't be, and the other way round
    start_first = wishes.end is not None if (wishes.start is None) != (wishes.end is None) else outside
    moves = (_with_start_moved, _with_end_moved) if start_first else (_with_end_moved, _with_start_moved)
    for move in moves:
        moved = move(edl, missing)
        if moved is not None and _as_asked(moved, wishes, track) and _allowed(moved, edl, wishes, track):
            return _with_fades(moved, track)
    return None


def _as_asked(edl: EDL, wishes: Wishes, track: Track) -> bool:
    """Whether the edit still begins and ends within half a beat of where it was asked to, or as near as a bound is."""
    half_beat = float(np.median(np.diff(track.bounds))) / 2
    sides = (
        (edl.segments[0].start, wishes.start_at, wishes.start),
        (edl.segments[-1].end, wishes.end_at, wishes.end),
    )
    return all(
        asked is None or bound is None or abs(at - asked) <= max(half_beat, abs(int(track.bounds[bound]) - asked))
        for at, asked, bound in sides
    )


def _with_fades(edl: EDL, track: Track) -> EDL:
    """The edit with the fades that its beginning and its end now need."""
    first = replace(edl.segments[0], fade=fade_at_start(track, edl.segments[0].start))
    return replace(edl, segments=(first, *edl.segments[1:]), end_fade=fade_at_end(track, edl.segments[-1].end))


def repeated(edl: EDL) -> int:
    """Samples of the source that are played more than once, an aligned landing's few milliseconds aside."""
    edges, count = _plays(edl)
    return int(np.diff(edges)[count[:-1] > 1].sum())


def difference(one: EDL, other: EDL) -> float:
    """Share of the longer edit's kept time that the two do not have in common, in [0, 1]."""
    spans = [_plays(edl) for edl in (one, other)]
    edges = np.unique(np.concatenate([edges for edges, _ in spans]))
    length = np.diff(edges)
    kept = [count[np.clip(np.searchsorted(own, edges[:-1], side="right") - 1, 0, None)] > 0 for own, count in spans]
    common = int(length[kept[0] & kept[1]].sum())
    return 1.0 - common / max(*(int(length[each].sum()) for each in kept), 1)


def is_another(edl: EDL, others: Iterable[EDL]) -> bool:
    """Whether an edit is so different from others that it is worth offering beside them."""
    return all(difference(edl, other) >= _DIFFERENT for other in others)


def played_beats(edl: EDL, track: Track) -> BoolArray:
    """Beats of which anything is played, (B,)."""
    starts, ends = track.bounds[:-1], track.bounds[1:]
    played = [(segment.start < ends) & (segment.end > starts) for segment in edl.segments]
    return np.logical_or.reduce(np.stack(played))


def _plays(edl: EDL) -> tuple[IntArray, IntArray]:
    """Sorted places (M,) of the source and how often each span between them is played, (M,); 0 after the last."""
    margin = round(_ALIGNED_S * edl.source.sample_rate)
    starts = [segment.start + min(margin, (len(segment) - 1) // 2) for segment in edl.segments]
    ends = [segment.end for segment in edl.segments]
    edges, place = np.unique(np.array([0, *starts, *ends], dtype=np.int64), return_inverse=True)
    change = np.zeros(len(edges), dtype=np.int64)
    np.add.at(change, place[1 : len(starts) + 1], 1)
    np.add.at(change, place[len(starts) + 1 :], -1)
    return edges, np.cumsum(change)


def _with_end_moved(edl: EDL, longer: int) -> EDL | None:
    last = edl.segments[-1]
    end = last.end + longer
    if not last.start < end <= edl.source.n_samples:
        return None
    return replace(edl, segments=(*edl.segments[:-1], replace(last, end=end)))


def _with_start_moved(edl: EDL, longer: int) -> EDL | None:
    first = edl.segments[0]
    start = first.start - longer
    if not 0 <= start < first.end:
        return None
    return replace(edl, segments=(replace(first, start=start), *edl.segments[1:]))


def _allowed(moved: EDL, edl: EDL, wishes: Wishes, track: Track) -> bool:
    """No banned beat was gained and no locked beat lost."""
    gained = played_beats(moved, track) & ~played_beats(edl, track) & wishes.banned
    lost = _whole(edl, track) & ~_whole(moved, track) & wishes.locked
    return not (gained.any() or lost.any())


def _whole(edl: EDL, track: Track) -> BoolArray:
    """Beats that one segment plays whole, (B,)."""
    starts, ends = track.bounds[:-1], track.bounds[1:]
    played = [(segment.start <= starts) & (segment.end >= ends) for segment in edl.segments]
    return np.logical_or.reduce(np.stack(played))
