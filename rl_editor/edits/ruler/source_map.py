"""The source map: which place of the raw each moment of an output plays. All that is judged is judged on it."""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import DoubleArray
from rl_editor.audio.source import Source
from rl_editor.edits.edl import EDL
from rl_editor.edits.recovery.recovered import Recovery
from rl_editor.edits.render import end_fades, join_fade, positions

_ONE_SOUND_S = 0.002  # a jump nobody hears: less than the sound needs from one ear to the other and back
_TOUCHING_S = 0.02  # what is between two stretches and no longer is rounding, not sound
_STEP_S = 0.01


@dataclass(frozen=True)
class Played:
    """[start, end) of the raw as the output plays it; all in samples at the raw's rate."""

    start: int
    end: int
    at: int
    """Where in the output it begins."""
    fade: int
    """Samples of crossfade that end where it begins."""

    @property
    def until(self) -> int:
        """Where in the output it ends."""
        return self.at + self.end - self.start


@dataclass(frozen=True)
class Join:
    """Where the output goes on at another place of the raw; samples at the raw's rate."""

    out: int
    """Where the raw is left."""
    into: int
    """Where it is entered again."""
    at: int
    """Where in the output that is."""
    fade: int


@dataclass(frozen=True)
class SourceMap:
    """What an output plays of a raw."""

    source: Source
    played: tuple[Played, ...]
    """In output order; neighbours do not go on from each other."""
    n_samples: int
    """Length of the output, in samples at the raw's rate."""
    end_fade: int = 0
    """Samples of fade-out at its end, where that is known."""

    @property
    def duration_s(self) -> float:
        """Length of the output in seconds."""
        return self.n_samples / self.source.sample_rate

    @property
    def unmatched_s(self) -> float:
        """Seconds of the output that are not in the raw."""
        return max(self.n_samples - sum(each.end - each.start for each in self.played), 0) / self.source.sample_rate

    @property
    def joins(self) -> tuple[Join, ...]:
        """Places where one stretch of the raw gives way to another, with nothing foreign between."""
        touching = _TOUCHING_S * self.source.sample_rate
        return tuple(
            Join(before.end, after.start, after.at, after.fade)
            for before, after in zip(self.played, self.played[1:], strict=False)
            if abs(after.at - before.until) <= touching
        )


def known_map(edl: EDL) -> SourceMap:
    """The source map of an edit whose EDL is known."""
    played = [
        Played(segment.start, segment.end, at, join_fade(edl, k))
        for k, (segment, at) in enumerate(zip(edl.segments, positions(edl.segments), strict=True))
    ]
    return SourceMap(edl.source, _merged(played, edl.source.sample_rate), edl.n_samples, end_fades(edl)[1])


def recovered_map(recovery: Recovery, duration_s: float) -> SourceMap:
    """The source map of an output of `duration_s` seconds that was recovered from its sound."""
    rate = recovery.source.sample_rate
    played = [Played(each.start, each.end, round(each.at_s * rate), each.fade) for each in recovery.segments]
    return SourceMap(recovery.source, _merged(played, rate), round(duration_s * rate))


def seconds_of_beats(played: SourceMap, track: Track) -> DoubleArray:
    """How long each beat of the raw is heard, (B,), seconds; a beat played twice counts twice."""
    heard = np.zeros(track.n_beats)
    lower, upper = track.bounds[:-1], track.bounds[1:]
    for each in played.played:
        heard += np.maximum(np.minimum(upper, each.end) - np.maximum(lower, each.start), 0)
    return heard / track.source.sample_rate


def places_s(played: SourceMap) -> DoubleArray:
    """The place of the raw that is heard every 10 ms of the output, (T,), seconds; NaN where there is none."""
    rate = played.source.sample_rate
    places = np.full(max(round(played.duration_s / _STEP_S), 1), np.nan)
    middles = (np.arange(len(places)) + 0.5) * _STEP_S
    for each in played.played:
        inside = (middles >= each.at / rate) & (middles < each.until / rate)
        places[inside] = middles[inside] + (each.start - each.at) / rate
    return places


def _merged(played: list[Played], sample_rate: int) -> tuple[Played, ...]:
    """Stretches that go on from the one before, or so nearly that nobody hears it, joined to it."""
    merged: list[Played] = []
    for each in played:
        before = merged[-1] if merged else None
        goes_on = before is not None and abs((each.start - each.at) - (before.start - before.at)) < (
            _ONE_SOUND_S * sample_rate
        )
        if before is not None and goes_on and each.at - before.until <= _TOUCHING_S * sample_rate:
            merged[-1] = Played(before.start, each.end, before.at, before.fade)
        else:
            merged.append(each)
    return tuple(merged)
