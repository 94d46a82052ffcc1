import numpy as np
import pytest

from rl_editor.analysis.kick import kick_activity
from rl_editor.analysis.spectra import RATE, listen
from rl_editor.analysis.stems import stem_mels
from rl_editor.arrays import Array, IntArray
from rl_editor.audio.drums import Drum
from rl_editor.audio.sample_songs import make_song


def activity(sound: np.ndarray, bounds: IntArray) -> Array:
    spectra = listen(np.atleast_2d(sound).astype(np.float32), RATE)
    return kick_activity(stem_mels(spectra)[0], spectra.mel, bounds / RATE, spectra.frame_rate)


def stroke(sound: np.ndarray, at: int, hz: float, decay_s: float, gain: float) -> None:
    t = np.arange(min(round(0.3 * RATE), len(sound) - at)) / RATE
    sound[at : at + len(t)] += gain * np.exp(-t / decay_s) * np.sin(2 * np.pi * hz * t) * np.minimum(t / 0.003, 1.0)


@pytest.fixture
def pattern() -> tuple[np.ndarray, IntArray]:
    """Bass drum on even beats, a rim on all, a held chord; and the bounds, 15 ms before each beat."""
    beats = np.arange(1, 25) * RATE // 2
    t = np.arange(13 * RATE) / RATE
    sound = 0.05 * sum(np.sin(2 * np.pi * hz * t) for hz in (220.0, 277.2, 329.6))
    for k, at in enumerate(beats):
        stroke(sound, at, 1700.0, 0.01, 0.4)
        if k % 2 == 0:
            stroke(sound, at, 60.0, 0.08, 0.6)
    return sound, np.append(beats, beats[-1] + RATE // 2) - round(0.015 * RATE)


def test_a_bass_drum_is_heard_where_it_is_struck(pattern: tuple[np.ndarray, IntArray]) -> None:
    heard = activity(*pattern)
    assert heard[::2].min() > 0.7
    assert heard[1::2].max() < 0.1


def test_a_gain_changes_nothing(pattern: tuple[np.ndarray, IntArray]) -> None:
    sound, bounds = pattern
    np.testing.assert_allclose(activity(0.1 * sound, bounds), activity(sound, bounds), atol=0.01)


def test_other_strokes_and_silence_are_none() -> None:
    bounds = np.arange(1, 20) * RATE // 2
    hats = np.random.default_rng(0).standard_normal(10 * RATE) * np.exp(-(np.arange(10 * RATE) % (RATE // 4)) / 300)
    hats = np.diff(hats, n=2, append=[0.0, 0.0])
    assert activity(hats, bounds).max() < 0.2
    assert not activity(np.zeros(10 * RATE), bounds).any()


@pytest.mark.parametrize("seed", [7000, 7006])
def test_the_bass_drum_of_sample_songs(seed: int) -> None:
    song = make_song(np.random.default_rng(seed), sample_rate=RATE, length_s=40.0)
    bounds = np.append(song.beats, song.beats[-1] + RATE // 2)
    struck = np.zeros(len(song.beats), dtype=bool)
    for note in song.piece.composition.parts["drums"]:
        if note.pitch == Drum.KICK:
            struck[int(note.beat + 1e-6)] = True
    heard = activity(song.mix, bounds)
    assert (heard[struck] > 0.5).mean() > 0.9
    assert (heard[~struck] < 0.5).mean() > 0.9
    without = activity(song.mix - song.stems["drums"], bounds)
    assert without.mean() < 0.3
