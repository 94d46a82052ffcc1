"""The adapter on tiny networks of random weights, written as Demucs writes its own."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from demucs.demucs import Demucs
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

from rl_editor.analysis import demucs_stems as adapter
from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.demucs_stems import demucs_mels, demucs_stems, load_demucs, published_demucs
from rl_editor.analysis.spectra import listen
from rl_editor.analysis.stems import STEMS
from rl_editor.errors import CheckpointError

SOURCES = ["drums", "bass", "other", "vocals"]
TINY = {"channels": 8, "depth": 2, "lstm_layers": 0, "segment": 1}
TINY_HYBRID = {"channels": 8, "nfft": 1024, "t_layers": 1, "bottom_channels": 8, "t_heads": 2, "segment": 1}
RATE = 22050


def save_safetensors(model: torch.nn.Module, kwargs: dict[str, Any], path: Path, **changes: str) -> Path:
    kind = type(model)
    metadata = {
        "klass": f"{kind.__module__}.{kind.__qualname__}",
        "args": json.dumps([SOURCES]),
        "kwargs": json.dumps(kwargs),
    }
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, path, metadata=metadata | changes)
    return path


def save_pickle(model: torch.nn.Module, kwargs: dict[str, Any], path: Path) -> Path:
    torch.save({"klass": type(model), "args": [SOURCES], "kwargs": kwargs, "state": model.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def network() -> Demucs:
    torch.manual_seed(0)
    return Demucs(SOURCES, **TINY).eval()


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal((2, round(1.3 * RATE)))).astype(np.float32)


def test_a_network_from_either_kind_of_file_splits_alike(network: Demucs, sound: np.ndarray, tmp_path: Path) -> None:
    expected = demucs_stems(sound, RATE, network)
    for file in (
        save_safetensors(network, TINY, tmp_path / "tiny.safetensors"),
        save_pickle(network, TINY | {"segment": Fraction(1)}, tmp_path / "tiny.th"),
    ):
        np.testing.assert_array_equal(demucs_stems(sound, RATE, load_demucs(file)).sounds, expected.sounds)


def test_a_hybrid_network_is_read(tmp_path: Path) -> None:
    file = save_safetensors(HTDemucs(SOURCES, **TINY_HYBRID), TINY_HYBRID, tmp_path / "hybrid.safetensors")
    stems = demucs_stems(np.zeros((1, RATE // 2), dtype=np.float32), RATE, load_demucs(file))
    assert stems.sounds.shape == (4, 1, RATE // 2)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_stems_sum_to_the_mix(network: Demucs, sound: np.ndarray, channels: int) -> None:
    mix = np.concatenate([sound, sound[:1]])[:channels]
    stems = demucs_stems(mix, RATE, network)
    assert stems.method == "demucs"
    assert stems.sounds.shape == (len(STEMS), *mix.shape)
    np.testing.assert_allclose(stems.sounds.sum(axis=0), mix, atol=1e-6)
    assert all(np.abs(part).max() > 1e-5 for part in stems.sounds)


class Echo(torch.nn.Module):
    """Gives each source a gain of its own, so that it is known which is which."""

    sources = SOURCES
    samplerate = 44100
    segment = 1.0
    audio_channels = 2

    def __init__(self) -> None:
        super().__init__()
        self.gains = torch.nn.Parameter(torch.tensor([0.4, 0.3, 0.2, 0.1]))

    def forward(self, mix: torch.Tensor) -> torch.Tensor:
        return self.gains[None, :, None, None] * mix[:, None]


def test_sources_are_told_apart_and_pieces_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_PIECE_S", 4)
    monkeypatch.setattr(adapter, "_CONTEXT_S", 1)
    t = np.arange(10 * RATE) / RATE
    mix = np.stack([0.5 * np.sin(2 * np.pi * 440 * t), 0.3 * np.sin(2 * np.pi * 3000 * t)]).astype(np.float32)
    sounds = demucs_stems(mix, RATE, Echo()).sounds  # type: ignore[arg-type]
    for name, part in zip(STEMS, sounds, strict=True):
        gain = {"drums": 0.4, "bass": 0.3, "vocals": 0.1, "other": 0.2}[name]
        np.testing.assert_allclose(part[:, RATE:-RATE], gain * mix[:, RATE:-RATE], atol=2e-4, err_msg=name)


@pytest.mark.parametrize(
    ("rate", "channels", "n"), [(RATE, 2, 9 * RATE), (44100, 1, 9 * 44100 + 17), (48000, 3, 8 * 48000 + 1)]
)
def test_mels_are_those_of_the_stems_in_pieces_too(
    rate: int, channels: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_PIECE_S", 4)
    monkeypatch.setattr(adapter, "_CONTEXT_S", 1)
    mix = (0.1 * np.random.default_rng(0).standard_normal((channels, n))).astype(np.float32)
    spectra = listen(mix, rate)
    shares: list[float] = []
    mels = demucs_mels(mix, rate, spectra.mono, Echo(), lambda stage, share: shares.append(share))  # type: ignore[arg-type]
    assert mels.shape == (4, *spectra.mel.shape)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert shares == sorted(shares)
    assert len(shares) > 10
    for name, mel in zip(STEMS, mels, strict=True):
        gain = {"drums": 0.4, "bass": 0.3, "vocals": 0.1, "other": 0.2}[name]
        # the highest bands lose some on the way to the network's rate and back, and resampled sounds end differently
        np.testing.assert_allclose(mel[5:-5, :75], gain**2 * spectra.mel[5:-5, :75], rtol=0.02, err_msg=name)


def test_a_network_decides_what_the_track_says_of_stems() -> None:
    sound = (0.1 * np.random.default_rng(0).standard_normal((1, 4 * RATE))).astype(np.float32)
    plain, split = analyse(sound, RATE), analyse(sound, RATE, demucs=Echo())  # type: ignore[arg-type]
    assert (plain.stem_method, split.stem_method) == ("dsp", "demucs")
    assert plain.stem_features is not None
    assert split.stem_features is not None
    assert plain.stem_features.shape == split.stem_features.shape
    drums, bass = (split.stem_features[:, STEMS.index(name), :20].mean() for name in ("drums", "bass"))
    assert drums - bass == pytest.approx(20 * np.log10(0.4 / 0.3), abs=0.1)
    assert np.array_equal(plain.bounds, split.bounds)


def test_weights_that_are_nowhere_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_demucs(tmp_path / "none.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.hf_hub_url", "http://127.0.0.1:9/{}/{}".format)  # nobody listens there
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="demucs: its weights are not here and can't be fetched") as error:
        published_demucs()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_weights_of_an_earlier_use_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.hf_hub_url", pytest.fail)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    ours = tmp_path / "hub" / "checkpoints" / "955717e8.safetensors"
    ours.parent.mkdir(parents=True)
    ours.touch()
    assert published_demucs() == ours
    folder = tmp_path / "models--adefossez--HTDemucs"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    theirs = folder / "snapshots" / ("0" * 40) / "955717e8.safetensors"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    assert published_demucs() == theirs


class Trap:
    """What a file must never be able to do when it is opened."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return pytest.fail, ("the file's code was run",)


def test_a_file_that_is_no_network_is_refused_unopened(network: Demucs, tmp_path: Path) -> None:
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"not a checkpoint" * 99)
    broken = tmp_path / "broken.th"
    broken.write_bytes(b"not a checkpoint" * 99)
    trap = tmp_path / "trap.th"
    torch.save({"klass": Demucs, "args": [SOURCES], "kwargs": {}, "state": Trap()}, trap)
    foreign = save_safetensors(network, TINY, tmp_path / "foreign.safetensors", klass="subprocess.run")
    empty = save_pickle(network, TINY | {"depth": 3}, tmp_path / "other_depth.th")
    for file in (noise, broken, trap, foreign, empty):
        with pytest.raises(CheckpointError, match=file.name) as error:
            load_demucs(file)
        assert "\n" not in str(error.value)


def test_other_sources_are_refused(tmp_path: Path) -> None:
    network = Demucs(["voice", "noise"], **TINY)
    file = save_safetensors(network, TINY, tmp_path / "voice.safetensors", args=json.dumps([["voice", "noise"]]))
    with pytest.raises(CheckpointError, match="splits into voice, noise"):
        load_demucs(file)
