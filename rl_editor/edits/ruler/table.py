"""Many verdicts in one table: means with bootstrap intervals over songs, as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl_editor.arrays import DoubleArray
from rl_editor.edits.ruler.verdict import NAMES, Verdict

_DRAWS = 2000
_SHOWN = ("joins", "dead_time", "superseded", "phrases", "start", "ending", "repetition", "fragmentation", "agreement")


@dataclass(frozen=True)
class Result:
    """What one editor made of one take."""

    editor: str
    take: str
    song: str
    """Takes of one song are drawn together."""
    verdict: Verdict
    """With the exact edit to compare with."""


def interval(values: DoubleArray, songs: Sequence[str]) -> tuple[float, float]:
    """Where the mean of values lies in 95 of 100 draws of as many songs, with all their takes.

    Args:
        values: one a take, (N,).
        songs: the song of each.
    Source: cluster bootstrap, percentile interval; Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
    """
    names, number = np.unique(np.asarray(songs), return_inverse=True)
    sums, counts = np.bincount(number, weights=values), np.bincount(number)
    drawn = np.random.default_rng(0).integers(len(names), size=(_DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def markdown(results: Sequence[Result], editors: Sequence[str]) -> str:
    """A row an editor, in their order: verdicts with intervals, and the means of what they are made of."""
    head = [
        "editor",
        "takes",
        "verdict (95 %)",
        "with the exact edit (95 %)",
        *(name.replace("_", " ") for name in _SHOWN),
    ]
    lines = [head, ["---"] * len(head)]
    for editor in editors:
        made = [result for result in results if result.editor == editor]
        if made:
            lines.append([editor, str(len(made)), *_verdicts(made), *(_mean(made, name) for name in _SHOWN)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def to_csv(results: Sequence[Result]) -> str:
    """A row a take and editor: length, verdicts and all components; empty where there was nothing to judge."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["take", "song", "editor", "duration_s", "verdict", "verdict_with_exact_edit", *NAMES])
    for result in results:
        scores = (result.verdict.score(name) for name in NAMES)
        writer.writerow(
            [
                result.take,
                result.song,
                result.editor,
                f"{result.verdict.duration_s:.3f}",
                f"{result.verdict.alone:.4f}",
                f"{result.verdict.verdict:.4f}",
                *("" if score is None else f"{score:.4f}" for score in scores),
            ]
        )
    return text.getvalue()


def _verdicts(made: Sequence[Result]) -> list[str]:
    songs = [result.song for result in made]
    cells = []
    for values in ([result.verdict.alone for result in made], [result.verdict.verdict for result in made]):
        low, high = interval(np.array(values), songs)
        # one song can't tell how much songs differ
        within = f" ({low:.3f} to {high:.3f})" if len(set(songs)) > 1 else ""
        cells.append(f"{np.mean(values):.3f}{within}")
    return cells


def _mean(made: Sequence[Result], name: str) -> str:
    scores = [score for result in made if (score := result.verdict.score(name)) is not None]
    return f"{np.mean(scores):.2f}" if scores else "-"
