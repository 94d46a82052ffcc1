"""Cards and files of training data."""

import json
import os
import re
from pathlib import Path

import pytest

from rl_editor.data.training_files import Card, SongIdentity, TakeFiles, make_folders, read_card, write_card
from rl_editor.errors import DataError


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    card = Card(
        SongIdentity("ab12", "lied ä.ogg"),
        (SongIdentity("cd34"),),
        seed=3,
        take=2,
        files={"a": "b"},
        made={"mode": "full"},
    )
    write_card(tmp_path / "card.json", card, overwrite=False)
    assert read_card(tmp_path / "card.json") == card


def test_a_card_of_ones_own_names_the_song_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"version": 1, "song": {"content_hash": "our song"}}')
    assert read_card(tmp_path / "card.json") == Card(SongIdentity("our song"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "no card; it begins with {"),
        ("{", "no card; line 1 is not JSON"),
        ('{"version": 1,\n"song": }', "no card; line 2 is not JSON"),
        ("{}", "no version; this program reads version 1"),
        ('{"version": 2}', "version 2; this program reads version 1"),
        ('{"version": 1}', "no card; song must be {"),
        ('{"version": 1, "song": {"content_hash": 5}}', "content_hash of song must be text"),
        ('{"version": 1, "song": {"hash": "a"}}', "no card; song must be {"),
        ('{"version": 1, "song": {"content_hash": "a"}, "mood": "happy"}', "no field mood, only song, others, seed"),
        ('{"version": 1, "song": {"content_hash": "a"}, "others": [5]}', "each of others must be"),
        ('{"version": 1, "song": {"content_hash": "a"}, "files": []}', "files must be SHA-256 by name"),
        ('{"version": 1, "song": {"content_hash": "a"}, "seed": "x"}', "seed must be a whole number"),
    ],
)
def test_what_is_no_card_is_told_with_its_name(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(DataError, match=f"card.json: .*{re.escape(says)}"):
        read_card(tmp_path / "card.json")


def test_hashes_are_of_the_files_that_are_there(tmp_path: Path) -> None:
    files = TakeFiles(tmp_path, "jam")
    files.raw.write_bytes(b"raw")
    files.edl.parent.mkdir()
    files.edl.write_text(json.dumps({}))
    before = files.hashes()
    assert list(before) == ["jam_raw.flac", "edl/jam.json"]
    files.raw.write_bytes(b"other")
    assert files.hashes()["jam_raw.flac"] != before["jam_raw.flac"]
    assert files.hashes()["edl/jam.json"] == before["edl/jam.json"]


def test_what_a_killed_run_left_is_deleted_after_an_hour(tmp_path: Path) -> None:
    make_folders(tmp_path, "edl")
    old, young = tmp_path / "edl" / ".rl-editor.old.json", tmp_path / ".rl-editor.young.flac"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    make_folders(tmp_path, "edl")
    assert young.exists()
    assert not old.exists()
