"""`rl-editor evaluate` and `rl-editor benchmark`, as a user runs them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from rl_editor.audio.files import read_audio, write_audio
from rl_editor.cli import benchmark, evaluate, sample_data
from rl_editor.edits import edl as edls
from rl_editor.edits.render import render
from rl_editor.edits.ruler.verdict import NAMES
from rl_editor.errors import DataError, EditorError, RequestError


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takes")
    arguments = [str(folder), "--songs", "1", "--minutes", "1", "--seed", "5", "--quiet"]
    assert sample_data.run(sample_data.parser().parse_args(arguments)) == 0
    return folder


@pytest.fixture(scope="module")
def raw(takes: Path) -> Path:
    return next((takes / "jams").glob("*_raw.wav"))


@pytest.fixture(scope="module")
def song(raw: Path) -> Path:
    """The true edit as sound."""
    exact = edls.read(raw.with_suffix(".edl.json"))
    path = raw.parents[1] / "exact.wav"
    write_audio(path, render(read_audio(raw).audio, exact), exact.source.sample_rate)
    return path


def run(command: object, *arguments: object) -> int:
    status: int = command.run(command.parser().parse_args(list(map(str, arguments))))  # type: ignore[attr-defined]
    return status


def test_the_true_edit_is_judged_from_its_sound_and_told_as_json(
    raw: Path, song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(evaluate, raw, song, "--human", raw.with_suffix(".edl.json"), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] > 0.85
    assert list(told["components"]) == list(NAMES)
    assert told["components"]["agreement"]["score"] > 0.98


def test_a_worse_output_gets_a_lower_verdict_and_the_lines_say_why(
    raw: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording, exact = read_audio(raw), edls.read(raw.with_suffix(".edl.json"))
    first = exact.segments[0]
    torn = tmp_path / "torn.wav"
    write_audio(torn, recording.audio[:, first.start + 60_000 : (first.start + first.end) // 2], recording.sample_rate)
    verdicts = []
    for output in (song, torn):
        assert run(evaluate, raw, output, "--target", f"{exact.duration_s:.1f}", "--quiet") == 0
        verdicts.append(float(capsys.readouterr().out.rpartition(": ")[2]))
    assert verdicts[0] > verdicts[1] + 0.1
    assert run(evaluate, raw, torn) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("  ending") for line in lines)
    assert any(line.startswith("  start") for line in lines)


def test_what_is_not_of_this_recording_is_told(
    raw: Path, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 12 * 44100)).astype(np.float32)
    other = tmp_path / "other.wav"
    write_audio(other, noise, 44100)
    assert run(evaluate, raw, other) == 0
    told = capsys.readouterr()
    assert "nothing of it was found" in told.err
    assert told.out.startswith(f"{other}: 0.000")
    assert "-" not in told.out.partition("fragmentation")[2].partition("\n")[0]
    with pytest.raises(DataError, match=r"other\.wav: nothing of the edit was found"):
        run(evaluate, raw, song, "--human", other)
    foreign = tmp_path / "foreign.json"
    text = raw.with_suffix(".edl.json").read_text()
    digest = json.loads(text)["source"]["content_hash"]
    foreign.write_text(text.replace(digest, "0" * len(digest)))
    with pytest.raises(DataError, match="an edit of another recording than"):
        run(evaluate, raw, song, "--human", foreign)
    with pytest.raises(RequestError, match="must be more than 0"):
        run(evaluate, raw, song, "--target", "0")


def test_one_bad_take_stops_no_benchmark(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (raw.name, raw.with_suffix(".edl.json").name):
        (tmp_path / name).write_bytes((raw.parent / name).read_bytes())
    (tmp_path / "a_raw.wav").write_text("no sound")
    (tmp_path / "a_raw.edl.json").write_text("{}")
    assert run(benchmark, tmp_path, "--editors", "random", "--quiet") == 0
    told = capsys.readouterr()
    assert "a is left out" in told.err
    assert "| random | 1 |" in told.out
    assert " to " not in told.out
    (tmp_path / raw.name).unlink()
    with pytest.raises(DataError, match="no take that could be judged"):
        run(benchmark, tmp_path, "--editors", "random", "--quiet")


def test_a_benchmark_is_a_table_a_csv_and_a_picture(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "told"
    assert run(benchmark, takes, "--editors", "planner,random", "-o", output, "--quiet") == 0
    table = capsys.readouterr().out
    assert (output / "benchmark.md").read_text() == table
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["exact", "planner", "random"]
    rows = list(csv.DictReader((output / "benchmark.csv").read_text().splitlines()))
    verdicts = {row["editor"]: float(row["verdict"]) for row in rows}
    assert verdicts["exact"] > verdicts["random"] + 0.2
    assert (output / "edits.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EditorError, match="exists already"):
        run(benchmark, takes, "--editors", "planner", "-o", output, "--quiet")


def test_what_can_not_be_judged_is_one_clear_line(tmp_path: Path, takes: Path) -> None:
    with pytest.raises(DataError, match="no take in it"):
        run(benchmark, tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        run(benchmark, tmp_path / "nowhere")
    with pytest.raises(RequestError, match="editor 'best'"):
        run(benchmark, takes, "--editors", "best")
