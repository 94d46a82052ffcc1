"""Beats and downbeats by Beat This!, a transformer: good and slower, for who has its package and its weights.

The package `beat-this` (MIT) is an extra and brings no weights. They are taken from a file, from the folder where
torch keeps downloads, as the package itself does, or fetched from where its authors publish them.
Source: Foscarin, Schlueter, Widmer, Beat This! Accurate Beat Tracking Without DBN Postprocessing, ISMIR 2024.
"""

import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rl_editor.analysis.beat_files import KnownBeats
from rl_editor.analysis.foreign_weights import download, kept_weights, opening
from rl_editor.arrays import Array, BoolArray, DoubleArray, SmallIntArray
from rl_editor.errors import EditorError, TrackError
from rl_editor.progress import Report, ignore

NAME = "beat-this"
"""What users call it."""
_CHECKPOINT = "final0"  # what the package takes by default: trained on all its data but GTZAN
_USUAL_BAR = 4


class BeatThis(Protocol):
    """What `beat_this.inference.Audio2Beats` is."""

    def __call__(self, signal: Array, sr: int) -> tuple[DoubleArray, DoubleArray]:
        """Seconds of beats and of those of them that are downbeats, for a signal (n, channels) at `sr` Hz."""


def published_beat_this(report: Report = ignore) -> Path:
    """The file of the published weights: from an earlier call, or of the package itself, or else fetched.

    Args:
        report: told of the share that has been fetched.
    Raises:
        EditorError: the package is not installed.
        CheckpointError: the weights are not there and can't be fetched.
    """
    # fetched here because the package would open what it fetches as a pickle, which may run code
    kept = kept_weights(f"beat_this-{_CHECKPOINT}.ckpt")
    url = f"{_package().CHECKPOINT_URL}/{_CHECKPOINT}.ckpt"
    if not kept.is_file():
        download(url, kept, what=NAME, report=report)
    return kept


def load_beat_this(weights: Path) -> BeatThis:
    """The tracker, from a file of its weights.

    Args:
        weights: `.ckpt` as its authors publish it.
    Raises:
        EditorError: the package is not installed.
        CheckpointError: the file is missing, damaged, of another kind, or holds more than weights.
    """
    package = _package()
    # a missing file must not come so far: the package would take its name for that of published weights
    with opening(weights, what=NAME, kinds=".ckpt"):
        tracker: BeatThis = package.Audio2Beats(checkpoint_path=str(weights), device="cpu", dbn=False)
    return tracker


def beat_this_beats(sound: Array, sample_rate: int, tracker: BeatThis, *, file: str = "") -> KnownBeats:
    """The beats of a recording; where no downbeat is heard, nothing is said of bars.

    Args:
        sound: float32 (channels, n).
        sample_rate: Hz.
        tracker: from `load_beat_this`.
        file: the recording's name, for the message.
    Raises:
        TrackError: fewer than two beats are heard.
    """
    times_s, downbeats_s = tracker(sound.T, sample_rate)
    if len(times_s) < 2:
        raise TrackError(f"{file or 'recording'}: {NAME} hears no beats; without it they are found as far as they go")
    is_downbeat = np.isin(times_s, downbeats_s)  # the same numbers: it moves downbeats onto beats
    return KnownBeats(times_s.astype(np.float64), positions(is_downbeat) if is_downbeat.any() else None)


def positions(is_downbeat: BoolArray) -> SmallIntArray:
    """Position of each beat in its bar, (K,), 0 on downbeats and nowhere else; a pickup counts towards the first.

    Args:
        is_downbeat: (K,), true somewhere.
    """
    downbeats = np.flatnonzero(is_downbeat)
    beat = np.arange(len(is_downbeat))
    latest = np.maximum.accumulate(np.where(is_downbeat, beat, -1))
    bar = round(float(np.median(np.diff(downbeats)))) if len(downbeats) > 1 else _USUAL_BAR
    pickup = np.maximum(bar + beat - downbeats[0], 1)
    largest = np.iinfo(np.int8).max
    return np.minimum(np.where(latest < 0, pickup, beat - latest), largest).astype(np.int8)


def _package() -> Any:
    """`beat_this.inference`, by name because it is an extra."""
    try:
        return importlib.import_module("beat_this.inference")
    except ImportError as error:
        raise EditorError(f"{NAME}: {error.name} is not installed; pip install {NAME} brings it") from error
