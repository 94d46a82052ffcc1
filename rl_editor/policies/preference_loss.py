"""The loss of a reward model on answers and ratings, and what its differences are worth on answers."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.judged import JudgedBatch
from rl_editor.rl.bradley_terry import Raters, answer_loss, centring, choice_loss, rating_loss


class PreferenceLosses(NamedTuple):
    """Means over members and what each of them learns from."""

    total: Tensor
    answers: Tensor
    """Negative log-likelihood of an answer, nats."""
    ratings: Tensor
    """Of a rating, nats; 0 where there is none."""
    raw: Tensor
    """What each member says of each edit, (M, N)."""


def preference_losses(
    scorer: EditScorer,
    raters: Raters,
    batch: JudgedBatch,
    *,
    centre_weight: float,
    rating_weight: float,
    seed: int | None,
) -> PreferenceLosses:
    """The loss of a batch.

    Args:
        scorer: the reward model.
        raters: how people answer.
        batch: what is known.
        centre_weight: weight of `centring`.
        rating_weight: of a rating beside an answer.
        seed: of the bootstrap over songs; None: all members learn from all of them.
    """
    raw = scorer.raw(batch.recordings, batch.edits)
    first, second = raw[:, batch.first], raw[:, batch.second]
    shares = bootstrap(batch.songs, len(raw), seed).to(raw)
    weight = shares[:, batch.pair_song] * batch.weight
    difference = first - second
    given = answer_loss(raters.answers(difference), batch.side, batch.strength)
    loss = torch.where(batch.given, given, choice_loss(difference, batch.side))
    answers = _mean(loss, weight)
    rated = rating_loss(raters.ratings(raw[:, batch.rated]), batch.rating)
    ratings = _mean(rated, shares[:, batch.rating_song])
    total = answers + rating_weight * ratings + centre_weight * _mean(centring(first, second), weight)
    return PreferenceLosses(total, answers, ratings, raw)


def bootstrap(songs: Sequence[str], members: int, seed: int | None) -> Tensor:
    """How often each member learns from each song, (M, G): a bootstrap over songs whose draws each song keeps.

    Counts are Poisson's with mean 1, which is the bootstrap's limit and needs no list of all songs (Oza and Russell,
    AISTATS 2001).
    """
    if seed is None:
        return torch.ones(members, len(songs))
    digests = [hashlib.sha256(f"{seed} {song}".encode()).digest() for song in songs]
    counts = [np.random.default_rng(list(digest)).poisson(1.0, members) for digest in digests]
    return torch.tensor(np.array(counts).reshape(-1, members).T, dtype=torch.float32)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of values, each as often as its weight says, which is 1 in the mean; 0 where there are none."""
    return (values * weight).sum() / max(values.numel(), 1)
