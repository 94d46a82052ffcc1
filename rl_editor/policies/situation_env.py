"""The editing environment as a policy observes it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rl_editor.edits.actions import N_ACTIONS
from rl_editor.envs.base import Transition
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.reward import TERMS
from rl_editor.policies.playing import situation_of
from rl_editor.policies.situation import Situation


class SituationEnv:
    """`BeatEditEnv` that shows situations; it also counts what ended edits were paid for.

    Keeps `rl_editor.rl.rollout.Environment`. An edit is never broken off, so nobody asks what it would have shown last:
    `final` is what the next one shows first.

    Args:
        env: is played in by nobody else.
    """

    n_actions = N_ACTIONS

    def __init__(self, env: BeatEditEnv) -> None:
        self._env = env
        self.n_envs, self.device = env.n_envs, env.device
        self._paid = torch.zeros(len(TERMS), dtype=torch.float64, device=env.device)
        self._ended = 0

    def reset(self, seed: int | None = None) -> tuple[Situation, Tensor]:
        """Begin N edits."""
        observation, mask = self._env.reset(seed)
        return situation_of(self._env, observation, mask), mask

    def step(self, action: Tensor) -> Transition[Situation]:
        """One action in each."""
        env = self._env
        target_s = env.asked.target_s
        after = env.step(action)
        ends = after.done.nonzero()[:, 0]
        if len(ends):
            self._paid += env.config.rules * (env.last_terms[ends] / target_s[ends, None]).sum(dim=0)
            self._ended += len(ends)
        situation = situation_of(env, after.observation, after.mask)
        return after._replace(observation=situation, final=situation)  # type: ignore[arg-type,return-value]

    def account(self) -> tuple[Mapping[str, float], int]:
        """What edits that ended since it was last asked were paid by each of `TERMS`, and how many ended.

        The terms are shares of the target, weighed, and sums over the edits; what the best window is worth is not taken
        away.
        """
        told = dict(zip(TERMS, self._paid.tolist(), strict=True))
        ended = self._ended
        self._paid.zero_()
        self._ended = 0
        return told, ended

    def state_dict(self) -> dict[str, Any]:
        """Of the environment."""
        return self._env.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._env.load_state_dict(state)
