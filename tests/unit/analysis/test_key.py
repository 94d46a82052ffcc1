import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.analysis.key import NOTE_NAMES, Key, estimate_key
from rl_editor.analysis.spectra import RATE, listen
from rl_editor.arrays import Array

# Cadences as (root, third) over the tonic: I IV V I, and i iv V i.
CADENCES = {"major": ((0, 4), (5, 4), (7, 4), (0, 4)), "minor": ((0, 3), (5, 3), (7, 4), (0, 3))}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11, 12), "minor": (0, 2, 3, 5, 7, 8, 11, 12)}
ALL_KEYS = [(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]


def note(midi: int, seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    hz = 440.0 * 2.0 ** ((midi - 69) / 12.0)
    tone = sum(np.sin(2 * np.pi * n * hz * t) / n for n in range(1, 6))
    return tone * np.exp(-t / seconds) * np.minimum(t / 0.005, 1.0)


def chroma_of(sound: np.ndarray) -> Array:
    return listen(0.1 * sound[None].astype(np.float32), RATE).chroma


def found(chroma: Array) -> Key:
    key = estimate_key(chroma)
    assert key is not None
    return key


@pytest.mark.parametrize(("tonic", "mode"), ALL_KEYS)
def test_a_cadence_has_its_key(tonic: int, mode: str) -> None:
    chords = [[0, third, 7] for _, third in CADENCES[mode]]
    sound = [
        sum(note(60 + tonic + root + interval, 1.0) for interval in chord)
        for (root, _), chord in zip(CADENCES[mode], chords, strict=True)
    ]
    assert found(chroma_of(np.concatenate(sound))).name == f"{NOTE_NAMES[tonic]} {mode}"


@pytest.mark.parametrize(("tonic", "mode"), ALL_KEYS)
def test_a_scale_over_its_tonic_has_its_key(tonic: int, mode: str) -> None:
    scale = np.concatenate([note(60 + tonic + step, 0.4) for step in SCALES[mode]])
    drone = note(36 + tonic, len(scale) / RATE)[: len(scale)]
    assert found(chroma_of(scale + drone)).name == f"{NOTE_NAMES[tonic]} {mode}"


def test_drums_do_not_hide_the_key() -> None:
    rng = np.random.default_rng(0)
    chords = [sum(note(45 + root + interval, 1.0) for interval in (0, 3, 7)) for root in (0, 5, 0, 5, 0)]
    sound = np.concatenate(chords)
    hits = rng.standard_normal(len(sound)) * np.exp(-(np.arange(len(sound)) % (RATE // 2)) / (0.03 * RATE))
    assert found(chroma_of(sound + 2.0 * hits)).name == "A minor"


@given(st.integers(0, 11), st.integers(0, 1000))
def test_a_transposed_song_has_a_transposed_key(steps: int, seed: int) -> None:
    chroma = np.random.default_rng(seed).random((20, 12), dtype=np.float32) ** 3
    key, moved = estimate_key(chroma), estimate_key(np.roll(chroma, steps, axis=1))
    if key is None:
        assert moved is None
        return
    tonic, mode = key.name.split()
    assert moved is not None
    assert moved.name == f"{NOTE_NAMES[(NOTE_NAMES.index(tonic) + steps) % 12]} {mode}"
    assert moved.confidence == pytest.approx(key.confidence)


@pytest.mark.parametrize(
    "chroma",
    [
        np.zeros((0, 12)),
        np.zeros((30, 12)),
        np.ones((30, 12)) / np.sqrt(12.0),
        np.eye(12)[[0, 2, 4, 6, 8, 10]],
    ],
    ids=["nothing", "silence", "every note", "whole tones"],
)
def test_no_key_is_made_up(chroma: np.ndarray) -> None:
    assert estimate_key(chroma.astype(np.float32)) is None


@pytest.mark.parametrize("seed", range(4))
def test_noise_has_no_key(seed: int) -> None:
    white = np.random.default_rng(seed).standard_normal(20 * RATE)
    assert estimate_key(chroma_of(white)) is None
    assert estimate_key(chroma_of(1e-2 * np.cumsum(white))) is None
