"""How much an output agrees with a person's edit of the same raw: what is kept, in which order, joined where."""

import numpy as np

from rl_editor.arrays import DoubleArray, IntArray
from rl_editor.edits.ruler.component import Component, Measure
from rl_editor.edits.ruler.material import agreement_of_order
from rl_editor.edits.ruler.source_map import SourceMap, places_s

_BIN_S = 0.1
_STRIDE = 50
_NEAR_S = 2.0
_FARTHEST_S = 10.0


def agreement(played: SourceMap, human: SourceMap) -> Component:
    """F1 of the places of the raw that are played, in tenths of a second, each as often as it is played."""
    ours, theirs = _counts(played), _counts(human)
    n = max(len(ours), len(theirs))
    both = np.minimum(np.pad(ours, (0, n - len(ours))), np.pad(theirs, (0, n - len(theirs)))).sum()
    total = ours.sum() + theirs.sum()
    score = 2.0 * float(both) / float(total) if total else 0.0
    measures = (
        Measure("precision", float(both) / max(float(ours.sum()), 1.0), "share"),
        Measure("recall", float(both) / max(float(theirs.sum()), 1.0), "share"),
    )
    return Component("agreement", score, measures)


def order_agreement(played: SourceMap, human: SourceMap) -> Component:
    """Share of pairs of moments that both play in the same order; None where they share no two."""
    ours, theirs = _first_heard(played), _first_heard(human)
    shared = sorted(set(ours) & set(theirs), key=theirs.__getitem__)
    return Component("order_agreement", agreement_of_order(np.array([ours[place] for place in shared], dtype=float)))


def join_distance(played: SourceMap, human: SourceMap) -> Component:
    """How far joins are from the nearest one of the other edit, in the raw; None where neither has any."""
    ours, theirs = _joins_s(played), _joins_s(human)
    if not (len(ours) or len(theirs)):
        return Component("join_distance", None)
    if not (len(ours) and len(theirs)):
        return Component("join_distance", 0.0, (Measure("join_distance", _FARTHEST_S, "s"),))
    apart_s = np.minimum(np.abs(ours[:, None] - theirs[None]).mean(axis=2), _FARTHEST_S)
    mean_s = 0.5 * float(apart_s.min(axis=0).mean() + apart_s.min(axis=1).mean())
    return Component("join_distance", float(np.exp(-mean_s / _NEAR_S)), (Measure("join_distance", mean_s, "s"),))


def _counts(played: SourceMap) -> IntArray:
    """How often each tenth of a second of the raw is played, in samples of 10 ms."""
    places = places_s(played)
    return np.bincount((places[np.isfinite(places)] / _BIN_S).astype(np.int64)).astype(np.int64)


def _first_heard(played: SourceMap) -> dict[int, int]:
    """When each half second of the raw is first heard."""
    places = places_s(played)[_STRIDE // 2 :: _STRIDE]
    heard: dict[int, int] = {}
    for when, at in enumerate(places.tolist()):
        if np.isfinite(at):
            heard.setdefault(round(at * 2.0), when)
    return heard


def _joins_s(played: SourceMap) -> DoubleArray:
    """(N, 2): where each join leaves the raw and where it enters it, seconds."""
    rate = played.source.sample_rate
    return np.array([(join.out / rate, join.into / rate) for join in played.joins]).reshape(-1, 2)
