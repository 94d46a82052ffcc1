"""From EDL to sound: the one renderer, for the product and for training alike.

A fade of f samples **ends** at its join: the outgoing segment plays its own last f samples [end - f, end) while the
incoming sound plays [start - f, start), so an attack at `start` is whole and no length changes. The gains are
a = 1 - t and b = t, t = (n + 1/2) / f, both divided by sqrt(a^2 + b^2 + 2 r a b), where r is the correlation of the
two sounds over the fade: level-true whether they are the same material (r = 1, equal gain) or not (r = 0, equal power).
Source: power of a sum of correlated signals; Fink, Holters, Zoelzer, DAFx-16, on correlation-dependent crossfades.
"""

import numpy as np

from rl_editor.arrays import Array
from rl_editor.edits.edl import EDL, Segment
from rl_editor.errors import EDLError

# Below this the sum's level can't be held without large gains on sounds that cancel each other.
_LOWEST_CORRELATION = -0.3


def render(audio: Array, edl: EDL) -> Array:
    """The edit as sound, float32 (channels, sum of end - start).

    Args:
        audio: float32 (channels, samples), the EDL's source or a recording of equal length.
        edl: the edit; where it has neither join, gain nor fade the samples are the source's own.
    Raises:
        EDLError: the recording's length is not the source's, or the edit is too long for this machine.
    """
    if audio.shape[1] != edl.source.n_samples:
        raise EDLError(f"the recording has {audio.shape[1]} samples, the EDL's source {edl.source.n_samples}")
    try:
        output = np.empty((audio.shape[0], edl.n_samples), dtype=np.float32)
    except MemoryError as error:
        raise EDLError(
            f"the edit is {edl.duration_s / 3600:.0f} hours long, more than this machine can hold"
        ) from error
    at = 0
    for k, segment in enumerate(edl.segments):
        output[:, at : at + len(segment)] = _amplified(audio[:, segment.start : segment.end], segment.gain_db)
        length = join_fade(edl, k)
        if k and length:
            incoming = _amplified(audio[:, segment.start - length : segment.start], segment.gain_db)
            output[:, at - length : at] = crossfade(output[:, at - length : at], incoming)
        at += len(segment)
    fade_in, fade_out = end_fades(edl)
    output[:, :fade_in] *= _ramp(fade_in)
    output[:, at - fade_out :] *= _ramp(fade_out)[::-1]
    return output


def crossfade(outgoing: Array, incoming: Array) -> Array:
    """Two sounds of one length (channels, f), the first giving way to the second at constant level."""
    a, b = crossfade_gains(outgoing.shape[1], correlation(outgoing, incoming))
    return outgoing * a + incoming * b


def crossfade_gains(n: int, r: float) -> tuple[Array, Array]:
    """Outgoing and incoming gains, two float32 arrays (n,), of a crossfade of n samples at correlation r."""
    b = (np.arange(n) + 0.5) / n
    a = 1.0 - b
    level = np.sqrt(a * a + b * b + 2.0 * max(r, _LOWEST_CORRELATION) * a * b)
    return (a / level).astype(np.float32), (b / level).astype(np.float32)


def correlation(x: Array, y: Array) -> float:
    """Correlation in [-1, 1] of two sounds (channels, n), one figure for all channels; 0 where one is silent."""
    energy = np.sqrt(np.vdot(x, x).astype(np.float64) * np.vdot(y, y).astype(np.float64))
    return float(np.clip(np.vdot(x, y) / energy, -1.0, 1.0)) if energy > 0 else 0.0


def join_fade(edl: EDL, k: int) -> int:
    """Samples of crossfade really played into segment k: clipped to what its two sides have; 0 for the first."""
    if k == 0:
        return 0
    before, after = edl.segments[k - 1], edl.segments[k]
    if before.end == after.start and before.gain_db == after.gain_db:
        return 0
    room = len(before) - (end_fades(edl)[0] if k == 1 else 0)
    return min(after.fade, after.start, room)


def end_fades(edl: EDL) -> tuple[int, int]:
    """Samples of fade-in and fade-out really played; in an edit of one segment they do not overlap."""
    first, last = edl.segments[0], edl.segments[-1]
    fade_in = min(first.fade, len(first))
    room = len(last) - (fade_in if len(edl.segments) == 1 else 0)
    return fade_in, min(edl.end_fade, room)


def _ramp(n: int) -> Array:
    return ((np.arange(n) + 0.5) / max(n, 1)).astype(np.float32)


def _amplified(sound: Array, gain_db: float) -> Array:
    return sound if gain_db == 0.0 else sound * np.float32(10.0 ** (gain_db / 20.0))


def positions(segments: tuple[Segment, ...]) -> list[int]:
    """Where each segment starts in the output, in samples."""
    starts = np.cumsum([0, *(len(segment) for segment in segments)])
    return [int(start) for start in starts[:-1]]
