"""`rl-editor analyse` as a user runs it: what it tells, what it keeps, and what survives being killed."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rl_editor.analysis.beat_files import read_beats
from rl_editor.analysis.store import Key, Store
from rl_editor.audio.files import read_audio, write_audio
from rl_editor.cli.main import main

RATE = 22050


def noise_with_pulse(seconds: float, seed: int) -> np.ndarray:
    """Clicks at 120 bpm over soft noise, float32 (1, n)."""
    sound = 0.01 * np.random.default_rng(seed).standard_normal((1, round(seconds * RATE))).astype(np.float32)
    sound[:, :: RATE // 2] += 0.8
    return sound


def make_songs(folder: Path, n: int) -> Path:
    for k in range(n):
        write_audio(folder / f"song{k:02}.wav", noise_with_pulse(20.0 + 0.1 * k, k), RATE)
    return folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_songs(tmp_path_factory.mktemp("songs"), 4)


@pytest.fixture(scope="module")
def kept(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store after an undisturbed run."""
    store = tmp_path_factory.mktemp("kept")
    assert rl_editor("analyse", songs, "--store", store, "--jobs", 1) == 0
    return store


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """The program in a process group of its own."""
    command = [sys.executable, "-m", "rl_editor", "analyse", *map(str, arguments)]
    pipe = subprocess.PIPE
    options = {"stdout": pipe, "stderr": pipe} | options
    return subprocess.Popen(command, text=True, start_new_session=True, **options)


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.glob("[!.]*")}


def times(store: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in store.iterdir()}


def test_each_song_is_a_line_in_the_order_given(songs: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = [songs / "song02.wav", songs / "song00.wav", songs / "song03.wav"]
    assert rl_editor("analyse", *named, "--store", kept, "--jobs", 1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(map(str, named))
    assert " bpm, " in lines[0]
    assert " % music" in lines[0]


def test_json_is_an_object_a_line(songs: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("analyse", songs, "--store", kept, "--jobs", 1, "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [song["file"] for song in told] == sorted(map(str, songs.iterdir()))
    for song in told:
        recording = read_audio(Path(song["file"]))
        assert song["content_hash"] == recording.source.content_hash
        assert song["duration_s"] == recording.source.duration_s
        assert song["tempo_bpm"] == pytest.approx(120, rel=0.05)
        track = Store(kept).load(Key(recording.source))
        assert track is not None
        assert (song["beats"], tuple(song["missing"])) == (track.n_beats, track.missing)
        assert 0 <= song["music_share"] <= 1


def test_the_beats_of_one_song_can_be_read_back(songs: Path, kept: Path, tmp_path: Path) -> None:
    song, beats = songs / "song00.wav", tmp_path / "beats.csv"
    arguments = ("analyse", song, "--store", kept, "--beats-out", beats)
    assert rl_editor(*arguments) == 0
    assert beats.read_text().splitlines()[0] == "time_s,position"
    known, track = read_beats(beats), Store(kept).load(Key(read_audio(song).source))
    assert track is not None
    assert np.allclose(known.times_s, track.bounds_s[:-1], atol=1e-6)
    assert np.array_equal(known.position, track.bar_position)
    assert rl_editor(*arguments) == 1
    assert rl_editor(*arguments, "--overwrite") == 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--beats-out", "beats.csv"), 2, "takes the beats of one song, not of 4"),
        (("--jobs", "0"), 2, "--jobs 0: at least 1"),
        (("--store", __file__), 1, "is not a folder you can write to"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    arguments: tuple[str, ...], status: int, says: str, songs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rl_editor("analyse", songs, *arguments) == status
    told = capsys.readouterr()
    assert not told.out
    assert len(told.err.splitlines()) == 1
    assert says in told.err


def test_bad_files_do_not_stop_the_others(songs: Path, kept: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    named = [songs / "song00.wav", bad, tmp_path / "missing.wav", songs / "song01.wav"]
    run = start(*named, "--store", tmp_path / "store", "--jobs", 2)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 1
    assert [line.partition(": ")[0] for line in out.splitlines()] == [str(named[0]), str(named[3])]
    assert len(err.splitlines()) == 2, err
    assert f"rl-editor: {bad}: " in err
    assert f"rl-editor: {named[2]}: no such file" in err
    assert contents(tmp_path / "store").items() <= contents(kept).items()


def test_what_is_kept_is_not_done_again_and_damage_is_healed(songs: Path, kept: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert rl_editor("analyse", songs, "--store", store, "--jobs", 1, "--quiet") == 0
    before = times(store)
    assert len(before) == 4
    damaged, lost, *_ = sorted(store.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:1000])
    lost.unlink()
    assert rl_editor("analyse", songs, "--store", store, "--jobs", 1, "--quiet") == 0
    assert contents(store) == contents(kept)
    same = before.keys() - {damaged.name, lost.name}
    assert {name: time_ns for name, time_ns in times(store).items() if name in same} == {
        name: before[name] for name in same
    }


def test_two_programs_at_once_on_the_same_files(songs: Path, kept: Path, tmp_path: Path) -> None:
    runs = [start(songs, "--store", tmp_path, "--jobs", 1) for _ in range(2)]
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert told[0] == told[1]
    assert told[0][1] == ""
    assert contents(tmp_path) == contents(kept)
    assert not list(tmp_path.glob(".*"))


def test_results_go_to_a_pipe_while_bars_are_drawn_on_a_terminal(songs: Path, kept: Path) -> None:
    master, slave = pty.openpty()
    drawn: list[bytes] = []

    def watch() -> None:
        try:
            while block := os.read(master, 4096):
                drawn.append(block)
        except OSError:  # the program has left
            pass

    watcher = threading.Thread(target=watch)
    environment = os.environ | {"TERM": "xterm"}
    run = start(songs, "--store", kept, "--jobs", 1, "--json", stderr=slave, env=environment)
    os.close(slave)
    watcher.start()
    out, _ = run.communicate(timeout=300)
    watcher.join()
    os.close(master)
    assert len([json.loads(line) for line in out.splitlines()]) == 4
    assert b"analysing" in b"".join(drawn)
    assert b"content_hash" not in b"".join(drawn)


def wait_for(condition: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    while not condition():
        assert run.poll() is None, "it came to its end undisturbed"
        time.sleep(0.002)


def disturbed(songs: Path, store: Path, how: signal.Signals, *, more: int, delay_s: float) -> str:
    """Signal the whole process group some time after that many more songs are kept; what it said on stderr."""
    kept = len(list(store.glob("[!.]*")))
    run = start(songs, "--store", store, "--jobs", 2)
    wait_for(lambda: len(list(store.glob("[!.]*"))) >= kept + more, run)
    time.sleep(delay_s)
    os.killpg(run.pid, how)
    _, err = run.communicate(timeout=60)
    assert run.returncode == (130 if how == signal.SIGINT else -how)
    return err


def test_an_interrupt_is_one_line_and_the_next_run_goes_on(songs: Path, kept: Path, tmp_path: Path) -> None:
    err = disturbed(songs, tmp_path, signal.SIGINT, more=1, delay_s=0.0)
    assert err == "rl-editor: interrupted; nothing half-written was left\n"
    before = times(tmp_path)
    assert contents(tmp_path).items() <= contents(kept).items()
    assert rl_editor("analyse", songs, "--store", tmp_path, "--jobs", 1) == 0
    assert contents(tmp_path) == contents(kept)
    assert before.items() <= times(tmp_path).items()


@pytest.mark.slow
def test_killed_five_times_it_ends_with_the_same_tracks(tmp_path: Path) -> None:
    songs, store = make_songs(tmp_path / "songs", 20), tmp_path / "store"
    assert rl_editor("analyse", songs, "--store", tmp_path / "kept", "--jobs", 2) == 0
    rng = np.random.default_rng()
    for _ in range(5):
        delay_s = rng.uniform(0.0, 0.1)
        disturbed(songs, store, signal.SIGKILL, more=int(rng.integers(0, 3)), delay_s=delay_s)
        assert contents(store).items() <= contents(tmp_path / "kept").items()
    assert rl_editor("analyse", songs, "--store", store, "--jobs", 2) == 0
    assert len(contents(store)) == 20
    assert contents(store) == contents(tmp_path / "kept")
