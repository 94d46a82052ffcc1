"""Short-time spectra of a recording, made once and shared by everything that listens.

Two resolutions: mel bands at 100 frames/s with a 46 ms window (level, timbre, onsets) and chroma at 25 frames/s with
a 186 ms window (harmony). Frame t is centred on sample t * hop of the mono sound at `RATE`.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import soxr

from rl_editor.arrays import Array

RATE = 22050
"""Hz of the sound that is listened to."""
HOP = 220
"""Samples at RATE between mel frames."""
N_BANDS = 80
"""Mel bands, from `LOWEST_HZ` to `HIGHEST_HZ`."""
LOWEST_HZ, HIGHEST_HZ = 30.0, 10500.0
CHROMA_HOP = 4 * HOP
_N_FFT = 1024
_CHROMA_N_FFT = 4096
_BLOCK = 4096  # frames a block: 8 MB of spectra, whatever the length of the recording
_DYNAMIC_RANGE_DB = 70.0
_COMPRESSION = 1e4  # onsets rise from 40 dB under the loud frames; 1e3 to 1e5 gave the same beats on sample songs


@dataclass(frozen=True, eq=False)
class Spectra:
    """What analysis hears of a recording."""

    mel: Array
    """Power in mel bands, (T, 80), at RATE / HOP frames a second."""
    chroma: Array
    """Energy in pitch classes C..B of unit length, (T // 4, 12); zeros where silent."""
    mono: Array
    """Mean of the channels at RATE, (n,)."""

    @property
    def frame_rate(self) -> float:
        """Mel frames a second."""
        return RATE / HOP


def listen(audio: Array, sample_rate: int) -> Spectra:
    """Spectra of a recording, float32 (channels, samples) at `sample_rate` Hz."""
    mono = audio[0] if audio.shape[0] == 1 else audio.mean(axis=0, dtype=np.float32)
    if sample_rate != RATE:
        mono = soxr.resample(mono, sample_rate, RATE, quality="HQ")
    mono = np.ascontiguousarray(mono, dtype=np.float32)
    chroma = _filtered(mono, _CHROMA_N_FFT, CHROMA_HOP, _chroma_filters())
    norms = np.linalg.norm(chroma, axis=1, keepdims=True)
    silent = norms < 1e-4 * max(float(norms.max(initial=0.0)), 1e-6)
    chroma = np.where(silent, 0.0, chroma / np.maximum(norms, 1e-12)).astype(np.float32)
    return Spectra(mel=_filtered(mono, _N_FFT, HOP, _mel_filters()), chroma=chroma, mono=mono)


def log_mel(mel: Array, *, bands: int = 40) -> Array:
    """Level in dB of `bands` wider bands, (T, bands), floored 70 dB under the loudest so that noise says nothing."""
    pooled = mel.reshape(len(mel), bands, -1).sum(axis=2)
    level = 10.0 * np.log10(np.maximum(pooled, 1e-12))
    floor = level.max(initial=-120.0) - _DYNAMIC_RANGE_DB
    return np.maximum(level, floor).astype(np.float32)


def onset_bands(mel: Array) -> Array:
    """Onset strength in low, mid and high bands, (T, 3): rises of log-mel over 20 ms, against their surroundings.

    Louder or quieter recordings have the same onsets: power is taken relative to that of their loud frames.
    The earlier frame is widened by one band each side, so that vibrato is no onset.
    Source: spectral flux with maximum filter, Boeck and Widmer, DAFx-13 (SuperFlux).
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    loud = np.percentile(mel.sum(axis=1), 95) if len(mel) else 0.0
    level = np.log1p(mel * np.float32(_COMPRESSION / max(loud, 1e-12)))
    flux = np.zeros_like(level)
    flux[2:] = np.maximum(level[2:] - maximum_filter1d(level[:-2], 3, axis=1), 0.0)
    bands = np.stack([flux[:, :8].mean(1), flux[:, 8:40].mean(1), flux[:, 40:].mean(1)], axis=1)
    second = round(RATE / HOP)
    raised = np.maximum(bands - uniform_filter1d(bands, second, axis=0), 0.0)
    # the running sum of a filter may end a rounding error below zero
    local = np.sqrt(np.maximum(uniform_filter1d(raised**2, 10 * second, axis=0), 0.0))
    overall = np.sqrt((raised**2).mean(axis=0)) if len(raised) else np.zeros(3)
    return np.minimum(raised / (local + 0.15 * overall + 1e-9), 6.0).astype(np.float32)


def _filtered(mono: Array, n_fft: int, hop: int, filters: Array) -> Array:
    """Power spectra (frames, bins) times `filters` (bins, bands), by blocks of frames."""
    padded = np.pad(mono, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    output = np.empty((len(frames), filters.shape[1]), dtype=np.float32)
    for at in range(0, len(frames), _BLOCK):
        spectrum = scipy.fft.rfft(frames[at : at + _BLOCK] * window, axis=1, workers=2)
        power = spectrum.real**2 + spectrum.imag**2
        output[at : at + _BLOCK] = power @ filters
    return output


def _mel_filters() -> Array:
    from librosa.filters import mel

    bank = mel(sr=RATE, n_fft=_N_FFT, n_mels=N_BANDS, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, norm=None)
    return np.ascontiguousarray(bank.T / (_N_FFT / 4) ** 2, dtype=np.float32)


def _chroma_filters() -> Array:
    from librosa.filters import chroma

    bank = chroma(sr=RATE, n_fft=_CHROMA_N_FFT, tuning=0.0)
    return np.ascontiguousarray(bank.T / (_CHROMA_N_FFT / 4) ** 2, dtype=np.float32)
