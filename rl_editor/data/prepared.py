"""A prepared set: demonstrations and analyses on disk, ready to learn from.

    prepared/manifest.jsonl    what became of each pair: one `Entry` a line, by key
    prepared/pairs/KEY.json    what was measured on it, from which the manifest is made
    prepared/takes/KEY.npz     its demonstration
    prepared/edl/KEY.json      its edit, exact or recovered
    prepared/tracks/           its Track, in a store

Names in it are relative to the folder of training data, so that this can be moved.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rl_editor.analysis.store import ANALYSIS_VERSION, Key, Store
from rl_editor.analysis.track import Track
from rl_editor.atomic import write_text
from rl_editor.audio.source import Source
from rl_editor.data.demonstrations import Demonstration, read_demonstration
from rl_editor.data.splits import Split
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL
from rl_editor.errors import AudioError, DataError

PREPARED_VERSION = 2
"""Raise it with every change of what is in the files, or of how a demonstration comes out."""

FOLDER = "prepared"
"""Where a prepared set lies in its folder of training data."""

SUBFOLDERS = ("pairs", "takes", "edl", "tracks")

Origin = Literal["exact", "recovered"]
Status = Literal["prepared", "changed", "set aside", "failed"]


@dataclass(frozen=True)
class Measured:
    """What was measured on one pair."""

    key: str
    raw: str
    """Its file, relative to the folder of training data."""
    edit: str
    source: Source
    """Identity of the raw, without a file."""
    edit_hash: str
    """Content hash of the edit."""
    song_hash: str
    """Of the card, else the raw's: what the split goes by."""
    origin: Origin
    """Whether the edit was given or recovered from sound."""
    residual_db: float | None
    """Level of what is in the edit but not in what its EDL plays, against the edit; None where it was recovered."""
    coverage: float
    """Share of the edit that was found in the raw."""
    confidence: float
    """Mean over what was found; 1 where the edit is exact."""
    kept: float
    """Length of the edit as a share of the raw's."""
    decisions: int
    """Actions of its demonstration, END included."""
    outside: int
    """Of them, those that no landing of the table stands for."""
    analysis_version: int
    """Of the analysis by which the raw became a Track."""
    take_sha256: str
    """Of the demonstration's file; empty where nothing was found that could be shown."""
    edl_sha256: str
    """Of the EDL's file; empty the same way."""


@dataclass(frozen=True)
class Entry:
    """One line of the manifest: what became of a pair."""

    key: str
    status: Status
    """`changed`: prepared, and still as it was then, though a file or the program is another now."""
    reason: str = ""
    """What changed, why it was set aside, or failed; files relative to the folder of training data."""
    split: Split | None = None
    """None where it failed."""
    measured: Measured | None = None
    """None where it failed."""

    @property
    def learnable(self) -> bool:
        """Whether an agent learns from it."""
        return self.status in ("prepared", "changed")


@dataclass(frozen=True, eq=False)
class PreparedTake:
    """One pair, loaded."""

    entry: Entry
    track: Track
    demonstration: Demonstration
    edl: EDL


@dataclass(frozen=True)
class PreparedSet:
    """The pairs of a prepared set that can be learned from; each is loaded when it is asked for."""

    folder: Path
    entries: tuple[Entry, ...]
    """By key; all of them `learnable`."""

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> PreparedTake:
        return self.load(self.entries[index])

    def __iter__(self) -> Iterator[PreparedTake]:
        return map(self.load, self.entries)

    def where(self, wanted: Callable[[Entry], bool]) -> "PreparedSet":
        """The same set with only those entries."""
        return replace(self, entries=tuple(entry for entry in self.entries if wanted(entry)))

    def split(self, split: Split) -> "PreparedSet":
        """One side of the split."""
        return self.where(lambda entry: entry.split == split)

    def load(self, entry: Entry) -> PreparedTake:
        """The Track and demonstration of one entry.

        Raises:
            DataError: a file is missing, damaged or of another version.
        """
        assert entry.measured is not None
        source = replace(entry.measured.source, file=str(self.folder.parent / entry.measured.raw))
        track = track_store(self.folder).load(Key(source))
        if track is None or entry.measured.analysis_version != ANALYSIS_VERSION:
            raise DataError(
                f"{self.folder}: the analysis of {entry.key} is missing, damaged or of another version of this "
                "program; run `rl-editor prepare` again (--overwrite)"
            )
        edl = edl_files.read(edl_file(self.folder, entry.key))
        return PreparedTake(entry, track, read_demonstration(take_file(self.folder, entry.key)), edl)


def read_prepared(folder: Path) -> PreparedSet:
    """A prepared set, nothing of it loaded yet.

    Args:
        folder: such as `training_data/prepared`.
    Raises:
        DataError: there is no manifest in it, or it can't be read.
    """
    entries = read_manifest(folder)
    return PreparedSet(folder, tuple(entry for entry in entries if entry.learnable))


def read_manifest(folder: Path) -> list[Entry]:
    """What became of each pair, by key.

    Raises:
        DataError: there is no manifest, or it can't be read.
    """
    path = manifest_file(folder)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no prepared set; `rl-editor prepare {folder.parent}` makes one") from error
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text; `rl-editor prepare {folder.parent}` writes it anew") from error
    entries = []
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError, AudioError) as error:
            raise DataError(
                f"{path}: line {number} is damaged or of another version of this program; "
                f"`rl-editor prepare {folder.parent}` writes it anew"
            ) from error
    return entries


def entry_line(entry: Entry) -> str:
    """An entry as its line of the manifest."""
    return json.dumps({"version": PREPARED_VERSION, **asdict(entry)}, ensure_ascii=False) + "\n"


def write_manifest(folder: Path, entries: Iterable[Entry]) -> None:
    """Write the manifest, whole or not at all, in place of the one before.

    Raises:
        EditorError: it can't be written.
    """
    write_text(manifest_file(folder), "".join(map(entry_line, entries)), overwrite=True)


def manifest_file(folder: Path) -> Path:
    """Where the manifest of a prepared set lies."""
    return folder / "manifest.jsonl"


def write_measured(path: Path, measured: Measured, made_from: dict[str, str]) -> None:
    """Write what was measured on a pair, whole or not at all.

    Args:
        path: the file.
        measured: what was measured.
        made_from: what decides it: SHA-256 of each file, versions.
    Raises:
        EditorError: it can't be written.
    """
    record = {"version": PREPARED_VERSION, "made_from": made_from, "measured": asdict(measured)}
    write_text(path, json.dumps(record, ensure_ascii=False, indent=1) + "\n", overwrite=True)


def read_measured(path: Path) -> tuple[Measured, dict[str, str]] | None:
    """What was measured on a pair, and what decided it; None where nothing is, or nothing this version can read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return _measured(record["measured"]), record["made_from"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, AudioError):
        return None


def take_file(folder: Path, key: str) -> Path:
    """Where the demonstration of a pair lies."""
    return folder / "takes" / f"{key}.npz"


def edl_file(folder: Path, key: str) -> Path:
    """Where the edit of a pair lies."""
    return folder / "edl" / f"{key}.json"


def pair_file(folder: Path, key: str) -> Path:
    """Where what was measured on a pair lies."""
    return folder / "pairs" / f"{key}.json"


def track_store(folder: Path) -> Store:
    """The store of the Tracks of a prepared set."""
    return Store(folder / "tracks")


def split_counts(entries: Sequence[Entry]) -> dict[Split, int]:
    """How many pairs can be learned from on each side of the split."""
    counts: dict[Split, int] = {"train": 0, "val": 0, "test": 0}
    for entry in entries:
        if entry.learnable and entry.split is not None:
            counts[entry.split] += 1
    return counts


def _measured(record: dict[str, Any]) -> Measured:
    return Measured(**{**record, "source": Source(**record["source"])})


def _entry(record: dict[str, Any]) -> Entry:
    version = record.pop("version")
    if version != PREPARED_VERSION:
        raise ValueError(f"version {version}, not {PREPARED_VERSION}")
    measured = record.pop("measured")
    return Entry(**record, measured=None if measured is None else _measured(measured))
