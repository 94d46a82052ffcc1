"""Small made-up recordings, and the program run as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rl_editor.audio.files import write_audio
from rl_editor.cli.main import main
from rl_editor.data.splits import Split, split_of

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


_SIDES: tuple[Split, ...] = ("train", "train", "val", "test")


def _done(*arguments: object) -> None:
    """One command line, in this process, that ends well."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    assert not left.value.code


def _name_on(side: Split, number: int) -> str:
    """Text that stands for a song on that side of the split."""
    names = (f"song {k}" for k in count(1000 * number))
    return next(name for name in names if split_of(name) == side)


@pytest.fixture(scope="module")
def training_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One take of each of four sample songs, prepared: two to learn from, one to choose by, one to judge by."""
    folder = tmp_path_factory.mktemp("training")
    data = folder / "data"
    _done("sample-data", folder / "songs", "--songs", len(_SIDES), "--minutes", 1, "--quiet")
    songs = sorted((folder / "songs").glob("*.wav"))
    _done("synthesize", *songs, "-o", data, "--count", 1, "--seed", 1, "--jobs", 1, "--quiet")
    for number, (card, side) in enumerate(zip(sorted((data / "cards").glob("*.json")), _SIDES, strict=True)):
        # where songs of chance fall is chance
        record = json.loads(card.read_text())
        card.write_text(json.dumps({"version": record["version"], "song": {"content_hash": _name_on(side, number)}}))
    _done("prepare", data, "--jobs", 1, "--quiet")
    return data
