import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from rl_editor.audio.cue_marks import Mark, read_marks


def with_marks(path: Path, points: list[tuple[int, int]], labels: dict[int, str]) -> None:
    """Append cue and label chunks to a WAV file."""
    sf.write(path, np.zeros(2000), 8000)
    cue = struct.pack("<I", len(points))
    cue += b"".join(struct.pack("<II4sIII", ident, at, b"data", 0, 0, at) for ident, at in points)
    adtl = b"adtl"
    for ident, text in labels.items():
        body = struct.pack("<I", ident) + text.encode() + b"\0"
        adtl += b"labl" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    extra = b"cue " + struct.pack("<I", len(cue)) + cue + b"LIST" + struct.pack("<I", len(adtl)) + adtl
    data = path.read_bytes() + extra
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])


def test_marks_are_read_in_order_with_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "zoom.wav"
    with_marks(path, [(2, 1500), (1, 300)], {2: "good solo", 1: "über"})
    assert read_marks(path) == (Mark(300, "über"), Mark(1500, "good solo"))
    assert len(sf.read(path)[0]) == 2000


def test_marks_need_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "plain.wav"
    with_marks(path, [(1, 7)], {})
    assert read_marks(path) == (Mark(7, ""),)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC" + bytes(100), b"RIFF\0\0\0\0WAVEcue \xff\0\0\0abc"])
def test_what_has_no_marks_has_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert read_marks(path) == ()
    assert read_marks(tmp_path / "missing.wav") == ()
