"""What a mixing desk does to sounds that are played: place them in a room, hold their level, hear how loud they are.

All of it keeps stems additive: a gain that is found on the mix is applied to each stem alike.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

from rl_editor.arrays import Array, DoubleArray

SILENT_LUFS = -70.0
"""What nobody hears; the gate of the standard."""
_LONGEST_KEPT = 2**19  # samples
# A filter that rings on into silence reaches denormal numbers, which are forty times slower.
_INAUDIBLE = np.float32(1e-20)


@dataclass(frozen=True, eq=False)
class Room:
    """A small room as its stereo impulse response; its spectra are kept for notes, which are many."""

    response: Array
    """float32 (2, n), without the direct sound."""
    _spectra: dict[int, Array] = field(default_factory=dict, repr=False)

    def place(self, dry: Array, *, pan: float, wet: float) -> Array:
        """A mono sound somewhere on the stage, with the room's answer.

        Args:
            dry: float32 (n,).
            pan: -1 left, 0 middle, 1 right; equal power.
            wet: level of the room against the direct sound, 0 for none.
        Returns:
            float32 (2, n or more), its direct sound starting at sample 0.
        """
        angle = np.float32((pan + 1.0) * np.pi / 4.0)
        direct = np.stack([np.cos(angle) * dry, np.sin(angle) * dry])
        if wet == 0.0:
            return direct
        n = len(dry) + self.response.shape[1] - 1
        size = next_fast_len(n, real=True)
        answer = self._spectra[size] if size in self._spectra else rfft(self.response, size, axis=1)
        if size <= _LONGEST_KEPT:
            self._spectra[size] = answer
        out = irfft(answer * rfft(dry, size), size, axis=1)[:, :n] * np.float32(wet)
        out[:, : len(dry)] += direct
        return np.ascontiguousarray(out, dtype=np.float32)


def small_room(sample_rate: int, decay_s: float, rng: np.random.Generator) -> Room:
    """A room of a few early echoes and a diffuse tail that darkens as it dies; silent below 180 Hz, so bass is mono.

    Args:
        sample_rate: Hz.
        decay_s: time in which the tail falls by 60 dB.
        rng: for the echoes.
    """
    n = round(0.8 * decay_s * sample_rate)
    t = np.arange(n) / sample_rate
    bright = rng.standard_normal((2, n)) * 10.0 ** (-3.0 * t / (0.55 * decay_s))
    dark = sosfilt(butter(1, 1500.0, fs=sample_rate, output="sos"), rng.standard_normal((2, n)), axis=1)
    tail = 0.35 * bright + 2.0 * dark * 10.0 ** (-3.0 * t / decay_s)
    tail *= np.clip((t - 0.012) / 0.01, 0.0, 1.0)
    for channel in tail:
        places = rng.integers(round(0.006 * sample_rate), round(0.045 * sample_rate), 6)
        channel[np.minimum(places, n - 1)] += rng.uniform(4.0, 9.0, 6) * rng.choice([-1.0, 1.0], 6)
    band = butter(2, [180.0, min(8000.0, 0.4 * sample_rate)], "bandpass", fs=sample_rate, output="sos")
    tail = sosfilt(band, tail, axis=1)
    return Room((tail / np.sqrt((tail**2).sum(axis=1, keepdims=True))).astype(np.float32))


def filtered(sos: Array, sound: Array, state: Array) -> tuple[Array, Array]:
    """A block of sound through second-order sections, fast in silence too.

    Args:
        sos: sections that let 0 Hz pass, float32 (S, 6).
        sound: float32 (2, n).
        state: what the block before left, float32 (S, 2, 2); zeros for the first.
    Returns:
        The filtered block, float32 (2, n), and the state it leaves.
    """
    out, left = sosfilt(sos, sound + _INAUDIBLE, axis=1, zi=state)
    return out, left


def ceiling_gain(audio: Array, ceiling: float) -> Array:
    """Gains that round off peaks: none below half the ceiling, never a product above it.

    Args:
        audio: float32 (channels, n).
        ceiling: full scale 1.0.
    Returns:
        float32 (channels, n), in (0, 1]; stems times these sum to the mix times these.
    """
    knee = 0.5 * ceiling
    level = np.abs(audio)
    loud = level > knee
    peaks = level[loud]
    gains = np.ones_like(audio)
    gains[loud] = knee * (1.0 + np.tanh(peaks / knee - 1.0)) / peaks
    return gains


def high_shelf(corner_hz: float, gain_db: float, sample_rate: int) -> DoubleArray:
    """A shelf above a corner as second-order sections (1, 6). Source: R. Bristow-Johnson, Audio EQ Cookbook, S = 1."""
    w, a = 2.0 * np.pi * corner_hz / sample_rate, 10.0 ** (gain_db / 40.0)
    cos, slope = np.cos(w), np.sqrt(2.0 * a) * np.sin(w)
    b = [a * (a + 1 + (a - 1) * cos + slope), -2 * a * (a - 1 + (a + 1) * cos), a * (a + 1 + (a - 1) * cos - slope)]
    c = [a + 1 - (a - 1) * cos + slope, 2 * (a - 1 - (a + 1) * cos), a + 1 - (a - 1) * cos - slope]
    return np.array([[*b, *c]]) / c[0]


def bell(centre_hz: float, gain_db: float, q: float, sample_rate: int) -> DoubleArray:
    """A peak or dip at a frequency as second-order sections (1, 6). Source: as `high_shelf`."""
    w, a = 2.0 * np.pi * centre_hz / sample_rate, 10.0 ** (gain_db / 40.0)
    cos, alpha = np.cos(w), np.sin(w) / (2.0 * q)
    return np.array([[1 + alpha * a, -2 * cos, 1 - alpha * a, 1 + alpha / a, -2 * cos, 1 - alpha / a]]) / (
        1 + alpha / a
    )


def quick_lufs(audio: Array, sample_rate: int) -> float:
    """Integrated loudness with both gates, -70 where nothing is heard.

    For balancing sounds while they are made: four times as fast as the meter in `rl_editor.audio.loudness` and within
    0.3 LU of it on music, as blocks stand side by side instead of overlapping and are weighted as spectra.
    Source: ITU-R BS.1770-5.

    Args:
        audio: float32 (channels, n), mono or stereo.
        sample_rate: Hz.
    """
    power = _block_power(audio, sample_rate)
    heard = power[power > 10.0 ** ((SILENT_LUFS + 0.691) / 10.0)]
    if not heard.size:
        return SILENT_LUFS
    heard = heard[heard > 0.1 * heard.mean()]
    return float(10.0 * np.log10(heard.mean()) - 0.691)


def _block_power(audio: Array, sample_rate: int) -> DoubleArray:
    """K-weighted power of each 400 ms, summed over channels; a rest shorter than that counts only where it is all."""
    size = min(next_fast_len(round(0.4 * sample_rate), real=True), audio.shape[1])
    weights = _k_weights(np.arange(size // 2 + 1) * (sample_rate / size)) * np.float32(2.0 / size**2)
    power = np.zeros(audio.shape[1] // size)
    for channel in audio:
        spectra = rfft(channel[: len(power) * size].reshape(-1, size), axis=1)
        power += np.square(np.abs(spectra)) @ weights
    return power


def _k_weights(frequency_hz: DoubleArray) -> Array:
    """Power gain of the standard's head shelf and high-pass, from their analogue prototypes."""
    shelf_corner, shelf_q, top = 1681.974450955533, 0.7071752369554196, 10.0 ** (3.999843853973347 / 20.0)
    middle = top**0.4996667741545416
    s = 1j * frequency_hz / shelf_corner
    shelf = (top * s * s + middle * s / shelf_q + 1.0) / (s * s + s / shelf_q + 1.0)
    s = 1j * frequency_hz / 38.13547087602444
    high_pass = s * s / (s * s + s / 0.5003270373238773 + 1.0)
    weights: Array = np.square(np.abs(shelf * high_pass)).astype(np.float32)
    return weights
