"""Beats a user already knows, read from text: a CSV, a time on each line, or a label track of Audacity.

    time_s,position        0.512            0.512 <tab> 0.512 <tab> 1
    0.512,1                1.024            1.024 <tab> 1.024 <tab> 2
    1.024,2

Times are seconds from the start of the recording, positions count from 1 on the downbeat and may be left out.
Columns are parted by comma, semicolon, tab or spaces; empty lines and lines beginning with # are passed over.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rl_editor.arrays import DoubleArray, SmallIntArray
from rl_editor.errors import TrackError

_SHORTEST_S = 0.1  # 600 bpm: nearer beats are a slip
_LONGEST_S = 10.0  # a typical interval above this is a wrong unit
_LONGEST_BAR = 32
_SEPARATOR = re.compile(r"\s*[,;\t]\s*|\s+")


@dataclass(frozen=True, eq=False)
class KnownBeats:
    """Beats from a file."""

    times_s: DoubleArray
    """(K,), strictly ascending, at least two."""
    position: SmallIntArray | None
    """Position in the bar, (K,), 0 on the downbeat; None where the file does not say."""


class _Row(NamedTuple):
    line: int
    time: str
    position: str
    """Empty where none is given."""


def read_beats(path: Path) -> KnownBeats:
    """The beats in a file.

    Raises:
        TrackError: the file can't be read, or holds no usable beats.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise TrackError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TrackError(f"{path}: can't be read as text ({error})") from error
    return parse_beats(text, file=path.name)


def parse_beats(text: str, *, file: str = "beats") -> KnownBeats:
    """Beats from the text of a CSV, of a list of times, or of an Audacity label track.

    Args:
        text: see above for its forms.
        file: its name, for messages.
    Raises:
        TrackError: a line is no beat, times do not ascend, or there are fewer than two.
    """
    rows = _rows(text, file)
    if len(rows) < 2:
        raise TrackError(f"{file}: {len(rows)} beats; a grid needs at least 2")
    times_s = np.array([_time_s(row, file) for row in rows])
    _check_intervals(times_s, rows, file)
    if not any(row.position for row in rows):
        return KnownBeats(times_s, None)
    return KnownBeats(times_s, np.array([_position(row, file) for row in rows], dtype=np.int8))


def _rows(text: str, file: str) -> list[_Row]:
    """Times and positions as they are written, whatever the form."""
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    # a backslash begins the frequencies of an Audacity label
    lines = [(number, _SEPARATOR.split(line)) for number, line in numbered if line and line[0] not in "#\\"]
    if lines and not _is_number(lines[0][1][0]):
        number, names = lines[0]
        if "time_s" not in names:
            raise TrackError(
                f"{file}, line {number}: {names[0]!r} is neither a time in seconds nor a header with time_s"
            )
        return [
            _Row(number, _cell(cells, names, "time_s"), _cell(cells, names, "position")) for number, cells in lines[1:]
        ]
    if all(_is_label(cells) for _, cells in lines):
        labels = [cells[2] if len(cells) > 2 else "" for _, cells in lines]
        counted = all(label.isdecimal() and len(label) <= 2 and 1 <= int(label) <= _LONGEST_BAR for label in labels)
        return [
            _Row(number, cells[0], label if counted else "")
            for (number, cells), label in zip(lines, labels, strict=True)
        ]
    return [_Row(number, cells[0], cells[1] if len(cells) > 1 else "") for number, cells in lines]


def _cell(cells: list[str], names: list[str], name: str) -> str:
    column = names.index(name) if name in names else len(cells)
    return cells[column] if column < len(cells) else ""


def _is_label(cells: list[str]) -> bool:
    """Whether a line has a start and an end, both with decimals."""
    return len(cells) > 1 and all(map(_is_number, cells[:2])) and "." in cells[1] and float(cells[1]) >= float(cells[0])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _time_s(row: _Row, file: str) -> float:
    if not _is_number(row.time) or float(row.time) < 0:
        raise TrackError(f"{file}, line {row.line}: {row.time!r} is no time in seconds from the start")
    return float(row.time)


def _position(row: _Row, file: str) -> int:
    value = float(row.position) if _is_number(row.position) else 0.0
    if value not in range(1, _LONGEST_BAR + 1):
        raise TrackError(f"{file}, line {row.line}: position {row.position!r}; it counts from 1 on the downbeat")
    return int(value) - 1


def _check_intervals(times_s: DoubleArray, rows: list[_Row], file: str) -> None:
    intervals = np.diff(times_s)
    wrong = np.flatnonzero(intervals < _SHORTEST_S)
    if len(wrong):
        before, row = rows[wrong[0]], rows[wrong[0] + 1]
        raise TrackError(
            f"{file}, line {row.line}: {row.time} s after {before.time} s; beats ascend by at least {_SHORTEST_S} s"
        )
    if np.median(intervals) > _LONGEST_S:
        raise TrackError(f"{file}: beats {np.median(intervals):g} s apart; times must be in seconds")
