"""Files appear whole or not at all: write beside the target, then rename."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rl_editor.errors import EditorError


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A temporary path with `path`'s suffix, renamed to `path` when the block ends well and removed when not.

    Args:
        path: the file to make; its folder is made too.
        overwrite: replace a file that is already there.
    Raises:
        EditorError: `path` exists and may not be replaced, is a folder, or can't be written.
    """
    check_writable(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".rl-editor.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise EditorError(f"{path}: can't be written ({error.strerror})") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EditorError(f"{path}: can't be written ({error.strerror})") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, *, overwrite: bool) -> None:
    """Write UTF-8 text whole or not at all.

    Raises:
        EditorError: as `replacing`.
    """
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def check_writable(path: Path, *, overwrite: bool, source: Path | None = None) -> None:
    """Refuse early, before long work, a target that could not be written at its end.

    Args:
        path: the file to make.
        overwrite: a file that is already there may be replaced.
        source: what it is made from, which is never replaced.
    Raises:
        EditorError: `path` exists and may not be replaced, is a folder, or its folder can't be written.
    """
    try:
        _check(path, overwrite=overwrite, source=source)
    except OSError as error:  # a name too long to ask for, a loop of links
        raise EditorError(f"{path}: can't be written ({error.strerror})") from error


def _check(path: Path, *, overwrite: bool, source: Path | None) -> None:
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise EditorError(f"{path}: is the recording itself, which is never replaced; choose another output")
    if path.is_dir():
        raise EditorError(f"{path}: is a folder, not a file")
    if path.exists() and not path.is_file():
        raise EditorError(f"{path}: is no regular file, and is not replaced")
    if path.exists() and not overwrite:
        raise EditorError(f"{path}: exists already; --overwrite replaces it")
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    try:  # asking for permission is not enough: some file systems take no files from anybody
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise EditorError(f"{path}: can't be written ({nearest} is not a folder you can write to)") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
