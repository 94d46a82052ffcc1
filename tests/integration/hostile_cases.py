"""Hostile and odd inputs, and what the program must make of each: shared by a test and by a benchmark.

A case fills a folder of its own and runs commands there one after another, each in its own process. `Command.verdict`
is empty where the exit status is the documented one, an error is one line, nothing unexpected lies in the folder
afterwards, and what was made is whole: sound, EDL and picture are read back.
"""

import io
import json
import os
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from rl_editor.edits import edl as edls
from rl_editor.errors import EditorError

RATE = 22050
_TIMEOUT_S = 240
_MUSIC = "jam.wav"  # the well-made recording that cases on outputs, EDLs and beats start from
_NOTE = "rl-editor: note: "
_SPEAKS = re.compile(r"rl-editor: .+")

Sound = NDArray[np.float32]
Make = Callable[[Path, Sound], None]
"""Fills the folder; gets mono music of 8 s at RATE."""


@dataclass(frozen=True)
class Command:
    """One run of the program, and what must come of it."""

    arguments: tuple[str, ...]
    expected: int = 0
    """Exit status."""
    says: str = ""
    """Pattern that stderr must hold."""
    leaves: tuple[str, ...] = ()
    """Files in the folder that must have appeared, and nothing else."""
    shell: str = ""
    """Line of shell before the program starts, such as a limit; or a redirection, which begins with a sign."""

    @property
    def text(self) -> str:
        """The command line as one would type it, long names shortened."""
        shown = " ".join(shlex.quote(re.sub(r"(.{12}).{24,}(.{12})", r"\1...\2", word)) for word in self.arguments)
        return ascii(f"{self.shell}{'; ' if self.shell and self.shell[0] not in '<>' else ' '}{shown}".strip())[1:-1]

    def run(self, folder: Path, store: Path, temporary: Path) -> "Result":
        """Run the program in the folder; what it puts elsewhere goes to `store` and `temporary`."""
        before, temporary_before = _contents(folder), _contents(temporary)
        program = [sys.executable, "-m", "rl_editor", *self.arguments]
        if self.shell:
            redirects = self.shell[0] in "<>"
            first, last = ("", f" {self.shell}") if redirects else (f"{self.shell}; ", "")
            program = ["/bin/sh", "-c", f'{first}exec "$@"{last}', "sh", *program]
        # Without PATH there is no ffmpeg: what can be read is the same on every machine.
        env = {name: value for name, value in os.environ.items() if name != "PATH"}
        env |= {"RL_EDITOR_STORE": str(store), "TMPDIR": str(temporary), "PYTHONUTF8": "1", "COLUMNS": "200"}
        try:
            done = subprocess.run(
                program,
                cwd=folder,
                env=env,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return Result(self, None, f"still running after {_TIMEOUT_S} s")
        errors = done.stderr.decode(errors="backslashreplace")
        faults = list(self._faults(done.returncode, errors))
        faults += _left(before, _contents(folder), self.leaves)
        faults += [f"left {name} in the temporary folder" for name in _contents(temporary).keys() - temporary_before]
        faults += [f"left {path.name} in the store" for path in store.glob(".*")]
        if not faults:
            try:
                faults += _unfit(folder, self)
            except (EditorError, sf.LibsndfileError) as error:
                faults.append(f"can't be read back: {error}")
        return Result(self, done.returncode, "; ".join(faults))

    def _faults(self, status: int, errors: str) -> Iterator[str]:
        lines = errors.splitlines()
        if status != self.expected:
            yield f"status {status}"
        if "Traceback" in errors:
            where = [line.strip() for line in lines if line.startswith("  File ") and "/rl_editor/" in line]
            yield f"traceback: {lines[-1]} ({where[-1] if where else 'outside'})"
        elif self.expected and sum(not line.startswith(_NOTE) for line in lines) != 1:
            yield f"{len(lines)} lines on stderr: {errors!r}"
        elif not all(map(_SPEAKS.fullmatch, lines)):
            yield f"stderr: {errors!r}"
        elif not re.search(self.says, errors):
            yield f"does not say {self.says!r}: {errors!r}"


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    command: Command
    status: int | None
    """None where it did not end."""
    faults: str
    """Empty where all is as it must be."""


@dataclass(frozen=True)
class Case:
    """A hostile input and the commands that meet it, each after the other in one folder."""

    name: str
    make: Make
    commands: tuple[Command, ...]

    def run(self, place: Path, music: Sound) -> list[Result]:
        """Run all commands in a new folder below `place`."""
        folder, store, temporary = (place / name for name in ("work", "store", "temporary"))
        for new in (folder, store, temporary):
            new.mkdir(parents=True)
        self.make(folder, music)
        return [command.run(folder, store, temporary) for command in self.commands]


def made_music(seconds: float = 8.0, rate: int = RATE) -> Sound:
    """Chords, a kick and a snare at 120 bpm, float32 (n,)."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * rate)) / rate
    chord = (t // 2).astype(int) % 4
    hz = np.array([(220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247)])[chord]
    since_beat = t % 0.5
    kick = np.sin(2 * np.pi * 60 * since_beat) * (t % 1.0 < 0.5)
    snare = rng.standard_normal(len(t)) * (t % 1.0 >= 0.5)
    sound = 0.05 * np.sin(2 * np.pi * hz * t[:, None]).sum(axis=1) + 0.4 * np.exp(-since_beat / 0.03) * (
        kick + 0.5 * snare
    )
    return (0.9 * sound / np.abs(sound).max()).astype(np.float32)


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything below a folder: size, time of last change."""
    found = {str(path.relative_to(folder)): path.lstat() for path in folder.rglob("*") if not path.is_dir()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}


def _left(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], expected: tuple[str, ...]
) -> list[str]:
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    wrong = [f"left or changed {name!r}" for name in sorted(changed - set(expected))]
    return wrong + [f"did not write {name!r}" for name in expected if name not in changed]


def _unfit(folder: Path, command: Command) -> Iterator[str]:
    """What is wrong with the files that were written."""
    for name in command.leaves:
        path = folder / name
        if path.suffix == ".json":
            edls.read(path)
        elif path.suffix == ".png":
            if not path.read_bytes().endswith(b"IEND\xae\x42\x60\x82"):
                yield f"{name}: no whole picture"
        elif path.suffix != ".csv":
            is_render = command.arguments[0] == "render"
            edl = edls.read(folder / command.arguments[1] if is_render else path.with_suffix(".json"))
            sound, rate = sf.read(os.fsencode(path), always_2d=True)
            is_source = "--source" in command.arguments
            wanted = (edl.n_samples, sound.shape[1] if is_source else edl.source.channels, edl.source.sample_rate)
            if (*sound.shape, rate) != wanted:
                yield f"{name}: {(*sound.shape, rate)}, the EDL says {wanted}"
            if not np.isfinite(sound).all():
                yield f"{name}: not finite"


# Commands


def _read_well(name: str, suffix: str, options: tuple[str, ...] = ()) -> tuple[Command, ...]:
    """Analyse, edit and render a recording that is fine; `suffix` of what is written."""
    stem = Path(name).stem
    song, edl, plot = (f"{stem}.edit{end}" for end in (suffix, ".json", ".png"))
    return (
        Command(("analyse", "--quiet", f"./{name}")),
        Command(("edit", "--quiet", *options, f"./{name}"), leaves=(song, edl, plot)),
        Command(("render", f"./{edl}", "-o", f"again{suffix}", "--quiet"), leaves=(f"again{suffix}",)),
    )


def _refused(name: str, says: str) -> tuple[Command, ...]:
    """Analyse, edit and render a recording that no command may accept."""
    return tuple(
        Command(arguments, 1, says)
        for arguments in (
            ("analyse", "--quiet", name),
            ("edit", "--quiet", name),
            ("render", "good.json", "--quiet", "--source", name, "-o", "song.wav"),
        )
    )


def _good(name: str, make: Make, file: str = "x.wav", suffix: str = "", options: tuple[str, ...] = ()) -> Case:
    return Case(name, make, _read_well(file, suffix or Path(file).suffix, options))


def _bad(name: str, make: Make, file: str = "x.wav", says: str = "", *, readable: bool = False) -> Case:
    """Every command refuses it; a readable one may still be rendered by an EDL that fits."""

    def with_edl(folder: Path, music: Sound) -> None:
        make(folder, music)
        (folder / "good.json").write_text(json.dumps(_edl_record()), encoding="utf-8")

    commands = _refused(file, says)
    return Case(name, with_edl, commands[:-1] if readable else commands)


def _edl_record(**changes: object) -> dict[str, object]:
    """An EDL of the well-made recording: its second half, then its first."""
    n = 8 * RATE
    source = {"content_hash": "0" * 64, "sample_rate": RATE, "channels": 1, "n_samples": n, "file": _MUSIC}
    segments = [{"start": n // 2, "end": n}, {"start": 1000, "end": n // 2, "fade": 500}]
    return {"version": 1, "source": source, "segments": segments, "maker": {"editor": "hand"}} | changes


# Sounds


def _sound(
    change: Callable[[Sound], NDArray[np.floating]], file: str = "x.wav", rate: int = RATE, subtype: str = ""
) -> Make:
    """The music changed, written by libsndfile; rows are samples."""

    def make(folder: Path, music: Sound) -> None:
        kind = Path(file).suffix[1:].upper() or "WAV"
        sf.write(os.fsencode(folder / file), change(music), rate, subtype or None, format=kind)

    return make


def _as(kind: str, file: str, subtype: str | None = None) -> Make:
    """The music in one format under the name of another."""

    def make(folder: Path, music: Sound) -> None:
        sf.write(os.fsencode(folder / file), music, RATE, subtype, format=kind)

    return make


def _same(music: Sound) -> Sound:
    return music


def _at_rate(rate: int) -> Make:
    def make(folder: Path, music: Sound) -> None:
        t = np.arange(6 * rate) / rate
        sf.write(folder / "x.wav", np.interp(t, np.arange(len(music)) / RATE, music), rate)

    return make


def _noise(n: int, seed: int = 0) -> Sound:
    return np.random.default_rng(seed).uniform(-1, 1, n).astype(np.float32)


def _silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def _with(at: int, value: float) -> Callable[[Sound], Sound]:
    def change(music: Sound) -> Sound:
        music = music.copy()
        music[at] = value
        return music

    return change


def _clicks(*times_s: float) -> Callable[[Sound], Sound]:
    def change(music: Sound) -> Sound:
        sound = np.zeros_like(music)
        for time_s in times_s:
            sound[round(time_s * RATE)] = 0.9
        return sound

    return change


def _channels(n: int) -> Callable[[Sound], Sound]:
    return lambda music: np.stack([np.roll(music, 7 * k) / (1 + k % 4) for k in range(n)], axis=1)


# Bytes


def _encoded(kind: str, music: Sound) -> bytes:
    handle = io.BytesIO()
    sf.write(handle, music, RATE, format=kind)
    return bytes(handle.getvalue())


def _opus(music: Sound) -> bytes:
    handle = io.BytesIO()
    t = np.arange(6 * 24_000) / 24_000
    sf.write(handle, np.interp(t, np.arange(len(music)) / RATE, music), 24_000, "OPUS", format="OGG")
    return bytes(handle.getvalue())


def _cut(kind: str, share: float) -> Make:
    """A file that ends early; a share above 1 is a number of bytes."""

    def make(folder: Path, music: Sound) -> None:
        whole = _encoded(kind, music)
        (folder / f"x.{kind.lower()}").write_bytes(whole[: int(share if share > 1 else share * len(whole))])

    return make


def _holed(kind: str) -> Make:
    """A file with 600 bytes of noise in its middle."""

    def make(folder: Path, music: Sound) -> None:
        whole = bytearray(_encoded(kind, music))
        middle = slice(len(whole) // 2, len(whole) // 2 + 600)
        whole[middle] = np.random.default_rng(0).bytes(600)
        (folder / f"x.{kind.lower()}").write_bytes(whole)

    return make


def _bytes(file: str, content: Callable[[Sound], bytes]) -> Make:
    def make(folder: Path, music: Sound) -> None:
        (folder / file).write_bytes(content(music))

    return make


def _fmt(channels: int = 1, rate: int = RATE, bits: int = 16, tag: int = 1) -> bytes:
    align = channels * bits // 8 % 2**16
    return struct.pack("<HHIIHH", tag, channels, rate, (rate * align) % 2**32, align, bits)


def _chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def _riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def _pcm(music: Sound) -> bytes:
    return (music * 32767).astype("<i2").tobytes()


def _wav(fmt: bytes | None = None, size: int | None = None, riff: int | None = None, front: bytes = b"") -> Make:
    """A WAV written by hand, its parts as they should not be."""
    return _bytes(
        "x.wav",
        lambda music: _riff(front, _chunk(b"fmt ", fmt or _fmt()), _chunk(b"data", _pcm(music), size), size=riff),
    )


def _cue_marks(points: int, claimed: int) -> bytes:
    rows = b"".join(struct.pack("<II4sIII", k, k, b"data", 0, 0, 997 * k * k % 2**32) for k in range(points))
    labels = b"".join(_chunk(b"labl", struct.pack("<I", k) + b"\xff\xfe$x^$ \n" * 9) for k in range(points))
    return _chunk(b"cue ", struct.pack("<I", claimed) + rows) + _chunk(b"LIST", b"adtl" + labels)


_ID3 = b"ID3\x04\x00\x00\x00\x00\x02\x00" + b"\0" * 256


# Names and places


def _named(file: str) -> Make:
    return _sound(_same, file=file)


def _link(target: str, file: str = "x.wav") -> Make:
    return lambda folder, music: (folder / file).symlink_to(target)


def _folder(*songs: str) -> Make:
    def make(folder: Path, music: Sound) -> None:
        (folder / "x.wav").mkdir()
        for song in songs:
            (folder / "x.wav" / song).parent.mkdir(parents=True, exist_ok=True)
            sf.write(folder / "x.wav" / song, music, RATE)

    return make


def _nothing(folder: Path, music: Sound) -> None:
    """The folder stays empty."""


def _fifo(folder: Path, music: Sound) -> None:
    os.mkfifo(folder / "x.wav")


def _jam(*more: Make) -> Make:
    """The well-made recording, 16 bit, and more beside it."""

    def make(folder: Path, music: Sound) -> None:
        sf.write(folder / _MUSIC, music, RATE)
        for also in more:
            also(folder, music)

    return make


def _text(file: str, text: str | bytes) -> Make:
    data = text.encode() if isinstance(text, str) else text
    return _bytes(file, lambda music: data)


def _one(name: str, *arguments: str, expected: int = 1, says: str = "", leaves: tuple[str, ...] = (), shell: str = "",
         make: Make | None = None) -> Case:  # fmt: skip
    return Case(name, make or _jam(), (Command((*arguments, "--quiet"), expected, says, leaves, shell),))


def _known(name: str, *arguments: str, says: str, shell: str) -> Case:
    """An edit that fails, of a recording whose analysis is in the store already."""
    edit = Command(("edit", _MUSIC, *arguments, "--quiet"), 1, says, (), shell)
    return Case(name, _jam(), (Command(("analyse", _MUSIC, "--quiet")), edit))


def _edl(name: str, content: object, *, expected: int = 1, says: str = "", shell: str = "") -> Case:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return _one(
        f"EDL: {name}", "render", "x.json", "-o", "song.wav", expected=expected, says=says, shell=shell,
        leaves=() if expected else ("song.wav",), make=_jam(_text("x.json", text)),
    )  # fmt: skip


def _beats(name: str, text: str | bytes, *, expected: int = 1, says: str = "") -> Case:
    return _one(
        f"beats: {name}", "edit", _MUSIC, "--beats", "beats.csv", expected=expected, says=says,
        leaves=() if expected else _EDITED, make=_jam(_text("beats.csv", text)),
    )  # fmt: skip


def _copy_below(folder: Path, music: Sound) -> None:
    (folder / "a").mkdir()
    sf.write(folder / "a" / _MUSIC, music, RATE)


_EDITED = ("jam.edit.wav", "jam.edit.json", "jam.edit.png")
_GRID = "".join(f"{0.5 * k}\n" for k in range(16))

SOUNDS = [
    _good("8 kHz mono", _at_rate(8000)),
    _good("192 kHz", _at_rate(192_000)),
    _good("11,025 Hz", _at_rate(11_025)),
    _good("32 kHz", _at_rate(32_000)),
    _good("96 kHz", _at_rate(96_000)),
    _good("7,919 Hz, a prime", _at_rate(7919)),
    _good("4 kHz", _at_rate(4000)),
    _bad("100 Hz", _at_rate(100), says="x.wav.* 100 Hz"),
    _bad(
        "1 Hz, an hour by its header",
        _bytes("x.wav", lambda music: _riff(_chunk(b"fmt ", _fmt(rate=1)), _chunk(b"data", _pcm(music[:3600])))),
        says="x.wav.* 1 Hz",
    ),
    _bad("4 GHz", _wav(_fmt(rate=2**32 - 1))),
    _good("6 channels, wav", _sound(_channels(6))),
    _good("6 channels, flac", _sound(_channels(6), "x.flac"), "x.flac"),
    _good("24 channels", _sound(_channels(24))),
    _good("a silent channel beside music", _sound(lambda music: np.stack([0 * music, music], axis=1))),
    _good("right is left upside down", _sound(lambda music: np.stack([music, -music], axis=1))),
    _good("DC offset", _sound(lambda music: 0.3 * music + 0.6)),
    _good("nothing but DC", _sound(lambda music: 0 * music + 0.5)),
    _good("clipped square wave", _sound(lambda music: np.sign(np.sin(np.arange(len(music)) / 20)))),
    _good("music clipped hard", _sound(lambda music: np.clip(40 * music, -1, 1))),
    _good("full-scale noise", _sound(lambda music: _noise(len(music)))),
    _good("music at -70 dBFS, 24 bit", _sound(lambda music: 10**-3.5 * music, subtype="PCM_24")),
    _good("music at -70 dBFS, 16 bit", _sound(lambda music: 10**-3.5 * music)),
    _good("2.0 s exactly", _sound(lambda music: music[: 2 * RATE])),
    _bad("1.99 s", _sound(lambda music: music[: round(1.99 * RATE)]), says="needs at least 2 s", readable=True),
    _bad("one sample", _sound(lambda music: music[:1]), says="needs at least 2 s", readable=True),
    _bad("silence", _sound(lambda music: 0 * music), says="silent", readable=True),
    _good("one click", _sound(_clicks(3.0))),
    _good("one click at the first sample", _sound(_clicks(0.0))),
    _good("one beat: two clicks", _sound(_clicks(3.0, 3.5))),
    _good("3 s of sine", _sound(lambda music: np.sin(np.arange(3 * RATE) / 8))),
    _good("long silence, then music", _sound(lambda music: np.append(_silence(30), music))),
    _good("music, then long silence", _sound(lambda music: np.append(music, _silence(30)))),
    _good("float64", _sound(_same, subtype="DOUBLE")),
    _good("8 bit", _sound(_same, subtype="PCM_U8")),
    _good("24 bit", _sound(_same, subtype="PCM_24")),
    _good("32 bit integers", _sound(_same, subtype="PCM_32")),
    _good("mu-law", _sound(_same, subtype="ULAW")),
    _good("IMA ADPCM", _sound(_same, subtype="IMA_ADPCM")),
    _good("float, peaks at +12 dB", _sound(lambda music: 4 * music / np.abs(music).max(), subtype="FLOAT")),
    _bad(
        "float, peaks at +200 dB", _sound(lambda music: 1e10 * music, subtype="FLOAT"), says="no sound", readable=True
    ),
    _bad("float, peaks at 1e30", _sound(lambda music: 1e30 * music, subtype="FLOAT"), says="no sound", readable=True),
    _good("denormal floats", _sound(lambda music: np.append(music, np.float32(1e-41) * music), subtype="FLOAT")),
    _bad("a NaN", _sound(_with(70_000, np.nan), subtype="FLOAT"), says="NaN"),
    _bad("an infinite sample", _sound(_with(70_000, -np.inf), subtype="FLOAT"), says="infinite"),
    _bad(
        "float64 beyond float32", _sound(lambda music: 1e300 * music.astype(float), subtype="DOUBLE"), says="infinite"
    ),
]

BYTES = [
    _bad("wav cut in its header", _cut("WAV", 20)),
    _bad("wav cut behind its header", _cut("WAV", 44), says="no samples|not a sound|0.0 s"),
    _good("wav cut in the middle", _cut("WAV", 0.5)),
    _good("wav cut in a sample", _cut("WAV", 200_001)),
    _bad("flac cut in its header", _cut("FLAC", 30), "x.flac"),
    _bad("flac cut in the middle", _cut("FLAC", 0.5), "x.flac", "damaged"),
    _bad("flac cut near its end", _cut("FLAC", 0.98), "x.flac", "damaged"),
    _bad("ogg cut in its header", _cut("OGG", 60), "x.ogg"),
    _good("ogg cut in the middle", _cut("OGG", 0.5), "x.ogg"),
    _good("ogg cut near its end", _cut("OGG", 0.9), "x.ogg"),
    _bad("mp3 cut in its first frame", _cut("MP3", 100), "x.mp3"),
    _bad("mp3 cut in the middle", _cut("MP3", 0.5), "x.mp3", "damaged"),
    _bad("mp3 cut near its end", _cut("MP3", 0.9), "x.mp3", "damaged"),
    _bad("flac with a hole", _holed("FLAC"), "x.flac", "damaged"),
    _bad("ogg with a hole", _holed("OGG"), "x.ogg", "damaged"),
    _bad("mp3 with a hole", _holed("MP3"), "x.mp3", "damaged"),
    _good("wav, data length too large", _wav(size=2**31)),
    _good("wav, data length of a stream", _wav(size=2**32 - 1, riff=2**32 - 1)),
    _good("wav, RIFF length 0", _wav(riff=0)),
    _bad("wav, data length 0", _wav(size=0), says="no samples"),
    _bad("wav, zero channels", _wav(_fmt(channels=0))),
    _bad("wav, 65,535 channels", _wav(_fmt(channels=65_535))),
    _bad("wav, rate 0", _wav(_fmt(rate=0))),
    _bad("wav, 0 bits", _wav(_fmt(bits=0))),
    _bad("wav, unknown codec", _wav(_fmt(tag=0x1234))),
    _bad("wav without fmt", _bytes("x.wav", lambda music: _riff(_chunk(b"data", _pcm(music))))),
    _bad("wav without data", _bytes("x.wav", lambda music: _riff(_chunk(b"fmt ", _fmt())))),
    _good("wav, odd chunks in front", _wav(front=_chunk(b"junk", b"\7" * 3_000_001) + _chunk(b"bext", b"x" * 603))),
    _good("wav, 500 cue marks with odd labels", _wav(front=_cue_marks(500, 500))),
    _good("wav, cue chunk that claims 4e9 marks", _wav(front=_cue_marks(3, 2**32 - 1))),
    _good("wav, ID3 in front", _bytes("x.wav", lambda music: _ID3 + _encoded("WAV", music))),
    _good("wav, ID3 behind", _bytes("x.wav", lambda music: _encoded("WAV", music) + _ID3)),
    _good("two flacs in one file", _bytes("x.flac", lambda music: 2 * _encoded("FLAC", music)), "x.flac"),
    _good("flac, tag behind", _bytes("x.flac", lambda music: _encoded("FLAC", music) + b"TAG" + bytes(125)), "x.flac"),
    _good("two oggs in one file", _bytes("x.ogg", lambda music: 2 * _encoded("OGG", music)), "x.ogg"),
    _good("two mp3s in one file", _bytes("x.mp3", lambda music: 2 * _encoded("MP3", music)), "x.mp3"),
    _good("mp3, ID3 in front", _bytes("x.mp3", lambda music: _ID3 + _encoded("MP3", music)), "x.mp3"),
    _good("mp3, text in front", _bytes("x.mp3", lambda music: 60 * b"garbage " + _encoded("MP3", music)), "x.mp3"),
    _good("mp3, zeros behind", _bytes("x.mp3", lambda music: _encoded("MP3", music) + bytes(9999)), "x.mp3"),
    *(_bad(f"text as {end}", _text(f"x.{end}", "This is no music.\n" * 500), f"x.{end}", "not a sound|damaged")
      for end in ("wav", "flac", "ogg", "mp3", "aiff", "opus")),
    *(_bad(f"noise as {end}", _text(f"x.{end}", np.random.default_rng(1).bytes(50_000)), f"x.{end}")
      for end in ("wav", "flac", "ogg", "mp3")),
    _bad("zeros as mp3", _text("x.mp3", bytes(50_000)), "x.mp3"),
    _bad("empty file", _text("x.wav", ""), says="is empty"),
    _bad("a .raw file", _text("x.raw", bytes(50_000)), "x.raw", "does not say its rate"),
    _bad("a .m4a file without ffmpeg", _text("x.m4a", b"\0\0\0\x20ftypM4A " + bytes(999)), "x.m4a", "needs ffmpeg"),
    _good("wav as .mp3", _as("WAV", "x.mp3"), "x.mp3"),
    _good("ogg as .wav", _as("OGG", "x.wav")),
    _good("mp3 as .wav", _as("MP3", "x.wav")),
    _good("mp3 as .flac", _as("MP3", "x.flac"), "x.flac"),
    _good("opus as .ogg", _bytes("x.ogg", _opus), "x.ogg"),
    _good("flac without suffix", _as("FLAC", "x"), "x", ".wav"),
    _good("wav as .raw.txt", _as("WAV", "x.raw.txt"), "x.raw.txt", ".wav"),
    _good("RF64", _as("RF64", "x.wav")),
    _good("AIFF as .WAV", _as("AIFF", "x.WAV"), "x.WAV"),
    _good("au", _as("AU", "x.au"), "x.au", ".wav"),
]  # fmt: skip


_LONGEST = 240 * "n" + ".wav"  # with .edit 249 bytes, of 255 that a name may have

NAMES = [
    *(_good(f"name: {what}", _named(file), file)
      for what, file in {
          "spaces": " my  jam .wav",
          "umlauts": "Übung für Jörg ß.wav",
          "decomposed umlauts": "U\u0308bung.wav",
          "Chinese, Arabic, emoji": "音乐 موسيقى 🎸.wav",
          "quotes": "it's \"mine\" `id`.wav",
          "mathematics of TeX": "cash $x^$ \\frac_{ %s {0}.wav",
          "dollars": "5$ and 6$ $\\bad$.wav",
          "markup": "[red]a[link=b].wav",
          "newline": "two\nlines.wav",
          "tab and escape": "a\tb\x1b[31m.wav",
          "bytes that are no UTF-8": "m\udcfcsik.wav",
          "dots": "a..b.c.wav",
          "hidden": ".x.wav",
          "only a suffix": ".wav",
          "star": "*.wav",
          "240 bytes and .wav": _LONGEST,
          "80 characters of 3 bytes": 80 * "音" + ".wav",
      }.items() if file != ".wav"),
    _bad("name: newline, and no sound", _text("two\nlines.wav", "no sound"), "two\nlines.wav", "lines"),
    _bad("name: no UTF-8, and no sound", _text("m\udcfcsik.wav", "no sound"), "m\udcfcsik.wav", "sik"),
    _bad("name: 300 bytes", _nothing, 300 * "n" + ".wav"),
    _bad("name: 5,000 bytes", _nothing, 1000 * "n/no" + ".wav"),
    Case("name: leading dash after --", _named("-x.wav"), (
        Command(("edit", "--quiet", "--", "-x.wav"), leaves=("-x.edit.wav", "-x.edit.json", "-x.edit.png")),)),
    _good("name: leading dash after ./", _named("-x.wav"), "-x.wav"),
    _one("name: leading dash, bare", "edit", "-x.wav", expected=2, make=_named("-x.wav")),
    _one("name: empty", "edit", "", says="no such file|empty"),
    _bad("missing", _nothing, says="no such file"),
    _bad("a file as folder", _jam(), "jam.wav/x.wav"),
    _bad("link to nothing", _link("gone.wav"), says="no such file"),
    _bad("link to itself", _link("x.wav")),
    _bad("link to /dev/zero", _link("/dev/zero"), says="not a regular file"),
    _bad("/dev/null", _nothing, "/dev/null", "not a regular file"),
    _bad("/proc/self/mem", _nothing, "/proc/self/mem"),
    _bad("a pipe", _fifo, says="not a regular file"),
    _good("link to music", _jam(_link("jam.wav"))),
    Case("folder named x.wav", _folder(), (
        Command(("edit", "x.wav", "--quiet"), 1, "no sound files"),
        Command(("analyse", "x.wav", "--quiet"), 1, "no sound files"))),
    Case("folder named x.wav, a song in it", _folder("a/b.wav"), (
        Command(("analyse", "x.wav", "--quiet")),
        Command(("edit", "x.wav", "-o", "out/", "--quiet"),
                leaves=("out/a/b.edit.wav", "out/a/b.edit.json", "out/a/b.edit.png")))),
    Case("a good and a bad recording", _jam(_text("bad.wav", "no sound")), (
        Command(("analyse", "bad.wav", "jam.wav", "--jobs", "1", "--quiet"), 1, r"bad\.wav"),
        Command(("edit", "bad.wav", "jam.wav", "--quiet"), 1, r"bad\.wav", _EDITED))),
]  # fmt: skip

OUTPUTS = [
    _one("out: /proc", "edit", _MUSIC, "-o", "/proc/song.wav", says="can't be written"),
    _one("out: /sys", "edit", _MUSIC, "-o", "/sys/song.wav", says="can't be written"),
    _one("out: below a device", "edit", _MUSIC, "-o", "/dev/null/song.wav", says="can't be written"),
    _one("out: EDL in /proc", "edit", _MUSIC, "--edl", "/proc/song.json", says="can't be written"),
    _one("out: picture in /proc", "edit", _MUSIC, "--plot", "/proc/song.png", says="can't be written"),
    _one("out: preview in /proc", "edit", _MUSIC, "--join-preview", "/proc/song.wav", "--ban", "2-5",
         says="can't be written"),
    _one("out: beats in /proc", "analyse", _MUSIC, "--beats-out", "/proc/x.csv", says="can't be written"),
    _one("out: render to /proc", "render", "x.json", "-o", "/proc/song.wav", says="can't be written",
         make=_jam(_text("x.json", json.dumps(_edl_record())))),
    _one("out: the recording", "edit", _MUSIC, "-o", _MUSIC, "--overwrite", says="recording itself"),
    _one("out: a link to the recording", "edit", _MUSIC, "-o", "l.wav", "--overwrite", says="recording itself",
         make=_jam(_link(_MUSIC, "l.wav"))),
    _one("out: a hard link to the recording", "edit", _MUSIC, "-o", "l.wav", "--overwrite", says="recording itself",
         make=_jam(lambda folder, music: os.link(folder / _MUSIC, folder / "l.wav"))),
    _one("out: EDL onto the recording", "edit", _MUSIC, "--edl", _MUSIC, "--overwrite", says="recording itself"),
    _one("out: picture onto another's place", "edit", _MUSIC, "--plot", "x.png", "--edl", "x.png", says="two results"),
    _one("out: render onto the recording", "render", "x.json", "-o", _MUSIC, "--overwrite", says="recording itself",
         make=_jam(_text("x.json", json.dumps(_edl_record())))),
    _one("out: render onto another source", "render", "x.json", "--source", "a/jam.wav", "jam.wav", "-o", "./",
         "--overwrite", make=_jam(_text("x.json", json.dumps(_edl_record())), _copy_below)),
    _one("out: exists", "edit", _MUSIC, "-o", "song.wav", says="--overwrite", make=_jam(_text("song.wav", "mine"))),
    _one("out: a folder in the EDL's place", "edit", _MUSIC, says="is a folder",
         make=_jam(lambda folder, music: (folder / "jam.edit.json").mkdir())),
    _one("out: a pipe", "edit", _MUSIC, "--edl", "p.json", "--overwrite", says="p.json",
         make=_jam(lambda folder, music: os.mkfifo(folder / "p.json"))),
    _one("out: /dev/full as song", "edit", _MUSIC, "-o", "/dev/full"),
    _one("out: stdout is full, edit", "edit", _MUSIC, "--dry-run", shell=">/dev/full"),
    _one("out: stdout is full, analyse", "analyse", _MUSIC, shell=">/dev/full"),
    _one("out: stdout is full, render", "render", "x.json", "-o", "song.wav", shell=">/dev/full", leaves=("song.wav",),
         make=_jam(_text("x.json", json.dumps(_edl_record())))),
    _known("out: no room for the song", "--keep", ".9", says=r"edit\.wav: can't be written", shell="ulimit -f 300"),
    _known("out: no room for the song as flac", "--keep", ".9", "-o", "s.flac", says=r"s\.flac: can't be written",
           shell="ulimit -f 100"),
    _known("out: no room for the picture", "--keep", ".1", "-o", "s.ogg", says="can't be written",
           shell="ulimit -f 95"),
    _one("out: no room for anything, render", "render", "x.json", "-o", "s.wav", says="can't be written",
         shell="ulimit -f 0", make=_jam(_text("x.json", json.dumps(_edl_record())))),
    _one("out: unknown suffix", "edit", _MUSIC, "-o", "song.xyz", says="xyz"),
    _one("out: no suffix", "edit", _MUSIC, "-o", "song", says="suffix"),
    _one("out: m4a", "edit", _MUSIC, "-o", "song.m4a", says="can't be written"),
    _one("out: picture as gif", "edit", _MUSIC, "--plot", "x.gif", says="picture"),
    _one("out: 6 channels as mp3", "edit", "x.wav", "-o", "s.mp3", says="channels", make=_sound(_channels(6))),
    _one("out: 96 kHz as mp3", "edit", "x.wav", "-o", "s.mp3", says="96 kHz", make=_at_rate(96_000)),
    _one("out: 22 kHz as opus", "edit", _MUSIC, "-o", "s.opus", says="kHz"),
    _one("out: two songs into one file", "edit", _MUSIC, "x.wav", "-o", "s.wav", expected=2,
         make=_jam(_named("x.wav"))),
    _one("out: two sources into one file", "render", "x.json", "--source", "a.wav", "b.wav", "-o", "s.wav", expected=2,
         make=_jam(_text("x.json", json.dumps(_edl_record())))),
    _one("out: the same song twice", "edit", _MUSIC, "./jam.wav", says="two results"),
    _one("store is a file", "edit", _MUSIC, "--store", "s", says="s", make=_jam(_text("s", "mine"))),
    _one("store below a file, analyse", "analyse", _MUSIC, "--store", "s/t", make=_jam(_text("s", "mine"))),
    _one("store is full", "analyse", _MUSIC, expected=0, says="not kept", shell="ulimit -f 1"),
    _one("no time", "edit", _MUSIC, "--duration", "four", expected=2),
    _one("length of 5,000 digits", "edit", _MUSIC, "--duration", 5000 * "9", expected=2),
    _one("length of 400 digits", "edit", _MUSIC, "--duration", 400 * "9", expected=2),
    _one("0 s", "edit", _MUSIC, "--duration", "0"),
    _one("keep 1e308", "edit", _MUSIC, "--keep", "1e308", expected=2),
    _one("keep 1e-308", "edit", _MUSIC, "--keep", "1e-308"),
    _one("lock behind the end", "edit", _MUSIC, "--lock", "1:00-2:00"),
    _one("all banned", "edit", _MUSIC, "--ban", "0-8"),
    _one("no edit at all", "edit", _MUSIC, "--top", "0"),
    _one("no process at all", "analyse", _MUSIC, "--jobs", "0", expected=2),
    _one("negative seed", "edit", _MUSIC, "--seed", "-1"),
    _one("unknown option", "edit", _MUSIC, "--faster", expected=2),
]  # fmt: skip

_TEXT = json.dumps(_edl_record())
_HALF = {"start": 0, "end": 4 * RATE}


def _source(**changes: object) -> dict[str, object]:
    source = _edl_record()["source"]
    assert isinstance(source, dict)
    return {**source, **changes}


def _segments(**changes: object) -> dict[str, object]:
    return _edl_record(segments=[{**_HALF, **changes}])


EDLS = [
    _edl("whole", _edl_record(), expected=0, says="not the recording"),
    _edl("empty", "", says="not JSON"),
    _edl("cut off", _TEXT[: len(_TEXT) // 2], says="not JSON"),
    _edl("no UTF-8", b"\xff\xfe" + _TEXT.encode("utf-16-le")),
    _edl("byte order mark", b"\xef\xbb\xbf" + _TEXT.encode()),
    _edl("a list", [_TEXT], says="JSON object"),
    _edl("nested 100,000 deep", 100_000 * "[", says="nested"),
    _edl("a number of 5,000 digits", _TEXT.replace("500}", 5000 * "9" + "}")),
    _edl("a fade of 30 digits", _segments(fade=10**30), expected=0, says="not the recording"),
    _edl("an end fade of 30 digits", _edl_record(end_fade=10**30), expected=0, says="not the recording"),
    _edl("version 2", _edl_record(version=2), says="version 2"),
    _edl("no segments", _edl_record(segments=[]), says="at least one segment"),
    _edl("segments are a number", _edl_record(segments=7)),
    _edl("segments are names", _edl_record(segments=["verse"])),
    _edl("null for the source", _edl_record(source=None)),
    _edl("unknown field", _edl_record(colour="red"), says="unknown"),
    _edl("start after end", _segments(start=5 * RATE), says="start < end"),
    _edl("negative start", _segments(start=-1), says="start"),
    _edl("end behind the source", _segments(end=9 * RATE), says="only"),
    _edl("half a sample", _segments(start=0.5), says="whole number"),
    _edl("text for a number", _segments(end="1000"), says="whole number"),
    _edl("true for a number", _segments(start=True), says="whole number"),
    _edl("gain NaN", _segments(gain_db=float("nan")), says="gain"),
    _edl("gain of 400 digits", _segments(gain_db=10**400), says="gain"),
    _edl("gain +60 dB", _segments(gain_db=60), expected=0, says="not the recording"),
    _edl("target of 400 digits", _edl_record(target_s=10**400), expected=0, says="not the recording"),
    _edl("other rate", _edl_record(source=_source(sample_rate=44_100)), says="44100 Hz"),
    _edl("other length", _edl_record(source=_source(n_samples=10 * RATE)), says="samples"),
    _edl("rate of 400 digits", _edl_record(source=_source(sample_rate=10**400))),
    _edl("source is missing", _edl_record(source=_source(file="gone.wav")), says="no such file"),
    _edl("source is not named", _edl_record(source=_source(file="")), says="--source"),
    _edl("NUL in the source's name", _edl_record(source=_source(file="a\0b.wav"))),
    _edl("half a character in the source's name", _edl_record(source=_source(file="a\ud800.wav"))),
    _edl("newline in the source's name", _edl_record(source=_source(file="a\nb.wav")), says="no such file"),
    _edl("newline in a field's name", _segments(**{"a\nb": 1}), says="unknown"),
    _edl("newline in the version", _edl_record(version="1\n2"), says="version"),
    _edl("source is the EDL", _edl_record(source=_source(file="x.json"))),
    _edl("100 hours", _edl_record(segments=200_000 * [_HALF]), says="hours", shell="ulimit -v 12000000"),
    _one("EDL: missing", "render", "x.json", "-o", "song.wav", says="No such file"),
    _one("EDL: a folder", "render", "/", "-o", "song.wav", says="directory"),
    _one("EDL: a recording", "render", _MUSIC, "-o", "song.wav"),
]

BEATS = [
    _beats("whole", _GRID, expected=0),
    _beats("two", "1\n1.5\n", expected=0),
    _beats("one", "1\n", says="at least 2"),
    _beats("empty", "", says="at least 2"),
    _beats("prose", "once upon a time\nthere was\n", says="neither a time"),
    _beats("no UTF-8", b"\xff\xfe1\0\n\0", says="text"),
    _beats("zeros", bytes(4000)),
    _beats("descending", "1\n0.5\n2\n", says="ascend"),
    _beats("all equal", "1\n1\n1\n", says="ascend"),
    _beats("negative", "-1\n0\n1\n", says="no time"),
    _beats("NaN", "1\nnan\n2\n", says="no time"),
    _beats("infinite", "1\ninf\n", says="no time"),
    _beats("1e308", "1\n1e308\n", says="seconds"),
    _beats("milliseconds", "".join(f"{500 * k}\n" for k in range(16)), says="seconds"),
    _beats("all behind the end", "".join(f"{60 + k}\n" for k in range(9))),
    _beats("some behind the end", "".join(f"{k}\n" for k in range(90)), expected=0),
    _beats("position 0", "1,0\n2,1\n", says="position"),
    _beats("position of 5,000 digits", f"1,{5000 * '9'}\n2,1\n", says="position"),
    _beats("label of 5,000 digits", f"0.5\t0.5\t{5000 * '9'}\n1.0\t1.0\t2\n2.0\t2.0\t3\n", expected=0),
    _one("beats: missing", "edit", _MUSIC, "--beats", "gone.csv", says="no such file"),
    _one("beats: a folder", "edit", _MUSIC, "--beats", "/", says="can't be read"),
]

CASES = [*SOUNDS, *BYTES, *NAMES, *OUTPUTS, *EDLS, *BEATS]

HOUR = _good("60 minutes", _sound(lambda music: np.tile(music, 450)), options=("--duration", "4:00"))
"""Takes minutes and gigabytes; not among CASES."""
