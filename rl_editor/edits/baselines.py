"""Baseline editors: what an edit is worth that knows little. Honest floors for every table.

All play whole beats of the source in its own order; without a target they keep as much as there is music.
"""

from collections.abc import Iterable

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import IntArray
from rl_editor.clock import clock
from rl_editor.edits import content
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.joins import fade_at_end, fade_at_start
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError

_BLOCK = 4  # beats that `random` and `loudest` choose at once
_FADE_S = 0.030


class HeadEditor:
    """The editor `head`: the beginning of the recording."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """One edit. Raises RequestError where the recording is too short."""
        return [_edl(track, request, "head", _fill(track, request, np.arange(track.n_beats)))]


class WindowEditor:
    """The editor `window`: the contiguous stretch of greatest content."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """One edit. Raises RequestError where the recording is too short."""
        target_s = _target_s(track, request)
        worth = np.concatenate([[0.0], np.cumsum(content.rules(track) * np.diff(track.bounds_s))])
        ends = np.searchsorted(track.bounds_s, track.bounds_s + target_s).clip(max=track.n_beats)
        fits = track.bounds_s + target_s <= track.bounds_s[-1] + request.slack_s
        first = int(np.where(fits, worth[ends] - worth, -np.inf).argmax())
        return [_edl(track, request, "window", _fill(track, request, np.arange(first, track.n_beats)))]


class LoudestEditor:
    """The editor `loudest`: the loudest bars, wherever they are."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """One edit. Raises RequestError where the recording is too short."""
        blocks = _blocks(track)
        power = 10.0 ** (track.level_db / 10.0)
        loudness = np.array([power[block].mean() for block in blocks])
        order = np.argsort(-loudness, kind="stable")
        return [_edl(track, request, "loudest", _fill(track, request, _joined(blocks, order)))]


class RandomEditor:
    """The editor `random`: bars drawn by chance."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """One edit. Raises RequestError where the recording is too short."""
        blocks = _blocks(track)
        order = np.random.default_rng(request.seed).permutation(len(blocks))
        return [_edl(track, request, "random", _fill(track, request, _joined(blocks, order)))]


def _blocks(track: Track) -> list[IntArray]:
    return np.split(np.arange(track.n_beats), np.arange(_BLOCK, track.n_beats, _BLOCK))


def _joined(blocks: list[IntArray], order: Iterable[int]) -> IntArray:
    return np.concatenate([blocks[k] for k in order])


def _target_s(track: Track, request: EditRequest) -> float:
    """Length to fill, in seconds.

    Raises:
        RequestError: more is wished for than a length; a baseline knows nothing else.
    """
    if request.locks or request.bans or request.start_s is not None or request.end_s is not None or request.count > 1:
        raise RequestError("this editor knows no lock, ban, start, end or several edits; the planner does")
    if request.order != "forward" or request.loops:
        raise RequestError("this editor plays forward and once; the planner knows other orders and loops")
    asked = request.length_s(track.source.duration_s)
    return float(np.diff(track.bounds_s)[track.is_music].sum()) if asked is None else asked


def _fill(track: Track, request: EditRequest, order: IntArray) -> IntArray:
    """The first beats of `order` whose lengths sum nearest to the target, sorted.

    Raises:
        RequestError: no number of beats comes within the slack.
    """
    target_s = _target_s(track, request)
    lengths = np.concatenate([[0.0], np.cumsum(np.diff(track.bounds_s)[order])])[1:]
    count = int(np.abs(lengths - target_s).argmin())
    if abs(lengths[count] - target_s) > request.slack_s:
        raise RequestError(
            f"{track.source.file or 'recording'}: this editor has no edit of {clock(target_s)} "
            f"within {request.slack_s:g} s; the nearest is {clock(lengths[count])}"
        )
    return np.sort(order[: count + 1])


def _edl(track: Track, request: EditRequest, editor: str, beats: IntArray) -> EDL:
    """An EDL of whole beats in source order, neighbours in one segment."""
    breaks = np.flatnonzero(np.diff(beats) > 1) + 1
    fade = round(_FADE_S * track.source.sample_rate)
    segments: list[Segment] = []
    for stretch in np.split(beats, breaks):
        start, end = int(track.bounds[stretch[0]]), int(track.bounds[stretch[-1] + 1])
        length = fade if segments else fade_at_start(track, start)
        segments.append(Segment(start, end, length, why=editor))
    return EDL(
        source=track.source,
        segments=tuple(segments),
        maker=Maker(editor, seed=request.seed),
        target_s=request.length_s(track.source.duration_s),
        end_fade=fade_at_end(track, segments[-1].end),
    )
