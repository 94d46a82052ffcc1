"""The report of a pipeline: one HTML file with what was learned, how it is made again, and the song to listen to."""

import io
import shlex
import warnings
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from rl_editor.arrays import Array
from rl_editor.atomic import write_text
from rl_editor.audio.encoding import check_holds
from rl_editor.audio.files import read_audio
from rl_editor.cli import report_page
from rl_editor.cli.curves import Curve, Run, experiments, metric_names, read_run
from rl_editor.cli.plot import picture
from rl_editor.cli.report_page import Table
from rl_editor.clock import clock
from rl_editor.errors import AudioError
from rl_editor.modules.pipeline_folder import PipelineFolder
from rl_editor.modules.pipeline_stages import EDIT, TRAINING, TrainingStage
from rl_editor.modules.run_folder import RunFolder

_LONGEST_S = 15 * 60  # of a recording; an hour would make a file that no browser likes
_HIGHEST_RATE = 48_000  # Hz that MP3 holds
_SIDES = {
    "test": " The recording is a take of the test side, which no stage has seen.",
    "val": " The recording is a take of the val side, by which checkpoints were chosen.",
    "train": " The recording is a take of the train side, which has been learned from.",
}
_SQUEEZED = 0.6  # of libsndfile's compression level: in stereo about 110 kbit/s


def write_report(folder: PipelineFolder) -> None:
    """Write the report of a pipeline whose stages are finished."""
    record = folder.read_record()
    told = record["finished"][EDIT]["told"]
    parts = [
        _song(told, record["data"]["recording_side"]),
        *(_stage(folder, stage) for stage in TRAINING),
        _again(folder, record),
    ]
    write_text(folder.report, report_page.page(f"{folder.path.name}: {_edited(told)}", parts), overwrite=True)


def as_mp3(audio: Array, sample_rate: int) -> bytes:
    """Sound as MP3, always the same bytes for the same sound.

    Args:
        audio: float32 (channels, samples), full scale 1.0; more than two channels are mixed to one.
        sample_rate: Hz; what MP3 can't hold is resampled.
    """
    sound = audio if audio.shape[0] <= 2 else audio.mean(axis=0, keepdims=True, dtype=np.float32)
    try:
        check_holds(Path("sound.mp3"), sound.shape[0], sample_rate)
    except AudioError:
        sound, sample_rate = soxr.resample(sound.T, sample_rate, _HIGHEST_RATE).T, _HIGHEST_RATE
    file = io.BytesIO()
    written = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": _SQUEEZED}
    sf.write(file, np.ascontiguousarray(sound.T), sample_rate, **written)
    return file.getvalue()


def _song(told: Mapping[str, Any], side: str | None) -> str:
    """The edit: heard, seen, and its joins."""
    written = told["written"]
    joins = [
        (str(number), _time(join["at_s"]), _time(join["from_s"]), _time(join["to_s"]), join["why"], *_seam(join))
        for number, join in enumerate(told["joins"], start=1)
    ]
    heads = ("#", "at", "from", "to", "why", "seam", "worst")
    return "".join([
        report_page.heading("The song"),
        report_page.paragraph(f"{_edited(told)}, by the editor {told['editor']}.{_SIDES.get(side or '', '')}"),
        *map(report_page.paragraph, told["doubts"]),
        _heard(Path(written["song"]), "the song"),
        _heard(Path(told["source"]), "the recording"),
        report_page.image(Path(written["plot"]).read_bytes(), "what was kept of the recording, and in which order"),
        report_page.folded(f"joins ({len(joins)})", Table(heads, joins, frozenset({0, 5})).html()),
    ])  # fmt: skip


def _stage(folder: PipelineFolder, stage: TrainingStage) -> str:
    """What a stage that trains learned, and how."""
    kept = folder.run(stage.name)
    record, run = kept.read_record(), read_run(kept.path, stage.name)
    metrics = metric_names([run])
    headline = [metric for metric in metrics if any(fnmatchcase(metric, each) for each in stage.figures)]
    others = [metric for metric in metrics if metric not in headline]
    return "".join([
        report_page.heading(f"{stage.name}: {stage.learns}"),
        report_page.paragraph(f"Seed {record['seed']}. {_data(record)}"),
        _figures(run, headline),
        _curves(run, headline),
        report_page.folded(f"all other figures ({len(others)})", _figures(run, others)),
        report_page.command(_makes_again(stage, kept)),
    ])  # fmt: skip


def _again(folder: PipelineFolder, record: Mapping[str, Any]) -> str:
    """How all of it is made again, and by what it was made."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return "".join([
        report_page.heading("All of it again"),
        report_page.command(f"rl-editor pipeline --config {shlex.quote(str(folder.config))}"),
        report_page.paragraph(f"Made with {versions}. All curves: tensorboard --logdir {folder.path}"),
        report_page.command(shlex.join(record["finished"][EDIT]["command"])),
    ])  # fmt: skip


def _makes_again(stage: TrainingStage, run: RunFolder) -> str:
    return f"rl-editor {stage.command} --config {shlex.quote(str(run.config))}"


def _data(record: Mapping[str, Any]) -> str:
    takes = record["data"].get("takes")
    sides = ", ".join(f"{count} {side}" for side, count in takes.items()) if isinstance(takes, dict) else ""
    return f"Takes: {sides}." if sides else ""


def _figures(run: Run, metrics: Sequence[str]) -> str:
    """A table of figures at the beginning and at the end."""
    rows = [(metric, *_ends(run.curves[metric])) for metric in metrics]
    return Table(("figure", "first", "at step", "last", "at step"), rows, frozenset({1, 2, 3, 4})).html()


def _ends(curve: Curve) -> tuple[str, str, str, str]:
    first, last = f"{curve.values[0]:.4g}", f"{curve.values[-1]:.4g}"
    return first, str(curve.steps[0]), last, str(curve.steps[-1])


def _curves(run: Run, metrics: Sequence[str]) -> str:
    """The figures over training, drawn."""
    if not metrics:
        return ""
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # names in scripts the font lacks are drawn as boxes
        picture(experiments([run]), metrics, smooth=False).savefig(drawn, format="png")
    return report_page.image(drawn.getvalue(), "over steps of training")


def _heard(file: Path, what: str) -> str:
    """A recording or a song to listen to."""
    recording = read_audio(file)
    rate, length_s = recording.sample_rate, recording.source.duration_s
    heard = recording.audio[:, : _LONGEST_S * rate]
    whole = "" if length_s <= _LONGEST_S else f", of which this is the first {clock(_LONGEST_S)}"
    return report_page.sound(as_mp3(heard, rate), f"{what}, {clock(length_s)}{whole}: {file}")


def _edited(told: Mapping[str, Any]) -> str:
    count = len(told["joins"])
    lengths = f"{clock(told['source_s'])} -> {clock(told['duration_s'])}"
    return f"{Path(told['source']).name}, {lengths}, {count} join{'s' * (count != 1)}"


def _seam(join: Mapping[str, Any]) -> tuple[str, str]:
    return "-" if join["score"] is None else f"{join['score']:.2f}", join["worst"] or "-"


def _time(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"
