"""From frames to beats: what happens during a span is the mean of its frames."""

import numpy as np

from rl_editor.arrays import Array, DoubleArray


def span_means(frames: Array, edges: DoubleArray) -> Array:
    """Mean of the frames in each span, float32 (N, F); a span between two frames takes the nearest.

    Args:
        frames: (T, F), T at least 1.
        edges: (N+1,) where spans begin and end, in frames, not falling; frame t stands at t.
    """
    sums = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0, dtype=np.float64)])
    first = np.clip(np.round(edges[:-1]).astype(int), 0, len(frames) - 1)
    last = np.clip(np.round(edges[1:]).astype(int), first + 1, len(frames))
    return ((sums[last] - sums[first]) / (last - first)[:, None]).astype(np.float32)
