"""What may be played after what in a track, and what it is worth: the planner's problem as a graph.

Locks hold whatever else happens: an edit begins before the first, ends after the last, and no landing skips one.
"""

from dataclasses import dataclass, field

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.edits.crossings import Landings
from rl_editor.edits.search import Edges, Graph
from rl_editor.edits.wishes import Wishes
from rl_editor.edits.worth import Prices, beginnings, endings, join_price, worth_until


@dataclass(frozen=True)
class PlannerConfig:
    """How the planner plans, and at which prices."""

    prices: Prices = field(default_factory=Prices)
    """What is traded against what."""
    shortest_run: int = 16
    """Beats played at least between two joins; halved until an edit is found."""
    grid_s: float = 0.1
    """Seconds a unit of the search; lengths are counted in samples afterwards."""


@dataclass(frozen=True)
class Rules:
    """Which edges a graph has."""

    unit: int
    """Samples a unit of time."""
    shortest_run: int
    """Beats played at least after a landing."""
    backward: bool
    """Landings may go back."""
    any_start: bool = False
    """Begin on any beat, not only at those of the landing table."""
    early_end: bool = False
    """End before the recording does, where the end can be moved either way."""
    turn: int | None = None
    """Begin with this beat and let what lies before it come last: the only landings back lead from after it to
    before it, and nothing plays over it a second time."""


def build_graph(
    track: Track,
    score: Array,
    landings: Landings,
    config: PlannerConfig,
    wishes: Wishes,
    rules: Rules,
    *,
    surcharge: Array | None = None,
) -> Graph:
    """What may be played after what, and what it is worth; jumps are labelled by their place among the landings.

    Args:
        track: analysis of the recording.
        score: content, (B,) in [0, 1].
        landings: (N,) that may be used as far as wishes and rules allow.
        config: prices.
        wishes: locks, bans, start and end.
        rules: which edges there are.
        surcharge: seconds of good music that each landing costs on top, (N,).
    """
    times = np.round(track.bounds / rules.unit).astype(np.int64)
    worth, prices = worth_until(track, score), config.prices
    return Graph(
        keep_units=np.diff(times),
        keep_value=np.where(wishes.banned | (np.arange(track.n_beats) == rules.turn), -np.inf, np.diff(worth)),
        starts=_start_edges(track, worth, times, prices, wishes, rules),
        jumps=_jump_edges(track, landings, worth, times, prices, wishes, rules, surcharge),
        end_value=_end_value(track, prices, wishes, rules),
    )


def _start_edges(
    track: Track, worth: DoubleArray, times: IntArray, prices: Prices, wishes: Wishes, rules: Rules
) -> Edges:
    if rules.turn is not None:
        beats = np.array([rules.turn])
    elif wishes.start is not None:
        beats = np.array([wishes.start])
    elif rules.any_start:
        beats = np.arange(track.n_beats)
    else:
        first = track.landings.beat[0]
        beats = np.unique(np.append(first[first >= 0], 0))
    destination = beats + rules.shortest_run
    allowed = destination <= track.n_beats
    if wishes.first_locked is not None:
        allowed &= beats <= wishes.first_locked
    beats, destination = beats[allowed], destination[allowed]
    clear = ~_touches(wishes.banned, beats, destination)
    beats, destination = beats[clear], destination[clear]
    return Edges(
        source=np.full(len(beats), -1),
        destination=destination,
        units=np.maximum(times[destination] - times[beats], 1),
        value=worth[destination] - worth[beats] + prices.beginning_s * beginnings(track)[beats],
        label=beats,
    )


def _jump_edges(
    track: Track,
    landings: Landings,
    worth: DoubleArray,
    times: IntArray,
    prices: Prices,
    wishes: Wishes,
    rules: Rules,
    surcharge: Array | None,
) -> Edges:
    usable = _usable(track, landings, wishes, rules)
    leave, beat, half, start, _, score, _ = landings.at(usable)
    arrive = beat + np.maximum(rules.shortest_run, half)
    repeated_s = np.maximum(track.bounds[leave] - start, 0) / track.source.sample_rate
    price = join_price(track, leave, beat, half, score, prices) + prices.repeat * repeated_s
    if surcharge is not None:
        price += surcharge[usable]
    return Edges(
        source=leave,
        destination=arrive,
        units=np.maximum(times[arrive] - np.round(start / rules.unit).astype(np.int64), 1),
        value=worth[arrive] - np.interp(start, track.bounds, worth) - price,
        label=usable,
    )


def _usable(track: Track, landings: Landings, wishes: Wishes, rules: Rules) -> IntArray:
    """Landings that wishes and rules allow, as places among them."""
    leave, beat, half, start, *_ = landings
    arrive = beat + np.maximum(rules.shortest_run, half)
    usable = (arrive <= track.n_beats) & (rules.backward | (beat >= leave))
    # neither over a locked beat, nor into the middle of one
    usable &= ~_touches(wishes.locked, leave, np.maximum(beat, leave))
    usable &= ~(wishes.locked[beat] & (start > track.bounds[beat]))
    usable &= ~_touches(wishes.banned, beat, np.minimum(arrive, track.n_beats))
    # a landing aligned to before its beat would play the end of the one before
    usable &= ~(wishes.banned[beat - 1] & (start < track.bounds[beat]))
    if rules.turn is not None:
        onward = (beat >= leave) & ((leave > rules.turn) | (arrive <= rules.turn)) & (leave != rules.turn)
        usable &= onward | ((leave > rules.turn) & (arrive <= rules.turn))
    return np.flatnonzero(usable)


def _end_value(track: Track, prices: Prices, wishes: Wishes, rules: Rules) -> DoubleArray:
    value = prices.ending_s * endings(track)
    bound = np.arange(track.n_beats + 1)
    if rules.early_end:
        value[-1] = -np.inf
    if wishes.end is not None:
        value[bound != wishes.end] = -np.inf
    if wishes.last_locked is not None:
        value[bound <= wishes.last_locked] = -np.inf
    return value


def _touches(marked: BoolArray, first: IntArray, last: IntArray) -> BoolArray:
    """Whether [first, last) holds a marked beat, (N,)."""
    count = np.concatenate([[0], np.cumsum(marked)])
    return count[last] > count[first]
