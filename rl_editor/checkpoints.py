"""Checkpoints for use: weights as safetensors with a card beside them; and where shipped files are.

A checkpoint is NAME.safetensors with NAME.md, its card. Matrices are kept as float16; vectors, which are few and hold
what must be exact (statistics of a normaliser, scales, counts), as float32 or as the integers they are. One metadata
entry holds the format's version, the task, the config the network is built from and the SHA-256 of all this with the
weights, so that a file can tell what it is and whether it is whole.

Shipped recipes (`configs`) and checkpoints (`models`) stand beside the package in a checkout, an editable install
included; in a built wheel they stand inside it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rl_editor.atomic import check_writable, replacing, write_text
from rl_editor.checkpoint_card import Card
from rl_editor.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"

_PACKAGE = Path(__file__).resolve().parent
_VERSION = 1
# safetensors writes several metadata entries in an order that changes from run to run, so there is only one
_ENTRY = "rl_editor"
_PICKLES = (b"PK\x03\x04", b"\x80")
# every run folder holds this, also one that has no checkpoint for use yet
_RUN_FILE = "config.yaml"
_HALF_PRECISION = 2.0**-11


class Header(NamedTuple):
    """What a checkpoint says of itself before its weights are read."""

    task: str
    config: dict[str, Any]
    content_hash: str


class Loaded(NamedTuple):
    """A checkpoint that was read."""

    tensors: "dict[str, Tensor]"
    """Weights by name, float32; integers as they are."""
    config: dict[str, Any]
    """What the network is built from."""
    task: str
    content_hash: str


def save(
    path: Path, tensors: "Mapping[str, Tensor]", *, config: Mapping[str, Any], card: Card, overwrite: bool = False
) -> str:
    """Write a checkpoint and its card, each whole or not at all; the same content gives the same bytes.

    Args:
        path: the checkpoint, NAME.safetensors; its card becomes NAME.md.
        tensors: weights by name, on any device.
        config: what the network is built from, in what JSON can hold.
        card: what is known of it.
        overwrite: replace both files; a card that was finished by hand is lost.
    Returns:
        SHA-256 of the content, in hex.
    Raises:
        CheckpointError: the suffix is another, a weight is not a number, or the config does not fit JSON.
        EditorError: a file is there already, or can't be written.
    """
    from safetensors.torch import save as to_bytes

    if path.suffix != SUFFIX:
        raise CheckpointError(f"{path}: a checkpoint is called NAME{SUFFIX}")
    for file in (path, card_path(path)):
        check_writable(file, overwrite=overwrite)
    kept = {name: _compact(name, tensor) for name, tensor in tensors.items()}
    plain = json.loads(_json(config))  # as it will be read: keys become text, tuples lists
    content_hash = _content_hash(kept, card.task, plain)
    entry = {"version": _VERSION, "task": card.task, "config": plain, "sha256": content_hash}
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(to_bytes(kept, {_ENTRY: _json(entry)}))
    n_weights = sum(tensor.numel() for tensor in kept.values())
    page = card.markdown(path.stem, content_hash=content_hash, n_weights=n_weights)
    write_text(card_path(path), page, overwrite=overwrite)
    return content_hash


def load(path: Path, task: str | None = None) -> Loaded:
    """Read a checkpoint and see that it is whole.

    Args:
        path: the file.
        task: what it must do; None takes any.
    Raises:
        CheckpointError: it is missing, damaged, of another kind, version or task.
    """
    from safetensors import safe_open

    header = read_header(path)
    if task is not None and header.task != task:
        raise CheckpointError(f"{path}: weights of task {header.task}; {task} is needed here")
    with _reading(path), safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        whole = _content_hash(tensors, header.task, header.config) == header.content_hash
    if not whole:
        raise CheckpointError(f"{path}: damaged; its content is not what was saved")
    loaded = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    return Loaded(loaded, header.config, header.task, header.content_hash)


def read_header(path: Path) -> Header:
    """What a checkpoint says of itself; its weights are not read, and torch is not needed.

    Raises:
        CheckpointError: it is missing, damaged, of another kind or version.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    with _reading(path):
        _refuse_pickle(path)
        with safe_open(path, framework="np") as file:
            entry = json.loads((file.metadata() or {}).get(_ENTRY, "null"))
    if not isinstance(entry, dict) or "version" not in entry:
        raise CheckpointError(f"{path}: safetensors, but not a checkpoint of rl-editor")
    if entry["version"] != _VERSION:
        raise CheckpointError(f"{path}: format {entry['version']}; this rl-editor reads format {_VERSION}")
    task, config, content_hash = (entry.get(key) for key in ("task", "config", "sha256"))
    if not (isinstance(task, str) and isinstance(config, dict) and isinstance(content_hash, str)):
        raise CheckpointError(f"{path}: damaged; it does not tell its task, config and hash")
    return Header(task, config, content_hash)


def find(name: str | Path, task: str | None = None, *, runs: Path = Path("runs")) -> Path:
    """The checkpoint somebody means: a file, a run folder or the name of one, or a shipped checkpoint; own ones first.

    Args:
        name: a path, the name of a run, RUN/TASK, or the name of a shipped checkpoint.
        task: which of a run's checkpoints, RUN/TASK.safetensors; None: the only one.
        runs: where runs are looked for by name.
    Raises:
        CheckpointError: there is none.
    """
    for place in (Path(name), runs / name, shipped_folder("models") / name):
        for file in (place, place.with_name(place.name + SUFFIX) if place.name else place):
            if file.is_file():
                return file
        held = _held(place)
        if held or (place / _RUN_FILE).is_file():
            return _chosen(place, held, task)
    names = ", ".join(file.stem for file in shipped_checkpoints()) or "none"
    raise CheckpointError(f"{name}: no checkpoint file, no run in {runs}, and not a shipped one (those are: {names})")


def own_checkpoints(runs: Path) -> list[Path]:
    """All checkpoints for use in run folders, RUN/TASK.safetensors, sorted."""
    folders = sorted(folder for folder in runs.glob("*") if folder.is_dir())
    return [file for folder in folders for file in _held(folder)]


def shipped_checkpoints() -> list[Path]:
    """All shipped checkpoints, `*.safetensors`, sorted by name."""
    return _held(shipped_folder("models"))


def shipped_folder(kind: str) -> Path:
    """The folder of shipped `configs` or `models`.

    Args:
        kind: `configs` or `models`.
    """
    inside_wheel = _PACKAGE / f"_{kind}"
    return inside_wheel if inside_wheel.is_dir() else _PACKAGE.parent / kind


def card_path(checkpoint: Path) -> Path:
    """Where a checkpoint's card is: NAME.md beside it."""
    return checkpoint.with_suffix(".md")


def read_card(checkpoint: Path) -> str:
    """The card beside a checkpoint.

    Raises:
        CheckpointError: there is none, or it can't be read.
    """
    path = card_path(checkpoint)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CheckpointError(f"{checkpoint}: has no card ({path.name}) beside it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: can't be read as a card") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever reading a file that is not safetensors may raise into one line."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: damaged, or not safetensors ({reason})") from error


def _refuse_pickle(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(9)
    # safetensors begin with the length of a JSON object, which may look like a pickle, and then that object
    if start.startswith(_PICKLES) and start[8:] != b"{":
        raise CheckpointError(f"{path}: a pickle, as a run's own checkpoints are; weights for use are {SUFFIX[1:]}")


def _held(folder: Path) -> list[Path]:
    """Checkpoints of a folder; one that is being written has a name with a dot in front."""
    return sorted(file for file in folder.glob(f"*{SUFFIX}") if file.is_file() and not file.name.startswith("."))


def _chosen(folder: Path, held: Sequence[Path], task: str | None) -> Path:
    fitting = [file for file in held if task is None or file.stem == task]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(file.name for file in held) or "none yet"
    wanted = f"{task}{SUFFIX}" if task else "one checkpoint, which then needs no task,"
    raise CheckpointError(f"{folder}: should hold {wanted}; holds {names}")


def _compact(name: str, tensor: "Tensor") -> "Tensor":
    """The tensor on the CPU as it is kept, in memory of its own."""
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    exact = tensor.float().clone().contiguous()
    if exact.isnan().any():
        raise CheckpointError(f"{name}: holds values that are no numbers; such weights are of no use")
    if exact.squeeze().ndim < 2 or not exact.numel():
        return exact
    half = exact.half()
    # what is too large or too small for float16 would lose more than its rounding
    fits = (half.float() - exact).abs().max() <= _HALF_PRECISION * exact.abs().max()
    return half if fits else exact


def _content_hash(tensors: "Mapping[str, Tensor]", task: str, config: Mapping[str, Any]) -> str:
    """SHA-256 over version, task, config, and each tensor's name, type, shape and bytes."""
    whole = hashlib.sha256(_json([_VERSION, task, config]).encode())
    for name in sorted(tensors):
        values = tensors[name].numpy()
        whole.update(_json([name, str(values.dtype), list(values.shape)]).encode())
        whole.update(values.tobytes())
    return whole.hexdigest()


def _json(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the config of a checkpoint must be what JSON can hold ({error})") from error
