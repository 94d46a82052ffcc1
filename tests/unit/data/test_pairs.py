"""Names of training data: which files make a pair, and what is told of the rest."""

from pathlib import Path

import pytest

from rl_editor.data.pairs import find_pairs
from rl_editor.errors import DataError


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")
    return tmp_path


@pytest.mark.parametrize(
    ("raw", "edit"),
    [
        ("jam_raw.wav", "jam_edit.mp3"),
        ("input/jam_raw.flac", "desired_output/jam_edit.ogg"),
        ("input/jam.wav", "desired_output/jam.wav"),
        ("input/jam.WAV", "reference/jam.wav"),
        ("test_input/jam_raw.wav", "test_input/jam_edit.wav"),
        ("test_input/jam.wav", "desired_output/jam_edit.wav"),
        ("input/jam_raw.wav", "jam_edit.wav"),
    ],
)
def test_a_raw_and_an_edit_of_one_name_are_a_pair(tmp_path: Path, raw: str, edit: str) -> None:
    found = find_pairs(folder_of(tmp_path, raw, edit))
    assert found.problems == ()
    (pair,) = found.pairs
    assert (pair.key, pair.raw, pair.edit) == ("jam", Path(raw), Path(edit))
    assert pair.test == raw.startswith("test_input")


def test_exact_edits_and_cards_belong_to_their_pair(tmp_path: Path) -> None:
    found = find_pairs(folder_of(tmp_path, "a.b_raw.wav", "a.b_edit.wav", "edl/a.b.json", "cards/a.b.json"))
    (pair,) = found.pairs
    assert (pair.edl, pair.card) == (Path("edl/a.b.json"), Path("cards/a.b.json"))
    assert len(pair.files) == 4


def test_a_finished_song_alone_is_no_mistake_and_the_desired_output_comes_first(tmp_path: Path) -> None:
    found = find_pairs(
        folder_of(tmp_path, "reference/hit.mp3", "input/a.wav", "desired_output/a.wav", "reference/a.wav")
    )
    assert found.problems == ()
    assert [pair.edit for pair in found.pairs] == [Path("desired_output/a.wav")]


@pytest.mark.parametrize(
    ("names", "file", "says"),
    [
        (["jam_raw.wav"], "jam_raw.wav", "a raw without its edit (jam_edit)"),
        (["desired_output/jam.wav"], "desired_output/jam.wav", "an edit without its raw (jam_raw)"),
        (["edl/jam.json"], "edl/jam.json", "an EDL without its raw (jam_raw)"),
        (["cards/jam.json"], "cards/jam.json", "a card without its raw (jam_raw)"),
        (["jam.wav"], "jam.wav", "neither a raw nor an edit by its name; call it jam_raw or jam_edit"),
        (["jam_raw.wav", "input/jam.wav", "jam_edit.wav"], "jam_raw.wav", "of the same name as input/jam.wav"),
    ],
)
def test_what_makes_no_pair_is_told(tmp_path: Path, names: list[str], file: str, says: str) -> None:
    found = find_pairs(folder_of(tmp_path, *names))
    assert found.pairs == ()
    (problem,) = found.problems
    assert problem.file == file
    assert problem.what.startswith(says)


def test_what_is_no_sound_or_hidden_or_prepared_is_passed_over(tmp_path: Path) -> None:
    names = [
        "notes_raw.txt",
        ".rl-editor.x_raw.flac",
        "prepared/edl/jam.json",
        "_raw.json",
        "prepared/takes/jam_raw.wav",
    ]
    found = find_pairs(folder_of(tmp_path, *names))
    assert (found.pairs, found.problems) == ((), ())


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_pairs(tmp_path / "nowhere")
