"""Editors by name, ours and anyone's: the entry-point group `rl_editor.editors`."""

from importlib.metadata import entry_points
from inspect import signature

from rl_editor.edits.request import Editor
from rl_editor.errors import RequestError

GROUP = "rl_editor.editors"


def load_editor(name: str, **options: object) -> Editor:
    """The editor of this name, made with its defaults but for these options.

    Args:
        name: an installed package's.
        options: by the names of what it is made with.
    Raises:
        RequestError: no installed package has an editor of this name, or it knows no such option.
        EditorError: it can't be made.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted(point.name for point in entry_points(group=GROUP)))
        raise RequestError(f"editor {name!r}: not known; there are {known}")
    kind = next(iter(found)).load()
    unknown = options.keys() - signature(kind).parameters.keys()
    if unknown:
        raise RequestError(f"editor {name!r}: has no {' and no '.join(sorted(unknown))} to choose")
    editor: Editor = kind(**options)
    return editor
