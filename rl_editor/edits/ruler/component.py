"""What the ruler says: components of 0 to 1, each with the measures it stands on, and one weighted verdict."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One figure behind a score."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Component:
    """One side of an edit."""

    name: str
    score: float | None
    """0 to 1; None where there is nothing to judge."""
    measures: tuple[Measure, ...] = ()


def weighted(components: tuple[Component, ...], weights: dict[str, float]) -> float:
    """Weighted mean of the scores there are, in [0, 1]; 0 where there is none.

    A component with nothing to judge takes its weight away with it: whoever makes no join is judged on the rest.
    """
    judged = [(each.score, weights[each.name]) for each in components if each.score is not None]
    total = sum(weight for _, weight in judged)
    return sum(score * weight for score, weight in judged) / total if total > 0 else 0.0
