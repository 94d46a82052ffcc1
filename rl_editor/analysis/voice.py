"""Vocal activity: how surely somebody sings or talks within each beat, said with restraint.

Two things must come together: much of the sound is in the vocals stem, and partials move in parallel, as they do under
vibrato and glides and between the vowels of a line, more than elsewhere in the recording.

What it can't hear: a voice under a loud band, a choir, a steadily held note, a voice that sings from start to end
without a rest. What it mistakes for a voice: whatever plays as one sings, such as flute, violin, slide and lead guitar,
and quick melodies on a keyboard. On 12 sample songs that were not used to set it, a beat with voice has more of it than
one without in 84 % of pairs; at 0.5 it finds 36 of 100 sung beats and is wrong on 4 of 100 others. On 18 instrumental
pieces of other music it is wrong on 22 of 100, mostly where something plays a tune. Fit to keep joins out of phrases,
not to say whether anybody sings.
"""

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.spectra import RATE, Spectra
from rl_editor.analysis.stems import STEMS
from rl_editor.arrays import Array, DoubleArray

_N_FFT, _HOP = 2048, 512
_LOWEST_HZ, _OCTAVES, _STEPS = 500.0, 3, 48  # log frequency: 25 cents a step
_APART = 3  # frames compared, 70 ms: half a cycle of vibrato is 90 ms
_LEAST_SHIFT, _LARGEST_SHIFT = 2, 6  # steps, a quarter tone to a minor third
_SMOOTH = 13  # steps, a third of an octave, over which a partial must stand out
_BEATS = 4  # a phrase is longer than a note
_NO_SHARE_DB, _FULL_SHARE_DB = -16.0, -8.0
_FULL_RISE = 0.08
_VOICE_BANDS = slice(5, 55)  # mel bands 250 to 4,000 Hz
_BLOCK = 4096


def voice_activity(spectra: Spectra, stem_mels: Array, bounds_s: DoubleArray) -> Array:
    """Vocal activity, (B,) in [0, 1]: the lesser of the share and the movement of what might be a voice.

    Args:
        spectra: of the mix.
        stem_mels: power in mel bands of stems, (4, T, 80).
        bounds_s: (B+1,) seconds.
    Source: the movement after Regnier and Peeters, ICASSP 2009 (singing voice by vibrato of its partials).
    """
    vocals = stem_mels[STEMS.index("vocals"), :, _VOICE_BANDS].sum(axis=1)
    energies = np.stack([vocals, spectra.mel.sum(axis=1)], axis=1)
    sung, whole = span_means(energies, bounds_s * spectra.frame_rate).T
    share_db = 10.0 * np.log10((sung + 1e-12) / (whole + 1e-9) + 1e-4)
    moved = span_means(partial_movement(spectra.mono)[:, None], bounds_s * (RATE / _HOP))[:, 0]
    share_db, moved = uniform_filter1d(share_db, _BEATS), uniform_filter1d(moved, _BEATS)
    share = (share_db - _NO_SHARE_DB) / (_FULL_SHARE_DB - _NO_SHARE_DB)
    rise = (moved - np.percentile(moved, 20)) / _FULL_RISE
    return np.clip(np.minimum(share, rise), 0.0, 1.0).astype(np.float32)


def partial_movement(mono: Array) -> Array:
    """How well the partials of each frame fit those 70 ms later, moved up or down together, float32 (t,) in [0, 1].

    The best correlation of whitened spectra on a logarithmic axis, 500 to 4,000 Hz, over shifts of a quarter tone to a
    minor third. 43 frames a second.

    Args:
        mono: (n,) at `RATE`.
    """
    padded = np.pad(mono, (_N_FFT // 2, _N_FFT))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    window = (np.hanning(_N_FFT + 1)[:-1] / (_N_FFT / 4)).astype(np.float32)
    floor = 1e-3 * max(float(np.abs(mono).max(initial=0.0)), 1e-6)
    moved = np.zeros(len(frames), dtype=np.float32)
    for at in range(0, len(frames) - _APART, _BLOCK):
        magnitude = np.abs(scipy.fft.rfft(frames[at : at + _BLOCK + _APART] * window, axis=1))
        partials = _partials(magnitude, floor)
        moved[at : at + len(partials) - _APART] = _best_shift(partials[:-_APART], partials[_APART:])
    return moved


def _partials(magnitude: Array, floor: float) -> Array:
    """How far each step of log frequency stands over its surroundings, (t, steps), in nepers."""
    hz = _LOWEST_HZ * 2.0 ** (np.arange(_OCTAVES * _STEPS) / _STEPS)
    place = hz * _N_FFT / RATE
    below = place.astype(np.int64)
    weight = (place - below).astype(np.float32)
    level = np.log(magnitude + np.float32(floor))
    level = level[:, below] * (1.0 - weight) + level[:, below + 1] * weight
    return np.maximum(level - uniform_filter1d(level, _SMOOTH, axis=1), 0.0)


def _best_shift(now: Array, later: Array) -> Array:
    """Largest correlation of rows under a shift that a voice may make, (t,)."""
    best = np.zeros(len(now), dtype=np.float32)
    for shift in range(_LEAST_SHIFT, _LARGEST_SHIFT + 1):
        for lower, upper in ((now, later), (later, now)):
            a, b = lower[:, :-shift], upper[:, shift:]
            product = np.einsum("ts,ts->t", a, b)
            energy = np.einsum("ts,ts->t", a, a) * np.einsum("ts,ts->t", b, b)
            best = np.maximum(best, product / np.sqrt(energy + 1.0))
    return best
