"""What may be played after what in a track, and what it is worth: the planner's problem as a graph.

Worth is counted in seconds of good music. A beat is worth its length times (2 content - 1), so that without a target
an edit keeps what is better than not playing it. A join costs what a listener would give up to avoid it; beginning
with a beginning and ending with an ending are worth something; playing again what was played costs something.

Locks hold whatever else happens: an edit begins before the first, ends after the last, and no landing skips one.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.edits.crossings import Landings, level_steps_db
from rl_editor.edits.search import Edges, Graph
from rl_editor.edits.wishes import Wishes

_BAR = 4  # beats


@dataclass(frozen=True)
class PlannerConfig:
    """What the planner trades against what."""

    join_s: float = 1.0
    """Seconds of good music that a perfect join costs."""
    seam_s: float = 8.0
    """Seconds of good music that a join of seam score 1 costs on top; grows with the square of the score."""
    level_s: float = 2.0
    """Seconds of good music that each dB costs by which the level jumps more than `jump_db` while music plays."""
    jump_db: float = 6.0
    """Step of level that goes for a change of part; what is more is heard as a fault."""
    off_phase: float = 0.25
    """Seam score added where a landing changes the position in the bar."""
    beginning_s: float = 8.0
    """Seconds of good music that beginning where music begins is worth."""
    ending_s: float = 8.0
    """Seconds of good music that ending where music ends is worth."""
    repeat: float = 0.6
    """Share of its length that a repeated stretch costs."""
    shortest_run: int = 16
    """Beats played at least between two joins; halved until an edit is found."""
    nearness: float = 0.2
    """Seconds of good music that a second away from the target costs."""
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
    worth = np.concatenate([[0.0], np.cumsum(_worth(track, score))])
    return Graph(
        keep_units=np.diff(times),
        keep_value=np.where(wishes.banned | (np.arange(track.n_beats) == rules.turn), -np.inf, np.diff(worth)),
        starts=_start_edges(track, worth, times, config, wishes, rules),
        jumps=_jump_edges(track, landings, worth, times, config, wishes, rules, surcharge),
        end_value=_end_value(track, config, wishes, rules),
    )


def _start_edges(
    track: Track, worth: DoubleArray, times: IntArray, config: PlannerConfig, wishes: Wishes, rules: Rules
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
    begins = np.where(_edges_of_music(track) > 0, 1.0, 0.5 * track.boundary - 0.5)[beats]
    return Edges(
        source=np.full(len(beats), -1),
        destination=destination,
        units=np.maximum(times[destination] - times[beats], 1),
        value=worth[destination] - worth[beats] + config.beginning_s * begins,
        label=beats,
    )


def _jump_edges(
    track: Track,
    landings: Landings,
    worth: DoubleArray,
    times: IntArray,
    config: PlannerConfig,
    wishes: Wishes,
    rules: Rules,
    surcharge: Array | None,
) -> Edges:
    usable = _usable(track, landings, wishes, rules)
    leave, beat, half, start, _, score, _ = landings.at(usable)
    arrive = beat + np.maximum(rules.shortest_run, half)
    off_phase = (track.bar_position[beat] != np.append(track.bar_position, 0)[leave]) | (half == 1)
    seam = (score + config.off_phase * off_phase).astype(np.float64)
    repeated_s = np.maximum(track.bounds[leave] - start, 0) / track.source.sample_rate
    price = config.join_s + config.seam_s * seam**2 + config.repeat * repeated_s
    price += config.level_s * _too_loud_db(track, leave, beat, config.jump_db)
    if surcharge is not None:
        price += surcharge[usable]
    skipped = half * 0.5 * (worth[beat + 1] - worth[beat])
    return Edges(
        source=leave,
        destination=arrive,
        units=np.maximum(times[arrive] - np.round(start / rules.unit).astype(np.int64), 1),
        value=worth[arrive] - worth[beat] - skipped - price,
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


def _end_value(track: Track, config: PlannerConfig, wishes: Wishes, rules: Rules) -> DoubleArray:
    value = config.ending_s * np.where(_edges_of_music(track) < 0, 1.0, 0.5 * track.boundary - 0.5)
    bound = np.arange(track.n_beats + 1)
    if rules.early_end:
        value[-1] = -np.inf
    if wishes.end is not None:
        value[bound != wishes.end] = -np.inf
    if wishes.last_locked is not None:
        value[bound <= wishes.last_locked] = -np.inf
    return value


def _worth(track: Track, score: Array) -> DoubleArray:
    """Seconds of good music each beat is worth, (B,)."""
    length_s = np.diff(track.bounds) / track.source.sample_rate
    return length_s * (2.0 * score.astype(np.float64) - 1.0)


def _too_loud_db(track: Track, leave: IntArray, beat: IntArray, jump_db: float) -> DoubleArray:
    """By how much the level jumps more than `jump_db` at each landing, (N,), dB; 0 where the music was over anyway."""
    broken_off = track.is_music[leave - 1] & (_edges_of_music(track)[leave] >= 0)
    return np.where(broken_off, np.maximum(level_steps_db(track, leave, beat) - jump_db, 0.0), 0.0)


def _edges_of_music(track: Track) -> IntArray:
    """1 at bounds where music begins, -1 where it ends, (B+1,); a rest shorter than a bar is neither."""
    playing = track.is_music.astype(np.int8)
    for first, last in runs(track.activity, Activity.SILENCE):
        if last - first < _BAR and playing[first - 1 : first].any() and playing[last : last + 1].any():
            playing[first:last] = 1
    return np.diff(playing, prepend=0, append=0).astype(np.int64)


def _touches(marked: BoolArray, first: IntArray, last: IntArray) -> BoolArray:
    """Whether [first, last) holds a marked beat, (N,)."""
    count = np.concatenate([[0], np.cumsum(marked)])
    return count[last] > count[first]
