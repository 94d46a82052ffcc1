"""Edits of a recording with what is known of which is better, and these as batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.arrays import Array, IntArray
from rl_editor.edits.edl import EDL
from rl_editor.policies.described_edits import Edits, put_together
from rl_editor.policies.edit_description import describe_edits
from rl_editor.policies.ground import Ground
from rl_editor.policies.recordings import Recordings


class Answers(NamedTuple):
    """P answers on pairs of edits."""

    first: IntArray
    """Number of the edit offered as A, (P,)."""
    second: IntArray
    """Of the one offered as B, (P,)."""
    side: IntArray
    """1 where the first is better, -1 where the second is, 0 for a tie, (P,)."""
    strength: IntArray
    """1 to 3; 0 where it was not told, (P,)."""
    given: IntArray
    """1 where a person gave it, who could have called it a tie; 0 where one of the two was made worse, (P,)."""
    weight: Array
    """How much it counts, (P,)."""
    kind: tuple[str, ...]
    """What the pair differs in: a fault, an editor, `people`."""

    def of(self, rows: IntArray) -> "Answers":
        """Those at `rows`."""
        return Answers(
            self.first[rows],
            self.second[rows],
            self.side[rows],
            self.strength[rows],
            self.given[rows],
            self.weight[rows],
            tuple(self.kind[row] for row in rows.tolist()),
        )


class Ratings(NamedTuple):
    """R ratings of edits by themselves."""

    edit: IntArray
    """Number of the edit, (R,)."""
    rating: IntArray
    """1 to 10, (R,)."""


@dataclass(frozen=True, eq=False)
class JudgedRecording:
    """A recording with edits of it that were compared."""

    key: str
    song: str
    """Content hash of its song."""
    ground: Ground
    edits: tuple[EDL, ...]
    answers: Answers
    ratings: Ratings


class JudgedBatch(NamedTuple):
    """N edits of G recordings, and what is known of them; rows are numbers of edits of the batch."""

    recordings: Recordings
    edits: Edits
    first: Tensor
    """(P,) int64."""
    second: Tensor
    """(P,) int64."""
    side: Tensor
    """(P,) int64."""
    strength: Tensor
    """(P,) int64."""
    given: Tensor
    """(P,) bool."""
    weight: Tensor
    """(P,) float32."""
    pair_song: Tensor
    """Number of the song in `songs`, (P,) int64."""
    rated: Tensor
    """(R,) int64."""
    rating: Tensor
    """(R,) int64."""
    rating_song: Tensor
    """(R,) int64."""
    duration_s: Tensor
    """Of each edit, (N,) float32."""
    songs: tuple[str, ...]
    """Of each recording, (G,)."""
    kind: tuple[str, ...]
    """(P,)."""


def drawn_pairs(judged: Sequence[JudgedRecording], *, pairs: int) -> JudgedBatch:
    """All that people said of each recording, and at most so many of its other answers, drawn by torch's generator."""
    rows = []
    for each in judged:
        said, planted = np.flatnonzero(each.answers.given), np.flatnonzero(each.answers.given == 0)
        drawn = torch.randperm(len(planted))[:pairs].numpy() if len(planted) > pairs else np.arange(len(planted))
        rows.append(np.concatenate([said, planted[drawn]]))
    return _as_batch(judged, rows)


def all_pairs(judged: Sequence[JudgedRecording]) -> JudgedBatch:
    """All answers of each recording."""
    return _as_batch(judged, [np.arange(len(each.answers.first)) for each in judged])


def _as_batch(judged: Sequence[JudgedRecording], rows: Sequence[IntArray]) -> JudgedBatch:
    answers = [each.answers.of(own) for each, own in zip(judged, rows, strict=True)]
    used = [
        np.unique(np.concatenate([own.first, own.second, each.ratings.edit]))
        for each, own in zip(judged, answers, strict=True)
    ]
    begins = np.cumsum([0, *(len(own) for own in used)])
    described = [
        describe_edits([each.edits[k] for k in own], each.ground) for each, own in zip(judged, used, strict=True)
    ]
    recordings, edits = put_together([each.ground.heard for each in judged], described)

    def renumbered(columns: Sequence[IntArray]) -> Tensor:
        places = [
            begin + np.searchsorted(own, column) for begin, own, column in zip(begins, used, columns, strict=False)
        ]
        return torch.as_tensor(np.concatenate(places), dtype=torch.int64)

    def column(name: str, dtype: torch.dtype) -> Tensor:
        return torch.as_tensor(np.concatenate([getattr(own, name) for own in answers]), dtype=dtype)

    return JudgedBatch(
        recordings=recordings,
        edits=edits,
        first=renumbered([own.first for own in answers]),
        second=renumbered([own.second for own in answers]),
        side=column("side", torch.int64),
        strength=column("strength", torch.int64),
        given=column("given", torch.bool),
        weight=column("weight", torch.float32),
        pair_song=torch.repeat_interleave(torch.tensor([len(own.first) for own in answers])),
        rated=renumbered([each.ratings.edit for each in judged]),
        rating=torch.as_tensor(np.concatenate([each.ratings.rating for each in judged]), dtype=torch.int64),
        rating_song=torch.repeat_interleave(torch.tensor([len(each.ratings.edit) for each in judged])),
        duration_s=torch.tensor([edit.duration_s for own in described for edit in own]),
        songs=tuple(each.song for each in judged),
        kind=tuple(kind for own in answers for kind in own.kind),
    )
