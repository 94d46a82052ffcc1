"""Curves of training runs: read from TensorBoard's event files, seeds of one experiment put together.

Runs belong together where their `config.yaml` is the same but for `seed_everything` and for where things are written,
whatever they are called.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rl_editor.errors import DataError

_EVENTS = "events.out.tfevents.*"
_CONFIG = "config.yaml"
# keep all figures, and of what is large no more than one each
_KEPT = {"scalars": 0, "images": 1, "audio": 1, "tensors": 1, "histograms": 1, "compressedHistograms": 1}
# Lightning logs these beside what somebody measures
_NO_METRICS = {"epoch", "hp_metric"}
_SMOOTHED_SHARE = 1 / 20


class Curve(NamedTuple):
    """A metric of one run over training."""

    steps: NDArray[np.int64]
    """(T,) rising."""
    values: NDArray[np.float64]
    """(T,)."""


class Spread(NamedTuple):
    """A metric of one experiment over training: what its seeds have in common, all (T,)."""

    steps: NDArray[np.int64]
    mean: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A run folder, read."""

    name: str
    curves: Mapping[str, Curve]
    config: Mapping[str, Any] | None = None
    """What made it; None where the folder does not say."""

    @property
    def seed(self) -> object:
        """What `seed_everything` was, None where it is not told."""
        return None if self.config is None else self.config.get("seed_everything")


@dataclass(frozen=True)
class Experiment:
    """Runs that differ only by seed."""

    label: str
    runs: Sequence[Run]

    def curves(self, metric: str) -> list[Curve]:
        """The metric's curve of each run that has it."""
        return [run.curves[metric] for run in self.runs if metric in run.curves]


def find_run(name: str, runs: Path) -> Path:
    """The folder of a run: a path, or a name among the runs.

    Raises:
        DataError: there is none, or it is a folder of runs.
    """
    folder = next((place for place in (Path(name), runs / name) if place.is_dir()), None)
    if folder is None:
        raise DataError(f"{name}: no such run, neither a folder nor in {runs}")
    if not (folder / _CONFIG).is_file() and any(folder.glob(f"*/{_CONFIG}")):
        raise DataError(f"{folder}: a folder of runs; name the runs in it")
    return folder


def read_run(folder: Path, name: str) -> Run:
    """Curves and config of a run folder.

    Raises:
        DataError: it has no curves, or a config that can't be read.
    """
    return Run(name, _read_curves(folder), _read_config(folder / _CONFIG))


def experiments(runs: Sequence[Run]) -> list[Experiment]:
    """The runs, those that differ only by seed together, in the order of their first ones."""
    together: dict[str, list[Run]] = {}
    for run in runs:
        alone = f"run {run.name}"
        together.setdefault(alone if run.config is None else _same(run.config), []).append(run)
    return [Experiment(_label(members), members) for members in together.values()]


def metric_names(runs: Sequence[Run]) -> list[str]:
    """All metrics of the runs, sorted."""
    return sorted({metric for run in runs for metric in run.curves} - _NO_METRICS)


def spread(curves: Sequence[Curve]) -> Spread:
    """Mean, lowest and highest of curves at each step that any of them knows, where all of them have begun and none
    has ended; between its own steps a curve is straight.

    Args:
        curves: at least one.
    """
    first, last = max(curve.steps[0] for curve in curves), min(curve.steps[-1] for curve in curves)
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    steps = steps[(steps >= first) & (steps <= last)]
    values = np.stack([np.interp(steps, curve.steps, curve.values) for curve in curves])
    return Spread(steps, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def smoothed(curve: Curve) -> Curve:
    """The curve as a moving mean, centred, over a twentieth of its points; a short one stays as it is."""
    width = round(len(curve.steps) * _SMOOTHED_SHARE) | 1
    window, ones = np.ones(width), np.ones(len(curve.steps))
    return Curve(curve.steps, np.convolve(curve.values, window, "same") / np.convolve(ones, window, "same"))


def _read_curves(folder: Path) -> dict[str, Curve]:
    """All figures under a folder; what a resumed run has declared void, or logged again, does not count."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = sorted({file.parent for file in folder.rglob(_EVENTS)})
    if not logs:
        raise DataError(f"{folder}: no curves in it (TensorBoard's {_EVENTS})")
    events: dict[str, list[Any]] = {}
    for log in logs:
        accumulator = EventAccumulator(str(log), size_guidance=_KEPT)
        with _without_warnings():
            accumulator.Reload()
        for metric in accumulator.Tags()["scalars"]:
            events.setdefault(metric, []).extend(accumulator.Scalars(metric))
    if not events.keys() - _NO_METRICS:
        raise DataError(f"{folder}: its TensorBoard events hold no figures yet, or are damaged")
    return {metric: _curve(points) for metric, points in events.items()}


@contextmanager
def _without_warnings() -> Iterator[None]:
    """TensorBoard warns of what a resumed run has declared void, which is as it should be."""
    logger = logging.getLogger("tensorboard")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _curve(points: Sequence[Any]) -> Curve:
    latest = {point.step: point.value for point in sorted(points, key=lambda point: point.wall_time)}
    steps = sorted(latest)
    return Curve(np.array(steps, np.int64), np.array([latest[step] for step in steps], np.float64))


def _read_config(path: Path) -> Mapping[str, Any] | None:
    from jsonargparse import get_loader

    if not path.is_file():
        return None
    try:
        config = get_loader("yaml")(path.read_text(encoding="utf-8"))
    except Exception as error:  # YAML's own errors have no other root
        raise DataError(f"{path}: can't be read as a run's config") from error
    if not isinstance(config, dict):
        raise DataError(f"{path}: not a run's config")
    return config


def _same(config: Mapping[str, Any]) -> str:
    """What runs of one experiment share: the config without the seed and without where things are written."""
    kept = {key: value for key, value in config.items() if key != "seed_everything"}
    if isinstance(trainer := kept.get("trainer"), dict):
        kept["trainer"] = {key: value for key, value in trainer.items() if key not in {"logger", "default_root_dir"}}
    return json.dumps(kept, sort_keys=True, default=str)


def _label(runs: Sequence[Run]) -> str:
    """`bc` of bc-seed1 and bc-seed2, else all names; with the seeds where there are several."""
    if len(runs) == 1:
        return runs[0].name
    stems = {re.sub(r"-seed\d+$", "", run.name) for run in runs}
    name = stems.pop() if len(stems) == 1 else ", ".join(run.name for run in runs)
    seeds = [run.seed for run in runs]
    return f"{name} ({len(runs)} runs)" if None in seeds else f"{name} (seeds {', '.join(map(str, seeds))})"
