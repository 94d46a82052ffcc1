"""A contact sheet: what each editor kept of each take, side by side."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import positions

_WIDTH_IN, _ROW_IN, _HEAD_IN = 14.0, 0.32, 0.5
_MUSIC, _BETTER = "#e8eaee", "#c9ccd2"


def contact_sheet(takes: Sequence[tuple[str, Track, Sequence[tuple[str, EDL, float]]]]) -> Figure:
    """A figure with a panel a take and a line an edit: time of the raw from left to right, colour the song's time.

    Args:
        takes: of each its name, the analysis of its raw, and the edits with the name of their editor and verdict.
    """
    heights = [len(edits) * _ROW_IN + _HEAD_IN for _, _, edits in takes]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights) + 0.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(takes), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (name, track, edits) in zip(panels, takes, strict=True):
        axes.set_title(name, loc="left", fontsize=9, parse_math=False)
        axes.set_xlim(0.0, track.source.duration_s)
        axes.set_ylim(len(edits) - 0.4, -0.6)
        axes.set_yticks(range(len(edits)), [f"{editor} {verdict:.2f}" for editor, _, verdict in edits], fontsize=7)
        axes.tick_params(axis="x", labelsize=7)
        for line, (_, edl, _) in enumerate(edits):
            _raw(axes, track, line)
            _edit(axes, edl, line)
    return figure


def _raw(axes: Axes, track: Track, line: int) -> None:
    """Where there is music, darker where an attempt is superseded."""
    for first, last in _stretches(track):
        worse = track.superseded is not None and float(track.superseded[first:last].mean()) > 0.5
        start_s, end_s = track.bounds_s[first], track.bounds_s[last]
        axes.broken_barh([(start_s, end_s - start_s)], (line - 0.1, 0.2), color=_BETTER if worse else _MUSIC)


def _stretches(track: Track) -> list[tuple[int, int]]:
    from rl_editor.analysis.activity import Activity, runs

    return [(int(first), int(last)) for first, last in runs(track.activity, Activity.MUSIC)]


def _edit(axes: Axes, edl: EDL, line: int) -> None:
    """Each segment where it lies in the raw, from dark to light in the order it is played."""
    rate, total = edl.source.sample_rate, max(edl.n_samples, 1)
    for segment, at in zip(edl.segments, positions(edl.segments), strict=True):
        colour = colormaps["viridis"]((at + len(segment) / 2) / total * 0.85)
        axes.broken_barh([(segment.start / rate, len(segment) / rate)], (line - 0.32, 0.64), color=colour)
        axes.plot([segment.start / rate] * 2, [line - 0.36, line + 0.36], color="black", linewidth=0.6)
