"""What is learned from one take: situations, and what its editor would do in each.

The demonstration gives the situations of its own editor. Who imitates it strays: so the recording is also edited by
somebody who follows the teacher but now and then misses a join or takes a wrong landing, and the teacher tells what is
best from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray, SmallIntArray
from rl_editor.data.demonstrations import Demonstration
from rl_editor.data.teacher import Teacher, make_teacher
from rl_editor.edits.actions import END, KEEP, Places
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.playing import situation_of
from rl_editor.policies.situation import Situation

STRAYED = -1
"""Stands for the demonstrated action where the editor never was."""
_LONGEST = 4  # times as many decisions as in the demonstration, after which whoever strays is left alone


class Lesson(NamedTuple):
    """T situations of one take, as they come."""

    playhead: IntArray
    """(T,)."""
    must_keep: BoolArray
    """(T,)."""
    scalars: Array
    """(T, S), columns `rl_editor.envs.beat_edit.environment.SCALARS`."""
    kind: SmallIntArray
    """(T, K)."""
    plays: Array
    """(T, K), as in `Situation`."""
    mask: BoolArray
    """(T, A)."""
    best: BoolArray
    """What its editor would do, all of equal worth, (T, A); nothing where that is not known or not legal."""
    weight: Array
    """How surely, (T,) in [0, 1]; 0 where `best` is empty."""
    demonstrated: IntArray
    """The action that was shown, (T,); `STRAYED` where none was, or none of the table."""


@dataclass(frozen=True)
class StrayConfig:
    """How those stray who edit beside the demonstration."""

    editors: int = 3
    """How many there are for each take."""
    chance: float = 0.05
    """How likely each of their decisions is a wrong one."""


def make_lesson(
    track: Track, demonstration: Demonstration, target_s: float, stray: StrayConfig, rng: np.random.Generator
) -> Lesson:
    """The lesson of a take.

    Args:
        track: analysis of its raw.
        demonstration: what was done.
        target_s: length of the true edit.
        stray: who edits beside it.
        rng: for where they stray.
    Raises:
        RequestError: no edit of this length is known.
    """
    played = demonstration.playhead[demonstration.actions == KEEP]
    request = EditRequest(target_s=target_s, order="free", loops=len(np.unique(played)) < len(played))
    env = BeatEditEnv(make_instances([track], [(0, request)], RewardConfig()), 1 + stray.editors)
    teacher = make_teacher(demonstration, track)
    phases, running = [0] * env.n_envs, np.ones(env.n_envs, dtype=bool)
    observation, mask = env.start(torch.zeros(env.n_envs, dtype=torch.int64))
    seen: list[Lesson] = []
    for t in range(_LONGEST * len(demonstration.actions)):
        now = _lesson(situation_of(env, observation, mask), teacher, phases)
        actions = np.array([_chosen(*each, stray.chance, rng) for each in zip(now.mask, now.best, strict=True)])
        shown = t < len(demonstration.actions)
        outside = shown and bool(demonstration.is_outside[t])
        if shown:
            actions[0] = demonstration.actions[t]
            now.weight[0] *= demonstration.weight[t]
            now.demonstrated[0] = STRAYED if outside else actions[0]
        seen.append(Lesson._make(np.asarray(column)[running] for column in now))
        before, playheads = phases[0], now.playhead.tolist()
        phases = [teacher.after(*each) for each in zip(phases, playheads, actions.tolist(), strict=True)]
        if outside:
            phases[0] = teacher.phase_of(before, int(demonstration.outside_beat[t] + demonstration.outside_half[t]))
        after = env.step(torch.as_tensor(actions), _place(demonstration, t, env.n_envs) if outside else None)
        observation, mask = after.observation, after.mask
        running &= ~after.done.numpy()
        if not running.any():
            break
    return Lesson(*(np.concatenate(column) for column in zip(*seen, strict=True)))


def _lesson(situation: Situation, teacher: Teacher, phases: Sequence[int]) -> Lesson:
    """What the teacher would do in N situations that somebody strayed into."""
    mask = situation.mask.numpy()
    places = zip(phases, situation.playhead.tolist(), situation.must_keep.tolist(), strict=True)
    best = np.stack([teacher.best(phase, playhead, must_keep=must) for phase, playhead, must in places]) & mask
    forced = mask.sum(axis=1) == 1
    best[forced] = mask[forced]
    return Lesson(
        playhead=situation.playhead.numpy(),
        must_keep=situation.must_keep.numpy(),
        scalars=situation.scalars.numpy(),
        kind=situation.kind.numpy().astype(np.int8),
        plays=situation.plays.numpy(),
        mask=mask,
        best=best,
        weight=best.any(axis=1).astype(np.float32),
        demonstrated=np.full(len(mask), STRAYED),
    )


def _chosen(mask: BoolArray, best: BoolArray, chance: float, rng: np.random.Generator) -> int:
    """One of the best actions, or now and then any legal one."""
    legal = np.flatnonzero(mask)
    if len(legal) == 0:
        return END
    good = np.flatnonzero(best)
    if rng.random() < chance or len(good) == 0:
        return KEEP if mask[KEEP] and rng.random() < 0.5 else int(rng.choice(legal))
    return int(rng.choice(good))


def _place(demonstration: Demonstration, t: int, count: int) -> Places:
    """Where the first of `count` editors goes that no table holds."""
    places = np.full((3, count), -1)
    places[:, 0] = [column[t] for column in demonstration.outside]
    return Places(*torch.as_tensor(places))
