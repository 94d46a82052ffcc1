"""An edit under way, as a picture and as text."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.clock import clock
from rl_editor.edits.edl import EDL, Segment
from rl_editor.edits.joins import describe
from rl_editor.edits.picture import draw
from rl_editor.edits.render import render
from rl_editor.envs.beat_edit.played import MAKER


def as_picture(edl: EDL | None, track: Track, audio: Array | None = None) -> NDArray[np.uint8]:
    """The recording with what was kept of it, and the song below, uint8 (height, width, 3).

    Args:
        edl: the edit; None where nothing was played yet.
        track: analysis of its source.
        audio: the source, float32 (channels, samples); without it each beat is drawn as loud as the Track says.
    """
    # nothing can't be drawn; one sample can't be seen
    shown = edl or EDL(track.source, (Segment(0, 1),), MAKER)
    sound = _levels(track) if audio is None else audio
    figure = draw(shown, track, sound, render(sound, shown))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]  # Agg's


def as_text(edl: EDL | None, track: Track) -> str:
    """The edit list: a line for each segment with its times, why it is entered and how the join scores.

    Args:
        edl: the edit; None where nothing was played yet.
        track: analysis of its source.
    """
    rate, name = track.source.sample_rate, Path(track.source.file).name or "recording"
    if edl is None:
        return f"{name}: nothing was played yet\n"
    joins = dict(zip(edl.joins, describe(edl, track), strict=True))
    wanted = "" if edl.target_s is None else f" of {clock(edl.target_s)}"
    lines = [f"{name}: {clock(edl.duration_s)}{wanted}"]
    for k, segment in enumerate(edl.segments):
        score = "" if k not in joins or joins[k].score is None else f" {joins[k].score:.2f}"
        lines.append(f"  {clock(segment.start / rate)} to {clock(segment.end / rate)}  {segment.why}{score}".rstrip())
    return "\n".join(lines) + "\n"


def _levels(track: Track) -> Array:
    """A stand-in for the sound: a buzz as loud as each beat, float32 (1, samples)."""
    loud = np.repeat(10.0 ** (track.level_db / 20.0), np.diff(track.bounds)).astype(np.float32)
    loud[1::2] *= -1.0
    return loud[None]
