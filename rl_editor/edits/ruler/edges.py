"""Is the start a beginning, and is the ending an end? Told from the run of music around each, and from the sound.

The Track may take talk or noodling for music, so a run may go on where the music does not; a silence in the raw before
the first attack, or at the end of a ring-out, is believed without it. What is lost counts from there: the more music
lies between that silence and the place, the less it is a beginning, or an end.
"""

import math
from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.spectra import RATE
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray
from rl_editor.edits.ruler.grid import (
    beat_length_s,
    last_music,
    music_after_s,
    music_before_s,
    next_music,
    place,
)
from rl_editor.edits.ruler.hearing import between
from rl_editor.edits.ruler.raw import Raw

_FRAME = 1102  # samples at RATE: 50 ms
_FORGOTTEN_S = 8.0  # so much lost music makes a start no beginning, and an end no ending, any more
_RISE_DB, _CLEAR_RISE_DB = 6.0, 18.0
_RINGING_DB, _FALLEN_DB, _RUNG_DB, _SILENT_DB = -8.0, -20.0, -26.0, -32.0  # against the loud parts
_NOTHING_DB = -100.0  # what `levels_db` tells of digital silence
_SURE = 0.9  # how much a silence alone is believed
_BEFORE, _NEXT = 7, 20  # frames before a start, the last of which may hold its attack already, and of its first second
_LAST, _AFTER = 3, 7  # frames before an end, and after it; the first of those may hold a fade
_FADED_DB = 3.0
_SHORT_FADE_S, _LONG_FADE_S = 0.5, 2.0
_FADED_OUT = 0.5  # what a long fade-out makes of any place
_ENTRY = {"phrase": 0.6, "bar": 0.35, "beat": 0.15}


@dataclass(frozen=True)
class Start:
    """How an output, or what is entered at a join, begins."""

    score: float
    beginning: float
    """How surely it is the beginning of a piece, in [0, 1]; the score also honours a phrase or bar that begins."""
    lost_s: float
    """Music that came before in the raw, since the pause or silence at which the piece most likely began."""
    rise_db: float
    """How much louder the first second is than what came just before it in the raw."""


@dataclass(frozen=True)
class Ending:
    """How an output, or what is left at a join, ends."""

    score: float
    ended: float
    """How surely it is the end of a piece, in [0, 1]; the score also honours an end of phrase or bar, or a fade-out."""
    lost_s: float
    """Music that goes on in the raw, up to the pause or silence at which the piece most likely ends."""
    left_db: float
    """Level of what is still sounding, or goes on in the raw, against its loud parts."""
    faded_s: float
    """Fade-out that was laid over it."""
    rest: float
    """How surely the sound has died away before it, in [0, 1]; where music stops dry, it has not."""


def measure_start(at: int, raw: Raw) -> Start:
    """How it begins: there, or where music does if there is none. What comes before it is dead time, judged elsewhere.

    Args:
        at: where the raw is entered, sample of the raw.
        raw: as heard.
    """
    return max((_start_at(each, raw) for each in (at, next_music(raw.track, at))), key=lambda start: start.beginning)


def _start_at(at: int, raw: Raw) -> Start:
    track = raw.track
    run_s = music_before_s(track, at)
    middle = round(at * RATE / raw.sample_rate)
    around_db = levels_db(between(raw.sound, middle - _BEFORE * _FRAME, middle + _NEXT * _FRAME))
    quiet = float(silences_before(around_db, raw.loud_db)[_BEFORE])
    whole = 0.6 + 0.4 * quiet
    first, last = (math.ceil(max(middle - back, 0) / _FRAME) for back in (round(run_s * RATE), 0))
    likely = [
        (_SURE * quiet, 0.0),
        _left(1.0, max(run_s - beat_length_s(track, at) / 2, 0.0), whole),
        *(
            _left(_SURE * float(raw.opens[frame]), (middle - frame * _FRAME) / RATE, whole)
            for frame in first + np.flatnonzero(raw.opens[first:last])
        ),
    ]
    beginning, lost_s = max(likely, key=lambda each: each[0])
    rise_db = float(around_db[_BEFORE:].max() - around_db[: _BEFORE - 1].mean())
    return Start(beginning + (1.0 - beginning) * _entry(track, at), beginning, lost_s, rise_db)


def measure_ending(at: int, raw: Raw, *, faded_s: float = 0.0) -> Ending:
    """How it ends: there, or where music did if there is none. What comes after it is dead time, judged elsewhere.

    Args:
        at: where the raw is left, sample of the raw.
        raw: as heard.
        faded_s: length of a fade-out that the output has there.
    """
    return max((_ending_at(each, raw, faded_s) for each in (at, last_music(raw.track, at))), key=lambda end: end.ended)


def _ending_at(at: int, raw: Raw, faded_s: float) -> Ending:
    track = raw.track
    run_s = music_after_s(track, at)
    end = round(at * RATE / raw.sample_rate)
    heard = end - round(min(faded_s, _SHORT_FADE_S) * RATE)  # what comes in during a short fade-out is not heard
    before_db, after_db = (
        float(levels_db(between(raw.sound, first, last)).max()) - raw.loud_db
        for first, last in ((heard - _LAST * _FRAME, heard), (end + _FRAME, end + _AFTER * _FRAME))
    )
    left_db = min(before_db, after_db)
    whole = 0.4 + 0.6 * _share(left_db, _RINGING_DB, _RUNG_DB)
    first, last = (math.ceil(min(end + on, len(raw.sound)) / _FRAME) for on in (0, round(run_s * RATE)))
    likely = [
        (_SURE * _share(left_db, _FALLEN_DB, _SILENT_DB), 0.0),
        _left(1.0, max(run_s - beat_length_s(track, at) / 2, 0.0), whole),
        *(
            _left(_SURE * float(raw.closes[frame]), (frame * _FRAME - end) / RATE, whole)
            for frame in first + np.flatnonzero(raw.closes[first:last])
        ),
    ]
    ended, lost_s = max(likely, key=lambda each: each[0])
    faded = _FADED_OUT * _share(faded_s, _SHORT_FADE_S, _LONG_FADE_S)
    score = ended + (1.0 - ended) * max(faded, 0.5 * _entry(track, at))
    return Ending(score, ended, lost_s, left_db, faded_s, _share(before_db, _FALLEN_DB, _SILENT_DB))


def measure_fade_out_s(at: int, raw: Raw, output: Array) -> float:
    """Seconds over which an output's end is faded: its level falls against the raw's.

    Args:
        at: where the raw is left, sample of the raw.
        raw: as heard.
        output: mono at `RATE`; its end plays the raw up to `at`.
    """
    end = round(at * RATE / raw.sample_rate)
    n = min(len(output), end, 12 * RATE) // _FRAME * _FRAME
    if n < 8 * _FRAME:
        return 0.0
    gain_db = levels_db(output[len(output) - n :]) - levels_db(raw.sound[end - n : end])
    usual_db = float(np.median(gain_db))
    lower = gain_db[::-1] < usual_db - _FADED_DB
    return float(len(lower) if lower.all() else np.argmin(lower)) * _FRAME / RATE


def levels_db(sound: Array) -> DoubleArray:
    """Level of each whole 50 ms, dB."""
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return 10.0 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-10)


def silences_before(sound_db: DoubleArray, loud_db: float) -> DoubleArray:
    """How surely silence gives way to music at each frame, (F,) in [0, 1].

    A rise of level alone is none: it may be an accent in the midst of the music.

    Args:
        sound_db: level of each 50 ms, (F,); beyond its ends there is silence.
        loud_db: level of the raw's loud parts.
    """
    before_db = _over(sound_db, -_BEFORE, _BEFORE - 1).mean(axis=1)
    rise_db = _over(sound_db, 0, _NEXT).max(axis=1) - before_db
    rises = _shares(rise_db, _RISE_DB, _CLEAR_RISE_DB)
    return np.minimum(rises, _shares(before_db - loud_db, _RINGING_DB, _FALLEN_DB))


def silences_after(sound_db: DoubleArray, loud_db: float) -> DoubleArray:
    """How surely music has died away at each frame, (F,) in [0, 1]: nothing sounds before it, or nothing after it.

    A ring-out may have died away though somebody talks at once, and music may stop dry.

    Args:
        sound_db: level of each 50 ms, (F,); beyond its ends there is silence.
        loud_db: level of the raw's loud parts.
    """
    before_db, after_db = _over(sound_db, -_LAST, _LAST).max(axis=1), _over(sound_db, 1, _AFTER - 1).max(axis=1)
    return _shares(np.minimum(before_db, after_db) - loud_db, _FALLEN_DB, _SILENT_DB)


def _over(sound_db: DoubleArray, first: int, n: int) -> DoubleArray:
    """The `n` levels from `first` frames after each frame on, (F, n)."""
    around = np.pad(sound_db, n + abs(first), constant_values=_NOTHING_DB)
    return np.lib.stride_tricks.sliding_window_view(around, n)[n + abs(first) + first :][: len(sound_db)]


def _left(sure: float, lost_s: float, whole: float) -> tuple[float, float]:
    """What is left of a beginning or an end after so much lost music, and the loss."""
    return sure * math.exp(-lost_s / _FORGOTTEN_S) * whole, lost_s


def _share(value: float, none: float, whole: float) -> float:
    """How far a value has come from `none` to `whole`, in [0, 1]."""
    return float(_shares(np.array(value), none, whole))


def _shares(values: DoubleArray, none: float, whole: float) -> DoubleArray:
    """How far each of values has come from `none` to `whole`, in [0, 1]."""
    return np.clip((values - none) / (whole - none), 0.0, 1.0)


def _entry(track: Track, at: int) -> float:
    """What a place is worth that is no beginning or end of the music: 0 off the beat."""
    here = place(track, at)
    if here.opens_phrase:
        return _ENTRY["phrase"]
    if here.opens_bar:
        return _ENTRY["bar"]
    return _ENTRY["beat"] if here.beat else 0.0
