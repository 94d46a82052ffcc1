"""The Track: everything an editor may know about a recording. Editors get no audio."""

from dataclasses import dataclass, fields

import numpy as np

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.landings import LandingTable
from rl_editor.arrays import Array, DoubleArray, IntArray, SmallIntArray
from rl_editor.audio.source import Source
from rl_editor.errors import TrackError


@dataclass(frozen=True, eq=False)
class Track:
    """Analysis of one recording. A field that is None is missing knowledge, never a guess."""

    source: Source
    bounds: IntArray
    """Samples of the source, (B+1,), strictly increasing from 0 to the end; each just before its beat's attack."""
    confidence: Array
    """How clearly each beat is heard, (B,) in [0, 1]."""
    bar_position: SmallIntArray
    """Position of each beat in its bar, (B,), 0 on the downbeat."""
    bar: IntArray
    """Number of each beat's bar, (B,)."""
    activity: SmallIntArray
    """What is heard, (B,) of `Activity`."""
    music: Array
    """How surely each beat is music, (B,) in [0, 1]."""
    level_db: Array
    """RMS level of each beat, (B,), dBFS."""
    boundary: Array
    """How strongly a new part begins at each bound, (B+1,) in [0, 1]; 0 off the downbeat."""
    features: Array
    """Features of the mix, (B, F)."""
    feature_names: tuple[str, ...]
    """Group of each feature, (F,)."""
    landings: LandingTable
    doubts: tuple[str, ...] = ()
    """Where the beats may be heard wrongly, a line each such as `the beat may be at half this tempo, 0:40 to 2:10`."""
    phrase: IntArray | None = None
    """Number of each beat's phrase, (B,)."""
    section: IntArray | None = None
    """Number of each beat's section, (B,)."""
    section_labels: tuple[str, ...] | None = None
    """Label of each section, those of one label are alike; `-` for what is not music."""
    tempo_bpm: Array | None = None
    """Tempo curve, (B,)."""
    key: str | None = None
    """Such as `A minor`."""
    song: IntArray | None = None
    """Number of the song each beat belongs to, (B,); -1 outside the music."""
    attempt: IntArray | None = None
    """Number of the attempt at its song each beat belongs to, (B,), from 1; 0 outside the music."""
    superseded: Array | None = None
    """How surely a later attempt replaces each beat, (B,) in [0, 1]."""
    spoiled: Array | None = None
    """How surely each beat holds an audible mistake, (B,) in [0, 1]."""
    loudness_lufs: float | None = None
    """Integrated loudness of the recording."""
    kick: Array | None = None
    """Bass drum activity, (B,) in [0, 1]."""
    voice: Array | None = None
    """Vocal activity, (B,) in [0, 1]."""
    stem_features: Array | None = None
    """Features of stems, (B, S, F)."""
    stem_feature_names: tuple[str, ...] | None = None
    """Group of each feature of a stem, (F,)."""
    stem_method: str | None = None
    """What split the stems: `dsp` or `demucs`."""

    def __post_init__(self) -> None:
        if self.bounds[0] != 0 or self.bounds[-1] != self.source.n_samples or (np.diff(self.bounds) <= 0).any():
            raise TrackError("bounds must rise strictly from 0 to the number of samples")
        for name in ("confidence", "bar_position", "bar", "activity", "music", "level_db", "features"):
            if len(getattr(self, name)) != self.n_beats:
                raise TrackError(f"{name}: {len(getattr(self, name))} rows for {self.n_beats} beats")

    @property
    def n_beats(self) -> int:
        """B."""
        return len(self.bounds) - 1

    @property
    def bounds_s(self) -> DoubleArray:
        """Bounds in seconds, (B+1,)."""
        return self.bounds / self.source.sample_rate

    @property
    def energy_db(self) -> Array:
        """Energy contour: RMS level over 16 beats, (B,), dBFS."""
        power = 10.0 ** (self.level_db.astype(np.float64) / 10.0)
        sums = np.concatenate([[0.0], np.cumsum(power)])
        at = np.arange(self.n_beats)
        first, last = np.maximum(at - 8, 0), np.minimum(at + 8, self.n_beats)
        return (10.0 * np.log10((sums[last] - sums[first]) / (last - first))).astype(np.float32)

    @property
    def is_music(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Mask of beats that are music, (B,)."""
        return self.activity == Activity.MUSIC

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the fields nothing is known about."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is None)
