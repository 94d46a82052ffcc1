"""Timbre in a few numbers: centroid, bandwidth, rolloff, flatness, contrast, MFCC and level of each frame or beat.

All are taken from the 80 mel bands that exist already, so they cost next to nothing and hear 30 to 10,500 Hz with a
window of 46 ms. Centroid and bandwidth are those of the power spectrum, because triangular bands keep its first moment.
Rolloff is as fine as a band; flatness, contrast and MFCC are mel-domain by nature: each band counts alike, so that low
frequencies weigh more than in figures taken on a linear axis. Bands are floored 70 dB under the recording's loudest, so
that the noise of a quiet place says nothing, a gain changes only the level, and silence has figures: those of
bands of even level.
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.fft

from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.spectra import HIGHEST_HZ, LOWEST_HZ, N_BANDS
from rl_editor.arrays import Array, DoubleArray

DESCRIPTORS = ("centroid", "bandwidth", "rolloff", "flatness", *["contrast"] * 7, *["mfcc"] * 13, "level")
"""Group of each column: Hz for the first three, dB for all others."""

_DYNAMIC_RANGE_DB = 70.0
_ROLLOFF = 0.85
_OCTAVES_HZ = (200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)
_CONTRAST_SHARE = 0.2
_N_MFCC = 13
_HANN_POWER = 3.0  # sum of mel bands over mean square: 3 for a Hann window whose sines have their amplitude as height
_BLOCK = 4096


class _Bands(NamedTuple):
    """What the mel bands stand for."""

    centres_hz: Array
    widths_hz: Array
    octaves: tuple[slice, ...]
    """Bands of each octave of the contrast."""


def beat_descriptors(mel: Array, bounds_s: DoubleArray, frame_rate: float) -> Array:
    """Means over each beat of its frames' descriptors, float32 (B, 25), columns as in `DESCRIPTORS`.

    Args:
        mel: power in mel bands, (T, 80), T at least 1.
        bounds_s: (B+1,) seconds.
        frame_rate: mel frames a second.
    """
    return span_means(frame_descriptors(mel), bounds_s * frame_rate)


def frame_descriptors(mel: Array) -> Array:
    """Descriptors of each frame, float32 (T, 25), columns as in `DESCRIPTORS`.

    Level is that of a full-scale sine's RMS at -3 dB, as in dBFS of RMS.

    Args:
        mel: power in mel bands, (T, 80), from `rl_editor.analysis.spectra`.
    Source: centroid, bandwidth, rolloff, flatness: Peeters, A large set of audio features, 2004, on power; contrast:
        Jiang et al., ICME 2002 (a fifth of the bands as peak and as valley, octaves from 200 Hz); MFCC: orthonormal
        DCT-II of dB.
    """
    floor = max(float(mel.max(initial=0.0)) * 10.0 ** (-_DYNAMIC_RANGE_DB / 10.0), 1e-12)
    output = np.empty((len(mel), len(DESCRIPTORS)), dtype=np.float32)
    for at in range(0, len(mel), _BLOCK):
        power = np.maximum(mel[at : at + _BLOCK], np.float32(floor))
        output[at : at + _BLOCK] = np.concatenate(
            [_shape(power), _contrast(power), _mfcc(power), _level(power)], axis=1
        )
    return output


def _shape(power: Array) -> Array:
    """Centroid, bandwidth and rolloff in Hz, flatness in dB, (T, 4)."""
    bands = _bands()
    total = power.sum(axis=1)
    centroid = power @ bands.centres_hz / total
    spread = np.square(bands.centres_hz[None] - centroid[:, None])
    bandwidth = np.sqrt((power * spread).sum(axis=1) / total)
    below = np.cumsum(power, axis=1)
    rolloff = bands.centres_hz[(below < _ROLLOFF * total[:, None]).sum(axis=1)]
    density = power / bands.widths_hz
    flatness = _db(density).mean(axis=1) - _db(density.mean(axis=1))
    return np.stack([centroid, bandwidth, rolloff, flatness], axis=1)


def _contrast(power: Array) -> Array:
    """How far peaks stand over valleys in each octave, dB, (T, 7)."""
    bands = _bands()
    level = _db(power / bands.widths_hz)
    columns = []
    for octave in bands.octaves:
        ranked = np.sort(level[:, octave], axis=1)
        few = max(round(_CONTRAST_SHARE * ranked.shape[1]), 1)
        columns.append(ranked[:, -few:].mean(axis=1) - ranked[:, :few].mean(axis=1))
    return np.stack(columns, axis=1)


def _mfcc(power: Array) -> Array:
    return scipy.fft.dct(_db(power), axis=1, norm="ortho")[:, :_N_MFCC]


def _level(power: Array) -> Array:
    return _db(power.sum(axis=1, keepdims=True) / _HANN_POWER)


def _db(power: Array) -> Array:
    return np.float32(10.0) * np.log10(power)


@lru_cache(maxsize=1)
def _bands() -> _Bands:
    from librosa import mel_frequencies

    edges = mel_frequencies(N_BANDS + 2, fmin=LOWEST_HZ, fmax=HIGHEST_HZ)
    centres = edges[1:-1].astype(np.float32)
    splits = [0, *np.searchsorted(centres, _OCTAVES_HZ), N_BANDS]
    octaves = tuple(slice(low, high) for low, high in pairwise(splits))
    return _Bands(centres, ((edges[2:] - edges[:-2]) / 2.0).astype(np.float32), octaves)
