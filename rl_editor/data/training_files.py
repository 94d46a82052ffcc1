"""A folder of training data: what its files are called, and the card that lies beside a take that was made.

    KEY_raw.flac, KEY_edit.flac   the recording and its edit
    edl/KEY.json                  the exact edit, where it is known
    cards/KEY.json                what is known besides, such as which song it is
    prepared/                     what `rl-editor prepare` makes of all of it

A card is JSON. Of a pair of one's own it may be as short as

    {"version": 1, "song": {"content_hash": "any text that all pairs of this song share"}}

and then keeps the pairs of one song on one side of the split. `rl-editor synthesize` writes into it all that made
the take: `song`, `others`, `seed`, `take`, SHA-256 of the `files`, and as `made` what was played.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rl_editor.atomic import check_writable, write_text
from rl_editor.errors import DataError

CARD_VERSION = 1
SUBFOLDERS = ("edl", "cards")
_ABANDONED_S = 3600.0  # a write takes seconds: who left this behind was killed


@dataclass(frozen=True)
class SongIdentity:
    """The song a take was made of."""

    content_hash: str
    """SHA-256 of its sound; decides the split."""
    file: str = ""
    """Name of its file."""


@dataclass(frozen=True)
class Card:
    """What is known about a pair besides its sound."""

    song: SongIdentity
    others: tuple[SongIdentity, ...] = ()
    """Songs of which something was played besides."""
    seed: int | None = None
    take: int | None = None
    """Number of the take of this song, from 1."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file's bytes, by its name relative to the folder of training data."""
    made: dict[str, Any] = field(default_factory=dict)
    """What was played, as the maker of the take tells it."""


@dataclass(frozen=True)
class TakeFiles:
    """The files of one take that is made."""

    folder: Path
    key: str

    @property
    def raw(self) -> Path:
        """The recording."""
        return self.folder / f"{self.key}_raw.flac"

    @property
    def edit(self) -> Path:
        """The finished song."""
        return self.folder / f"{self.key}_edit.flac"

    @property
    def edl(self) -> Path:
        """The exact edit."""
        return edl_path(self.folder, self.key)

    @property
    def card(self) -> Path:
        """What is known besides; written last."""
        return card_path(self.folder, self.key)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the files that a card vouches for, by name; without those that are not there."""
        there = (path for path in (self.raw, self.edit, self.edl) if path.is_file())
        return {path.relative_to(self.folder).as_posix(): file_hash(path) for path in there}


def edl_path(folder: Path, key: str) -> Path:
    """Where the exact edit of a pair lies, if it is known."""
    return folder / "edl" / f"{key}.json"


def card_path(folder: Path, key: str) -> Path:
    """Where the card of a pair lies, if it has one."""
    return folder / "cards" / f"{key}.json"


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        DataError: the file can't be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error


def write_card(path: Path, card: Card, *, overwrite: bool) -> None:
    """Write a card, whole or not at all.

    Raises:
        EditorError: the file exists and may not be replaced, or can't be written.
    """
    record = {"version": CARD_VERSION, **asdict(card)}
    lines = (f' "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in record.items())
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n", overwrite=overwrite)


def read_card(path: Path) -> Card:
    """Read a card; all but the version and the song's content hash may be left out.

    Raises:
        DataError: the file can't be read, is no card or of another version; the text names it.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record.pop("version", None)
        if version != CARD_VERSION:
            raise DataError(f"{path}: version {version!r}; this program reads version {CARD_VERSION}")
        song = SongIdentity(**record.pop("song"))
        others = tuple(SongIdentity(**other) for other in record.pop("others", ()))
        card = Card(song, others, **record)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise DataError(f"{path}: no card; a field is missing, unknown or of a wrong type ({error})") from error
    if not (isinstance(song.content_hash, str) and song.content_hash):
        raise DataError(f"{path}: no card; the song's content_hash must be text")
    return card


def make_folders(folder: Path, *names: str) -> None:
    """Make a folder and those of these names in it, and delete what killed processes left half-written there.

    Raises:
        EditorError: it can't be written.
    """
    check_writable(folder / "*", overwrite=True)
    for inside in (folder, *(folder / name for name in names)):
        try:
            inside.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{inside}: can't be made ({error.strerror})") from error
        _remove_abandoned(inside)


def _remove_abandoned(folder: Path) -> None:
    for temporary in folder.glob(".rl-editor.*"):
        try:
            if time.time() - temporary.stat().st_mtime > _ABANDONED_S:
                temporary.unlink()
        except OSError:  # renamed or deleted by another process meanwhile
            continue
