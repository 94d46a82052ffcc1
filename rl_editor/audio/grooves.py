"""Grooves: what drummers, bassists and accompanists play in a bar, written down as steps.

A pattern has four steps a beat: `X` accented, `x` played, `o` soft, `.` silent. Patterns are read bar by bar.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rl_editor.audio.drums import Drum

STEPS = 4
"""Steps a beat."""
_LOUDNESS = {"X": 1.0, "x": 0.72, "o": 0.38}


class Note(NamedTuple):
    """One note or stroke, as written."""

    beat: float
    """Where it starts, in beats from the start of the song."""
    length: float
    """How long it is held, in beats."""
    pitch: int
    """MIDI pitch, or the `Drum` that is struck."""
    velocity: float
    """How hard, about 0.2 to 1."""
    layer: int = 0
    """0 the stem's first instrument, 1 its second."""


@dataclass(frozen=True)
class Groove:
    """How a band moves: patterns for kick, snare and hat, feels that fit bass and chords, tempi."""

    name: str
    beats_per_bar: int
    slowest_bpm: float
    fastest_bpm: float
    kick: tuple[str, ...]
    """One is chosen for the verse, one for the chorus."""
    snare: str
    hat: str
    bass: tuple[str, ...]
    """Feels: `roots`, `eighths`, `octaves`, `fifths`, `kick`, `walking`."""
    chords: tuple[str, ...]
    """Feels: `held`, `quarters`, `eighths`, `arpeggio`, `stabs`."""
    swing: float = 0.5
    """Where in the beat its second half falls: 0.5 is straight."""


GROOVES = (
    Groove("rock", 4, 98, 150, ("X.......X.x.....", "X.....x.X.x...x.", "X.x.....X.x....."),
           "....X.......X...", "X.x.X.x.X.x.X.x.", ("eighths", "kick", "roots"), ("eighths", "held", "arpeggio")),
    Groove("dance", 4, 112, 132, ("X...X...X...X...",), "....X.......X...", "x.X.x.X.x.X.x.X.",
           ("octaves", "eighths", "kick"), ("stabs", "held", "quarters")),
    Groove("half-time", 4, 128, 170, ("X.....x.....x...", "X.........x.....", "X.....x...x....."),
           "........X.......", "X.x.x.x.X.x.x.x.", ("roots", "kick"), ("held", "arpeggio", "quarters")),
    Groove("funk", 4, 88, 112, ("X..x......x..x..", "X.....x..x......", "X.x....x..x....."),
           "....X..o.o..X..o", "XoxoXoxoXoxoXoxo", ("kick", "octaves"), ("stabs", "quarters")),
    Groove("shuffle", 4, 92, 138, ("X.......X.....x.", "X.....x.X......."),
           "....X.......X...", "X.x.X.x.X.x.X.x.", ("walking", "fifths"), ("quarters", "stabs", "held"), 0.66),
    Groove("ballad", 4, 75, 92, ("X.........x.....", "X.....x...x.....", "X.......x.x....."),
           "....X.......X...", "x.o.x.o.x.o.x.o.", ("roots", "fifths"), ("arpeggio", "held", "quarters")),
    Groove("country", 4, 100, 128, ("X.......X.......",), "oox.X.o.oox.X.oo", "x...x...x...x...",
           ("fifths", "walking"), ("quarters", "eighths", "arpeggio")),
    Groove("waltz", 3, 92, 150, ("X...........", "X.........x."), "....x...x...", "X.o.x.o.x.o.",
           ("roots", "fifths"), ("quarters", "arpeggio", "held")),
    Groove("slow waltz", 3, 78, 104, ("X.....x.....", "X..........."), "........X...", "x.x.x.x.x.x.",
           ("roots", "walking"), ("arpeggio", "held")),
)  # fmt: skip
"""All grooves; a song keeps to one."""


def steps(pattern: str) -> list[tuple[float, float]]:
    """(beat within the bar, velocity) of each stroke of a pattern."""
    return [(i / STEPS, _LOUDNESS[c]) for i, c in enumerate(pattern) if c != "."]


def drum_bar(groove: Groove, kick: str, hat: Drum | None, *, energy: float, rng: np.random.Generator) -> list[Note]:
    """One bar of the groove, beats from 0; an extra soft kick or ghost note comes and goes.

    Args:
        groove: whose snare and hat patterns are played.
        kick: pattern of the bass drum; all dots leave it out.
        hat: the piece that keeps time, None for nobody.
        energy: 0 to 1: how hard; below 0.6 the rim takes the place of the snare.
        rng: for the variations.
    """
    snare = Drum.SNARE if energy >= 0.6 else Drum.RIM
    notes = [Note(b, 0.25, Drum.KICK, v) for b, v in steps(kick)]
    notes += [Note(b, 0.25, snare, v) for b, v in steps(groove.snare)]
    if hat is not None:
        notes += [Note(b, 0.25, hat, 0.8 * v) for b, v in steps(groove.hat)]
    if rng.random() < 0.2:
        off = float(rng.integers(0, groove.beats_per_bar)) + float(rng.choice([0.5, 0.75]))
        notes.append(Note(off, 0.25, Drum.KICK if rng.random() < 0.5 else snare, 0.35))
    return [n._replace(velocity=n.velocity * (0.55 + 0.45 * energy)) for n in notes]


def fill(n_beats: int, beats_per_bar: int, energy: float, rng: np.random.Generator) -> list[Note]:
    """The last `n_beats` of a bar before a section, getting louder, down the toms; beats from the bar's start."""
    places = np.arange((beats_per_bar - n_beats) * STEPS, beats_per_bar * STEPS)
    path = sorted(rng.choice([Drum.HIGH_TOM, Drum.MID_TOM, Drum.LOW_TOM], len(places)), reverse=True)
    notes = []
    for k, (place, tom) in enumerate(zip(places, path, strict=True)):
        on_beat = place % STEPS == 0
        if not on_beat and rng.random() > (0.75 if place % 2 == 0 else 0.4):
            continue
        piece = Drum.SNARE if rng.random() < 0.45 else tom
        swell = 0.55 + 0.4 * (k + 1) / len(places)
        notes.append(Note(place / STEPS, 0.25, int(piece), energy * swell * (1.0 if on_beat else 0.8)))
    return notes


def bass_bar(
    feel: str, kick: str, root: int, next_root: int, fifth: int, beats_per_bar: int, swing: float
) -> list[Note]:
    """One bar of bass, beats from 0.

    Args:
        feel: one of `Groove.bass`.
        kick: pattern of the bass drum, for the feel `kick`.
        root: MIDI pitch of the chord's root.
        next_root: MIDI pitch of the next bar's root, which a walking bass approaches.
        fifth: MIDI pitch of the chord's fifth, at or above the root.
        beats_per_bar: 3 or 4.
        swing: as `Groove.swing`.
    """
    whole = range(beats_per_bar)
    if feel == "eighths":
        return [Note(b + half * swing, 0.46, root, 0.9 if half == 0 else 0.7) for b in whole for half in (0, 1)]
    if feel == "octaves":
        return [Note(b + h * 0.5, 0.4, root + 12 * h, 0.9 - 0.2 * h) for b in whole for h in (0, 1)]
    if feel == "fifths":
        middle = beats_per_bar // 2
        return [Note(0.0, middle * 0.92, root, 0.95), Note(middle, 1.8, fifth - 12, 0.8)]
    if feel == "kick":
        starts = [b for b, _ in steps(kick)]
        ends = [*starts[1:], float(beats_per_bar)]
        return [
            Note(b, min(e - b, 2.0) * 0.9, root, 0.95 if b == 0 else 0.8) for b, e in zip(starts, ends, strict=True)
        ]
    if feel == "walking":
        step = 1 if next_root >= root else -1
        line = [root, root + 4 * step if abs(next_root - root) > 5 else fifth, fifth, next_root - step]
        line = line if beats_per_bar == 4 else [line[0], line[2], line[3]]
        return [Note(float(b), 0.88, p, 0.95 if b == 0 else 0.8) for b, p in enumerate(line)]
    return [Note(0.0, beats_per_bar * 0.95, root, 0.95)]


def chord_bar(feel: str, pitches: list[int], beats_per_bar: int, swing: float) -> list[Note]:
    """One bar of accompaniment, beats from 0, of a chord as MIDI pitches from low to high; feels as `Groove.chords`."""
    whole = range(beats_per_bar)
    if feel == "quarters":
        return [Note(float(b), 0.8, p, 0.9 if b == 0 else 0.7) for b in whole for p in pitches]
    if feel == "eighths":
        places = [(b + half * swing, 0.85 - 0.2 * half) for b in whole for half in (0, 1)]
        return [Note(b, 0.45, p, v) for b, v in places for p in pitches]
    if feel == "stabs":
        places = [(0.0, 0.9), (1.0 + swing, 0.75)] + ([(3.0 + swing, 0.6)] if beats_per_bar == 4 else [])
        return [Note(b, 0.4, p, v) for b, v in places for p in pitches]
    if feel == "arpeggio":
        order = [*pitches, *pitches[-2:0:-1]]
        places = [(b + half * swing, 0.85 if half == 0 else 0.65) for b in whole for half in (0, 1)]
        return [Note(b, 1.4, order[k % len(order)], v) for k, (b, v) in enumerate(places)]
    return [Note(0.0, beats_per_bar * 0.97, p, 0.85) for p in pitches]
