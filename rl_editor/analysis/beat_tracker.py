"""Beats by dynamic programming, and the choice among tempi.

For each candidate tempo the best sequence of beats is found exactly: states are (a beat at t, the interval to the
next), so that the tempo may drift. The pulse may also jump, as a cut makes it do, at a cost that a few syncopated bars
don't make up for. What is heard on the beats and between them then decides among the candidates; the others are kept,
for they tell where the octave or the half beat is in doubt.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from rl_editor.analysis.tempo import FRAME_RATE, Candidate, Stretch, tempo_stretches
from rl_editor.arrays import Array, DoubleArray, IntArray

_BAND_WEIGHTS = np.array([1.0, 0.7, 0.7], dtype=np.float32)
_REACH = 0.22  # intervals lie within this share of the candidate's period
_INTERVALS = 41
_CHANGE_COST = 120.0
"""Evidence that a change of the interval by a factor e must outweigh; 1 % costs 1.2, a clear onset is worth 2 to 3."""
_JUMP_COST = 25.0
"""Evidence that a single interval of any length must outweigh: ten clear onsets.

Both costs are the best of a coarse grid on the accompaniments that gave `_WEIGHTS` and 48 medleys of them: as they
are, drifting, with a wandering tempo, and with 2.5 beats cut out. Mean F .946 and AMLt .978; at half the cost of change
and without jumps .944 and .976. The optimum is flat: 100 does as well as 120."""
_JUMP = (0.6, 1.6)  # such an interval as a share of the period: any place in the beat is reached
_OVERLAP = round(9.0 * FRAME_RATE)  # the place of a new tempo is known to about 6 s
_SAME_READING = 0.03
_USUAL_BPM = 112.0
_WEIGHTS = np.array([0.52, -0.31, -1.20, -0.68, 0.25, -2.53, 0.69])
"""Log-odds for each of `reading_features`: conditional logit between the candidates of 146 accompaniments of 45 s by
MMA (random groove, chords and tempo of 69 to 187 bpm; FluidR3). In 8-fold cross-validation it has F .92, AMLt .98;
always the first candidate .88, .97."""


class Reading(NamedTuple):
    """One way to hear a stretch of the recording."""

    tempo_bpm: float
    """Mean over its beats."""
    score: float
    """Log-odds that this reading is right; only differences between readings mean anything."""
    off_beat_score: float
    """The same if every beat stood half an interval later; near or above `score` where the half beat is in doubt."""


@dataclass(frozen=True, eq=False)
class Tracked:
    """Beats of one stretch of steady tempo, and the readings that were weighed."""

    start_s: float
    end_s: float
    readings: tuple[Reading, ...]
    """Best first; the first is what the beats follow."""

    @property
    def margin(self) -> float:
        """How much better the chosen reading scores than the next; infinite where there is no other."""
        return self.readings[0].score - self.readings[1].score if len(self.readings) > 1 else float("inf")


@dataclass(frozen=True, eq=False)
class Beats:
    """Where the beats are, before the grid is made of them."""

    times_s: DoubleArray
    """(K,), ascending; empty where nothing is heard."""
    stretches: tuple[Tracked, ...]
    """Parts of different tempo, in order; silent ones are left out."""


def track_beats(onsets: Array) -> Beats:
    """Beats of a recording, by parts of different tempo.

    Args:
        onsets: onset strength in low, mid and high bands, (T, 3), at `FRAME_RATE`.
    """
    sound = heard(onsets)
    parts = [(stretch, _read(sound, stretch)) for stretch in tempo_stretches(sound.strength)]
    parts = [(stretch, paths) for stretch, paths in parts if paths]
    frames = np.zeros(0, dtype=np.int64)
    for stretch, paths in parts:
        frames = _joined(frames, paths[0][1], sound.evidence, near=stretch.start)
    tracked = (
        Tracked(stretch.start / FRAME_RATE, stretch.end / FRAME_RATE, tuple(reading for reading, _ in paths))
        for stretch, paths in parts
    )
    return Beats(_at_onsets(frames, sound.smooth) / FRAME_RATE, tuple(tracked))


def _at_onsets(frames: IntArray, smooth: DoubleArray) -> IntArray:
    """Beats (K,), each at the strongest of its own frame and its neighbours: the onset it was found by."""
    around = np.clip(frames[:, None] + np.array([0, -1, 1]), 0, len(smooth) - 1)
    return np.take_along_axis(around, smooth[around].argmax(axis=1)[:, None], axis=1)[:, 0]


def onset_strength(onsets: Array) -> Array:
    """Onset strength (T,) of all bands together, low ones most, from onsets in low, mid and high bands, (T, 3)."""
    return onsets @ _BAND_WEIGHTS


class Heard(NamedTuple):
    """What the tracker hears, each (T,)."""

    strength: Array
    smooth: DoubleArray
    """Strength smoothed over three frames."""
    evidence: DoubleArray
    """For a beat at a frame: the best smoothed strength within 10 ms, less its mean over 10 s, so that a beat placed
    blindly earns nothing."""
    nearby: Array
    """Strongest onset within 20 ms."""
    contrast: Array
    """The same of middle and high bands less low: a snare more than a bass drum."""


def heard(onsets: Array) -> Heard:
    """What the tracker hears in onsets in low, mid and high bands, (T, 3)."""
    from scipy.ndimage import convolve1d, maximum_filter1d, uniform_filter1d

    strength = onset_strength(onsets)
    smooth = convolve1d(strength.astype(np.float64), np.array([0.25, 0.5, 0.25]))
    # players are a frame or two early or late: within a frame an onset counts as on the beat
    best = maximum_filter1d(smooth, 3)
    low, middle, high = (maximum_filter1d(band, 5) for band in onsets.T)
    return Heard(
        strength=strength,
        smooth=smooth,
        evidence=best - uniform_filter1d(best, round(10.0 * FRAME_RATE)),
        nearby=maximum_filter1d(strength, 5),
        contrast=middle + high - low,
    )


def reading_features(sound: Heard, beats: IntArray, candidate: Candidate) -> DoubleArray:
    """What speaks for and against a reading, in the order of `_WEIGHTS`."""
    intervals = np.diff(beats)

    def at(part: float) -> float:
        return float(sound.nearby[beats[:-1] + np.round(part * intervals).astype(int)].mean())

    octaves = np.log2(60.0 * FRAME_RATE / np.median(intervals) / _USUAL_BPM)
    return np.array(
        [
            at(0.0),
            at(1 / 2),
            (at(1 / 4) + at(3 / 4)) / 2,
            (at(1 / 3) + at(2 / 3)) / 2,
            abs(float(sound.contrast[beats[::2]].mean() - sound.contrast[beats[1::2]].mean())),
            octaves**2,
            candidate.score,
        ]
    )


def best_beats(evidence: DoubleArray, period: float) -> IntArray:
    """Frames of the beats which together explain the evidence best, (K,), ascending.

    The sum of the evidence at the beats, less 120 |ln(tau / tau')| for each two successive intervals. Intervals lie
    within 22 % of the period and are rounded to frames either way; the first beat is less than an interval from the
    start, the last from the end. Any interval may instead be a jump, of 0.6 to 1.6 periods, at a cost of 25.

    Args:
        evidence: for a beat at each frame, (T,).
        period: in frames, at least 2.
    """
    nominal = period * np.exp(np.linspace(-1.0, 1.0, _INTERVALS) * _REACH)
    step_cost = _CHANGE_COST * 2.0 * _REACH / (_INTERVALS - 1)
    jumps = np.round(period * np.array(_JUMP)).astype(np.int64)
    return _best_path(evidence.astype(np.float64), nominal.astype(np.int64), step_cost, jumps, _JUMP_COST)


@njit(cache=True)
def _best_path(evidence, shorter, step_cost, jumps, jump_cost):  # type: ignore[no-untyped-def]
    # an interval lies between two whole frames and may take either, or steady tempi would pay for rounding
    n, n_states, ring = len(evidence), len(shorter), shorter[-1] + 2
    value = np.empty((ring, n_states))  # of the best path with a beat at t and this interval to the next
    best = np.empty(n)  # of the best path with a beat at t
    best_state = np.empty(n, dtype=np.int64)
    # 2 * state, + 1 for the longer; from 2 * n_states the gap of a jump; -1 where the path begins
    came_from = np.empty((n, n_states), dtype=np.int16)
    arriving = np.empty(n_states)
    end_value, end_t, end_state = -np.inf, 0, -1
    for t in range(n):
        origin = came_from[t]
        for j in range(n_states):
            arriving[j], origin[j] = (0.0, -1) if t <= shorter[j] else (-np.inf, 0)
            for longer in range(2):
                gap = shorter[j] + longer
                if t >= gap and value[(t - gap) % ring, j] > arriving[j]:
                    arriving[j], origin[j] = value[(t - gap) % ring, j], 2 * j + longer
        # the cost is linear in the number of steps, so two passes find the best origin of every state
        for j in range(1, n_states):
            if arriving[j - 1] - step_cost > arriving[j]:
                arriving[j], origin[j] = arriving[j - 1] - step_cost, origin[j - 1]
        for j in range(n_states - 2, -1, -1):
            if arriving[j + 1] - step_cost > arriving[j]:
                arriving[j], origin[j] = arriving[j + 1] - step_cost, origin[j + 1]
        jump, jumping = _best_jump(best, t, jumps)
        row = value[t % ring]
        for j in range(n_states):
            if jumping - jump_cost > arriving[j]:
                arriving[j], origin[j] = jumping - jump_cost, 2 * n_states + jump
            row[j] = arriving[j] + evidence[t]
            if t + shorter[j] + 1 >= n and row[j] > end_value:
                end_value, end_t, end_state = row[j], t, j
        best_state[t] = row.argmax()
        best[t] = row[best_state[t]]
    return _traced(came_from, shorter, best_state, end_t, end_state)


@njit(cache=True)
def _best_jump(best, t, jumps):  # type: ignore[no-untyped-def]
    jump, value = 0, -np.inf
    for gap in range(jumps[0], min(jumps[1], t) + 1):
        if best[t - gap] > value:
            jump, value = gap, best[t - gap]
    return jump, value


@njit(cache=True)
def _traced(came_from, shorter, best_state, t, state):  # type: ignore[no-untyped-def]
    frames = np.empty(len(came_from), dtype=np.int64)
    count = 0
    while state >= 0:
        frames[count] = t
        count += 1
        step = came_from[t, state]
        if step >= 2 * len(shorter):
            t -= step - 2 * len(shorter)
            state = best_state[t]
        else:
            state = step // 2
            if state >= 0:
                t -= shorter[state] + step % 2
    return frames[:count][::-1].copy()


def _read(sound: Heard, stretch: Stretch) -> list[tuple[Reading, IntArray]]:
    """The readings of a stretch and their beats, which overlap the neighbours, best first."""
    first, last = max(0, stretch.start - _OVERLAP), min(len(sound.strength), stretch.end + _OVERLAP)
    evidence = sound.evidence[first:last]
    found = []
    for candidate in stretch.candidates:
        frames = first + best_beats(evidence, 60.0 * FRAME_RATE / candidate.tempo_bpm)
        inner = frames[(frames >= stretch.start) & (frames < stretch.end)]
        if len(inner) < 3:
            continue
        moved = inner[:-1] + np.diff(inner) // 2
        score, off_beat = (float(_WEIGHTS @ reading_features(sound, beats, candidate)) for beats in (inner, moved))
        tempo_bpm = 60.0 * FRAME_RATE * (len(inner) - 1) / float(inner[-1] - inner[0])
        found.append((Reading(tempo_bpm, score, off_beat), frames))
    found.sort(key=lambda pair: -pair[0].score)
    # two candidates may lead to the same beats
    return [
        (reading, frames)
        for rank, (reading, frames) in enumerate(found)
        if all(abs(np.log(reading.tempo_bpm / better.tempo_bpm)) > _SAME_READING for better, _ in found[:rank])
    ]


def _joined(first: IntArray, second: IntArray, evidence: DoubleArray, *, near: int) -> IntArray:
    """Beats of two neighbouring stretches as one sequence, changed over where both together explain most.

    A beat counts as long as it lasts, or twice the tempo would explain more than the right one.
    """
    if len(first) == 0:
        return second
    places = np.arange(max(0, near - _OVERLAP), min(len(evidence), near + _OVERLAP))
    ours, theirs = (evidence[beats] * np.gradient(beats.astype(np.float64)) for beats in (first, second))
    before = np.append(0.0, np.cumsum(ours))[np.searchsorted(first, places)]
    after = np.append(np.cumsum(theirs[::-1])[::-1], 0.0)[np.searchsorted(second, places)]
    change = places[int((before + after).argmax())]
    kept, going_on = first[first < change], second[second >= change]
    shortest = min(np.diff(beats).min(initial=len(evidence)) for beats in (first, second))
    if len(kept) and len(going_on) and going_on[0] - kept[-1] < 0.7 * shortest:
        going_on = going_on[1:]
    return np.concatenate([kept, going_on])
