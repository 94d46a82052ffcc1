"""Editors by name, ours and anyone's: the entry-point group `rl_editor.editors`."""

from importlib.metadata import entry_points

from rl_editor.edits.request import Editor
from rl_editor.errors import RequestError

GROUP = "rl_editor.editors"


def load_editor(name: str) -> Editor:
    """The editor of this name, made with its defaults.

    Raises:
        RequestError: no installed package has an editor of this name.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted(point.name for point in entry_points(group=GROUP)))
        raise RequestError(f"editor {name!r}: not known; there are {known}")
    editor: Editor = next(iter(found)).load()()
    return editor
