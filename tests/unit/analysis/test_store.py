"""The store gives back what it was given, or nothing."""

import os
import resource
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from rl_editor.analysis import store as module
from rl_editor.analysis.store import Key, Store, default_folder
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray
from rl_editor.errors import EditorError, TrackError

MakeTrack = Callable[..., Track]


@pytest.fixture
def track(make_track: MakeTrack) -> Track:
    """A track that knows everything."""
    rng = np.random.default_rng(5)
    known = make_track(rng, 20)
    hints = get_type_hints(Track)
    return replace(known, **{name: example(hints[name], rng, known.n_beats) for name in known.missing})


def example(hint: Any, rng: np.random.Generator, n_beats: int) -> Any:
    """Some value of a type, so that fields which are added to Track are tested too."""
    (hint,) = [of for of in get_args(hint) if of is not types.NoneType] if type(None) in get_args(hint) else [hint]
    if get_origin(hint) is np.ndarray:
        return rng.integers(0, 2, n_beats).astype(get_args(get_args(hint)[1])[0])
    if get_origin(hint) is tuple:
        return tuple(example(of, rng, n_beats) for of in get_args(hint) if of is not Ellipsis)
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        return hint(*(example(of, rng, n_beats) for of in get_type_hints(hint).values()))
    if issubclass(hint, Enum):
        return next(iter(hint))
    return {str: "A minor", float: -14.25, int: 3, bool: True}[hint]


def assert_same(a: Any, b: Any, name: str = "track") -> None:
    assert type(a) is type(b), name
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        assert np.array_equal(a, b), name
    elif is_dataclass(a):
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{name}.{field.name}")
    elif isinstance(a, tuple):
        assert len(a) == len(b), name
        for k, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_same(one, other, f"{name}.{k}")
    else:
        assert a == b, name


def test_every_field_comes_back_with_its_type(track: Track, tmp_path: Path) -> None:
    assert not track.missing
    key = Key(track.source)
    Store(tmp_path).save(key, track)
    assert_same(Store(tmp_path).load(key), track)


def test_what_is_not_known_stays_unknown(make_track: MakeTrack, tmp_path: Path) -> None:
    track = make_track(np.random.default_rng(1), 5)
    Store(tmp_path).save(Key(track.source), track)
    loaded = Store(tmp_path).load(Key(track.source))
    assert_same(loaded, track)
    assert loaded is not None
    assert "key" in loaded.missing


class Colour(IntEnum):
    RED = 1


class Pair(NamedTuple):
    name: str
    value: Array | None


@dataclass(frozen=True, eq=False)
class Record:
    """Kinds of values that Tracks may hold one day."""

    pairs: tuple[Pair, ...]
    mixed: tuple[str, int, float]
    colour: Colour
    flag: bool
    mask: BoolArray
    empty: Array
    inner: "Record | None" = None


def test_records_of_records_come_back() -> None:
    def record(inner: Record | None) -> Record:
        pairs = (Pair("a", np.arange(3, dtype=np.float32)), Pair("b", None))
        mask, empty = np.array([True, False]), np.empty((0, 4), dtype=np.float32)
        return Record(pairs, ("é", 2**60, float("inf")), Colour.RED, True, mask, empty, inner)

    value, arrays = record(record(None)), {}
    assert_same(module._unpacked(Record, module._packed(value, "record", arrays), arrays), value)


def test_a_number_of_numpy_comes_back_as_a_number(track: Track, tmp_path: Path) -> None:
    Store(tmp_path).save(Key(track.source), replace(track, loudness_lufs=np.float32(-9.5)))
    loaded = Store(tmp_path).load(Key(track.source))
    assert loaded is not None
    assert type(loaded.loudness_lufs) is float
    assert loaded.loudness_lufs == -9.5


def test_objects_are_refused_and_nothing_is_written(track: Track, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"track\.kick: arrays of objects"):
        Store(tmp_path).save(Key(track.source), replace(track, kick=np.array([None])))
    assert not list(tmp_path.iterdir())


def test_the_file_is_not_part_of_the_recording(track: Track, tmp_path: Path) -> None:
    Store(tmp_path / "a").save(Key(track.source), track)
    elsewhere = replace(track.source, file="elsewhere.wav")
    loaded = Store(tmp_path / "a").load(Key(elsewhere))
    assert loaded is not None
    assert loaded.source.file == "elsewhere.wav"
    Store(tmp_path / "b").save(Key(elsewhere), loaded)
    (one,), (other,) = (list((tmp_path / folder).iterdir()) for folder in "ab")
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


def test_other_sound_and_other_settings_are_other_entries(track: Track, tmp_path: Path) -> None:
    store, key = Store(tmp_path), Key(track.source, "stems=dsp")
    store.save(key, track)
    assert store.load(Key(replace(track.source, content_hash="1" * 64), "stems=dsp")) is None
    assert store.load(Key(track.source)) is None
    store.save(Key(track.source), replace(track, key="B minor"))
    assert {entry.key for entry in (store.load(Key(track.source)), store.load(key)) if entry} == {"A minor", "B minor"}


def test_an_entry_under_the_name_of_another_is_absent(track: Track, tmp_path: Path) -> None:
    store, key = Store(tmp_path), Key(track.source)
    store.save(key, track)
    other = Key(replace(track.source, content_hash="1" * 64))
    store.path(key).rename(store.path(other))
    assert store.load(other) is None


def test_another_version_is_absent_and_replaced(track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, key = Store(tmp_path), Key(track.source)
    store.save(key, track)
    monkeypatch.setattr(module, "ANALYSIS_VERSION", module.ANALYSIS_VERSION + 1)
    assert store.load(key) is None
    store.save(key, track)
    assert store.load(key) is not None
    assert len(list(tmp_path.iterdir())) == 1


def test_other_fields_are_another_version(track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, eq=False)
    class Wider(Track):
        colour: int = 0

    Store(tmp_path).save(Key(track.source), track)
    monkeypatch.setattr(module, "Track", Wider)
    assert Store(tmp_path).load(Key(track.source)) is None


def test_an_entry_that_breaks_the_rules_of_today_is_absent(
    track: Track, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stricter(self: Track) -> None:
        raise TrackError("no")

    Store(tmp_path).save(Key(track.source), track)
    monkeypatch.setattr(Track, "__post_init__", stricter)
    assert Store(tmp_path).load(Key(track.source)) is None


def test_a_damaged_entry_is_absent_and_healed(track: Track, tmp_path: Path) -> None:
    store, key = Store(tmp_path), Key(track.source)
    store.save(key, track)
    whole = store.path(key).read_bytes()
    rng = np.random.default_rng(0)
    cuts = [whole[:n] for n in (0, 1, 31, 32, 33, len(whole) // 2, len(whole) - 1)]
    flips = []
    for at in (0, 31, 32, *rng.integers(0, len(whole), 20)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        flips.append(bytes(damaged))
    for damage in (*cuts, *flips, whole + b"\0", b"\0" * len(whole), b"not an entry"):
        store.path(key).write_bytes(damage)
        assert store.load(key) is None
    store.save(key, track)
    assert store.path(key).read_bytes() == whole


def test_a_folder_that_is_none_holds_nothing_and_takes_nothing(track: Track, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file")
    assert store.load(Key(track.source)) is None
    with pytest.raises(EditorError, match="is not a folder you can write to"):
        store.save(Key(track.source), track)


def test_a_full_disk_is_one_line_and_leaves_the_entry_as_it_was(track: Track, tmp_path: Path) -> None:
    store, key = Store(tmp_path), Key(track.source)
    store.save(key, track)
    whole = store.path(key).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(EditorError, match=r"can't be written \(File too large\)"):
            store.save(key, replace(track, key="B minor"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [whole]


def test_what_killed_processes_left_is_removed_when_it_is_old(track: Track, tmp_path: Path) -> None:
    old, young = tmp_path / ".old.abc.track", tmp_path / ".young.abc.track"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    Store(tmp_path).save(Key(track.source), track)
    assert young.exists()
    assert not old.exists()


def test_who_reads_while_another_writes_sees_a_whole_entry(track: Track, tmp_path: Path) -> None:
    store, key = Store(tmp_path), Key(track.source)
    store.save(key, track)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rl_editor.analysis.store import Key, Store\n"
        "from rl_editor.audio.source import Source\n"
        "store = Store(Path(sys.argv[1]))\n"
        "key = Key(Source('0' * 64, 1000, 2, int(sys.argv[2])))\n"
        "track = store.load(key)\n"
        "for _ in range(100): store.save(key, track)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(track.source.n_samples)])
    reads = 0
    while writer.poll() is None:
        assert store.load(key) is not None
        reads += 1
    assert writer.returncode == 0
    assert reads > 0


def test_the_default_is_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "rl-editor" / "analysis"
