"""`rl-editor synthesize` as a user runs it: what it makes, what it leaves, and what survives being killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from rl_editor.audio.files import read_audio, write_audio
from rl_editor.cli import synthesize
from rl_editor.cli.main import main
from rl_editor.data import parallel
from rl_editor.errors import DataError

RATE = 16000


def tune(seed: int) -> np.ndarray:
    """34 beats of drum hits and changing chords, float32 (2, n): hardly enough for a song."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(17.0 * RATE)) / RATE
    roots_hz = np.array([220.0, 196.0, 175.0, 165.0])[(t // 2).astype(int) % 4]
    hits = np.exp(-(t % 0.5) / 0.03) * np.where(t % 1 < 0.5, np.sin(2 * np.pi * 60 * t), rng.standard_normal(len(t)))
    sound = 0.5 * hits + 0.05 * np.sin(2 * np.pi * roots_hz * t) + 0.05 * np.sin(3 * np.pi * roots_hz * t)
    return np.tile(sound, (2, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for k in range(3):
        write_audio(folder / f"song{k}.wav", tune(k), RATE)
    return folder


@pytest.fixture(scope="module")
def made(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run makes."""
    folder = tmp_path_factory.mktemp("made")
    assert rl_editor("synthesize", songs, "-o", folder, "--count", 2, "--jobs", 1) == 0
    return folder


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def stop() -> NoReturn:
    raise DataError("enough is known")


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those that a killed run left half-written."""
    paths = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in contents(folder)}


def test_each_take_is_a_raw_its_edit_an_edl_and_a_card(songs: Path, made: Path) -> None:
    names = contents(made)
    keys = {Path(name).stem for name in names if name.startswith("cards/")}
    assert len(keys) == 6
    assert {key.partition("-")[0] for key in keys} == {"song0", "song1", "song2"}
    files = ("{}_raw.flac", "{}_edit.flac", "edl/{}.json", "cards/{}.json")
    assert set(names) == {file.format(key) for key in keys for file in files}
    for key in keys:
        edl = json.loads(names[f"edl/{key}.json"])
        assert edl["source"]["file"] == f"../{key}_raw.flac"
        song = json.loads(names[f"cards/{key}.json"])["song"]
        assert song["content_hash"] == read_audio(songs / song["file"]).source.content_hash


def test_what_is_there_is_not_made_again(songs: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = times(made)
    assert rl_editor("synthesize", songs, "-o", made, "--count", 2, "--jobs", 1) == 0
    assert times(made) == before
    assert capsys.readouterr().out == f"{made}: 6 takes of 3 songs, 6 of them there already\n"


def test_bad_songs_and_doubles_do_not_stop_the_others(
    songs: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, short, double = (tmp_path / f"{name}.wav" for name in ("bad", "short", "double"))
    bad.write_text("no sound")
    write_audio(short, tune(0)[:, : 4 * RATE], RATE)
    double.write_bytes((songs / "song1.wav").read_bytes())
    named = [bad, songs / "song1.wav", short, double]
    assert rl_editor("synthesize", *named, "-o", tmp_path / "data", "--count", 1, "--jobs", 1, "--quiet") == 1
    told = capsys.readouterr()
    assert not told.out
    assert [Path(line.split(": ")[1]).stem for line in told.err.splitlines()] == ["bad", "short", "double"]
    here = contents(tmp_path / "data")
    assert len(here) == 4
    assert here.keys() <= contents(made).keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--count", "0"), "--count 0: at least 1"),
        (("--jobs", "0"), "--jobs 0: at least 1"),
        (("--hold-out", "laziness"), "laziness: no family of faults; there are timing"),
        (("--backend", "abacus"), "abacus"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: tuple[str, ...], says: str, songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rl_editor("synthesize", songs, "-o", tmp_path / "data", *arguments) == 2
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 1
    assert says in told.err
    assert not (tmp_path / "data").exists()


def test_songs_of_which_none_can_be_used_leave_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("synthesize", tmp_path / "missing.wav", "-o", tmp_path / "data") == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert not (tmp_path / "data").exists()


def test_a_damaged_card_is_told_with_what_to_do(
    songs: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "made"))
    (card,) = folder.glob("cards/song0-*-01.json")
    card.write_text("{\n")
    command = ("synthesize", songs / "song0.wav", "-o", folder, "--count", 1, "--jobs", 1)
    assert rl_editor(*command) == 1
    assert capsys.readouterr().err == (
        f"rl-editor: {card}: no card; line 2 is not JSON; --overwrite makes this take again\n"
    )
    assert rl_editor(*command, "--overwrite") == 0
    assert capsys.readouterr().out == f"{folder}: 1 take of 1 song\n"


def test_a_store_is_named_for_workers_elsewhere(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = []
    monkeypatch.setattr(
        synthesize, "stored_track", lambda recording, store, report: folders.append(store.folder) or stop()
    )
    monkeypatch.setattr(parallel, "_BACKENDS", {"dask": parallel._BACKENDS["loky"]})
    arguments = ("synthesize", songs / "song0.wav", "-o", "made", "--jobs", 1, "--backend", "dask")
    assert rl_editor(*arguments, "--store", "kept") == 1
    monkeypatch.setenv("RL_EDITOR_STORE", "elsewhere")
    assert rl_editor(*arguments) == 1
    assert folders == [tmp_path / "kept", tmp_path / "elsewhere"]


def test_killed_and_run_again_it_makes_the_same_takes(songs: Path, made: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rl_editor", "synthesize", str(songs), "-o", str(tmp_path), "--count", "2"]
    run = subprocess.Popen([*command, "--jobs", "2", "--quiet"], start_new_session=True)
    while not list(tmp_path.glob("cards/[!.]*")):
        assert run.poll() is None, "it came to its end undisturbed"
        time.sleep(0.01)
    time.sleep(0.1)
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    whole = {name: at for name, at in times(tmp_path).items() if name.startswith("cards/")}
    assert contents(tmp_path).items() <= contents(made).items()
    assert rl_editor("synthesize", songs, "-o", tmp_path, "--count", 2, "--jobs", 1, "--quiet") == 0
    assert contents(tmp_path) == contents(made)
    assert whole.items() <= times(tmp_path).items()
