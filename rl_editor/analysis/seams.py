"""Seams: how different is what is heard over a (possible) join from what would have been heard?

Two measures, because they hear different things. *Continuation* compares what would have followed and what led here
with what follows and leads there, two beats either side: it hears a limp of a quarter beat and the wrong bar. *Step*
compares the sound just before with the sound just after the join: it hears a jump of level, and judges places where
nothing continues. Unit of both: 1.0 is the 98th percentile of the recording's own consecutive beats; continuation
below 0.35 is good, above 0.6 doubtful.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.beat_features import QUARTERS, BeatFeatures
from rl_editor.analysis.spectra import Spectra, log_mel
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray

CONTINUATION_TERMS = ("mel", "chroma", "onset", "timbre")
SEAM_TERMS = (*CONTINUATION_TERMS, "step_level", "step_spectrum")
"""Columns of a seam vector, each in units of the recording's own 98th percentile."""
TERM_WEIGHTS = (0.45, 0.30, 0.15, 0.10)
"""Share of each continuation term."""
_OFFSETS = range(-2, 2)
"""Beats compared around a join, relative to the playhead."""
_FEWEST = 2  # compared beats under which a continuation means nothing
# Half an FFT window stays clear of the join on either side, or a natural step is measured by its overlap.
_STEP_FRAMES = np.arange(3, 10)


@dataclass(frozen=True, eq=False)
class Continuation:
    """Beats as vectors whose distance is the continuation measure, by term and by half-beat shift."""

    vectors: tuple[tuple[Array, Array], ...]
    """For each term the beats (B, D) as they stand and those shifted by half a beat, in natural units."""

    @property
    def n_beats(self) -> int:
        """B."""
        return len(self.vectors[0][0])

    def costs(self, first: int, last: int) -> Array:
        """Continuation from playheads [first, last) to each landing, (last - first, 2B), column 2j + h.

        Infinite where fewer than two beats can be compared.
        """
        output = np.empty((last - first, 2 * self.n_beats), dtype=np.float32)
        for half in (0, 1):
            output[:, half::2] = self.diagonals(first, last, _OFFSETS, half=half)
        return output

    def diagonals(self, first: int, last: int, offsets: range, *, half: int = 0) -> Array:
        """Mean distance of beats p + o from beats j + o over `offsets`, for playheads p of [first, last) and all j.

        (last - first, B), natural units; infinite where fewer than two beats can be compared. With `half` = 1 from
        beats that begin half a beat after j + o.
        """
        rows = np.arange(first + offsets[0], last + offsets[-1])
        inside = (rows >= 0) & (rows < self.n_beats)
        distance = np.zeros((len(rows), self.n_beats), dtype=np.float32)
        distance[inside] = self.distances(rows[inside], np.arange(self.n_beats), half=half)
        return _along_diagonals(distance, inside, last - first, offsets)

    def distances(self, here: IntArray, there: IntArray, *, half: int = 0) -> Array:
        """Distance of each of the beats `here` from each of `there`, (len(here), len(there)), natural units."""
        total = np.zeros((len(here), len(there)), dtype=np.float32)
        for weight, shifts in zip(TERM_WEIGHTS, self.vectors, strict=True):
            total += weight * _distances(shifts[0][here], shifts[half][there])
        return total

    def pairs(self, here: IntArray, there: IntArray) -> Array:
        """Distance of beats `here` from beats `there`, each (N,), pair by pair, (N,), natural units."""
        terms = [np.linalg.norm(plain[here] - plain[there], axis=1) for plain, _ in self.vectors]
        return np.tensordot(np.array(TERM_WEIGHTS, dtype=np.float32), np.array(terms), axes=1)

    def terms(self, playhead: IntArray, beat: IntArray, half: IntArray) -> Array:
        """The measure's terms for pairs of playhead and landing, each (N,), as (N, 4)."""
        here = playhead[:, None] + np.array(_OFFSETS)
        there = beat[:, None] + np.array(_OFFSETS)
        valid = (here >= 0) & (here < self.n_beats) & (there >= 0) & (there < self.n_beats)
        here, there = np.where(valid, here, 0), np.where(valid, there, 0)
        output = np.empty((len(playhead), len(CONTINUATION_TERMS)), dtype=np.float32)
        for column, shifts in enumerate(self.vectors):
            shifted = np.where((half == 1)[:, None, None], shifts[1][there], shifts[0][there])
            distance = np.linalg.norm(shifts[0][here] - shifted, axis=2) * valid
            output[:, column] = distance.sum(axis=1) / np.maximum(valid.sum(axis=1), 1)
        return output


def continuation(features: BeatFeatures, is_music: BoolArray) -> Continuation:
    """Prepare the continuation measure.

    Args:
        features: of the recording.
        is_music: (B,); the unit is taken from neighbouring beats that are both music.
    """
    vectors = []
    for term in CONTINUATION_TERMS:
        quarters = features.quarters[:, features.of(term)]
        quarters = quarters - quarters.mean(axis=0)
        shifted = np.concatenate([quarters[QUARTERS // 2 :], quarters[-QUARTERS // 2 :]])
        plain, shifted = (values.reshape(len(is_music), -1) for values in (quarters, shifted))
        unit = _percentile_98(np.linalg.norm(np.diff(plain, axis=0), axis=1), is_music[:-1] & is_music[1:])
        scale = np.float32(1.0 / unit)
        vectors.append((plain * scale, shifted * scale))
    return Continuation(tuple(vectors))


@dataclass(frozen=True, eq=False)
class Step:
    """Sound just before and just after each possible place of a join, column 2j + h as in `Continuation`."""

    before: Array
    """Spectrum in dB, (2B + 1, 41): level, then the shape of 40 bands; the last row is the end."""
    after: Array
    unit: Array
    """98th percentile of the recording's own steps: level (dB) and spectrum (dB)."""

    def terms(self, here: IntArray, there: IntArray) -> Array:
        """Steps from places `here` to places `there`, each (N,) of column numbers, as (N, 2)."""
        difference = self.after[there] - self.before[here]
        level = np.abs(difference[:, 0])
        spectrum = np.sqrt(np.square(difference[:, 1:]).mean(axis=1))
        return (np.stack([level, spectrum], axis=1) / self.unit).astype(np.float32)


def step(spectra: Spectra, places_s: DoubleArray) -> Step:
    """Prepare the step measure for places (2B + 1,) in seconds: each beat, each half, the end."""
    level = log_mel(spectra.mel)
    centre = np.round(places_s * spectra.frame_rate).astype(int)[:, None]
    last = len(level) - 1

    def around(frames: IntArray) -> Array:
        heard = level[np.clip(centre + frames, 0, last)].mean(axis=1)
        overall = heard.mean(axis=1, keepdims=True)
        return np.concatenate([overall, heard - overall], axis=1)

    before, after = around(-_STEP_FRAMES), around(_STEP_FRAMES)
    measured = Step(before, after, np.ones(2, dtype=np.float32))
    beats = np.arange(2, len(places_s) - 1, 2)
    own = measured.terms(beats, beats)
    unit = np.array([_percentile_98(column, np.ones(len(own), dtype=np.bool_)) for column in own.T])
    return Step(before, after, unit.astype(np.float32))


def _along_diagonals(distance: Array, inside: BoolArray, n_rows: int, offsets: range) -> Array:
    """Mean over the compared offsets of distance[p + o, j + o], (n_rows, B)."""
    n_beats = distance.shape[1]
    total = np.zeros((n_rows, n_beats), dtype=np.float32)
    count = np.zeros((n_rows, n_beats), dtype=np.float32)
    for k, offset in enumerate(offsets):
        if abs(offset) >= n_beats:
            continue
        into = slice(max(0, -offset), n_beats - max(0, offset))
        out_of = slice(max(0, offset), n_beats - max(0, -offset))
        total[:, into] += distance[k : k + n_rows, out_of]
        count[:, into] += inside[k : k + n_rows, None]
    total /= np.maximum(count, 1)
    total[count < _FEWEST] = np.inf
    return total


def _distances(x: Array, y: Array) -> Array:
    """Euclidean distances of rows, (len(x), len(y))."""
    squared = (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2.0 * (x @ y.T)
    return np.sqrt(np.maximum(squared, 0.0))


def _percentile_98(values: Array, among: BoolArray) -> float:
    """98th percentile where there are enough values, never 0 (a recording of one repeated sample)."""
    chosen = values[among] if among.sum() >= 8 else values
    return max(float(np.percentile(chosen, 98)), 1e-6) if len(chosen) else 1.0
