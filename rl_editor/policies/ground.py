"""A recording on which edits are described: what of its Track is asked for again and again."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.edits.fault_places import phrase_starts
from rl_editor.edits.worth import beginnings, endings
from rl_editor.policies.copies import sound_groups
from rl_editor.policies.recordings import Heard, hear


@dataclass(frozen=True, eq=False)
class Ground:
    """A recording on which edits are described; made once for all of them."""

    track: Track
    known: Heard | None = None
    """The recording as a network takes it in, where it was heard already."""

    @cached_property
    def heard(self) -> Heard:
        """As a network takes it in."""
        return hear(self.track) if self.known is None else self.known

    @cached_property
    def sounds(self) -> list[Array]:
        """Timbre, chroma and onsets of its beats, (B, F) each."""
        return sound_groups(self.track)

    @cached_property
    def labels(self) -> IntArray:
        """Number of the label of each beat's section, (B,); sections that are alike have one."""
        if self.track.section is None or self.track.section_labels is None:
            return np.arange(self.track.n_beats)
        _, number = np.unique(np.array(self.track.section_labels), return_inverse=True)
        return number[self.track.section].astype(np.int64)

    @cached_property
    def beat_s(self) -> float:
        """Median length of its beats."""
        return float(np.median(np.diff(self.track.bounds_s)))

    @cached_property
    def energy_db(self) -> Array:
        """Energy contour, (B,)."""
        return self.track.energy_db

    @cached_property
    def octaves(self) -> Array:
        """Tempo in octaves, (B,); 0 where none is known."""
        if self.track.tempo_bpm is None:
            return np.zeros(self.track.n_beats, dtype=np.float32)
        return np.log2(np.maximum(self.track.tempo_bpm, 1.0))

    @cached_property
    def phrases(self) -> BoolArray:
        """Whether a phrase begins at each bound, (B+1,); it does at the end."""
        begins = np.zeros(self.track.n_beats + 1, dtype=bool)
        begins[phrase_starts(self.track)] = begins[-1] = True
        return begins

    @cached_property
    def positions(self) -> IntArray:
        """Position in its bar of the beat at each bound, (B+1,), that after the last beat going on."""
        return np.append(self.track.bar_position, self.track.bar_position[-1] + 1).astype(np.int64)

    @cached_property
    def bars(self) -> BoolArray:
        """Whether a bar begins at each bound, (B+1,); it does at the end."""
        return np.append(self.track.bar_position == 0, True)

    @cached_property
    def beginnings(self) -> DoubleArray:
        """How good a beginning the beat at each bound is, (B+1,) in [-0.5, 1]; nothing begins at the end."""
        return np.append(beginnings(self.track), 0.0)

    @cached_property
    def endings(self) -> DoubleArray:
        """How good an ending each bound is, (B+1,) in [-0.5, 1]."""
        return endings(self.track)

    @cached_property
    def music(self) -> BoolArray:
        """Whether there is music before and after each bound, (B+1, 2)."""
        is_music = self.track.is_music
        return np.stack([np.append(False, is_music), np.append(is_music, False)], axis=1)
