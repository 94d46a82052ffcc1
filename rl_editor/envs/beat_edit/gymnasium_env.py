"""Beat editing as a Gymnasium environment, `rl_editor/BeatEdit-v0`; described in docs/environments.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray
from rl_editor.edits.actions import N_ACTIONS
from rl_editor.edits.edl import EDL
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.arguments import RENDER_MODES, checked_seed, instances_of
from rl_editor.envs.beat_edit.environment import Judge
from rl_editor.envs.beat_edit.episodes import Episodes, Observation
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances
from rl_editor.envs.beat_edit.reward import RewardConfig

_ALL = np.zeros(1, dtype=np.int64)


class BeatEdit(gymnasium.Env[Observation, np.int64]):
    """One edit at a time."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": RENDER_MODES, "render_fps": 2}

    def __init__(
        self,
        render_mode: str | None = None,
        *,
        tracks: Sequence[Track] | None = None,
        requests: Sequence[EditRequest] | None = None,
        config: RewardConfig | None = None,
        instances: InstanceConfig | None = None,
        recordings: Sequence[Path | str] | None = None,
        learned: Judge | None = None,
        rated: Judge | None = None,
    ) -> None:
        """Make the environment of recordings and requests, or of sample songs.

        Args:
            render_mode: `rgb_array`, `ansi` or None.
            tracks: as in `Episodes`, like all that follows.
            requests: each is asked of each recording.
            config: what is paid.
            instances: which requests are drawn where none are given.
            recordings: files of the tracks, for `audio`.
            learned: scores of finished edits.
            rated: ratings of finished edits.
        Raises:
            EnvError, RequestError: as `Episodes`.
        """
        self.render_mode = render_mode
        self._episodes = Episodes(
            1,
            render_mode,
            tracks=tracks,
            requests=requests,
            config=config,
            instances=instances,
            recordings=recordings,
            learned=learned,
            rated=rated,
        )
        self.observation_space = self._episodes.observation_space
        self.action_space = spaces.Discrete(N_ACTIONS)

    @property
    def instances(self) -> Instances:
        """What episodes are of: instance k is request `instances.requests[k]` of `instances.track_of(k)`."""
        return self._episodes.instances

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; `options={"instance": k}` chooses which."""
        super().reset(seed=checked_seed(seed))
        self._episodes.generators = [self.np_random]
        self._episodes.begin(_ALL, instances_of(options, 1, len(self._episodes.instances)))
        return self._observed(), self._episodes.info(0)

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One action; one that is not legal becomes KEEP, else END, else the lowest that is."""
        reward = self._episodes.step(np.array([action]))
        return self._observed(), float(reward[0]), bool(self._episodes.ended[0]), False, self._episodes.info(0)

    def render(self) -> NDArray[np.uint8] | str | None:
        """The edit as far as it has come."""
        return self._episodes.render(0, self.render_mode)

    def action_masks(self) -> BoolArray:
        """Legal actions, (A,), after `reset`."""
        return self._episodes.mask[0].copy()

    def edl(self) -> EDL:
        """The finished edit, its length met to the slack; before END what was played so far.

        Raises:
            EnvError: nothing was played yet.
        """
        return self._episodes.edl(0)

    def audio(self) -> Array:
        """The sound of that edit, float32 (channels, samples).

        Raises:
            EnvError: nothing was played yet, or the recording's file is not known or another one.
        """
        return self._episodes.audio(0)

    def _observed(self) -> Observation:
        return {name: values[0] for name, values in self._episodes.observation.items()}
