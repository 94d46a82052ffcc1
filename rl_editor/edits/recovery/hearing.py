"""What recovery listens to: both sounds at one low rate, and what their frames sound like whatever was done to them."""

import numpy as np
import scipy.fft
import scipy.signal
import soxr

from rl_editor.arrays import Array, DoubleArray

RATE = 11025
"""Hz of the sounds that are compared: what MP3 at 128 kb/s and 22 kHz mono both keep well."""
_PRE_EMPHASIS = 0.95  # bass would decide every correlation, and it moves slowly
_BANDS = 40
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 4800.0  # what is above could not be moved by a part of a sample without error
_N_FFT = 1024
_BLOCK = 2048  # frames a block
_DYNAMIC_RANGE = 1e-7
_LEVEL_REMOVED = 0.8
HALF, _BETA = 32, 6.0
_QUIET_NORM_DB = 10.0  # a frame that hardly differs from the average frame says little about its place


def hear(audio: Array, sample_rate: int, *, channels: int) -> Array:
    """Sound up to 4.8 kHz with its treble raised, (channels, n) at `RATE`.

    Args:
        audio: float32 (any number of channels, samples).
        sample_rate: Hz.
        channels: the audio's own number, or 1 for the mean of all.
    """
    mixed = audio if audio.shape[0] == channels else audio.mean(axis=0, keepdims=True)
    resampled = [soxr.resample(channel, sample_rate, RATE, quality="HQ") for channel in mixed]
    low_pass = scipy.signal.firwin(63, _HIGHEST_HZ, fs=RATE)
    kernel = np.convolve(low_pass, [1.0, -_PRE_EMPHASIS]).astype(np.float32)
    return scipy.signal.oaconvolve(np.array(resampled), kernel[None], mode="same", axes=1)


def timbre(sound: Array, hop: int) -> Array:
    """What each frame sounds like, (T, 40) of unit length at most: neither EQ nor level changes it much.

    Log-mel of the power of all channels, without the mean of each band and most of the mean of each frame. Frame t
    is centred on sample t * hop.

    Args:
        sound: (channels, n) at `RATE`.
        hop: samples between frames.
    """
    from librosa.filters import mel

    n_fft = max(_N_FFT, 2 * hop)
    bank = mel(sr=RATE, n_fft=n_fft, n_mels=_BANDS, fmin=_LOWEST_HZ, fmax=_HIGHEST_HZ).T.astype(np.float32)
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    power = np.zeros((sound.shape[1] // hop + 1, _BANDS), dtype=np.float32)
    for channel in sound:
        padded = np.pad(channel, n_fft // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
        for at in range(0, len(frames), _BLOCK):
            spectrum = scipy.fft.rfft(frames[at : at + _BLOCK] * window, axis=1)
            power[at : at + _BLOCK] += (spectrum.real**2 + spectrum.imag**2) @ bank
    loudest = max(float(power.max(initial=0.0)), 1e-20)
    level = 10.0 * np.log10(np.maximum(power, loudest * _DYNAMIC_RANGE))
    level -= level.mean(axis=0)
    level -= _LEVEL_REMOVED * level.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.square(level).sum(axis=1, keepdims=True) + _QUIET_NORM_DB**2)
    return (level / norm).astype(np.float32)


def excerpt(sound: Array, start: float, n: int) -> Array:
    """`n` samples of a sound (channels, samples) from `start`, which may lie between samples; silence outside it."""
    first = int(np.floor(start))
    fraction = start - first
    if fraction < 1e-3:
        return _slice(sound, first, n)
    kernel = interpolator(np.array([fraction]))
    wide = _slice(sound, first - HALF + 1, n + 2 * HALF - 1)
    return scipy.signal.oaconvolve(wide, kernel[:, ::-1].astype(np.float32), mode="valid", axes=1)


def interpolator(fractions: DoubleArray) -> DoubleArray:
    """Weights (P, 64) of the samples -31 to 32 that give the value at each place, (P,) samples, near 0 to 1.

    Source: a sinc under a Kaiser window, true to -60 dB up to 0.45 of the rate; sounds from `hear` hold little above.
    """
    taps = np.arange(-HALF + 1, HALF + 1) - fractions[:, None]
    window = np.i0(_BETA * np.sqrt(np.maximum(1.0 - (taps / HALF) ** 2, 0.0))) / np.i0(_BETA)
    return np.sinc(taps) * window


def _slice(sound: Array, first: int, n: int) -> Array:
    low, high = np.clip([first, first + n], 0, sound.shape[1])
    if high - low == n:
        return sound[:, low:high]
    piece = np.zeros((sound.shape[0], n), dtype=np.float32)
    if high > low:
        piece[:, low - first : high - first] = sound[:, low:high]
    return piece
