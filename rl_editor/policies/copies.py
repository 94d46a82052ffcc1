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
REACH = 8
"""Beats either side that must run along."""
_NEAR = 8  # beats around a copy in which there is no second one
_GROUPS = ("timbre", "chroma", "onset")
_BLOCK = 512


class Copies(NamedTuple):
    """The copies of each beat."""

    beat: IntArray
    """(B, COPIES); later ones first, the more alike one first; the beat itself where there is none."""
    likeness: Array
    """Cosine of the surroundings, (B, COPIES) in [0, 1]; 0 where there is none."""


def find_copies(track: Track) -> Copies:
    """The copies of each beat of music."""
    described = _surroundings(sounds_of(track))
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


def sounds_of(track: Track) -> Array:
    """What beats are found by, (B, F)."""
    return np.concatenate(sound_groups(track), axis=1)


def sound_groups(track: Track) -> list[Array]:
    """Timbre, chroma and onsets against the mean of the music, each of unit length in the mean, (B, F) each."""
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
    padded = np.pad(sounds, ((REACH, REACH), (0, 0)))
    weights = np.sqrt(1.0 - np.abs(np.arange(-REACH, REACH + 1)) / (REACH + 1)).astype(np.float32)
    stacked = np.concatenate(
        [weight * padded[k : k + len(sounds)] for k, weight in enumerate(weights)], axis=1, dtype=np.float32
    )
    return of_unit_length(stacked)


def music_of(track: Track) -> Array:
    """What beats are found by, of unit length, (B, F); 0 where there is no music."""
    return np.where(track.is_music[:, None], of_unit_length(sounds_of(track)), np.float32(0.0))


def of_unit_length(rows: Array) -> Array:
    """Rows of unit length, (B, F); rows of nothing stay so."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
