"""Comparisons: what listeners said of two edits of one recording, one a line of a JSONL file.

    {"version": 1, "id": "anna-0001", "edl_a": "9f…", "edl_b": "03…", "shown": "BA", "answer": "A", "strength": 2,
     "rating_a": 7, "rating_b": 5, "reasons": ["joins"], "listener": "anna", "time": "2026-03-01T18:05:00+00:00",
     "chosen_by": "random", "probability": 0.1}

An edit is named by the hash of what is heard of it (`edl_hash`), so that a comparison stays true wherever the files
lie. `docs/comparisons.md` tells each field. Files are read strictly: a line that is wrong is an error, never skipped.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from rl_editor.atomic import write_text
from rl_editor.edits.edl import EDL
from rl_editor.errors import DataError

VERSION = 1
STRONGEST = 3
"""Greatest strength of an answer: 1 a little, 2 clearly, 3 by far."""
BEST = 10
"""Greatest rating; 1 is the least."""

Answer = Literal["A", "B", "tie", "can't say"]
Shown = Literal["AB", "BA"]
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Comparison:
    """One listener's answer on two edits of one recording."""

    id: str
    """Names the answer, for ever; a listener's second answer on a pair has another."""
    edl_a: str
    """`edl_hash` of the edit called A."""
    edl_b: str
    shown: Shown
    """The order they were offered in."""
    answer: Answer
    """Which is better."""
    listener: str
    """Who answered, by any name."""
    time: str
    """When, in ISO 8601 with an offset from UTC."""
    chosen_by: str
    """How the pair was chosen: `random`, `uncertain`, ..."""
    probability: float
    """With what probability it was, in (0, 1]: so that answers on pairs chosen on purpose can be weighed."""
    strength: int | None = None
    """By how much A or B is better, 1 to 3; None where nobody asked."""
    rating_a: int | None = None
    """How good A is by itself, 1 to 10; None where nobody asked."""
    rating_b: int | None = None
    reasons: tuple[str, ...] = ()
    """Why, in words or marks of the page that asked."""

    def __post_init__(self) -> None:
        for field in ("id", "listener", "chosen_by"):
            value = getattr(self, field)
            _check(isinstance(value, str) and bool(value.strip()), field, value, "must be a text")
        for field in ("edl_a", "edl_b"):
            value = getattr(self, field)
            _check(isinstance(value, str) and bool(_HASH.fullmatch(value)), field, value, "must be 64 hex digits")
        _check(self.edl_a != self.edl_b, "edl_b", self.edl_b, "is the same edit as edl_a")
        _check(self.shown in get_args(Shown), "shown", self.shown, "is AB or BA")
        _check(self.answer in get_args(Answer), "answer", self.answer, "is A, B, tie or can't say")
        _check_whole("strength", self.strength, STRONGEST)
        _check(self.strength is None or self.answer in ("A", "B"), "strength", self.strength, "goes with A or B only")
        _check_whole("rating_a", self.rating_a, BEST)
        _check_whole("rating_b", self.rating_b, BEST)
        _check(all(isinstance(each, str) for each in self.reasons), "reasons", self.reasons, "must be texts")
        _check(_is_time(self.time), "time", self.time, "must be ISO 8601 with an offset from UTC")
        numeric = isinstance(self.probability, int | float) and not isinstance(self.probability, bool)
        possible = numeric and math.isfinite(self.probability) and 0 < self.probability <= 1
        _check(possible, "probability", self.probability, "must be above 0 and not above 1")


def edl_hash(edl: EDL) -> str:
    """SHA-256, in hex, of what is heard of an edit: its source's content, segments, fades and gains.

    Neither who made it, nor why, nor the length that was asked for, nor where its files are makes another edit of it.
    """
    heard = [[part.start, part.end, part.fade, float(part.gain_db)] for part in edl.segments]
    return hashlib.sha256(json.dumps([edl.source.content_hash, heard, edl.end_fade]).encode()).hexdigest()


def read_comparisons(path: Path) -> list[Comparison]:
    """The comparisons of a file, in its order.

    Raises:
        DataError: it can't be read, a line is no comparison, or two lines of one id differ; the text names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise DataError(f"{path}: can't be read ({reason})") from error
    found: dict[str, Comparison] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            comparison = _from_line(line)
            _add(found, comparison)
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
    return list(found.values())


def write_comparisons(path: Path, comparisons: Iterable[Comparison], *, overwrite: bool) -> None:
    """Write comparisons, one a line, whole or not at all.

    Raises:
        EditorError: the file exists and may not be replaced, or can't be written.
    """
    write_text(path, "".join(map(as_line, comparisons)), overwrite=overwrite)


def as_line(comparison: Comparison) -> str:
    """A comparison as its line, with the line's end."""
    return json.dumps({"version": VERSION, **asdict(comparison)}, ensure_ascii=False) + "\n"


def merged(*several: Iterable[Comparison]) -> list[Comparison]:
    """All comparisons once, by id; in whatever order they come, the same comes out.

    Raises:
        DataError: two of one id differ; the text names it.
    """
    found: dict[str, Comparison] = {}
    for comparisons in several:
        for comparison in comparisons:
            _add(found, comparison)
    return [found[name] for name in sorted(found)]


def _add(found: dict[str, Comparison], comparison: Comparison) -> None:
    known = found.setdefault(comparison.id, comparison)
    if known != comparison:
        names = (field.name for field in fields(known))
        differing = next(name for name in names if getattr(known, name) != getattr(comparison, name))
        raise DataError(f"comparison {comparison.id!r} is told twice, and differs in {differing}")


def _from_line(line: str) -> Comparison:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError("not JSON") from error
    if not isinstance(record, Mapping):
        raise DataError("not a JSON object")
    content: dict[str, Any] = dict(record)
    version = content.pop("version", None)
    if version != VERSION:
        raise DataError(f"version {version!r}: this program reads version {VERSION}")
    known = {field.name for field in fields(Comparison)}
    if unknown := sorted(content.keys() - known):
        raise DataError(f"unknown field {unknown[0]!r}")
    reasons = content.get("reasons", [])
    _check(isinstance(reasons, list), "reasons", reasons, "must be a list of texts")
    try:
        return Comparison(**{**content, "reasons": tuple(reasons)})
    except TypeError as error:
        missing = sorted(known - content.keys() - {"strength", "rating_a", "rating_b", "reasons"})
        raise DataError(f"field {missing[0]!r} is missing") from error


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _check_whole(field: str, value: object, most: int) -> None:
    fits = value is None or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most)
    _check(fits, field, value, f"must be a whole number from 1 to {most}")


def _check(holds: bool, field: str, value: object, wanted: str) -> None:
    if not holds:
        raise DataError(f"{field} {value!r}: {wanted}")
