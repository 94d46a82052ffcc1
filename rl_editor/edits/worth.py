"""What an edit is worth, in seconds of good music: what the planner plans by and the environment pays.

A beat is worth its length times (2 content - 1), so that without a target an edit keeps what is better than not
playing it. A join costs what a listener would give up to avoid it; beginning with a beginning and ending with an
ending are worth something; playing again what was played costs something.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray
from rl_editor.edits.crossings import level_steps_db
from rl_editor.errors import RequestError

_BAR = 4  # beats


@dataclass(frozen=True)
class Prices:
    """What is traded against what."""

    join_s: float = 1.0
    """Seconds of good music that a perfect join costs."""
    seam_s: float = 8.0
    """Seconds of good music that a join of seam score 1 costs on top; grows with the square of the score."""
    level_s: float = 2.0
    """Seconds of good music that each dB costs by which the level jumps more than `jump_db` while music plays."""
    jump_db: float = 6.0
    """Step of level that goes for a change of part; what is more is heard as a fault."""
    bad_s: float = 12.0
    """Seconds of good music above which a join that is worse costs less and less more, up to twice as many."""
    off_phase: float = 0.25
    """Seam score added where a landing changes the position in the bar."""
    beginning_s: float = 8.0
    """Seconds of good music that beginning where music begins is worth."""
    ending_s: float = 8.0
    """Seconds of good music that ending where music ends is worth."""
    repeat: float = 0.6
    """Share of its length that a repeated stretch costs."""
    nearness: float = 0.2
    """Seconds of good music that a second away from the target costs."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (math.isfinite(value) and value >= 0):
                raise RequestError(f"price {each.name} {value}: must be a number, 0 or more")
        if self.bad_s == 0:
            raise RequestError("price bad_s 0: must be above 0")


def worth_until(track: Track, score: Array) -> DoubleArray:
    """Seconds of good music from the recording's beginning to each bound, (B+1,).

    Args:
        track: analysis of the recording.
        score: content, (B,) in [0, 1].
    """
    length_s = np.diff(track.bounds) / track.source.sample_rate
    return np.concatenate([[0.0], np.cumsum(length_s * (2.0 * score.astype(np.float64) - 1.0))])


def join_price(
    track: Track, leave: IntArray, beat: IntArray, half: SmallIntArray, score: Array, prices: Prices
) -> DoubleArray:
    """Seconds of good music that joins from playheads `leave` to beats `beat` cost, all (N,); repeats not counted.

    Args:
        track: analysis of the recording.
        leave: playheads, 1 to B.
        beat: beats gone on from.
        half: 1 where in the middle of the beat.
        score: seam scores.
        prices: what is traded against what.
    """
    off_phase = (track.bar_position[beat] != np.append(track.bar_position, 0)[leave]) | (half == 1)
    seam = (score + prices.off_phase * off_phase).astype(np.float64)
    too_loud_db = np.maximum(level_steps_db(track, leave, beat) - prices.jump_db, 0.0)
    # where the music was over anyway any level may follow
    broken_off = track.is_music[leave - 1] & (_edges_of_music(track)[leave] >= 0)
    price = prices.join_s + prices.seam_s * seam**2 + prices.level_s * np.where(broken_off, too_loud_db, 0.0)
    beyond = np.maximum(price / prices.bad_s - 1.0, 0.0)
    return np.minimum(price, prices.bad_s) - prices.bad_s * np.expm1(-beyond)


def beginnings(track: Track) -> DoubleArray:
    """How good a beginning each beat is, (B,) in [-0.5, 1]: 1 where music begins or is still to begin.

    What of a bar was lost is not all lost: where music begins and ends is known to a beat or two.
    """
    playing = _playing(track)
    return np.where(playing, _edge(_played_before(playing)[:-1], track.boundary[:-1]), 1.0)


def endings(track: Track) -> DoubleArray:
    """How good an ending each bound is, (B+1,) in [-0.5, 1]: 1 where music ends or has ended; as `beginnings`."""
    playing = _playing(track)
    has_ended = np.append(False, ~playing)
    return np.where(has_ended, 1.0, _edge(_played_before(playing[::-1])[::-1], track.boundary))


def _edge(lost: IntArray, boundary: Array) -> DoubleArray:
    """How good a beginning or ending is with `lost` beats of music beyond it, where a part begins so strongly, (N,)."""
    return np.maximum(1.0 - 1.5 * lost / _BAR, 0.5 * boundary.astype(np.float64) - 0.5)


def _played_before(playing: BoolArray) -> IntArray:
    """Beats of music between each bound and the rest before it, (B+1,)."""
    at = np.arange(len(playing) + 1)
    rests = np.append(0, np.where(playing, 0, at[1:]))  # bounds at which a rest ends, and the beginning
    return at - np.maximum.accumulate(rests)


def _edges_of_music(track: Track) -> IntArray:
    """1 at bounds where music begins, -1 where it ends, (B+1,)."""
    return np.diff(_playing(track).astype(np.int8), prepend=0, append=0).astype(np.int64)


def _playing(track: Track) -> BoolArray:
    """Beats of music and of rests in it shorter than a bar, (B,)."""
    playing = track.is_music.copy()
    for first, last in runs(track.activity, Activity.SILENCE):
        if last - first < _BAR and playing[first - 1 : first].any() and playing[last : last + 1].any():
            playing[first:last] = True
    return playing
