"""Which recording is meant: its identity by content, not by name."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from rl_editor.arrays import Array
from rl_editor.errors import AudioError


@dataclass(frozen=True)
class Source:
    """Identity of a recording; two copies under other names are equal."""

    content_hash: str
    """SHA-256 of the decoded samples, rate and channels, in hex."""
    sample_rate: int
    """Hz."""
    channels: int
    n_samples: int
    """Samples a channel."""
    file: str = field(default="", compare=False)
    """Where it was read from; empty for sound that never was a file."""

    def __post_init__(self) -> None:
        for name in ("sample_rate", "channels", "n_samples"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise AudioError(f"{name} {value!r}: must be a whole number")
        if not (isinstance(self.file, str) and isinstance(self.content_hash, str)):
            raise AudioError("the source's file and content hash must be text")
        if min(self.sample_rate, self.channels, self.n_samples) < 1:
            raise AudioError(f"{self.file or 'recording'}: rate, channels and samples must be positive")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate


def content_hash(audio: Array, sample_rate: int) -> str:
    """SHA-256 in hex of what is heard: rate, channels and samples.

    Args:
        audio: float32 (channels, samples).
        sample_rate: Hz.
    """
    digest = hashlib.sha256(f"{sample_rate}:{audio.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(audio, dtype="<f4").data)
    return digest.hexdigest()


def identify(audio: Array, sample_rate: int, *, file: str = "") -> Source:
    """The identity of decoded sound, float32 (channels, samples) at `sample_rate` Hz."""
    return Source(content_hash(audio, sample_rate), sample_rate, audio.shape[0], audio.shape[1], file)
