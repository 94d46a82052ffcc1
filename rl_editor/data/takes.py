"""Takes: raw jams and rehearsal sessions made from songs, with their exact truth.

A raw holds several attempts at each song, good and bad, between talk, tuning, count-ins, noodling and silence. What
tells the good attempt is that it is whole and has no faults, and nothing else: every attempt is played anew in its own
tempo, gets its own small drift of level and tone, and goes through one recording channel with all the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl_editor.arrays import Array, IntArray, SmallIntArray
from rl_editor.audio.composition import STEMS
from rl_editor.audio.performing import MOST_EARLY_S
from rl_editor.audio.sample_songs import LONGEST_S, SHORTEST_S, Piece, mixed
from rl_editor.audio.source import identify
from rl_editor.data.faults import Family, Fault
from rl_editor.data.take_plan import Filler, Pause, PlannedAttempt, plan_take
from rl_editor.data.take_sound import pause, play, record
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.errors import DataError

Kind = Pause | Literal["false start", "music"]
"""What a part of a raw is."""

ROOM = "room"
"""The stem of all that is no music."""
LEAST_RAW_S = 45.0
"""What a raw needs for each of its songs."""

_FALSE_START_S = 20.0
_FADE_S = 0.008
_END_FADE_S = 0.5
_SONG_SHARE = 0.45  # so a raw holds its song twice


@dataclass(frozen=True)
class Part:
    """[start, end) of a raw, in samples, and what it is."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class Spoiled:
    """[start, end) of a raw, in samples, where a mistake is heard."""

    start: int
    end: int
    family: Family


@dataclass(frozen=True)
class Passage:
    """[start, end) of a raw, in samples, where (some of) a section is played."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Attempt:
    """One try at a song, [start, end) of the raw in samples; `start` is just before the first attack."""

    song: str
    number: int
    """Counts the attempts at this song from 1."""
    start: int
    end: int
    first_beat: int
    """Where in the song it begins; 0 is the beginning."""
    n_beats: int
    complete: bool
    """From the beginning of the song to its end."""
    spoiled: tuple[Spoiled, ...]
    passages: tuple[Passage, ...]
    """The sections that are played."""
    kept: bool
    """The best attempt: it is in the true edit."""
    superseded: bool
    """The best attempt at the song comes later."""


@dataclass(frozen=True, eq=False)
class Take:
    """A raw and all that is known about it."""

    audio: Array
    """float32 (2, n)."""
    sample_rate: int
    """Hz."""
    stems: dict[str, Array]
    """float32 (2, n) each, their sum is the raw: the songs' stems and `room`; empty where they were not wanted."""
    beats: IntArray
    """Samples where the beats of all attempts fall, (B,)."""
    bar_position: SmallIntArray
    """Position of each beat in its bar, (B,), 0 on the downbeat."""
    parts: tuple[Part, ...]
    """They tile the raw."""
    attempts: tuple[Attempt, ...]
    edl: EDL
    """The true edit: the best attempt at each song, whole, its ring-out included."""


def fitting_length_s(raw_s: float, rng: np.random.Generator) -> float:
    """How long a song may be that a raw is made of, in seconds, by chance: the raw holds it about twice.

    Args:
        raw_s: length of the raw, or of the song's share in a session, in seconds.
        rng: what it is drawn with.
    """
    longest_s = min(LONGEST_S, _SONG_SHARE * raw_s)
    return float(rng.uniform(min(SHORTEST_S, 0.8 * longest_s), longest_s))


def make_take(
    songs: Sequence[Piece],
    rng: np.random.Generator,
    *,
    length_s: float,
    loud_pauses: bool | None = None,
    stems: bool = True,
) -> Take:
    """A raw of `length_s` seconds in which a band attempts to get its songs right.

    Args:
        songs: what is played, one for a jam, several for a session, in this order.
        rng: all that is random; the same state gives the same bytes.
        length_s: length of the raw in seconds.
        loud_pauses: talk and tuning within 2 dB of the music instead of 8 to 20 dB below; None tosses a coin.
        stems: also keep the stems, which need six times the memory; without, the raw may differ by rounding.

    Raises:
        DataError: no songs, several sample rates, two songs of one name, or a length with no room for the songs.
    """
    _check(songs)
    sample_rate = songs[0].sample_rate
    steps = plan_take([song.composition for song in songs], rng, length_s=length_s)
    starts = np.cumsum([0] + [round(step.length_s * sample_rate) for step in steps]).tolist()
    parts = tuple(Part(a, b, _kind(step)) for step, a, b in zip(steps, starts, starts[1:], strict=False))
    loud = bool(rng.random() < 0.5) if loud_pauses is None else loud_pauses
    buffers = {name: np.zeros((2, starts[-1]), np.float32) for name in ((*STEMS, ROOM) if stems else (ROOM,))}
    played = []
    for step, part, own in zip(steps, parts, rng.spawn(len(steps)), strict=True):
        if isinstance(step, PlannedAttempt):
            sounds, beats = play(step, songs[step.song], own, stems=stems)
            played.append((step, part, part.start + beats))
        else:
            sounds = {ROOM: pause(step, part.end - part.start, songs, own, loud=loud)}
        for name, sound in sounds.items():
            buffers[name if stems else ROOM][:, part.start : part.end] += sound
    record(buffers, sample_rate, rng)
    audio = mixed(buffers) if stems else buffers[ROOM]
    attempts = _attempts(played, songs, sample_rate)
    return Take(
        audio=audio,
        sample_rate=sample_rate,
        stems=buffers if stems else {},
        beats=np.concatenate([beats for _, _, beats in played]),
        bar_position=np.concatenate([_bar_position(songs[step.song], step, len(beats)) for step, _, beats in played]),
        parts=parts,
        attempts=attempts,
        edl=_true_edit(audio, sample_rate, attempts),
    )


def _check(songs: Sequence[Piece]) -> None:
    if not songs:
        raise DataError("a take needs at least one song")
    rates = {song.sample_rate for song in songs}
    if len(rates) > 1:
        raise DataError(f"songs at {sorted(rates)} Hz: a take has one sample rate")
    names = [song.name for song in songs]
    if len(set(names)) < len(names):
        raise DataError(f"songs {', '.join(sorted(names))}: two have the same name")


def _kind(step: Filler | PlannedAttempt) -> Kind:
    if isinstance(step, Filler):
        return step.kind
    stops = step.end_beat is not None and step.length_s < _FALSE_START_S
    return "false start" if stops and step.first_beat == 0 else "music"


def _attempts(
    played: Sequence[tuple[PlannedAttempt, Part, IntArray]], songs: Sequence[Piece], sample_rate: int
) -> tuple[Attempt, ...]:
    """The attempts in order of time, numbered song by song."""
    counts, attempts = dict.fromkeys(range(len(songs)), 0), []
    best = {step.song: part.start for step, part, _ in played if step.kept}
    for step, part, beats in played:
        counts[step.song] += 1
        song = songs[step.song]
        bounds = np.append(beats, part.end)
        attempts.append(
            Attempt(
                song=song.name,
                number=counts[step.song],
                start=part.start,
                end=part.end,
                first_beat=step.first_beat,
                n_beats=len(beats),
                complete=step.first_beat == 0 and step.end_beat is None,
                spoiled=tuple(_spoiled(fault, step, bounds, sample_rate) for fault in step.faults),
                passages=_passages(song, step, bounds),
                kept=step.kept,
                superseded=part.start < best[step.song],
            )
        )
    return tuple(attempts)


def _bar_position(song: Piece, step: PlannedAttempt, n_beats: int) -> SmallIntArray:
    return song.composition.bar_position[step.first_beat : step.first_beat + n_beats]


def _spoiled(fault: Fault, step: PlannedAttempt, bounds: IntArray, sample_rate: int) -> Spoiled:
    """Where a fault is heard; mistimed notes may come before their beat."""
    early = round(MOST_EARLY_S * sample_rate) if fault.family == "timing" else 0
    start, end = bounds[[fault.first_beat - step.first_beat, fault.end_beat - step.first_beat]].tolist()
    return Spoiled(start - early, end, fault.family)


def _passages(song: Piece, step: PlannedAttempt, bounds: IntArray) -> tuple[Passage, ...]:
    passages = []
    n_beats = len(bounds) - 1
    for section in song.composition.sections:
        first = max(section.start_beat - step.first_beat, 0)
        end = min(section.start_beat + section.n_beats - step.first_beat, n_beats)
        if first < end:
            passages.append(Passage(int(bounds[first]), int(bounds[end]), section.label))
    return tuple(passages)


def _true_edit(audio: Array, sample_rate: int, attempts: Sequence[Attempt]) -> EDL:
    kept = [attempt for attempt in attempts if attempt.kept]
    fade = round(_FADE_S * sample_rate)
    segments = tuple(
        Segment(a.start, a.end, fade, why=f"attempt {a.number} at {a.song}: whole and without a fault") for a in kept
    )
    end_fade = round(_END_FADE_S * sample_rate)
    return EDL(identify(audio, sample_rate), segments, Maker("truth"), end_fade=end_fade)
