"""Features of beats: means over four quarters of each beat, so that tempo drift is divided out."""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.spectra import Spectra, log_mel
from rl_editor.arrays import Array, IntArray

QUARTERS = 4
"""Parts of a beat that are told apart."""


@dataclass(frozen=True, eq=False)
class BeatFeatures:
    """Named features of each quarter of each beat."""

    quarters: Array
    """(B * 4, F)."""
    names: tuple[str, ...]
    """Group of each column, (F,): mel (dB), timbre (dB, level-free), chroma (unit length), onset."""

    @property
    def beats(self) -> Array:
        """Means over each beat, (B, F)."""
        return self.quarters.reshape(-1, QUARTERS, self.quarters.shape[1]).mean(axis=1)

    def columns(self, group: str) -> Array:
        """Means over each beat of one group, (B, columns of the group)."""
        return self.beats[:, self.of(group)]

    def of(self, group: str) -> slice:
        """Columns of one group, which stand together."""
        return slice(self.names.index(group), self.names.index(group) + self.names.count(group))


def beat_features(spectra: Spectra, onsets: Array, bounds: IntArray, sample_rate: int) -> BeatFeatures:
    """Features of each beat.

    Args:
        spectra: of the recording.
        onsets: onset strength in three bands, (T, 3).
        bounds: (B+1,) samples of the source.
        sample_rate: Hz of the source.
    """
    edges_s = quarter_bounds(bounds) / sample_rate
    mel = log_mel(spectra.mel)
    groups = {
        "mel": span_means(mel, edges_s * spectra.frame_rate),
        "timbre": span_means(mel - mel.mean(axis=1, keepdims=True), edges_s * spectra.frame_rate),
        "chroma": span_means(spectra.chroma, edges_s * spectra.frame_rate / 4),
        "onset": span_means(onsets, edges_s * spectra.frame_rate),
    }
    names = tuple(group for group, values in groups.items() for _ in range(values.shape[1]))
    return BeatFeatures(np.concatenate(list(groups.values()), axis=1), names)


def quarter_bounds(bounds: IntArray) -> IntArray:
    """Bounds of the quarters of all beats, (4B + 1,), in samples."""
    parts = np.linspace(0.0, 1.0, QUARTERS, endpoint=False)
    inner = bounds[:-1, None] + np.diff(bounds)[:, None] * parts
    return np.append(inner.astype(np.int64).ravel(), bounds[-1])


def level_db(audio: Array, bounds: IntArray) -> Array:
    """RMS level of each beat over all channels, (B,), dBFS, not under -100.

    Args:
        audio: float32 (channels, samples).
        bounds: (B+1,) samples.
    """
    power = np.zeros(len(bounds) - 1)
    for channel in audio:
        power += np.add.reduceat(np.square(channel), bounds[:-1], dtype=np.float64)
    power /= np.diff(bounds) * audio.shape[0]
    return (10.0 * np.log10(np.maximum(power, 1e-10))).astype(np.float32)
