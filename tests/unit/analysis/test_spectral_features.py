import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from rl_editor.analysis.spectra import RATE, listen
from rl_editor.analysis.spectral_features import DESCRIPTORS, beat_descriptors, frame_descriptors
from rl_editor.arrays import Array


def mel_of(sound: np.ndarray) -> Array:
    return listen(sound[None].astype(np.float32), RATE).mel


def tone(hz: float, seconds: float = 2.0, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def noise(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def middle(mel: Array, group: str) -> np.ndarray:
    """Mean of a group's columns, edges left out, where the window hears the start and the end."""
    return frame_descriptors(mel)[10:-10, np.array(DESCRIPTORS) == group].mean(axis=0)


def slow_frames(sound: np.ndarray, places: range) -> np.ndarray:
    """Hann-windowed power spectra of 1024 samples around mel frames, one by one."""
    padded = np.pad(sound, 512)
    window = np.hanning(1025)[:-1]
    return np.array([np.abs(np.fft.rfft(padded[220 * t : 220 * t + 1024] * window)) ** 2 for t in places])


@pytest.fixture(scope="module")
def coloured() -> np.ndarray:
    sound = sosfilt(butter(2, [300, 2500], "bandpass", fs=RATE, output="sos"), noise())
    return sound + tone(880, amplitude=0.05)


def test_centroid_and_bandwidth_are_those_of_the_power_spectrum(coloured: np.ndarray) -> None:
    places = range(20, 180)
    power = slow_frames(coloured, places)
    hz = np.fft.rfftfreq(1024, 1 / RATE)
    centroid = power @ hz / power.sum(axis=1)
    bandwidth = np.sqrt((power * (hz - centroid[:, None]) ** 2).sum(axis=1) / power.sum(axis=1))
    ours = frame_descriptors(mel_of(coloured))[20:180]
    np.testing.assert_allclose(ours[:, 0], centroid, rtol=0.01)
    np.testing.assert_allclose(ours[:, 1], bandwidth, rtol=0.03)


def test_rolloff_is_the_power_spectrums_within_a_band(coloured: np.ndarray) -> None:
    power = slow_frames(coloured, range(20, 180))
    share = np.cumsum(power, axis=1) / power.sum(axis=1, keepdims=True)
    rolloff = np.fft.rfftfreq(1024, 1 / RATE)[(share < 0.85).sum(axis=1)]
    ours = frame_descriptors(mel_of(coloured))[20:180, 2]
    assert np.abs(ours - rolloff).max() < 120.0


def test_level_is_rms_in_dbfs(coloured: np.ndarray) -> None:
    for sound in (tone(1000.0), noise() * 0.3, coloured):
        rms_db = 20 * np.log10(np.sqrt(np.mean(sound[RATE // 2 : -RATE // 2] ** 2)))
        assert middle(mel_of(sound), "level")[0] == pytest.approx(rms_db, abs=0.5)


def test_mfcc_are_the_cosine_transform_of_the_level_of_bands(coloured: np.ndarray) -> None:
    mel = mel_of(coloured)[50].astype(np.float64)
    level = 10 * np.log10(mel)
    n = np.arange(80)
    slow = [np.sqrt((1 if k == 0 else 2) / 80) * (level * np.cos(np.pi * k * (n + 0.5) / 80)).sum() for k in range(13)]
    ours = frame_descriptors(mel_of(coloured))[50, np.array(DESCRIPTORS) == "mfcc"]
    np.testing.assert_allclose(ours, slow, atol=0.02)


@pytest.mark.parametrize("hz", [110.0, 440.0, 1500.0, 5000.0])
def test_a_tone_is_narrow_peaky_and_where_it_is(hz: float) -> None:
    mel = mel_of(tone(hz))
    assert middle(mel, "centroid")[0] == pytest.approx(hz, rel=0.03)
    assert middle(mel, "bandwidth")[0] < 60.0 + 0.03 * hz
    assert middle(mel, "flatness")[0] < -25.0
    octave = np.searchsorted([200, 400, 800, 1600, 3200, 6400], hz)
    contrast = middle(mel, "contrast")
    assert contrast.argmax() == octave
    assert contrast[octave] > 20.0


def test_white_noise_is_flat() -> None:
    mel = mel_of(noise())
    assert middle(mel, "flatness")[0] > -3.0
    assert middle(mel, "contrast").max() < 12.0
    assert middle(mel, "centroid")[0] == pytest.approx(10500 / 2, rel=0.05)
    assert middle(mel, "rolloff")[0] == pytest.approx(0.85 * 10500, rel=0.06)


def test_silence_has_figures_of_even_bands() -> None:
    for mel in (np.zeros((50, 80), dtype=np.float32), mel_of(np.concatenate([noise(), np.zeros(2 * RATE)]))):
        figures = frame_descriptors(mel)
        assert np.isfinite(figures).all()
        assert figures[-10:, np.array(DESCRIPTORS) == "contrast"].max() < 10.0
        assert figures[-10:, 3].min() > -6.0


def test_a_gain_changes_the_level_only(coloured: np.ndarray) -> None:
    plain, louder = frame_descriptors(mel_of(coloured)), frame_descriptors(mel_of(4.0 * coloured))
    gain_db = 20 * np.log10(4.0)
    np.testing.assert_allclose(louder[:, :11], plain[:, :11], rtol=1e-3, atol=0.01)
    np.testing.assert_allclose(louder[:, 12:24], plain[:, 12:24], atol=0.01)
    np.testing.assert_allclose(louder[:, 24] - plain[:, 24], gain_db, atol=0.01)


def test_a_beat_is_the_mean_of_its_frames_and_blocks_leave_no_trace() -> None:
    mel = np.random.default_rng(0).random((9000, 80), dtype=np.float32)
    bounds_s = np.array([0.0, 30.0, 41.5, 90.0])
    beats = beat_descriptors(mel, bounds_s, 100.0)
    assert beats.shape == (3, len(DESCRIPTORS))
    frames = frame_descriptors(mel)
    np.testing.assert_allclose(beats[1], frames[3000:4150].mean(axis=0), rtol=1e-3)
    np.testing.assert_allclose(frame_descriptors(mel[4000:4200]), frames[4000:4200], rtol=1e-4, atol=1e-3)
