"""How a take sounds: each attempt with its own drift of level and tone, the pauses, one recorder over all of it.

Whatever is done to an attempt is linear and done to all of its stems alike, so the stems of a raw sum to the raw.
"""

from collections.abc import Sequence

import numpy as np

from rl_editor.arrays import Array, IntArray
from rl_editor.audio.mixing import bell, ceiling_gain, filtered, high_shelf
from rl_editor.audio.performing import LEAD_IN_S, perform
from rl_editor.audio.sample_songs import PLAYED_LUFS, Piece, mixed
from rl_editor.data.faults import slips, spoil
from rl_editor.data.non_music import add_room_noise, at_loudness, count_in, edges, noodling, talk, tuning
from rl_editor.data.take_plan import Filler, PlannedAttempt

_CEILING = 0.95
_BLOCK = 2**16
_DRIFT_KNOT_S = 12.0


def play(
    attempt: PlannedAttempt, song: Piece, rng: np.random.Generator, *, stems: bool
) -> tuple[dict[str, Array], IntArray]:
    """One attempt at a song, with its faults.

    Args:
        attempt: what is played, and what goes wrong.
        song: its composition and band.
        rng: for looseness, drift of level and tone.
        stems: process the stems; else only their sum, named `mix`.
    Returns:
        Sounds, float32 (2, n) each, and the samples where the beats fall, (B,).
    """
    unevenness = slips(song.composition.n_beats, attempt.faults, rng)
    performance = perform(
        song.composition,
        song.band,
        rng,
        times=attempt.times,
        first_beat=attempt.first_beat,
        end_beat=attempt.end_beat,
        slips=unevenness,
    )
    sounds = performance.stems if stems else {"mix": mixed(performance.stems)}
    n = next(iter(sounds.values())).shape[1]
    level, tone = _drift(n, song.sample_rate, rng), _tone(song.sample_rate, 2.0, rng)
    for name, sound in sounds.items():
        toned, _ = filtered(tone, sound, np.zeros((len(tone), 2, 2), dtype=np.float32))
        sounds[name] = toned * level
    bounds = np.append(performance.beats, n)
    spans = [
        (f, int(bounds[f.first_beat - attempt.first_beat]), int(bounds[f.end_beat - attempt.first_beat]))
        for f in attempt.faults
    ]
    spoil(sounds, spans, song.sample_rate, rng)
    return sounds, performance.beats


def pause(filler: Filler, n: int, songs: Sequence[Piece], rng: np.random.Generator, *, loud: bool) -> Array:
    """What is no music, float32 (2, n).

    Args:
        filler: its kind.
        n: samples.
        songs: what is rehearsed: room, instruments and notes come from one of them.
        rng: for all of it.
        loud: talk and tuning within 2 dB of the music instead of 8 to 20 dB below.
    """
    song = songs[int(rng.integers(len(songs)))]
    rate, room = song.sample_rate, song.band.room
    below_lu = rng.uniform(-2.0, 2.0) if loud else rng.uniform(8.0, 20.0)
    if filler.kind == "silence":
        return np.zeros((2, n), dtype=np.float32)
    if filler.kind == "count-in":
        beat = n / filler.clicks
        clicks = np.round(LEAD_IN_S * rate + beat * np.arange(filler.clicks)).astype(np.int64)
        sound = count_in(n, clicks, rate, rng) * np.float32(10.0 ** (-rng.uniform(2.0, 10.0) / 20.0))
    elif filler.kind == "talk":
        sound = talk(n, rate, rng)
    elif filler.kind == "tuning":
        sound = tuning(n, rate, rng)
    else:
        players = (*song.band.players["chords"][:1], *song.band.players["lead"])
        player = players[rng.integers(len(players))]
        pitches = sorted({note.pitch for note in song.composition.parts["chords"] if note.layer == 0})
        sound = noodling(n, rate, rng, instrument=player.instrument, pitches=pitches)
        below_lu = rng.uniform(0.0, 10.0)
    placed = room.place(sound, pan=rng.uniform(-0.6, 0.6), wet=rng.uniform(0.2, 0.6))[:, :n]
    placed *= edges(n, rate)
    return placed if filler.kind == "count-in" else at_loudness(placed, rate, PLAYED_LUFS - below_lu)


def record(buffers: dict[str, Array], sample_rate: int, rng: np.random.Generator) -> None:
    """Put a whole raw through one recorder, in place: noise, tone, gain, peaks rounded off.

    Args:
        buffers: the stems of the raw, float32 (2, n) each; the noise goes to the last.
        sample_rate: Hz.
        rng: for the recorder and its noise.
    """
    gain = np.float32(10.0 ** (rng.uniform(-4.0, 3.0) / 20.0))
    tone = _tone(sample_rate, 5.0, rng)
    add_room_noise(list(buffers.values())[-1], sample_rate, rng.uniform(-68.0, -46.0), rng)
    n = next(iter(buffers.values())).shape[1]
    states = {name: np.zeros((len(tone), 2, 2), dtype=np.float32) for name in buffers}
    for start in range(0, n, _BLOCK):
        blocks = {name: sound[:, start : start + _BLOCK] for name, sound in buffers.items()}
        for name, block in blocks.items():
            block[:], states[name] = filtered(tone, gain * block, states[name])
        gains = ceiling_gain(mixed(blocks), _CEILING)
        for name in blocks:
            blocks[name] *= gains


def _tone(sample_rate: int, most_db: float, rng: np.random.Generator) -> Array:
    """A gentle equaliser by chance, second-order sections (2, 6), float32 so that sound stays float32."""
    shelf = high_shelf(rng.uniform(1500.0, 5000.0), rng.uniform(-most_db, most_db), sample_rate)
    middle = bell(
        float(np.exp(rng.uniform(np.log(120.0), np.log(1500.0)))), rng.uniform(-most_db, most_db), 0.8, sample_rate
    )
    return np.concatenate([shelf, middle]).astype(np.float32)


def _drift(n: int, sample_rate: int, rng: np.random.Generator) -> Array:
    """The level of one attempt, float32 (n,): an offset and a slow wander, each of about 1 dB."""
    place = np.arange(n) / (_DRIFT_KNOT_S * sample_rate)
    knots_db = rng.normal(0.0, 0.7, int(place[-1]) + 2).clip(-1.5, 1.5) + rng.normal(0.0, 0.8)
    return (10.0 ** (np.interp(place, np.arange(len(knots_db)), knots_db) / 20.0)).astype(np.float32)
