"""A look at a folder of training data that reads no more than the heads of its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import soundfile as sf

from rl_editor.audio.decoders import opened, quiet
from rl_editor.audio.encoding import SUFFIXES
from rl_editor.data.pairs import Pair, Problem, find_pairs
from rl_editor.data.training_files import read_card
from rl_editor.edits import edl as edl_files
from rl_editor.errors import EditorError

SHORTEST_S = 2.0
"""Analysis needs as much."""
LONGEST_EDIT = 1.5
"""Length of the longest edit there can be, against its raw: loops are allowed, but not without end."""

_UNKNOWN_LENGTH = 2**62


@dataclass(frozen=True)
class SoundHead:
    """What the head of a sound file says."""

    format: str
    """`WAV PCM_16`, `MP3 MPEG_LAYER_III`, ...; empty where only ffmpeg could tell."""
    sample_rate: int | None = None
    """Hz."""
    channels: int | None = None
    n_samples: int | None = None
    """None where the head does not say."""

    @property
    def duration_s(self) -> float | None:
        """Length in seconds, None where the head does not say."""
        return self.n_samples / self.sample_rate if self.n_samples and self.sample_rate else None


@dataclass(frozen=True)
class CheckedPair:
    """A pair, and what the heads of its files say."""

    key: str
    raw: str
    edit: str
    edl: Literal["exact", "to recover"]
    test: bool
    raw_head: SoundHead
    edit_head: SoundHead

    def line(self) -> str:
        """`jam: 12:04 -> 3:40 (30 %), WAV PCM_16 and MP3 MPEG_LAYER_III, edit to recover`."""
        raw_s, edit_s = self.raw_head.duration_s, self.edit_head.duration_s
        share = f" ({edit_s / raw_s:.0%})".replace("%", " %") if raw_s and edit_s else ""
        formats = " and ".join(dict.fromkeys(head.format or "a format for ffmpeg" for head in self._heads))
        edl = "exact edit" if self.edl == "exact" else "edit to recover"
        return (
            f"{self.key}: {_clock(raw_s)} -> {_clock(edit_s)}{share}, {formats}, {edl}{', test' if self.test else ''}"
        )

    @property
    def _heads(self) -> tuple[SoundHead, SoundHead]:
        return self.raw_head, self.edit_head


@dataclass(frozen=True)
class Checked:
    """What is in a folder of training data."""

    pairs: tuple[CheckedPair, ...]
    """Those whose files can be read, by key."""
    problems: tuple[Problem, ...]


def check(folder: Path) -> Checked:
    """Look at a folder of training data.

    Raises:
        DataError: there is no such folder.
    """
    found = find_pairs(folder)
    pairs, problems = [], list(found.problems)
    for pair in found.pairs:
        heads = []
        for file in (pair.raw, pair.edit):
            try:
                heads.append(read_head(folder / file))
            except OSError as error:
                problems.append(Problem(file.as_posix(), f"can't be read ({error.strerror})"))
            except sf.LibsndfileError:
                problems.append(Problem(file.as_posix(), "not a sound file, or damaged from its start"))
        problems += _card(folder, pair)
        if len(heads) < 2:
            continue
        raw, edit = heads
        problems += [*_lengths(pair, raw, edit), *_edl(folder, pair, raw, edit)]
        kind: Literal["exact", "to recover"] = "exact" if pair.edl else "to recover"
        pairs.append(CheckedPair(pair.key, pair.raw.as_posix(), pair.edit.as_posix(), kind, pair.test, raw, edit))
    return Checked(tuple(pairs), tuple(problems))


def read_head(path: Path) -> SoundHead:
    """What the head of a sound file says.

    Raises:
        LibsndfileError: libsndfile knows the suffix but not the file.
        OSError: the file can't be read.
    """
    try:
        with quiet(path), opened(path) as sound:
            n_samples = sound.frames if sound.frames < _UNKNOWN_LENGTH else None
            return SoundHead(f"{sound.format} {sound.subtype}", sound.samplerate, sound.channels, n_samples)
    except sf.LibsndfileError:
        if path.suffix.lower() in SUFFIXES:
            raise
        return SoundHead("")


def _lengths(pair: Pair, raw: SoundHead, edit: SoundHead) -> Iterator[Problem]:
    for file, head in ((pair.raw, raw), (pair.edit, edit)):
        if head.n_samples == 0 or (head.duration_s is not None and head.duration_s < SHORTEST_S):
            yield Problem(file.as_posix(), f"{head.duration_s or 0:.1f} s long; at least {SHORTEST_S:g} s are needed")
    if raw.duration_s and edit.duration_s and edit.duration_s > LONGEST_EDIT * raw.duration_s:
        lengths = f"{_clock(edit.duration_s)} long, its raw {_clock(raw.duration_s)}"
        yield Problem(pair.edit.as_posix(), f"{lengths}; is one of them another song, or are they swapped?")


def _card(folder: Path, pair: Pair) -> Iterator[Problem]:
    if pair.card is None:
        return
    try:
        read_card(folder / pair.card)
    except EditorError as error:
        yield _problem(folder, pair.card, error)


def _edl(folder: Path, pair: Pair, raw: SoundHead, edit: SoundHead) -> Iterator[Problem]:
    if pair.edl is None:
        return
    try:
        edl = edl_files.read(folder / pair.edl)
    except EditorError as error:
        yield _problem(folder, pair.edl, error)
        return
    source = edl.source
    if (raw.sample_rate, raw.channels, raw.n_samples) != (source.sample_rate, source.channels, source.n_samples):
        yield Problem(pair.edl.as_posix(), f"an edit of a recording of another length, rate or width than {pair.raw}")
    elif edit.n_samples is not None and edit.n_samples != edl.n_samples:
        lengths = f"plays {_clock(edl.duration_s)}, but {pair.edit} is {_clock(edit.duration_s)} long"
        yield Problem(pair.edl.as_posix(), lengths)


def _problem(folder: Path, file: Path, error: EditorError) -> Problem:
    """An error of reading a file as what is wrong with it."""
    return Problem(file.as_posix(), str(error).removeprefix(f"{folder / file}: "))


def _clock(seconds: float | None) -> str:
    return "?" if seconds is None else f"{int(seconds // 60)}:{seconds % 60:04.1f}"
