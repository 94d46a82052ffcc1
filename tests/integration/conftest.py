"""Small made-up recordings, and the program run as a user runs it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rl_editor.audio.files import write_audio

RATE = 22050
Run = Callable[..., subprocess.CompletedProcess[str]]


def tune(seconds: float, *, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Drum hits and changing chords at 120 bpm, float32 (2, n): enough of a pulse and of repeats to be edited."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    t = np.arange(n) / rate
    sound = 1e-4 * rng.standard_normal((2, n)).astype(np.float32)
    chords = [(220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247)]
    for bar in range(int(seconds // 2) + 1):
        inside = (t >= 2 * bar) & (t < 2 * bar + 2)
        for hz in chords[bar % 4]:
            sound[:, inside] += 0.05 * np.sin(2 * np.pi * hz * t[inside]).astype(np.float32)
    decay = np.exp(-np.arange(rate // 5) / (0.03 * rate)).astype(np.float32)
    for beat in range(int(seconds * 2)):
        at = round(beat * 0.5 * rate)
        low = np.sin(2 * np.pi * 60 * np.arange(len(decay)) / rate)
        hit = decay * (low if beat % 2 == 0 else rng.standard_normal(len(decay)))
        part = sound[:, at : at + len(decay)]
        part += (0.5 * hit[: part.shape[1]]).astype(np.float32)
    return sound


@pytest.fixture
def jam(tmp_path: Path) -> Path:
    """A 40 s stereo recording, 16 bit, in a folder of its own."""
    path = tmp_path / "jam.wav"
    write_audio(path, tune(40.0), RATE)
    return path


@pytest.fixture
def program() -> Run:
    """Run `rl-editor ...` in a process of its own."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rl_editor", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)

    return run


def _assert_equal_bits(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            _assert_equal_bits(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            _assert_equal_bits(one, other)
    else:
        assert found == expected


@pytest.fixture
def assert_equal_bits() -> Callable[[Any, Any], None]:
    """Asserts that two states of a training, however nested, are the same to the bit."""
    return _assert_equal_bits
