"""What soundfile does not give by itself: reading without a seek, MP3 without a stated length, and ffmpeg.

libsndfile stops at the length it expects. In an MP3 without a Xing, Info or VBRI tag that is a guess from the
bit rate of the first frame (23 % too short for a VBR file that was tried). From a pipe it can't guess, and
decodes to the end.
"""

import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile as sf

from rl_editor.audio.encoding import SUFFIXES
from rl_editor.errors import AudioError

_UNKNOWN_LENGTH = 2**62
_stderr_lock = threading.Lock()


class _ReadOnward(sf.SoundFile):  # type: ignore[misc]
    """A sound file that is only read onward.

    soundfile seeks to where it is after every block. That costs an MP3 the bits that it keeps in earlier frames
    (a tone of 67 dB signal to noise came back with 22), and a FLAC of unknown length its end.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def opened(path: Path) -> Iterator[sf.SoundFile]:
    """The file as libsndfile sees it.

    Raises:
        LibsndfileError: libsndfile does not know this kind of file.
    """
    # bytes, because a file name need not be UTF-8
    with _ReadOnward(os.fsencode(path)) as sound:
        yield sound


@contextmanager
def to_the_end(path: Path) -> Iterator[sf.SoundFile]:
    """The same, for a file that does not state its length.

    Raises:
        LibsndfileError: libsndfile does not know this kind of file.
    """
    with opened(path) as sound:
        if sound.format != "MP3":
            yield sound
            return
    with _piped(path) as sound:
        yield sound


@contextmanager
def _piped(path: Path) -> Iterator[sf.SoundFile]:
    """libsndfile on a pipe, where it does not guess a length.

    Raises:
        LibsndfileError: libsndfile does not know this kind of file.
    """
    reader, writer = os.pipe()
    feeder = threading.Thread(target=_feed, args=(path, writer), daemon=True)
    feeder.start()
    try:
        with _ReadOnward(reader, closefd=False) as sound:
            yield sound
    finally:
        os.close(reader)  # whatever the feeder still has to say now fails, and it ends
        feeder.join()


def states_length(path: Path, sound: sf.SoundFile) -> bool:
    """Whether `sound.frames`, of the same file opened, is what the file says and not a guess."""
    if sound.format != "MP3":
        return sound.frames < _UNKNOWN_LENGTH
    try:
        with _piped(path) as stream:
            return stream.frames < _UNKNOWN_LENGTH
    except sf.LibsndfileError:  # known by its suffix only, which a pipe does not have
        return True


@contextmanager
def quiet(path: Path) -> Iterator[None]:
    """Keep what libsndfile's MP3 decoder writes to the process's stderr off the user's screen."""
    if not _may_be_mpeg(path):
        yield
        return
    # File descriptor 2 belongs to the whole process: two threads must not take turns in saving it.
    with _stderr_lock:
        saved = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)


@contextmanager
def converted(path: Path) -> Iterator[Path]:
    """A temporary float32 copy, made by pydub's ffmpeg, of a file that libsndfile does not know.

    Raises:
        AudioError: ffmpeg is missing, or can't decode the file either.
    """
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        if path.suffix.lower() in SUFFIXES:
            raise AudioError(f"{path}: not a sound file, or damaged from its start")
        raise AudioError(
            f"{path}: needs ffmpeg to be read; install it (Debian: apt install ffmpeg)"
            " or convert to wav, flac, ogg or mp3"
        )
    with tempfile.TemporaryDirectory(prefix="rl-editor-") as folder:
        copy = Path(folder) / "sound.caf"
        _convert(path, copy)
        yield copy


def _convert(path: Path, copy: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the standard library's audioop, which Python 3.13 has dropped
        from pydub import AudioSegment
        from pydub.exceptions import CouldntDecodeError
    # pydub puts `parameters` behind its own output, so they describe a second one: all of the sound as float,
    # in a file. Its own would be 16 bit, clipped and three times in memory; `duration` cuts it to an instant.
    # CAF, because libsndfile takes ffmpeg's float W64 for integers.
    parameters = ["-nostdin", "-map", "0:a:0", "-vn", "-c:a", "pcm_f32le", "-f", "caf", str(copy)]
    try:
        # absolute, because ffmpeg takes `concat:x` and `-x` for something else than files
        AudioSegment.from_file(str(path.absolute()), duration=0.001, parameters=parameters)
    except (CouldntDecodeError, LookupError, ValueError) as error:  # LookupError: there is no audio stream
        raise AudioError(f"{path}: not a sound file, or damaged; ffmpeg can't read it either") from error
    if not copy.exists():
        raise AudioError(f"{path}: ffmpeg finds no sound in it")


def _feed(path: Path, writer: int) -> None:
    try:
        with os.fdopen(writer, "wb") as sink, path.open("rb") as source:
            shutil.copyfileobj(source, sink)
    except BrokenPipeError:  # the reader has seen enough
        pass


def _may_be_mpeg(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(3)
    synchronised = len(head) == 3 and head[0] == 0xFF and head[1] >= 0xE0
    return head == b"ID3" or synchronised or path.suffix.lower() == ".mp3"
