"""Mistakes in recorded music: the families of `rl_editor.data.faults`, made of the sound itself.

Any performance has blemishes, which nobody would call a mistake: each is a fault in a mild dose. So no trace of how a
fault is made tells which attempt is the good one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter

from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.audio.mixing import filtered
from rl_editor.data.faults import Family, Fault
from rl_editor.data.stretching import transposed

_RAMP_S = 0.02
_BLEMISHES = 0.8  # mean count of each family in a performance


@dataclass(frozen=True)
class _Doses:
    """Amounts of one kind of mistake, from the least to the most."""

    mild: tuple[float, float]
    audible: tuple[float, float]

    def of(self, fault: Fault, *, mild: bool) -> float:
        low, high = self.mild if mild else self.audible
        return low + (high - low) * fault.strength


_JITTER_S = _Doses((0.003, 0.009), (0.035, 0.07))
_SAG_DB = _Doses((0.7, 2.0), (7.0, 15.0))
_HOLE_DB = _Doses((1.0, 4.0), (30.0, 60.0))
_LONGEST_HOLE_S = _Doses((0.1, 0.2), (0.15, 0.45))
_DULL_SHARE = _Doses((0.05, 0.2), (0.9, 1.0))
_DULL_HZ = _Doses((2500.0, 1500.0), (700.0, 300.0))
_WRONG_DB = _Doses((-28.0, -20.0), (-4.0, 6.0))  # against the right notes
_ONLY_WRONG_DB = 3.0  # from here on the right notes are not played


def draw_blemishes(n_beats: int, families: Sequence[Family], rng: np.random.Generator) -> tuple[Fault, ...]:
    """Mild doses over one to three beats each, for a performance of `n_beats` beats, of all the families."""
    blemishes = []
    for family in families:
        for _ in range(rng.poisson(_BLEMISHES)):
            first = int(rng.integers(max(n_beats - 3, 1)))
            end = min(first + int(rng.integers(1, 4)), n_beats)
            blemishes.append(Fault(family, first, end, float(rng.random())))
    return tuple(blemishes)


def unevenness(spans_s: DoubleArray, faults: Sequence[Fault], rng: np.random.Generator, *, mild: bool) -> DoubleArray:
    """How late the first and second half of each beat come, in s, (2B,), for faults of timing; others are passed over.

    Args:
        spans_s: how long each half lasts, (2B,); none is moved by more than 0.4 of it.
        faults: in beats of the performance.
        rng: for direction and size.
        mild: as a blemish.
    """
    late_s = np.zeros(len(spans_s))
    for fault in faults:
        if fault.family == "timing":
            halves = slice(2 * fault.first_beat, 2 * fault.end_beat)
            n = len(late_s[halves])
            late_s[halves] += rng.choice([-1.0, 1.0], n) * rng.uniform(0.6, 1.0, n) * _JITTER_S.of(fault, mild=mild)
    most_s = 0.4 * np.minimum(spans_s, np.append(spans_s[:1], spans_s[:-1]))
    return np.clip(late_s, -most_s, most_s)


def spoil(
    sound: Array, beats: IntArray, faults: Sequence[Fault], sample_rate: int, rng: np.random.Generator, *, mild: bool
) -> None:
    """Apply the faults of the sound, in place; those of timing are passed over.

    Args:
        sound: float32 (2, n).
        beats: where the beats fall and the last one ends, (B+1,).
        faults: in beats of the performance.
        sample_rate: Hz.
        rng: for holes and wrong pitches.
        mild: as blemishes.
    """
    for fault in faults:
        marks = beats[fault.first_beat : fault.end_beat + 1] - beats[fault.first_beat]
        stretch = sound[:, beats[fault.first_beat] : beats[fault.end_beat]]
        if fault.family == "level":
            _mix(stretch, stretch * np.float32(10.0 ** (-_SAG_DB.of(fault, mild=mild) / 20.0)), 1.0, sample_rate)
        elif fault.family == "dropout":
            _interrupt(stretch, fault, sample_rate, rng, mild=mild)
        elif fault.family == "muffling":
            low_pass = butter(2, _DULL_HZ.of(fault, mild=mild), fs=sample_rate, output="sos").astype(np.float32)
            dull, _ = filtered(low_pass, stretch, np.zeros((1, len(stretch), 2), dtype=np.float32))
            _mix(stretch, dull, _DULL_SHARE.of(fault, mild=mild), sample_rate)
        elif fault.family == "wrong notes":
            semitones = float(rng.choice([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]))
            wrong_db = _WRONG_DB.of(fault, mild=mild)
            _mix(stretch, _wrong(stretch, marks, semitones, wrong_db, sample_rate), 1.0, sample_rate)


def _wrong(sound: Array, marks: IntArray, semitones: float, wrong_db: float, sample_rate: int) -> Array:
    """The stretch with transposed notes, as loud as before; beyond a share they take the place of the right ones."""
    notes = transposed(sound, marks, semitones, sample_rate)
    if wrong_db >= _ONLY_WRONG_DB:
        return notes
    gain = np.float32(10.0 ** (wrong_db / 20.0))
    return (sound + gain * notes) / np.sqrt(1.0 + gain * gain)


def _interrupt(sound: Array, fault: Fault, sample_rate: int, rng: np.random.Generator, *, mild: bool) -> None:
    """About two holes a second, in place."""
    n = sound.shape[1]
    low = np.float32(10.0 ** (-_HOLE_DB.of(fault, mild=mild) / 20.0))
    for start in rng.integers(0, max(n - 1, 1), max(round(2.0 * n / sample_rate), 1)).tolist():
        hole = sound[:, start : start + round(rng.uniform(0.08, _LONGEST_HOLE_S.of(fault, mild=mild)) * sample_rate)]
        _mix(hole, low * hole, 1.0, sample_rate, ramp_s=0.004)


def _mix(sound: Array, other: Array, share: float, sample_rate: int, *, ramp_s: float = _RAMP_S) -> None:
    """Go over to `share` of the other sound and back again, in place."""
    n = sound.shape[1]
    place = np.arange(n, dtype=np.float32)
    inside = np.clip(np.minimum(place, n - 1 - place) / np.float32(ramp_s * sample_rate), 0.0, 1.0)
    sound += np.float32(share) * inside * (other - sound)
