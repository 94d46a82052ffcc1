"""Sample songs: multi-stem music made from nothing, with its exact beats, bars and sections.

The project's own test material, and the source of training takes that need no download. A song has verses and choruses
that recur, dynamics, a tempo that drifts, stereo, a room, and an ending that rings out.
"""

from dataclasses import dataclass, replace

import numpy as np

from rl_editor.arrays import Array, IntArray, SmallIntArray
from rl_editor.audio.composition import STEMS, Composition, Section, compose
from rl_editor.audio.mixing import SILENT_LUFS, ceiling_gain, quick_lufs
from rl_editor.audio.performing import Band, form_band, perform, tempo_curve
from rl_editor.errors import AudioError

SHORTEST_S = 75.0
LONGEST_S = 230.0
"""How long songs are unless a length is asked for."""
_LOWEST_RATE = 16000
_CEILING = 0.93
PLAYED_LUFS = -20.0
"""How loud a whole performance by a song's band is, before anybody masters it."""
# Loudness of each stem where it plays, in LU against the drums.
_BALANCE_LU = {"drums": 0.0, "bass": -1.5, "chords": -5.0, "lead": -6.0, "voice": -1.0}
_FIRST = (
    "amber",
    "blue",
    "broken",
    "distant",
    "electric",
    "golden",
    "hollow",
    "late",
    "paper",
    "quiet",
    "silver",
    "wild",
)
_SECOND = (
    "avenue",
    "harbour",
    "hours",
    "letters",
    "lights",
    "mirror",
    "morning",
    "rain",
    "river",
    "season",
    "signal",
    "sky",
)


@dataclass(frozen=True, eq=False)
class Piece:
    """A song that can be performed: what is played, and by whom."""

    name: str
    """Fit for a file name."""
    composition: Composition
    band: Band

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.band.sample_rate


@dataclass(frozen=True, eq=False)
class Song:
    """A piece, performed and finished: its stems and its truth."""

    piece: Piece
    stems: dict[str, Array]
    """drums, bass, chords, lead, voice: float32 (2, n) each."""
    beats: IntArray
    """Samples where the written beats fall, (B,); the first attack of a beat starts exactly there."""

    @property
    def name(self) -> str:
        """Fit for a file name."""
        return self.piece.name

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.piece.sample_rate

    @property
    def mix(self) -> Array:
        """The sum of the stems, float32 (2, n)."""
        return mixed(self.stems)

    @property
    def bar_position(self) -> SmallIntArray:
        """Position of each beat in its bar, (B,), 0 on the downbeat."""
        return self.piece.composition.bar_position

    @property
    def sections(self) -> tuple[Section, ...]:
        """Label, first beat and number of beats of each section."""
        return self.piece.composition.sections

    @property
    def tempo_bpm(self) -> float:
        """The tempo as written; the performance drifts around it."""
        return self.piece.composition.tempo_bpm

    @property
    def key(self) -> str:
        """Such as `A minor`."""
        return self.piece.composition.key


def song_names(count: int, rng: np.random.Generator) -> list[str]:
    """Different names for songs, fit for file names; numbered where there are more songs than names."""
    names = [f"{first}_{second}" for first in _FIRST for second in _SECOND]
    drawn = [names[k] for k in rng.permutation(len(names))]
    return [drawn[k % len(drawn)] + (f"_{k // len(drawn) + 1}" if k >= len(drawn) else "") for k in range(count)]


def make_song(
    rng: np.random.Generator, *, sample_rate: int = 44100, length_s: float | None = None, name: str = "song"
) -> Song:
    """A song by chance: composition, band and performance.

    Args:
        rng: all that is random; the same state gives the same bytes.
        sample_rate: Hz, at least 16000.
        length_s: about how long, in seconds; None draws 75 to 230.
        name: fit for a file name.
    Raises:
        AudioError: the sample rate is too low for a drum kit.
    """
    if sample_rate < _LOWEST_RATE:
        raise AudioError(f"sample rate {sample_rate} Hz: a song needs at least {_LOWEST_RATE}")
    length_s = rng.uniform(SHORTEST_S, LONGEST_S) if length_s is None else length_s
    composition = compose(rng, length_s=length_s)
    band = form_band(rng, sample_rate)
    times = tempo_curve(composition, rng, tempo=1.0)
    performance = perform(composition, band, rng, times=times, lead_in_s=rng.uniform(0.05, 0.3))
    balance = _balance(performance.stems, sample_rate, rng)
    for stem in STEMS:
        performance.stems[stem] *= np.float32(balance[stem])
    _master(performance.stems, rng.uniform(-17.5, -14.5) - PLAYED_LUFS)
    return Song(Piece(name, composition, replace(band, balance=balance)), performance.stems, performance.beats)


def mixed(stems: dict[str, Array]) -> Array:
    """The sum of stems, float32 (2, n), always in the same order."""
    total = np.zeros_like(next(iter(stems.values())))
    for sound in stems.values():
        total += sound
    return total


def _balance(stems: dict[str, Array], sample_rate: int, rng: np.random.Generator) -> dict[str, float]:
    """The gain of each stem that brings the mix of the unbalanced stems to `PLAYED_LUFS`."""
    gains = {}
    for stem in STEMS:
        wanted = _BALANCE_LU[stem] + rng.uniform(-1.2, 1.2)
        heard = quick_lufs(stems[stem], sample_rate)
        gains[stem] = 10.0 ** ((wanted - heard) / 20.0) if heard > SILENT_LUFS else 1.0
    mix = np.zeros_like(stems["drums"])
    for stem, sound in stems.items():
        mix += sound * np.float32(gains[stem])
    common = 10.0 ** ((PLAYED_LUFS - quick_lufs(mix, sample_rate)) / 20.0)
    return {stem: float(gain * common) for stem, gain in gains.items()}


def _master(stems: dict[str, Array], gain_db: float) -> None:
    """Make stems louder in place, the peaks of their mix rounded off below full scale."""
    gain = np.float32(10.0 ** (gain_db / 20.0))
    gains = ceiling_gain(mixed(stems) * gain, _CEILING) * gain
    for stem in stems:
        stems[stem] *= gains
