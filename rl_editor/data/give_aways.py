"""Probes for give-aways: what in the sound of takes would tell the good attempt, other than that it has no mistakes.

A generator that treats good and bad alike leaves nothing to find: a classifier that sees only what stands here should
do no better than chance on songs it has not heard. Good and bad are compared at the same place of the song.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rl_editor.analysis.beat_features import quarter_bounds
from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.spectra import listen, log_mel, onset_bands
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.data.recorded_takes import RecordedTake
from rl_editor.data.take_card import TakePart

_SIDE_S = 0.02
_HIGH_HZ = 7000.0
_BANDS_HZ = (60.0, 250.0, 700.0, 1500.0, 3000.0, _HIGH_HZ)
_FRAME_S = 0.002
_LEAST = 20  # rows that make up a take that is judged by itself


@dataclass(frozen=True, eq=False)
class Twins:
    """Rows in pairs: one of a worse attempt, one of the good attempt at the same place of the song."""

    rows: Array
    """Features, (N, F), each column less its median over the take."""
    good: BoolArray
    """(N,)."""


def join_twins(take: RecordedTake) -> Twins:
    """What is heard 20 ms before and after attempts begin and end: level, bands, high band, noise floor.

    A start is compared with starts at the same beat, the end of a whole attempt with ends at the same beat.
    """
    pairs = [
        pair
        for worse, kept in _pairs(take.card.parts)
        for pair in ((worse.start, kept.start), (worse.end, kept.end))
        if (pair[0] == worse.start and worse.first_beat == kept.first_beat)
        or (pair[0] == worse.end and worse.song_end == kept.song_end)
    ]
    side = round(_SIDE_S * take.sample_rate)
    inside = [pair for pair in pairs if all(side <= at <= take.audio.shape[1] - side for at in pair)]
    return _twins([[_sides(take.audio, at, take.sample_rate) for at in pair] for pair in inside])


def beat_twins(take: RecordedTake) -> Twins:
    """Beats without a mistake: log-mel, chroma, level, noise floor, onsets in each quarter, length."""
    pairs = []
    for worse, kept in _pairs(take.card.parts):
        assert worse.first_beat is not None
        assert kept.first_beat is not None
        for beat in np.flatnonzero(_unspoiled(worse)).tolist():
            twin = beat + worse.first_beat - kept.first_beat
            if 0 <= twin < len(kept.beats) - 1:
                pairs.append((worse.beats[beat], kept.beats[twin]))
    if not pairs:
        return _twins([])
    starts, rows = _beat_rows(take)
    return _twins([[rows[np.searchsorted(starts, at)] for at in pair] for pair in pairs])


@dataclass(frozen=True, eq=False)
class Separability:
    """How well good can be told from worse, as the area under the curve: 0.5 is chance."""

    pooled: float
    """Over all rows."""
    within: Array
    """Of each take with at least 20 rows, float32 (N,)."""


def separability(takes: Sequence[Twins], songs: Sequence[str], *, folds: int = 5) -> Separability:
    """How well trees tell good from worse on songs they have not heard.

    Args:
        takes: of at least two songs.
        songs: which song each take is of, (N,).
        folds: parts the songs are divided into, each judged by what was learned from the others.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]
    from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

    names = list(dict.fromkeys(songs))
    fold = np.array([names.index(song) % min(folds, len(names)) for song in songs])
    chances = [np.zeros(0)] * len(takes)
    for number in range(fold.max() + 1):
        seen = [takes[k] for k in np.flatnonzero(fold != number).tolist()]
        trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, min_samples_leaf=40, random_state=0)
        trees.fit(np.concatenate([twins.rows for twins in seen]), np.concatenate([twins.good for twins in seen]))
        for k in np.flatnonzero(fold == number).tolist():
            if len(takes[k].rows):
                chances[k] = trees.predict_proba(takes[k].rows)[:, 1]
    pooled = roc_auc_score(np.concatenate([twins.good for twins in takes]), np.concatenate(chances))
    judged = [k for k, twins in enumerate(takes) if len(twins.rows) >= _LEAST]
    within = [roc_auc_score(takes[k].good, chances[k]) for k in judged]
    return Separability(float(pooled), np.array(within, dtype=np.float32))


def _pairs(parts: Sequence[TakePart]) -> list[tuple[TakePart, TakePart]]:
    """Each worse attempt and the good attempts at what it plays."""
    attempts = [part for part in parts if part.first_beat is not None]
    return [
        (worse, kept)
        for kept in attempts
        for worse in attempts
        if kept.kept and not worse.kept and worse.unit in (kept.unit, None)
    ]


def _unspoiled(part: TakePart) -> BoolArray:
    """Beats, all but the last, that touch no mistake, (B - 1,)."""
    begins, ends = np.array(part.beats[:-1]), np.array(part.beats[1:])
    clean = np.ones(len(begins), dtype=np.bool_)
    for spoiled in part.spoiled:
        clean &= (ends <= spoiled.start) | (begins >= spoiled.end)
    return clean


def _twins(pairs: list[list[Array]]) -> Twins:
    rows = np.array(pairs, dtype=np.float32).reshape(2 * len(pairs), -1)
    # a good row stands once for each worse one; counted so, the median itself would tell it
    if len(rows):
        rows -= np.median(np.unique(rows, axis=0), axis=0).astype(np.float32)
    return Twins(rows, np.arange(len(rows)) % 2 == 1)


def _beat_rows(take: RecordedTake) -> tuple[IntArray, Array]:
    """Features between any two beats that follow each other, and where they begin."""
    bounds = np.unique(np.append(take.beats, take.audio.shape[1]))
    spectra = listen(take.audio, take.sample_rate)
    per_sample = spectra.frame_rate / take.sample_rate
    level = log_mel(spectra.mel)
    high = level[:, -8:].min(axis=1, keepdims=True)
    edges: DoubleArray = (bounds * per_sample).astype(np.float64)
    onsets = span_means(onset_bands(spectra.mel), quarter_bounds(bounds) * np.float64(per_sample))
    columns: list[Array] = [
        span_means(level, edges),
        span_means(spectra.chroma, 0.25 * edges),
        span_means(level.mean(axis=1, keepdims=True), edges),
        span_means(high, edges),
        onsets.reshape(len(bounds) - 1, -1),
        (np.diff(bounds)[:, None] / take.sample_rate).astype(np.float32),
    ]
    return bounds[:-1], np.concatenate(columns, axis=1)


def _sides(audio: Array, at: int, sample_rate: int) -> Array:
    """Features of the sound on both sides of a place, and of the step between them."""
    side, frame = round(_SIDE_S * sample_rate), round(_FRAME_S * sample_rate)
    sides = [_side(audio[:, at - side : at], sample_rate), _side(audio[:, at : at + side], sample_rate)]
    nearby = np.diff(audio[:, at - frame : at + frame], n=2, axis=1)
    click = 20.0 * np.log10(np.abs(nearby).max() + 1e-6)
    return np.concatenate([*sides, sides[1] - sides[0], [click]]).astype(np.float32)


def _side(sound: Array, sample_rate: int) -> Array:
    """Bands and lowest levels of 20 ms, in dB."""
    window = np.hanning(sound.shape[1]).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(sound * window, axis=1))).mean(axis=0)
    hz = np.arange(len(power)) * (sample_rate / sound.shape[1])
    edges = np.searchsorted(hz, [*_BANDS_HZ, 0.5 * sample_rate])
    bands = [power[a:b].mean() for a, b in pairwise(edges)]
    frame = round(_FRAME_S * sample_rate)
    n = sound.shape[1] // frame
    detail = np.diff(sound, n=2, axis=1)
    floors = [
        np.square(x[:, : (n - 1) * frame]).reshape(len(x), n - 1, frame).mean(axis=(0, 2)).min()
        for x in (sound, detail)
    ]
    return 10.0 * np.log10(np.array([np.square(sound).mean(), *bands, *floors], dtype=np.float32) + 1e-10)
