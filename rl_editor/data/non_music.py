"""What is heard in a rehearsal between the songs: talk, tuning, count-ins, noodling, the room.

Each source is mono and gives exactly the samples that were asked for; `edges` fades what begins or ends hard.
"""

import numpy as np
from scipy.signal import butter, sosfilt

from rl_editor.arrays import Array, DoubleArray, IntArray
from rl_editor.audio.drums import stick
from rl_editor.audio.instruments import Instrument, frequency, guitar, read_tables, vowel_table
from rl_editor.audio.mixing import SILENT_LUFS, quick_lufs

_STRINGS = (28, 33, 38, 40, 43, 45, 50, 55, 59, 64)  # of bass and guitar, MIDI
_VOWELS = "aeiou"
_BLOCK = 2**20


def talk(n: int, sample_rate: int, rng: np.random.Generator) -> Array:
    """Somebody speaking, float32 (n,): phrases of syllables between pauses, pitch that falls, vowels, consonants."""
    syllables = _syllables(n / sample_rate, rng)
    t = np.arange(n) / sample_rate
    voice_hz = rng.uniform(95.0, 210.0)
    tables = [vowel_table(voice_hz, vowel, sample_rate) for vowel in _VOWELS]
    gains = np.zeros((len(tables), n), dtype=np.float32)
    hiss = np.zeros(n, dtype=np.float32)
    pitch = voice_hz * _intonation(t, syllables, rng)
    for start_s, length_s in syllables:
        start, stop = round(start_s * sample_rate), min(round((start_s + length_s) * sample_rate), n)
        if stop - start < 2:
            continue
        shape = np.sin(np.pi * np.linspace(0.0, 1.0, stop - start) ** 0.6).astype(np.float32)
        glide = np.linspace(0.0, 1.0, stop - start, dtype=np.float32)
        first, second = rng.integers(len(tables), size=2)
        force = np.float32(rng.uniform(0.5, 1.0))
        gains[first, start:stop] += force * shape * (1.0 - glide)
        gains[second, start:stop] += force * shape * glide
        burst = min(round(rng.uniform(0.02, 0.08) * sample_rate), start)
        hiss[start - burst : start] += np.hanning(burst).astype(np.float32) * np.float32(rng.uniform(0.0, 0.3))
    consonants = _band_noise(n, 2000.0, 7500.0, sample_rate, rng) * hiss
    return read_tables(tables, list(gains), pitch, sample_rate) + consonants


def tuning(n: int, sample_rate: int, rng: np.random.Generator) -> Array:
    """Strings being tuned, float32 (n,): one against a neighbour, plucked again and again, beating ever slower."""
    out = np.zeros(n, dtype=np.float32)
    at_s, end_s = 0.05, n / sample_rate
    while at_s < end_s - 0.5:
        string = _STRINGS[rng.integers(len(_STRINGS))]
        cents = rng.choice([-1.0, 1.0]) * rng.uniform(15.0, 60.0)
        together = rng.random() < 0.6
        for _ in range(rng.integers(3, 7)):
            held_s = rng.uniform(1.2, 2.8)
            pitches = [string + cents / 100.0, *([float(string)] if together else [])]
            for pitch in pitches:
                start = round((at_s + rng.uniform(0.0, 0.25)) * sample_rate)
                pluck = guitar(frequency(pitch), 1.6 * held_s, sample_rate, rng)[: max(n - start, 0)]
                out[start : start + len(pluck)] += pluck * np.float32(rng.uniform(0.6, 1.0))
            at_s += held_s
            cents *= rng.uniform(0.3, 0.75)
    return out


def noodling(
    n: int, sample_rate: int, rng: np.random.Generator, *, instrument: Instrument, pitches: list[int]
) -> Array:
    """One player trying things out without a pulse, float32 (n,).

    Args:
        n: samples.
        sample_rate: Hz.
        rng: for what is tried.
        instrument: what is played.
        pitches: MIDI pitches to wander over, from low to high.
    """
    out = np.zeros(n, dtype=np.float32)
    at_s, rung = rng.uniform(0.05, 0.4), int(rng.integers(len(pitches)))
    while at_s < n / sample_rate:
        rung = int(np.clip(rung + rng.integers(-3, 4), 0, len(pitches) - 1))
        held_s = float(np.exp(rng.normal(np.log(0.3), 0.5)))
        note = instrument(frequency(pitches[rung]), held_s, sample_rate, rng)
        start = round(at_s * sample_rate)
        note = note[: max(n - start, 0)] * np.float32(rng.uniform(0.4, 1.0))
        out[start : start + len(note)] += note
        at_s += held_s * rng.uniform(0.7, 1.4) + (rng.uniform(0.5, 2.0) if rng.random() < 0.15 else 0.0)
    return out


def count_in(n: int, clicks: IntArray, sample_rate: int, rng: np.random.Generator) -> Array:
    """Sticks hit at exactly the samples `clicks`, float32 (n,)."""
    out = np.zeros(n, dtype=np.float32)
    for start in clicks.tolist():
        click = stick(sample_rate, rng)[: n - start] * np.float32(rng.uniform(0.85, 1.0))
        out[start : start + len(click)] += click
    return out


def add_room_noise(raw: Array, sample_rate: int, level_db: float, rng: np.random.Generator) -> None:
    """Add the noise of room and recorder to `raw`, float32 (2, n), in place: hiss, rumble, a little hum.

    Args:
        raw: what is recorded.
        sample_rate: Hz.
        level_db: RMS of the noise, dBFS.
        rng: for the noise.
    """
    sos = butter(1, [60.0, 900.0], "bandpass", fs=sample_rate, output="sos").astype(np.float32)
    state = np.zeros((1, len(raw), 2), dtype=np.float32)
    hum_hz, hiss = float(rng.choice([50.0, 60.0])), rng.uniform(0.1, 0.3)
    gain = np.float32(10.0 ** (level_db / 20.0))
    for start in range(0, raw.shape[1], _BLOCK):
        block = raw[:, start : start + _BLOCK]
        white = rng.standard_normal(block.shape, dtype=np.float32)
        rumble, state = sosfilt(sos, white, axis=1, zi=state)
        t = (start + np.arange(block.shape[1])) / sample_rate
        hum = (0.12 * np.sin(2 * np.pi * hum_hz * t)).astype(np.float32)
        block += gain * (4.5 * rumble + np.float32(hiss) * white + hum)


def at_loudness(sound: Array, sample_rate: int, lufs: float) -> Array:
    """The sound, float32 (channels, n), at a loudness in LUFS over the blocks where it is heard; silence as it is."""
    heard = quick_lufs(sound, sample_rate)
    if heard <= SILENT_LUFS:
        return sound
    return sound * np.float32(10.0 ** ((lufs - heard) / 20.0))


def edges(n: int, sample_rate: int, length_s: float = 0.03) -> Array:
    """Gains that rise from 0 over `length_s` and fall to 0 at the end, float32 (n,)."""
    ramp = np.minimum(np.arange(n), np.arange(n)[::-1]) / (length_s * sample_rate)
    return np.clip(ramp, 0.0, 1.0).astype(np.float32)


def _syllables(length_s: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """(start, length) in s of each syllable; phrases of 3 to 14, then a pause."""
    syllables, at_s = [], rng.uniform(0.05, 0.4)
    while at_s < length_s:
        for _ in range(rng.integers(3, 15)):
            held_s = rng.uniform(0.09, 0.24)
            if at_s + held_s > length_s:
                break
            syllables.append((at_s, held_s))
            at_s += held_s * rng.uniform(1.0, 1.25)
        at_s += rng.uniform(0.35, 1.6)
    return syllables


def _intonation(t: DoubleArray, syllables: list[tuple[float, float]], rng: np.random.Generator) -> DoubleArray:
    """Pitch over the mean: each phrase starts high and falls, each syllable has its own accent."""
    times, pitch, fall = [0.0], [1.0], 1.15
    for k, (start_s, length_s) in enumerate(syllables):
        paused = k > 0 and start_s - sum(syllables[k - 1]) > 0.3
        fall = 1.0 + rng.uniform(0.1, 0.3) if paused else fall * 0.975
        times += [start_s, start_s + length_s]
        pitch += [fall * rng.uniform(0.95, 1.12), fall * rng.uniform(0.85, 1.05)]
    return np.interp(t, times, pitch)


def _band_noise(n: int, low_hz: float, high_hz: float, sample_rate: int, rng: np.random.Generator) -> Array:
    sos = butter(1, [low_hz, min(high_hz, 0.45 * sample_rate)], "bandpass", fs=sample_rate, output="sos")
    noise: Array = sosfilt(sos.astype(np.float32), rng.standard_normal(n, dtype=np.float32))
    return noise
