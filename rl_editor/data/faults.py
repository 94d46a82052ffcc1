"""Mistakes of a performance: where they are, and how they sound.

Two families happen in the playing (timing, wrong notes) and become `Slips`; three happen to the sound (level, dropout,
muffling) and are applied to its stems alike. Every performance has mild blemishes; only a spoiled one has faults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.signal import butter

from rl_editor.arrays import Array, IntArray
from rl_editor.audio.mixing import filtered
from rl_editor.audio.performing import Slips

Family = Literal["timing", "wrong notes", "level", "dropout", "muffling"]
FAMILIES: tuple[Family, ...] = get_args(Family)
"""What can go wrong."""


@dataclass(frozen=True)
class Fault:
    """An audible mistake over the beats [first_beat, end_beat) of a composition."""

    family: Family
    first_beat: int
    end_beat: int
    strength: float
    """0 clearly audible to 1 gross."""


def draw_faults(
    first_beat: int,
    end_beat: int,
    rng: np.random.Generator,
    *,
    beats_between: float,
    families: Sequence[Family] = FAMILIES,
) -> list[Fault]:
    """Faults of one attempt, from one to three of the families, in order and apart from each other.

    Args:
        first_beat: of the attempt, in the composition.
        end_beat: one past its last beat.
        rng: for all of it.
        beats_between: mean distance of two faults; an attempt longer than 8 beats has at least one.
        families: what may go wrong.
    """
    chosen = rng.permutation(np.array(families, dtype=object))[: rng.integers(1, 4)]
    faults, beat = [], first_beat + 2 + int(rng.exponential(0.5 * beats_between))
    if beat > end_beat - 2:
        beat = first_beat + 2 + int(rng.integers(max(end_beat - first_beat - 5, 1)))
    while beat < end_beat - 2:
        stop = min(beat + int(rng.integers(1, 9)), end_beat - 1)
        faults.append(Fault(chosen[rng.integers(len(chosen))], beat, stop, float(rng.random())))
        beat = stop + 4 + int(rng.exponential(beats_between))
    return faults


def slips(n_beats: int, faults: Sequence[Fault], rng: np.random.Generator) -> Slips:
    """The faults of the playing, with the little unevenness of any performance.

    Args:
        n_beats: of the composition.
        faults: of any family; those of the sound are passed over.
        rng: for the unevenness.
    """
    jitter_s, wrong = np.zeros(n_beats), np.zeros(n_beats)
    for start in rng.integers(n_beats, size=n_beats // 48 + 1):
        jitter_s[start : start + 3] = rng.uniform(0.002, 0.008)
    for fault in faults:
        span = slice(fault.first_beat, fault.end_beat)
        if fault.family == "timing":
            jitter_s[span] = 0.035 + 0.035 * fault.strength
        elif fault.family == "wrong notes":
            wrong[span] = 0.45 + 0.4 * fault.strength
    return Slips(jitter_s, wrong)


def spoil(
    sounds: dict[str, Array], spans: Sequence[tuple[Fault, int, int]], sample_rate: int, rng: np.random.Generator
) -> None:
    """Apply the faults of the sound, in place and to all stems alike.

    Args:
        sounds: float32 (2, n) each.
        spans: each fault with its first and one past its last sample; those of the playing are passed over.
        sample_rate: Hz.
        rng: for where a dropout has its holes.
    """
    for fault, start, end in spans:
        if fault.family == "muffling":
            for sound in sounds.values():
                _muffle(sound[:, start:end], sample_rate, 700.0 - 400.0 * fault.strength)
        elif fault.family in ("level", "dropout"):
            gains = _level_gains(fault, end - start, sample_rate, rng)
            for sound in sounds.values():
                sound[:, start:end] *= gains


def _level_gains(fault: Fault, n: int, sample_rate: int, rng: np.random.Generator) -> Array:
    """A level that sags, or one that is interrupted, float32 (n,); 1 at both ends."""
    if fault.family == "level":
        low = 10.0 ** (-(7.0 + 8.0 * fault.strength) / 20.0)
        return _dip(n, 0, n, low, 0.03 * sample_rate)
    gains = np.ones(n, dtype=np.float32)
    holes: IntArray = np.sort(rng.integers(0, max(n - 1, 1), max(round(n / sample_rate * 2), 1)))
    for start in holes.tolist():
        length = round(rng.uniform(0.08, 0.15 + 0.3 * fault.strength) * sample_rate)
        gains *= _dip(n, start, min(start + length, n), 0.001, 0.004 * sample_rate)
    return gains


def _dip(n: int, start: int, end: int, low: float, ramp: float) -> Array:
    """1 outside [start, end), `low` inside, with ramps inside of about `ramp` samples."""
    place = np.arange(n)
    inside = np.clip(np.minimum(place - start, end - 1 - place) / ramp, 0.0, 1.0)
    return (1.0 + (low - 1.0) * inside).astype(np.float32)


def _muffle(sound: Array, sample_rate: int, corner_hz: float) -> None:
    """Low-pass a stretch in place, coming and going over 20 ms."""
    n = sound.shape[1]
    low_pass = butter(2, corner_hz, fs=sample_rate, output="sos").astype(np.float32)
    dull, _ = filtered(low_pass, sound, np.zeros((1, 2, 2), dtype=np.float32))
    inside = 1.0 - _dip(n, 0, n, 0.0, 0.02 * sample_rate)
    sound += inside * (dull - sound)
