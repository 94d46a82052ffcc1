"""How a join was made: is a click heard, a hole, a step of level? Judged in the output against the raw's own sound.

Both are compared around the same place, so neither EQ nor level of the output count: what is asked is only what the
output has at the join that the raw has at neither of its sides.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.spectra import RATE
from rl_editor.arrays import Array, DoubleArray
from rl_editor.edits.ruler.hearing import between
from rl_editor.edits.ruler.raw import Raw
from rl_editor.edits.ruler.source_map import Join

_CLICK_S = 0.006
_BESIDE_S = 0.1
_LEVEL_S = 1.5
_BAND_EDGES_HZ = (60, 150, 300, 600, 1200, 2400, 4800, 9600)
_HEARD_DB = 35.0  # under the loudest band; below there may be nothing but a coder's noise
_FRAME = 220  # samples at RATE: 10 ms
_HOLE_S = 0.08
_NO_FADE_S = 0.003
_WITHOUT_FADE = 0.85  # of the score of a join that was just cut: it may click on other loudspeakers
_NO_CLICK_DB, _CLICK_DB = 3.0, 8.0
_NO_HOLE_DB, _HOLE_DB = 4.0, 10.0
_NO_STEP_DB, _STEP_DB = 1.0, 6.0


@dataclass(frozen=True)
class Cut:
    """How one join was made."""

    score: float
    click_db: float
    """How far the sharpest edge at the join stands above the raw's own there."""
    hole_db: float
    """How far the level falls under the quieter side."""
    step_db: float
    """Change of gain over the join: what the output plays louder after it than before, against the raw."""
    fade_s: float


def measure_cut(join: Join, raw: Raw, output: Array, *, level_db: float) -> Cut:
    """How a join was made.

    Args:
        join: its places.
        raw: as heard.
        output: mono at `RATE`.
        level_db: level of the entered sound over the left one in the raw; a change of gain may make up for it.
    """
    scale = RATE / raw.sample_rate
    out, into, at = (round(each * scale) for each in (join.out, join.into, join.at))
    fade = round(join.fade * scale)
    click_db = _click_db(raw.sound, output, out, into, at, fade)
    hole_db = _hole_db(raw.sound, output, out, into, at, fade)
    step_db = _gain_step_db(raw.sound, output, out, into, at, fade)
    heard_db = step_db if abs(step_db + level_db) > abs(level_db) else 0.0  # a gain that evens out is no fault
    score = (
        _fall(click_db, _NO_CLICK_DB, _CLICK_DB)
        * _fall(hole_db, _NO_HOLE_DB, _HOLE_DB)
        * _fall(abs(heard_db), _NO_STEP_DB, _STEP_DB)
        * (1.0 if join.fade >= _NO_FADE_S * raw.sample_rate else _WITHOUT_FADE)
    )
    return Cut(score, click_db, hole_db, step_db, join.fade / raw.sample_rate)


def _click_db(raw: Array, output: Array, out: int, into: int, at: int, fade: int) -> float:
    """The sharpest edge of the output near the join over that of both sides of the raw, each by its own loudness."""
    near, beside = round(_CLICK_S * RATE), round(_BESIDE_S * RATE)
    before, after = near + fade, near
    own = np.abs(_edges(between(output, at - beside - fade, at + beside)))
    theirs = np.maximum(
        np.abs(_edges(between(raw, out - beside - fade, out + beside))),
        np.abs(_edges(between(raw, into - beside - fade, into + beside))),
    )
    middle = slice(beside + fade - before, beside + fade + after)
    outside = np.ones(len(own), dtype=bool)
    outside[middle] = False
    # the sides as the output plays them: what was left before the join, what was entered after it
    gain = _rms(own[outside]) / max(_rms(_played_sides(raw, out, into, beside, fade)[outside]), 1e-9)
    floor = max(0.05 * float(own.max(initial=0.0)), 1e-7)
    return 20.0 * float(np.log10(max(own[middle].max(), floor) / max(gain * theirs[middle].max(), floor)))


def _played_sides(raw: Array, out: int, into: int, beside: int, fade: int) -> Array:
    left = _edges(between(raw, out - beside - fade, out + beside))
    entered = _edges(between(raw, into - beside - fade, into + beside))
    return np.concatenate([left[: beside + fade], entered[beside + fade :]])


def _hole_db(raw: Array, output: Array, out: int, into: int, at: int, fade: int) -> float:
    """How far the output falls under the quieter of the raw's two sides somewhere near the join, dB, at least 0."""
    beside = round(_HOLE_S * RATE)
    own, left, entered = (
        _levels_db(between(sound, place - beside - fade, place + beside))
        for sound, place in ((output, at), (raw, out), (raw, into))
    )
    n = len(own)
    middle = (beside + fade) // _FRAME
    played = np.concatenate([left[: max(middle - fade // _FRAME, 1)], entered[middle + 1 :]])
    mine = np.concatenate([own[: max(middle - fade // _FRAME, 1)], own[middle + 1 :]])
    gain_db = float(np.median(mine - played)) if len(played) else 0.0
    expected = np.minimum(left, entered)[:n] + gain_db
    audible = expected > expected.max() - 30.0
    return max(float((expected - own)[audible].max()), 0.0)


def _gain_step_db(raw: Array, output: Array, out: int, into: int, at: int, fade: int) -> float:
    """Gain of output over raw after the join less that before it, dB: the median of bands, so that EQ is none."""
    span, guard = round(_LEVEL_S * RATE), 512
    last, first = fade + guard, guard
    before = _band_gains(*(between(sound, to - last - span, to - last) for sound, to in ((output, at), (raw, out))))
    after = _band_gains(*(between(sound, to + first, to + first + span) for sound, to in ((output, at), (raw, into))))
    both = np.isfinite(before) & np.isfinite(after)
    return float(np.median((after - before)[both])) if both.any() else 0.0


def _band_gains(output: Array, raw: Array) -> DoubleArray:
    """Gain of each band, dB, (7,); NaN where the raw has next to nothing."""
    theirs_db = _band_levels_db(raw)
    gains_db = _band_levels_db(output) - theirs_db
    gains_db[theirs_db < theirs_db.max() - _HEARD_DB] = np.nan
    return gains_db


def _band_levels_db(sound: Array) -> DoubleArray:
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))))
    edges = np.searchsorted(np.fft.rfftfreq(len(sound), 1.0 / RATE), _BAND_EDGES_HZ)
    return 10.0 * np.log10(np.add.reduceat(power, edges)[:-1] + 1e-9)


def _fall(value: float, harmless: float, scale: float) -> float:
    return float(np.exp(-max(value - harmless, 0.0) / scale))


def _edges(sound: Array) -> Array:
    """Second difference: what is left of a click when the music is taken away."""
    return np.diff(sound, 2, prepend=sound[:1], append=sound[-1:])


def _levels_db(sound: Array) -> DoubleArray:
    frames = sound[: len(sound) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return 10.0 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-10)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean())) if len(values) else 0.0
