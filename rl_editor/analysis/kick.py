"""Bass drum activity: how surely a bass drum is struck within each beat."""

import numpy as np

from rl_editor.arrays import Array, DoubleArray

_BANDS = 2  # mel bands under 150 Hz
_RISE_FRAMES = 3  # 30 ms: a kick is up by then, a plucked bass string mostly too, but less of it is in the drums
_EARLY_FRAMES = 3  # a window hears a stroke this long before it falls
_NONE_DB, _CLEAR_DB = (
    -12.0,
    -3.0,
)  # against the loud frames; strokes of sample songs are over -5, beats without under -8


def kick_activity(drums: Array, mix: Array, bounds_s: DoubleArray, frame_rate: float) -> Array:
    """Bass drum activity, (B,) in [0, 1]: the steepest rise of deep drums within each beat, against the loud frames.

    A loud low tom is a bass drum here; so is a bass string plucked hard where stems are split by signal processing. A
    bass drum without low end (a click, a laptop's microphone) is not heard.

    Args:
        drums: power in mel bands of the drums stem, (T, 80).
        mix: power in mel bands of the mix, (T, 80), T at least 1.
        bounds_s: (B+1,) seconds, each just before its beat's attack.
        frame_rate: mel frames a second.
    """
    deep = drums[:, :_BANDS].sum(axis=1)
    rise = np.zeros(len(deep), dtype=np.float32)
    rise[_RISE_FRAMES:] = deep[_RISE_FRAMES:] - deep[:-_RISE_FRAMES]
    first = np.round(bounds_s * frame_rate).astype(np.int64) - _EARLY_FRAMES
    steepest = np.maximum.reduceat(rise, np.clip(first[:-1], 0, len(rise) - 1))
    loud = max(float(np.percentile(mix.sum(axis=1), 95)), 1e-9)
    level_db = 10.0 * np.log10(np.maximum(steepest / loud, 1e-9))
    return np.clip((level_db - _NONE_DB) / (_CLEAR_DB - _NONE_DB), 0.0, 1.0).astype(np.float32)
