"""The picture of a recovery: where in the raw the edit is, moment by moment."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from rl_editor.clock import clock
from rl_editor.edits.recovery.recovered import Recovery

_SURE = 0.9
_COLOURS = {True: "#31688e", False: "#c77c11"}


def draw(recovery: Recovery, duration_s: float, *, name: str) -> Figure:
    """Time in the raw over time in the edit: stretches as lines, joins dotted, what is not in the raw shaded.

    Args:
        recovery: what was found.
        duration_s: length of the edit in seconds.
        name: of the edit.
    """
    figure = Figure(figsize=(12, 7), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    rate = recovery.source.sample_rate
    for segment in recovery.segments:
        start_s, length_s = segment.start / rate, (segment.end - segment.start) / rate
        span_s = (segment.at_s, segment.at_s + length_s)
        axes.plot(span_s, (start_s, start_s + length_s), color=_COLOURS[segment.confidence >= _SURE], linewidth=2)
        for other in segment.alternatives:
            axes.plot(span_s, (other / rate, other / rate + length_s), color="#b0b4ba", linewidth=1)
    for at_s in recovery.joins_s:
        axes.axvline(at_s, color="#555555", linewidth=0.6, linestyle=":")
    for start_s, end_s in recovery.unmatched:
        axes.axvspan(start_s, end_s, color="#f4c7c3", linewidth=0)
    axes.set_xlim(0, duration_s)
    axes.set_ylim(0, recovery.source.duration_s)
    axes.set_xlabel("edit")
    axes.set_ylabel("raw")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
    axes.set_title(
        f"{name}: {recovery.coverage:.1%} found; grey: equal elsewhere, red: not in the raw, "
        f"orange: correlation under {_SURE:g}",
        loc="left",
        fontsize=9,
        parse_math=False,  # a name may hold a $
    )
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG."""
    figure.savefig(path, format="png")
