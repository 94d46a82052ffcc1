"""The card of a checkpoint: a page that says what it is, what it learned from, how it was measured, where it fails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

UNTOLD = "*To be told by hand.*"
"""Stands in a card where nothing is said yet."""


class DataSource(NamedTuple):
    """Data a checkpoint was trained on."""

    name: str
    licence: str
    sha256: str
    """Of the data's manifest or file."""


class Figure(NamedTuple):
    """What was measured on data that was held out."""

    name: str
    value: float
    interval: tuple[float, float] | None = None
    over: str = ""
    """What it was measured on: `96 takes of 24 songs, 3 seeds`."""

    def line(self) -> str:
        """`overlap 0.63 (0.60 to 0.66), 96 takes of 24 songs, 3 seeds`."""
        return f"{self.name} {self.told()}{', ' if self.over else ''}{self.over}"

    def told(self) -> str:
        """`0.63 (0.60 to 0.66)`."""
        interval = "" if self.interval is None else " ({} to {})".format(*map(_number, self.interval))
        return f"{_number(self.value)}{interval}"


@dataclass(frozen=True)
class Card:
    """What is known of a checkpoint when it is saved; what nobody knows yet is left for a hand to fill in."""

    task: str
    """What the weights do: `policy`."""
    what: str
    """What it is and what it is for, in a few sentences."""
    inputs: str
    """What the network is given."""
    data: Sequence[DataSource]
    """What it was trained on."""
    split: str
    """How data that it was measured on was kept apart."""
    recipe: str
    """The recipe it was trained by."""
    commit: str
    """Revision of the code."""
    seeds: Sequence[int]
    """Seeds of the runs behind the figures, the one of these weights first."""
    licence: str
    """Licence of the weights, which need not be that of the code."""
    figures: Sequence[Figure] = ()
    """What was measured; the first one is the headline."""
    figures_command: str = ""
    """The command that measured them."""
    limits: Sequence[str] = ()
    """Where it fails, or was not tried."""

    def markdown(self, name: str, *, content_hash: str, n_weights: int) -> str:
        """The card as a page.

        Args:
            name: the checkpoint's.
            content_hash: SHA-256 of its content, in hex.
            n_weights: how many numbers it holds.
        """
        data = _table(("data", "licence", "SHA-256"), [tuple(source) for source in self.data])
        figures = _table(("held out", "figure", "over"), [(each.name, each.told(), each.over) for each in self.figures])
        command = f"\n\nMeasured with `{self.figures_command}`." if self.figures and self.figures_command else ""
        facts = [
            ("task", self.task),
            ("weights", f"{n_weights:,}"),
            ("SHA-256 of the content", content_hash),
            ("licence of the weights", self.licence or UNTOLD),
        ]
        made = [
            ("recipe", self.recipe or UNTOLD),
            ("commit", self.commit or UNTOLD),
            ("seeds", ", ".join(map(str, self.seeds)) or UNTOLD),
        ]
        sections = [
            ("What it is", self.what),
            ("Inputs", self.inputs),
            ("Training data", data),
            ("Split", self.split),
            ("How it was made", _items(made)),
            ("Held-out figures", figures + command),
            ("Limits", "\n".join(f"- {limit}" for limit in self.limits)),
        ]
        headline = self.figures[0].line() if self.figures else UNTOLD
        head = f"# {name}\n> {headline}\n\n{_items(facts)}\n"
        return head + "".join(f"\n## {title}\n{text or UNTOLD}\n" for title, text in sections)


def headline(card: str) -> str:
    """A card's one line of figures: its first quoted line, which a hand may have mended; empty where there is none."""
    quoted = (line.removeprefix(">").strip() for line in card.splitlines() if line.startswith(">"))
    line = next(quoted, "")
    return "" if line == UNTOLD else line


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, empty without rows."""
    lines = [[" ".join(cell.split()).replace("|", r"\|") or "-" for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines]) if rows else ""


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _items(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts)
