"""Recordings as a network takes them in: each Track once as arrays, several padded to one batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from rl_editor.analysis.seams import SEAM_TERMS
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, IntArray
from rl_editor.edits.stacking import stacked
from rl_editor.envs.beat_edit.features import described_beats, described_landings
from rl_editor.policies.comparison import compare
from rl_editor.policies.copies import find_copies, music_of
from rl_editor.policies.passages import find_passages
from rl_editor.policies.succession import SUCCESSION_COLUMNS, successions

_TOLD = ("activity.", "onset.", "level.")
BEAT_COLUMNS = 21
"""D."""
LANDING_COLUMNS = 14 + SUCCESSION_COLUMNS
"""L."""
SEAM_SCORE = 1 + len(SEAM_TERMS)
"""The column of landings that holds their seam score."""


class Heard(NamedTuple):
    """One recording; nothing in it knows of its level or its EQ."""

    beats: Array
    """Descriptions of the beats, (B, D)."""
    copy: IntArray
    """Where else the same music is played, (B, C); the beat itself where nowhere."""
    likeness: Array
    """How alike these are, (B, C) in [0, 1]; 0 where nowhere."""
    compared: Array
    """How each beat differs from them, (B, C, E)."""
    share: Array
    """Length of each beat as a share of the recording, (B,)."""
    landed: IntArray
    """Beat of each landing, (B+1, K); -1 where there is none."""
    landings: Array
    """What is known of them, (B+1, K, L)."""
    sounds: Array
    """What beats are found by, of unit length, (B, F); 0 where there is no music."""


class Recordings(NamedTuple):
    """G recordings, padded to the longest; as in `Heard`."""

    beats: Tensor
    """(G, B, D) float32."""
    copy: Tensor
    """(G, B, C) int64."""
    likeness: Tensor
    """(G, B, C) float32."""
    compared: Tensor
    """(G, B, C, E) float32."""
    share: Tensor
    """(G, B) float32; 0 where there is no beat."""
    landed: Tensor
    """(G, B+1, K) int64."""
    landings: Tensor
    """(G, B+1, K, L) float32."""
    sounds: Tensor
    """(G, B, F) float32."""
    ratio: Tensor
    """Length asked for over the recording's, (G,) float32; 0 where none is."""
    free: Tensor
    """Whether parts may change places, (G,) bool."""

    @property
    def present(self) -> Tensor:
        """Whether there is a beat, (G, B) bool."""
        return self.share > 0

    def alone(self, number: int) -> "Recordings":
        """One of them, without padding."""
        n_beats = int(self.present[number].sum())
        per_bound = {"landed", "landings"}
        per_recording = {"ratio", "free"}
        own = {name: column[number : number + 1] for name, column in self._asdict().items()}
        for name in own.keys() - per_recording:
            own[name] = own[name][:, : n_beats + (name in per_bound)]
        return Recordings(**own)

    def to(self, device: torch.device | str) -> "Recordings":
        """The same on another device."""
        return Recordings(*(column.to(device) for column in self))


@threadpool_limits.wrap(limits=1, user_api="blas")
def hear(track: Track) -> Heard:
    """A Track as a network takes it in, to the same bits however many threads there are (see `analyse`)."""
    copies, sounds = find_copies(track), music_of(track)
    return Heard(
        beats=np.stack([values for column, values in described_beats(track) if _is_told(column.name)], axis=1),
        copy=copies.beat,
        likeness=copies.likeness,
        compared=compare(track, copies, find_passages(sounds, copies)),
        share=(np.diff(track.bounds) / track.bounds[-1]).astype(np.float32),
        landed=track.landings.beat.astype(np.int64),
        landings=np.concatenate([described_landings(track), successions(track.landings, copies)], axis=2),
        sounds=sounds,
    )


def _is_told(name: str) -> bool:
    """Whether a column of a beat's description is heard: all but the spectrum, by which songs are known by heart."""
    return "." not in name or name.startswith(_TOLD)


def batched(heard: Sequence[Heard], ratios: Sequence[float], free: Sequence[bool]) -> Recordings:
    """Several recordings as one batch.

    Args:
        heard: G recordings.
        ratios: the share of each that is asked for; 0 where no length is.
        free: whether parts of it may change places.
    """
    n_beats = max(len(each.beats) for each in heard)
    return Recordings(
        beats=stacked((each.beats for each in heard), n_beats),
        copy=stacked((each.copy for each in heard), n_beats),
        likeness=stacked((each.likeness for each in heard), n_beats),
        compared=stacked((each.compared for each in heard), n_beats),
        share=stacked((each.share for each in heard), n_beats),
        landed=stacked((each.landed for each in heard), n_beats + 1, fill=-1),
        landings=stacked((each.landings for each in heard), n_beats + 1),
        sounds=stacked((each.sounds for each in heard), n_beats),
        ratio=torch.tensor(ratios, dtype=torch.float32),
        free=torch.tensor(free, dtype=torch.bool),
    )
