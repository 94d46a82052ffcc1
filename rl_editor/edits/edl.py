"""The edit decision list (EDL): the only form of a finished edit.

An EDL is public JSON that people read and change by hand:

    {"version": 1,
     "source": {"content_hash": "9f…", "sample_rate": 44100, "channels": 2, "n_samples": 153958644, "file": "jam.wav"},
     "segments": [{"start": 44100, "end": 4410000, "fade": 353, "gain_db": 0.0, "why": "continuation"}, …],
     "end_fade": 0, "target_s": 240.0,
     "maker": {"editor": "planner", "checkpoint": null, "seed": 0}}

A recovered edit (`rl-editor recover`) says more about itself; what is in `MEASURED` is passed over here.
Times are samples of the source. The rendered length is exactly the sum of end - start. `fade` and `why` belong to
the join *into* a segment; see `rl_editor.edits.render` for what a fade sounds like.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rl_editor.atomic import write_text
from rl_editor.audio.source import Source
from rl_editor.errors import AudioError, EditorError, EDLError

VERSION = 1
MEASURED = frozenset({"unmatched", "coverage"})
"""What a recovered edit says besides."""
MEASURED_OF_SEGMENT = frozenset({"at_s", "confidence", "alternatives"})
"""What it says of each segment."""
_MOST_DB = 60.0


@dataclass(frozen=True)
class Segment:
    """[start, end) of the source, in samples, as it is played once."""

    start: int
    end: int
    fade: int = 0
    """Samples of crossfade that end where this segment starts; for the first segment a fade-in."""
    gain_db: float = 0.0
    """0 unless a user sets it."""
    why: str = ""
    """Why the edit goes on here."""

    def __post_init__(self) -> None:
        for name in ("start", "end", "fade"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise EDLError(f"{name} {value!r}: must be a whole number of samples")
        if not 0 <= self.start < self.end:
            raise EDLError(f"segment [{self.start}, {self.end}): needs 0 <= start < end")
        if self.fade < 0:
            raise EDLError(f"fade {self.fade}: must not be negative")
        if isinstance(self.gain_db, bool) or not isinstance(self.gain_db, int | float):
            raise EDLError(f"gain_db {self.gain_db!r}: must be a number of dB")
        if not abs(self.gain_db) <= _MOST_DB:  # NaN is not either
            raise EDLError(f"gain_db {self.gain_db}: must be from -{_MOST_DB:g} to {_MOST_DB:g} dB")
        _check_type("why", self.why, str)

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Maker:
    """What made an edit: enough to make it again."""

    editor: str
    checkpoint: str | None = None
    """SHA-256 of the weights, None for an editor without."""
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_type("editor", self.editor, str)
        _check_type("checkpoint", self.checkpoint, str | None)
        _check_type("seed", self.seed, int | None)


@dataclass(frozen=True)
class EDL:
    """A finished edit of one source."""

    source: Source
    segments: tuple[Segment, ...]
    """In output order."""
    maker: Maker
    target_s: float | None = None
    """The length that was asked for; None where it followed from the content."""
    end_fade: int = 0
    """Samples of fade-out at the end of the last segment."""

    def __post_init__(self) -> None:
        if not self.segments:
            raise EDLError("an edit needs at least one segment")
        _check_type("end_fade", self.end_fade, int)
        _check_type("target_s", self.target_s, int | float | None)
        if self.end_fade < 0:
            raise EDLError(f"end_fade {self.end_fade}: must not be negative")
        last = max(self.segments, key=lambda segment: segment.end)
        if last.end > self.source.n_samples:
            raise EDLError(f"segment [{last.start}, {last.end}): the source has only {self.source.n_samples} samples")

    @property
    def n_samples(self) -> int:
        """Rendered length in samples."""
        return sum(len(segment) for segment in self.segments)

    @property
    def duration_s(self) -> float:
        """Rendered length in seconds."""
        return self.n_samples / self.source.sample_rate

    @property
    def joins(self) -> list[int]:
        """Indices of the segments that do not go on from where the one before them ended."""
        pairs = zip(self.segments, self.segments[1:], strict=False)
        return [k for k, (before, after) in enumerate(pairs, start=1) if before.end != after.start]


def merged(segments: Sequence[Segment]) -> list[Segment]:
    """Segments with those that go on from each other made one."""
    found = list(segments[:1])
    for segment in segments[1:]:
        if segment.start == found[-1].end:
            found[-1] = replace(found[-1], end=segment.end)
        else:
            found.append(segment)
    return found


def to_json(edl: EDL) -> str:
    """The EDL as public JSON, one segment a line."""
    record = asdict(edl)
    segments = ",\n  ".join(map(one_line, record["segments"]))
    head = {"version": VERSION, "source": record["source"]}
    tail = {key: record[key] for key in ("end_fade", "target_s", "maker")}
    lines = [f' "{key}": {one_line(value)}' for key, value in head.items()]
    lines.append(f' "segments": [\n  {segments}]')
    lines += [f' "{key}": {one_line(value)}' for key, value in tail.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def one_line(value: object) -> str:
    """JSON as people read it; escaped where a file's name is no text and could not be written."""
    plain = json.dumps(value, ensure_ascii=False)
    return plain if plain.isascii() or plain.encode(errors="ignore").decode() == plain else json.dumps(value)


def from_json(text: str) -> EDL:
    """Read public JSON; fields with a default may be left out, unknown ones are an error.

    Raises:
        EDLError: the text is no JSON, of another version, or a field is missing, unknown or has a wrong value.
    """
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise EDLError(f"not JSON: {error.msg} in line {error.lineno}") from error
    except (RecursionError, ValueError) as error:
        raise EDLError("not an EDL: nested too deeply, or a number is too long") from error
    if not isinstance(record, dict):
        raise EDLError("an EDL is a JSON object")
    version = record.pop("version", None)
    if version != VERSION:
        raise EDLError(f"version {version!r}: this program reads version {VERSION}")
    try:
        return _from_record(record)
    except (TypeError, KeyError, AttributeError, AudioError) as error:
        raise EDLError(f"a field is missing, unknown or of a wrong type ({error})") from error


def read(path: Path) -> EDL:
    """Read an EDL file.

    Raises:
        EDLError: the file is missing, unreadable or no EDL; the text names the file.
    """
    try:
        edl = from_json(path.read_text(encoding="utf-8"))
    except (EditorError, OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise EDLError(f"{path}: {reason}") from error
    beside = Path(os.path.normpath(path.parent / edl.source.file))
    return replace(edl, source=replace(edl.source, file=str(beside) if edl.source.file else ""))


def write(edl: EDL, path: Path, *, overwrite: bool) -> None:
    """Write an EDL file, its source named relative to the file's own folder.

    Raises:
        EditorError: the file exists and may not be replaced, or can't be written.
    """
    file = edl.source.file and relative_to(Path(edl.source.file), path.parent)
    write_text(path, to_json(replace(edl, source=replace(edl.source, file=file))), overwrite=overwrite)


def _check_type(name: str, value: object, wanted: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, wanted):
        raise EDLError(f"{name} {value!r}: is of a wrong type")


def relative_to(file: Path, folder: Path) -> str:
    """A file's path as it is seen from a folder; absolute where there is no such path."""
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive has no relative path
        return file.resolve().as_posix()


def _from_record(record: dict[str, Any]) -> EDL:
    segments = tuple(Segment(**_without(segment, MEASURED_OF_SEGMENT)) for segment in record.pop("segments"))
    source = Source(**record.pop("source"))
    maker = Maker(**record.pop("maker"))
    return EDL(source=source, segments=segments, maker=maker, **_without(record, MEASURED))


def _without(record: dict[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}
