"""What is known about the edit of a pair: its EDL, given or recovered, and how well that explains its sound."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rl_editor.arrays import Array
from rl_editor.audio.files import Recording
from rl_editor.data.demonstrations import Surety
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL
from rl_editor.edits.recovery.recover import recover
from rl_editor.edits.render import render
from rl_editor.errors import AudioError, DataError

_LARGEST_GAP_S = 0.1  # between what was found: shorter than any note that could stand there
_TINY = 1e-20


@dataclass(frozen=True)
class Known:
    """What is known about an edit."""

    edl: EDL | None
    """None where nothing of it was found in the raw."""
    coverage: float
    """Share of the edit that was found."""
    confidence: float
    """Mean over what was found."""
    residual_db: float | None = None
    """Level of what a given EDL does not explain, against the edit."""
    sureties: tuple[Surety, ...] | None = None
    """Of each segment; None where all of it is given."""
    ends: bool = True
    """Whether nothing unknown is heard after the last segment."""


def given(edl: EDL, edit: Recording, raw: Recording) -> Known:
    """An edit whose EDL is given, compared with its sound.

    Raises:
        DataError: the edit's file has not the rate and channels of the raw.
    """
    if (edit.sample_rate, edit.source.channels) != (raw.sample_rate, raw.source.channels):
        raise DataError(
            f"{edit.source.file}: {edit.source.channels} channels at {edit.sample_rate} Hz; its EDL plays "
            f"{raw.source.channels} at {raw.sample_rate}"
        )
    return Known(edl, 1.0, 1.0, residual_db=residual_db(edit.audio, render(raw.audio, edl)))


def recovered(edit: Recording, raw: Recording) -> Known:
    """An edit as recovered from its sound.

    Raises:
        AudioError: one of the two is too short.
    """
    try:
        found = recover(raw.audio, raw.sample_rate, edit.audio, edit.sample_rate, source=raw.source)
    except AudioError as error:
        raise AudioError(f"{edit.source.file}: {error}") from error
    if not found.segments:
        return Known(None, 0.0, 0.0)
    lengths_s = np.array([segment.end - segment.start for segment in found.segments]) / raw.sample_rate
    starts_s = np.array([segment.at_s for segment in found.segments])
    gaps_s = np.append(starts_s, edit.source.duration_s) - np.append(0.0, starts_s + lengths_s)
    confidence = np.array([segment.confidence for segment in found.segments])
    return Known(
        edl=found.to_edl(),
        coverage=found.coverage,
        confidence=float(np.average(confidence, weights=lengths_s)),
        sureties=tuple(
            Surety(float(sure), bool(gap_s <= _LARGEST_GAP_S)) for sure, gap_s in zip(confidence, gaps_s, strict=False)
        ),
        ends=bool(gaps_s[-1] <= _LARGEST_GAP_S),
    )


def residual_db(edit: Array, played: Array) -> float:
    """Energy of the difference of two sounds (channels, samples) against the first, dB; the shorter goes on silent."""
    n = min(edit.shape[1], played.shape[1])
    parts = (edit[:, :n] - played[:, :n], edit[:, n:], played[:, n:])
    difference = sum(_energy(part) for part in parts)
    return 10.0 * float(np.log10(max(difference / max(_energy(edit), _TINY), _TINY)))


def read_true_edit(path: Path, raw: Recording) -> EDL:
    """The exact edit of a raw.

    Raises:
        EDLError: the file is no EDL.
        DataError: it is one of another recording.
    """
    edl = edl_files.read(path)
    if edl.source != raw.source:
        raise DataError(f"{path}: an edit of another recording than {raw.source.file}")
    return replace(edl, source=raw.source)


def _energy(audio: Array) -> float:
    return float(np.vdot(audio, audio))
