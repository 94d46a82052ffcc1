"""What a reward model's scores are worth on recordings that were held out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rl_editor.policies.edit_scorer import EditScorer, cautious
from rl_editor.policies.judged import JudgedBatch
from rl_editor.policies.peoples_pairs import PEOPLE
from rl_editor.rl.calibration import (
    accuracy,
    accuracy_by_margin,
    best_factor,
    calibration_error,
    correlation_within,
)

_MARGINS = ("narrow", "middle", "wide")


class Judged(NamedTuple):
    """Recordings that were scored, put one after another."""

    raw: Tensor
    """What each member says of each edit, (M, N)."""
    recording: Tensor
    """Number of the recording of each edit, (N,) int64."""
    duration_s: Tensor
    """(N,)."""
    first: Tensor
    """Edit offered as A, of each answer that is no tie, (P,) int64."""
    second: Tensor
    """(P,) int64."""
    won: Tensor
    """Whether the first is better, (P,) bool."""
    song: tuple[str, ...]
    """(P,)."""
    kind: tuple[str, ...]
    """(P,)."""


def put_together(scored: Sequence[tuple[Tensor, JudgedBatch]]) -> Judged:
    """Batches with what each member says of their edits, (M, N) each, as one."""
    begins = [0]
    for raw, _ in scored:
        begins.append(begins[-1] + raw.shape[1])
    firsts = [0]
    for _, batch in scored:
        firsts.append(firsts[-1] + len(batch.songs))
    told = [batch.side != 0 for _, batch in scored]
    batches = [batch for _, batch in scored]
    return Judged(
        raw=torch.cat([raw for raw, _ in scored], dim=1),
        recording=torch.cat([at + batch.edits.recording for at, batch in zip(firsts, batches, strict=False)]),
        duration_s=torch.cat([batch.duration_s for batch in batches]),
        first=torch.cat([at + batch.first[keep] for at, batch, keep in zip(begins, batches, told, strict=False)]),
        second=torch.cat([at + batch.second[keep] for at, batch, keep in zip(begins, batches, told, strict=False)]),
        won=torch.cat([batch.side[keep] > 0 for batch, keep in zip(batches, told, strict=True)]),
        song=tuple(
            batch.songs[number]
            for batch, keep in zip(batches, told, strict=True)
            for number in batch.pair_song[keep].tolist()
        ),
        kind=tuple(
            batch.kind[row] for batch, keep in zip(batches, told, strict=True) for row in keep.nonzero()[:, 0].tolist()
        ),
    )


def refer(scorer: EditScorer, judged: Judged) -> None:
    """Make a held-out set the reference: centre and scale the members, and fit how sure their differences are."""
    if judged.raw.shape[1] > 1:
        scorer.refer_to(judged.raw)
    difference, won = _calibrated_on(scorer, judged)
    if len(won):
        scorer.sureness.fill_(best_factor(difference, won))


def report(scorer: EditScorer, judged: Judged, *, refitted: bool) -> Mapping[str, float]:
    """Figures by name: accuracy, by kind and by margin; calibration; correlation with the length; disagreement.

    Args:
        scorer: centred and scaled.
        judged: held-out recordings.
        refitted: the same recordings told how sure differences are; so that the calibration is not that of its own
            fit, each half of the songs is then judged by what the other half tells.
    """
    scores = scorer.standardised(judged.raw)
    one = cautious(scores, scorer.config)
    difference = scores.mean(dim=0)[judged.first] - scores.mean(dim=0)[judged.second]
    found = {
        "length_correlation": correlation_within(one, judged.duration_s.log(), judged.recording),
        "disagreement": float(scores.std(dim=0, correction=0).mean()),
    }
    if not len(judged.won):
        return found
    found["accuracy"] = accuracy(difference, judged.won)
    for kind in sorted(set(judged.kind)):
        rows = torch.tensor([each == kind for each in judged.kind])
        found[f"accuracy/{kind.replace(' ', '_')}"] = accuracy(difference[rows], judged.won[rows])
    for name, band in zip(_MARGINS, accuracy_by_margin(difference, judged.won), strict=False):
        found[f"accuracy_by_margin/{name}"] = band.accuracy
    kept, won = _calibrated_on(scorer, judged)
    songs = [song for song, kind in zip(judged.song, judged.kind, strict=True) if kind in _calibrating(judged)]
    probability = _crossed(kept, won, songs) if refitted else (scorer.sureness * kept).sigmoid()
    found["calibration_error"] = calibration_error(probability, won)
    return found


def _calibrating(judged: Judged) -> set[str]:
    """Kinds of pairs that tell how sure differences are: people's where there are such, for others never err."""
    kinds = set(judged.kind)
    return {PEOPLE} if PEOPLE in kinds else kinds


def _calibrated_on(scorer: EditScorer, judged: Judged) -> tuple[Tensor, Tensor]:
    """Differences of pairs that calibrate, and whether the first won."""
    kinds = _calibrating(judged)
    rows = torch.tensor([kind in kinds for kind in judged.kind], dtype=torch.bool)
    mean = scorer.standardised(judged.raw).mean(dim=0)
    return (mean[judged.first] - mean[judged.second])[rows], judged.won[rows]


def _crossed(difference: Tensor, won: Tensor, songs: Sequence[str]) -> Tensor:
    """Probabilities that the first wins, each half of the songs by the factor of the other, (P,)."""
    order = {song: number for number, song in enumerate(sorted(set(songs)))}
    half = torch.tensor([order[song] % 2 for song in songs])
    factors = torch.tensor([best_factor(difference[half != own], won[half != own]) for own in (0, 1)])
    return (factors[half] * difference).sigmoid()
