import numpy as np
import pytest

from rl_editor.analysis.alignment import align

RATE = 22050


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return np.convolve(white, np.ones(8) / 8, mode="same").astype(np.float32)


@pytest.mark.parametrize("lag_ms", [-11.0, -3.3, 0.0, 0.5, 7.7, 11.5, 25.0, -28.0])
def test_a_repeat_is_found_to_the_sample(lag_ms: float) -> None:
    sound = noise(4.0)
    shift = round(lag_ms / 1e3 * RATE)
    sound[2 * RATE + shift : 4 * RATE] = sound[: 2 * RATE - shift]
    lag_s, r = align(sound, RATE, np.array([1.0]), np.array([3.0]))
    assert abs(lag_s[0] * RATE - shift) < 1.0
    assert r[0] > 0.95


def test_what_does_not_fit_stays_where_it_is() -> None:
    sound = noise(10.0)
    lag_s, r = align(sound, RATE, np.linspace(1, 4, 20), np.linspace(6, 9, 20))
    assert (np.abs(r) < 0.2).all()
    assert (lag_s == 0).all()


def test_the_end_of_the_recording_is_compared_by_what_led_there() -> None:
    sound = noise(3.0)
    sound[-RATE:] = sound[:RATE]
    end_s = len(sound) / RATE
    lag_s, r = align(sound, RATE, np.array([end_s]), np.array([1.002]))
    np.testing.assert_allclose(lag_s, -0.002, atol=1e-4)
    assert r[0] > 0.95


def test_many_pairs_equal_single_ones() -> None:
    sound = noise(6.0)
    sound[3 * RATE :] = sound[: 3 * RATE]
    here, there = np.linspace(0.2, 2.8, 30), np.linspace(3.2, 5.8, 30) + 0.004
    lags, r = align(sound, RATE, here, there)
    for k in range(0, 30, 7):
        lag, own = align(sound, RATE, here[k : k + 1], there[k : k + 1])
        np.testing.assert_allclose([lag[0], own[0]], [lags[k], r[k]], atol=1e-4)
