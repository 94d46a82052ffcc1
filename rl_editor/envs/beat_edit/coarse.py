"""Beat editing seen coarsely: few states and five actions, so that a table can learn it.

    coarse action   stands for
    keep            KEEP
    end             END
    cut             the legal landing of the best seam score ahead of all that was played, at first to begin
    loop            the one of the best seam score to what was played
    reorder         the one of the best seam score to what was passed over

each landing with the fade class that fits it. A coarse state is a cell of a grid over stage, position in the bar, share
of the target left, how much of what lies ahead that is, energy and similarity (`SHAPE`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.landings import K
from rl_editor.analysis.track import Track
from rl_editor.edits.actions import BEAT, END, FADE_CLASSES, KEEP, Kind, fade_samples, landing_action
from rl_editor.edits.joins import fitting_fades
from rl_editor.edits.stacking import stacked
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import Instances

ACTIONS = ("keep", "end", "cut", "loop", "reorder")
"""Names of the coarse actions, by index."""
SHAPE = {"stage": 3, "bar": 4, "left": 8, "density": 4, "energy": 4, "similarity": 4}
"""Cells along each axis. Stage: nothing played, free, a landing's beat still to be kept. Bar: beat in the bar, the last
for all beyond. Left: share of the target still to play. Density: that over what lies ahead, by `DENSITY`. Energy: the
energy contour by quarters of the recording. Similarity: best continuation of the landings, by `SIMILARITY`."""
N_STATES = int(np.prod(list(SHAPE.values())))
DENSITY = (0.25, 0.5, 1.0)
SIMILARITY = (0.35, 0.6, 1.0)
"""Seam scores that divide good, passable, doubtful and bad."""
_KIND_OF = {"cut": Kind.CUT, "loop": Kind.LOOP, "reorder": Kind.REORDER}


@dataclass(frozen=True, eq=False)
class Coarse:
    """What a set of Q recordings looks like coarsely; made by `make_coarse`."""

    bar: Tensor
    """Cell of each playhead, (Q, B+1) int64."""
    energy: Tensor
    """(Q, B+1) int64."""
    similarity: Tensor
    """(Q, B+1) int64."""
    score: Tensor
    """Seam score of each landing, (Q, B+1, K) float32."""
    fade: Tensor
    """Class of fade that fits each landing, (Q, B+1, K) int64."""

    def state(self, env: BeatEditEnv) -> Tensor:
        """Coarse state of each of N edits, (N,) int64 below `N_STATES`."""
        own, target = env.state, env.asked.target
        left = env.left.clamp(min=0)
        bounds = env.instances.rules.tables.bounds[own.track]
        ahead = bounds[:, -1] - bounds.gather(1, own.playhead[:, None])[:, 0]
        stage = torch.where(own.must_keep, 2, torch.where(own.furthest < 0, 0, 1))
        share = (SHAPE["left"] * left / target).long().clamp(max=SHAPE["left"] - 1)
        density = torch.bucketize((left / ahead.clamp(min=1)).contiguous(), torch.tensor(DENSITY, device=left.device))
        bar, energy, similarity = (cells.flatten()[env.rows] for cells in (self.bar, self.energy, self.similarity))
        state = torch.zeros_like(stage)
        for cell, count in zip((stage, bar, share, density, energy, similarity), SHAPE.values(), strict=True):
            state = state * count + cell
        return state

    def options(self, env: BeatEditEnv) -> Tensor:
        """The action that each coarse one stands for now, (N, 5) int64; -1 where none is legal."""
        mask = env.mask
        landings = mask[:, 2:].view(len(mask), K, FADE_CLASSES)
        score, kind = self.score.flatten(0, 1)[env.rows], env.landings().kind
        fits = self.fade.flatten(0, 1)[env.rows]
        fade = torch.where(landings.gather(2, fits[:, :, None])[:, :, 0], fits, landings.to(torch.uint8).argmax(dim=2))
        some = landings.any(dim=2)
        options = [torch.where(mask[:, plain], plain, -1) for plain in (KEEP, END)]
        for wanted in _KIND_OF.values():
            usable = some & (kind == wanted)
            best = torch.where(usable, score, torch.inf).argmin(dim=1)
            action = landing_action(best, fade.gather(1, best[:, None])[:, 0])
            options.append(torch.where(usable.any(dim=1), action, -1))
        return torch.stack(options, dim=1)


def make_coarse(instances: Instances) -> Coarse:
    """The coarse view of a set of instances."""
    rows = instances.rules.tables.bounds.shape[1]

    def padded(of: Callable[[Track], np.ndarray]) -> Tensor:
        return stacked(map(of, instances.tracks), rows, device=instances.row.device)

    return Coarse(
        bar=padded(lambda track: np.append(np.minimum(track.bar_position, SHAPE["bar"] - 1), 0).astype(np.int64)),
        energy=padded(_energy),
        similarity=padded(_similarity),
        score=padded(lambda track: track.landings.score.astype(np.float32)),
        fade=padded(_fitting_class),
    )


def _energy(track: Track) -> np.ndarray:
    contour_db = np.append(track.energy_db, track.energy_db[-1])
    return np.searchsorted(np.percentile(track.energy_db, [25, 50, 75]), contour_db).astype(np.int64)


def _similarity(track: Track) -> np.ndarray:
    continuation = np.where(track.landings.valid, track.landings.continuation, np.inf)
    return np.searchsorted(SIMILARITY, continuation.min(axis=1)).astype(np.int64)


def _fitting_class(track: Track) -> np.ndarray:
    """Of the classes shorter than a beat the one nearest to the fade that fits."""
    fits = fitting_fades(track.landings.family, track.landings.correlation, track.source.sample_rate)
    short = fade_samples(track)[:BEAT]
    return np.abs(fits[..., None] - short).argmin(axis=-1).astype(np.int64)
