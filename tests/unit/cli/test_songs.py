from pathlib import Path

import pytest

from rl_editor.cli.songs import find_songs
from rl_editor.errors import DataError


def test_files_stay_as_named_and_folders_give_their_sound_files_sorted(tmp_path: Path) -> None:
    for name in ("b.WAV", "a/z.mp3", "a/notes.txt", "a/b/c.flac", "a/._z.mp3", ".trash/t.wav"):
        (tmp_path / "jams" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "jams" / name).touch()
    (tmp_path / "jams" / "folder.wav").mkdir()
    songs = find_songs(["later.xyz", str(tmp_path / "jams"), "first.wav"])
    inside = [tmp_path / "jams" / name for name in ("a/b/c.flac", "a/z.mp3", "b.WAV")]
    assert songs == [Path("later.xyz"), *inside, Path("first.wav")]


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no sound files in this folder"):
        find_songs([str(tmp_path)])
