"""Where else the same music is played: for each beat the places of a recording that run along with it.

A passage that was tried several times is heard several times. Whether a try is the good one can only be said against
the others, so each beat gets the beats it should be compared with: the most alike ones earlier and later, where the
likeness is that of the whole surroundings, so that copies of neighbouring beats are neighbours.
"""

from typing import NamedTuple

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, IntArray

COPIES = 4
"""Copies of a beat: two that come later, two that came before."""
_REACH = 8  # beats either side that must run along
_NEAR = 8  # beats around a copy in which there is no second one
_GROUPS = ("timbre", "chroma", "onset")
_SPANS = (0, 2, 8)  # beats either side over which distances are told as means
_ONSETS = 3  # bands of onsets
_BANDS = 8  # of mel whose difference is told
_DB = 6.0  # told as 1
_MOST = 4.0
COMPARED_COLUMNS = len(_GROUPS) * len(_SPANS) + 2 + _ONSETS + _BANDS
"""What is told of a beat beside one of its copies."""
_BLOCK = 512


class Copies(NamedTuple):
    """The copies of each beat."""

    beat: IntArray
    """(B, COPIES); later ones first, the more alike one first; the beat itself where there is none."""
    likeness: Array
    """Cosine of the surroundings, (B, COPIES) in [0, 1]; 0 where there is none."""


def find_copies(track: Track) -> Copies:
    """The copies of each beat of music."""
    described = _surroundings(_sounds(track))
    n_beats, sides = track.n_beats, ((1, slice(0, COPIES // 2)), (-1, slice(COPIES // 2, COPIES)))
    beat = np.tile(np.arange(n_beats)[:, None], (1, COPIES))
    likeness = np.zeros((n_beats, COPIES), dtype=np.float32)
    every = np.arange(n_beats)
    for first in range(0, n_beats, _BLOCK):
        rows = every[first : first + _BLOCK]
        alike = described[rows] @ described.T
        alike[:, ~track.is_music] = 0.0
        alike[~track.is_music[rows]] = 0.0
        distance = every - rows[:, None]
        for side, columns in sides:
            found = np.where(distance * side > _NEAR, alike, 0.0)
            for column in range(columns.start, columns.stop):
                best = found.argmax(axis=1)
                worth = found[np.arange(len(rows)), best]
                beat[rows, column] = np.where(worth > 0.0, best, rows)
                likeness[rows, column] = worth
                found[np.abs(every - best[:, None]) <= _NEAR] = 0.0
    return Copies(beat, likeness)


def compare(track: Track, copies: Copies) -> Array:
    """How each beat differs from its copies, (B, COPIES, COMPARED_COLUMNS) within +-4; 0 where there is none.

    Distances of timbre, chroma and onsets, at the beat and as means around it, in units of two beats of the music drawn
    at random; then what is signed: level, clearness of the beat, onsets by band, bands of mel, above 0 where the beat
    has more of it than its copy.
    """
    here, there = np.arange(track.n_beats)[:, None], copies.beat
    columns: list[Array] = []
    for sounds in _groups(track):
        distance = np.stack([_distances(sounds, here, there, offset) for offset in range(-_REACH, _REACH + 1)])
        columns += [distance[_REACH - span : _REACH + span + 1].mean(axis=0) for span in _SPANS]
    columns.append((track.level_db[here] - track.level_db[there]) / _DB)
    columns.append(track.confidence[here] - track.confidence[there])
    names = np.array(track.feature_names)
    onset, mel = (track.features[:, names == group].astype(np.float32) for group in ("onset", "mel"))
    for values, scale in ((_pooled(onset, _ONSETS), None), (_pooled(mel, _BANDS), _DB)):
        spread = np.maximum(values.std(axis=0), 1e-3) if scale is None else scale
        columns += list(np.moveaxis((values[here] - values[there]) / spread, 2, 0))
    told = np.clip(np.stack(columns, axis=2), -_MOST, _MOST).astype(np.float32)
    return np.where((copies.likeness > 0.0)[..., None], told, np.float32(0.0))


def _distances(sounds: Array, here: IntArray, there: IntArray, offset: int) -> Array:
    """Distances of beats `offset` after those of both sides, in units of two beats at random, (B, COPIES)."""
    last = len(sounds) - 1
    apart = sounds[np.clip(here + offset, 0, last)] - sounds[np.clip(there + offset, 0, last)]
    distance: Array = np.linalg.norm(apart, axis=2) / np.sqrt(2.0).astype(np.float32)
    return distance


def _pooled(values: Array, count: int) -> Array:
    """Columns put together to `count` of them, (B, count); 0 where there are none."""
    if not values.shape[1]:
        return np.zeros((len(values), count), dtype=np.float32)
    return np.stack([part.mean(axis=1) for part in np.array_split(values, count, axis=1)], axis=1)


def _sounds(track: Track) -> Array:
    """What beats are found by, (B, F)."""
    return np.concatenate(_groups(track), axis=1)


def _groups(track: Track) -> list[Array]:
    """Each group of features against the mean of the music, of unit length in the mean, (B, F) each."""
    groups = []
    names = np.array(track.feature_names)
    for group in _GROUPS:
        values = track.features[:, names == group].astype(np.float32)
        music = values[track.is_music] if track.is_music.any() else values
        middle = music.mean(axis=0)
        length = float(np.sqrt(np.square(music - middle).sum(axis=1).mean()))
        groups.append((values - middle) / max(length, 1e-6))
    return groups


def _surroundings(sounds: Array) -> Array:
    """Beats with those around them, weighed by a triangle, of unit length, (B, (2 REACH + 1) F)."""
    padded = np.pad(sounds, ((_REACH, _REACH), (0, 0)))
    weights = np.sqrt(1.0 - np.abs(np.arange(-_REACH, _REACH + 1)) / (_REACH + 1)).astype(np.float32)
    stacked = np.concatenate(
        [weight * padded[k : k + len(sounds)] for k, weight in enumerate(weights)], axis=1, dtype=np.float32
    )
    return stacked / np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-6)
