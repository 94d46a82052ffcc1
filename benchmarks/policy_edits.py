"""Edits that policies give to takes of songs they were never trained on, and how figures of them are put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from rl_editor.arrays import DoubleArray
from rl_editor.data.prepared import PreparedSet
from rl_editor.data.splits import spread
from rl_editor.edits.edl import EDL
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import RequestError
from rl_editor.policies.decision_head import Prepared
from rl_editor.policies.described_edits import put_together
from rl_editor.policies.edit_description import describe_edits
from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.ground import Ground
from rl_editor.policies.imitation import request_of
from rl_editor.policies.playing import TEMPERATURE, play, recordings_of
from rl_editor.policies.policy import Policy
from rl_editor.policies.situation import Situation
from rl_editor.policies.taught import HeardTake, hear_take
from rl_editor.rl.ppo import kl

_DRAWS = 2000  # of the bootstrap


class Interval(NamedTuple):
    """A mean, and where 95 % of the draws of as many songs lie."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    @property
    def verdict(self) -> str:
        """Which side of 0 the interval is on."""
        return "above 0" if self.low > 0 else "below 0" if self.high < 0 else "not clear of 0"


def by_song(songs: Sequence[str], values: Sequence[float] | DoubleArray) -> Interval:
    """The mean over takes, NaN left out, with 95 % of 2,000 draws of as many songs with all their takes.

    Args:
        songs: of each take.
        values: one a take.
    """
    told = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(told)
    if not known.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    _, song = np.unique(np.array(songs)[known], return_inverse=True)
    sums, counts = (np.bincount(song, weights=each) for each in (told[known], np.ones(known.sum())))
    drawn = np.random.default_rng(0).integers(len(sums), size=(_DRAWS, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return Interval(float(told[known].mean()), float(low), float(high))


def heard_takes(chosen: PreparedSet, most: int | None) -> list[HeardTake]:
    """At most so many takes, of as many songs as there are, whose true edit's length can be met."""
    songs = [entry.measured.song_hash if entry.measured else "" for entry in chosen.entries]
    numbers = spread(songs, len(songs) if most is None else most)
    takes = []
    for number in sorted(numbers):
        take = hear_take(chosen.load(chosen.entries[number]))
        try:
            make_instances([take.track], [(0, request_of(take))], RewardConfig())
        except RequestError:
            print(f"{take.key}: no edit of its length is known; not judged")
            continue
        takes.append(take)
    return takes


@dataclass(frozen=True, eq=False)
class Played:
    """A policy's edits of one take: the likeliest, then drawn ones."""

    edits: tuple[EDL, ...]
    """(1 + D)."""
    returned: DoubleArray
    """What the environment pays for each by its rules, (1 + D)."""
    divergence: float
    """Nats by which a drawn edit's decisions differ from those of the reference, mean over the drawn ones."""


class Stage:
    """One take that several policies edit.

    Args:
        take: whose length can be met.
        config: what the environment pays for.
    """

    def __init__(self, take: HeardTake, config: RewardConfig) -> None:
        self.take = take
        self._made = make_instances([take.track], [(0, request_of(take))], config)
        self._recordings = recordings_of(self._made, [take.heard])
        self._env = cache(lambda n: BeatEditEnv(self._made, n, config))
        self._ground = Ground(take.track)

    @torch.inference_mode()
    def played(self, policy: Policy, reference: Policy, draws: int, temperature: float = TEMPERATURE) -> Played:
        """The edits of a policy.

        Args:
            policy: in eval mode.
            reference: what it is compared with, in eval mode.
            draws: edits that are drawn beside the likeliest, D; at least 1.
            temperature: that they are drawn at.
        """
        _, prepared = policy.encode(self._recordings)
        likeliest = play(policy, prepared, self._env(1), torch.zeros(1, dtype=torch.int64))
        beside = _Beside(policy, reference, reference.encode(self._recordings)[1])
        generator, which = torch.Generator().manual_seed(0), torch.zeros(draws, dtype=torch.int64)
        drawn = play(cast(Policy, beside), prepared, self._env(draws), which, generator, temperature)
        every = [*likeliest, *drawn]
        nats = torch.stack(beside.divergence).numpy()
        return Played(
            edits=tuple(edit_of(self._made, 0, each.actions) for each in every),
            returned=np.array([each.returned for each in every]),
            divergence=float(np.mean([nats[: len(each.actions), row].sum() for row, each in enumerate(drawn)])),
        )

    @torch.inference_mode()
    def scores(self, scorer: EditScorer, edits: Sequence[EDL]) -> DoubleArray:
        """What a reward model says of edits of the take, (E,)."""
        batch = put_together([self._ground.heard], [describe_edits(edits, self._ground)])
        scores: DoubleArray = scorer(*batch).double().numpy()
        return scores


class _Beside:
    """A policy that decides while another is asked what it would have done: their divergence, step by step, (N,)."""

    def __init__(self, policy: Policy, reference: Policy, prepared: Prepared) -> None:
        self._policy, self._reference, self._prepared = policy, reference, prepared
        self.divergence: list[Tensor] = []

    def log_probs(self, prepared: Prepared, situation: Situation, temperature: float) -> Tensor:
        ours = self._policy.log_probs(prepared, situation, temperature)
        self.divergence.append(kl(ours, self._reference.log_probs(self._prepared, situation, temperature)))
        return ours
