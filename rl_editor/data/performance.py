"""A performance of recorded music: played in its own tempo, with its own drift, looseness, level, tone and width.

Whatever sounds like music in a take goes through `perform`, good or bad, so that the process tells nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter

from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.audio.mixing import filtered
from rl_editor.data.faults import Fault
from rl_editor.data.recorded_faults import spoil, unevenness
from rl_editor.data.recording_channel import draw_equaliser, equalise
from rl_editor.data.stretching import stretched, transposed
from rl_editor.edits.render import crossfade

OVERLAP_S = 0.03
"""Neighbours in a raw fade into each other over the last 30 ms before the later one begins."""
_KNOT_S = 12.0
_TONE_DB = 2.0
_WIDTH_DB = 1.5
_LOOSENESS_S = 0.003


@dataclass(frozen=True, eq=False)
class Material:
    """Music that can be performed."""

    audio: Array
    """float32 (2, n); beyond its ends it is silent."""
    beats: IntArray
    """Samples where its beats begin and the last one ends, (B+1,)."""
    sample_rate: int
    """Hz."""


@dataclass(frozen=True, eq=False)
class Performance:
    """Music as it was performed."""

    audio: Array
    """float32 (2, lead + n); the lead, which lies before the first beat, is for the overlap."""
    beats: IntArray
    """Samples where the beats fall and the last one ends, (B+1,), the first at the end of the lead."""


def perform(
    material: Material,
    rng: np.random.Generator,
    *,
    tempo: float,
    faults: Sequence[Fault] = (),
    blemishes: Sequence[Fault] = (),
) -> Performance:
    """Play all of the material once.

    Args:
        material: what is played.
        rng: for drift, looseness, level, tone and width.
        tempo: against the material's own.
        faults: mistakes, in beats of the material.
        blemishes: what is not quite a mistake.
    """
    rate = material.sample_rate
    marks = _with_halves(material.beats)
    # each from its own generator: a fault changes nothing but what it spoils
    pace, slips, colour, blemished, spoilt = rng.spawn(5)
    wanted_s = _wanted_s(np.diff(marks) / rate, tempo, pace)
    spans_s = np.diff(wanted_s)
    late_s = pace.normal(0.0, _LOOSENESS_S, len(spans_s)).clip(-2 * _LOOSENESS_S, 2 * _LOOSENESS_S)
    late_s += unevenness(spans_s, blemishes, slips, mild=True) + unevenness(spans_s, faults, slips, mild=False)
    wanted_s[1:-1] += late_s[1:]
    sound, landed = stretched(material.audio, marks, wanted_s * rate, rate, lead=round(OVERLAP_S * rate))
    beats = landed[::2]
    _colour(sound, rate, colour)
    spoil(sound, beats, blemishes, rate, blemished, mild=True)
    spoil(sound, beats, faults, rate, spoilt, mild=False)
    return Performance(sound, beats)


def die_away(performance: Performance, last_beat: int) -> None:
    """Let a performance fade from `last_beat` to its end, in place, as a chord that is not stopped."""
    rest = performance.audio[:, performance.beats[last_beat] :]
    place = np.linspace(0.0, 1.0, rest.shape[1], dtype=np.float32)
    rest *= np.float32(10.0) ** (-2.5 * place) * (1.0 - place)


def repeated(material: Material, first_beat: int, n_beats: int, times: int) -> Material:
    """A figure of the material, round and round."""
    return _chained(material, [(first_beat, first_beat + n_beats)] * times)


def fiddled(material: Material, n_beats: int, rng: np.random.Generator) -> Material:
    """Somebody trying things out: single beats in any order, transposed, in a narrow band."""
    rate = material.sample_rate
    order = rng.integers(len(material.beats) - 1, size=n_beats).tolist()
    shuffled = _chained(material, [(beat, beat + 1) for beat in order])
    semitones = float(rng.choice([-5.0, -4.0, -3.0, -2.0, 2.0, 3.0, 4.0, 5.0]))
    high = transposed(shuffled.audio, shuffled.beats, semitones, rate)
    band = butter(2, [rng.uniform(150.0, 400.0), rng.uniform(1500.0, 4000.0)], "bandpass", fs=rate, output="sos")
    narrow, _ = filtered(band.astype(np.float32), high, np.zeros((2, 2, 2), dtype=np.float32))
    return Material(narrow, shuffled.beats, rate)


def append(raw: Array, at: int, sound: Array, lead: int) -> None:
    """Put a sound behind the first `at` samples of a raw, in place; its lead overlaps with what is there.

    Args:
        raw: float32 (2, n), long enough.
        at: samples where the sound begins.
        sound: float32 (2, lead + length).
        lead: samples that come before.
    """
    overlap = min(lead, at)
    if overlap:
        before = raw[:, at - overlap : at]
        before[:] = crossfade(before, sound[:, lead - overlap : lead])
    raw[:, at : at + sound.shape[1] - lead] = sound[:, lead:]


def _chained(material: Material, stretches: Sequence[tuple[int, int]]) -> Material:
    """Stretches of beats [first, end) one behind the other, joined as the parts of a raw are."""
    lead = round(OVERLAP_S * material.sample_rate)
    lengths = [np.diff(material.beats[first : end + 1]) for first, end in stretches]
    beats = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    audio, at = np.zeros((2, int(beats[-1])), dtype=np.float32), 0
    for (first, _), length in zip(stretches, lengths, strict=True):
        start, n = int(material.beats[first]), int(length.sum())
        before = min(lead, start)
        append(audio, at, material.audio[:, start - before : start + n], before)
        at += n
    return Material(audio, beats, material.sample_rate)


def _with_halves(beats: IntArray) -> IntArray:
    """Beginning and middle of each beat, and the end, (2B+1,)."""
    middles = (beats[:-1] + beats[1:]) // 2
    return np.append(np.stack([beats[:-1], middles], axis=1).ravel(), beats[-1])


def _wanted_s(spans_s: DoubleArray, tempo: float, rng: np.random.Generator) -> DoubleArray:
    """When each mark should come, in s, (M,) from 0: the tempo wanders slowly around what was meant."""
    at_s = np.cumsum(spans_s) - spans_s
    n_knots = int(at_s[-1] / _KNOT_S) + 2
    drift = rng.normal(0.0, 0.007, n_knots).clip(-0.015, 0.015)
    paces = tempo * (1.0 + np.interp(at_s / _KNOT_S, np.arange(n_knots), drift))
    return np.concatenate([[0.0], np.cumsum(spans_s / paces)])


def _colour(sound: Array, sample_rate: int, rng: np.random.Generator) -> None:
    """Its own tone, width and drift of level, in place."""
    equalise(sound, draw_equaliser(_TONE_DB, rng), sample_rate)
    side = (sound[0] - sound[1]) * np.float32(0.5 * (10.0 ** (rng.uniform(-_WIDTH_DB, _WIDTH_DB) / 20.0) - 1.0))
    sound[0] += side
    sound[1] -= side
    n_knots = int(sound.shape[1] / (_KNOT_S * sample_rate)) + 2
    knots_db = rng.normal(0.0, 0.7, n_knots).clip(-1.5, 1.5) + rng.normal(0.0, 0.8)
    place = np.arange(sound.shape[1], dtype=np.float32) / np.float32(_KNOT_S * sample_rate)
    sound *= np.interp(place, np.arange(n_knots), 10.0 ** (knots_db / 20.0)).astype(np.float32)
