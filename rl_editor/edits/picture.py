"""The picture of an edit: what was kept of the recording, what went where, and where it joins."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.cue_marks import Mark
from rl_editor.clock import clock
from rl_editor.edits.edl import EDL
from rl_editor.edits.joins import Join, describe
from rl_editor.edits.render import positions

_COLUMNS = 2400
_DEAD_COLOURS = {
    Activity.SILENCE: "#d9d9d9",
    Activity.TALK: "#f4c7c3",
    Activity.TUNING: "#fbe3b5",
    Activity.COUNT_IN: "#d7e8c8",
}
_LEFT_OUT = "#b0b4ba"


def draw(edl: EDL, track: Track, audio: Array, song: Array, *, marks: Sequence[Mark] = ()) -> Figure:
    """The edit as a figure: the recording with its kept parts and jumps above, the song below.

    Args:
        edl: the edit.
        track: analysis of its source.
        audio: the source, float32 (channels, samples).
        song: the rendered edit, float32 (channels, samples).
        marks: places somebody marked in the recording.
    """
    figure = Figure(figsize=(16, 6.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, height_ratios=(3, 1.4))
    colours = _colours(len(edl.segments))
    joins = describe(edl, track)
    rate = edl.source.sample_rate
    limit = float(np.abs(audio).max(initial=1e-3))

    above.set_ylim(-1.12 * limit, 1.9 * limit)
    above.set_xlim(0, edl.source.duration_s)
    _waveform(above, audio, rate, 0, audio.shape[1], _LEFT_OUT)
    for segment, colour in zip(edl.segments, colours, strict=True):
        _waveform(above, audio, rate, segment.start, segment.end, colour)
        above.axvspan(segment.start / rate, segment.end / rate, color=colour, alpha=0.12, linewidth=0)
    _dead_time(above, track)
    _bars(above, track, -limit)
    _sections(above, track)
    for mark in marks:
        above.plot(mark.at / rate, 1.12 * limit, marker="v", color="#c02020", markersize=5)
        label = _printable(mark.label)
        at = (mark.at / rate, 1.18 * limit)
        above.annotate(label, at, fontsize=7, color="#c02020", ha="center", parse_math=False)
    for number, join in enumerate(joins, start=1):
        _arc(above, join, number, limit)
    name = _printable(Path(edl.source.file).name) or "recording"
    above.set_title(
        f"{name}: {clock(edl.source.duration_s)} → {clock(edl.duration_s)}, "
        f"{len(joins)} join{'s' * (len(joins) != 1)} ({edl.maker.editor})",
        loc="left",
        parse_math=False,  # a name may hold a $
    )

    starts = positions(edl.segments)
    for start, segment, colour in zip(starts, edl.segments, colours, strict=True):
        _waveform(below, song, rate, start, start + len(segment), colour)
    for number, join in enumerate(joins, start=1):
        below.axvline(join.at_s, color="black", linewidth=0.8)
        score = "" if join.score is None else f" {join.score:.2f}"
        below.annotate(
            f"{number} {join.why}{score}",
            (join.at_s, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, -9 - 9 * (number % 3)),
            textcoords="offset points",
            fontsize=7,
        )
    below.set_xlim(0, edl.duration_s)
    below.set_ylim(-1.1 * limit, 1.5 * limit)
    below.set_title("song", loc="left", fontsize=9)
    for axes in (above, below):
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MultipleLocator(_tick_s(axes.get_xlim()[1])))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds)))
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure to `path` in the format of its suffix (png, svg, pdf)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # names in scripts the font lacks are drawn as boxes
        figure.savefig(path, format=path.suffix.lstrip(".") or "png")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _waveform(axes: Axes, audio: Array, rate: int, start: int, end: int, colour: str) -> None:
    """Lowest and highest sample of each column of [start, end)."""
    step = max(1, audio.shape[1] // _COLUMNS)
    edges = np.arange(start, end, step)
    low = np.minimum.reduceat(audio[:, start:end], edges - start, axis=1).min(axis=0)
    high = np.maximum.reduceat(audio[:, start:end], edges - start, axis=1).max(axis=0)
    axes.fill_between(edges / rate, low, high, color=colour, linewidth=0, step="post")


def _dead_time(axes: Axes, track: Track) -> None:
    for activity, colour in _DEAD_COLOURS.items():
        for first, last in runs(track.activity, activity):
            start_s, end_s = track.bounds_s[first], track.bounds_s[last]
            axes.axvspan(start_s, end_s, ymax=0.06, color=colour, linewidth=0)
            if end_s - start_s > 0.02 * track.source.duration_s:
                label = activity.name.lower().replace("_", "-")
                axes.annotate(label, ((start_s + end_s) / 2, 0.015), xycoords=("data", "axes fraction"),
                              ha="center", fontsize=7)  # fmt: skip


def _sections(axes: Axes, track: Track) -> None:
    """Labels of sections along the top, and what is known of each run of music along the bottom."""
    if track.section is None or track.section_labels is None:
        return
    starts = np.flatnonzero(np.diff(track.section, prepend=-1))
    for first, label in zip(starts, track.section_labels, strict=True):
        if label != "-":
            at_s = track.bounds_s[first]
            axes.axvline(at_s, ymin=0.94, color="#555555", linewidth=0.6)
            axes.annotate(label, (at_s, 0.955), xycoords=("data", "axes fraction"), fontsize=7, xytext=(2, 0),
                          textcoords="offset points", color="#555555")  # fmt: skip
    _attempts(axes, track)


def _attempts(axes: Axes, track: Track) -> None:
    """Which attempt each run of music is, and whether a better one replaces it; mistakes as red ticks."""
    if track.attempt is None or track.superseded is None or track.spoiled is None or track.song is None:
        return
    several = track.attempt.max(initial=0) > 1 or track.song.max(initial=0) > 0
    for first, last in runs(track.activity, Activity.MUSIC) if several else ():
        text = f"song {track.song[first] + 1}, attempt {track.attempt[first]}"
        text += " superseded" if track.superseded[first:last].mean() > 0.5 else ""
        at_s = (track.bounds_s[first] + track.bounds_s[last]) / 2
        if track.bounds_s[last] - track.bounds_s[first] > 0.04 * track.source.duration_s:
            axes.annotate(text, (at_s, 0.075), xycoords=("data", "axes fraction"), ha="center", fontsize=7)
    bad_s = track.bounds_s[:-1][(track.spoiled > 0.5) & track.is_music]
    axes.vlines(bad_s, 0.0, 0.02, transform=axes.get_xaxis_transform(), color="#c02020", linewidth=0.8)


def _tick_s(duration_s: float) -> float:
    """Seconds between ticks: a round time, at most 16 of them."""
    return next((step for step in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600) if duration_s / step <= 16), 1800)


def _bars(axes: Axes, track: Track, bottom: float) -> None:
    downbeats = track.bounds_s[:-1][track.bar_position == 0]
    every = max(1, 2 ** int(np.ceil(np.log2(max(len(downbeats), 1) / 150))))
    axes.vlines(downbeats[::every], 1.1 * bottom, 1.0 * bottom, color="#777777", linewidth=0.5)


def _arc(axes: Axes, join: Join, number: int, limit: float) -> None:
    forward = join.to_s >= join.from_s
    height = limit * 1.02
    width = abs(join.to_s - join.from_s) / max(axes.get_xlim()[1], 1e-9)
    bend = min(0.3, 0.12 / max(width, 1e-9))  # however far the jump, its arc stays inside the picture
    arrow = FancyArrowPatch(
        (join.from_s, height),
        (join.to_s, height),
        connectionstyle=f"arc3,rad={-bend if forward else bend}",
        arrowstyle="-|>",
        mutation_scale=9,
        linewidth=0.9,
        color="#222222" if forward else "#a02020",
    )
    axes.add_patch(arrow)
    axes.annotate(str(number), (join.from_s, height), fontsize=7, ha="right")


def _colours(n: int) -> list[str]:
    """One colour a segment, from early to late in the output."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["viridis"](k / max(n - 1, 1) * 0.85)) for k in range(n)]
