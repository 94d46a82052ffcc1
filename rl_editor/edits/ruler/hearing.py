"""What the ruler hears around a place: onsets, harmony and timbre frame by frame, from the sound itself.

Nothing of this is read from the Track: a reward may be made of its features and landings, and what judges a reward
must not share its ears. Two places are compared frame by frame with both places exactly on a frame, so that the offset
between them counts to the sample.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from scipy.ndimage import gaussian_filter1d

from rl_editor.analysis.spectra import HOP, RATE, listen, log_mel
from rl_editor.arrays import Array, DoubleArray

FRAME_S = HOP / RATE
"""Seconds between frames: 10 ms."""
LATEST_S = 0.5
"""How far two sounds are shifted against each other in search of a better fit."""
_CHROMA = 4  # frames of mel a frame of chroma
_MARGIN = 12  # frames whose windows reach over the edge of an excerpt
_BANDS = 20
_COMPRESSION = 1e3
_SMOOTHING = 1.0  # frames; players are no more exact
_QUIET_DB = -50.0


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The sound around a place, which stands on frame `before`; there are `LATEST_S` more frames on both sides."""

    onsets: Array
    """Rises in low, middle and high bands, (T, 3)."""
    timbre: Array
    """Level of 20 bands, dB, each frame without its mean, (T, 20)."""
    chroma: Array
    """Pitch classes, of unit length, (T // 4, 12)."""
    level_db: Array
    """(T,)."""
    before: int
    """Frames before the place that are compared; as many follow it."""


def mono(audio: Array, sample_rate: int) -> Array:
    """Mean of the channels at `RATE`, float32 (n,)."""
    mixed = audio[0] if audio.shape[0] == 1 else audio.mean(axis=0, dtype=np.float32)
    resampled = mixed if sample_rate == RATE else soxr.resample(mixed, sample_rate, RATE, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)


def excerpt(sound: Array, at: int, reach: int) -> Excerpt:
    """What is heard from `reach` frames before a place to as many after it.

    Args:
        sound: mono at `RATE`, (n,); beyond its ends there is silence.
        at: the place, samples at `RATE`.
        reach: frames, a multiple of 4.
    """
    beside, margin = reach + latest_frames(), _MARGIN
    around = (beside + margin) * HOP
    heard = listen(between(sound, at - around, at + around)[None], RATE)
    keep = slice(margin, margin + 2 * beside)
    power = heard.mel[keep]
    level = log_mel(power, bands=_BANDS)
    return Excerpt(
        onsets=_onsets(heard.mel)[keep],
        timbre=level - level.mean(axis=1, keepdims=True),
        chroma=heard.chroma[margin // _CHROMA : (margin + 2 * beside) // _CHROMA],
        level_db=(10.0 * np.log10(power.sum(axis=1) + 1e-12)).astype(np.float32),
        before=reach,
    )


def between(sound: Array, first: int, last: int) -> Array:
    """[first, last) of a sound (n,); silence beyond its ends."""
    cut = np.zeros(last - first, dtype=np.float32)
    start, end = np.clip((first, last), 0, len(sound)).tolist()
    cut[start - first : end - first] = sound[start:end]
    return cut


def latest_frames() -> int:
    """`LATEST_S` in frames, a multiple of 4."""
    return round(LATEST_S / FRAME_S / _CHROMA) * _CHROMA


def side(values: Array, heard: Excerpt, *, after: bool, shift: int = 0) -> Array:
    """The frames of one side of an excerpt's place, moved on by `shift` frames of `values`."""
    step = len(heard.level_db) // len(values)
    centre = len(values) // 2 + shift
    reach = heard.before // step
    return values[centre : centre + reach] if after else values[centre - reach : centre]


def unlike(x: Array, y: Array) -> float:
    """1 minus the correlation of two patterns of one shape, at least 0; 0 where both are empty of anything."""
    energy = float(np.sqrt(np.square(x, dtype=np.float64).sum() * np.square(y, dtype=np.float64).sum()))
    return 1.0 - max(float((x.astype(np.float64) * y).sum()) / energy, 0.0) if energy > 0 else 0.0


def timbre_distance(x: Array, y: Array) -> float:
    """Mean difference of two timbres (T, 20), dB."""
    return float(np.abs(x - y).mean()) if len(x) else 0.0


def chroma_distance(x: Array, y: Array) -> float:
    """1 minus the mean cosine of two harmonies (T, 12); frames where one is silent do not count."""
    heard = (np.square(x).sum(axis=1) > 0.5) & (np.square(y).sum(axis=1) > 0.5)
    return 1.0 - float((x[heard] * y[heard]).sum(axis=1).mean()) if heard.any() else 0.0


def mean_level_db(level_db: DoubleArray | Array) -> float:
    """Level of the mean power of frames, dB; -50 dB at least counts, so that silences are alike."""
    power = float(np.mean(10.0 ** (np.asarray(level_db, dtype=np.float64) / 10.0))) if len(level_db) else 0.0
    return max(10.0 * float(np.log10(power + 1e-12)), _QUIET_DB)


def _onsets(mel: Array) -> Array:
    """Rises of compressed power over 20 ms in three bands, (T, 3), smoothed; the level of the excerpt is taken out.

    Source: spectral flux with logarithmic compression, Boeck et al., ISMIR 2012.
    """
    loud = float(np.percentile(mel.sum(axis=1), 95)) if len(mel) else 0.0
    level = np.log1p(mel * np.float32(_COMPRESSION / max(loud, 1e-9)))
    rises = np.zeros_like(level)
    rises[2:] = np.maximum(level[2:] - level[:-2], 0.0)
    bands = np.stack([rises[:, :8].mean(1), rises[:, 8:40].mean(1), rises[:, 40:].mean(1)], axis=1)
    smooth = gaussian_filter1d(bands, _SMOOTHING, axis=0)
    return (smooth - smooth.mean(axis=0)).astype(np.float32)
