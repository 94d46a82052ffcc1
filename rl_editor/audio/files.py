"""Reading and writing sound files: float32 (channels, samples) inside, anything common outside.

Reading never clips: a lossy file may decode to peaks above 1.0, and they are kept. Writing to integers never
clips either: one gain for the whole file is applied and returned.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from rl_editor.arrays import Array
from rl_editor.atomic import replacing
from rl_editor.audio.decoders import converted, opened, quiet, states_length, to_the_end
from rl_editor.audio.encoding import (
    BITS,
    Encoding,
    check_holds,
    compression_level,
    container_for,
    output_encoding,
)
from rl_editor.audio.source import Source, identify
from rl_editor.errors import AudioError

__all__ = ["Encoding", "Recording", "check_holds", "output_encoding", "read_audio", "write_audio"]

# Samples a channel; libvorbis puts what it is given at once on the stack, and a minute overflows it.
_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class Recording:
    """A sound file in memory."""

    audio: Array
    """float32 (channels, samples), full scale 1.0; lossy files go beyond it."""
    source: Source
    """Its identity; `file` is the path it was read from."""
    encoding: Encoding
    """How the file stores it."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.source.sample_rate


def read_audio(path: Path) -> Recording:
    """The recording in a sound file, whatever its suffix claims.

    wav, flac, ogg, opus, mp3, aiff, caf, w64 and all else libsndfile knows; the rest goes through ffmpeg.
    A wav or ogg that was cut short can't be told from a whole one, and is read as far as it goes.

    Raises:
        AudioError: the file is missing, no sound, damaged, or holds no samples or some that are no numbers.
    """
    try:
        _check_file(path)
        try:
            with quiet(path):
                audio, sample_rate, encoding = _decoded(path, path)
        except sf.LibsndfileError:
            with converted(path) as copy:
                audio, sample_rate, _ = _decoded(copy, path)
            encoding = Encoding(path.suffix[1:].upper(), "FFMPEG")
    except OSError as error:
        raise AudioError(f"{path}: can't be read ({error.strerror})") from error
    return Recording(audio, identify(audio, sample_rate, file=str(path)), encoding)


def write_audio(
    path: Path, audio: Array, sample_rate: int, *, encoding: Encoding | None = None, overwrite: bool = False
) -> float:
    """Write a sound file, whole or not at all, in the format of its suffix; returns the gain applied, in dB.

    The gain is 0.0 unless a peak above full scale meets a format of integers: then the whole file is lowered
    until the peak fits. Float and lossy formats keep such peaks (libsndfile's MP3, Vorbis and Opus encoders
    were tried up to +12 dB). A sample of exactly 1.0 becomes the largest integer, one step below. What was
    read from integers is written to as many or more bits without a change.

    Args:
        path: the file; its folder is made too.
        audio: float32 (channels, samples), full scale 1.0.
        sample_rate: Hz.
        encoding: how the source was stored, for the depth; None, for sound that never was a file: 16 bit.
        overwrite: replace a file that is already there.
    Raises:
        AudioError: the format is unknown or can't hold this, there are no samples or some are no numbers, or
            the disk refuses.
        EditorError: the file exists and may not be replaced, or its folder can't be written.
    """
    check_holds(path, audio.shape[0], sample_rate)
    if audio.size == 0:
        raise AudioError(f"{path}: no samples to write")
    target = output_encoding(path.suffix, encoding)
    bits = BITS.get(target.subtype)
    target = replace(target, container=container_for(path, target, audio.size * (bits or 32) // 8))
    with replacing(path, overwrite=overwrite) as temporary:
        peak = _peak(audio)
        if not math.isfinite(peak):
            raise AudioError(f"{path}: the sound to write holds NaN or infinite samples")
        gain = 1 / peak if bits and peak > 1 else 1.0
        try:
            _encode(temporary, audio, sample_rate, target, gain)
        except sf.LibsndfileError as error:
            raise AudioError(f"{path}: can't be written (libsndfile: {error.error_string})") from error
        except OSError as error:
            raise AudioError(f"{path}: can't be written ({error.strerror})") from error
    return 20 * math.log10(gain)


def _encode(path: Path, audio: Array, sample_rate: int, target: Encoding, gain: float) -> None:
    bits = BITS.get(target.subtype)
    with path.open("w+b", buffering=0) as file:
        with sf.SoundFile(
            file.fileno(),
            "w",
            sample_rate,
            audio.shape[0],
            target.subtype,
            format=target.container,
            compression_level=compression_level(target.subtype),
            closefd=False,
        ) as sound:
            for start in range(0, audio.shape[1], _BLOCK):
                block = np.ascontiguousarray(audio[:, start : start + _BLOCK].T)
                sound.write(_integers(block, bits, gain) if bits else block)
        # libsndfile is silent when the disk fills up as it closes; one byte more then fails as well
        end = file.seek(0, os.SEEK_END)
        file.write(b"\0")
        file.truncate(end)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, not a sound file")
    if not path.exists():
        raise AudioError(f"{path}: no such file")
    if not path.is_file():
        raise AudioError(f"{path}: not a regular file; write the sound to one first")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: is empty (0 bytes)")
    if path.suffix.lower() == ".raw":
        raise AudioError(f"{path}: a .raw file does not say its rate and channels; convert it to wav or flac")


def _decoded(file: Path, name: Path) -> tuple[Array, int, Encoding]:
    """Samples, rate and encoding of a file that libsndfile opens; errors speak of `name`."""
    with opened(file) as sound:
        encoding = Encoding(sound.format, sound.subtype)
        if states_length(file, sound):
            return _filled(sound, sound.frames, name), sound.samplerate, encoding
    with to_the_end(file) as sound:
        n_samples = sum(len(block) for block in _blocks(sound, None, name))
    with to_the_end(file) as sound:
        return _filled(sound, n_samples, name), sound.samplerate, encoding


def _filled(sound: sf.SoundFile, n_samples: int, name: Path) -> Array:
    if n_samples == 0:
        raise AudioError(f"{name}: holds no samples")
    try:
        audio = np.empty((sound.channels, n_samples), dtype=np.float32)
    except (MemoryError, ValueError) as error:
        hours = n_samples / sound.samplerate / 3600
        raise AudioError(f"{name}: {hours:.1f} hours of sound do not fit into memory") from error
    done = 0
    for block in _blocks(sound, n_samples, name):
        if not np.isfinite(block).all():
            first = done + int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
            where = f"the first at {first / sound.samplerate:.3f} s"
            raise AudioError(f"{name}: holds NaN or infinite samples, {where}")
        audio[:, done : done + len(block)] = block.T
        done += len(block)
    return audio


def _blocks(sound: sf.SoundFile, n_samples: int | None, name: Path) -> Iterator[Array]:
    """All of the sound as (samples, channels); the file is damaged unless it decodes to `n_samples`."""
    done = 0
    try:
        # never past the end that is stated: what some programs put behind it (tags, zeros) is no sound
        while len(block := sound.read(_wanted(n_samples, done), dtype="float32", always_2d=True)):
            yield block
            done += len(block)
        damaged = n_samples is not None and done < n_samples
    except sf.LibsndfileError:
        damaged = True
    if damaged:
        whole = "" if n_samples is None else f" of {n_samples / sound.samplerate:.2f} s"
        raise AudioError(
            f"{name}: damaged or cut short, it decodes only to {done / sound.samplerate:.2f} s{whole};"
            " get a whole copy of it"
        )


def _wanted(n_samples: int | None, done: int) -> int:
    return _BLOCK if n_samples is None else min(_BLOCK, n_samples - done)


def _peak(audio: Array) -> float:
    """Largest magnitude, NaN if there is one; in blocks, because abs would be a second copy of the sound."""
    starts = range(0, audio.shape[1], _BLOCK)
    return float(np.max([np.abs(audio[:, start : start + _BLOCK]).max() for start in starts]))


def _integers(block: Array, bits: int, gain: float) -> NDArray[np.int16] | NDArray[np.int32]:
    """Samples as libsndfile takes them, at the top of 16 or 32 bits.

    Not left to libsndfile, which rounds down and so adds an offset of half a step.
    """
    full_scale = 2 ** (bits - 1)
    steps = np.rint(np.multiply(block, gain * full_scale, dtype=np.float64))
    np.clip(steps, -full_scale, full_scale - 1, out=steps)
    if bits <= 16:
        return steps.astype(np.int16) << (16 - bits)
    return steps.astype(np.int32) << (32 - bits)
