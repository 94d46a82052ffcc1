"""Activity: is somebody playing music, or talking, tuning, counting in, or silent?

No single cue decides: talk near the microphone is as loud as the song, tuning is as tonal. The sum of five does:
level, pulse, bass, density of the spectrum, absence of gaps. An unsure stretch stays music, because a lost bar costs
more than a kept cough.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from rl_editor.analysis.spectra import Spectra
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray

STEP = 20
"""Mel frames between cues: a fifth of a second."""
_WINDOW_S = 4.0
_PULSE_WINDOW_S = 8.0
_SHORTEST_S = 4.0
_SHORT_S = 0.4
_STEADY_PULSE = 0.85  # of most of the music, or pulse can't tell music from the rest
_PULSED = 0.6  # what has so clear a pulse is music however thin it sounds
_STOPPED_DB = -18.0  # under the loud parts: players stop before they talk or tune
_STOP_WITHIN_S = 3.0
_COUNT_IN_S = 6.0
_SILENCE_DB = -55.0
_ABOVE_FLOOR_DB = 6.0
_STEADY_DB = 3.0  # within a second; the noise of a room does not move
_EDGE_WITHIN_S = 2.0  # half a window: so far off a run's edges may be
_CLEAR_RISE_DB = 6.0
_STILL_FALLING_DB = 4.0
_SWITCH_COST = 0.1  # mean evidence that a stretch of the shortest length must bring


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
    short_db: Array
    """Level over 0.4 s, in dB over the loud parts (the 90th percentile of 4 s); tells stops and silence."""

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
    local_db = _mean_db(power, window)
    loud_db = float(np.percentile(local_db, 90))
    bands_db = 10.0 * np.log10(spectra.mel + 1e-10)
    peak_db = bands_db.max(axis=1)
    broad = (bands_db > peak_db[:, None] - 30.0).mean(axis=1)
    bass_db = bands_db[:, :5].max(axis=1) - peak_db
    gaps = frame_db < local_db - 10.0

    def smooth(values: Array) -> Array:
        return uniform_filter1d(values.astype(np.float32), window)[::STEP]

    below_db = (local_db - loud_db)[::STEP]
    short_db = _mean_db(power, round(_SHORT_S * spectra.frame_rate)) - loud_db
    return Cues(
        level=_scaled(below_db, -25.0, -3.0),
        pulse=_scaled(pulse_clarity(strength, spectra.frame_rate), 0.05, 0.45),
        bass=_scaled(smooth(bass_db), -35.0, -5.0),
        density=_scaled(smooth(broad), 0.15, 0.55),
        no_gaps=_scaled(smooth(gaps), 0.35, 0.05),
        short_db=short_db[::STEP].astype(np.float32),
    )


def pulse_clarity(strength: Array, frame_rate: float) -> Array:
    """Height of the best onset autocorrelation peak at beat lags (50 to 220 bpm) over 8 s, (W,), 0..1.

    Args:
        strength: onset strength, (T,).
        frame_rate: Hz of `strength`.
    """
    window = round(_PULSE_WINDOW_S * frame_rate)
    hop = round(frame_rate)
    # zeros beyond the ends would be a step, which looks like a pulse
    padded = np.pad(strength, window // 2, mode="reflect" if len(strength) > window // 2 else "edge")
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
    step_s = STEP / frame_rate
    music = _is_music(cues, step_s)
    gaps = cues.no_gaps < 0.5
    labels = np.where(music, Activity.MUSIC, np.where(gaps, Activity.TALK, Activity.TUNING)).astype(np.int8)
    for first, _ in runs(labels, Activity.MUSIC):
        before = slice(max(first - round(_COUNT_IN_S / step_s), 0), first)
        hits = ~music[before] & gaps[before] & (cues.pulse[before] > _PULSED)
        labels[before][hits] = Activity.COUNT_IN
    labels[_is_silent(cues)] = Activity.SILENCE
    centres = np.round((bounds_s[:-1] + bounds_s[1:]) / 2 / step_s).astype(int)
    return labels[np.clip(centres, 0, len(labels) - 1)]


def music_threshold(music: Array) -> float:
    """The score under which a stretch may not be music: Otsu's threshold, where two groups can be told apart at all.

    Args:
        music: mean of the cues, (W,) in [0, 1].
    """
    values = np.sort(music.astype(np.float64))
    if len(values) < 2:
        return 0.5
    below = np.arange(1, len(values))
    left = np.cumsum(values)[:-1] / below
    right = (values.sum() - np.cumsum(values)[:-1]) / (len(values) - below)
    between = below * (len(values) - below) * (right - left) ** 2
    split = int(between.argmax())
    return float(np.clip((values[split] + values[split + 1]) / 2, 0.5, 0.8))


def _is_music(cues: Cues, step_s: float) -> BoolArray:
    """Steps that are music, (W,): all of them where the music itself has no steady pulse to be told by."""
    threshold = music_threshold(cues.music)
    sure = cues.music >= threshold
    everything = np.ones(len(sure), dtype=np.bool_)
    if not sure.any() or np.percentile(cues.pulse[sure], 25) < _STEADY_PULSE:
        return everything
    music = _two_states(cues.music - threshold, step_s=step_s) & ~_is_silent(cues)
    stopped = cues.short_db < _STOPPED_DB
    reach, margin = round(_STOP_WITHIN_S / step_s), round(_PULSE_WINDOW_S / 2 / step_s)
    for first, last in runs(music.astype(np.int8), 0):
        edges = (slice(max(first - reach, 0), first + reach), slice(max(last - reach, 0), last + reach))
        went_on = not any(stopped[edge].any() for edge in edges)
        inside = cues.pulse[first + margin : last - margin]
        if went_on or (len(inside) and np.median(inside) > _PULSED):
            music[first:last] = True  # a quiet or a thin passage: nobody stopped playing
    return _with_exact_edges(music, cues.short_db, step_s)


def _with_exact_edges(music: BoolArray, short_db: Array, step_s: float) -> BoolArray:
    """The same runs of music, from where the level rises to where the last chord has died away."""
    output = np.zeros_like(music)
    second, reach = round(1.0 / step_s), round(_EDGE_WITHIN_S / step_s)
    sums = np.concatenate([[0.0], np.cumsum(short_db, dtype=np.float64)])
    for first, last in runs(music.astype(np.int8), 1):
        begin = first
        around = np.arange(max(first - reach, second), min(first + reach, len(short_db) - second))
        if first > 0 and len(around):
            rise = (sums[around + second] - 2 * sums[around] + sums[around - second]) / second
            begin = int(around[rise.argmax()]) if rise.max() > _CLEAR_RISE_DB else first
        end = last
        lowest = short_db[max(last - second, 0) : last].min()
        while end < len(short_db) and short_db[end] < lowest + _STILL_FALLING_DB and not music[end]:
            lowest = min(lowest, short_db[end])
            end += 1
        output[begin:end] = True
    return output


def _is_silent(cues: Cues) -> BoolArray:
    """Steps in which nothing is heard above the noise of the room, (W,)."""
    floor_db = float(np.percentile(cues.short_db, 1))
    if floor_db > _STOPPED_DB:
        return cues.short_db < _SILENCE_DB
    spread = maximum_filter1d(cues.short_db, 5) - minimum_filter1d(cues.short_db, 5)
    room = (cues.short_db < floor_db + _ABOVE_FLOOR_DB) & (spread < _STEADY_DB) & (cues.density > 0.9)
    return room | (cues.short_db < _SILENCE_DB)


def runs(labels: SmallIntArray, value: int) -> IntArray:
    """Stretches of one label as rows [first, one past the last), (R, 2), in beats."""
    inside = np.concatenate([[0], (labels == value).astype(np.int8), [0]])
    edges = np.diff(inside)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1).astype(np.int64)


def _two_states(evidence: Array, *, step_s: float) -> BoolArray:
    """Viterbi path of a two-state chain, True for positive evidence, that does not switch for a moment."""
    cost = _SWITCH_COST * _SHORTEST_S / step_s
    gain = np.stack([-evidence, evidence], axis=1).astype(np.float64)
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


def _mean_db(power: Array, window: int) -> Array:
    """Level of the mean power over `window` frames; the filter's running sum may end a rounding error below zero."""
    return 10.0 * np.log10(np.maximum(uniform_filter1d(power, window), 0.0) + 1e-10)


def _scaled(values: Array, low: float, high: float) -> Array:
    return np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32)
