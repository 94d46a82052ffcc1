"""The planner: the edit of greatest worth that meets a request, found exactly on its graph.

Landings go forward only, unless the length demands repeats or the request allows them; then each repeated stretch has
its price. In free order an edit may also begin later and let what came before come last; without locks, since a lock
is held by never being passed over.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.clock import clock
from rl_editor.edits import content
from rl_editor.edits.crossings import Landings, landings_of
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.graph import PlannerConfig, Rules, build_graph
from rl_editor.edits.joins import fade_at_end, fade_at_start, join_fade
from rl_editor.edits.length import exactly, is_another, played_beats
from rl_editor.edits.request import EditRequest
from rl_editor.edits.search import Graph, Search, search
from rl_editor.edits.wishes import Wishes, resolve
from rl_editor.errors import RequestError

_MOST_TIMES_LONGER = 4.0
_DEARER_S = 4.0  # seconds of good music that a landing costs more each time it is to be avoided
_WORN = 0.15  # content that kept beats lose each time another edit is wanted
_ROUNDS = 8
_SHORTEST_S = 0.1


@dataclass(frozen=True, eq=False)
class Problem:
    """What to plan, and at which prices."""

    track: Track
    score: Array
    """Content, (B,) in [0, 1]."""
    wishes: Wishes
    request: EditRequest
    config: PlannerConfig
    landings: Landings
    """What may be gone on with."""
    surcharge: Array
    """Seconds of good music that each landing costs on top, (N,)."""

    @property
    def target_s(self) -> float | None:
        """Length asked for."""
        return self.request.length_s(self.track.source.duration_s)

    @property
    def enough(self) -> bool:
        """Whether there is as much music as is asked for."""
        playable = self.track.is_music & ~self.wishes.banned
        music_s = float(np.diff(self.track.bounds_s)[playable].sum())
        return self.target_s is None or self.target_s <= music_s

    @property
    def reach_s(self) -> float:
        """How far off a planned length may be: within half a beat it is met afterwards, at the edit's ends."""
        return max(self.request.slack_s, 0.5 * float(np.diff(self.track.bounds_s).max()))

    @property
    def name(self) -> str:
        """Of the recording."""
        return self.track.source.file or "recording"


@dataclass(frozen=True, eq=False)
class Solution:
    """An edit and the landings it uses, as places among those of the problem."""

    edl: EDL
    landings: list[int]
    worth: float
    """Seconds of good music, what the length is off already taken away."""


class PlannerEditor:
    """The editor `planner`: optimal by content, seams, beginning and ending."""

    def __init__(self, config: PlannerConfig | None = None, *, crossings: bool = True) -> None:
        """Plan at the prices of `config`, with landings of the table alone unless `crossings`."""
        self.config = config or PlannerConfig()
        self.crossings = crossings

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """Edits that meet the request, best first, each at least 20 % different from those before it.

        Raises:
            RequestError: no edit of this recording meets the request.
        """
        wishes = resolve(track, request)
        landings = landings_of(track, wishes, crossings=self.crossings)
        problem = Problem(
            track=track,
            score=content.rules(track),
            wishes=wishes,
            request=request,
            config=self.config,
            landings=landings,
            surcharge=np.zeros(len(landings.leave), dtype=np.float32),
        )
        _check(problem)
        found: list[EDL] = []
        for _ in range(request.count + _ROUNDS):
            solution = _best(problem)
            if solution is None:
                break
            if is_another(solution.edl, found):
                found.append(solution.edl)
            if len(found) == request.count:
                break
            problem = _avoiding(problem, solution)
        if not found:
            raise RequestError(_refusal(problem))
        return found


def _check(problem: Problem) -> None:
    if not problem.track.is_music.any():
        raise RequestError(f"{problem.name}: no music was found that could be kept")
    beat_s = float(np.diff(problem.track.bounds_s).min())
    if problem.target_s is not None and problem.target_s < min(beat_s, _SHORTEST_S):
        raise RequestError(f"{problem.name}: can't be made {problem.target_s:.2g} s long; an edit has a beat at least")
    longest_s = _MOST_TIMES_LONGER * problem.track.source.duration_s
    if problem.target_s is not None and problem.target_s > longest_s:
        wish, longest = clock(problem.target_s), clock(longest_s)
        raise RequestError(f"{problem.name}: can't be made {wish} long; the longest edit is {longest}")


def _best(problem: Problem) -> Solution | None:
    """The best edit, under the strictest rules that have one."""
    request = problem.request
    if request.loops:
        prices = replace(problem.config.prices, repeat=0.5 * problem.config.prices.repeat)
        problem = replace(problem, config=replace(problem.config, prices=prices))
    if problem.enough and not request.loops:
        once = [_first(problem, backward=False)]
        if request.order == "free" and not problem.wishes.locked.any():
            once += [_solve(problem, rules) for rules in _turns(problem)]
        return max(filter(None, once), key=lambda solution: solution.worth, default=None)
    return _first(problem, backward=True)


def _first(problem: Problem, *, backward: bool) -> Solution | None:
    """The best edit under the first rules, each freer than the one before, that have one."""
    solutions = (_solve(problem, rules) for rules in _rules(problem, backward=backward))
    return next(filter(None, solutions), None)


def _turns(problem: Problem) -> list[Rules]:
    """One set of rules for each beat an edit in free order may begin with."""
    first = problem.track.landings.beat[0]
    start = problem.wishes.start
    beats = np.unique(first[first > 0]).tolist() if start is None else [start]
    shortest = min(problem.config.shortest_run, problem.track.n_beats)
    unit = _unit(problem, problem.config.grid_s)
    return [Rules(unit, shortest, backward=True, turn=beat) for beat in beats]


def _rules(problem: Problem, *, backward: bool) -> Iterator[Rules]:
    """Rules to try one after another, each freer than the one before."""
    shortest = min(problem.config.shortest_run, problem.track.n_beats)
    # without a target all lengths are weighed at once, and a second is fine enough a unit
    unit = _unit(problem, problem.config.grid_s if problem.target_s is not None else 1.0)
    for any_start, run in itertools.product((False, True), _halvings(shortest)):
        yield Rules(unit, run, backward, any_start)
    # the best edit of a length may be one of which neither side can be moved
    if problem.target_s is not None and problem.request.slack_s < problem.reach_s:
        yield from (Rules(unit, run, backward, any_start=True, early_end=True) for run in _halvings(shortest))


def _solve(problem: Problem, rules: Rules) -> Solution | None:
    """The best edit under these rules whose length in samples is within the slack, if there is one."""
    track, request, target_s = problem.track, problem.request, problem.target_s
    graph = _graph(problem, rules)
    unit_s = rules.unit / track.source.sample_rate
    if target_s is None:
        found = search(graph, int(np.maximum(graph.keep_units, 1).sum()) + 1)
        lengths, near = np.arange(len(found.best_value)), 0.0
    else:
        longest_s = _MOST_TIMES_LONGER * track.source.duration_s
        reach_s = max(problem.reach_s, 2 * unit_s)
        longest, target, reach = (
            int(longest_s / unit_s),
            round(target_s / unit_s),
            int(min(reach_s, longest_s) / unit_s),
        )
        limit = min(target + reach + 1, longest)
        found = search(graph, limit)
        lengths = np.arange(max(target - reach - 1, 0), limit + 1)
        near = problem.config.prices.nearness * np.abs(lengths * unit_s - target_s)
    worth = found.best_value[lengths] - near
    for at in np.argsort(-worth, kind="stable")[: np.isfinite(worth).sum()]:
        edl, landings = decode(problem, found, int(lengths[at]))
        fitted = exactly(edl, problem.wishes, track, slack_s=request.slack_s)
        if fitted is not None:
            return Solution(fitted, landings, float(worth[at]))
    return None


def _graph(problem: Problem, rules: Rules) -> Graph:
    """What may be played after what under these rules, and what it is worth."""
    return build_graph(
        problem.track,
        problem.score,
        problem.landings,
        problem.config,
        problem.wishes,
        rules,
        surcharge=problem.surcharge,
    )


def decode(problem: Problem, found: Search, units: int) -> tuple[EDL, list[int]]:
    """The best edit of `units` as an EDL, its fades chosen, and the places of its landings among the problem's."""
    begin, taken, end = found.path(units)
    track, used = problem.track, problem.landings.at(np.array(taken, dtype=np.int64))
    starts = [int(track.bounds[begin]), *used.start.tolist()]
    ends = [*track.bounds[used.leave].tolist(), int(track.bounds[end])]
    first = Segment(starts[0], ends[0], fade_at_start(track, starts[0]), why="beginning")
    after_ban = problem.wishes.banned[np.maximum(used.beat - 1, 0)] & (used.half == 0)
    joins = [
        Segment(
            starts[k + 1],
            ends[k + 1],
            join_fade(family, float(used.correlation[k]), track.source.sample_rate, after_ban=bool(after_ban[k])),
            why=Family(family).name.lower(),
        )
        for k, family in enumerate(used.family.tolist())
    ]
    edl = EDL(
        source=track.source,
        segments=(first, *joins),
        maker=Maker("planner", seed=problem.request.seed),
        target_s=problem.target_s,
        end_fade=fade_at_end(track, ends[-1]),
    )
    return edl, taken


def _avoiding(problem: Problem, solution: Solution) -> Problem:
    """The same problem with this solution less attractive: its landings dearer, what it keeps worn."""
    surcharge = problem.surcharge.copy()
    surcharge[solution.landings] += _DEARER_S
    kept = played_beats(solution.edl, problem.track)
    return replace(problem, surcharge=surcharge, score=np.where(kept, problem.score * (1.0 - _WORN), problem.score))


def _refusal(problem: Problem) -> str:
    """Why there is no edit, with the nearest lengths there are."""
    track, target_s = problem.track, problem.target_s
    if target_s is None:
        return f"{problem.name}: no edit meets these wishes"
    backward = problem.request.loops or not problem.enough
    rules = Rules(_unit(problem, 0.25), 1, backward, any_start=True)
    graph = _graph(problem, rules)
    limit = int(max(2.0 * target_s, track.source.duration_s) / 0.25)
    lengths_s = 0.25 * np.flatnonzero(np.isfinite(search(graph, limit).best_value))
    nearest = lengths_s[np.abs(lengths_s - target_s).argsort(kind="stable")[:3]]
    wish = f"{problem.name}: no edit that meets these wishes is {clock(target_s)} long"
    offers = ", ".join(dict.fromkeys(clock(float(length_s)) for length_s in sorted(nearest)))
    return f"{wish}; the nearest lengths are {offers}" if offers else f"{wish}, nor of any other length"


def _unit(problem: Problem, seconds: float) -> int:
    return max(1, round(seconds * problem.track.source.sample_rate))


def _halvings(beats: int) -> list[int]:
    return [beats] if beats <= 1 else [beats, *_halvings(beats // 2)]
