"""A drum kit as pure functions: each hit a sound of its own, as no two strokes are alike."""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from scipy.signal import butter, sosfilt

from rl_editor.arrays import Array, DoubleArray


class Drum(IntEnum):
    """The pieces of the kit."""

    KICK = 0
    SNARE = 1
    RIM = 2
    CLOSED_HAT = 3
    OPEN_HAT = 4
    RIDE = 5
    CRASH = 6
    LOW_TOM = 7
    MID_TOM = 8
    HIGH_TOM = 9
    SHAKER = 10


def strike(drum: Drum, sample_rate: int, rng: np.random.Generator) -> Array:
    """One stroke on a piece, float32 (n,), its attack at sample 0, its peak about 1."""
    sound = _STROKES[drum](sample_rate, rng)
    return (sound / np.max(np.abs(sound))).astype(np.float32)


def stick(sample_rate: int, rng: np.random.Generator) -> Array:
    """Two sticks hit together, as for a count-in; float32 (n,)."""
    n = round(0.09 * sample_rate)
    pitch = rng.uniform(1900.0, 2500.0) * np.array([1.0, 1.52, 2.31])
    wood = sum(
        np.sin(2 * np.pi * p * np.arange(n) / sample_rate) * _decay(n, 0.012 / k, sample_rate)
        for k, p in enumerate(pitch, start=1)
    )
    sound = wood + 0.5 * _noise(n, 1500.0, 7000.0, sample_rate, rng) * _decay(n, 0.006, sample_rate)
    return (sound / np.max(np.abs(sound))).astype(np.float32)


def _kick(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    n = round(0.42 * sample_rate)
    bottom, depth = rng.uniform(47.0, 50.0), rng.uniform(95.0, 120.0)
    pitch = bottom + depth * _decay(n, 0.022, sample_rate)
    body = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate) * _decay(n, 0.11, sample_rate)
    beater = _noise(n, 1200.0, 5000.0, sample_rate, rng) * _decay(n, 0.006, sample_rate)
    skin = _noise(n, 90.0, 500.0, sample_rate, rng) * _decay(n, 0.02, sample_rate)
    return np.tanh(1.6 * (body + 0.22 * beater + 0.25 * skin)) * _tail(n, sample_rate)


def _snare(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    n = round(0.34 * sample_rate)
    t = np.arange(n) / sample_rate
    low = rng.uniform(178.0, 186.0)
    shell = np.sin(2 * np.pi * low * t) + 0.6 * np.sin(2 * np.pi * 1.71 * low * t)
    wires = _noise(n, 700.0, 9000.0, sample_rate, rng) * _decay(n, 0.075, sample_rate)
    crack = _noise(n, 1000.0, 5000.0, sample_rate, rng) * _decay(n, 0.008, sample_rate)
    return np.tanh(0.8 * shell * _decay(n, 0.05, sample_rate) + 0.75 * wires + crack) * _tail(n, sample_rate)


def _rim(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    n = round(0.12 * sample_rate)
    t = np.arange(n) / sample_rate
    ring = np.sin(2 * np.pi * rng.uniform(800.0, 840.0) * t) + 0.7 * np.sin(2 * np.pi * 1710.0 * t)
    click = _noise(n, 1000.0, 7000.0, sample_rate, rng) * _decay(n, 0.005, sample_rate)
    return (ring * _decay(n, 0.015, sample_rate) + click) * _tail(n, sample_rate)


def _closed_hat(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    return _metal(0.14, rng.uniform(0.022, 0.034), 6000.0, sample_rate, rng)


def _open_hat(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    return _metal(0.45, rng.uniform(0.08, 0.11), 5500.0, sample_rate, rng)


def _ride(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    n = round(0.9 * sample_rate)
    t = np.arange(n) / sample_rate
    ping = sum(np.sin(2 * np.pi * p * t + rng.uniform(0, 6)) for p in (2850.0, 3920.0, 5260.0))
    wash = _metal(0.9, 0.3, 4500.0, sample_rate, rng)
    return ping * 0.25 * _decay(n, 0.09, sample_rate) + 0.7 * wash


def _crash(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    n = round(2.2 * sample_rate)
    low = _noise(n, 350.0, 2500.0, sample_rate, rng) * _decay(n, 0.25, sample_rate)
    high = _noise(n, 2500.0, 12000.0, sample_rate, rng) * _decay(n, rng.uniform(0.5, 0.6), sample_rate)
    bloom = 1.0 - 0.4 * _decay(n, 0.02, sample_rate)
    return (0.8 * low + high) * bloom * _tail(n, sample_rate)


def _tom(frequency_hz: float) -> Callable[[int, np.random.Generator], DoubleArray]:
    def tom(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
        n = round(0.5 * sample_rate)
        pitch = frequency_hz * (1.0 + 0.35 * _decay(n, 0.035, sample_rate)) * rng.uniform(0.99, 1.01)
        body = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate) * _decay(n, 0.14, sample_rate)
        skin = _noise(n, 300.0, 4000.0, sample_rate, rng) * _decay(n, 0.012, sample_rate)
        return np.tanh(1.3 * body + 0.5 * skin) * _tail(n, sample_rate)

    return tom


def _shaker(sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    n = round(0.11 * sample_rate)
    t = np.arange(n) / sample_rate
    swing = (1.0 - np.exp(-t / 0.008)) * np.exp(-np.clip(t - 0.02, 0.0, None) / 0.02)
    return _noise(n, 3500.0, 10000.0, sample_rate, rng) * swing * _tail(n, sample_rate)


def _metal(length_s: float, time_s: float, low_hz: float, sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    """Six clashing square waves and noise, high-passed: the classic cymbal."""
    n = round(length_s * sample_rate)
    t = np.arange(n) / sample_rate
    partials = 400.0 * np.array([1.0, 1.34, 1.48, 1.87, 2.13, 2.63]) * rng.uniform(0.98, 1.02)
    clash = np.sign(np.sin(2 * np.pi * partials[:, None] * t + rng.uniform(0, 6, (6, 1)))).sum(axis=0) / 3.0
    mixed = clash + rng.standard_normal(n)
    top = min(14000.0, 0.45 * sample_rate)
    filtered = sosfilt(butter(2, [low_hz, top], "bandpass", fs=sample_rate, output="sos"), mixed)
    return filtered * _decay(n, time_s, sample_rate) * _tail(n, sample_rate)


def _noise(n: int, low_hz: float, high_hz: float, sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    """Band-passed white noise, peak about 1."""
    band = butter(1, [low_hz, min(high_hz, 0.45 * sample_rate)], "bandpass", fs=sample_rate, output="sos")
    noise: DoubleArray = sosfilt(band, rng.standard_normal(n))
    return noise / (3.0 * noise.std())


def _decay(n: int, time_s: float, sample_rate: int) -> DoubleArray:
    return np.exp(-np.arange(n) / (time_s * sample_rate))


def _tail(n: int, sample_rate: int) -> DoubleArray:
    """1 everywhere but over the last 5 ms, where it falls to 0."""
    return np.clip((n - 1 - np.arange(n)) / (0.005 * sample_rate), 0.0, 1.0)


_STROKES: dict[Drum, Callable[[int, np.random.Generator], DoubleArray]] = {
    Drum.KICK: _kick,
    Drum.SNARE: _snare,
    Drum.RIM: _rim,
    Drum.CLOSED_HAT: _closed_hat,
    Drum.OPEN_HAT: _open_hat,
    Drum.RIDE: _ride,
    Drum.CRASH: _crash,
    Drum.LOW_TOM: _tom(82.0),
    Drum.MID_TOM: _tom(112.0),
    Drum.HIGH_TOM: _tom(150.0),
    Drum.SHAKER: _shaker,
}
