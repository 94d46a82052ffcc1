"""`--stems demucs` and `--beats beat-this` as a user asks for them, with weights, without, and interrupted."""

import contextlib
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from demucs.demucs import Demucs

from rl_editor.analysis.store import Key, Store
from rl_editor.audio.files import read_audio, write_audio
from rl_editor.cli.main import main

RATE = 22050
SOURCES = ["drums", "bass", "other", "vocals"]
TINY = {"channels": 4, "depth": 2, "lstm_layers": 0, "segment": 2}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that was never trained, as Demucs writes it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.th"
    torch.save(
        {"klass": Demucs, "args": [SOURCES], "kwargs": TINY, "state": Demucs(SOURCES, **TINY).state_dict()}, path
    )
    return path


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two songs of clicks at 120 bpm over soft noise."""
    for seed in range(2):
        sound = 0.01 * np.random.default_rng(seed).standard_normal((1, 10 * RATE)).astype(np.float32)
        sound[:, :: RATE // 2] += 0.8
        write_audio(tmp_path / "songs" / f"song{seed}.wav", sound, RATE)
    return tmp_path / "songs"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of a machine without any weights, and without network."""
    monkeypatch.setenv("RL_EDITOR_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.hf_hub_url", "http://127.0.0.1:9/{}/{}".format)  # nobody listens there
    return tmp_path / "store"


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def test_stems_by_demucs_are_kept_beside_the_others_and_used_again(songs: Path, weights: Path, store: Path) -> None:
    song, asked = songs / "song0.wav", ("--stems", "demucs", "--stems-weights", weights)
    assert rl_editor("analyse", songs, *asked, "--jobs", 1) == 0
    kept = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    assert len(kept) == 2
    assert rl_editor("edit", song, *asked, "--keep", ".5", "--dry-run", "--quiet") == 0
    assert kept == {path: path.stat().st_mtime_ns for path in store.iterdir()}
    assert rl_editor("edit", song, "--keep", ".5", "--dry-run", "--quiet") == 0
    assert len(list(store.iterdir())) == 3
    tracks = [Store(store).load(Key(read_audio(song).source, settings)) for settings in ("", demucs_settings(weights))]
    assert [track and track.stem_method for track in tracks] == ["dsp", "demucs"]


def demucs_settings(weights: Path) -> str:
    return f"stems=demucs:{hashlib.sha256(weights.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("command", ["analyse", "edit"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--stems", "demucs"), "demucs: its weights are not here and can't be fetched from http"),
        (("--stems", "demucs", "--stems-weights", "none.th"), "none.th: weights can't be read"),
        (("--stems", "demucs", "--stems-weights", __file__), "holds more than weights, or is damaged"),
        (("--beats", "beat-this", "--beats-weights", "none.ckpt"), "none.ckpt: weights can't be read"),
        (("--beats", "beat-this"), "is not installed; pip install beat-this"),
    ],
)
def test_without_weights_there_is_one_line_and_nothing_else(
    command: str,
    options: tuple[str, ...],
    says: str,
    songs: Path,
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "beat_this", None)
    before = sorted(songs.iterdir())
    assert rl_editor(command, songs / "song0.wav", *options) == 1
    told = capsys.readouterr()
    assert not told.out
    (line,) = told.err.splitlines()
    assert says in line
    assert sorted(songs.iterdir()) == before
    assert not list(store.glob("*"))


@pytest.mark.parametrize("command", ["analyse", "edit"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--stems-weights", "x"), "--stems-weights goes with --stems demucs"),
        (("--beats-weights", "x"), "--beats-weights goes with --beats beat-this"),
        (("--beats", "beats.csv"), "--beats FILE"),
    ],
)
def test_what_does_not_go_together_is_a_wrong_command_line(
    command: str, options: tuple[str, ...], says: str, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rl_editor(command, songs, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_beats_of_a_file_are_used_by_analyse(songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "beats.csv").write_text("".join(f"{0.25 + k}\n" for k in range(9)))
    assert rl_editor("analyse", songs / "song0.wav", "--beats", tmp_path / "beats.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tempo_bpm"] == pytest.approx(60.0, rel=0.02)


def test_demucs_is_interrupted_at_once(weights: Path, store: Path, tmp_path: Path) -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal((1, 60 * RATE)).astype(np.float32)
    write_audio(tmp_path / "long.wav", sound, RATE)
    asked = ["--stems", "demucs", "--stems-weights", str(weights)]
    command = [sys.executable, "-m", "rl_editor", "analyse", str(tmp_path / "long.wav"), *asked]
    terminal, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    run = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True)
    os.close(theirs)
    told = b""
    while b"stems by demucs" not in told:
        told += os.read(terminal, 4096)
    os.killpg(run.pid, signal.SIGINT)
    with contextlib.suppress(OSError):  # the program has left
        while block := os.read(terminal, 4096):
            told += block
    run.communicate(timeout=60)
    os.close(terminal)
    assert run.returncode == 130
    assert b"rl-editor: interrupted; nothing half-written was left" in told
    assert b"beats and form" not in told  # what would have come next
    assert b"Traceback" not in told
    assert not list(store.glob("*"))
