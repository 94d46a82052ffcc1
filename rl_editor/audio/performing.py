"""Playing a composition: who plays it, in which tempo, how unevenly; from notes to stems.

A performance is played anew each time: another tempo curve, other strokes, a few ms of looseness. The first attack of a
beat stands exactly at the beat's position. A `Band` keeps its sounds, so a second performance costs little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.audio import instruments
from rl_editor.audio.composition import STEMS, Composition
from rl_editor.audio.drums import Drum, strike
from rl_editor.audio.grooves import Note
from rl_editor.audio.instruments import Instrument, frequency
from rl_editor.audio.mixing import Room, small_room

_VARIANTS = {"drums": 4, "bass": 2, "chords": 2, "lead": 2, "voice": 3}
# Standard deviation in s of how far a player is behind the beat.
_LOOSENESS_S = {"drums": 0.001, "bass": 0.003, "chords": 0.003, "lead": 0.005, "voice": 0.007}
_DRUM_PAN = {
    Drum.CLOSED_HAT: 0.3, Drum.OPEN_HAT: 0.3, Drum.RIDE: -0.35, Drum.CRASH: -0.4, Drum.SHAKER: 0.4,
    Drum.LOW_TOM: -0.35, Drum.MID_TOM: 0.05, Drum.HIGH_TOM: 0.3,
}  # fmt: skip
_DRUM_LEVEL = {
    Drum.KICK: 1.0, Drum.SNARE: 0.62, Drum.RIM: 0.4, Drum.CLOSED_HAT: 0.16, Drum.OPEN_HAT: 0.17, Drum.RIDE: 0.17,
    Drum.CRASH: 0.34, Drum.LOW_TOM: 0.6, Drum.MID_TOM: 0.55, Drum.HIGH_TOM: 0.5, Drum.SHAKER: 0.16,
}  # fmt: skip
LEAD_IN_S = 0.02
"""What comes before the first attack, unless more is asked for."""
MOST_EARLY_S = 0.1
"""No slip puts a note further ahead of its place."""
_DAMPED_S = 0.5
_TAIL_SHARE = 10.0 ** (-70.0 / 20.0)


@dataclass(frozen=True)
class Player:
    """Who plays one part: the instrument, its place on the stage, how much of the room it excites."""

    instrument: Instrument
    pan: float
    wet: float
    level: float = 1.0
    wide: bool = False
    """Played by two, one at each side."""


@dataclass(frozen=True, eq=False)
class Band:
    """Five players in a room."""

    seed: int
    sample_rate: int
    room: Room
    players: dict[str, tuple[Player, ...]]
    """The first and, where a part has one, second instrument of each pitched stem."""
    balance: dict[str, float]
    """Gain of each stem in the mix."""
    _sounds: dict[tuple[str, int, int, float, int], Array] = field(default_factory=dict, repr=False)

    def sound(self, stem: str, note: Note, length_s: float, variant: int) -> Array:
        """A note or stroke at velocity 1, float32 (2, n), the same whenever it is asked for again."""
        key = (stem, note.layer, int(note.pitch), round(length_s, 3), variant)
        if key not in self._sounds:
            numbers = [self.seed, STEMS.index(stem), note.layer, int(note.pitch), round(1000 * length_s), variant]
            self._sounds[key] = _trimmed(self._render(stem, note, length_s, np.random.default_rng(numbers)))
        return self._sounds[key]

    def _render(self, stem: str, note: Note, length_s: float, rng: np.random.Generator) -> Array:
        if stem == "drums":
            drum = Drum(note.pitch)
            stroke = strike(drum, self.sample_rate, rng) * np.float32(_DRUM_LEVEL[drum])
            wet = 0.08 if drum == Drum.KICK else 0.3
            return self.room.place(stroke, pan=_DRUM_PAN.get(drum, 0.0), wet=wet)
        player = self.players[stem][note.layer]
        pans = (-0.8, 0.8) if player.wide else (player.pan,)
        placed = [
            self.room.place(
                player.instrument(frequency(note.pitch), length_s, self.sample_rate, rng), pan=pan, wet=player.wet
            )
            for pan in pans
        ]
        together: Array = np.sum(placed, axis=0, dtype=np.float32)
        return together * np.float32(player.level / len(pans) ** 0.5)


@dataclass(frozen=True, eq=False)
class Slips:
    """What goes wrong in the playing itself, for each beat of the composition."""

    jitter_s: DoubleArray
    """Standard deviation of the timing, (B,)."""
    wrong: DoubleArray
    """Chance that a note is a semitone or two off, (B,)."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A composition, or a stretch of it, as it was played once."""

    stems: dict[str, Array]
    """float32 (2, n) each."""
    beats: IntArray
    """Where the written beats fall, samples, (B,), the first at the lead-in."""


def form_band(rng: np.random.Generator, sample_rate: int) -> Band:
    """A band with instruments drawn by chance; its balance is 1 for every stem."""
    side = float(rng.choice([-1.0, 1.0]))
    low = Player(instruments.bass if rng.random() < 0.7 else instruments.synth_bass, 0.0, 0.0)
    comping = (instruments.guitar, instruments.electric_piano, instruments.guitar, instruments.organ)
    first = Player(comping[rng.integers(4)], 0.35 * side, 0.3)
    second = Player((instruments.pad, instruments.organ)[rng.integers(2)], 0.0, 0.35, level=0.5, wide=True)
    tune = (instruments.synth_lead, instruments.flute, instruments.guitar, instruments.electric_piano)
    lead = Player(tune[rng.integers(4)], -0.25 * side, 0.4)
    players = {
        "bass": (low,),
        "chords": (first, second),
        "lead": (lead,),
        "voice": (Player(instruments.voice, 0.0, 0.45),),
    }
    room = small_room(sample_rate, rng.uniform(0.5, 1.1), rng)
    return Band(int(rng.integers(2**31)), sample_rate, room, players, dict.fromkeys(STEMS, 1.0))


def tempo_curve(composition: Composition, rng: np.random.Generator, *, tempo: float) -> DoubleArray:
    """When each beat falls, seconds from the first, (B+1,): slow drift of 1 to 2 %, livelier choruses, a slowed end.

    Args:
        composition: what is played.
        rng: for the drift.
        tempo: how much faster than written, 1.0 as written.
    """
    n = composition.n_beats
    knots = rng.normal(0.0, 0.007, n // 16 + 3)
    pace = 1.0 + np.clip(np.interp(np.arange(n) / 16.0, np.arange(len(knots)), np.cumsum(0.6 * knots)), -0.02, 0.02)
    for section in composition.sections:
        if section.label == "chorus":
            pace[section.start_beat : section.start_beat + section.n_beats] += 0.004
    slowing = rng.uniform(0.0, 0.16)
    last = min(2 * composition.beats_per_bar, n)
    pace[n - last :] *= 1.0 - slowing * np.linspace(0.0, 1.0, last) ** 2
    durations = 60.0 / (composition.tempo_bpm * tempo * pace)
    times = np.concatenate([[0.0], np.cumsum(durations)])
    times[1:-1] += np.clip(rng.normal(0.0, 0.0015, n - 1), -0.004, 0.004)
    return times


def perform(
    composition: Composition,
    band: Band,
    rng: np.random.Generator,
    *,
    times: DoubleArray,
    first_beat: int = 0,
    end_beat: int | None = None,
    lead_in_s: float = LEAD_IN_S,
    slips: Slips | None = None,
) -> Performance:
    """Play a composition, or the stretch [first_beat, end_beat) of it.

    Args:
        composition: what is written.
        band: who plays it.
        rng: for looseness, strokes and slips.
        times: when each beat falls, as `tempo_curve`, (B+1,).
        first_beat: where the playing begins.
        end_beat: where it breaks off, strings damped within half a second; None plays on to the end and lets it ring.
        lead_in_s: what comes before the first beat.
        slips: what goes wrong.
    """
    rate, whole = band.sample_rate, end_beat is None
    end = composition.n_beats if end_beat is None else end_beat
    clock = times - times[first_beat] + lead_in_s
    beats = np.round(clock[first_beat:end] * rate).astype(np.int64)
    n = round(played_s(composition, times, first_beat, end_beat, lead_in_s) * rate)
    played = {stem: _stretch(composition.parts[stem], first_beat, end) for stem in STEMS}
    onsets = _onsets(played, clock, slips, rng)
    stems = {}
    for stem, notes in played.items():
        pitched = _slipped(notes, slips, rng) if stem != "drums" else notes
        stems[stem] = _laid_out(pitched, onsets[stem], stem, band, 60.0 / composition.tempo_bpm, n, rng)
    closing = _closing(n, 2.5 * rate) if whole else _closing(n, _DAMPED_S * rate) ** 2
    for sound in stems.values():
        sound[:, n - len(closing) :] *= closing
    return Performance(stems, beats)


def played_s(
    composition: Composition,
    times: DoubleArray,
    first_beat: int = 0,
    end_beat: int | None = None,
    lead_in_s: float = LEAD_IN_S,
) -> float:
    """How long `perform` with these arguments lasts, in s: lead-in, playing, and ring-out or damping."""
    start_s = times[first_beat] - lead_in_s
    if end_beat is not None:
        return float(times[end_beat] + _DAMPED_S - start_s)
    ring_out_s = float(np.clip(6.0 * 60.0 / composition.tempo_bpm + 0.6, 3.0, 5.5))
    return float(times[composition.n_beats - 1] + ring_out_s - start_s)


def _stretch(notes: Sequence[Note], first_beat: int, end_beat: int) -> list[Note]:
    return [note for note in notes if first_beat <= note.beat < end_beat]


def _onsets(
    played: dict[str, list[Note]], clock: DoubleArray, slips: Slips | None, rng: np.random.Generator
) -> dict[str, DoubleArray]:
    """When each note starts, in s. Nobody is ahead of a beat, and whoever is first on it is exactly on it."""
    lags, earliest = {}, np.full(len(clock), np.inf)
    for stem, notes in played.items():
        beat = np.array([note.beat for note in notes])
        lag = rng.normal(0.0, _LOOSENESS_S[stem], len(beat)).clip(-0.02, 0.02)
        on_beat = beat % 1.0 == 0.0
        lag[on_beat] = np.abs(lag[on_beat])
        np.minimum.at(earliest, beat[on_beat].astype(np.int64), lag[on_beat])
        lags[stem] = (beat, lag, on_beat)
    onsets = {}
    for stem, (beat, lag, on_beat) in lags.items():
        lag[on_beat] -= earliest[beat[on_beat].astype(np.int64)]
        onsets[stem] = np.interp(beat, np.arange(len(clock)), clock) + lag
        if slips is not None and len(beat):
            moments, together = np.unique(beat, return_inverse=True)
            late = (rng.standard_normal(len(moments)) * slips.jitter_s[moments.astype(np.int64)]).clip(
                -MOST_EARLY_S, 0.15
            )
            onsets[stem] = np.maximum(onsets[stem] + late[together], 0.0)
    return onsets


def _slipped(notes: list[Note], slips: Slips | None, rng: np.random.Generator) -> list[Note]:
    """The notes with some at a wrong pitch."""
    chance = rng.random(len(notes))
    off = rng.choice([-2, -1, 1, 2], len(notes))
    if slips is None:
        return notes
    return [
        note._replace(pitch=note.pitch + int(step)) if share < slips.wrong[int(note.beat)] else note
        for note, share, step in zip(notes, chance, off, strict=True)
    ]


def _laid_out(
    notes: list[Note], onsets: DoubleArray, stem: str, band: Band, beat_s: float, n: int, rng: np.random.Generator
) -> Array:
    """All notes of a stem as sound, float32 (2, n)."""
    out = np.zeros((2, n), dtype=np.float32)
    starts = np.round(onsets * band.sample_rate).astype(np.int64)
    force = band.balance[stem] * rng.normal(1.0, 0.07, len(notes)).clip(0.8, 1.2)
    variants = rng.integers(_VARIANTS[stem], size=len(notes))
    for note, start, gain, variant in zip(notes, starts.tolist(), force, variants.tolist(), strict=True):
        length_s = 0.0 if stem == "drums" else note.length * beat_s
        sound = band.sound(stem, note, length_s, variant)
        end = min(start + sound.shape[1], n)
        if end > start:
            out[:, start:end] += sound[:, : end - start] * np.float32(gain * note.velocity)
    return out


def _closing(n: int, length: float) -> Array:
    """A fade to silence over the last `length` samples of n."""
    size = min(n, round(length))
    return np.cos(np.linspace(0.0, 0.5 * np.pi, size)).astype(np.float32)


def _trimmed(sound: Array) -> Array:
    """Without the part of the tail that nobody hears."""
    level = np.abs(sound).max(axis=0)
    heard = np.flatnonzero(level > _TAIL_SHARE * level.max())
    return np.ascontiguousarray(sound[:, : heard[-1] + 1])
