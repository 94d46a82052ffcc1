"""The store: Tracks kept on disk, so that a recording is analysed once.

An entry is one file: a SHA-256 of the rest, then an npz (never a pickle) of the Track's arrays and of a JSON header
with everything else. Fields are found by their types, so a new field of the Track needs no word here. The name of an
entry tells its recording and settings; the version stands inside, so an analysis by another version is replaced.

Entries appear by renaming and are only ever replaced by such as are equal: several processes need no lock. At worst
two of them analyse the same recording at the same time.
"""

import hashlib
import io
import json
import os
import time
import types
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from rl_editor.analysis.track import Track
from rl_editor.atomic import replacing
from rl_editor.audio.source import Source
from rl_editor.errors import EditorError, TrackError

ANALYSIS_VERSION = 3
"""Raise it with every change by which any value of any recording's Track comes out differently.

Fields that are added, removed or of another type are noticed without."""

_SUFFIX = ".track"
_DIGEST_BYTES = 32
_ABANDONED_S = 3600.0  # a write takes milliseconds: who left this behind was killed
_HEADER = "header"

_Arrays = dict[str, NDArray[Any]]
_Json = Any


@dataclass(frozen=True)
class Key:
    """What decides how a Track comes out."""

    source: Source
    """The recording; its `file` plays no part, a loaded Track gets it."""
    settings: str = ""
    """What else the analysis depends on, such as `stems=demucs`; empty for the defaults."""


class Store:
    """A folder of Tracks; any number of processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: Key) -> Path:
        """The file of an entry, there or not."""
        settings = hashlib.sha256(key.settings.encode()).hexdigest()[:16]
        return self.folder / f"{key.source.content_hash}-{settings}{_SUFFIX}"

    def load(self, key: Key) -> Track | None:
        """The Track of a recording, its source that of the key; None if it is absent, damaged or of another version."""
        try:
            entry = self.path(key).read_bytes()
        except OSError:
            return None
        body = memoryview(entry)[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != entry[:_DIGEST_BYTES]:
            return None
        with np.load(io.BytesIO(body), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays[_HEADER].tobytes())
        if header["identity"] != _identity(key):
            return None
        try:
            return replace(_unpacked(Track, header["track"], arrays), source=key.source)
        except TrackError:  # rules for Tracks have become stricter
            return None

    def save(self, key: Key, track: Track) -> None:
        """Keep a Track, whole or not at all; the name of its file is not kept.

        Raises:
            EditorError: the folder can't be written.
        """
        arrays: _Arrays = {}
        nameless = replace(track, source=replace(track.source, file=""))
        header = {"identity": _identity(key), "track": _packed(nameless, "track", arrays)}
        arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        body = io.BytesIO()
        np.savez(body, **arrays)  # type: ignore[arg-type]  # its stub mixes the arrays with its options
        path = self.path(key)
        with replacing(path, overwrite=True) as temporary:
            try:
                with temporary.open("wb") as file:
                    file.write(hashlib.sha256(body.getbuffer()).digest())
                    file.write(body.getbuffer())
            except OSError as error:
                raise EditorError(f"{path}: can't be written ({error.strerror})") from error
        self._remove_abandoned()

    def _remove_abandoned(self) -> None:
        """Delete what killed processes left half-written."""
        for temporary in self.folder.glob(f".*{_SUFFIX}"):
            try:
                if time.time() - temporary.stat().st_mtime > _ABANDONED_S:
                    temporary.unlink()
            except OSError:  # renamed or deleted by another process meanwhile
                continue


def named_folder() -> Path | None:
    """The folder that RL_EDITOR_STORE names; None where it is not set."""
    named = os.environ.get("RL_EDITOR_STORE")
    return Path(named) if named else None


def default_folder() -> Path:
    """Where the store is unless a user says otherwise: in the platform's cache folder of this user."""
    return user_cache_path("rl-editor") / "analysis"


def _identity(key: Key) -> dict[str, str | int]:
    """What an entry must agree in to be this key's, as the header holds it."""
    return {
        "content_hash": key.source.content_hash,
        "settings": key.settings,
        "analysis_version": ANALYSIS_VERSION,
        "fields": _structure(Track),
    }


def _structure(hint: Any) -> str:
    """A type with all its fields, written out."""
    hint = _without_none(hint)
    if _is_record(hint):
        inner = (f"{name}: {_structure(of)}" for name, of in get_type_hints(hint).items())
        return f"{hint.__name__}({', '.join(inner)})"
    if get_origin(hint) is tuple:
        return f"tuple[{', '.join(map(_structure, get_args(hint)))}]"
    return repr(hint)


def _packed(value: Any, name: str, arrays: _Arrays) -> _Json:
    """A value as JSON, in which arrays are names of `arrays`; those are added."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{name}: arrays of objects can't be kept")
        arrays[name] = value
        return name
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value):
        return {at.name: _packed(getattr(value, at.name), f"{name}.{at.name}", arrays) for at in fields(value)}
    if isinstance(value, tuple):
        return [_packed(item, f"{name}.{k}", arrays) for k, item in enumerate(value)]
    return value


def _unpacked(hint: Any, value: _Json, arrays: _Arrays) -> Any:
    """The value of this type that `_packed` made JSON of."""
    hint = _without_none(hint)
    if value is None:
        return None
    if _is_record(hint):
        of = get_type_hints(hint)
        named = value if isinstance(value, dict) else dict(zip(of, value, strict=True))
        return hint(**{name: _unpacked(of[name], item, arrays) for name, item in named.items()})
    if get_origin(hint) is tuple:
        each = get_args(hint)
        each = each[:1] * len(value) if each[-1] is Ellipsis else each
        return tuple(_unpacked(of, item, arrays) for of, item in zip(each, value, strict=True))
    if get_origin(hint) is np.ndarray:
        return arrays[value]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value


def _is_record(hint: Any) -> bool:
    """Whether a type is a dataclass or a NamedTuple."""
    return is_dataclass(hint) or (isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"))


def _without_none(hint: Any) -> Any:
    """X of `X | None`; any other type itself."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    (other,) = (of for of in get_args(hint) if of is not types.NoneType)
    return other
