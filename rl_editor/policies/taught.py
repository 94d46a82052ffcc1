"""Takes as they are taught: each ready to learn from, several of them as a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, IntArray
from rl_editor.data.prepared import PreparedTake
from rl_editor.edits.actions import KEEP
from rl_editor.errors import RequestError
from rl_editor.policies.lessons import Lesson, StrayConfig, make_lesson
from rl_editor.policies.recordings import Heard, Recordings, batched, hear
from rl_editor.policies.situation import Situation


class Batch(NamedTuple):
    """G takes with N situations."""

    recordings: Recordings
    kept: Tensor
    """Whether the true edit plays each beat, (G, B) float32."""
    situation: Situation
    best: Tensor
    """What the editor would do, (N, A) bool."""
    weight: Tensor
    """How surely, (N,) float32."""
    demonstrated: Tensor
    """The action that was shown, (N,) int64; -1 where none was."""


@dataclass(frozen=True, eq=False)
class HeardTake:
    """One take as a network takes it in, and its true edit."""

    key: str
    song: str
    """Content hash of its song."""
    track: Track
    heard: Heard
    kept: Array
    """Whether the true edit plays each beat, (B,)."""
    target_s: float

    @property
    def ratio(self) -> float:
        """Length of the true edit over the raw's."""
        return self.target_s / self.track.source.duration_s


@dataclass(frozen=True, eq=False)
class LearntTake(HeardTake):
    """One take, ready to learn from."""

    lesson: Lesson


def hear_take(take: PreparedTake) -> HeardTake:
    """A take as a network takes it in."""
    assert take.entry.measured is not None
    song = take.entry.measured.song_hash
    return HeardTake(take.entry.key, song, take.track, hear(take.track), _kept(take), take.edl.duration_s)


def learn(take: PreparedTake, stray: StrayConfig, rng: np.random.Generator) -> LearntTake | None:
    """A take made ready; None where no edit of its length is known.

    Args:
        take: of a prepared set.
        stray: who edits beside its demonstration.
        rng: for where they stray.
    """
    try:
        lesson = make_lesson(take.track, take.demonstration, take.edl.duration_s, stray, rng)
    except RequestError:
        return None
    return LearntTake(**vars(hear_take(take)), lesson=lesson)


def _kept(take: PreparedTake) -> Array:
    shown = take.demonstration
    kept = np.zeros(take.track.n_beats, dtype=np.float32)
    kept[shown.playhead[shown.actions == KEEP]] = 1.0
    return kept


def drawn(takes: Sequence[LearntTake], *, situations: int, jumps: float) -> Batch:
    """Takes with situations drawn by torch's generator."""
    rows = []
    for take in takes:
        best = take.lesson.best
        chance = take.lesson.weight * np.where(best[:, KEEP] & (best.sum(axis=1) == 1), 1.0, jumps)
        chance = np.where(take.lesson.mask.sum(axis=1) > 1, chance, 0.0)
        drawn = torch.multinomial(torch.as_tensor(chance), situations, replacement=True)
        rows.append(drawn.numpy())
    return _put_together(takes, rows)


def demonstrated(takes: Sequence[LearntTake]) -> Batch:
    """Takes with all situations of their demonstrations."""
    return _put_together(takes, [np.flatnonzero(take.lesson.demonstrated >= 0) for take in takes])


def _put_together(takes: Sequence[LearntTake], rows: Sequence[IntArray]) -> Batch:
    recordings = batched([take.heard for take in takes], [take.ratio for take in takes], [True] * len(takes))
    kept = torch.zeros(recordings.share.shape)
    for row, take in zip(kept, takes, strict=True):
        row[: len(take.kept)] = torch.as_tensor(take.kept)

    def column(name: str, dtype: torch.dtype) -> Tensor:
        drawn = [getattr(take.lesson, name)[own] for take, own in zip(takes, rows, strict=True)]
        return torch.as_tensor(np.concatenate(drawn), dtype=dtype)

    situation = Situation(
        recording=torch.repeat_interleave(torch.tensor([len(own) for own in rows])),
        playhead=column("playhead", torch.int64),
        must_keep=column("must_keep", torch.bool),
        scalars=column("scalars", torch.float32),
        kind=column("kind", torch.int64),
        plays=column("plays", torch.float32),
        mask=column("mask", torch.bool),
    )
    return Batch(
        recordings,
        kept,
        situation,
        best=column("best", torch.bool),
        weight=column("weight", torch.float32),
        demonstrated=column("demonstrated", torch.int64),
    )
