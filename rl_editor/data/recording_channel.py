"""What comes between a band and its recording: an equaliser, drive, the noise of room and recorder."""

from dataclasses import dataclass

import numpy as np

from rl_editor.arrays import Array
from rl_editor.audio.mixing import bell, filtered, high_shelf
from rl_editor.audio.sample_songs import PLAYED_LUFS
from rl_editor.data.non_music import add_room_noise

_BLOCK = 2**16
_CEILING = 0.95


@dataclass(frozen=True)
class Equaliser:
    """A shelf above a corner and a bell."""

    shelf_hz: float
    shelf_db: float
    bell_hz: float
    bell_db: float


@dataclass(frozen=True)
class Channel:
    """How a whole session is recorded."""

    equaliser: Equaliser
    drive_db: float
    """Gain before the peaks are rounded off, taken back behind."""
    noise_db: float
    """Noise floor against the music."""


def draw_equaliser(most_db: float, rng: np.random.Generator) -> Equaliser:
    """An equaliser by chance, neither of its bands beyond `most_db` up or down."""
    return Equaliser(
        shelf_hz=float(rng.uniform(1500.0, 5000.0)),
        shelf_db=float(rng.uniform(-most_db, most_db)),
        bell_hz=float(np.exp(rng.uniform(np.log(120.0), np.log(1500.0)))),
        bell_db=float(rng.uniform(-most_db, most_db)),
    )


def draw_channel(rng: np.random.Generator) -> Channel:
    """A recorder by chance: tone within 5 dB, drive of up to 9 dB, noise 32 to 50 dB below the music."""
    return Channel(draw_equaliser(5.0, rng), float(rng.uniform(0.0, 9.0)), float(rng.uniform(-50.0, -32.0)))


def equalise(sound: Array, equaliser: Equaliser, sample_rate: int) -> None:
    """Equalise float32 (2, n) at `sample_rate` Hz, in place."""
    sections = _sections(equaliser, sample_rate)
    state = np.zeros((len(sections), len(sound), 2), dtype=np.float32)
    for start in range(0, sound.shape[1], _BLOCK):
        block = sound[:, start : start + _BLOCK]
        block[:], state = filtered(sections, block, state)


def record(raw: Array, channel: Channel, sample_rate: int, rng: np.random.Generator) -> None:
    """Put a whole session through its channel, in place: tone, drive, then the noise over everything.

    Args:
        raw: float32 (2, n), music at the loudness of a rehearsal; no peak is above full scale afterwards.
        channel: its settings.
        sample_rate: Hz.
        rng: for the noise.
    """
    equalise(raw, channel.equaliser, sample_rate)
    drive = np.float32(10.0 ** (channel.drive_db / 20.0))
    for start in range(0, raw.shape[1], _BLOCK):
        block = raw[:, start : start + _BLOCK]
        np.tanh(block * drive, out=block)
        block *= np.float32(_CEILING) / drive
    add_room_noise(raw, sample_rate, PLAYED_LUFS + channel.noise_db, rng)


def _sections(equaliser: Equaliser, sample_rate: int) -> Array:
    """Second-order sections, float32 (2, 6), so that sound stays float32."""
    shelf = high_shelf(equaliser.shelf_hz, equaliser.shelf_db, sample_rate)
    return np.concatenate([shelf, bell(equaliser.bell_hz, equaliser.bell_db, 0.8, sample_rate)]).astype(np.float32)
