"""Activity: is somebody playing music, or talking, tuning, counting in, or silent?

No single cue decides: talk near the microphone is as loud as the song, tuning is as tonal. The sum of five does:
level, pulse, bass, density of the spectrum, absence of gaps. An unsure stretch stays music, because a lost bar costs
more than a kept cough.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy.ndimage import uniform_filter1d

from rl_editor.analysis.spectra import Spectra
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray

STEP = 20
"""Mel frames between cues: a fifth of a second."""
_WINDOW_S = 4.0
_SHORTEST_S = 4.0
_SILENCE_DB = 45.0  # under the loud parts
_SWITCH_COST = 6.0


class Activity(IntEnum):
    """What is heard during a beat."""

    MUSIC = 0
    SILENCE = 1
    TALK = 2
    TUNING = 3
    COUNT_IN = 4


@dataclass(frozen=True, eq=False)
class Cues:
    """What tells music from the rest, one row every `STEP` mel frames; each in [0, 1], large for music."""

    level: Array
    pulse: Array
    bass: Array
    density: Array
    no_gaps: Array
    level_db: Array
    """Level in dB under the loud parts (their 90th percentile), for telling silence."""

    @property
    def music(self) -> Array:
        """Mean of the cues, (W,)."""
        return (self.level + self.pulse + self.bass + self.density + self.no_gaps) / 5.0


def listen_for_cues(spectra: Spectra, strength: Array) -> Cues:
    """The five cues.

    Args:
        spectra: of the recording.
        strength: onset strength, (T,).
    """
    window = round(_WINDOW_S * spectra.frame_rate)
    power = spectra.mel.sum(axis=1)
    frame_db = 10.0 * np.log10(power + 1e-10)
    local_db = 10.0 * np.log10(uniform_filter1d(power, window) + 1e-10)
    loud_db = float(np.percentile(local_db, 90))
    bands_db = 10.0 * np.log10(spectra.mel + 1e-10)
    peak_db = bands_db.max(axis=1)
    broad = (bands_db > peak_db[:, None] - 30.0).mean(axis=1)
    bass_db = bands_db[:, :5].max(axis=1) - peak_db
    gaps = frame_db < local_db - 10.0

    def smooth(values: Array) -> Array:
        return uniform_filter1d(values.astype(np.float32), window)[::STEP]

    below_db = (local_db - loud_db)[::STEP].astype(np.float32)
    return Cues(
        level=_scaled(below_db, -25.0, -3.0),
        pulse=_scaled(pulse_clarity(strength, spectra.frame_rate), 0.05, 0.45),
        bass=_scaled(smooth(bass_db), -35.0, -5.0),
        density=_scaled(smooth(broad), 0.15, 0.55),
        no_gaps=_scaled(smooth(gaps), 0.35, 0.05),
        level_db=below_db,
    )


def pulse_clarity(strength: Array, frame_rate: float) -> Array:
    """Height of the best onset autocorrelation peak at beat lags (50 to 220 bpm) over 8 s, (W,), 0..1.

    Args:
        strength: onset strength, (T,).
        frame_rate: Hz of `strength`.
    """
    window = round(8.0 * frame_rate)
    hop = round(frame_rate)
    padded = np.pad(strength - strength.mean(), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    lags = slice(round(frame_rate * 60 / 220), round(frame_rate * 60 / 50))
    clarity = np.empty(len(frames), dtype=np.float32)
    for at in range(0, len(frames), 512):
        block = frames[at : at + 512] - frames[at : at + 512].mean(axis=1, keepdims=True)
        spectrum = np.abs(np.fft.rfft(block, 2 * window, axis=1)) ** 2
        unbiased = np.fft.irfft(spectrum, axis=1)[:, : lags.stop] / (1.0 - np.arange(lags.stop) / window)
        clarity[at : at + 512] = unbiased[:, lags].max(axis=1) / np.maximum(unbiased[:, 0], 1e-6)
    steps = np.arange(0, len(strength), STEP) / hop
    return np.interp(steps, np.arange(len(clarity)), clarity).astype(np.float32)


def music_share(cues: Cues, bounds_s: DoubleArray, frame_rate: float) -> Array:
    """How surely each beat is music, (B,) in [0, 1]: the cues' mean over the beat.

    Args:
        cues: of the recording.
        bounds_s: (B+1,) seconds.
        frame_rate: mel frames a second.
    """
    centres = (bounds_s[:-1] + bounds_s[1:]) / 2 * frame_rate / STEP
    return np.interp(centres, np.arange(len(cues.music)), cues.music).astype(np.float32)


def classify(cues: Cues, bounds_s: DoubleArray, frame_rate: float) -> SmallIntArray:
    """What is heard during each beat, (B,) of `Activity`.

    Args:
        cues: of the recording.
        bounds_s: (B+1,) seconds.
        frame_rate: mel frames a second.
    """
    music = _two_states(cues.music - music_threshold(cues.music), step_s=STEP / frame_rate)
    labels = np.where(music, Activity.MUSIC, Activity.TALK)
    tonal = (cues.no_gaps > 0.5) & (cues.pulse < 0.5) & (cues.density < 0.5)
    labels = np.where(~music & tonal, Activity.TUNING, labels)
    labels = np.where(~music & (cues.pulse > 0.6) & (cues.no_gaps < 0.3), Activity.COUNT_IN, labels)
    labels = np.where(cues.level_db < -_SILENCE_DB, Activity.SILENCE, labels)
    centres = np.round((bounds_s[:-1] + bounds_s[1:]) / 2 * frame_rate / STEP).astype(int)
    return labels[np.clip(centres, 0, len(labels) - 1)].astype(np.int8)


def music_threshold(music: Array) -> float:
    """The score under which a stretch is not music: between two clear groups, else low enough to keep all.

    Otsu's threshold, kept within the range in which synthetic talk and quiet music were told apart.
    """
    values = np.sort(music.astype(np.float64))
    if len(values) < 2:
        return 0.3
    below = np.arange(1, len(values))
    left = np.cumsum(values)[:-1] / below
    right = (values.sum() - np.cumsum(values)[:-1]) / (len(values) - below)
    between = below * (len(values) - below) * (right - left) ** 2
    split = int(between.argmax())
    return float(np.clip((values[split] + values[split + 1]) / 2, 0.30, 0.50))


def runs(labels: SmallIntArray, value: int) -> IntArray:
    """Stretches of one label as rows [first, one past the last), (R, 2), in beats."""
    inside = np.concatenate([[0], (labels == value).astype(np.int8), [0]])
    edges = np.diff(inside)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1).astype(np.int64)


def _two_states(evidence: Array, *, step_s: float) -> BoolArray:
    """Viterbi path of a two-state chain, True for positive evidence, that does not switch for a moment."""
    cost = _SWITCH_COST * 0.1 * _SHORTEST_S / step_s / 2
    gain = np.stack([-evidence, evidence], axis=1).astype(np.float64) * 2.0
    score, back = gain[0].copy(), np.zeros(gain.shape, dtype=np.int8)
    for at in range(1, len(gain)):
        switched = score[::-1] - cost
        back[at] = switched > score
        score = np.maximum(score, switched) + gain[at]
    path = np.empty(len(gain), dtype=np.bool_)
    state = int(score.argmax())
    for at in range(len(gain) - 1, -1, -1):
        path[at] = state == 1
        if back[at, state]:
            state = 1 - state
    return path


def _scaled(values: Array, low: float, high: float) -> Array:
    return np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
