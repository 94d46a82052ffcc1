"""What a user gets wrong: one line, the documented exit status, nothing half-written."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

RATE = 22050


def missing(folder: Path) -> list[object]:
    return [folder / "no.wav"]


def empty(folder: Path) -> list[object]:
    (folder / "empty.wav").touch()
    return [folder / "empty.wav"]


def text_as_mp3(folder: Path) -> list[object]:
    (folder / "text.mp3").write_text("This is no music.\n" * 500)
    return [folder / "text.mp3"]


def truncated_flac(folder: Path) -> list[object]:
    whole = folder / "whole.flac"
    sf.write(whole, np.random.default_rng(0).standard_normal((10 * RATE, 2)) * 0.1, RATE)
    (folder / "cut.flac").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    return [folder / "cut.flac"]


def silence(folder: Path) -> list[object]:
    sf.write(folder / "silence.wav", np.zeros((10 * RATE, 2)), RATE)
    return [folder / "silence.wav"]


def one_second(folder: Path) -> list[object]:
    sf.write(folder / "one.wav", np.random.default_rng(0).standard_normal(RATE) * 0.1, RATE)
    return [folder / "one.wav"]


def not_a_number(folder: Path) -> list[object]:
    sound = np.random.default_rng(0).standard_normal(10 * RATE) * 0.1
    sound[5 * RATE] = np.nan
    sf.write(folder / "nan.wav", sound, RATE, subtype="FLOAT")
    return [folder / "nan.wav"]


def a_folder(folder: Path) -> list[object]:
    (folder / "songs.wav").mkdir()
    return [folder / "songs.wav"]


def unwritable_output(folder: Path) -> list[object]:
    (folder / "file").write_text("not a folder")
    return [folder / "jam.wav", "-o", folder / "file" / "song.wav"]


def unknown_format(folder: Path) -> list[object]:
    return [folder / "jam.wav", "-o", folder / "song.xyz"]


def impossible_length(folder: Path) -> list[object]:
    return [folder / "jam.wav", "--duration", "3:00:00"]


def no_length_at_all(folder: Path) -> list[object]:
    return [folder / "jam.wav", "--keep", "0"]


def two_lengths(folder: Path) -> list[object]:
    return [folder / "jam.wav", "--keep", "0.5", "--duration", "1:00"]


def no_time(folder: Path) -> list[object]:
    return [folder / "jam.wav", "--duration", "four"]


def unknown_editor(folder: Path) -> list[object]:
    return [folder / "jam.wav", "--editor", "best"]


@pytest.mark.parametrize(
    ("wrong", "status", "says"),
    [
        (missing, 1, "no such file"),
        (empty, 1, "is empty"),
        (text_as_mp3, 1, r"text\.mp3: "),
        (truncated_flac, 1, r"cut\.flac: "),
        (silence, 1, "silent from start to end"),
        (one_second, 1, "1.0 s long; analysis needs at least 2 s"),
        (not_a_number, 1, "NaN"),
        (a_folder, 1, "no sound files in this folder"),
        (unwritable_output, 1, "can't be written"),
        (unknown_format, 1, "xyz"),
        (impossible_length, 1, "can't be made 3:00:00 long"),
        (no_length_at_all, 2, "'0' is no number above 0"),
        (two_lengths, 2, "not allowed with"),
        (no_time, 2, "'four' is no time"),
        (unknown_editor, 1, "there are auto, head"),
    ],
)
def test_a_wrong_input_gets_one_line_and_leaves_nothing(
    wrong: Callable[[Path], list[object]], status: int, says: str, jam: Path, program: Callable
) -> None:
    arguments = wrong(jam.parent)
    before = {path: path.stat().st_mtime_ns for path in jam.parent.rglob("*") if path.is_file()}
    result = program("edit", *arguments, "--quiet", cwd=jam.parent, env=os.environ | {"PATH": ""})
    assert result.returncode == status, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("rl-editor: ")
    assert re.search(says, lines[0]), lines[0]
    assert {path: path.stat().st_mtime_ns for path in jam.parent.rglob("*") if path.is_file()} == before


def test_without_a_command_the_commands_are_told(program: Callable) -> None:
    assert "usage: rl-editor COMMAND" in program().stdout
    wrong = program("edit-all")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
