"""What can be shown of an edit beside its figures: which decisions it takes, its picture, its sound."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rl_editor.analysis.spectra import RATE
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, IntArray
from rl_editor.audio.loudness import integrated_lufs, weighted_power
from rl_editor.edits.actions import END, KEEP, Kind, State, column_of, fade_class_of, kinds_of
from rl_editor.edits.demonstration import Decoded, decode
from rl_editor.edits.edl import EDL
from rl_editor.edits.picture import draw
from rl_editor.edits.render import positions
from rl_editor.edits.ruler.hearing import mono

ACTIONS = ("keep", "end", *(kind.name.lower() for kind in Kind))
"""Types of actions; a landing is what it is seen from what was played before it."""
FADES = ("tight", "short", "beat", "bar")
"""Fade classes."""
LOUDNESS_LUFS = -23.0
"""Of all excerpts, so that the louder edit is not taken for the better one (EBU R 128)."""
LONGEST_S = 60.0
AROUND_S = 2.0
"""What is heard on each side of a join where an edit is too long to be heard whole."""
_PAUSE_S, _RAMP_S = 0.3, 0.02


class Decisions(NamedTuple):
    """What edits decide."""

    actions: IntArray
    """Index into `ACTIONS` of each action, (T,)."""
    fades: IntArray
    """Index into `FADES` of each join, (J,); where an edit begins is no join."""


def decisions_of(edl: EDL, track: Track) -> Decisions:
    """What an edit decides, as the actions that come nearest to it.

    Args:
        edl: any edit of the recording.
        track: its analysis.
    Raises:
        EDLError: the edit is of another recording.
    """
    decoded = decode(edl, track)
    lands = decoded.actions > END
    types = decoded.actions.copy()  # KEEP and END stand first in ACTIONS too
    types[lands] = 2 + _kinds(decoded, track)
    return Decisions(types, fade_class_of(decoded.actions[lands & (decoded.playhead > 0)]))


def _kinds(decoded: Decoded, track: Track) -> IntArray:
    """The kind of each landing, (J,)."""
    at = np.flatnonzero(decoded.actions > END)
    row, column = decoded.playhead[at], column_of(decoded.actions[at])
    is_outside = decoded.outside.beat[at] >= 0
    beat = np.where(is_outside, decoded.outside.beat[at], track.landings.beat[row, column])
    half = np.where(is_outside, decoded.outside.half[at], track.landings.half[row, column])
    played = np.where(decoded.actions == KEEP, decoded.playhead, -1)
    played[at] = np.where(half == 1, beat, -1)
    plays = [np.bincount(played[:t][played[:t] >= 0], minlength=track.n_beats) for t in at]
    nothing = torch.zeros(len(at), dtype=torch.int64)
    state = State(
        track=nothing,
        playhead=torch.as_tensor(row),
        must_keep=nothing.bool(),
        ended=nothing.bool(),
        furthest=torch.as_tensor([int(played[:t].max(initial=-1)) for t in at], dtype=torch.int64),
        plays=torch.as_tensor(np.array(plays, dtype=np.int16).reshape(len(at), track.n_beats)),
        samples=nothing,
    )
    kinds: IntArray = kinds_of(state, torch.as_tensor(beat, dtype=torch.int64)[:, None])[:, 0].numpy()
    return kinds


def together(decisions: Sequence[Decisions]) -> Decisions:
    """Those of several edits."""
    actions, fades = (np.concatenate(column) for column in zip(*decisions, strict=True))
    return Decisions(actions, fades)


def shares(decisions: Decisions) -> Mapping[str, float]:
    """The share of each type among all actions, and of each fade class among all joins.

    Args:
        decisions: at least one action; without a join fade classes have no share.
    """
    told: dict[str, float] = {}
    for group, names, which in (("actions", ACTIONS, decisions.actions), ("fades", FADES, decisions.fades)):
        counts = np.bincount(which, minlength=len(names))
        if len(which):
            told |= {f"{group}/{name}": float(count / len(which)) for name, count in zip(names, counts, strict=True)}
    return told


def picture(edl: EDL, track: Track, audio: Array, song: Array) -> NDArray[np.uint8]:
    """The picture of an edit, (height, width, 3).

    Args:
        edl: the edit.
        track: analysis of its source.
        audio: the source, float32 (channels, samples).
        song: the rendered edit, float32 (channels, samples).
    """
    figure = draw(edl, track, audio, song)
    canvas: Any = figure.canvas  # Agg, as `draw` sets it
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # names in scripts the font lacks are drawn as boxes
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def sound(edl: EDL, song: Array) -> Array:
    """What is heard of an edit to judge it: mono at `RATE`, at most a minute of it, at `LOUDNESS_LUFS`.

    Args:
        edl: the edit.
        song: rendered, float32 (channels, samples).
    """
    rate = edl.source.sample_rate
    starts = positions(edl.segments)
    return levelled(excerpt(mono(song, rate), [starts[k] / rate for k in edl.joins]))


def excerpt(song: Array, joins_s: Sequence[float]) -> Array:
    """A song where it lasts a minute at most, else its joins in their order, and its beginning while there is room.

    Args:
        song: mono at `RATE`, float32 (n,).
        joins_s: where it joins, in ascending order.
    """
    longest, around, pause = round(LONGEST_S * RATE), round(AROUND_S * RATE), round(_PAUSE_S * RATE)
    if len(song) <= longest:
        return song
    pieces: list[Array] = []
    room = longest
    for start, end in [*_spans(joins_s, around, len(song)), (0, len(song))]:
        piece = song[start : min(end, start + room)]
        pieces += [_ramped(piece), np.zeros(min(pause, room - len(piece)), dtype=np.float32)]
        room -= len(piece) + len(pieces[-1])
    return np.concatenate(pieces)


def _spans(joins_s: Sequence[float], around: int, n: int) -> list[tuple[int, int]]:
    """What lies around joins, [start, end) in samples; what overlaps is one."""
    spans: list[tuple[int, int]] = []
    for at in (round(at_s * RATE) for at_s in joins_s):
        start, end = max(at - around, 0), min(at + around, n)
        if spans and start <= spans[-1][1]:
            start, _ = spans.pop()
        spans.append((start, end))
    return spans


def _ramped(piece: Array) -> Array:
    """A piece that neither begins nor ends with a click."""
    n = min(round(_RAMP_S * RATE), len(piece) // 2)
    ramp = np.linspace(0.0, 1.0, n, dtype=np.float32)
    gains = np.concatenate([ramp, np.ones(len(piece) - 2 * n, dtype=np.float32), ramp[::-1]])
    return piece * gains


def levelled(song: Array) -> Array:
    """The same at `LOUDNESS_LUFS`, or as near below as full scale lets it; what is silent stays so.

    Args:
        song: mono at `RATE`, float32 (n,).
    """
    loudness = integrated_lufs(weighted_power(song[None], RATE))
    if loudness is None or not np.isfinite(loudness):
        return song
    gain = 10.0 ** ((LOUDNESS_LUFS - loudness) / 20.0)
    return song * np.float32(min(gain, 1.0 / float(np.abs(song).max())))
