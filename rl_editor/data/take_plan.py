"""What happens in a jam or session, in order: attempts at songs, and what lies between them. Nothing sounds here.

All lengths are fixed before a note is played, so that the raw has the length that was asked for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rl_editor.arrays import DoubleArray
from rl_editor.audio.composition import Composition
from rl_editor.audio.performing import played_s, tempo_curve
from rl_editor.data.faults import Fault, draw_faults
from rl_editor.errors import DataError

Pause = Literal["silence", "talk", "tuning", "noodling", "count-in"]

_PAUSES: dict[Pause, float] = {"silence": 0.28, "talk": 0.38, "tuning": 0.22, "noodling": 0.12}
_WORSE = {"spoiled": 0.4, "broken off": 0.28, "false start": 0.14, "restart": 0.18}
_SHORTEST_PAUSE_S = 0.8
_SHORTEST_ATTEMPT_S = 5.0
_REST_S = 5.0  # of a take, for each song, besides its best attempt


@dataclass(frozen=True)
class Filler:
    """Something that is no music."""

    kind: Pause
    length_s: float
    clicks: int = 0
    """Hits of a count-in, evenly spread over its length."""


@dataclass(frozen=True, eq=False)
class PlannedAttempt:
    """One attempt to come: what is played of which song, in which tempo, and what goes wrong."""

    song: int
    """Its place among the take's songs."""
    times: DoubleArray
    """When each beat of the composition falls, s, (B+1,)."""
    length_s: float
    first_beat: int = 0
    end_beat: int | None = None
    """Where it breaks off; None where it goes on to the end."""
    faults: tuple[Fault, ...] = ()
    kept: bool = False
    """The best attempt at the song."""
    clicks: int = 0
    """Hits of the count-in before it."""

    @property
    def beat_s(self) -> float:
        """How long its first beat lasts, which is how far the clicks of its count-in are apart."""
        return float(self.times[self.first_beat + 1] - self.times[self.first_beat])


def plan_take(
    compositions: Sequence[Composition], rng: np.random.Generator, *, length_s: float
) -> list[Filler | PlannedAttempt]:
    """A jam of one song, or a session of several in their order, of `length_s` seconds.

    Raises:
        DataError: the songs, each played once, leave no room for anything else.
    """
    best = [_planned(c, k, _times(c, rng), kept=True) for k, c in enumerate(compositions)]
    needed_s = sum(attempt.length_s + _REST_S for attempt in best)
    if length_s < needed_s:
        raise DataError(f"a take of {length_s:.0f} s: too short for its songs, which need at least {needed_s:.0f} s")
    rest_s = length_s - sum(attempt.length_s for attempt in best)
    shares = rng.dirichlet(np.full(len(best), 8.0)) * rest_s * rng.uniform(0.55, 0.75)
    early = rng.uniform(0.5, 0.95)
    attempts: list[PlannedAttempt] = []
    for attempt, budget_s in zip(best, shares.tolist(), strict=True):
        worse = _worse_attempts(compositions[attempt.song], attempt.song, budget_s, rng)
        n_before = max(int((rng.random(len(worse)) < early).sum()), 1)
        attempts += [*worse[:n_before], attempt, *worse[n_before:]]
    return _with_pauses(_counted_in(attempts, compositions, length_s, rng), length_s, rng)


def _times(composition: Composition, rng: np.random.Generator) -> DoubleArray:
    return tempo_curve(composition, rng, tempo=float(np.clip(rng.normal(1.0, 0.018), 0.95, 1.05)))


def _planned(
    composition: Composition,
    song: int,
    times: DoubleArray,
    *,
    first_beat: int = 0,
    end_beat: int | None = None,
    faults: Sequence[Fault] = (),
    kept: bool = False,
) -> PlannedAttempt:
    """An attempt and its length."""
    length_s = played_s(composition, times, first_beat, end_beat)
    return PlannedAttempt(song, times, length_s, first_beat, end_beat, tuple(faults), kept)


def _worse_attempts(
    composition: Composition, song: int, budget_s: float, rng: np.random.Generator
) -> list[PlannedAttempt]:
    """Attempts that will not be kept, about `budget_s` of them; a spoiled one first, so there is always one."""
    attempts: list[PlannedAttempt] = []
    first_kinds = ["false start", "spoiled"]
    while budget_s > _SHORTEST_ATTEMPT_S:
        kind = first_kinds.pop() if first_kinds else str(rng.choice(list(_WORSE), p=list(_WORSE.values())))
        attempt = _worse_attempt(composition, song, kind, budget_s, rng)
        attempts.append(attempt)
        budget_s -= attempt.length_s
    return [attempts[k] for k in rng.permutation(len(attempts))]


def _worse_attempt(
    composition: Composition, song: int, kind: str, budget_s: float, rng: np.random.Generator
) -> PlannedAttempt:
    """One attempt of a kind in `_WORSE`, broken off where it would last longer than `budget_s`."""
    n, times = composition.n_beats, _times(composition, rng)
    first, end = 0, n
    if kind == "false start":
        end = min(int(rng.integers(4, 15)), n - 1)
    elif kind == "broken off":
        end = int(rng.integers(n // 4, 4 * n // 5))
    elif kind == "restart":
        first = int(rng.choice([section.start_beat for section in composition.sections[2:]]))
    room = int(np.searchsorted(times, times[first] + budget_s - 0.6)) - 1
    if end < n or played_s(composition, times, first) > budget_s:
        end = min(end, max(room, first + 4))
    # some are bad only because they stop
    flawless = end < n and rng.random() < 0.3
    faults = [] if flawless else draw_faults(first, end, rng, beats_between=rng.uniform(14.0, 40.0))
    return _planned(composition, song, times, first_beat=first, end_beat=end if end < n else None, faults=faults)


def _counted_in(
    attempts: list[PlannedAttempt], compositions: Sequence[Composition], length_s: float, rng: np.random.Generator
) -> list[PlannedAttempt]:
    """The attempts, most with a count-in of a bar or two, while that leaves most of the pauses to other things."""
    spare_s = 0.5 * (length_s - sum(attempt.length_s for attempt in attempts) - _SHORTEST_PAUSE_S * (len(attempts) + 1))
    result = []
    for attempt in attempts:
        bars = int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2]))
        clicks = bars * compositions[attempt.song].beats_per_bar
        clicks = clicks if clicks * attempt.beat_s <= spare_s else 0
        spare_s -= clicks * attempt.beat_s
        result.append(replace(attempt, clicks=clicks))
    return result


def _with_pauses(
    attempts: list[PlannedAttempt], length_s: float, rng: np.random.Generator
) -> list[Filler | PlannedAttempt]:
    """The attempts with pauses before, between and after, which make up the length that was asked for."""
    clicks_s = sum(attempt.clicks * attempt.beat_s for attempt in attempts)
    dead_s = length_s - clicks_s - sum(attempt.length_s for attempt in attempts)
    spare_s = max(dead_s - _SHORTEST_PAUSE_S * (len(attempts) + 1), 0.0)
    gaps_s = _SHORTEST_PAUSE_S + spare_s * rng.dirichlet(np.full(len(attempts) + 1, 2.0))
    steps: list[Filler | PlannedAttempt] = []
    for attempt, gap_s in zip([*attempts, None], gaps_s.tolist(), strict=True):
        steps += fill_pause(gap_s, rng)
        if attempt is not None:
            steps += [Filler("count-in", attempt.clicks * attempt.beat_s, attempt.clicks)] if attempt.clicks else []
            steps.append(attempt)
    return steps


def fill_pause(length_s: float, rng: np.random.Generator, shares: Mapping[Pause, float] = _PAUSES) -> list[Filler]:
    """What fills a pause of `length_s` seconds, kinds by their shares; never the same thing twice in a row."""
    if length_s < 2.5:
        return [Filler("silence", length_s)]
    count = math.ceil(length_s / rng.uniform(6.0, 20.0))
    lengths_s = length_s * rng.dirichlet(np.full(count, 5.0))
    fillers: list[Filler] = []
    for filler_s in lengths_s.tolist():
        chances = {kind: p for kind, p in shares.items() if not fillers or kind != fillers[-1].kind}
        kinds, weights = list(chances), np.array(list(chances.values()))
        fillers.append(Filler(kinds[rng.choice(len(kinds), p=weights / weights.sum())], filler_s))
    return fillers
