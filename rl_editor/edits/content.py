"""Content scores: what each beat is worth to the listener, (B,) in [0, 1]."""

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array


def rules(track: Track) -> Array:
    """What is known without training: music is worth keeping, the more surely it is music; all else is not."""
    return np.where(track.is_music, 0.75 + 0.25 * track.music, 0.0).astype(np.float32)
