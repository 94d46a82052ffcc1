"""How a session over a recorded song sounds, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from rl_editor.arrays import Array, IntArray
from rl_editor.audio.mixing import Room
from rl_editor.audio.performing import LEAD_IN_S
from rl_editor.audio.sample_songs import PLAYED_LUFS
from rl_editor.data.excerpt import Span, ring_beats
from rl_editor.data.faults import Family
from rl_editor.data.non_music import at_loudness, count_in, edges, talk, tuning
from rl_editor.data.performance import OVERLAP_S, Material, die_away, fiddled, perform, repeated
from rl_editor.data.recorded_faults import draw_blemishes
from rl_editor.data.recorded_song import RecordedSong
from rl_editor.data.session_plan import Playing
from rl_editor.data.take_plan import Filler


@dataclass(frozen=True, eq=False)
class Sounding:
    """A part before it stands in a raw."""

    audio: Array
    """float32 (2, lead + n); the lead overlaps with the part before."""
    beats: IntArray
    """Samples after the lead where its beats fall and the last one ends, (B+1,); empty for what is not played."""


def lead_samples(sample_rate: int) -> int:
    """Length of the overlap of two parts."""
    return round(OVERLAP_S * sample_rate)


def played(
    playing: Playing,
    song: RecordedSong,
    others: Sequence[RecordedSong],
    rng: np.random.Generator,
    *,
    end_beat: int,
    families: Sequence[Family],
    loud: bool,
) -> Sounding:
    """Something that is played.

    Args:
        playing: what, how, and what goes wrong.
        song: what is rehearsed.
        others: what else may be played.
        rng: for all of it.
        end_beat: of the song; an attempt that comes to it rings out.
        families: blemishes are of these.
        loud: noodling is as loud as the rest; else up to 10 dB below.
    """
    rate, span = song.sample_rate, playing.span
    ringing = ring_beats(song, end_beat) if playing.kind == "music" and span.end_beat == end_beat else 0
    material = _material(playing, song, others, ringing, rng)
    n_beats = len(material.beats) - 1 - ringing
    blemishes = draw_blemishes(n_beats, families, rng)
    performance = perform(material, rng, tempo=playing.tempo, faults=playing.faults, blemishes=blemishes)
    if ringing:
        die_away(performance, n_beats)
    audio = performance.audio
    if playing.kind == "noodling":
        audio = at_loudness(audio, rate, PLAYED_LUFS - (rng.uniform(-2.0, 2.0) if loud else rng.uniform(0.0, 10.0)))
    return Sounding(audio, performance.beats[: n_beats + 1] - lead_samples(rate))


def not_played(filler: Filler, room: Room, sample_rate: int, rng: np.random.Generator, *, loud: bool) -> Sounding:
    """What is no music.

    Args:
        filler: its kind and length.
        room: where the microphones stand.
        sample_rate: Hz.
        rng: for all of it.
        loud: talk and tuning within 2 dB of the music instead of 8 to 20 dB below.
    """
    lead, n = lead_samples(sample_rate), round(filler.length_s * sample_rate)
    none = np.zeros(0, dtype=np.int64)
    if filler.kind == "silence":
        return Sounding(np.zeros((2, lead + n), dtype=np.float32), none)
    below_lu = rng.uniform(-2.0, 2.0) if loud else rng.uniform(8.0, 20.0)
    if filler.kind == "count-in":
        hits = lead + LEAD_IN_S * sample_rate + n / filler.clicks * np.arange(filler.clicks)
        sound = count_in(lead + n, np.round(hits).astype(np.int64), sample_rate, rng)
        sound *= np.float32(10.0 ** (-rng.uniform(2.0, 10.0) / 20.0))
    else:
        sound = (talk if filler.kind == "talk" else tuning)(lead + n, sample_rate, rng)
    placed = room.place(sound, pan=rng.uniform(-0.6, 0.6), wet=rng.uniform(0.2, 0.6))[:, : lead + n]
    placed *= edges(lead + n, sample_rate, OVERLAP_S)
    return Sounding(
        placed if filler.kind == "count-in" else at_loudness(placed, sample_rate, PLAYED_LUFS - below_lu), none
    )


def _material(
    playing: Playing, song: RecordedSong, others: Sequence[RecordedSong], ringing: int, rng: np.random.Generator
) -> Material:
    span, rate = playing.span, song.sample_rate
    if playing.kind == "other tune":
        return _at_rate(others[playing.other], span, rate)
    own = Material(song.audio, song.bounds[span.first_beat : span.end_beat + ringing + 1], rate)
    if playing.kind == "vamp":
        return repeated(own, 0, span.n_beats, playing.times)
    return fiddled(own, playing.times, rng) if playing.kind == "noodling" else own


def _at_rate(song: RecordedSong, span: Span, sample_rate: int) -> Material:
    """A stretch of another song, at the rate of this one."""
    beats = song.bounds[span.first_beat : span.end_beat + 1]
    if song.sample_rate == sample_rate:
        return Material(song.audio, beats, sample_rate)
    start = max(int(beats[0]) - lead_samples(song.sample_rate), 0)
    stretch = np.ascontiguousarray(song.audio[:, start : beats[-1]].T)
    audio = soxr.resample(stretch, song.sample_rate, sample_rate).T
    moved = np.round((beats - start) * (sample_rate / song.sample_rate)).astype(np.int64)
    return Material(np.ascontiguousarray(audio, dtype=np.float32), moved, sample_rate)
