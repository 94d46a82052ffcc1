"""The verdict: all components, their weights, and the one number."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from rl_editor.edits.ruler.component import Component, weighted
from rl_editor.edits.ruler.join_quality import JudgedJoin

VERSION = 1
"""Of the components, their scales and their weights: verdicts of one version can be compared."""


_FOUND = 0.95


@dataclass(frozen=True)
class Weights:
    """What each component counts for; those with nothing to judge take their weight away with them."""

    joins: float = 0.26
    dead_time: float = 0.12
    superseded: float = 0.05
    spoiled: float = 0.03
    phrases: float = 0.08
    start: float = 0.08
    ending: float = 0.11
    order: float = 0.04
    repetition: float = 0.08
    fragmentation: float = 0.08
    unmatched: float = 0.04
    coverage: float = 0.03
    length: float = 0.08
    """Only with a target."""
    agreement: float = 0.40
    """Only with a person's edit, as the two below."""
    order_agreement: float = 0.10
    join_distance: float = 0.05

    def by_name(self) -> dict[str, float]:
        """Weight of each component."""
        return asdict(self)


WEIGHTS = Weights()
"""Frozen after a set of songs that no reported figure stands on; see `docs/ruler.md`."""
NAMES = tuple(field.name for field in fields(Weights))
"""Names of the components, in the order they are told."""
COMPARED = ("agreement", "order_agreement", "join_distance")
"""Those that need a person's edit."""


@dataclass(frozen=True)
class Verdict:
    """What an edit is worth, and why."""

    verdict: float
    """Weighted mean of the components, in [0, 1], times what of the output can be judged."""
    matched: float
    """Share of the output that is in the raw."""
    components: tuple[Component, ...]
    joins: tuple[JudgedJoin, ...]
    """In output order."""
    duration_s: float
    """Length of the output."""

    @property
    def alone(self) -> float:
        """The verdict from sound alone: without the comparison with a person's edit."""
        kept = tuple(each for each in self.components if each.name not in COMPARED)
        return weighted(kept, WEIGHTS.by_name()) * _judged_share(self.matched)

    def score(self, name: str) -> float | None:
        """The score of one component; None where there was nothing to judge."""
        return next(each.score for each in self.components if each.name == name)


def conclude(
    components: tuple[Component, ...], judged: tuple[JudgedJoin, ...], *, duration_s: float, matched: float
) -> Verdict:
    """The verdict on an output of `duration_s` seconds, of which the share `matched` is in the raw."""
    verdict = weighted(components, WEIGHTS.by_name()) * _judged_share(matched)
    return Verdict(verdict, matched, components, judged, duration_s)


def to_json(verdict: Verdict) -> str:
    """The verdict as one JSON object; its keys are told in `docs/ruler.md`."""
    record: dict[str, Any] = {
        "version": VERSION,
        "verdict": round(verdict.verdict, 4),
        "duration_s": round(verdict.duration_s, 3),
        "matched": round(verdict.matched, 4),
        "components": {each.name: _component(each) for each in verdict.components},
        "joins": [_join(join) for join in verdict.joins],
    }
    return json.dumps(record) + "\n"


def _judged_share(matched: float) -> float:
    """What is not in the raw can't be judged and is worth nothing; a twentieth may be what recovery did not find."""
    return min(matched / _FOUND, 1.0)


def _component(component: Component) -> dict[str, Any]:
    return {
        "score": None if component.score is None else round(component.score, 4),
        "weight": getattr(WEIGHTS, component.name),
        "measures": {each.name: {"value": round(each.value, 4), "unit": each.unit} for each in component.measures},
    }


def _join(join: JudgedJoin) -> dict[str, Any]:
    like = join.flow.likeness
    return {
        "at_s": round(join.at_s, 3),
        "out_s": round(join.out_s, 3),
        "into_s": round(join.into_s, 3),
        "score": round(join.score, 4),
        "pause": join.pause,
        "limp_ms": round(1e3 * join.flow.limp_s, 1),
        "onsets": None if like is None else round(like.onsets, 3),
        "chroma": None if like is None else round(like.chroma, 3),
        "timbre": None if like is None else round(like.timbre, 3),
        "click_db": round(join.cut.click_db, 1),
        "hole_db": round(join.cut.hole_db, 1),
        "gain_step_db": round(join.cut.step_db, 1),
        "fade_ms": round(1e3 * join.cut.fade_s, 1),
    }
