"""Tasks by name, ours and anyone's: the entry-point group `rl_editor.tasks`."""

import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rl_editor.errors import RecipeError
from rl_editor.modules.trust import is_import_path, is_installed

if TYPE_CHECKING:
    from lightning.pytorch import LightningDataModule, LightningModule

GROUP = "rl_editor.tasks"


class Origin(NamedTuple):
    """A setting that takes a file of another task's run, the newest one where it is left empty."""

    setting: str
    """The setting's key."""
    task: str
    """Whose run."""
    file: str
    """Name of the file in the run's folder."""
    command: str
    """What makes such a run."""
    nobody: str = ""
    """What the setting says where no file is wanted; "": one always is."""


class Task(NamedTuple):
    """What is trained, and on what.

    Fields:
        module: built from frozen dataclasses with a line of text under each field.
        datamodule: built likewise; its optional method `identity()` tells a run's record what the data are.
        recipe: bare name of the recipe to take where none is given; "" for none.
        origins: settings that take files of other tasks' runs.
    """

    module: "type[LightningModule]"
    datamodule: "type[LightningDataModule]"
    recipe: str = ""
    origins: tuple[Origin, ...] = ()


def task_names() -> list[str]:
    """The names that installed packages give to tasks, sorted; nothing is imported."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def short_name(name: str) -> str:
    """What runs of a task are called: its name, or the last part of its module's."""
    if not is_import_path(name):
        return name
    module, _ = _split(name)
    return module.rpartition(".")[2]


def load_task(name: str, *, trusted: bool) -> Task:
    """The task of this name or import path.

    Args:
        name: name in `rl_editor.tasks`, or `package.module:NAME`.
        trusted: import paths, those of its settings too, may also lead outside the installed packages, first of all to
            the working directory.
    Raises:
        RecipeError: there is no such task, or it stands outside the installed packages and is not trusted.
    """
    if trusted and (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    task = _imported(name, trusted=trusted) if is_import_path(name) else _registered(name)
    if not isinstance(task, Task):
        raise RecipeError(f"task: {name} is a {type(task).__name__}, not a rl_editor.modules.tasks.Task")
    return task


def _registered(name: str) -> object:
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(task_names()) or "none installed"
        raise RecipeError(f"task: {name!r} is not known; there are {known} (or package.module:NAME)")
    return next(iter(found)).load()


def _imported(name: str, *, trusted: bool) -> object:
    module, attribute = _split(name)
    if not trusted and not is_installed(module):
        raise RecipeError(f"task: {name} is in no installed package; --trust-recipe runs code from elsewhere")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"task: {name} can't be imported: {error}") from error


def _split(name: str) -> tuple[str, str]:
    module, _, attribute = name.rpartition(":") if ":" in name else name.rpartition(".")
    return module, attribute
