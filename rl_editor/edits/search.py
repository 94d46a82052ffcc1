"""The planner's search: the best path of a given length, by exact dynamic programming.

States are (units of time played, playhead). A path begins with a start edge, goes on by KEEP (play the next beat) or
by a jump, and ends at any playhead. Start and jump edges play a minimum run at once, so that no state needs to count
how long the current run is. Pull form over time: V[t, b] is the best value with t units played, standing before b.
Source: Wenner et al. 2013, Scalable Music, Computer Graphics Forum 32(2) (length-constrained path over jumps).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from rl_editor.arrays import DoubleArray, IntArray

_START, _KEEP, _JUMP = 1, 2, 3  # back-pointers; 0 is a state that is never reached
_EPSILON = 1e-9  # ties go to the first edge, or the order would flip between platforms


class Edges(NamedTuple):
    """Edges of one kind; all arrays (E,)."""

    source: IntArray
    """Playhead it leaves from; -1 for start edges."""
    destination: IntArray
    """Playhead it arrives at."""
    units: IntArray
    """Units of time it plays, at least 1."""
    value: DoubleArray
    """What it is worth."""
    label: IntArray
    """What the caller knows it by."""


@dataclass(frozen=True, eq=False)
class Graph:
    """What may be played after what, and what it is worth."""

    keep_units: IntArray
    """Units each beat takes, (B,)."""
    keep_value: DoubleArray
    """Worth of each beat, (B,); -inf for a beat that must not be played."""
    starts: Edges
    jumps: Edges
    end_value: DoubleArray
    """Worth of stopping at each playhead, (B+1,); -inf where the edit must not end."""


@dataclass(frozen=True, eq=False)
class Search:
    """Best values for every length up to a limit."""

    graph: Graph
    best_value: DoubleArray
    """Of a whole edit of each length, (units + 1,); -inf where there is none."""
    best_end: IntArray
    """Playhead it ends at, (units + 1,)."""
    order: IntArray
    """Jump edges sorted by destination."""
    first_in: IntArray
    """For each playhead the first of its incoming jumps in `order`, (B+2,)."""
    back: np.ndarray[tuple[int, int], np.dtype[np.uint16]]
    """How each state was reached, (units + 1, B+1)."""

    def path(self, units: int) -> tuple[int, list[int], int]:
        """The best edit of this length: label of its start, labels of its jumps in order, playhead where it ends."""
        jumps = self.graph.jumps
        t, playhead = units, int(self.best_end[units])
        end, taken = playhead, []
        while (pointer := int(self.back[t, playhead])) >= _KEEP:
            if pointer == _KEEP:
                playhead -= 1
                t -= int(self.graph.keep_units[playhead])
            else:
                edge = int(self.order[self.first_in[playhead] + pointer - _JUMP])
                taken.append(int(jumps.label[edge]))
                t, playhead = t - int(jumps.units[edge]), int(jumps.source[edge])
        starts = self.graph.starts
        fitting = (starts.destination == playhead) & (starts.units == t)
        start = int(starts.label[fitting][starts.value[fitting].argmax()])
        return start, taken[::-1], end


def search(graph: Graph, units: int) -> Search:
    """Best edits of every length up to `units`.

    Memory: 2 bytes a state, units x playheads. Time: units x (playheads + jumps).
    """
    jumps = graph.jumps
    order = np.argsort(jumps.destination, kind="stable")
    n_places = len(graph.end_value)
    first_in = np.searchsorted(jumps.destination[order], np.arange(n_places + 1))
    longest = max(int(edges.max(initial=1)) for edges in (graph.keep_units, jumps.units))
    ring = 1 << longest.bit_length()
    values, ends, back = _best_values(
        units,
        ring,
        graph.keep_units,
        graph.keep_value,
        graph.starts.destination,
        graph.starts.units,
        graph.starts.value,
        first_in,
        jumps.source[order],
        jumps.units[order],
        jumps.value[order],
        graph.end_value,
    )
    return Search(graph, values, ends, order, first_in, back)


@njit(cache=True)
def _best_values(  # type: ignore[no-untyped-def]
    units, ring, keep_units, keep_value, start_to, start_units, start_value,
    first_in, jump_from, jump_units, jump_value, end_value,
):  # fmt: skip
    n_places = len(end_value)
    value = np.full((ring, n_places), -np.inf)
    back = np.zeros((units + 1, n_places), dtype=np.uint16)
    best_value = np.full(units + 1, -np.inf)
    best_end = np.zeros(units + 1, dtype=np.int64)
    for t in range(units + 1):
        row = value[t & (ring - 1)]
        row[:] = -np.inf
        for s in range(len(start_to)):
            if start_units[s] == t and start_value[s] > row[start_to[s]] + _EPSILON:
                row[start_to[s]] = start_value[s]
                back[t, start_to[s]] = _START
        for b in range(n_places):
            best = row[b]
            pointer = back[t, b]
            if b > 0 and t >= keep_units[b - 1]:
                candidate = value[(t - keep_units[b - 1]) & (ring - 1), b - 1] + keep_value[b - 1]
                if candidate > best + _EPSILON:
                    best, pointer = candidate, _KEEP
            for e in range(first_in[b], first_in[b + 1]):
                if t >= jump_units[e]:
                    candidate = value[(t - jump_units[e]) & (ring - 1), jump_from[e]] + jump_value[e]
                    if candidate > best + _EPSILON:
                        best, pointer = candidate, _JUMP + e - first_in[b]
            row[b] = best
            back[t, b] = pointer
            if best + end_value[b] > best_value[t] + _EPSILON:
                best_value[t] = best + end_value[b]
                best_end[t] = b
    return best_value, best_end, back
