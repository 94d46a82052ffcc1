"""Sections and phrases: where parts of the form begin, and which parts are the same.

Boundaries are peaks of novelty on bars; a phrase is four bars counted from a boundary; sections with like sound and
harmony get one label. Source: checkerboard novelty, Foote 2000 (ICME); labels by clustering of segment means.
"""

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from rl_editor.analysis.activity import Activity, runs
from rl_editor.analysis.beat_features import BeatFeatures
from rl_editor.arrays import Array, IntArray, SmallIntArray

_KERNELS = (8, 16)  # bars each side
_LEAST_BARS = 4
_PHRASE_BARS = 4
_CLEAR = 0.35  # novelty, of the recording's 95th percentile, that begins a section
_CHANCE = 2.5  # times the difference that the bars' own variety would give
_ALIKE = 0.55  # mean distance, of the distance of any two bars, under which sections share a label


@dataclass(frozen=True, eq=False)
class Form:
    """Sections and phrases by beat."""

    section: IntArray
    """Number of each beat's section, (B,), rising."""
    label: tuple[str, ...]
    """Name of each section: sections of one name are alike; `-` for what is not music."""
    phrase: IntArray
    """Number of each beat's phrase, (B,), rising; a section begins a phrase."""


def find_form(features: BeatFeatures, bar: IntArray, bar_position: SmallIntArray, activity: SmallIntArray) -> Form:
    """Sections and phrases of a recording.

    Args:
        features: of its beats.
        bar: number of each beat's bar, (B,).
        bar_position: (B,), 0 on the downbeat.
        activity: (B,) of `Activity`.
    """
    bars, first_beat = _bar_vectors(features, bar)
    edges = {0, *runs(activity, Activity.MUSIC).ravel().tolist()} - {len(activity)}
    starts = sorted(edges | _section_starts(bars, first_beat, activity, edges))
    section = np.searchsorted(starts, np.arange(len(activity)), side="right") - 1
    is_music = np.array([activity[start] == Activity.MUSIC for start in starts])
    return Form(section, _labels(bars, bar, section, is_music), _phrases(np.array(starts), bar_position))


def _bar_vectors(features: BeatFeatures, bar: IntArray) -> tuple[Array, IntArray]:
    """Mean timbre and harmony of each bar, each of unit spread, (bars, D), and the beat each bar begins on."""
    first_beat = np.searchsorted(bar, np.arange(bar[-1] + 1))
    beats = features.beats
    counts = np.diff(np.append(first_beat, len(bar)))[:, None]
    means = np.add.reduceat(beats, first_beat, axis=0) / counts
    groups = []
    for name in ("mel", "chroma"):
        values = means[:, features.of(name)]
        values = values - values.mean(axis=0)
        groups.append(values / max(float(np.sqrt(np.square(values).sum(axis=1).mean())), 1e-9))
    return np.concatenate(groups, axis=1).astype(np.float32), first_beat


def _section_starts(bars: Array, first_beat: IntArray, activity: SmallIntArray, edges: set[int]) -> set[int]:
    """Beats on which novelty peaks clearly, at least four bars apart and from the edges of the music."""
    novelty = np.mean([_novelty(bars, reach) for reach in _KERNELS], axis=0)
    clear = _CLEAR * float(np.percentile(novelty, 95)) if len(novelty) else 0.0
    taken = [int(np.searchsorted(first_beat, edge)) for edge in edges]
    found = set()
    for candidate in np.argsort(-novelty, kind="stable").tolist():
        if novelty[candidate] <= clear:
            break
        if activity[first_beat[candidate]] != Activity.MUSIC:
            continue
        if min(abs(candidate - other) for other in taken) >= _LEAST_BARS:
            taken.append(candidate)
            found.add(int(first_beat[candidate]))
    return found


def _novelty(bars: Array, reach: int) -> Array:
    """How much the next `reach` bars differ from the ones before, beyond what their own variety explains, (bars,).

    The checkerboard sum of squared distances, from sums of vectors and of squares: no self-similarity matrix.
    """
    n = len(bars)
    at = np.arange(n)
    before, after = np.maximum(at - reach, 0), np.minimum(at + reach, n)
    sums = np.concatenate([np.zeros((1, bars.shape[1])), np.cumsum(bars, axis=0, dtype=np.float64)])
    left = (sums[at] - sums[before]) / np.maximum(at - before, 1)[:, None]
    right = (sums[after] - sums[at]) / np.maximum(after - at, 1)[:, None]
    apart = np.square(left - right).sum(axis=1)
    squares = np.concatenate([[0.0], np.cumsum(np.square(bars).sum(axis=1, dtype=np.float64))])
    n_left, n_right = np.maximum(at - before, 1), np.maximum(after - at, 1)
    spread = squares[after] - squares[before]
    spread -= n_left * np.square(left).sum(axis=1) + n_right * np.square(right).sum(axis=1)
    by_chance = np.maximum(spread, 0.0) / np.maximum(n_left + n_right - 2, 1) * (1.0 / n_left + 1.0 / n_right)
    certain = np.minimum(np.minimum(at - before, after - at) / min(reach, _LEAST_BARS), 1.0)
    return (np.maximum(apart - _CHANCE * by_chance, 0.0) * certain).astype(np.float32)


def _labels(bars: Array, bar: IntArray, section: IntArray, is_music: np.ndarray) -> tuple[str, ...]:
    """A, B, C, ... by first appearance; sections whose mean bars are near each other share one."""
    names = ["-"] * len(is_music)
    music = np.flatnonzero(is_music)
    if len(music) == 0:
        return tuple(names)
    means = np.stack([bars[np.unique(bar[section == number])].mean(axis=0) for number in music])
    groups = np.ones(1, dtype=int)
    if len(music) > 1:
        typical = float(np.sqrt(2.0 * np.square(bars - bars.mean(axis=0)).sum(axis=1).mean()))
        groups = fcluster(linkage(means, "average"), _ALIKE * max(typical, 1e-9), "distance")
    order = {group: k for k, group in enumerate(dict.fromkeys(groups.tolist()))}
    for number, group in zip(music, groups.tolist(), strict=True):
        names[number] = _letters(order[group])
    return tuple(names)


def _letters(k: int) -> str:
    return chr(ord("A") + k % 26) * (k // 26 + 1)


def _phrases(starts: IntArray, bar_position: SmallIntArray) -> IntArray:
    """Four bars each, counted from the section's first beat."""
    begins = np.zeros(len(bar_position), dtype=np.bool_)
    for first, last in zip(starts, [*starts[1:], len(bar_position)], strict=True):
        downbeats = first + np.flatnonzero(bar_position[first:last] == 0)
        begins[first] = True
        begins[downbeats[_PHRASE_BARS::_PHRASE_BARS] if len(downbeats) else []] = True
    return np.cumsum(begins) - 1
