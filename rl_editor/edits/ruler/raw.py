"""A raw as the ruler hears it: made once, whatever number of outputs is judged against it."""

from dataclasses import dataclass

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray


@dataclass(frozen=True)
class Chance:
    """How unlike two random beats of a raw are: medians, the units of the ruler."""

    onsets: float
    chroma: float
    timbre_db: float


@dataclass(frozen=True, eq=False)
class Raw:
    """A raw and what is known of it."""

    track: Track
    """Only bounds, bar, phrase, section, activity and attempts are looked at."""
    sound: Array
    """Mono at `hearing.RATE`."""
    chance: Chance
    loud_db: float
    """Level of its loud parts: the 90th percentile of 50 ms."""
    opens: DoubleArray
    """How surely silence gives way to music at each 50 ms, (F,) in [0, 1]."""
    closes: DoubleArray
    """How surely music has died away at each 50 ms, (F,) in [0, 1]."""

    @property
    def sample_rate(self) -> int:
        """Hz of the raw's own file, in whose samples all places are told."""
        return self.track.source.sample_rate
