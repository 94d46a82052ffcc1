"""The adapter on a package that stands in for `beat_this`, whose interface (1.1) it copies."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.beat_this import beat_this_beats, load_beat_this, positions, published_beat_this
from rl_editor.errors import CheckpointError, EditorError, TrackError

RATE = 8000


class Audio2Beats:
    """As in beat_this/inference.py: reads weights only, wants (n, channels), gives beats and downbeats in seconds."""

    def __init__(
        self, checkpoint_path: str = "final0", device: str = "cpu", float16: bool = False, dbn: bool = False
    ) -> None:
        checkpoint = torch.load(checkpoint_path, map_location=device, weights_only=True)
        self.beats_s = checkpoint["state_dict"]["beats_s"].numpy()
        self.downbeats_s = checkpoint["state_dict"]["downbeats_s"].numpy()

    def __call__(self, signal: np.ndarray, sr: int) -> tuple[np.ndarray, np.ndarray]:
        assert signal.ndim == 2
        assert len(signal) > signal.shape[1]
        assert sr == RATE
        return self.beats_s, self.downbeats_s


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    inference = ModuleType("beat_this.inference")
    inference.Audio2Beats = Audio2Beats  # type: ignore[attr-defined]
    inference.CHECKPOINT_URL = "http://127.0.0.1:9"  # type: ignore[attr-defined]  # where nobody listens
    monkeypatch.setitem(sys.modules, "beat_this", ModuleType("beat_this"))
    monkeypatch.setitem(sys.modules, "beat_this.inference", inference)
    return inference


def weights(path: Path, beats_s: np.ndarray, downbeats_s: np.ndarray) -> Path:
    state = {"beats_s": torch.from_numpy(beats_s), "downbeats_s": torch.from_numpy(downbeats_s)}
    torch.save({"hyper_parameters": {}, "state_dict": state}, path)
    return path


def noise(seconds: float) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((2, round(seconds * RATE)))).astype(np.float32)


@pytest.mark.usefixtures("package")
def test_beats_and_downbeats_reach_the_track(tmp_path: Path) -> None:
    beats_s = np.arange(0.3, 20.0, 0.6)
    file = weights(tmp_path / "tiny.ckpt", beats_s, beats_s[1::3])
    sound = noise(20.0)
    beats = beat_this_beats(sound, RATE, load_beat_this(file))
    assert beats.position is not None
    assert beats.position[:6].tolist() == [2, 0, 1, 2, 0, 1]
    track = analyse(sound, RATE, beats=beats)
    told = np.abs(track.bounds_s[:, None] - beats_s).min(axis=0)
    assert told.max() < 0.07  # the grid moves as one, to the attacks
    nearest = np.abs(track.bounds_s[:-1, None] - beats_s[1::3]).argmin(axis=0)
    assert (track.bar_position[nearest] == 0).all()


@pytest.mark.usefixtures("package")
def test_without_downbeats_nothing_is_said_of_bars(tmp_path: Path) -> None:
    tracker = load_beat_this(weights(tmp_path / "tiny.ckpt", np.arange(9.0), np.empty(0)))
    assert beat_this_beats(noise(9.0), RATE, tracker).position is None


@pytest.mark.usefixtures("package")
def test_a_recording_without_beats_is_told(tmp_path: Path) -> None:
    tracker = load_beat_this(weights(tmp_path / "tiny.ckpt", np.array([1.0]), np.empty(0)))
    with pytest.raises(TrackError, match=r"rain\.wav: beat-this hears no beats"):
        beat_this_beats(noise(9.0), RATE, tracker, file="rain.wav")


@pytest.mark.parametrize(
    ("downbeats", "expected"),
    [
        ("100010001", [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        ("001001001", [1, 2, 0, 1, 2, 0, 1, 2, 0]),
        ("000000100", [1, 1, 1, 1, 2, 3, 0, 1, 2]),
        ("111", [0, 0, 0]),
        ("1" + "0" * 300, [*range(128), *[127] * 173]),
    ],
)
def test_positions_count_from_each_downbeat_and_towards_the_first(downbeats: str, expected: list[int]) -> None:
    is_downbeat = np.array([digit == "1" for digit in downbeats])
    assert positions(is_downbeat).tolist() == expected
    assert np.array_equal(positions(is_downbeat) == 0, is_downbeat)


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "beat_this", None)
    for call in (published_beat_this, lambda: load_beat_this(tmp_path / "any.ckpt")):
        with pytest.raises(EditorError, match=r"is not installed; pip install beat-this"):
            call()


class Trap:
    """What a file must never be able to do when it is opened."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("the file's code was run",)


@pytest.mark.usefixtures("package")
def test_a_file_that_is_no_such_network_is_refused_unopened(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    torch.save({"state_dict": Trap()}, tmp_path / "trap.ckpt")
    (tmp_path / "text.ckpt").write_text("no weights at all")
    for name in ("other.ckpt", "trap.ckpt", "text.ckpt", "missing.ckpt"):
        with pytest.raises(CheckpointError, match=name) as error:
            load_beat_this(tmp_path / name)
        assert "\n" not in str(error.value)


@pytest.mark.usefixtures("package")
def test_weights_of_an_earlier_use_are_taken_and_others_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"can't be fetched from http://127\.0\.0\.1:9/final0\.ckpt"):
        published_beat_this()
    kept = tmp_path / "hub" / "checkpoints" / "beat_this-final0.ckpt"
    kept.parent.mkdir(parents=True, exist_ok=True)
    weights(kept, np.arange(9.0), np.empty(0))
    assert published_beat_this() == kept
