"""The meter on the synthetic signals of EBU Tech 3341 and 3342, against pyloudnorm, and under the laws of loudness."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.arrays import Array
from rl_editor.audio.loudness import (
    integrated_lufs,
    loudness_range_lu,
    measure_loudness,
    momentary_lufs,
    short_term_lufs,
    true_peak_db,
    weighted_power,
)
from rl_editor.errors import AudioError

RATE = 48000
SILENT = -np.inf


def tone(parts: Sequence[tuple[float, float]], rate: int = RATE, channels: int = 2) -> Array:
    """A 1 kHz sine in all channels, through parts of (seconds, peak dBFS)."""
    level = np.concatenate([np.full(round(s * rate), 10.0 ** (db / 20.0)) for s, db in parts])
    sound = level * np.sin(2.0 * np.pi * 1000.0 * np.arange(len(level)) / rate)
    return np.tile(sound.astype(np.float32), (channels, 1))


def noise(rate: int, seconds: float, channels: int = 2, seed: int = 0) -> Array:
    """Noise whose level wanders over about 12 dB."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    level = 0.1 * 10.0 ** (0.3 * np.sin(2 * np.pi * np.arange(n) / rate / 7.0))
    return (level * rng.standard_normal((channels, n))).astype(np.float32)


INTEGRATED = {
    "1": ([(20, -23)], -23.0),
    "2": ([(20, -33)], -33.0),
    "3": ([(10, -36), (60, -23), (10, -36)], -23.0),
    "4": ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23.0),
    "5": ([(20, -26), (20.1, -20), (20, -26)], -23.0),
}


@pytest.mark.parametrize("rate", [44100, 48000, 96000])
@pytest.mark.parametrize("case", INTEGRATED)
def test_integrated_loudness_of_tech_3341(case: str, rate: int) -> None:
    parts, expected = INTEGRATED[case]
    assert integrated_lufs(weighted_power(tone(parts, rate), rate)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_a_steady_tone_is_as_loud_in_every_window(level: float) -> None:
    figures = measure_loudness(tone([(20, level)]), RATE)
    assert figures.momentary_max_lufs == pytest.approx(level, abs=0.1)
    assert figures.short_term_max_lufs == pytest.approx(level, abs=0.1)
    assert figures.range_lu == pytest.approx(0.0, abs=0.05)
    assert figures.true_peak_db == pytest.approx(level, abs=0.05)


@pytest.mark.parametrize("low_frequency", [False, True])
def test_surround_channels_count_more_and_the_low_frequency_channel_nothing(low_frequency: bool) -> None:
    levels = [-28.0, -28.0, -24.0, *([0.0] if low_frequency else []), -30.0, -30.0]
    gains = 10.0 ** (np.array(levels, dtype=np.float32)[:, None] / 20.0)
    sound = tone([(20, 0.0)], channels=len(levels)) * gains
    assert integrated_lufs(weighted_power(sound, RATE)) == pytest.approx(-23.0, abs=0.1)


def test_short_term_loudness_is_constant_in_case_9() -> None:
    curve = short_term_lufs(weighted_power(tone([(1.34, -20), (1.66, -30)] * 5), RATE))
    np.testing.assert_allclose(curve, -23.0, atol=0.1)


def test_momentary_loudness_is_constant_in_case_12() -> None:
    curve = momentary_lufs(weighted_power(tone([(0.18, -20), (0.22, -30)] * 25), RATE))
    np.testing.assert_allclose(curve[60:], -23.0, atol=0.1)


@pytest.mark.parametrize("i", range(20))
def test_maxima_do_not_depend_on_when_a_sound_starts(i: int) -> None:
    def short(parts: list[tuple[float, float]]) -> float:
        return float(short_term_lufs(weighted_power(tone(parts), RATE)).max())

    def momentary(parts: list[tuple[float, float]]) -> float:
        return float(momentary_lufs(weighted_power(tone(parts), RATE)).max())

    assert short([(0.15 * i, SILENT), (3, -23), (1, SILENT)]) == pytest.approx(-23.0, abs=0.1)
    assert short([(0.15 * i, SILENT), (3, -38 + i), (3 - 0.15 * i, SILENT)]) == pytest.approx(-38.0 + i, abs=0.1)
    assert momentary([(0.02 * i, SILENT), (0.4, -23), (1, SILENT)]) == pytest.approx(-23.0, abs=0.1)
    assert momentary([(0.02 * i, SILENT), (0.4, -38 + i), (0.4 - 0.02 * i, SILENT)]) == pytest.approx(-38 + i, abs=0.1)


@pytest.mark.parametrize(
    ("divisor", "phase", "amplitude", "expected"),
    [(4, 0.0, 0.5, -6.0), (4, 45.0, 0.5, -6.0), (6, 60.0, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45.0, 1.41, 3.0)],
    ids=["15", "16", "17", "18", "19"],
)
def test_true_peak_of_tech_3341(divisor: int, phase: float, amplitude: float, expected: float) -> None:
    n = np.arange(RATE)
    fade = np.clip(np.minimum(n, RATE - 1 - n) / (0.01 * RATE), 0.0, 1.0)
    sound = amplitude * fade * np.sin(2.0 * np.pi * n / divisor + np.deg2rad(phase))
    assert -0.4 <= true_peak_db(sound[None].astype(np.float32)) - expected <= 0.2


@pytest.mark.parametrize("n", [10, 32768, 32769, 32790, 100_000])
def test_true_peak_is_that_of_the_reconstructed_wave(n: int) -> None:
    spectrum = np.fft.rfft(np.random.default_rng(n).standard_normal((2, n)), axis=1)
    spectrum[:, round(0.4 * n) :] = 0.0
    periods = np.tile(np.fft.irfft(spectrum, n, axis=1), 2 if n > 100 else 20)
    sound = np.roll(periods, n // 3, axis=1)
    length = sound.shape[1]
    fade = np.clip(np.minimum(np.arange(length), length - 1 - np.arange(length)) / 50.0, 0.0, 1.0)
    padded = np.pad(sound * fade, ((0, 0), (100, 100)))
    wave = np.fft.irfft(np.fft.rfft(padded, axis=1), 4 * padded.shape[1], axis=1) * 4
    expected = 20.0 * np.log10(np.abs(wave).max())
    assert true_peak_db((sound * fade).astype(np.float32)) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((-20, -30), 10.0), ((-20, -15), 5.0), ((-40, -20), 20.0), ((-50, -35, -20, -35, -50), 15.0)],
)
def test_loudness_range_of_tech_3342(levels: tuple[int, ...], expected: float) -> None:
    sound = tone([(20, level) for level in levels])
    assert loudness_range_lu(weighted_power(sound, RATE)) == pytest.approx(expected, abs=0.2)


def test_calibration_of_one_channel() -> None:
    n = np.arange(5 * RATE)
    sound = np.sin(2 * np.pi * 997.0 * n / RATE)[None].astype(np.float32)
    assert integrated_lufs(weighted_power(sound, RATE)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(("rate", "channels"), [(22050, 1), (44100, 2), (48000, 5), (96000, 2)])
def test_another_meter_says_the_same(rate: int, channels: int) -> None:
    pyloudnorm = pytest.importorskip("pyloudnorm")
    sound = noise(rate, 10.0, channels)
    own = integrated_lufs(weighted_power(sound, rate))
    assert own is not None
    # its other filter class is the standard's; its default, an approximation, reads 0.04 dB low, 0.09 at low rates
    other = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(sound.T.astype(np.float64))
    assert own == pytest.approx(other, abs=0.005)
    default = pyloudnorm.Meter(rate).integrated_loudness(sound.T.astype(np.float64))
    assert 0.0 < own - default < 0.1


@settings(max_examples=12, deadline=None)
@given(st.floats(-30.0, 20.0), st.sampled_from([8000, 11025, 22050]), st.integers(0, 100))
def test_a_gain_moves_every_level_by_as_much(gain_db: float, rate: int, seed: int) -> None:
    sound = noise(rate, 4.0, seed=seed)
    plain = measure_loudness(sound, rate)
    louder = measure_loudness(sound * np.float32(10.0 ** (gain_db / 20.0)), rate)
    for name in ("integrated_lufs", "momentary_max_lufs", "short_term_max_lufs", "true_peak_db"):
        assert getattr(louder, name) == pytest.approx(getattr(plain, name) + gain_db, abs=1e-3), name
    assert louder.range_lu == pytest.approx(plain.range_lu, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 40_000), st.integers(1, 6))
def test_silence_is_infinitely_quiet_and_short_sound_has_no_figure(n: int, channels: int) -> None:
    figures = measure_loudness(np.zeros((channels, n), dtype=np.float32), 8000)
    assert figures.integrated_lufs == (None if n < 3200 else -np.inf)
    assert figures.momentary_max_lufs == (None if n < 3200 else -np.inf)
    assert figures.short_term_max_lufs == (None if n < 24_000 else -np.inf)
    assert figures.range_lu is None
    assert figures.true_peak_db == -np.inf


def test_silence_after_sound_is_silence() -> None:
    curve = momentary_lufs(weighted_power(tone([(1, 0), (10, SILENT)], 8000), 8000))
    assert curve[0] > -5.0
    assert curve[-1] == -np.inf


def test_length_in_blocks_changes_nothing() -> None:
    sound = noise(8000, 25.0)
    whole = weighted_power(sound, 8000)
    start = weighted_power(sound[:, : 8000 * 9], 8000)
    np.testing.assert_array_equal(whole[:900], start)


def test_a_step_is_ten_milliseconds_at_any_rate() -> None:
    for rate in (11025, 22050, 44056):
        power = weighted_power(tone([(1, SILENT), (1, -20), (1, SILENT)], rate), rate)
        assert len(power) == 300, rate
        assert power[:100].max() < 1e-12, rate
        assert power[102:199].min() > 1e-3, rate


def test_sound_that_cannot_be_measured_is_refused() -> None:
    broken = np.zeros((1, 48000), dtype=np.float32)
    broken[0, 100] = np.nan
    with pytest.raises(AudioError, match="not numbers"):
        weighted_power(broken, RATE)
    with pytest.raises(AudioError, match="not numbers"):
        true_peak_db(broken)
    with pytest.raises(AudioError, match="1 to 6 channels"):
        weighted_power(np.zeros((7, 48000), dtype=np.float32), RATE)
    with pytest.raises(AudioError, match="4000 Hz"):
        weighted_power(np.zeros((1, 48000), dtype=np.float32), 2000)
