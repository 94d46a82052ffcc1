"""Fine position of landings: the lag at which two places of a recording fit best, by cross-correlation."""

import numpy as np
import scipy.fft
import soxr

from rl_editor.arrays import Array, DoubleArray, IntArray

_RATE = 11025  # Hz; the correlation peak is interpolated to a fraction of its samples
_REACH_S = 0.100
_NEAR_S, _FAR_S = 0.012, 0.030
_TRY_FARTHER_BELOW = 0.3
_NOISE_BELOW = 0.2
_BLOCK = 2048


def align(mono: Array, rate: int, here_s: DoubleArray, there_s: DoubleArray) -> tuple[Array, Array]:
    """Lag in seconds to add to each place `there`, and the correlation after it.

    The sound within 100 ms of `here` is compared with that around `there`, up to 12 ms apart, up to 30 ms where
    nothing fits nearer. A peak under 0.2 is noise: the lag is then 0.

    Args:
        mono: (n,) at `rate` Hz.
        rate: Hz.
        here_s: seconds, (N,).
        there_s: seconds, (N,).
    Returns:
        lag in seconds and correlation in [-1, 1], float32 (N,).
    """
    sound = soxr.resample(mono, rate, _RATE, quality="HQ") if rate != _RATE else mono
    # at the recording's ends nothing is heard on one side: both windows move, to compare what there is
    inward_s = np.clip(here_s, _REACH_S, max(len(sound) / _RATE - _REACH_S, _REACH_S)) - here_s
    here_s, there_s = here_s + inward_s, np.maximum(there_s + inward_s, 0.0)
    reach, far = round(_REACH_S * _RATE), round(_FAR_S * _RATE)
    padded = np.pad(sound, reach + far)
    templates, template_of = _windows(padded, here_s, far, 2 * reach)
    surroundings, surrounding_of = _windows(padded, there_s, 0, 2 * (reach + far))
    lag_s = np.empty(len(here_s), dtype=np.float32)
    r = np.empty(len(here_s), dtype=np.float32)
    n_fft = scipy.fft.next_fast_len(surroundings.shape[1], real=True)
    # every place is heard once, however many landings share it
    spectra = scipy.fft.rfft(surroundings, n_fft, axis=1, workers=2)
    energy = _sliding_energy(surroundings, 2 * reach)
    for at in range(0, len(here_s), _BLOCK):
        block = slice(at, at + _BLOCK)
        used, own = np.unique(template_of[block], return_inverse=True)
        spectrum = scipy.fft.rfft(templates[used], n_fft, axis=1, workers=2)
        product = spectra[surrounding_of[block]] * spectrum[own].conj()
        raw = scipy.fft.irfft(product, n_fft, axis=1, workers=2)[:, : 2 * far + 1]
        own_energy = np.square(templates[used]).sum(axis=1)[own]
        scale = np.sqrt(np.maximum(own_energy[:, None] * energy[surrounding_of[block]], 1e-12))
        lag_s[block], r[block] = _best(raw / scale, far)
    return lag_s, r


def _windows(padded: Array, centres_s: DoubleArray, inset: int, width: int) -> tuple[Array, IntArray]:
    """Windows of the padded sound around distinct centres, (U, width), and each centre's row, (N,)."""
    centres, row = np.unique(np.round(centres_s * _RATE).astype(np.int64), return_inverse=True)
    view = np.lib.stride_tricks.sliding_window_view(padded, width)
    return view[np.clip(centres + inset, 0, len(view) - 1)], row


def _sliding_energy(windows: Array, width: int) -> Array:
    sums = np.cumsum(np.square(windows, dtype=np.float64), axis=1)
    sums = np.pad(sums, ((0, 0), (1, 0)))
    return (sums[:, width:] - sums[:, :-width]).astype(np.float32)


def _best(correlation: Array, far: int) -> tuple[Array, Array]:
    """Lag in seconds and height of the peak of each row (N, 2 far + 1), near the middle if anything fits there."""
    near = round(_NEAR_S * _RATE)
    rows = np.arange(len(correlation))
    peak = correlation[:, far - near : far + near + 1].argmax(axis=1) + far - near
    anywhere = correlation.argmax(axis=1)
    peak = np.where(correlation[rows, peak] < _TRY_FARTHER_BELOW, anywhere, peak)
    height = correlation[rows, peak]
    left = correlation[rows, np.maximum(peak - 1, 0)]
    right = correlation[rows, np.minimum(peak + 1, 2 * far)]
    curvature = left - 2.0 * height + right
    shift = np.where(curvature < -1e-9, 0.5 * (left - right) / np.minimum(curvature, -1e-9), 0.0)
    shift = np.clip(shift, -0.5, 0.5)
    height = height - 0.25 * (left - right) * shift
    lag_s = (peak - far + shift) / _RATE
    fits = height >= _NOISE_BELOW
    r = np.where(fits, height, correlation[:, far])
    return np.where(fits, lag_s, 0.0).astype(np.float32), np.clip(r, -1.0, 1.0).astype(np.float32)
