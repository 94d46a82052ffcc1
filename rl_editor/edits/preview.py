"""Hear only the joins: a few seconds around each, one after another."""

import numpy as np

from rl_editor.arrays import Array
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import positions
from rl_editor.errors import EDLError

_AROUND_S = 3.0
_PAUSE_S = 0.5
_FADE_S = 0.02


def join_preview(song: Array, edl: EDL) -> Array:
    """3 s before and after each join of a rendered edit, half a second of silence between.

    Args:
        song: the rendered edit, float32 (channels, samples).
        edl: the edit.
    Raises:
        EDLError: the edit has no join.
    """
    if not edl.joins:
        raise EDLError("this edit has no join to listen to")
    rate = edl.source.sample_rate
    around, n_fade = round(_AROUND_S * rate), round(_FADE_S * rate)
    pause = np.zeros((song.shape[0], round(_PAUSE_S * rate)), dtype=np.float32)
    pieces = []
    for k in edl.joins:
        at = positions(edl.segments)[k]
        piece = song[:, max(at - around, 0) : at + around].copy()
        ramp = np.linspace(0.0, 1.0, min(n_fade, piece.shape[1]), dtype=np.float32)
        piece[:, : len(ramp)] *= ramp
        piece[:, piece.shape[1] - len(ramp) :] *= ramp[::-1]
        pieces += [piece, pause]
    return np.concatenate(pieces[:-1], axis=1)
