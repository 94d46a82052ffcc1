"""N edits as a Stable-Baselines3 `VecEnv`, for `pip install rl-editor[sb3]`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Wrapper, spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, IntArray
from rl_editor.edits.actions import N_ACTIONS
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.arguments import instances_of
from rl_editor.envs.beat_edit.environment import Judge
from rl_editor.envs.beat_edit.episodes import Episode, Episodes, Observation
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances
from rl_editor.envs.beat_edit.reward import RewardConfig


class BeatEditVecEnv(VecEnv):
    """N edits that step together; an episode that ends is begun anew in the same step, as SB3 wants it."""

    def __init__(
        self,
        num_envs: int = 1,
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
        """Make N edits.

        Args:
            num_envs: N.
            render_mode: `rgb_array`, `ansi` or None.
            tracks: as in `Episodes`, like all that follows.
            requests: each is asked of each recording.
            config: what is paid.
            instances: which requests are drawn where none are given.
            recordings: files of the tracks, for sound.
            learned: scores of finished edits.
            rated: ratings of finished edits.
        Raises:
            EnvError, RequestError: as `Episodes`.
        """
        self._episodes = Episodes(
            num_envs,
            render_mode,
            tracks=tracks,
            requests=requests,
            config=config,
            instances=instances,
            recordings=recordings,
            learned=learned,
            rated=rated,
        )
        self._each = [Episode(self._episodes, row) for row in range(num_envs)]
        self._actions = np.zeros(num_envs, dtype=np.int64)
        super().__init__(num_envs, self._episodes.observation_space, spaces.Discrete(N_ACTIONS))

    @property
    def instances(self) -> Instances:
        """What episodes are of: instance k is request `instances.requests[k]` of `instances.track_of(k)`."""
        return self._episodes.instances

    def reset(self) -> Observation:
        """Begin N episodes, with what `seed` and `set_options` said."""
        self._episodes.seed(self._seeds)
        n_instances = len(self._episodes.instances)
        which = np.concatenate([instances_of(options, 1, n_instances) for options in self._options])
        self._episodes.begin(np.arange(self.num_envs), which)
        self.reset_infos = [self._episodes.info(row) for row in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return self._episodes.observation

    def step_async(self, actions: IntArray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """One action each; one that is not legal becomes KEEP, else END, else the lowest that is."""
        episodes = self._episodes
        reward = episodes.step(np.asarray(self._actions))
        infos: list[dict[str, Any]] = [episodes.info(row) for row in range(self.num_envs)]
        ends = episodes.ended.copy()
        if ends.any():
            final, rows = episodes.observation, np.flatnonzero(ends)
            episodes.begin(rows)
            for row in rows.tolist():
                infos[row]["terminal_observation"] = {name: values[row] for name, values in final.items()}
                self.reset_infos[row] = episodes.info(row)
        for info in infos:
            info["TimeLimit.truncated"] = False
        return episodes.observation, reward, ends, infos

    def action_masks(self) -> BoolArray:
        """Legal actions, (N, A), after `reset`."""
        return self._episodes.mask.copy()

    def close(self) -> None:
        """Nothing is held open."""

    def get_images(self) -> Sequence[Any]:
        """The N edits as pictures."""
        return [self._episodes.render(row, "rgb_array") for row in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of episodes."""
        return [getattr(self._each[row], attr_name) for row in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of episodes."""
        for row in self._get_indices(indices):
            setattr(self._each[row], attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """A method of episodes, such as `action_masks`, `edl` or `audio`."""
        return [getattr(self._each[row], method_name)(*args, **kwargs) for row in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """No episode stands in a wrapper."""
        return [False for _ in self._get_indices(indices)]
