"""Where edits under way stand, as a policy sees them: from an environment, or from a demonstration that is replayed."""

from typing import NamedTuple

from torch import Tensor

PLAYS = 4.0
"""Plays of a beat that count as many."""


class Situation(NamedTuple):
    """N edits under way."""

    recording: Tensor
    """Which of the recordings that were encoded, (N,) int64."""
    playhead: Tensor
    """Beat before which it stands, (N,) int64."""
    must_keep: Tensor
    """A landing was just taken whose beat is still to be played, (N,) bool."""
    scalars: Tensor
    """How far it has come, (N, S) float32, columns `rl_editor.envs.beat_edit.environment.SCALARS`."""
    kind: Tensor
    """Kind of each landing, (N, K) int64 of `rl_editor.edits.actions.Kind`; -1 where there is none."""
    plays: Tensor
    """How often the beat of each landing was played, over `PLAYS` and at most 1, (N, K) float32."""
    mask: Tensor
    """Legal actions, (N, A) bool."""
