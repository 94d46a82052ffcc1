"""Is the start a beginning, and is the ending an end? Told from the run of music around each, and from the sound.

The Track may take talk or noodling for music, so a run may go on where the music does not; a silence in the raw right
before the first attack, or at the end of a ring-out, is believed without it.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.spectra import RATE
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray
from rl_editor.edits.ruler.grid import beat_length_s, music_after_s, music_before_s, place
from rl_editor.edits.ruler.raw import Raw

_FRAME = 1102  # samples at RATE: 50 ms
_FORGOTTEN_S = 8.0  # so much lost music makes a start no beginning any more
_RISE_DB, _CLEAR_RISE_DB = 6.0, 18.0
_FALLEN_DB, _SILENT_DB = -20.0, -32.0  # against the loud parts
_SURE = 0.9  # how much a silence alone is believed
_RINGING_DB, _RUNG_DB = -8.0, -26.0
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
    """Music that came before in the raw, without a pause."""
    rise_db: float
    """How much louder the first second is than what came just before it in the raw."""


@dataclass(frozen=True)
class Ending:
    """How an output, or what is left at a join, ends."""

    score: float
    ended: float
    """How surely it is the end of a piece, in [0, 1]; the score also honours an end of phrase or bar, or a fade-out."""
    lost_s: float
    """Music that goes on in the raw without a pause."""
    left_db: float
    """Level of what is still sounding, or goes on in the raw, against its loud parts."""
    faded_s: float
    """Fade-out that was laid over it."""


def measure_start(at: int, raw: Raw) -> Start:
    """How it begins.

    Args:
        at: where the raw is entered, sample of the raw.
        raw: as heard.
    """
    track = raw.track
    lost_s = max(music_before_s(track, at) - beat_length_s(track, at) / 2, 0.0)
    middle = round(at * RATE / raw.sample_rate)
    before = levels_db(raw.sound[max(middle - 7 * _FRAME, 0) : max(middle - _FRAME // 2, 0)])
    after = levels_db(raw.sound[middle : middle + 20 * _FRAME])
    rise_db = float(after.max(initial=-100.0) - before.mean()) if len(before) else _CLEAR_RISE_DB
    quiet = _share(rise_db, _RISE_DB, _CLEAR_RISE_DB)
    beginning = max(float(np.exp(-lost_s / _FORGOTTEN_S)) * (0.6 + 0.4 * quiet), _SURE * quiet)
    return Start(beginning + (1.0 - beginning) * _entry(track, at), beginning, lost_s, rise_db)


def measure_ending(at: int, raw: Raw, *, faded_s: float = 0.0) -> Ending:
    """How it ends.

    Args:
        at: where the raw is left, sample of the raw.
        raw: as heard.
        faded_s: length of a fade-out that the output has there.
    """
    track = raw.track
    lost_s = max(music_after_s(track, at) - beat_length_s(track, at) / 2, 0.0)
    end = round(at * RATE / raw.sample_rate)
    before_db, after_db = (
        float(levels_db(raw.sound[max(end + first * _FRAME, 0) : max(end + last * _FRAME, 0)]).max(initial=-100.0))
        - raw.loud_db
        for first, last in ((-3, 0), (1, 7))
    )
    left_db = min(before_db, after_db)  # a ring-out that has died away, though somebody talks at once; or a dry stop
    silent = _share(left_db, _FALLEN_DB, _SILENT_DB)
    rung = _share(left_db, _RINGING_DB, _RUNG_DB)
    faded = _FADED_OUT * _share(faded_s, _SHORT_FADE_S, _LONG_FADE_S)
    ended = max(float(np.exp(-lost_s / _FORGOTTEN_S)) * (0.4 + 0.6 * rung), _SURE * silent)
    rest = max(faded, 0.5 * _entry(track, at))
    score = ended + (1.0 - ended) * rest
    return Ending(score, ended, lost_s, left_db, faded_s)


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


def _share(value: float, none: float, whole: float) -> float:
    """How far a value has come from `none` to `whole`, in [0, 1]."""
    return float(np.clip((value - none) / (whole - none), 0.0, 1.0))


def _entry(track: Track, at: int) -> float:
    """What a place is worth that is no beginning or end of the music: 0 off the beat."""
    here = place(track, at)
    if here.opens_phrase:
        return _ENTRY["phrase"]
    if here.opens_bar:
        return _ENTRY["bar"]
    return _ENTRY["beat"] if here.beat else 0.0
