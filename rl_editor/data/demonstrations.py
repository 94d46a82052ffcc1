"""Demonstrations: the actions of a true edit, and how surely each is what the editor did."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.atomic import replacing
from rl_editor.edits.actions import END, KEEP
from rl_editor.edits.demonstration import Outside, decode
from rl_editor.edits.edl import EDL
from rl_editor.errors import DataError


@dataclass(frozen=True, eq=False)
class Demonstration:
    """A take's action sequence, T decisions; the states come from stepping the environment."""

    actions: IntArray
    """Index of each action, (T,); the last one is END."""
    playhead: IntArray
    """Beat before which each is taken, (T,)."""
    outside_beat: IntArray
    """Beat to go on from where the landing is in no table, (T,); -1 for all other actions."""
    outside_half: IntArray
    """1 where such a landing is in the middle of its beat, (T,); -1 for all other actions."""
    outside_start: IntArray
    """Samples of the raw where it is, (T,); -1 for all other actions."""
    weight: Array
    """How surely each is what the editor did, (T,) in [0, 1]; 1 where the edit is exact."""

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, field.name)) for field in fields(self)}
        if len(lengths) > 1:
            raise DataError(f"a demonstration's arrays have {sorted(lengths)} rows; they must be of one length")

    @property
    def is_outside(self) -> BoolArray:
        """Decisions to be left out of a loss, as no action of the table stands for them, (T,)."""
        return self.outside_beat >= 0

    @property
    def outside(self) -> Outside:
        """What the table does not hold, as `replay` takes it."""
        return Outside(self.outside_beat, self.outside_half, self.outside_start)


@dataclass(frozen=True)
class Surety:
    """How surely a stretch of an edit is known."""

    confidence: float
    """In [0, 1]."""
    follows: bool = True
    """Whether nothing unknown is heard between the stretch before, or the start, and this one."""


def demonstrate(
    edl: EDL, track: Track, sureties: Sequence[Surety] | None = None, *, ends: bool = True
) -> Demonstration:
    """The demonstration of an edit.

    Args:
        edl: the edit.
        track: analysis of its raw.
        sureties: of each segment; None where the edit is exact.
        ends: whether nothing unknown is heard after the last segment.
    Raises:
        EDLError: the edit is of another recording.
    """
    decoded = decode(edl, track)
    known = [Surety(1.0)] * len(edl.segments) if sureties is None else sureties
    beat, half, start = decoded.outside
    weight = decision_weights(decoded.actions, _merged(edl, known), ends=ends)
    return Demonstration(decoded.actions, decoded.playhead, beat, half, start, weight)


def decision_weights(actions: IntArray, sureties: Sequence[Surety], *, ends: bool) -> Array:
    """How surely each decision is what the editor did, (T,) float32 in [0, 1].

    What is played counts as surely as its stretch. A jump counts as the less sure of its two sides, and nothing where
    something unknown is heard between them: the editor did not jump there.

    Args:
        actions: (T,).
        sureties: of each stretch that is played without a jump, in order.
        ends: whether nothing unknown is heard after the last one.
    """
    jumps = (actions != KEEP) & (actions != END)
    stretch = np.cumsum(jumps) - jumps[0]
    if stretch[-1] != len(sureties) - 1:
        raise DataError(f"{stretch[-1] + 1} stretches are played, {len(sureties)} are known")
    confidence = np.array([surety.confidence for surety in sureties])
    before = np.concatenate([confidence[:1], confidence[:-1]])
    into = np.minimum(before, confidence) * [surety.follows for surety in sureties]
    weight = np.where(jumps, into[stretch], confidence[stretch])
    weight[actions == END] *= ends
    return weight.astype(np.float32)


def _merged(edl: EDL, sureties: Sequence[Surety]) -> list[Surety]:
    """One for each stretch played without a join: the mean over its segments, weighted by length."""
    firsts = [0, *edl.joins]
    merged = []
    for first, last in zip(firsts, [*edl.joins, len(edl.segments)], strict=True):
        lengths = [len(segment) for segment in edl.segments[first:last]]
        confidence = np.average([surety.confidence for surety in sureties[first:last]], weights=lengths)
        merged.append(Surety(float(confidence), sureties[first].follows))
    return merged


def write_demonstration(path: Path, demonstration: Demonstration) -> None:
    """Write a demonstration as npz, whole or not at all; equal ones are equal files.

    Raises:
        EditorError: it can't be written.
    """
    with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        np.savez(file, **vars(demonstration))


def read_demonstration(path: Path) -> Demonstration:
    """Read a demonstration.

    Raises:
        DataError: the file is missing, damaged or no demonstration.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            return Demonstration(**arrays)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(f"{path}: no demonstration, or damaged; `rl-editor prepare` makes it again") from error
