"""`rl-editor plot`: curves of training runs, with the spread of seeds."""

import sys
import warnings
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, replacing
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.errors import DataError

if TYPE_CHECKING:
    from jsonargparse import Namespace
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rl_editor.cli.curves import Experiment, Run

_MOST_PANELS = 36
_COLUMNS, _PANEL_IN, _LEGEND_LINE_IN = 4, (4.2, 2.6), 0.22


def parser() -> CommandParser:
    """The command line of `rl-editor plot`."""
    parser = command_parser(
        "plot",
        "Draw the curves of training runs, over steps, and print their last figures. Runs whose config differs only "
        "by seed are drawn as one: their mean, and from the lowest to the highest of them.",
    )
    add = parser.add_argument
    add("run", nargs="+", metavar="RUN", help="run folders, or names of runs")
    add("-o", "--output", default="curves.png", metavar="PNG", help="picture to write (default curves.png)")
    add("--metrics", nargs="+", default=[], metavar="NAME", help="which ones, * for any letters; default: all")
    add("--smooth", action="store_true", help="draw each curve as a moving mean over a twentieth of it")
    add("--runs", default="runs", metavar="DIR", help="where runs are looked for by name (default runs)")
    add("--overwrite", action="store_true", help="replace a picture that is there already")
    return parser


def run(args: "Namespace") -> int:
    """Read the runs, draw them, tell their last figures."""
    from rl_editor.cli.curves import experiments, find_run, metric_names, read_run

    output = Path(args.output)
    if output.suffix.lower() != ".png":
        complain(f"{output}: the picture is a PNG; call it {output.with_suffix('.png').name}")
        return 2
    check_writable(output, overwrite=args.overwrite)
    folders = {folder.resolve(): folder for folder in (find_run(name, Path(args.runs)) for name in args.run)}
    runs = [read_run(folder, name) for folder, name in zip(folders.values(), _names(list(folders)), strict=True)]
    metrics = _chosen(args.metrics, metric_names(runs), runs)
    found = experiments(runs)
    with warnings.catch_warnings(), replacing(output, overwrite=args.overwrite) as temporary:
        warnings.filterwarnings("ignore", "Glyph .* missing")  # names in scripts the font lacks are drawn as boxes
        picture(found, metrics[:_MOST_PANELS], smooth=args.smooth).savefig(temporary, format="png")
    if len(metrics) > _MOST_PANELS:
        complain(f"note: {_MOST_PANELS} of {len(metrics)} metrics are drawn; --metrics chooses")
    sys.stdout.write(last_figures(found, metrics) + f"-> {output}\n")
    return 0


def picture(experiments: "Sequence[Experiment]", metrics: Sequence[str], *, smooth: bool) -> "Figure":
    """A panel a metric, a colour an experiment: the mean as a line, from lowest to highest seed as a band, each run
    as a thin line.

    Args:
        experiments: who is drawn.
        metrics: what is drawn, at least one.
        smooth: means and bands are of moving means; thin lines are as measured.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(_COLUMNS, len(metrics))
    rows = -(-len(metrics) // columns)
    width, height = _PANEL_IN
    size = (width * columns, height * rows + _LEGEND_LINE_IN * (len(experiments) + 1))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, metric in zip(panels, metrics, strict=False):
        axes.set_title(metric, loc="left", fontsize=9, parse_math=False)
        axes.tick_params(labelsize=7)
        for number, experiment in enumerate(experiments):
            _draw(axes, experiment, metric, colour=f"C{number % 10}", smooth=smooth)
    for axes in panels[len(metrics) :]:
        axes.set_visible(False)
    figure.supxlabel("step", fontsize=8)
    lines = [Line2D([], [], color=f"C{number % 10}") for number in range(len(experiments))]
    legend = figure.legend(lines, [each.label for each in experiments], loc="outside upper left", fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def last_figures(experiments: "Sequence[Experiment]", metrics: Sequence[str]) -> str:
    """A table of the last figures as measured: at the last step that all seeds reached, their mean and range."""
    rows = [("metric", "run", "step", "last", "seeds")]
    rows += [_last(experiment, metric) for metric in metrics for experiment in experiments if experiment.curves(metric)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _draw(axes: "Axes", experiment: "Experiment", metric: str, *, colour: str, smooth: bool) -> None:
    from rl_editor.cli.curves import smoothed, spread

    curves = experiment.curves(metric)
    if not curves:
        return
    if smooth or len(curves) > 1:
        for curve in curves:
            axes.plot(curve.steps, curve.values, color=colour, linewidth=0.5, alpha=0.4)
    drawn = spread([smoothed(curve) for curve in curves] if smooth else curves)
    marker = "o" if len(drawn.steps) == 1 else None
    axes.plot(drawn.steps, drawn.mean, color=colour, linewidth=1.4, marker=marker, markersize=3)
    if len(curves) > 1:
        axes.fill_between(drawn.steps, drawn.lowest, drawn.highest, color=colour, alpha=0.2, linewidth=0)


def _last(experiment: "Experiment", metric: str) -> tuple[str, str, str, str, str]:
    from rl_editor.cli.curves import spread

    curves = experiment.curves(metric)
    common = spread(curves)
    if not len(common.steps):
        return metric, experiment.label, "-", "-", "no step in common"
    seeds = f"{len(curves)}, {common.lowest[-1]:.4g} to {common.highest[-1]:.4g}" if len(curves) > 1 else ""
    return metric, experiment.label, str(common.steps[-1]), f"{common.mean[-1]:.4g}", seeds


def _names(folders: Sequence[Path]) -> list[str]:
    """Folders by their own names, by their whole paths where two have the same."""
    names = [folder.name for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder) for folder in folders]


def _chosen(patterns: Sequence[str], metrics: Sequence[str], runs: "Sequence[Run]") -> list[str]:
    """The metrics that are meant.

    Raises:
        DataError: a pattern means none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(metric, pattern) for metric in metrics):
            there = ", ".join(metrics)
            raise DataError(f"{pattern}: no such metric in {', '.join(run.name for run in runs)}; there are {there}")
    return [metric for metric in metrics if not patterns or any(fnmatchcase(metric, each) for each in patterns)]
