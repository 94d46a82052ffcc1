"""The planner: the edit of greatest worth of the length asked for, found exactly.

Worth is counted in seconds of good music. A beat is worth its length times (2 content - 1), so that without a target
the edit keeps what is better than not playing it. A join costs what a listener would give up to avoid it; beginning
with the beginning and ending with the ending are worth something; playing again what was played is worth less than
what is new. Landings go forward only, unless the target is longer than the music.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.edits import content
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.joins import fade_at_end, fade_at_start, join_fade
from rl_editor.edits.request import EditRequest, clock
from rl_editor.edits.search import Edges, Graph, Search, search
from rl_editor.errors import RequestError

_MOST_TIMES_LONGER = 4.0


@dataclass(frozen=True)
class PlannerConfig:
    """What the planner trades against what."""

    join_s: float = 1.0
    """Seconds of good music that a perfect join costs."""
    seam_s: float = 8.0
    """Seconds of good music that a join of seam score 1 costs on top; grows with the square of the score."""
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
    """Seconds a unit of the search; halved until the length, counted in samples, is within the slack."""


class PlannerEditor:
    """The editor `planner`: optimal by content, seams, beginning and ending."""

    def __init__(self, config: PlannerConfig = PlannerConfig()) -> None:
        self.config = config

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """One edit, the best.

        Raises:
            RequestError: no edit of this recording has the length asked for.
        """
        score = content.rules(track)
        if not track.is_music.any():
            raise RequestError(f"{_name(track)}: no music was found that could be kept")
        target_s = request.length_s(track.source.duration_s)
        if target_s is None:
            return [self._free_length(track, score, request.seed)]
        if target_s > _MOST_TIMES_LONGER * track.source.duration_s:
            longest = clock(_MOST_TIMES_LONGER * track.source.duration_s)
            raise RequestError(f"{_name(track)}: can't be made {clock(target_s)} long; the longest edit is {longest}")
        return [self._of_length(track, score, target_s, request)]

    def _free_length(self, track: Track, score: Array, seed: int) -> EDL:
        # a unit of a second: the optimum over all lengths does not depend on it
        shortest_run = min(self.config.shortest_run, track.n_beats)
        unit = track.source.sample_rate
        graph = build_graph(track, score, self.config, unit=unit, loops=False, shortest_run=shortest_run)
        found = search(graph, int(graph.keep_units.sum()) + 1)
        units = int(found.best_value.argmax())
        if not np.isfinite(found.best_value[units]):
            raise RequestError(f"{_name(track)}: too short to be edited")
        return decode(track, found, units, target_s=None, seed=seed)

    def _of_length(self, track: Track, score: Array, target_s: float, request: EditRequest) -> EDL:
        rate = track.source.sample_rate
        music_s = float(np.diff(track.bounds)[track.is_music].sum()) / rate
        nearest: list[float] = []
        for loops in (False, True) if target_s <= music_s else (True,):
            for shortest_run in _halvings(min(self.config.shortest_run, track.n_beats)):
                for grid_s in (self.config.grid_s, self.config.grid_s / 4):
                    graph = build_graph(
                        track,
                        score,
                        self.config,
                        unit=max(1, round(grid_s * rate)),
                        loops=loops,
                        shortest_run=shortest_run,
                    )
                    edl = self._nearest(track, graph, target_s, request, grid_s, nearest)
                    if edl is not None:
                        return edl
        offers = ", ".join(clock(length) for length in sorted(set(nearest), key=lambda s: abs(s - target_s))[:3])
        hint = f"the nearest lengths are {offers}" if offers else "there is no edit near that length"
        raise RequestError(f"{_name(track)}: no edit is {clock(target_s)} long within {request.slack_s:g} s; {hint}")

    def _nearest(
        self,
        track: Track,
        graph: Graph,
        target_s: float,
        request: EditRequest,
        grid_s: float,
        nearest: list[float],
    ) -> EDL | None:
        """The best edit whose length in samples is within the slack; other lengths go to `nearest`."""
        reach = max(1, round(max(request.slack_s, 2 * grid_s) / grid_s))
        target = round(target_s / grid_s)
        found = search(graph, target + reach)
        lengths = np.arange(max(target - reach, 0), target + reach + 1)
        worth = found.best_value[lengths] - self.config.nearness * np.abs(lengths * grid_s - target_s)
        for at in np.argsort(-worth, kind="stable"):
            if not np.isfinite(worth[at]):
                break
            edl = decode(track, found, int(lengths[at]), target_s=target_s, seed=request.seed)
            if abs(edl.duration_s - target_s) <= request.slack_s:
                return edl
            nearest.append(edl.duration_s)
        return None


def build_graph(
    track: Track,
    score: Array,
    config: PlannerConfig,
    *,
    unit: int,
    loops: bool,
    shortest_run: int,
) -> Graph:
    """What may be played after what in this track, and what it is worth.

    Args:
        track: analysis of the recording.
        score: content, (B,) in [0, 1].
        config: prices.
        unit: samples a unit of time.
        loops: allow landings that go back.
        shortest_run: beats played at least after a landing.
    """
    times = np.round(track.bounds / unit).astype(np.int64)
    worth = np.concatenate([[0.0], np.cumsum(_worth(track, score))])
    return Graph(
        keep_units=np.diff(times),
        keep_value=np.diff(worth),
        starts=_start_edges(track, worth, times, shortest_run, config),
        jumps=_jump_edges(track, worth, times, shortest_run, unit, config, loops=loops),
        end_value=config.ending_s * np.where(_music_ends(track), 1.0, 0.5 * track.boundary - 0.5),
    )


def decode(track: Track, found: Search, units: int, *, target_s: float | None, seed: int) -> EDL:
    """The best edit of `units` as an EDL, its fades chosen."""
    begin, jumps, end = found.path(units)
    places = track.landings
    rows, columns = np.unravel_index(np.array(jumps, dtype=np.int64), places.beat.shape)
    starts = [int(track.bounds[begin]), *places.starts(track.bounds)[rows, columns].tolist()]
    ends = [*track.bounds[rows].tolist(), int(track.bounds[end])]
    first = Segment(starts[0], ends[0], fade_at_start(track, starts[0]), why="beginning")
    joins = [
        Segment(starts[k], ends[k], join_fade(track, row, column), why=Family(places.family[row, column]).name.lower())
        for k, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True), start=1)
    ]
    return EDL(
        source=track.source,
        segments=(first, *joins),
        maker=Maker("planner", seed=seed),
        target_s=target_s,
        end_fade=fade_at_end(track, ends[-1]),
    )


def _start_edges(track: Track, worth: DoubleArray, times: IntArray, shortest_run: int, config: PlannerConfig) -> Edges:
    beats = track.landings.beat[0]
    beats = np.unique(np.append(beats[beats >= 0], 0))
    beats = beats[beats + shortest_run <= track.n_beats]
    destination = beats + shortest_run
    value = worth[destination] - worth[beats]
    begins = np.where(_music_begins(track)[beats], 1.0, 0.5 * track.boundary[beats] - 0.5)
    return Edges(
        source=np.full(len(beats), -1),
        destination=destination,
        units=times[destination] - times[beats],
        value=value + config.beginning_s * begins,
        label=beats,
    )


def _jump_edges(
    track: Track,
    worth: DoubleArray,
    times: IntArray,
    shortest_run: int,
    unit: int,
    config: PlannerConfig,
    *,
    loops: bool,
) -> Edges:
    places = track.landings
    leave, column = np.nonzero(places.valid)
    beat, half = places.beat[leave, column], places.half[leave, column]
    arrive = beat + np.maximum(shortest_run, half)
    usable = (leave > 0) & (arrive <= track.n_beats) & (loops | (beat >= leave))
    leave, column, arrive = leave[usable], column[usable], arrive[usable]
    beat, half = beat[usable], half[usable]
    start = places.starts(track.bounds)[leave, column]
    off_phase = (track.bar_position[beat] != np.append(track.bar_position, 0)[leave]) | (half == 1)
    score = places.score[leave, column] + config.off_phase * off_phase
    repeated_s = np.maximum(track.bounds[leave] - start, 0) / track.source.sample_rate
    skipped = half * 0.5 * (worth[beat + 1] - worth[beat])
    price = config.join_s + config.seam_s * score.astype(np.float64) ** 2 + config.repeat * repeated_s
    return Edges(
        source=leave,
        destination=arrive,
        units=np.maximum(times[arrive] - np.round(start / unit).astype(np.int64), 1),
        value=worth[arrive] - worth[beat] - skipped - price,
        label=np.ravel_multi_index((leave, column), places.beat.shape),
    )


def _worth(track: Track, score: Array) -> DoubleArray:
    """Seconds of good music each beat is worth, (B,)."""
    length_s = np.diff(track.bounds) / track.source.sample_rate
    return length_s * (2.0 * score.astype(np.float64) - 1.0)


def _music_begins(track: Track) -> BoolArray:
    """Bounds where music begins, (B+1,)."""
    return np.diff(track.is_music.astype(np.int8), prepend=0, append=0) > 0


def _music_ends(track: Track) -> BoolArray:
    """Bounds where music ends, (B+1,)."""
    return np.diff(track.is_music.astype(np.int8), prepend=0, append=0) < 0


def _halvings(beats: int) -> list[int]:
    return [beats] if beats <= 1 else [beats, *_halvings(beats // 2)]


def _name(track: Track) -> str:
    return track.source.file or "recording"
