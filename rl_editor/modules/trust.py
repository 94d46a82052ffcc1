"""Which import paths of a recipe lead outside the installed packages."""

import site
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_OURS = Path(__file__).resolve().parents[1]


def is_import_path(name: str) -> bool:
    """Whether something is named by where it stands, `package.module:NAME` or `package.module.NAME`."""
    return ("." in name or ":" in name) and not name[0].isdigit()


def is_installed(module: str) -> bool:
    """Whether a module lies in a folder of installed packages, or in this package; nothing is imported.

    Args:
        module: `package.module` or `package.module:NAME`; the package decides.
    """
    try:
        spec = find_spec(module.partition(":")[0].partition(".")[0])
    except (ValueError, ImportError):
        return False
    if spec is None:
        return False
    places = [*(spec.submodule_search_locations or []), *([spec.origin] if spec.origin else [])]
    return bool(places) and all(_in_packages(Path(place).resolve()) for place in places)


def foreign_paths(recipe: object, key: str = "") -> Iterator[str]:
    """`key: path` of each class in a recipe that is in no installed package.

    Args:
        recipe: what was read from YAML.
        key: dotted key of `recipe` itself.
    """
    if isinstance(recipe, dict):
        for name, value in recipe.items():
            yield from foreign_paths(value, f"{key}.{name}" if key else str(name))
    elif isinstance(recipe, list):
        for value in recipe:
            yield from foreign_paths(value, key)
    elif isinstance(recipe, str) and is_import_path(recipe) and _names_a_class(key) and not is_installed(recipe):
        yield f"{key}: {recipe}"


def _names_a_class(key: str) -> bool:
    """Besides `task` and `class_path`: the Trainer takes a class by its bare path."""
    return key == "task" or key.endswith("class_path") or (key.startswith("trainer.") and key.count(".") == 1)


def _in_packages(place: Path) -> bool:
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    folders.append(site.getusersitepackages())
    return any(place.is_relative_to(folder) for folder in [_OURS, *(Path(folder).resolve() for folder in folders)])
