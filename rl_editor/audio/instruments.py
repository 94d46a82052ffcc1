"""Pitched instruments as pure functions of arrays: one note in, one sound out.

Every note is a sum of band-limited wavetables, each under its own envelope, read at a running phase: the bright part
of a plucked string dies before its body does, a sung vowel glides into another. Nothing aliases, because a table holds
no partial above 0.45 of the sample rate. All notes begin at sample 0 and last `length_s` plus a release.
"""

from collections.abc import Callable, Sequence

import numpy as np

from rl_editor.arrays import Array, DoubleArray

Instrument = Callable[[float, float, int, np.random.Generator], Array]
"""A note, float32 (n,), from its frequency in Hz, its length in s, the sample rate in Hz and a generator."""

_TABLE = 2048
_HIGHEST_PARTIAL = 0.45  # of the sample rate

# Formants of a tenor: frequency in Hz, level in dB, bandwidth in Hz. Source: Csound manual, appendix D.
_VOWELS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "a": ((650, 0, 80), (1080, -6, 90), (2650, -7, 120), (2900, -8, 130), (3250, -22, 140)),
    "e": ((400, 0, 70), (1700, -14, 80), (2600, -12, 100), (3200, -14, 120), (3580, -20, 120)),
    "i": ((290, 0, 40), (1870, -15, 90), (2800, -18, 100), (3250, -20, 120), (3540, -30, 120)),
    "o": ((400, 0, 70), (800, -10, 80), (2600, -12, 100), (2800, -12, 130), (3000, -26, 135)),
    "u": ((350, 0, 40), (600, -20, 60), (2700, -17, 100), (2900, -14, 120), (3300, -26, 120)),
}


def frequency(pitch: float) -> float:
    """Hz of a MIDI pitch, A4 = 69 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def bass(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A fingered electric bass: a bright attack over a slowly dying body."""
    n = _samples(length_s + 0.08, sample_rate)
    order = _order(frequency_hz, sample_rate)
    pluck = _plucked_spectrum(order, place=0.17, slope=1.5)
    tables = [_wavetable(pluck * _rolloff(order, 7.0)), _wavetable(pluck * _rolloff(order, 24.0))]
    gains = [_decay(n, 2.2, sample_rate), 0.6 * _decay(n, 0.35, sample_rate)]
    phase = _phase(np.full(n, frequency_hz), sample_rate, rng)
    shape = _attack(n, 0.003, sample_rate) * _release(n, length_s, 0.05, sample_rate)
    return _read(tables, gains, phase) * shape


def synth_bass(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A saw bass whose filter closes over a quarter of a second."""
    n = _samples(length_s + 0.06, sample_rate)
    order = _order(frequency_hz, sample_rate)
    saw = 1.0 / np.arange(1, order + 1)
    tables = [_wavetable(saw * _rolloff(order, 5.0)), _wavetable(saw * _rolloff(order, 20.0))]
    gains = [np.ones(n), 0.8 * _decay(n, 0.25, sample_rate)]
    phase = _phase(np.full(n, frequency_hz), sample_rate, rng)
    return _read(tables, gains, phase) * _attack(n, 0.004, sample_rate) * _release(n, length_s, 0.04, sample_rate)


def guitar(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A plucked string: partials die the faster the higher they are."""
    n = _samples(length_s + 0.15, sample_rate)
    order = _order(frequency_hz, sample_rate)
    spectrum = _plucked_spectrum(order, place=rng.uniform(0.12, 0.22), slope=1.25)
    bands = [(0, 2, 1.8), (2, 5, 1.0), (5, 11, 0.45), (11, order, 0.16)]
    tables = [_wavetable(_band(spectrum, low, high)) for low, high, _ in bands]
    gains = [_decay(n, time_s, sample_rate) for _, _, time_s in bands]
    wobble = 1.0 + 0.0015 * np.exp(-np.arange(n) / (0.03 * sample_rate))
    phase = _phase(frequency_hz * wobble, sample_rate, rng)
    return _read(tables, gains, phase) * _attack(n, 0.002, sample_rate) * _release(n, length_s, 0.12, sample_rate)


def electric_piano(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A tine piano: a round body, a bell that dies early, a slow tremolo."""
    n = _samples(length_s + 0.2, sample_rate)
    body = np.array([1.0, 0.32, 0.10, 0.05, 0.02])
    bell = np.array([0.0, 0.15, 0.25, 0.22, 0.16, 0.10, 0.14, 0.08, 0.05])
    order = _order(frequency_hz, sample_rate)
    tables = [_wavetable(body[:order]), _wavetable(bell[:order])]
    gains = [_decay(n, 1.6, sample_rate), _decay(n, 0.22, sample_rate)]
    tremolo = 1.0 - 0.12 * (1.0 + np.sin(2 * np.pi * (5.2 * np.arange(n) / sample_rate + rng.random())))
    phase = _phase(np.full(n, frequency_hz), sample_rate, rng)
    shape = _attack(n, 0.003, sample_rate) * _release(n, length_s, 0.18, sample_rate)
    return _read(tables, gains, phase) * shape * tremolo.astype(np.float32)


def organ(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """Drawbars under a turning speaker."""
    n = _samples(length_s + 0.08, sample_rate)
    drawbars = np.array([0.8, 1.0, 0.55, 0.5, 0.0, 0.22, 0.0, 0.28])[: _order(frequency_hz, sample_rate)]
    turning = np.sin(2 * np.pi * (6.1 * np.arange(n) / sample_rate + rng.random()))
    phase = _phase(frequency_hz * (1.0 + 0.0015 * turning), sample_rate, rng)
    shape = _attack(n, 0.008, sample_rate) * _release(n, length_s, 0.06, sample_rate)
    return _read([_wavetable(drawbars)], [1.0 + 0.1 * turning], phase) * shape


def pad(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """Three detuned saws behind a soft filter, slow to come and to go."""
    n = _samples(length_s + 0.5, sample_rate)
    order = _order(frequency_hz, sample_rate)
    cutoff = max(1400.0 / frequency_hz, 2.0)
    table = _wavetable(_rolloff(order, cutoff) / np.arange(1, order + 1))
    cents = np.array([-7.0, 0.0, 6.0]) + rng.uniform(-1.0, 1.0, 3)
    voices = [
        _read([table], [np.ones(n)], _phase(np.full(n, frequency_hz * 2.0 ** (c / 1200.0)), sample_rate, rng))
        for c in cents
    ]
    shape = _attack(n, 0.09, sample_rate) * _release(n, length_s, 0.45, sample_rate)
    return np.sum(voices, axis=0, dtype=np.float32) / 2.0 * shape


def synth_lead(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A filtered saw and square with a vibrato that comes late."""
    n = _samples(length_s + 0.12, sample_rate)
    order = _order(frequency_hz, sample_rate)
    h = np.arange(1, order + 1)
    wave = (1.0 + 0.6 * (h % 2)) / h
    cutoff = 2200.0 / frequency_hz
    tables = [_wavetable(wave * _rolloff(order, cutoff)), _wavetable(wave * _rolloff(order, 3.0 * cutoff))]
    gains = [np.ones(n), 0.5 * _decay(n, 0.2, sample_rate)]
    phase = _phase(frequency_hz * _vibrato(n, 5.4, 22.0, 0.25, sample_rate, rng), sample_rate, rng)
    return _read(tables, gains, phase) * _attack(n, 0.006, sample_rate) * _release(n, length_s, 0.09, sample_rate)


def flute(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A breathy pipe with a chiff at its start."""
    n = _samples(length_s + 0.12, sample_rate)
    partials = np.array([1.0, 0.42, 0.22, 0.08, 0.05, 0.02])[: _order(frequency_hz, sample_rate)]
    vibrato = _vibrato(n, 5.0, 16.0, 0.2, sample_rate, rng)
    tone = _read([_wavetable(partials)], [np.ones(n)], _phase(frequency_hz * vibrato, sample_rate, rng))
    chiff = 0.03 + 0.12 * _decay(n, 0.05, sample_rate)
    breath = _smoothed_noise(n, 3, rng) * chiff.astype(np.float32)
    return (tone + breath) * _attack(n, 0.015, sample_rate) * _release(n, length_s, 0.09, sample_rate)


def voice(frequency_hz: float, length_s: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """A singer on two vowels: scoop into the note, late vibrato, formants, a consonant of breath before the vowel."""
    n = _samples(length_s + 0.15, sample_rate)
    order = _order(frequency_hz, sample_rate)
    first, second = rng.choice(list(_VOWELS), 2, replace=False)
    tables = [_wavetable(_sung_spectrum(frequency_hz, order, vowel)) for vowel in (first, second)]
    glide = np.clip((np.arange(n) / sample_rate - 0.3 * length_s) / max(0.4 * length_s, 0.05), 0.0, 1.0)
    scoop = 2.0 ** (-rng.uniform(0.3, 1.2) / 12.0 * np.exp(-np.arange(n) / (0.035 * sample_rate)))
    pitch = frequency_hz * scoop * _vibrato(n, rng.uniform(5.2, 6.0), 45.0, 0.3, sample_rate, rng)
    sung = _read(tables, [1.0 - glide, glide], _phase(pitch, sample_rate, rng))
    consonant = 0.008 + 0.25 * _decay(n, 0.03, sample_rate)
    breath = _smoothed_noise(n, 4, rng) * consonant.astype(np.float32)
    tone = sung * _attack(n, rng.uniform(0.015, 0.03), sample_rate)
    shimmer = 1.0 + 0.05 * _slow_noise(n, 0.04, sample_rate, rng)
    return (
        (tone * shimmer.astype(np.float32) + breath)
        * _attack(n, 0.002, sample_rate)
        * _release(n, length_s, 0.1, sample_rate)
    )


def vowel_table(frequency_hz: float, vowel: str, sample_rate: int) -> Array:
    """One period of a sung or spoken vowel (`a e i o u`) at a pitch in Hz, float32 (2049,), for `read_table`."""
    return _wavetable(_sung_spectrum(frequency_hz, _order(frequency_hz, sample_rate), vowel))


def read_tables(
    tables: Sequence[Array], gains: Sequence[DoubleArray | Array], frequency_hz: DoubleArray, sample_rate: int
) -> Array:
    """Wavetables, each under its own gain, read at one changing pitch.

    Args:
        tables: one period each, float32 (2049,).
        gains: one a table, (n,).
        frequency_hz: pitch at each sample, (n,).
        sample_rate: Hz.

    Returns:
        float32 (n,).
    """
    return _read(tables, gains, np.cumsum(frequency_hz) / sample_rate)


def _sung_spectrum(frequency_hz: float, order: int, vowel: str) -> DoubleArray:
    """Amplitudes of the partials: a glottal slope of -12 dB/octave, +6 from the lips, under five resonances."""
    f = frequency_hz * np.arange(1, order + 1)
    throat = np.zeros(order)
    for centre, level_db, width in _VOWELS[vowel]:
        # wider than the sung resonances: a partial must not vanish between two of them
        throat += 10.0 ** (level_db / 20.0) / (1.0 + ((f - centre) / (1.2 * width)) ** 2)
    spectrum = (0.02 + throat) / (1.0 + (f / 900.0)) ** 0.8 / (1.0 + (f / 5000.0) ** 2)
    return spectrum / np.sqrt((spectrum**2).sum())


def _plucked_spectrum(order: int, *, place: float, slope: float) -> DoubleArray:
    """Partials of a string plucked at a share `place` of its length."""
    h = np.arange(1, order + 1)
    return (0.08 + np.abs(np.sin(np.pi * h * place))) / h**slope


def _rolloff(order: int, partial: float) -> DoubleArray:
    """A second-order low-pass whose corner stands at a (fractional) partial."""
    return 1.0 / (1.0 + (np.arange(1, order + 1) / partial) ** 2)


def _band(spectrum: DoubleArray, low: int, high: int) -> DoubleArray:
    band = np.zeros_like(spectrum)
    band[low:high] = spectrum[low:high]
    return band


def _order(frequency_hz: float, sample_rate: int) -> int:
    return int(np.clip(_HIGHEST_PARTIAL * sample_rate / frequency_hz, 1, 160))


def _wavetable(amplitudes: DoubleArray) -> Array:
    """One period with the first sample repeated at its end, float32 (2049,); the phases spread the peaks."""
    h = np.arange(1, len(amplitudes) + 1)
    bins = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    # Schroeder's phases: a period without a spike, so a note is as loud as its level says
    bins[h] = amplitudes * np.exp(-1j * np.pi * h * h / len(amplitudes)) * _TABLE / 2
    period = np.fft.irfft(bins)
    return np.append(period, period[0]).astype(np.float32)


def _read(tables: Sequence[Array], gains: Sequence[DoubleArray | Array], phase: DoubleArray) -> Array:
    position = (phase % 1.0) * _TABLE
    index = np.minimum(position.astype(np.int32), _TABLE - 1)
    share = (position - index).astype(np.float32)
    out = np.zeros(len(phase), dtype=np.float32)
    for table, gain in zip(tables, gains, strict=True):
        low = table[index]
        out += (low + share * (table[index + 1] - low)) * gain.astype(np.float32)
    return out


def _phase(frequency_hz: DoubleArray, sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    return np.cumsum(frequency_hz) / sample_rate + rng.random()


def _vibrato(
    n: int, rate_hz: float, cents: float, delay_s: float, sample_rate: int, rng: np.random.Generator
) -> DoubleArray:
    t = np.arange(n) / sample_rate
    depth = cents * np.clip((t - delay_s) / 0.3, 0.0, 1.0)
    drift = 4.0 * _slow_noise(n, 0.15, sample_rate, rng)
    return 2.0 ** ((depth * np.sin(2 * np.pi * rate_hz * t) + drift) / 1200.0)


def _samples(length_s: float, sample_rate: int) -> int:
    return max(round(length_s * sample_rate), 1)


def _decay(n: int, time_s: float, sample_rate: int) -> DoubleArray:
    """Falls to 1/e in `time_s`."""
    return np.exp(-np.arange(n) / (time_s * sample_rate))


def _attack(n: int, time_s: float, sample_rate: int) -> Array:
    rise = np.clip((np.arange(n) + 1.0) / (time_s * sample_rate), 0.0, 1.0)
    return (np.sin(0.5 * np.pi * rise)).astype(np.float32)


def _release(n: int, length_s: float, time_s: float, sample_rate: int) -> Array:
    """1 up to `length_s`, then down to exactly 0 at the last sample."""
    t = np.arange(n) / sample_rate - length_s
    fall = np.exp(-np.clip(t, 0.0, None) / (time_s / 3.0))
    tail = np.clip((n - 1 - np.arange(n)) / (0.01 * sample_rate), 0.0, 1.0)
    return (fall * tail).astype(np.float32)


def _smoothed_noise(n: int, width: int, rng: np.random.Generator) -> Array:
    noise = rng.standard_normal(n + width - 1, dtype=np.float32)
    return np.convolve(noise, np.full(width, 1.0 / width, dtype=np.float32), mode="valid").astype(np.float32)


def _slow_noise(n: int, step_s: float, sample_rate: int, rng: np.random.Generator) -> DoubleArray:
    """Noise that wanders: a value each `step_s`, straight lines between."""
    knots = rng.standard_normal(int(n / (step_s * sample_rate)) + 2)
    return np.interp(np.arange(n) / (step_s * sample_rate), np.arange(len(knots)), knots)
