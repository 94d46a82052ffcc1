"""Described edits as a batch, padded to the longest."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rl_editor.edits.stacking import stacked
from rl_editor.policies.edit_description import EditDescription
from rl_editor.policies.recordings import Heard, Recordings, batched

_MULTIPLE = 4  # of which the number of tokens is one, as a network takes several together


class Edits(NamedTuple):
    """N edits of G recordings, T tokens each; as in `EditDescription`."""

    recording: Tensor
    """Number of the recording each is of, (N,) int64."""
    beat: Tensor
    """(N, T) int64."""
    beside: Tensor
    """(N, T, 2) int64; -1 where there is none."""
    columns: Tensor
    """(N, T, J) float32."""
    left_out: Tensor
    """(N, T, D) float32; 0 where nothing is told."""
    present: Tensor
    """Whether there is a token, (N, T) bool."""
    plays: Tensor
    """(N, B) float32."""
    about: Tensor
    """(N, A) float32."""

    def to(self, device: torch.device | str) -> "Edits":
        """The same on another device."""
        return Edits(*(column.to(device) for column in self))


def put_together(heard: Sequence[Heard], edits: Sequence[Sequence[EditDescription]]) -> tuple[Recordings, Edits]:
    """Recordings with their edits as one batch, the edits of the first recording first.

    Args:
        heard: G recordings.
        edits: those of each.
    """
    recordings = as_recordings(heard)
    return recordings, as_edits(edits, n_beats=recordings.beats.shape[1])


def as_recordings(heard: Sequence[Heard]) -> Recordings:
    """G recordings as one batch, nothing being asked for."""
    return batched(heard, [0.0] * len(heard), [True] * len(heard))


def as_edits(edits: Sequence[Sequence[EditDescription]], *, n_beats: int) -> Edits:
    """Edits as one batch.

    Args:
        edits: those of each of G recordings.
        n_beats: of the longest recording.
    """
    flat = [edit for own in edits for edit in own]
    length = -(-max(len(edit.beat) for edit in flat) // _MULTIPLE) * _MULTIPLE
    return Edits(
        recording=torch.repeat_interleave(torch.tensor([len(own) for own in edits])),
        beat=stacked((edit.beat for edit in flat), length),
        beside=stacked((edit.beside for edit in flat), length, fill=-1),
        columns=stacked((edit.columns for edit in flat), length),
        left_out=stacked((edit.left_out for edit in flat), length),
        present=torch.arange(length) < torch.tensor([len(edit.beat) for edit in flat])[:, None],
        plays=stacked((edit.plays for edit in flat), n_beats),
        about=stacked(edit.about for edit in flat),
    )
