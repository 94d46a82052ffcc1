"""`rl-editor data check` and `rl-editor prepare` as a user runs them."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rl_editor.audio.files import Encoding, read_audio, write_audio
from rl_editor.cli.main import main
from rl_editor.data.prepared import FOLDER, read_prepared
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.render import render

RATE = 16000
DEEP = Encoding("FLAC", "PCM_24")


def jam(seconds: float, seed: int) -> np.ndarray:
    """Hits at 120 bpm over a melody that never repeats, float32 (1, n)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    hits = np.exp(-(t % 0.5) / 0.03) * rng.standard_normal(len(t))
    melody = np.sin(2 * np.pi * np.cumsum(rng.uniform(200, 800, len(t) // 4000 + 1).repeat(4000)[: len(t)]) / RATE)
    return (0.3 * hits + 0.1 * melody).astype(np.float32)[None]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pairs; every third without its EDL."""
    folder = tmp_path_factory.mktemp("pairs")
    for k in range(6):
        raw = folder / "input" / f"jam{k}_raw.flac"
        write_audio(raw, jam(24.0, k), RATE, encoding=DEEP)
        recording = read_audio(raw)
        segments = (Segment(2 * RATE, 9 * RATE), Segment(15 * RATE, (18 + k // 2) * RATE, fade=200))
        edl = EDL(recording.source, segments, Maker("truth"))
        write_audio(folder / "desired_output" / f"jam{k}.flac", render(recording.audio, edl), RATE, encoding=DEEP)
        if k % 3:
            edl_files.write(edl, folder / "edl" / f"jam{k}.json", overwrite=False)
    return folder


@pytest.fixture
def data(pairs: Path, tmp_path: Path) -> Path:
    """The pairs, not prepared yet."""
    return Path(shutil.copytree(pairs, tmp_path / "data", ignore=shutil.ignore_patterns(FOLDER)))


@pytest.fixture(scope="module")
def prepared(pairs: Path) -> Path:
    """What an undisturbed run makes."""
    assert rl_editor("prepare", pairs, "--jobs", 1, "--quiet") == 0
    return pairs / FOLDER


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def start(*arguments: object) -> subprocess.Popen[str]:
    """The program in a process group of its own."""
    command = [sys.executable, "-m", "rl_editor", *map(str, arguments)]
    return subprocess.Popen(command, text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def contents(folder: Path) -> dict[str, bytes]:
    """All files but those that a killed run left half-written."""
    paths = (path for path in folder.rglob("[!.]*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in contents(folder) if name != "manifest.jsonl"}


def test_a_healthy_folder_passes_the_check(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("data", "check", pairs) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "jam0: 0:24.0 -> 0:10.0 (42 %), FLAC PCM_24, edit to recover"
    assert lines[-1] == f"{pairs}: 6 pairs (4 with an exact edit), 0 problems"
    assert rl_editor("data", "check", pairs, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 6


def test_the_check_tells_orphans_and_damage(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "input" / "jam1_raw.flac").unlink()
    (data / "input" / "jam2_raw.flac").write_text("no sound")
    assert rl_editor("data", "check", data) == 1
    problems = [line for line in capsys.readouterr().out.splitlines() if line.startswith("problem: ")]
    assert problems == [
        "problem: desired_output/jam1.flac: an edit without its raw (jam1_raw)",
        "problem: edl/jam1.json: an EDL without its raw (jam1_raw)",
        "problem: input/jam2_raw.flac: not a sound file, or damaged from its start",
    ]
    assert rl_editor("data", "check", data / "nowhere") == 1
    assert rl_editor("data", "weigh", data) == 2


def test_one_is_told_as_one(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in data.rglob("jam[!1]*"):
        file.unlink()
    (data / "cards").mkdir()
    (data / "cards" / "jam9.json").write_text("{}")
    assert rl_editor("data", "check", data) == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"{data}: 1 pair (1 with an exact edit), 1 problem"
    assert rl_editor("prepare", data, "--jobs", 1) == 0
    assert capsys.readouterr().out.startswith(f"{data / FOLDER}: 1 of 1 pair prepared (1 exact, 0 recovered)")


def test_every_pair_is_prepared_and_read_again(prepared: Path) -> None:
    read = read_prepared(prepared)
    assert [take.entry.key for take in read] == [f"jam{k}" for k in range(6)]
    origins = [take.entry.measured.origin for take in read]
    assert origins == ["recovered", "exact", "exact"] * 2
    assert all(take.demonstration.actions[-1] == 1 for take in read)


def test_a_second_run_changes_nothing_and_other_thresholds_measure_nothing_anew(
    data: Path, prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(prepared, data / FOLDER)
    before, at = contents(data / FOLDER), times(data / FOLDER)
    assert rl_editor("prepare", data, "--jobs", 1) == 0
    assert contents(data / FOLDER) == before
    assert capsys.readouterr().out.startswith(f"{data / FOLDER}: 6 of 6 pairs prepared (4 exact, 2 recovered); train ")
    assert rl_editor("prepare", data, "--jobs", 1, "--least-confidence", 1.0, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["status"] for entry in told] == ["set aside", "prepared", "prepared"] * 2
    assert times(data / FOLDER) == at
    assert len(read_prepared(data / FOLDER)) == 4


def test_bad_files_do_not_stop_the_others(data: Path, prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "input" / "jam4_raw.flac").write_text("no sound")
    (data / "edl" / "jam5.json").write_text("{}")
    assert rl_editor("prepare", data, "--jobs", 1, "--json") == 1
    told = capsys.readouterr()
    entries = [json.loads(line) for line in told.out.splitlines()]
    assert [entry["status"] for entry in entries] == ["prepared"] * 4 + ["failed"] * 2
    assert [line.split(": ")[1] for line in told.err.splitlines()] == [
        str(data / "input" / "jam4_raw.flac"),
        str(data / "edl" / "jam5.json"),
    ]
    assert [entry["reason"].split(": ")[0] for entry in entries[4:]] == ["input/jam4_raw.flac", "edl/jam5.json"]
    good = {name: content for name, content in contents(data / FOLDER).items() if name != "manifest.jsonl"}
    assert len(good) == 4 * 4
    assert good.items() <= contents(prepared).items()


def test_a_changed_file_is_told_and_empties_no_set(
    data: Path, prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(prepared, data / FOLDER)
    at, edl = times(data / FOLDER), data / "edl" / "jam1.json"
    edl.write_text(edl.read_text() + "\n")
    assert rl_editor("prepare", data, "--jobs", 1) == 1
    told = capsys.readouterr()
    assert told.err == (
        f"rl-editor: {data / 'input' / 'jam1_raw.flac'}: edl/jam1.json has changed since this pair was prepared; "
        "--overwrite prepares it again\n"
    )
    assert "6 of 6 pairs prepared (4 exact, 2 recovered)" in told.out
    assert times(data / FOLDER) == at
    assert len(list(read_prepared(data / FOLDER))) == 6
    assert rl_editor("prepare", data, "--jobs", 1, "--overwrite", "--json") == 0
    assert {json.loads(line)["status"] for line in capsys.readouterr().out.splitlines()} == {"prepared"}


@pytest.mark.parametrize("option", ["--least-coverage", "--least-confidence"])
def test_a_threshold_that_can_not_be_meant_is_a_wrong_command_line(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in ("3", "-1", "nan", "much"):
        assert rl_editor("prepare", tmp_path, option, value) == 2
        assert f"{option}: {value!r} is no number from 0 to 1" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_one_line(data: Path, tmp_path: Path) -> None:
    if not importlib.util.find_spec("distributed"):
        pytest.skip("Dask is not installed")
    nobody = {"DASK_SCHEDULER_ADDRESS": "tcp://127.0.0.1:1", "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    command = [sys.executable, "-m", "rl_editor", "prepare", str(data), "--backend", "dask"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=os.environ | nobody)
    assert run.returncode == 1
    assert run.stderr == "rl-editor: DASK_SCHEDULER_ADDRESS tcp://127.0.0.1:1: no Dask scheduler answers there\n"


def test_a_folder_without_pairs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("prepare", tmp_path) == 1
    line = f"{tmp_path}: no pair of a raw and its edit, such as jam_raw.wav and jam_edit.wav\n"
    assert capsys.readouterr().err == f"rl-editor: {line}"
    assert rl_editor("data", "check", tmp_path) == 1
    assert capsys.readouterr().out == line
    assert rl_editor("prepare", tmp_path, "--jobs", 0) == 2
    assert not list(tmp_path.iterdir())


def test_killed_and_run_again_it_ends_with_the_same_set(data: Path, prepared: Path) -> None:
    run = start("prepare", data, "--jobs", 2, "--quiet")
    while not list(data.glob(f"{FOLDER}/pairs/[!.]*")):
        assert run.poll() is None, "it came to its end undisturbed"
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    assert run.returncode == -signal.SIGKILL
    before = times(data / FOLDER)
    assert contents(data / FOLDER).items() <= contents(prepared).items()
    assert not (data / FOLDER / "manifest.jsonl").exists()
    assert rl_editor("prepare", data, "--jobs", 1, "--quiet") == 0
    assert contents(data / FOLDER) == contents(prepared)
    assert sum(at == times(data / FOLDER)[name] for name, at in before.items()) >= 4


def test_dask_on_this_machine_makes_the_same_set(data: Path, prepared: Path) -> None:
    if not importlib.util.find_spec("distributed"):
        pytest.skip("Dask is not installed")
    run = start("prepare", data, "--jobs", 2, "--backend", "dask")
    out, err = run.communicate(timeout=300)
    assert (run.returncode, err) == (0, "")
    assert "6 of 6 pairs prepared" in out
    assert contents(data / FOLDER) == contents(prepared)
