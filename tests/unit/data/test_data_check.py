"""What the heads of files tell before anything is computed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rl_editor.audio.files import read_audio, write_audio
from rl_editor.data.data_check import check
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL, Maker, Segment

RATE = 8000


def sound(path: Path, seconds: float, rate: int = RATE) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, round(seconds * rate)))
    write_audio(path, noise.astype(np.float32), rate)


def exact_pair(folder: Path) -> EDL:
    sound(folder / "jam_raw.wav", 20.0)
    sound(folder / "jam_edit.wav", 5.0)
    source = read_audio(folder / "jam_raw.wav").source
    edl = EDL(source, (Segment(0, 3 * RATE), Segment(8 * RATE, 10 * RATE)), Maker("truth"))
    edl_files.write(edl, folder / "edl" / "jam.json", overwrite=True)
    return edl


def test_pairs_are_told_with_formats_and_lengths(tmp_path: Path) -> None:
    exact_pair(tmp_path)
    sound(tmp_path / "test_input" / "live.mp3", 70.0)
    sound(tmp_path / "test_input" / "live_edit.flac", 21.0)
    found = check(tmp_path)
    assert found.problems == ()
    assert [pair.line() for pair in found.pairs] == [
        "jam: 0:20.0 -> 0:05.0 (25 %), WAV PCM_16, exact edit",
        "live: 1:10.0 -> 0:21.0 (30 %), MP3 MPEG_LAYER_III and FLAC PCM_16, edit to recover, test",
    ]


@pytest.mark.parametrize(
    ("raw_s", "edit_s", "file", "says"),
    [
        (20.0, 1.0, "jam_edit.wav", "1.0 s long; at least 2 s are needed"),
        (1.5, 2.0, "jam_raw.wav", "1.5 s long"),
        (10.0, 16.0, "jam_edit.wav", "0:16.0 long, its raw 0:10.0; is one of them another song, or are they swapped?"),
    ],
)
def test_impossible_lengths_are_problems(tmp_path: Path, raw_s: float, edit_s: float, file: str, says: str) -> None:
    sound(tmp_path / "jam_raw.wav", raw_s)
    sound(tmp_path / "jam_edit.wav", edit_s)
    (problem,) = check(tmp_path).problems
    assert problem.file == file
    assert says in problem.what


def test_files_that_are_no_sound_are_problems_and_others_are_told_all_the_same(tmp_path: Path) -> None:
    exact_pair(tmp_path)
    (tmp_path / "b_raw.wav").write_text("no sound")
    sound(tmp_path / "b_edit.wav", 5.0)
    found = check(tmp_path)
    assert [pair.key for pair in found.pairs] == ["jam"]
    assert [str(problem) for problem in found.problems] == ["b_raw.wav: not a sound file, or damaged from its start"]


def test_a_format_for_ffmpeg_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "a_raw.m4a").write_text("whatever")
    sound(tmp_path / "a_edit.wav", 5.0)
    found = check(tmp_path)
    assert found.problems == ()
    assert found.pairs[0].line() == "a: ? -> 0:05.0, a format for ffmpeg and WAV PCM_16, edit to recover"


def test_an_edl_must_fit_its_raw_and_its_edit(tmp_path: Path) -> None:
    edl = exact_pair(tmp_path)
    path = tmp_path / "edl" / "jam.json"

    def problem_with(changed: EDL) -> str:
        edl_files.write(changed, path, overwrite=True)
        (problem,) = check(tmp_path).problems
        assert problem.file == "edl/jam.json"
        return problem.what

    assert "plays 0:03.0, but jam_edit.wav is 0:05.0 long" in problem_with(replace(edl, segments=edl.segments[:1]))
    longer = replace(edl.source, n_samples=edl.source.n_samples + 1)
    assert "of a recording of another length" in problem_with(replace(edl, source=longer))
    path.write_text("{}")
    (problem,) = check(tmp_path).problems
    assert "version None" in problem.what


def test_a_card_that_can_not_be_read_is_a_problem(tmp_path: Path) -> None:
    exact_pair(tmp_path)
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "jam.json").write_text("[]")
    (problem,) = check(tmp_path).problems
    assert problem.file == "cards/jam.json"
