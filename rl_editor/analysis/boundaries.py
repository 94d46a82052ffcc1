"""Boundaries: bounds at which a new part begins, by novelty over four bars and by the edges of the music."""

import numpy as np
from scipy.ndimage import maximum_filter1d

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.beat_features import BeatFeatures
from rl_editor.arrays import Array, SmallIntArray

_REACH = 16  # beats each side that are compared
_PLAIN_DOWNBEAT = 0.2


def boundary_strength(features: BeatFeatures, bar_position: SmallIntArray, activity: SmallIntArray) -> Array:
    """How strongly a new part begins at each bound, (B+1,) in [0, 1].

    0 off the downbeat, 0.2 on a plain one, up to 1 where the sound of the next 16 beats differs most from that of the
    16 before; 1 where music begins or ends.

    Args:
        features: of the recording.
        bar_position: (B,), 0 on the downbeat.
        activity: (B,) of `Activity`.
    """
    novelty = _novelty(features)
    peaks = novelty * (novelty >= maximum_filter1d(novelty, _REACH + 1))
    on_downbeat = np.append(bar_position == 0, True)
    clear = np.percentile(peaks[peaks > 0], 90) if (peaks > 0).any() else 1.0
    # the peak of novelty may stand a beat beside the downbeat it belongs to
    nearby = maximum_filter1d(np.clip(peaks / clear, 0.0, 1.0), 3)
    strength = np.where(on_downbeat, _PLAIN_DOWNBEAT + (1.0 - _PLAIN_DOWNBEAT) * nearby, 0.0)
    strength[runs(activity, Activity.MUSIC).ravel()] = 1.0
    return strength.astype(np.float32)


def _novelty(features: BeatFeatures) -> Array:
    """Distance of mean timbre and harmony after each bound from those before it, (B+1,), 0 at the ends."""
    values = features.beats
    columns = [values[:, features.of("mel")] / 20.0, values[:, features.of("chroma")]]
    novelty = np.zeros(len(values) + 1, dtype=np.float32)
    for column in columns:
        sums = np.concatenate([np.zeros((1, column.shape[1])), np.cumsum(column, axis=0, dtype=np.float64)])
        at = np.arange(len(values) + 1)
        before, after = np.maximum(at - _REACH, 0), np.minimum(at + _REACH, len(values))
        mean_before = (sums[at] - sums[before]) / np.maximum(at - before, 1)[:, None]
        mean_after = (sums[after] - sums[at]) / np.maximum(after - at, 1)[:, None]
        novelty += np.sqrt(np.square(mean_after - mean_before).mean(axis=1))
    novelty[[0, -1]] = 0.0
    return novelty
