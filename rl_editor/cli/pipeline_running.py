"""The stages of a pipeline, one after another, each the command that a user would call, in a process of its own."""

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from rl_editor.cli.complaints import complain
from rl_editor.cli.pipeline_report import write_report
from rl_editor.modules.pipeline_folder import PipelineFolder, chosen_recording
from rl_editor.modules.pipeline_recipe import PipelineConfig
from rl_editor.modules.pipeline_stages import EDIT, EDITS_WITH, STAGES, TRAINING, TrainingStage

_INTERRUPTED = 130
"""Exit status of a command that was interrupted."""


def run_stages(folder: PipelineFolder, config: PipelineConfig, manners: Sequence[str]) -> int:
    """Do what is not finished yet, stage by stage, then write the report.

    Args:
        folder: the pipeline's.
        config: what it does.
        manners: flags for each stage that trains.
    Returns:
        The exit status: that of the stage which failed, 130 where it was interrupted.
    """
    for number, stage in enumerate(STAGES, start=1):
        record = folder.read_record()
        if stage in record["finished"]:
            continue
        words = _command_line(folder, config, stage, manners)
        if "--quiet" not in manners:
            complain(f"{folder.path}: {number} of {len(STAGES)}: rl-editor {shlex.join(words)}")
        begun = time.monotonic()
        status, told = _in_a_process(words, keep_stdout=stage == EDIT)
        if status:
            _tell_stopped(folder, stage, status)
            return status if status > 0 else 1
        done = {"command": ["rl-editor", *words], "took_s": round(time.monotonic() - begun, 1)}
        if stage == EDIT:
            done["told"] = json.loads(told)
        folder.write_record({**record, "finished": {**record["finished"], stage: done}})
    if not folder.report.exists():
        write_report(folder)
    if "--quiet" not in manners:
        song = folder.read_record()["finished"][EDIT]["told"]["written"]["song"]
        sys.stdout.write(f"{folder.path}: song {song}, report {folder.report}\n")
    return 0


def _command_line(folder: PipelineFolder, config: PipelineConfig, stage: str, manners: Sequence[str]) -> list[str]:
    """What a stage is called by: anew, or to go on."""
    if stage == EDIT:
        return [EDIT, *edit_options(folder, config)]
    row = next(row for row in TRAINING if row.name == stage)
    if folder.run(stage).last.is_file():
        return [row.command, "--resume", stage, *manners, "--runs", str(folder.path)]
    # of a run that has not finished an epoch nothing is lost, and its settings may have been mended since
    shutil.rmtree(folder.run(stage).path, ignore_errors=True)
    where = ["--runs", str(folder.path), "--name", stage]
    return [row.command, *recipes(folder, config, row), *where, *manners]


def edit_options(folder: PipelineFolder, config: PipelineConfig) -> list[str]:
    """What `rl-editor edit` is told."""
    edit = config.edit
    words = [str(chosen_recording(config)[0]), "-o", f"{folder.edits}/"]
    words += ["--checkpoint", str(folder.run(EDITS_WITH).path), "--json", "--overwrite"]
    for flag, value in (("--duration", edit.duration), ("--keep", edit.keep)):
        if value is not None:
            words += [flag, str(value)]
    return words


def recipes(folder: PipelineFolder, config: PipelineConfig, stage: TrainingStage) -> list[str]:
    """The flags that name a stage's recipe and what goes over it."""
    return ["--config", config.stages[stage.name].config, "--config", str(folder.settings(stage.name))]


def _in_a_process(words: Sequence[str], *, keep_stdout: bool) -> tuple[int, str]:
    """Exit status and, where it is kept, stdout of a command in a process of its own, which ends when this one does.

    Its memory is free again afterwards, and it computes what it would if it had been called alone.
    """
    command = [sys.executable, "-m", "rl_editor.cli.child", *words]
    stdout = subprocess.PIPE if keep_stdout else None
    # an interruption from the terminal shall reach it once: through here
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, text=True, process_group=0) as child:
        try:
            return _ended(child)
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)
            try:
                child.wait()
            except KeyboardInterrupt:
                child.kill()
            return _INTERRUPTED, ""


def _ended(child: "subprocess.Popen[str]") -> tuple[int, str]:
    """Status and stdout of a process, whose stdin is kept open until it has ended."""
    told = child.stdout.read() if child.stdout is not None else ""
    return child.wait(), told


def _tell_stopped(folder: PipelineFolder, stage: str, status: int) -> None:
    """Say how to go on; a folder in which nothing was computed, for a mistake of the user's, is removed instead."""
    begun = any(folder.run(row.name).config.is_file() for row in TRAINING)
    if status in (1, 2) and not begun and not folder.read_record()["resumed"]:
        shutil.rmtree(folder.path, ignore_errors=True)
        return
    on = f"`rl-editor pipeline --resume {folder.path}` goes on"
    if status == _INTERRUPTED:
        complain(f"interrupted; {on}")
        return
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else "failed"
    complain(f"{folder.path}: {stage} {how}; {on}")
