"""Beats: where they are, and a grid of them that tiles the recording.

A bound stands just before the attack of its beat, so that a cut there leaves the hit whole. Trackers report the beat
tens of milliseconds late or early by construction; the grid is moved as one, by the median distance to the attacks.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.beat_doubts import beat_doubts
from rl_editor.analysis.beat_tracker import onset_strength, track_beats
from rl_editor.analysis.spectra import HOP, RATE
from rl_editor.arrays import Array, DoubleArray, IntArray

_NO_PULSE_BPM = 120.0
_FASTEST_S = 0.1  # no grid goes on faster than 600 bpm, however close together two beats were marked
_ATTACK_SEARCH_S = 0.06
_BEFORE_ATTACK_S = 0.010  # from the steepest rise back to the lowest level before it
_STEP = 44  # samples at RATE: an envelope of 2 ms
_SMOOTH = 5  # steps over which it is smoothed and its rise is taken


@dataclass(frozen=True, eq=False)
class BeatGrid:
    """Beats that tile the recording."""

    bounds: IntArray
    """Samples of the source, (B+1,), strictly increasing from 0 to the end."""
    confidence: Array
    """(B,) in [0, 1]; near 0 where no pulse is heard and the grid goes on at the neighbouring tempo."""
    doubts: tuple[str, ...] = ()
    """Where the beats may be heard wrongly, a line each; none for beats that were known."""


def beat_grid(
    onsets: Array, mono: Array, *, n_samples: int, sample_rate: int, known_s: DoubleArray | None = None
) -> BeatGrid:
    """The beats of a recording as a grid of bounds.

    Args:
        onsets: onset strength by band, (T, 3), at RATE / HOP frames a second.
        mono: the sound at RATE, (n,).
        n_samples: length of the source in samples.
        sample_rate: Hz of the source.
        known_s: beats in seconds that need not be found.
    """
    if known_s is None:
        tracked = track_beats(onsets)
        times_s, doubts = tracked.times_s, beat_doubts(tracked)
    else:
        times_s, doubts = known_s, ()
    times_s = times_s + attack_offset_s(mono, times_s)
    bounds = tile(times_s, n_samples=n_samples, sample_rate=sample_rate)
    return BeatGrid(bounds, pulse_confidence(onset_strength(onsets), bounds / sample_rate), doubts)


def attack_offset_s(mono: Array, times_s: DoubleArray) -> float:
    """Seconds from the tracked beats to just before their attacks: one figure for the recording, the median.

    Args:
        mono: sound at RATE, (n,).
        times_s: tracked beats in seconds.
    """
    energy = np.square(mono[: len(mono) // _STEP * _STEP]).reshape(-1, _STEP).mean(axis=1)
    envelope = np.convolve(energy, np.ones(_SMOOTH) / _SMOOTH, mode="same")
    reach = round(_ATTACK_SEARCH_S * RATE / _STEP)
    centres = np.round(times_s * RATE / _STEP - 0.5).astype(int)
    centres = centres[(centres >= reach) & (centres < len(envelope) - reach - _SMOOTH)]
    if len(centres) == 0:
        return 0.0
    around = envelope[centres[:, None] + np.arange(-reach, reach + _SMOOTH + 1)]
    # against the loudest nearby, or the faintest sound before a hit counts as its rise
    level = np.log10(around / (around.max(axis=1, keepdims=True) + 1e-12) + 0.01)
    rise = level[:, _SMOOTH:] - level[:, :-_SMOOTH]
    clear = rise.max(axis=1) > 0.15  # 1.5 dB in 10 ms: an attack at all
    if clear.sum() < 4:
        return 0.0
    steepest = rise[clear].argmax(axis=1) - reach + _SMOOTH / 2
    return float(np.median(steepest)) * _STEP / RATE - _BEFORE_ATTACK_S


def tile(times_s: DoubleArray, *, n_samples: int, sample_rate: int) -> IntArray:
    """Bounds (B+1,) in samples from 0 to n_samples; before, between and after the beats at the neighbouring tempo.

    Args:
        times_s: beats in seconds, ascending; none gives a grid at 120 bpm.
        n_samples: length of the source.
        sample_rate: Hz of the source.
    """
    end_s = n_samples / sample_rate
    times_s = times_s[(times_s > 0) & (times_s < end_s)]
    if len(times_s) < 2:
        times_s = np.arange(60.0 / _NO_PULSE_BPM, end_s, 60.0 / _NO_PULSE_BPM)
    intervals = np.diff(times_s)
    typical = max(float(np.median(intervals)), _FASTEST_S) if len(intervals) else end_s
    pieces = [_steps(0.0, times_s[0], _near(intervals[:8], typical), backwards=True)]
    for beat, interval in zip(times_s[:-1], intervals, strict=True):
        pieces.append(beat + interval * np.arange(parts := max(1, round(interval / typical))) / parts)
    pieces.append(_steps(times_s[-1], end_s, _near(intervals[-8:], typical), backwards=False))
    inner = np.round(np.concatenate(pieces) * sample_rate).astype(np.int64)
    shortest = max(1, round(0.25 * typical * sample_rate))
    inner = inner[(inner >= shortest) & (inner <= n_samples - shortest)]
    bounds = np.concatenate([[0], inner, [n_samples]])
    return bounds[np.concatenate([[True], np.diff(bounds) > 0])]


def tempo_curve(bounds_s: DoubleArray) -> Array:
    """Tempo at each beat, (B,), bpm: from the median beat among 16, so that one odd beat is no change of tempo."""
    from scipy.ndimage import median_filter

    return (60.0 / median_filter(np.diff(bounds_s), 16, mode="nearest")).astype(np.float32)


def pulse_confidence(strength: Array, bounds_s: DoubleArray) -> Array:
    """How clearly each beat is heard, (B,) in [0, 1]: onsets at the bounds against those between, over 16 beats.

    Args:
        strength: onset strength (T,) at RATE / HOP frames a second.
        bounds_s: bounds in seconds, (B+1,).
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    if len(strength) == 0:
        return np.zeros(len(bounds_s) - 1, dtype=np.float32)
    nearby = maximum_filter1d(strength, 7)
    last = len(strength) - 1

    def heard(times_s: DoubleArray) -> Array:
        return nearby[np.minimum(np.round(times_s * RATE / HOP).astype(int), last)]

    on = heard(bounds_s[:-1] + _BEFORE_ATTACK_S)
    between = heard((bounds_s[:-1] + bounds_s[1:]) / 2 + _BEFORE_ATTACK_S)
    on, between = (uniform_filter1d(values, 16, mode="nearest") for values in (on, between))
    return np.clip(on / (on + between + 0.1) * 2.0 - 0.6, 0.0, 1.0).astype(np.float32)


def _near(intervals: DoubleArray, typical: float) -> float:
    return max(float(np.median(intervals)), _FASTEST_S) if len(intervals) else typical


def _steps(start_s: float, end_s: float, step_s: float, *, backwards: bool) -> DoubleArray:
    """Grid points in [start_s, end_s) one step apart, counted from the end that has a beat."""
    if backwards:
        return np.arange(end_s - step_s, start_s, -step_s)[::-1]
    return np.arange(start_s, end_s, step_s)
