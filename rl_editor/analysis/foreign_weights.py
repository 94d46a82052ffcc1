"""Weights that others publish: fetched where a user asks for them, kept for the next time, opened with care.

They lie in the folder where torch keeps what it downloads (`TORCH_HOME` moves it), under the names their own programs
give them there.
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rl_editor.atomic import replacing
from rl_editor.errors import CheckpointError
from rl_editor.progress import Report

_BLOCK = 1 << 20
_TIMEOUT_S = 20.0


def kept_weights(name: str) -> Path:
    """Where weights of this file name are kept, there or not."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / name


def download(url: str, path: Path, *, what: str, report: Report) -> None:
    """Fetch a file, whole or not at all.

    Args:
        url: where it is published.
        path: where it goes; its folder is made.
        what: whose weights these are, for messages and the report.
        report: told of the share that has come.
    Raises:
        CheckpointError: it can't be had.
        EditorError: `path` can't be written.
    """
    with replacing(path, overwrite=True) as temporary, temporary.open("wb") as file:
        for block in _blocks(url, what, report):
            file.write(block)


@contextmanager
def opening(weights: Path, *, what: str, kinds: str) -> Iterator[None]:
    """Turn whatever reading a file of weights may raise into one line.

    Args:
        weights: the file that is read inside the block.
        what: whose weights it should hold.
        kinds: suffixes they come with.
    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds more than weights.
    """
    if not weights.is_file():
        raise CheckpointError(f"{weights}: no such file; {what} needs its weights ({kinds})")
    try:
        yield
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{weights}: holds more than weights, or is damaged; it was not opened") from error
    # whatever a damaged or foreign file makes of the libraries that read it
    except (OSError, RuntimeError, TypeError, ValueError, KeyError, AttributeError, EOFError) as error:
        raise CheckpointError(f"{weights}: not weights of {what} ({_reason(error)})") from error


def _blocks(url: str, what: str, report: Report) -> Iterator[bytes]:
    """The file piece by piece."""
    stage = f"fetching {what}"
    report(stage, 0.0)
    come = 0
    try:
        # some servers turn the library's own name away
        with urlopen(Request(url, headers={"User-Agent": "rl-editor"}), timeout=_TIMEOUT_S) as response:
            size = int(response.headers.get("Content-Length", 0))
            while block := response.read(_BLOCK):
                come += len(block)
                report(stage, come / size if size else 0.0)
                yield block
    except HTTPError as error:
        error.close()  # it is the server's answer, too
        raise _unobtainable(what, url, error.reason) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _unobtainable(what, url, _reason(error)) from error
    if come < size:
        raise _unobtainable(what, url, f"it broke off after {come} of {size} bytes")
    report(stage, 1.0)


def _unobtainable(what: str, url: str, reason: str) -> CheckpointError:
    lack = f"{what}: its weights are not here and can't be fetched from {url} ({reason})"
    return CheckpointError(f"{lack}; a file that holds them can be named instead")


def _reason(error: BaseException) -> str:
    """What went wrong, in a few words of one line."""
    cause = error.reason if isinstance(error, URLError) else error
    text = (isinstance(cause, OSError) and cause.strerror) or str(cause) or type(cause).__name__
    return text.splitlines()[0]
