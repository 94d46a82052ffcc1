"""`rl-editor recover` on files, as a user has them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rl_editor.audio.files import read_audio, write_audio
from rl_editor.cli import recover as command
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.recovery.recover import recover
from rl_editor.edits.render import positions, render
from rl_editor.errors import EditorError

Run = Callable[..., subprocess.CompletedProcess[str]]


def run(*arguments: object) -> int:
    return command.run(command.parser().parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def song(jam: Path) -> Path:
    """Two parts of the jam in another order, as MP3."""
    raw = read_audio(jam)
    rate = raw.sample_rate
    segments = (Segment(20 * rate, 31 * rate), Segment(3 * rate, 12 * rate, 300))
    path = jam.parent / "song.mp3"
    write_audio(path, render(raw.audio, EDL(raw.source, segments, Maker("by hand"))), rate)
    return path


def test_the_recovered_edl_plays_the_edit_again(jam: Path, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = jam.parent / "edl.json"
    assert run(jam, song, "-o", path, "--plot") == 0
    edit = read_audio(song).audio
    again = render(read_audio(jam).audio, edls.read(path))
    n = min(edit.shape[1], again.shape[1])
    assert abs(edit.shape[1] - again.shape[1]) < 0.01 * edit.shape[1]
    assert np.square(edit[:, :n] - again[:, :n]).sum() < 0.05 * np.square(edit).sum()
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    told = capsys.readouterr().out
    assert "found in" in told
    assert "from 0:20 to 0:31" in told


def test_told_as_json_it_is_what_is_written(jam: Path, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = jam.parent / "out" / "edl.json"
    assert run(jam, song, "-o", path, "--json") == 0
    told, written = json.loads(capsys.readouterr().out), json.loads(path.read_text())
    assert written["source"].pop("file") == "../jam.wav"
    del told["source"]["file"]
    assert told == written
    assert told["coverage"] > 0.99
    assert {path.name for path in (jam.parent / "out").iterdir()} == {"edl.json"}


def test_nothing_is_replaced_unasked(jam: Path, song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = jam.parent / "edl.json"
    path.with_suffix(".png").write_text("mine")
    with pytest.raises(EditorError, match=r"edl.png: exists already"):
        run(jam, song, "-o", path, "--plot")
    oddly_named = song.with_name("song.json")
    oddly_named.write_bytes(song.read_bytes())
    with pytest.raises(EditorError, match="is the recording itself"):
        run(jam, oddly_named, "-o", oddly_named, "--overwrite")
    assert not path.exists()
    assert run(jam, song, "-o", path, "--plot", "--overwrite", "--quiet") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("name", ["edl.png", "edl.wav", "edl"])
def test_an_edl_is_written_as_json_only(jam: Path, name: str, program: Run) -> None:
    result = program("recover", jam, jam.with_name("missing.wav"), "-o", jam.with_name(name), "--plot")
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"{name}: the EDL needs a name that ends in .json")
    assert {path.name for path in jam.parent.iterdir()} == {"jam.wav"}


def test_where_nothing_is_found_nothing_is_written(jam: Path, program: Run) -> None:
    noise = jam.with_name("noise.wav")
    write_audio(noise, 0.1 * np.random.default_rng(0).standard_normal((2, 5 * 22050)).astype(np.float32), 22050)
    result = program("recover", jam, noise, "-o", jam.with_name("edl.json"), "--plot", "--quiet")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"{noise}: nothing of it was found in {jam}; no EDL was written")
    assert {path.name for path in jam.parent.iterdir()} == {"jam.wav", "noise.wav"}


def test_real_music_is_recovered_to_the_sample(data: Path) -> None:
    raw = read_audio(data / "music" / "stk_west.ogg")
    rate = raw.sample_rate
    segments = (
        Segment(30 * rate, 38 * rate),
        Segment(10 * rate + 7, 17 * rate, 900),
        Segment(35 * rate, 41 * rate, 400),
    )
    edl = EDL(raw.source, segments, Maker("made-up"))
    found = recover(raw.audio, rate, render(raw.audio, edl), rate, source=raw.source)
    offsets = [segment.start - round(segment.at_s * rate) for segment in found.segments]
    assert offsets == [segment.start - at for at, segment in zip(positions(segments), segments, strict=True)]
    assert found.coverage > 0.999


def test_a_master_by_human_hands_is_matched_to_its_mix(data: Path) -> None:
    folder = data / "pairs" / "mcl_lullaby"
    raw, edit = read_audio(folder / "raw.ogg"), read_audio(folder / "edit.ogg")
    found = recover(raw.audio, raw.sample_rate, edit.audio, edit.sample_rate, source=raw.source)
    (segment,) = found.segments
    said = json.loads((folder / "pair.json").read_text())["segments"][0]
    there_s = segment.start / raw.sample_rate - segment.at_s
    assert there_s == pytest.approx(said["raw_start"] - said["edit_start"], abs=0.002)
