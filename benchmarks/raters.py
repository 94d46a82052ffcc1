"""Simulated raters: what they perceive of an edit, their hidden utility, and their answers.

Half of a utility's variance is a random taste in the reward's terms, which follow from Track and edit; the other half
one in the ruler's joins, phrases, start and ending, measured on the rendered sound. Answers come with logistic noise,
so that even who knows a utility is right in `CEILING` of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import DoubleArray
from rl_editor.audio.files import read_audio
from rl_editor.data.comparisons import Comparison, edl_hash
from rl_editor.data.prepared import Entry
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import render
from rl_editor.edits.ruler.evaluate import hear_raw, judge
from rl_editor.edits.ruler.source_map import known_map
from rl_editor.edits.ruler.verdict import Verdict
from rl_editor.envs.beat_edit.edit_terms import terms_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import DataError

HEARD = ("joins", "phrases", "start", "ending")
"""Components of the ruler that come from the sound of an edit."""
CEILING = 0.87
"""Share of answers that come out as the utility says."""
_TIE, _STRONG = 0.15, (1.5, 3.0)  # in units of the noise: what is called a tie, and stronger than 1 and 2
_TIME = "2026-01-01T00:00:00+00:00"


class Perceived(NamedTuple):
    """What E edits of one recording are like to a rater."""

    visible: DoubleArray
    """Terms of the reward in a second of the edit, (E, terms)."""
    heard: DoubleArray
    """`HEARD`, (E, components)."""


@dataclass(frozen=True, eq=False)
class Pool:
    """The edits of one take."""

    entry: Entry
    edits: tuple[EDL, ...]
    visible: DoubleArray
    """As in `Perceived`."""
    heard: DoubleArray


class Ear:
    """Who listens to edits of one recording.

    Args:
        file: the recording.
        track: its analysis.
    Raises:
        DataError: the file is another recording.
    """

    def __init__(self, file: Path, track: Track) -> None:
        recording = read_audio(file)
        if recording.source.content_hash != track.source.content_hash:
            raise DataError(f"{file}: is another recording than was prepared")
        self._audio, self._track = recording.audio, track
        self._raw = hear_raw(self._audio, track)
        self._known: dict[str, Verdict] = {}

    def verdict(self, edl: EDL) -> Verdict:
        """What the ruler says of an edit from its sound."""
        name = edl_hash(edl)
        if name not in self._known:
            song, rate = render(self._audio, edl), self._track.source.sample_rate
            self._known[name] = judge(self._raw, song, rate, known_map(edl), target_s=edl.target_s)
        return self._known[name]

    def perceived(self, edits: Sequence[EDL]) -> Perceived:
        """What edits are like to a rater."""
        visible = [np.array(terms_of(edl, self._track, RewardConfig())) / edl.duration_s for edl in edits]
        scores = [[self.verdict(edl).score(name) for name in HEARD] for edl in edits]
        # nothing to find fault with where there is no score
        return Perceived(
            np.array(visible), np.array([[1.0 if each is None else each for each in own] for own in scores])
        )


@dataclass(frozen=True, eq=False)
class Taste:
    """A random taste in terms, of unit spread within the recordings it was made for."""

    weights: DoubleArray
    """Of each term, (terms,)."""
    spread: DoubleArray
    """Of each term within recordings, (terms,); what lies beyond three of them counts as three."""
    unit: float

    def of(self, terms: DoubleArray, usual: DoubleArray) -> DoubleArray:
        """The worth of edits of one recording, (E,).

        Args:
            terms: (E, terms).
            usual: the mean over the recording's pool, which is worth about 0, (terms,).
        """
        most = 3 * self.weights * self.spread
        worth: DoubleArray = np.clip((terms - usual) * self.weights, -most, most).sum(axis=1) / self.unit
        return worth


def make_taste(terms: Sequence[DoubleArray], rng: np.random.Generator) -> Taste:
    """A taste in the terms of pools, each (edits, terms)."""
    within = np.concatenate([own - own.mean(axis=0) for own in terms])
    spread = within.std(axis=0)
    weights = rng.dirichlet(np.ones(within.shape[1])) * (spread > 1e-9) / np.maximum(spread, 1e-9)
    raw = Taste(weights, spread, 1.0)
    return Taste(weights, spread, float(np.concatenate([raw.of(own, own.mean(axis=0)) for own in terms]).std()))


@dataclass(frozen=True, eq=False)
class Utility:
    """What a rater likes; hidden from all who learn."""

    visible: Taste
    heard: Taste | None
    """None: nothing that takes ears."""

    def of(self, edits: Perceived, pool: Pool) -> DoubleArray:
        """The worth of edits of the recording of a pool, (E,), in units of its spread within recordings."""
        worth = self.visible.of(edits.visible, pool.visible.mean(axis=0))
        return worth if self.heard is None else worth + self.heard.of(edits.heard, pool.heard.mean(axis=0))


def hidden_utility(pools: Sequence[Pool], rater: int, *, whole: bool) -> Utility:
    """A rater's utility: its visible half alone, or both halves."""
    visible = make_taste([pool.visible for pool in pools], np.random.default_rng((rater, 0)))
    if not whole:
        return Utility(visible, None)
    return Utility(visible, make_taste([pool.heard for pool in pools], np.random.default_rng((rater, 1))))


def answers(
    pools: Sequence[Pool], worth: Sequence[DoubleArray], listener: str, count: int | None, rng: np.random.Generator
) -> Iterator[Comparison]:
    """A rater's answers: on `count` pairs drawn of all, or on all of them; noise such that `CEILING` come out right."""
    pairs = [(pool, k, a, b) for k, pool in enumerate(pools) for a, b in combinations(range(len(pool.edits)), 2)]
    drawn = rng.permutation(len(pairs))[:count]
    sharp = _sharpness(np.array([worth[k][a] - worth[k][b] for _, k, a, b in pairs]))
    for row in drawn.tolist():
        pool, k, a, b = pairs[row]
        felt = sharp * (worth[k][a] - worth[k][b]) + rng.logistic()
        answer = "tie" if abs(felt) < _TIE else "A" if felt > 0 else "B"
        strength = None if answer == "tie" else 1 + int(np.searchsorted(_STRONG, abs(felt)))
        names = edl_hash(pool.edits[a]), edl_hash(pool.edits[b])
        key, share = f"{listener} {pool.entry.key} {a} {b}", len(drawn) / len(pairs)
        yield Comparison(key, *names, "AB", answer, listener, _TIME, "random", share, strength)  # type: ignore[arg-type]


def _sharpness(differences: DoubleArray) -> float:
    """By how much a utility is multiplied before the noise, so that its order is answered in `CEILING` of the pairs."""
    low, high = 1e-3, 1e3
    for _ in range(50):
        middle = (low * high) ** 0.5
        right = (1.0 / (1.0 + np.exp(-middle * np.abs(differences)))).mean()
        low, high = (middle, high) if right < CEILING else (low, middle)
    return float(np.sqrt(low * high))
