"""Which recordings a command line means: files as they are, of folders all sound files below."""

from collections.abc import Iterable
from pathlib import Path

from rl_editor.audio.encoding import SOUND_SUFFIXES
from rl_editor.errors import DataError


def find_songs(named: Iterable[str]) -> list[Path]:
    """The recordings meant, in the order named; those of a folder sorted, without hidden ones.

    Raises:
        DataError: a folder holds no sound file.
    """
    songs = []
    for text in named:
        if not text:
            raise DataError("a recording without a name (an empty argument)")
        path = Path(text)
        songs += _songs_below(path) if path.is_dir() else [path]
    return songs


def _songs_below(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SOUND_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    if not found:
        raise DataError(f"{folder}: no sound files in this folder")
    return found
