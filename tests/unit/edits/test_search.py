"""The search against full enumeration."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.edits.crossings import landings_of
from rl_editor.edits.graph import PlannerConfig, Rules, build_graph
from rl_editor.edits.request import EditRequest
from rl_editor.edits.search import Edges, Graph, search
from rl_editor.edits.wishes import resolve


def random_graph(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    places = n + 1

    def edges(count: int, sources: np.ndarray) -> Edges:
        destination = rng.integers(1, places, count)
        value = rng.normal(size=count)
        return Edges(sources, destination, rng.integers(1, 5, count), value, np.arange(count))

    end_value = np.where(rng.random(places) < 0.3, -np.inf, rng.normal(size=places))
    starts, jumps = int(rng.integers(1, 4)), int(rng.integers(0, 9))
    return Graph(
        keep_units=rng.integers(0, 4, n),
        keep_value=np.where(rng.random(n) < 0.15, -np.inf, rng.normal(size=n)),
        starts=edges(starts, np.full(starts, -1)),
        jumps=edges(jumps, rng.integers(0, places, jumps)),
        end_value=end_value,
    )


def all_paths(graph: Graph, units: int) -> Iterator[tuple[int, int, float]]:
    """(units, last playhead, worth without the ending) of every path of at most `units`."""
    pending = list(zip(graph.starts.units, graph.starts.destination, graph.starts.value, strict=True))
    while pending:
        t, place, value = pending.pop()
        if t > units:
            continue
        yield int(t), int(place), float(value)
        if place < len(graph.keep_units) and np.isfinite(graph.keep_value[place]):
            pending.append((t + graph.keep_units[place], place + 1, value + graph.keep_value[place]))
        for e in np.flatnonzero(graph.jumps.source == place):
            after = value + graph.jumps.value[e]
            pending += [(t + graph.jumps.units[e], graph.jumps.destination[e], after)]


def best_by_enumeration(graph: Graph, units: int) -> np.ndarray:
    best = np.full(units + 1, -np.inf)
    for t, place, value in all_paths(graph, units):
        best[t] = max(best[t], value + graph.end_value[place])
    return best


def worth_of_path(graph: Graph, start: int, jumps: list[int], end: int) -> tuple[int, float]:
    """Units and worth of a path told by its labels, played step by step."""
    t, value = int(graph.starts.units[start]), float(graph.starts.value[start])
    place = int(graph.starts.destination[start])

    def keep_to(goal: int) -> None:
        nonlocal t, value, place
        assert goal >= place
        t += int(graph.keep_units[place:goal].sum())
        value += float(graph.keep_value[place:goal].sum())
        place = goal

    for edge in jumps:
        keep_to(int(graph.jumps.source[edge]))
        t, value = t + int(graph.jumps.units[edge]), value + float(graph.jumps.value[edge])
        place = int(graph.jumps.destination[edge])
    keep_to(end)
    return t, value + float(graph.end_value[end])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_best_values_equal_enumeration_and_paths_are_worth_them(seed: int) -> None:
    graph, units = random_graph(seed), 9
    found = search(graph, units)
    expected = best_by_enumeration(graph, units)
    np.testing.assert_allclose(found.best_value, expected, atol=1e-6)
    for t in np.flatnonzero(np.isfinite(expected)):
        played, value = worth_of_path(graph, *found.path(int(t)))
        assert played == t
        np.testing.assert_allclose(value, expected[t], atol=1e-6)


@pytest.mark.parametrize("loops", [False, True])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_track_is_planned_as_enumeration_would(make_track: Callable[..., Track], loops: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, int(rng.integers(5, 9)), share=0.15)
    score = rng.random(track.n_beats).astype(np.float32)
    wishes = resolve(track, EditRequest())
    graph = build_graph(
        track, score, landings_of(track, wishes), PlannerConfig(), wishes, Rules(100, shortest_run=2, backward=loops)
    )
    units = int(graph.keep_units.sum())
    np.testing.assert_allclose(search(graph, units).best_value, best_by_enumeration(graph, units), atol=1e-6)


def test_ties_go_to_the_first_edge() -> None:
    twice = Edges(*(np.array([v, v]) for v in (-1, 1, 1, 1.0)), label=np.array([7, 8]))
    none = Edges(*(np.zeros(0, dtype=t) for t in (int, int, int, float, int)))
    graph = Graph(np.array([1]), np.array([0.0]), twice, none, np.array([-np.inf, 0.0]))
    assert search(graph, 1).path(1) == (7, [], 1)
