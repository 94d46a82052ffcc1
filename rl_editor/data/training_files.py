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
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rl_editor.atomic import check_writable, write_text
from rl_editor.errors import DataError

CARD_VERSION = 1
SUBFOLDERS = ("edl", "cards")
_KINDS: dict[str, tuple[type, str]] = {
    "others": (list, "a list of songs"),
    "seed": (int, "a whole number"),
    "take": (int, "a whole number"),
    "files": (dict, 'SHA-256 by name: {"...": "..."}'),
    "made": (dict, "a JSON object"),
}
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
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: no card; line {error.lineno} is not JSON") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no card; it is not JSON") from error
    try:
        return _card(record)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _card(record: Any) -> Card:
    if not isinstance(record, dict):
        raise DataError('no card; it begins with { and names the song: "song": {"content_hash": "..."}')
    version = record.pop("version", None)
    if version != CARD_VERSION:
        says = "no version" if version is None else f"version {json.dumps(version)}"
        raise DataError(f"{says}; this program reads version {CARD_VERSION}")
    known = [field.name for field in fields(Card)]
    unknown = sorted(record.keys() - set(known))
    if unknown:
        raise DataError(f"no card; there is no field {unknown[0]}, only {', '.join(known)}")
    for name, (kind, says) in _KINDS.items():
        if record.get(name) is not None and (not isinstance(record[name], kind) or isinstance(record[name], bool)):
            raise DataError(f"no card; {name} must be {says}")
    song = _song(record.pop("song", None), "song")
    others = tuple(_song(other, "each of others") for other in record.pop("others", None) or ())
    return Card(song, others, **{name: value for name, value in record.items() if value is not None})


def _song(record: Any, name: str) -> SongIdentity:
    if not isinstance(record, dict) or not record.keys() <= {"content_hash", "file"}:
        raise DataError(f'no card; {name} must be {{"content_hash": "..."}}, and may have a "file"')
    content_hash, file = record.get("content_hash"), record.get("file", "")
    if not (isinstance(content_hash, str) and content_hash and isinstance(file, str)):
        raise DataError(f"no card; the content_hash of {name} must be text, and its file too")
    return SongIdentity(content_hash, file)


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
