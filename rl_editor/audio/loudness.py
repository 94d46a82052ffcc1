"""Loudness and true peak of sound, as broadcasters measure them.

Sources: ITU-R BS.1770-5 (K-weighting, gates, channel weights, true peak), EBU Tech 3341 (momentary and short-term
loudness), EBU Tech 3342 (loudness range). All loudness functions share one expensive step, `weighted_power`, whose
result is passed to them. None means that the sound is too short to have the figure, -inf that it is silent.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import firwin, sosfilt

from rl_editor.arrays import Array, DoubleArray
from rl_editor.errors import AudioError

STEPS_PER_SECOND = 100
"""Steps of `weighted_power`: 10 ms, because a maximum found on 100 ms steps can miss a short sound by 0.5 LU."""
_MOMENTARY, _SHORT_TERM = 40, 300  # windows of 400 ms and 3 s, in steps
_HOP = 10  # 100 ms: the standard's overlap of 75 % for gated figures
_BLOCK = 1000  # steps filtered at a time: 7 MB for stereo at 44.1 kHz, whatever the length
_LOWEST_RATE = 4000  # the head shelf stands at 1.7 kHz
_ABSOLUTE_GATE = -70.0
_PEAK_BLOCK = 1 << 15
_OVERSAMPLING, _REACH = 4, 24

# Left, right, centre, low frequency, left and right surround, in the order of WAV files of so many channels.
_SURROUND = 1.41
_CHANNEL_WEIGHTS = {
    1: (1.0,),
    2: (1.0, 1.0),
    3: (1.0, 1.0, 1.0),
    4: (1.0, 1.0, _SURROUND, _SURROUND),
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
}


@dataclass(frozen=True)
class Loudness:
    """What a meter shows after a whole recording."""

    integrated_lufs: float | None
    """None under 400 ms, -inf where nothing passes the absolute gate of -70 LUFS."""
    momentary_max_lufs: float | None
    """Loudest 400 ms; None under 400 ms."""
    short_term_max_lufs: float | None
    """Loudest 3 s; None under 3 s."""
    range_lu: float | None
    """Loudness range; None under 3 s and where nothing passes the absolute gate."""
    true_peak_db: float
    """Peak of the reconstructed wave, dBTP; -inf for silence."""


def measure_loudness(audio: Array, sample_rate: int) -> Loudness:
    """All figures of a recording.

    Args:
        audio: (channels, samples), 1 to 6 channels; 5 are L R C Ls Rs, 6 are L R C LFE Ls Rs.
        sample_rate: Hz, at least 4000.
    Raises:
        AudioError: more than 6 channels, a lower rate, or values that are not numbers.
    """
    power = weighted_power(audio, sample_rate)
    momentary, short_term = momentary_lufs(power), short_term_lufs(power)
    return Loudness(
        integrated_lufs=integrated_lufs(power),
        momentary_max_lufs=float(momentary.max()) if len(momentary) else None,
        short_term_max_lufs=float(short_term.max()) if len(short_term) else None,
        range_lu=loudness_range_lu(power),
        true_peak_db=true_peak_db(audio),
    )


def weighted_power(audio: Array, sample_rate: int) -> DoubleArray:
    """Mean square of the K-weighted sound in each complete step of 10 ms, (N,), channels weighted and summed.

    Where 10 ms are no whole number of samples, steps differ by one sample.

    Args:
        audio: (channels, samples), 1 to 6 channels; 5 are L R C Ls Rs, 6 are L R C LFE Ls Rs.
        sample_rate: Hz, at least 4000.
    Raises:
        AudioError: more than 6 channels, a lower rate, or values that are not numbers.
    Source: ITU-R BS.1770-5, annex 1.
    """
    if audio.ndim != 2 or audio.shape[0] not in _CHANNEL_WEIGHTS or sample_rate < _LOWEST_RATE:
        wanted = f"sound is (1 to 6 channels, samples) at {_LOWEST_RATE} Hz or more"
        raise AudioError(f"loudness: {wanted}, not {audio.shape} at {sample_rate} Hz")
    n_steps = audio.shape[1] * STEPS_PER_SECOND // sample_rate
    edges = np.round(np.arange(n_steps + 1) * (sample_rate / STEPS_PER_SECOND)).astype(np.int64)
    weights = np.array(_CHANNEL_WEIGHTS[audio.shape[0]])
    sections = _k_weighting(sample_rate)
    state = np.zeros((len(sections), audio.shape[0], 2))
    power = np.empty(n_steps)
    for at in range(0, n_steps, _BLOCK):
        span = edges[at : at + _BLOCK + 1]
        block = audio[:, span[0] : span[-1]].astype(np.float64)
        filtered, state = sosfilt(sections, block, axis=1, zi=state)
        state[np.abs(state) < 1e-30] = 0.0  # the tail of digital silence would be denormal, and slow
        sums = np.add.reduceat(np.square(filtered), span[:-1] - span[0], axis=1)
        power[at : at + _BLOCK] = weights @ sums / np.diff(span)
    if not np.isfinite(power).all():
        raise AudioError("loudness: the sound holds values that are not numbers (NaN or infinite)")
    return power


def momentary_lufs(power: DoubleArray) -> DoubleArray:
    """Loudness of the 400 ms that start at each step, (N - 39,), LUFS; empty under 400 ms.

    Args:
        power: (N,) from `weighted_power`.
    Source: EBU Tech 3341.
    """
    return _lufs(_window_means(power, _MOMENTARY))


def short_term_lufs(power: DoubleArray) -> DoubleArray:
    """Loudness of the 3 s that start at each step, (N - 299,), LUFS; empty under 3 s.

    Args:
        power: (N,) from `weighted_power`.
    Source: EBU Tech 3341.
    """
    return _lufs(_window_means(power, _SHORT_TERM))


def integrated_lufs(power: DoubleArray) -> float | None:
    """Gated loudness of the whole, LUFS; None under 400 ms, -inf where nothing passes the absolute gate.

    Args:
        power: (N,) from `weighted_power`.
    Source: ITU-R BS.1770-5: blocks of 400 ms every 100 ms, gates at -70 LUFS and 10 LU under what passes that.
    """
    if len(power) < _MOMENTARY:
        return None
    heard = _gated(_window_means(power, _MOMENTARY)[::_HOP], below_lu=10.0)
    return float(_lufs(heard.mean())) if len(heard) else -np.inf


def loudness_range_lu(power: DoubleArray) -> float | None:
    """Loudness range, LU; None under 3 s and where nothing passes the absolute gate.

    Args:
        power: (N,) from `weighted_power`.
    Source: EBU Tech 3342: 10th to 95th percentile of short-term loudness every 100 ms, gates at -70 LUFS and 20 LU
        under what passes that.
    """
    heard = _gated(_window_means(power, _SHORT_TERM)[::_HOP], below_lu=20.0)
    if not len(heard):
        return None
    low, high = np.percentile(_lufs(heard), [10, 95], method="nearest")
    return float(high - low)


def true_peak_db(audio: Array) -> float:
    """Peak of the wave between the samples too, dBTP; -inf for silence.

    Four times oversampled by a Kaiser-windowed sinc of 48 taps a phase: a tone reads at most 0.2 dB low at a quarter of
    the sample rate, 0.6 dB at 0.45 of it.

    Args:
        audio: (channels, samples).
    Raises:
        AudioError: values that are not numbers.
    Source: ITU-R BS.1770-5, annex 2.
    """
    taps = firwin(2 * _OVERSAMPLING * _REACH + 1, 1.0 / _OVERSAMPLING, window=("kaiser", 8.0)) * _OVERSAMPLING
    phases = np.stack([taps[phase::_OVERSAMPLING] for phase in range(1, _OVERSAMPLING)], axis=1).astype(np.float32)
    peaks = [0.0]
    for channel in audio:
        for at in range(0, len(channel), _PEAK_BLOCK):
            after = min(max(len(channel) - at - _PEAK_BLOCK, 0), _REACH)
            piece = channel[max(at - _REACH, 0) : at + _PEAK_BLOCK + after]
            piece = np.pad(piece, (_REACH - min(at, _REACH), _REACH - after))
            between = np.lib.stride_tricks.sliding_window_view(piece, len(phases)) @ phases
            peaks += [float(np.abs(piece).max()), float(np.abs(between).max())]
    peak = np.max(peaks)
    if not np.isfinite(peak):
        raise AudioError("true peak: the sound holds values that are not numbers (NaN or infinite)")
    return float(20.0 * np.log10(peak)) if peak > 0.0 else -np.inf


def _window_means(power: DoubleArray, width: int) -> DoubleArray:
    """Means over `width` steps from each step on; no running sum, so that silence after sound stays silence."""
    if len(power) < width:
        return np.empty(0)
    return np.lib.stride_tricks.sliding_window_view(power, width).mean(axis=1)


def _gated(power: DoubleArray, *, below_lu: float) -> DoubleArray:
    """What is louder than -70 LUFS, and than its own mean less `below_lu`."""
    heard = power[_lufs(power) > _ABSOLUTE_GATE]
    return heard[heard > heard.mean() * 10.0 ** (-below_lu / 10.0)] if len(heard) else heard


def _lufs(power: DoubleArray) -> DoubleArray:
    with np.errstate(divide="ignore"):
        return -0.691 + 10.0 * np.log10(power)


def _k_weighting(sample_rate: int) -> DoubleArray:
    """Second-order sections of the head shelf and the high-pass, (2, 6).

    The standard gives coefficients at 48 kHz only; these analogue prototypes, taken through the bilinear transform with
    the corner pre-warped, give the same to 8 digits, and hold at any rate (De Man, Evaluation of implementations of the
    EBU R128 loudness measurement, AES 145, 2018).
    """
    k, q = np.tan(np.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    top = 10.0 ** (3.999843853973347 / 20.0)
    middle = top**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf = [
        (top + middle * k / q + k * k) / a0,
        2.0 * (k * k - top) / a0,
        (top - middle * k / q + k * k) / a0,
        1.0,
        2.0 * (k * k - 1.0) / a0,
        (1.0 - k / q + k * k) / a0,
    ]
    k, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0]
    return np.array([shelf, high_pass])
