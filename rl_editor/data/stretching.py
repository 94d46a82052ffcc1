"""Playing recorded sound at another pace: the tempo of each beat is free, the pitch stays, attacks stay as they are.

Sound is copied sample by sample; between the beats a few ms are left out or played twice where that is heard least,
so that each beat falls near its new place. Where it really falls is known to the sample, as no attack is touched.
Source: overlap-add at the lag of the best correlation, Roucos and Wilgus, ICASSP 1985 (SOLA); Verhelst and Roelands,
ICASSP 1993 (WSOLA). Here splices are rare and kept away from attacks, since tempo changes by a few per cent.
"""

import numpy as np
import soxr
from numba import njit

from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.edits.render import crossfade

_FADE_S = 0.01
_LONGEST_JUMP_S = 0.015
_SHORTEST_JUMP_S = 0.0015  # a smaller distance from the wanted place is left to the next beat
_FREEDOM_S = 0.004  # how far a jump may be from the wanted length
_AFTER_ATTACK_S = 0.06
_BEFORE_ATTACK_S = 0.012
_PLACES = 10  # tried for each splice
_LOUDNESS_WEIGHT = 0.25


def stretched(
    audio: Array, marks: IntArray, wanted: DoubleArray, sample_rate: int, *, lead: int = 0
) -> tuple[Array, IntArray]:
    """Sound whose marks fall near other places.

    Args:
        audio: float32 (channels, n); beyond its ends it is silent.
        marks: rising samples of `audio`, (M,), at least 2; the sound from the first to the last is played.
        wanted: where the marks should fall in what is returned, in samples after the first, (M,), from 0, rising.
        sample_rate: Hz.
        lead: samples that are played before the first mark as well.
    Returns:
        float32 (channels, lead + length), and where each mark falls, (M,), the first at `lead`. The sound that begins
        at a mark is, for some 60 ms or a quarter of its span, the very samples of `audio`.
    """
    mono = np.ascontiguousarray(audio.mean(axis=0, dtype=np.float32))
    splices, landed = _splices(
        mono,
        marks,
        wanted,
        round(_FADE_S * sample_rate),
        _LONGEST_JUMP_S * sample_rate,
        _SHORTEST_JUMP_S * sample_rate,
        round(_FREEDOM_S * sample_rate),
        _AFTER_ATTACK_S * sample_rate,
        _BEFORE_ATTACK_S * sample_rate,
    )
    return _assembled(audio, int(marks[0]) - lead, splices, lead + int(landed[-1]), sample_rate), landed + lead


def transposed(sound: Array, marks: IntArray, semitones: float, sample_rate: int) -> Array:
    """The sound, float32 (channels, n), as high as asked and as long as before.

    Args:
        sound: float32 (channels, n).
        marks: samples where attacks are, rising, from 0 to n, (M,).
        semitones: up, or down where negative; meant for a few.
        sample_rate: Hz.
    """
    n, ratio = sound.shape[1], 2.0 ** (semitones / 12.0)
    longer, landed = stretched(sound, marks, marks * ratio, sample_rate)
    higher = soxr.resample(longer.T, float(landed[-1]), float(n), quality="MQ").T[:, :n]
    return np.pad(higher, ((0, 0), (0, n - higher.shape[1]))).astype(np.float32)


def _assembled(audio: Array, start: int, splices: IntArray, n: int, sample_rate: int) -> Array:
    """`n` samples from `start` on; each splice (at, jump) changes over to what comes `jump` later."""
    out = np.zeros((audio.shape[0], n), dtype=np.float32)
    fade, place, at = round(_FADE_S * sample_rate), start, 0
    for source, jump in [*splices.tolist(), (start + n, 0)]:
        length = min(source - place, n - at) if jump else n - at
        out[:, at : at + length] = _read(audio, place, length)
        at, place = at + length, place + length
        if jump:
            out[:, at : at + fade] = crossfade(_read(audio, place, fade), _read(audio, place + jump, fade))
            at, place = at + fade, place + jump + fade
    return out


def _read(audio: Array, start: int, length: int) -> Array:
    """[start, start + length) of a sound that is silent beyond its ends."""
    n = audio.shape[1]
    inside = audio[:, min(max(start, 0), n) : min(max(start + length, 0), n)]
    before = min(max(-start, 0), length)
    return np.pad(inside, ((0, 0), (before, length - before - inside.shape[1])))


@njit(cache=True)
def _splices(
    mono: Array,
    marks: IntArray,
    wanted: DoubleArray,
    fade: int,
    longest: float,
    shortest: float,
    freedom: int,
    after: float,
    before: float,
) -> tuple[IntArray, IntArray]:
    """Where to splice, (N, 2) of (sample of the sound, jump), and where the marks fall, (M,) from 0."""
    found, landed = [(0, 0)], np.zeros(len(marks), dtype=np.int64)
    offset = marks[0]
    for k in range(len(marks) - 1):
        span = marks[k + 1] - marks[k]
        first = marks[k] + int(min(after, 0.25 * span))
        last = marks[k + 1] - int(min(before, 0.1 * span))
        to_go = marks[k + 1] - wanted[k + 1] - offset
        count = max(int(np.ceil(abs(to_go) / longest)), 1) if abs(to_go) > shortest else 0
        place = first
        for left in range(count, 0, -1):
            step = round(to_go / left)
            room_end = place + (last - place) // left - fade - max(step + freedom, 0)
            low, high = step - freedom, step + freedom
            if left > 1:  # stay on this side of no jump at all
                low, high = (max(low, 1), high) if step > 0 else (low, min(high, -1))
            if room_end < place or place + low < 0 or room_end + high + fade >= len(mono):
                continue
            at, jump = _best_splice(mono, place, room_end, low, high, step, fade)
            if jump != 0:
                found.append((at, jump))
                to_go -= jump
                offset += jump
            place = at + fade + max(jump, 0)
        landed[k + 1] = marks[k + 1] - offset
    table = np.zeros((len(found) - 1, 2), dtype=np.int64)
    for k in range(1, len(found)):
        table[k - 1, 0], table[k - 1, 1] = found[k]
    return table, landed


@njit(cache=True)
def _best_splice(mono: Array, first: int, last: int, low: int, high: int, step: int, fade: int) -> tuple[int, int]:
    """The place in [first, last] and the jump in [low, high] at which the two sounds are most alike and soft."""
    loudness = 1e-12
    for t in range(first, last + fade, 7):
        loudness += mono[t] * mono[t]
    loudness *= 7.0 / (last + fade - first)
    best, best_at, best_jump = -1e9, first, step
    pace = max((last - first) // (_PLACES - 1), 1)
    for at in range(first, last + 1, pace):
        soft = 0.0
        for t in range(at, at + fade, 4):
            soft += mono[t] * mono[t]
        soft *= 4.0 / fade / loudness
        for jump in range(low, high + 1, 3):
            score = _likeness(mono, at, at + jump, fade, 4) - _LOUDNESS_WEIGHT * soft
            if score > best:
                best, best_at, best_jump = score, at, jump
    best, coarse = -1e9, best_jump
    for jump in range(max(coarse - 2, low), min(coarse + 2, high) + 1):
        score = _likeness(mono, best_at, best_at + jump, fade, 1)
        if score > best:
            best, best_jump = score, jump
    return best_at, best_jump


@njit(cache=True)
def _likeness(mono: Array, a: int, b: int, n: int, stride: int) -> float:
    """Correlation of two stretches of n samples, of which every `stride`-th counts."""
    product, left, right = 0.0, 1e-12, 1e-12
    for t in range(0, n, stride):
        x, y = mono[a + t], mono[b + t]
        product += x * y
        left += x * x
        right += y * y
    return product / np.sqrt(left * right)
