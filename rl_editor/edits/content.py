"""Content scores: what each beat is worth to the listener, (B,) in [0, 1]."""

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array

_SPOILED = 0.7  # share of its worth that an audible mistake takes from a beat


def rules(track: Track, *, superseded: float = 1.0) -> Array:
    """What is known without training.

    Music is worth keeping, the more surely it is music; quiet parts a little less than loud ones. A beat with a mistake
    loses most of its worth.

    Args:
        track: analysis of the recording.
        superseded: share of its worth that a beat loses if a better attempt replaces it; 1 makes it worth as little as
            talk.
    """
    score = np.where(track.is_music, 0.7 + 0.2 * track.music + 0.1 * _loudness(track), 0.0)
    if track.superseded is not None:
        score *= 1.0 - superseded * track.superseded
    if track.spoiled is not None:
        score *= 1.0 - _SPOILED * track.spoiled
    return score.astype(np.float32)


def _loudness(track: Track) -> Array:
    """Energy contour between the recording's quiet and loud parts, (B,) in [0, 1]."""
    low, high = np.percentile(track.energy_db, [10, 90])
    return np.clip((track.energy_db - low) / max(high - low, 3.0), 0.0, 1.0).astype(np.float32)
