"""Raw / edit pairs of a folder of training data, found by their names.

    folder                        a sound file there is   unless its name ends in
    DIR                           nothing                 `_raw`: a raw, `_edit`: an edit
    DIR/input                     a raw                   the same
    DIR/desired_output            an edit                 the same
    DIR/reference                 a finished song         the same
    DIR/test_input                a raw for the test      the same

What is left of the name is the pair's key. A finished song in `reference` is the edit of the raw with its name where
`desired_output` has none; without such a raw it is no mistake. `edl/KEY.json` and `cards/KEY.json` belong to a pair.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rl_editor.audio.encoding import SOUND_SUFFIXES
from rl_editor.data.training_files import card_path, edl_path
from rl_editor.errors import DataError

Role = Literal["raw", "edit", "reference"]

_ROLE_OF_FOLDER: dict[str, Role | None] = {
    ".": None,
    "input": "raw",
    "desired_output": "edit",
    "reference": "reference",
    "test_input": "raw",
}
_TEST = "test_input"

NO_PAIR = "no pair of a raw and its edit, such as jam_raw.wav and jam_edit.wav"
"""What to say of a folder in which none was found."""


@dataclass(frozen=True)
class Pair:
    """A raw and its edit; files relative to the folder of training data."""

    key: str
    raw: Path
    edit: Path
    edl: Path | None = None
    """The exact edit, where it is given."""
    card: Path | None = None
    test: bool = False
    """Whether its song was chosen for the test."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files."""
        return tuple(file for file in (self.raw, self.edit, self.edl, self.card) if file is not None)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, in a few words."""

    file: str
    """Relative to the folder of training data."""
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True)
class Found:
    """What the names in a folder of training data say."""

    pairs: tuple[Pair, ...]
    """By key."""
    problems: tuple[Problem, ...]
    """Orphans, names that mean nothing, and names that mean two things."""


@dataclass(frozen=True)
class _Named:
    """One sound file, as its name and folder say."""

    file: Path
    role: Role | None
    key: str


def find_pairs(folder: Path) -> Found:
    """The pairs of a folder of training data, and what of it is no pair.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: {'is a file, not a folder' if folder.exists() else 'no such folder'}")
    by_key: dict[str, dict[Role, list[Path]]] = defaultdict(lambda: {"raw": [], "edit": [], "reference": []})
    problems = []
    for named in _sound_files(folder):
        if named.role is None:
            says = f"neither a raw nor an edit by its name; call it {named.key}_raw or {named.key}_edit"
            problems.append(Problem(named.file.as_posix(), says))
        else:
            by_key[named.key][named.role].append(named.file)
    pairs = []
    for key, files in sorted(by_key.items()):
        edits = files["edit"] or files["reference"]
        if not files["raw"]:
            problems += [Problem(edit.as_posix(), f"an edit without its raw ({key}_raw)") for edit in files["edit"]]
        elif not edits:
            problems += [Problem(raw.as_posix(), f"a raw without its edit ({key}_edit)") for raw in files["raw"]]
        elif len(files["raw"]) > 1 or len(edits) > 1:
            several = files["raw"] if len(files["raw"]) > 1 else edits
            others = ", ".join(file.as_posix() for file in several[1:])
            problems.append(Problem(several[0].as_posix(), f"of the same name as {others}; give each pair its own"))
        else:
            pairs.append(_pair(folder, key, files["raw"][0], edits[0]))
    problems += _without_raw(folder, by_key)
    return Found(tuple(pairs), tuple(sorted(problems, key=lambda problem: problem.file)))


def _sound_files(folder: Path) -> Iterator[_Named]:
    for name, role in _ROLE_OF_FOLDER.items():
        inside = folder / name
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if path.suffix.lower() not in SOUND_SUFFIXES or path.name.startswith(".") or not path.is_file():
                continue
            stem, _, ending = path.stem.rpartition("_")
            file = path.relative_to(folder)
            if stem and ending == "raw":
                yield _Named(file, "raw", stem)
            elif stem and ending == "edit":
                yield _Named(file, "edit", stem)
            else:
                yield _Named(file, role, path.stem)


def _pair(folder: Path, key: str, raw: Path, edit: Path) -> Pair:
    edl, card = edl_path(folder, key), card_path(folder, key)
    return Pair(
        key=key,
        raw=raw,
        edit=edit,
        edl=edl.relative_to(folder) if edl.is_file() else None,
        card=card.relative_to(folder) if card.is_file() else None,
        test=raw.parent.name == _TEST,
    )


def _without_raw(folder: Path, by_key: dict[str, dict[Role, list[Path]]]) -> Iterator[Problem]:
    """EDLs and cards that belong to nothing."""
    for at, kind in ((edl_path, "an EDL"), (card_path, "a card")):
        for path in sorted(at(folder, "*").parent.glob("*.json")):
            has_raw = path.stem in by_key and by_key[path.stem]["raw"]
            if not has_raw and not path.name.startswith("."):
                says = f"{kind} without its raw ({path.stem}_raw)"
                yield Problem(path.relative_to(folder).as_posix(), says)
