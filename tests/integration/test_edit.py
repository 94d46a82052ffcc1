"""`rl-editor edit` and `rl-editor render` as a user runs them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from rl_editor.audio.files import read_audio
from rl_editor.cli.main import main


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def test_a_recording_alone_gives_a_song_with_its_edl_and_picture(jam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("edit", jam) == 0
    names = {path.name for path in jam.parent.iterdir()}
    assert names == {"jam.wav", "jam.edit.wav", "jam.edit.json", "jam.edit.png"}
    assert "jam.wav: 0:40 -> " in capsys.readouterr().out
    assert json.loads((jam.parent / "jam.edit.json").read_text())["source"]["file"] == "jam.wav"


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_the_file_has_as_many_samples_as_the_edl_says(jam: Path, suffix: str, tmp_path: Path) -> None:
    song = tmp_path / "out" / f"song{suffix}"
    assert rl_editor("edit", jam, "--keep", "0.4", "-o", song) == 0
    edl = json.loads(song.with_suffix(".json").read_text())
    played = sum(segment["end"] - segment["start"] for segment in edl["segments"])
    assert abs(played / 22050 - 16.0) <= 1.0
    assert read_audio(song).audio.shape == (2, played)


def test_rendering_the_edl_gives_the_same_samples(jam: Path, tmp_path: Path) -> None:
    song, again = tmp_path / "song.wav", tmp_path / "again.wav"
    assert rl_editor("edit", jam, "--keep", "0.5", "-o", song) == 0
    assert rl_editor("render", song.with_suffix(".json"), "-o", again) == 0
    assert song.read_bytes() == again.read_bytes()


def test_outside_fades_a_16_bit_edit_is_a_16_bit_copy(jam: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    assert rl_editor("edit", jam, "--keep", "0.5", "-o", song) == 0
    edl = json.loads(song.with_suffix(".json").read_text())
    raw, made = (sf.read(path, dtype="int16")[0] for path in (jam, song))
    first = edl["segments"][0]
    length = first["end"] - first["start"] - max(edl["end_fade"], *(s["fade"] for s in edl["segments"]))
    skip = first["fade"]
    assert np.array_equal(made[skip:length], raw[first["start"] + skip : first["start"] + length])


def test_the_same_edit_on_stems_and_remasters(jam: Path, tmp_path: Path) -> None:
    song, stems = tmp_path / "song.wav", tmp_path / "stems"
    assert rl_editor("edit", jam, "--keep", "0.5", "-o", song) == 0
    edl = song.with_suffix(".json")
    other = tmp_path / "other.flac"
    sf.write(other, sf.read(jam)[0][:, 0] * 0.5, 22050)
    assert rl_editor("render", edl, "--source", jam, other, "-o", f"{stems}/") == 0
    assert read_audio(stems / "other.flac").audio.shape[1] == read_audio(song).audio.shape[1]
    short = tmp_path / "short.wav"
    sf.write(short, sf.read(jam)[0][:-5], 22050)
    assert rl_editor("render", edl, "--source", short, "-o", tmp_path / "x.wav") == 1


def test_a_dry_run_writes_nothing_and_json_tells_all(jam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("edit", jam, "--duration", "0:20", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert abs(told["duration_s"] - 20.0) <= 1.0
    assert told["output"] is None
    assert [path.name for path in jam.parent.iterdir()] == ["jam.wav"]


def test_join_preview_plays_three_seconds_around_each_join(jam: Path, tmp_path: Path) -> None:
    song, preview = tmp_path / "song.wav", tmp_path / "joins.wav"
    assert rl_editor("edit", jam, "--keep", "0.5", "--editor", "random", "-o", song, "--join-preview", preview) == 0
    edl = json.loads(song.with_suffix(".json").read_text())
    joins = len(edl["segments"]) - 1
    length_s = read_audio(preview).audio.shape[1] / 22050
    assert joins > 1
    assert 3.0 * joins <= length_s <= 6.5 * joins


def test_results_are_replaced_only_when_asked(jam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("edit", jam) == 0
    before = (jam.parent / "jam.edit.wav").read_bytes()
    assert rl_editor("edit", jam, "--keep", "0.3") == 1
    assert "exists already; --overwrite replaces it" in capsys.readouterr().err
    assert (jam.parent / "jam.edit.wav").read_bytes() == before
    assert rl_editor("edit", jam, "--keep", "0.3", "--overwrite") == 0
    assert (jam.parent / "jam.edit.wav").read_bytes() != before


def test_one_bad_song_does_not_stop_the_others(jam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("edit", tmp_path / "nothing.wav", jam, "-o", f"{tmp_path / 'songs'}/") == 1
    assert (tmp_path / "songs" / "jam.edit.wav").is_file()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_target_equal_to_its_source_is_refused(jam: Path) -> None:
    before = jam.read_bytes()
    assert rl_editor("edit", jam, "-o", jam, "--overwrite") == 1
    assert jam.read_bytes() == before


def test_in_python(jam: Path) -> None:
    import rl_editor as package

    recording = read_audio(jam)
    song, edl = package.edit(recording.audio, recording.sample_rate, duration_s=15)
    assert song.shape == (2, edl.n_samples)
    assert abs(edl.duration_s - 15) <= 1.0
    mono = package.analyse(recording.audio[0], recording.sample_rate)
    assert mono.source.channels == 1
    assert mono.missing == ()


def test_the_program_starts_in_a_second_without_heavy_imports(program: Callable) -> None:
    code = (
        "import sys, rl_editor, rl_editor.cli.main as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'librosa', 'lightning', 'numba', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert program("--help").returncode == 0
    assert program("edit", "--help").stdout.startswith("usage: rl-editor edit")
