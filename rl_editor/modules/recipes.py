"""Recipes: YAML files that say what is trained and which settings differ from the defaults."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from rl_editor.checkpoints import shipped_folder
from rl_editor.errors import RecipeError
from rl_editor.modules.trust import foreign_paths


def find_recipe(name: str) -> Path:
    """The recipe of this name: a file of the working directory, else a shipped one; `.yaml` may be left away.

    Raises:
        RecipeError: there is none.
    """
    shipped = shipped_folder("configs")
    folders = [Path(), shipped] if Path(name).name == name else [Path()]
    for folder in folders:
        for file in (folder / name, folder / f"{name}.yaml"):
            if file.is_file():
                return file
    known = ", ".join(file.name for file in shipped_recipes()) or "none"
    raise RecipeError(f"{name}: no such recipe here or among the shipped ones ({known})")


def shipped_recipes() -> list[Path]:
    """All shipped recipes, sorted by name."""
    return sorted(shipped_folder("configs").glob("*.yaml"))


def first_line(recipe: Path) -> str:
    """The comment a recipe begins with, "" where it has none."""
    with recipe.open(encoding="utf-8") as lines:
        line = next(lines, "").strip()
    return line.lstrip("# ") if line.startswith("#") else ""


def read_recipe(file: Path) -> dict[str, object]:
    """What a recipe says, by key.

    Raises:
        RecipeError: the file can't be read, or is no YAML with keys.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{file}: can't be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file}: is no YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise RecipeError(f"{file}: holds no keys; a recipe is lines such as `task: bc`")
    return content


def check_trusted(files: Iterable[Path]) -> None:
    """Refuse recipes that name code outside the installed packages; shipped ones are trusted.

    Raises:
        RecipeError: one does, in a `class_path` or a class of the Trainer, or in a file it takes settings from.
    """
    shipped = shipped_folder("configs").resolve()
    for file in files:
        if file.resolve().is_relative_to(shipped):
            continue
        recipe = read_recipe(file)
        for path in foreign_paths(recipe):
            raise RecipeError(f"{file}: {path} is in no installed package; --trust-recipe runs code from elsewhere")
        check_trusted(part for part in _parts(recipe, file.parent) if part.resolve() != file.resolve())


def _parts(recipe: object, folder: Path) -> Iterator[Path]:
    """The files that parts of a recipe stand in: `model: network.yaml`."""
    if isinstance(recipe, dict | list):
        for value in recipe.values() if isinstance(recipe, dict) else recipe:
            yield from _parts(value, folder)
    elif isinstance(recipe, str) and Path(recipe).suffix in (".yaml", ".yml", ".json"):
        yield from (file for file in (Path(recipe), folder / recipe) if file.is_file())


def task_of(named: dict[str, str | None], files: Iterable[Path]) -> str:
    """The one task that a command line and its recipes name.

    Args:
        named: what names a task outside the recipes, and the task it names.
        files: recipes; those without `task:` take anyone's.
    Raises:
        RecipeError: they name none, or several.
    """
    found = {where: task for where, task in named.items() if task}
    for file in files:
        task = read_recipe(file).get("task")
        if task is not None and not isinstance(task, str):
            raise RecipeError(f"{file}: task: {task!r} is no name")
        if task:
            found[str(file)] = task
    if not found:
        raise RecipeError("which task? --config takes a recipe, whose first key is `task:`")
    if len(set(found.values())) > 1:
        told = ", ".join(f"{task} ({where})" for where, task in found.items())
        raise RecipeError(f"task: more than one is named: {told}")
    return next(iter(found.values()))
