"""Composing a song: key, form, harmony, melodies, and from them the written notes of five parts.

A verse is the same verse each time it comes, with small variations; a chorus is louder, fuller and on another
progression. Nothing here sounds: `rl_editor.audio.performing` plays what is written.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.arrays import SmallIntArray
from rl_editor.audio.drums import Drum
from rl_editor.audio.grooves import GROOVES, Groove, Note, bass_bar, chord_bar, drum_bar, fill
from rl_editor.audio.melodies import melody

STEMS = ("drums", "bass", "chords", "lead", "voice")
"""The parts of every song, in the order in which they are mixed."""

_NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
# Roots as scale degrees, 0 = tonic, a bar each.
_PROGRESSIONS = {
    "major": ("0453", "0534", "0343", "5304", "3425", "1405", "0354", "3045", "0245", "05310534", "34035344"),
    "minor": ("0526", "0656", "0354", "5600", "3065", "0235", "0365", "53605360", "0036", "5626"),
    "dorian": ("0303", "0632", "0366", "3063", "0206", "6300"),
    "mixolydian": ("0630", "0363", "6300", "3060", "0430", "0640"),
}
_FORMS = (
    "ivcvco",
    "ivcvcbco",
    "ivvcvcbcco",
    "vcvcbcco",
    "ivpcvpcbco",
    "ivpcvpcsbcco",
    "ivcsvcbcco",
    "ivvcvvcso",
    "vcvco",
)
_LABELS = {
    "i": "intro", "v": "verse", "p": "pre-chorus", "c": "chorus", "b": "bridge", "s": "solo", "o": "outro",
}  # fmt: skip
_SHARE = {"intro": 0.5, "pre-chorus": 0.5, "outro": 0.5}  # of a verse's bars
_ENERGY = {
    "intro": 0.55, "verse": 0.7, "pre-chorus": 0.82, "chorus": 1.0, "bridge": 0.6, "solo": 0.9, "outro": 0.75,
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A named part of a song."""

    label: str
    """`intro`, `verse`, `pre-chorus`, `chorus`, `bridge`, `solo` or `outro`."""
    start_beat: int
    n_beats: int


@dataclass(frozen=True)
class Composition:
    """A song as written: what each part plays at which beat. Its last beat is the final chord's downbeat."""

    groove: str
    key: str
    """Such as `A minor`."""
    tempo_bpm: float
    beats_per_bar: int
    sections: tuple[Section, ...]
    parts: dict[str, tuple[Note, ...]]
    """The notes of each of `STEMS`, in order of time."""

    @property
    def n_beats(self) -> int:
        """Beats of the song, the final chord's included."""
        return self.sections[-1].start_beat + self.sections[-1].n_beats

    @property
    def bar_position(self) -> SmallIntArray:
        """Position of each beat in its bar, (B,), 0 on the downbeat."""
        return (np.arange(self.n_beats) % self.beats_per_bar).astype(np.int8)


@dataclass(frozen=True)
class _Material:
    """What is common to every verse (or chorus, ...) of a song."""

    chords: list[list[int]]
    """Pitch classes of each bar's chord, its root first."""
    kick: str
    bass: str
    comping: str
    tune: list[Note]
    """The melody over the section, beats from 0."""
    hat: Drum | None


def compose(rng: np.random.Generator, *, length_s: float) -> Composition:
    """A new song of about `length_s` seconds (within a few bars)."""
    groove = GROOVES[rng.integers(len(GROOVES))]
    tempo_bpm = float(rng.uniform(groove.slowest_bpm, groove.fastest_bpm))
    mode = str(rng.choice(list(_SCALES), p=[0.4, 0.35, 0.125, 0.125]))
    tonic = int(rng.integers(12))
    scale = [tonic + step for step in _SCALES[mode]]
    form = _form(length_s * tempo_bpm / 60.0 / groove.beats_per_bar, rng)
    longest = {label: max(n for other, n in form if other == label) for label, _ in form}
    material = _materials(longest, scale, mode, groove, rng)
    sections, written = [], {stem: list[Note]() for stem in STEMS}
    start = 0
    for k, (label, n_bars) in enumerate(form):
        following = form[k + 1][0] if k + 1 < len(form) else "end"
        n_beats = n_bars * groove.beats_per_bar
        sections.append(Section(label, start, n_beats + (following == "end")))
        for stem, notes in _section(label, following, n_bars, material[label], groove, rng).items():
            written[stem] += [n._replace(beat=n.beat + start) for n in notes]
        start += n_beats
    _final_chord(written, start, _triad(scale, 0))
    parts = {stem: tuple(sorted(notes)) for stem, notes in written.items()}
    key = f"{_NOTE_NAMES[tonic]} {mode}"
    return Composition(groove.name, key, tempo_bpm, groove.beats_per_bar, tuple(sections), parts)


def _form(n_bars: float, rng: np.random.Generator) -> list[tuple[str, int]]:
    """(label, bars) of each section: one of the forms whose length comes near `n_bars`."""
    choices = []
    for form in _FORMS:
        for unit in (2, 4, 8, 16):
            labels = [_LABELS[c] for c in form]
            bars = [max(round(unit * _SHARE.get(label, 1.0)), 1) for label in labels]
            choices.append((abs(np.log(sum(bars) / n_bars)), list(zip(labels, bars, strict=True))))
    choices.sort(key=lambda choice: choice[0])
    near = [form for distance, form in choices if distance < max(0.1, choices[0][0] + 0.01)]
    return near[rng.integers(len(near))]


def _materials(
    bars: dict[str, int], scale: list[int], mode: str, groove: Groove, rng: np.random.Generator
) -> dict[str, _Material]:
    """What each kind of section is made of; progressions that start alike are avoided."""
    progressions = [str(p) for p in rng.permutation(np.array(_PROGRESSIONS[mode], dtype=object))]
    verse = progressions.pop(0)
    chorus = next(p for p in progressions if p[0] != verse[0])
    progressions.remove(chorus)
    chosen = {"verse": verse, "intro": verse, "solo": verse, "chorus": chorus, "outro": chorus}
    chosen |= {"bridge": progressions[0], "pre-chorus": progressions[1]}
    kicks = rng.permutation(np.array(groove.kick, dtype=object))
    result = {}
    for label, n_bars in bars.items():
        chords = [_triad(scale, int(chosen[label][k % len(chosen[label])])) for k in range(n_bars)]
        full = label in ("chorus", "outro", "solo")
        centre = {"chorus": 69, "solo": 74, "bridge": 66}.get(label, 64)
        quiet = Drum.SHAKER if rng.random() < 0.3 else Drum.CLOSED_HAT
        result[label] = _Material(
            chords=chords,
            kick=str(kicks[0] if full else kicks[-1]),
            bass=str(groove.bass[0] if full else rng.choice(groove.bass)),
            comping=str(groove.chords[0] if full else rng.choice(groove.chords[1:])),
            tune=melody(chords, scale, groove.beats_per_bar, centre=centre, swing=groove.swing, rng=rng),
            hat=Drum.RIDE if full and rng.random() < 0.5 else Drum.OPEN_HAT if full else quiet,
        )
    return result


def _section(
    label: str, following: str, n_bars: int, material: _Material, groove: Groove, rng: np.random.Generator
) -> dict[str, list[Note]]:
    """One occurrence of a section, beats from its start."""
    energy = _ENERGY[label] * rng.uniform(0.95, 1.03)
    notes = {
        "drums": _drums(label, following, n_bars, material, groove, energy, rng),
        "bass": _bass(n_bars, material, groove) if label != "intro" or rng.random() < 0.7 else [],
        "chords": _chords(label, n_bars, material, groove),
    }
    tune = [n for n in material.tune if n.beat < n_bars * groove.beats_per_bar]
    tune = [n for n in tune if rng.random() > 0.04]
    sung = label in ("verse", "pre-chorus", "chorus", "bridge")
    notes["voice"] = tune if sung else []
    notes["lead"] = _lead(label, tune, groove, rng)
    return {
        stem: [n._replace(velocity=n.velocity * (0.5 + 0.5 * energy)) for n in part] for stem, part in notes.items()
    }


def _drums(
    label: str,
    following: str,
    n_bars: int,
    material: _Material,
    groove: Groove,
    energy: float,
    rng: np.random.Generator,
) -> list[Note]:
    beats = groove.beats_per_bar
    kick = "." * len(material.kick) if label == "intro" and rng.random() < 0.4 else material.kick
    notes = [Note(0.0, 0.25, Drum.CRASH, 0.8 * energy)] if energy > 0.8 else []
    fill_beats = 0 if following == "end" else int(rng.integers(1, beats if following == "chorus" else 3))
    for bar in range(n_bars):
        played = drum_bar(groove, kick, material.hat, energy=energy, rng=rng)
        if bar == n_bars - 1 and fill_beats:
            played = [n for n in played if n.beat < beats - fill_beats or n.pitch == Drum.KICK]
            played += fill(fill_beats, beats, energy, rng)
        notes += [_swung(n, groove.swing)._replace(beat=bar * beats + _swung(n, groove.swing).beat) for n in played]
    return notes


def _bass(n_bars: int, material: _Material, groove: Groove) -> list[Note]:
    beats, notes = groove.beats_per_bar, []
    roots = [_near(chord[0], 33) for chord in material.chords]
    for bar in range(n_bars):
        root, chord = roots[bar], material.chords[bar]
        fifth = root + (chord[2] - chord[0]) % 12
        after = roots[(bar + 1) % len(roots)]
        played = bass_bar(material.bass, material.kick, root, after, fifth, beats, groove.swing)
        notes += [n._replace(beat=n.beat + bar * beats) for n in played]
    return notes


def _chords(label: str, n_bars: int, material: _Material, groove: Groove) -> list[Note]:
    """The accompaniment; in full sections the second instrument holds the chord under it."""
    beats, notes = groove.beats_per_bar, []
    for bar in range(n_bars):
        pitches = sorted(_near(pc, 55) for pc in material.chords[bar])
        played = chord_bar(material.comping, pitches, beats, groove.swing)
        if label in ("chorus", "bridge", "solo", "outro"):
            high = [p + 12 for p in pitches]
            played += [n._replace(layer=1, velocity=0.55) for n in chord_bar("held", high, beats, groove.swing)]
        notes += [n._replace(beat=n.beat + bar * beats) for n in played]
    return notes


def _lead(label: str, tune: list[Note], groove: Groove, rng: np.random.Generator) -> list[Note]:
    """Alone where nobody sings; else answers in the last bar of each four, or a line above the chorus."""
    if label in ("intro", "solo", "outro"):
        return [n._replace(velocity=min(1.15 * n.velocity, 1.0)) for n in tune]
    if label == "chorus":
        return [n._replace(pitch=n.pitch + 12, velocity=0.5 * n.velocity) for n in tune if n.length >= 0.9]
    four = 4 * groove.beats_per_bar
    answers = [n for n in tune if n.beat % four < groove.beats_per_bar - 1 and n.beat >= four]
    return [n._replace(beat=n.beat - groove.beats_per_bar, velocity=0.6 * n.velocity) for n in answers]


def _final_chord(written: dict[str, list[Note]], beat: int, chord: list[int]) -> None:
    """Everybody on the tonic, held."""
    root = float(beat)
    written["drums"] += [Note(root, 0.25, Drum.KICK, 0.9), Note(root, 0.25, Drum.CRASH, 0.8)]
    written["bass"].append(Note(root, 5.0, _near(chord[0], 33), 0.95))
    written["chords"] += [Note(root, 6.0, _near(pc, 55), 0.85) for pc in chord]
    written["chords"] += [Note(root, 6.0, _near(pc, 67), 0.5, 1) for pc in chord]
    written["lead"].append(Note(root, 4.0, _near(chord[0], 76), 0.5))
    written["voice"].append(Note(root, 3.5, _near(chord[0], 64), 0.8))


def _swung(note: Note, swing: float) -> Note:
    """A straight place in the beat, moved as the groove swings."""
    whole, part = divmod(note.beat, 1.0)
    moved = part * swing / 0.5 if part < 0.5 else swing + (part - 0.5) * (1.0 - swing) / 0.5
    return note._replace(beat=whole + moved)


def _triad(scale: list[int], degree: int) -> list[int]:
    """Pitch classes of the scale's chord on a degree, its root first."""
    return [scale[(degree + k) % len(scale)] % 12 for k in (0, 2, 4)]


def _near(pitch_class: int, lowest: int) -> int:
    """The MIDI pitch of a class in the octave from `lowest`."""
    return lowest + (pitch_class - lowest) % 12
