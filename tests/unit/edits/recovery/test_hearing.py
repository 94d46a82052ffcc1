from collections.abc import Callable

import numpy as np
import pytest

from rl_editor.edits.recovery.hearing import RATE, excerpt, hear, interpolator, timbre


def test_both_rates_and_channel_numbers_give_sound_of_one_rate(make_tune: Callable[..., np.ndarray]) -> None:
    sound = make_tune(2.0, 0, 44100)
    assert hear(sound, 44100, channels=2).shape == (2, 2 * RATE)
    assert hear(sound, 44100, channels=1).shape == (1, 2 * RATE)


def test_an_excerpt_between_samples_is_the_sound_moved(make_tune: Callable[..., np.ndarray]) -> None:
    t = np.arange(2000) / RATE
    sound = np.sin(2 * np.pi * 1234.5 * t)[None].astype(np.float32)
    moved = np.sin(2 * np.pi * 1234.5 * (np.arange(500) + 700.37) / RATE)
    np.testing.assert_allclose(excerpt(sound, 700.37, 500)[0], moved, atol=2e-3)


@pytest.mark.parametrize("start", [-60, -20.5, 90, 95.5, 200])
def test_outside_the_sound_is_silence(start: float) -> None:
    piece = excerpt(np.ones((2, 100), np.float32), start, 50)
    assert piece.shape == (2, 50)
    outside = (np.arange(50) + start < -40) | (np.arange(50) + start > 140)
    np.testing.assert_allclose(piece[:, outside], 0.0, atol=1e-6)


def test_interpolation_at_a_sample_is_that_sample() -> None:
    weights = interpolator(np.array([0.0]))[0]
    assert weights[31] == 1.0
    np.testing.assert_allclose(np.delete(weights, 31), 0.0, atol=1e-12)


def test_neither_level_nor_polarity_nor_eq_changes_timbre_much(make_tune: Callable[..., np.ndarray]) -> None:
    sound = hear(make_tune(6.0, 1), 22050, channels=2)
    plain = timbre(sound, 256)
    np.testing.assert_allclose(timbre(-0.1 * sound, 256), plain, atol=1e-4)
    brighter = sound.copy()
    brighter[:, 1:] -= 0.5 * sound[:, :-1]
    assert np.median((timbre(brighter, 256) * plain).sum(axis=1)) > 0.95


def test_silence_has_a_timbre() -> None:
    assert np.isfinite(timbre(np.zeros((1, 5000), np.float32), 256)).all()
