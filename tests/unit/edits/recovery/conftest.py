"""Small made-up music that never repeats."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal

RATE = 22050


def tune(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    """Notes and hits of 0.15 to 0.4 s, each of its own pitch, colour and side, float32 (2, n)."""
    rng = np.random.default_rng(seed)
    sound = 1e-4 * rng.standard_normal((2, round(seconds * rate)))
    at = 0
    while at < sound.shape[1]:
        n = round(rng.uniform(0.15, 0.4) * rate)
        t = np.arange(n) / rate
        hz = 110 * 2 ** (rng.integers(0, 48) / 12)
        note = sum(np.sin(2 * np.pi * hz * k * t + rng.uniform(0, 6)) / k for k in range(1, 6)) * np.exp(-4 * t)
        hit = scipy.signal.lfilter([1, rng.uniform(-0.9, 0.9)], [1], rng.standard_normal(n)) * np.exp(-40 * t)
        side = rng.uniform(0.3, 0.7, (2, 1))
        piece = sound[:, at : at + n]
        piece += (side * (0.2 * note + 0.1 * hit))[:, : piece.shape[1]]
        at += n
    return sound.astype(np.float32)


@pytest.fixture(scope="session")
def make_tune() -> Callable[..., np.ndarray]:
    """`tune`."""
    return tune
