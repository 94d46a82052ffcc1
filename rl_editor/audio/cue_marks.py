"""Marks in a WAV file: what recorders and editors store as cue points, with their labels.

RIFF chunks `cue ` (24 bytes a point, its sample in the last field) and `LIST adtl` / `labl` (point id, text).
Source: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0, 1991.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MOST_BYTES = 1 << 20  # of a chunk of marks; a larger one is no such chunk


class Mark(NamedTuple):
    """A place somebody marked."""

    at: int
    """Sample of the recording."""
    label: str
    """Empty where none was given."""


def read_marks(path: Path) -> tuple[Mark, ...]:
    """The marks of a WAV file in order of time; none for other files and for damaged chunks."""
    try:
        chunks = dict(_chunks(path))
    except (OSError, struct.error):
        return ()
    cue, labels = chunks.get(b"cue ", b""), _labels(chunks.get(b"adtl", b""))
    points = [struct.unpack_from("<II4sIII", cue, at) for at in range(4, len(cue) - 23, 24)]
    return tuple(sorted(Mark(point[5], labels.get(point[0], "")) for point in points))


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks that may hold marks; a LIST goes by its own type."""
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return
        while len(header := file.read(8)) == 8:
            name, size = header[:4], int(struct.unpack("<I", header[4:])[0])
            if name in (b"cue ", b"LIST") and size <= _MOST_BYTES:
                body = file.read(size)
                file.seek(size % 2, 1)
                yield (body[:4], body[4:]) if name == b"LIST" else (name, body)
            else:
                file.seek(size + size % 2, 1)


def _labels(adtl: bytes) -> dict[int, str]:
    """Text by point id."""
    found, at = {}, 0
    while at + 12 <= len(adtl):
        name, size, point = struct.unpack_from("<4sII", adtl, at)
        if name == b"labl":
            text = adtl[at + 12 : at + 8 + size].split(b"\0")[0]
            found[point] = text.decode("utf-8", errors="replace")
        at += 8 + size + size % 2
    return found
