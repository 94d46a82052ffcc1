"""Melodies: two-bar phrases of a motif that returns, chord tones where the bar is heavy, steps between."""

from dataclasses import dataclass

import numpy as np

from rl_editor.audio.grooves import Note

_ORDERS = ("aaba", "abab", "aabc", "abac")
_RANGE = 9  # semitones either side of the centre


@dataclass(frozen=True)
class _Motif:
    """A phrase without its chords: places, lengths and steps along the scale."""

    beats: list[float]
    lengths: list[float]
    moves: list[int]


def melody(
    chords: list[list[int]],
    scale: list[int],
    beats_per_bar: int,
    *,
    centre: int,
    swing: float,
    rng: np.random.Generator,
) -> list[Note]:
    """A tune over a section, beats from 0.

    Args:
        chords: pitch classes of each bar's chord.
        scale: pitch classes (any octave) the tune may use.
        beats_per_bar: 3 or 4.
        centre: MIDI pitch the tune stays around.
        swing: where in the beat its second half falls.
        rng: for motifs and their order.
    """
    order = str(rng.choice(_ORDERS))
    motifs = {name: _motif(2 * beats_per_bar, swing, rng) for name in "abc"}
    ladder = [p for p in range(centre - _RANGE, centre + _RANGE + 1) if p % 12 in {pc % 12 for pc in scale}]
    notes: list[Note] = []
    rung = len(ladder) // 2
    for phrase, bar in enumerate(range(0, len(chords), 2)):
        motif = motifs[order[phrase % 4]]
        for beat, length, move in zip(motif.beats, motif.lengths, motif.moves, strict=True):
            at = bar * beats_per_bar + beat
            if at >= len(chords) * beats_per_bar:
                break
            rung = int(np.clip(rung + move, 0, len(ladder) - 1))
            if beat % 1.0 == 0.0 or length >= 1.0:
                chord = chords[min(int(at // beats_per_bar), len(chords) - 1)]
                rung = _nearest_chord_tone(ladder, rung, chord)
            accent = 0.95 if beat % beats_per_bar == 0 else 0.8
            notes.append(Note(at, 0.92 * length, ladder[rung], accent))
        rung += round((len(ladder) / 2 - rung) / 2)
    return notes


def _motif(n_beats: int, swing: float, rng: np.random.Generator) -> _Motif:
    """Two bars of rhythm and contour that leave room to breathe at their end."""
    last = n_beats - 1.5
    places = [b + half for b in range(n_beats) for half in (0.0, swing) if b + half <= last]
    density = rng.uniform(0.35, 0.7)
    likely = [density * (1.3 if p % 1.0 == 0 else 0.7) for p in places]
    beats = [p for p, chance in zip(places, likely, strict=True) if rng.random() < chance]
    beats = beats if len(beats) >= 2 else [0.0, float(n_beats // 2)]
    ends = [*beats[1:], n_beats - 0.5]
    lengths = [min(end - start, 2.5) for start, end in zip(beats, ends, strict=True)]
    moves = [int(m) for m in rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3], len(beats))]
    return _Motif(beats, lengths, moves)


def _nearest_chord_tone(ladder: list[int], rung: int, chord: list[int]) -> int:
    tones = [k for k, pitch in enumerate(ladder) if pitch % 12 in chord]
    return min(tones, key=lambda k: abs(k - rung))
