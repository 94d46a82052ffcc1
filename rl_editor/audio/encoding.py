"""How sound is stored: which file formats can be written, what they hold, and how deep a copy must be."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from rl_editor.errors import AudioError

SOUND_SUFFIXES = frozenset({
    ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif", ".aifc", ".w64", ".rf64",
    ".caf", ".au", ".snd", ".m4a", ".aac", ".wma", ".wv", ".ape", ".mka",
})  # fmt: skip
"""What libsndfile and ffmpeg read and people have; a file that is named may have any suffix."""

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""Bits a sample of the integer subtypes we write."""

# Depth a copy needs, in bits; 33 stands above every integer. Subtypes that are not here are lossy.
_DEPTHS = BITS | {"FLOAT": 33, "DOUBLE": 33, "ALAC_16": 16, "ALAC_20": 20, "ALAC_24": 24, "ALAC_32": 32}
_DEPTH_OF_LOSSY = 24

_COMPRESSION_LEVELS = {"MPEG_LAYER_III": 0.0, "VORBIS": 0.3, "OPUS": 0.6}

_MPEG_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
_OPUS_RATES = frozenset({8000, 12000, 16000, 24000, 48000})
_ANY_RATE = range(1, 2**31)
# Sizes in these headers have 32 bits; the margin is for the header's other chunks.
_MOST_BYTES = 2**32 - 2**16


@dataclass(frozen=True)
class Encoding:
    """How the samples of a file are stored, in libsndfile's names."""

    container: str
    """`WAV`, `FLAC`, `OGG`, `MP3`, ...; where ffmpeg decoded, the suffix in capitals."""
    subtype: str
    """`PCM_16`, `PCM_24`, `FLOAT`, `VORBIS`, `MPEG_LAYER_III`, ...; `FFMPEG` where ffmpeg decoded."""


@dataclass(frozen=True)
class _Format:
    """What one kind of file holds, measured with libsndfile 1.2.2 (soundfile 0.14)."""

    name: str
    container: str
    subtypes: tuple[str, ...]
    """By rising depth."""
    max_channels: int = 1024
    rates: Container[int] = _ANY_RATE
    max_bytes: int | None = None


# Without 8 bits: libsndfile reads an odd number of bytes with their padding, one sample too long.
_AIFF = _Format("AIFF", "AIFF", ("PCM_16", "PCM_24", "PCM_32", "FLOAT"), max_bytes=_MOST_BYTES)
_FORMATS = {
    ".wav": _Format("WAV", "WAV", ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"), max_bytes=_MOST_BYTES),
    ".flac": _Format("FLAC", "FLAC", ("PCM_S8", "PCM_16", "PCM_24"), 8, range(1, 655_351)),
    # 255 channels and 200 kHz: libvorbis does not refuse more, it ends the process with a segmentation fault
    ".ogg": _Format("Ogg Vorbis", "OGG", ("VORBIS",), 255, range(1, 200_001)),
    ".opus": _Format("Opus", "OGG", ("OPUS",), 255, _OPUS_RATES),
    ".mp3": _Format("MP3", "MP3", ("MPEG_LAYER_III",), 2, _MPEG_RATES),
    ".aiff": _AIFF,
    ".aif": _AIFF,
    ".w64": _Format("Wave64", "W64", ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")),
    ".caf": _Format("CAF", "CAF", ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")),
}
SUFFIXES = tuple(_FORMATS)
"""Suffixes that can be written, lower case with their dot."""


def writable_suffix(suffix: str) -> str:
    """`suffix` itself where files with it can be written, else `.wav`, which holds any sound."""
    return suffix if suffix.lower() in _FORMATS else ".wav"


def output_encoding(suffix: str, source: Encoding | None) -> Encoding:
    """How a file with this suffix is written so that nothing of the source is lost, where the format can.

    Integers or floats: of the source's depth, else the next deeper that the format has, else its deepest.
    A lossy source counts as 24 bit.

    Args:
        suffix: with its dot, in any case.
        source: how the recording was stored; None, for sound that never was a file, gives 16 bit.
    Raises:
        AudioError: files with this suffix can't be written.
    """
    form = _format(suffix, name=suffix)
    wanted = 16 if source is None else _DEPTHS.get(source.subtype, _DEPTH_OF_LOSSY)
    deep_enough = (subtype for subtype in form.subtypes if _DEPTHS.get(subtype, 0) >= wanted)
    return Encoding(form.container, next(deep_enough, form.subtypes[-1]))


def compression_level(subtype: str) -> float | None:
    """How hard libsndfile is to squeeze this subtype, 0 best to 1 smallest; None where nothing is lost.

    In stereo MP3 becomes LAME's V0 (about 245 kbit/s), Ogg Vorbis q7 (about 200), Opus about 210.
    """
    return _COMPRESSION_LEVELS.get(subtype)


def check_holds(path: Path, channels: int, sample_rate: int) -> None:
    """Refuse early, before long work, sound that the format of `path` can't hold.

    Args:
        path: the file to write; its suffix is its format.
        channels: how many the sound has.
        sample_rate: Hz.
    Raises:
        AudioError: the suffix is unknown, or its format can't hold this; the text names one that can.
    """
    form = _format(path.suffix, name=str(path))
    if channels > form.max_channels:
        limit = f"holds at most {form.max_channels} channels, this sound has {channels}"
    elif sample_rate not in form.rates:
        limit = f"holds only {_rates_text(form.rates)}, this sound has {sample_rate / 1000:g} kHz"
    else:
        return
    others = (suffix for suffix in (".wav", ".flac") if _holds(_FORMATS[suffix], channels, sample_rate))
    raise AudioError(f"{path}: {form.name} {limit}; write a {' or '.join(others) or 'sound with fewer channels'}")


def container_for(path: Path, encoding: Encoding, n_bytes: int) -> str:
    """The container that holds `n_bytes` of samples: a WAV too long for its 32 bit header becomes RF64.

    Raises:
        AudioError: the format ends below that size.
    """
    form = _format(path.suffix, name=str(path))
    if form.max_bytes is None or n_bytes <= form.max_bytes:
        return encoding.container
    if form.container == "WAV":
        return "RF64"
    size = f"this sound has {n_bytes / 1e9:.1f}"
    raise AudioError(f"{path}: {form.name} holds at most 4 GB, {size}; write a .wav or .flac")


def _format(suffix: str, *, name: str) -> _Format:
    form = _FORMATS.get(suffix.lower())
    if form is None:
        ending = f"{suffix} files can't be written" if suffix else "no suffix says which format to write"
        raise AudioError(f"{name}: {ending}; known are {', '.join(SUFFIXES)}")
    return form


def _holds(form: _Format, channels: int, sample_rate: int) -> bool:
    return channels <= form.max_channels and sample_rate in form.rates


def _rates_text(rates: Container[int]) -> str:
    if isinstance(rates, range):
        return f"rates up to {rates[-1] / 1000:g} kHz"
    assert isinstance(rates, frozenset)
    return ", ".join(f"{rate / 1000:g}" for rate in sorted(rates)) + " kHz"
