"""The folder of a training run, `runs/NAME/`.

- `config.yaml`: every setting, resolved; a recipe by itself
- `run.json`: what made it: command line, versions, revision, data, seed; each resumption
- `checkpoints/last.ckpt`: the last epoch's end; `best.ckpt`: the best value of the module's `monitor`
- `events.out.*`: TensorBoard
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rl_editor.atomic import write_text
from rl_editor.errors import RecipeError


@dataclass(frozen=True)
class RunFolder:
    """A run and its files, whether or not they are there."""

    path: Path

    @property
    def config(self) -> Path:
        """Every setting, as a recipe."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """What made the run."""
        return self.path / "run.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """State at the end of the last whole epoch: what a run is resumed from."""
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        """State at the best value of what the module has watched."""
        return self.checkpoints / "best.ckpt"

    def weights(self) -> Path:
        """The checkpoint to use: the best, else the last.

        Raises:
            RecipeError: the run has none yet.
        """
        for file in (self.best, self.last):
            if file.is_file():
                return file
        raise RecipeError(f"{self.path}: this run has no checkpoint yet; its first epoch was never finished")

    def read_record(self) -> dict[str, object]:
        """What made the run.

        Raises:
            RecipeError: the file is missing or damaged.
        """
        return read_record(self.record)

    def write_record(self, record: Mapping[str, object]) -> None:
        """Replace what is said of what made the run."""
        write_text(self.record, as_json(record), overwrite=True)


def read_record(file: Path) -> dict[str, Any]:
    """A record that `as_json` made text of.

    Raises:
        RecipeError: the file is missing or damaged.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{file}: can't be read ({error.strerror})") from error
    except ValueError as error:
        raise RecipeError(f"{file}: is damaged ({error})") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{file}: is damaged (no record)")
    return content


def as_json(record: Mapping[str, object]) -> str:
    """JSON for people to read; what JSON has no word for is written as text."""
    return json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n"


def runs_in(runs: Path) -> list[RunFolder]:
    """The runs in a folder, by name."""
    found = (RunFolder(file.parent) for file in sorted(runs.glob("*/config.yaml")))
    return [run for run in found if not run.path.name.startswith(".")]


def find_run(runs: Path, name: str) -> RunFolder:
    """The run of this name, or at this path.

    Raises:
        RecipeError: there is none.
    """
    for folder in (runs / name, Path(name)):
        run = RunFolder(folder)
        if run.config.is_file():
            return run
    known = ", ".join(run.path.name for run in runs_in(runs)) or "none"
    raise RecipeError(f"{name}: no such run; in {runs} there are: {known}")


def newest_run(runs: Path, task: str | None) -> RunFolder:
    """The run whose checkpoint was written last, of one task or of any.

    Raises:
        RecipeError: no run has a checkpoint.
    """
    found = [run for run in runs_in(runs) if run.last.is_file()]
    if task is not None:
        found = [run for run in found if run.read_record().get("task") == task]
    if not found:
        of = f"run of task {task}" if task else "run"
        raise RecipeError(f"{runs}: no {of} with a checkpoint; train one, or name one with --checkpoint")
    return max(found, key=lambda run: run.last.stat().st_mtime)


def check_name(runs: Path, name: str) -> None:
    """Refuse a name that can't be a new run's.

    Raises:
        RecipeError: it is taken, or is no name of a folder.
    """
    if Path(name).name != name or name.startswith("."):
        raise RecipeError(f"--name: {name!r} is no name of a folder")
    if (runs / name).exists():
        raise RecipeError(f"{runs / name}: exists already; --resume goes on with it, another --name starts beside it")


def create_run(runs: Path, name: str | None, stem: str, files: Mapping[str, str]) -> RunFolder:
    """A new run's folder with its first files; it appears whole or not at all.

    Args:
        runs: folder of runs, made where it is missing.
        name: the run's name; None takes the first free one of `stem`-1, `stem`-2, ...
        stem: begins the names of unnamed runs.
        files: text by file name.
    Raises:
        RecipeError: the name is taken, or nothing can be written there.
    """
    if name is not None:
        check_name(runs, name)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".rl-editor.", dir=runs))
    except OSError as error:
        raise RecipeError(f"{runs}: can't be written ({error.strerror})") from error
    try:
        temporary.chmod(0o755)
        for file, text in files.items():
            write_text(temporary / file, text, overwrite=False)
        for path in [runs / name] if name else (runs / f"{stem}-{number}" for number in count(1)):
            if _moved(temporary, path):
                return RunFolder(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    raise RecipeError(f"{runs / (name or stem)}: exists already")


def _moved(temporary: Path, path: Path) -> bool:
    """Rename a folder to a name nobody has; false where somebody has it."""
    if path.exists():
        return False
    try:
        os.rename(temporary, path)
    except OSError:
        if path.exists():  # another process was quicker
            return False
        raise
    return True
