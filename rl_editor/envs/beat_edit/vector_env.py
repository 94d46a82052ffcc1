"""N edits as one Gymnasium vector environment: the same play as N environments of one edit, in one batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, DoubleArray, IntArray
from rl_editor.edits.actions import N_ACTIONS
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.arguments import RENDER_MODES, checked_seed, instances_of
from rl_editor.envs.beat_edit.environment import Judge
from rl_editor.envs.beat_edit.episodes import Episode, Episodes, Observation
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import EnvError

_Step = tuple[Observation, DoubleArray, BoolArray, BoolArray, dict[str, Any]]


class BeatEditVectorEnv(VectorEnv[Observation, IntArray, NDArray[Any]]):
    """N edits that step together.

    NEXT_STEP: the step after an END ignores that row's action, pays nothing and shows the next episode.
    SAME_STEP: the END shows the next episode; what the ended one showed is in `final_obs` and `final_info`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": RENDER_MODES, "render_fps": 2}

    def __init__(
        self,
        num_envs: int = 1,
        render_mode: str | None = None,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
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
            autoreset_mode: NEXT_STEP or SAME_STEP.
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
        if autoreset_mode not in {mode.value for mode in AutoresetMode} | set(AutoresetMode):
            raise EnvError(f"autoreset_mode {autoreset_mode!r}: must be NextStep or SameStep")
        self._mode = AutoresetMode(autoreset_mode)
        if self._mode is AutoresetMode.DISABLED:
            raise EnvError("autoreset_mode DISABLED: must be NEXT_STEP or SAME_STEP")
        self.num_envs, self.render_mode = num_envs, render_mode
        self.metadata = {**type(self).metadata, "autoreset_mode": self._mode}  # type: ignore[misc]  # as Gymnasium's own
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
        self.single_observation_space = self._episodes.observation_space
        self.single_action_space = spaces.Discrete(N_ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    @property
    def instances(self) -> Instances:
        """What episodes are of: instance k is request `instances.requests[k]` of `instances.track_of(k)`."""
        return self._episodes.instances

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin N episodes; `options={"instance": k}` chooses which, k being a number or one for each.

        Args:
            seed: of the first row, the others' follow it; or one for each.
            options: see above.
        """
        if isinstance(seed, Sequence):
            seeds = list(seed)
        else:
            first = checked_seed(seed)
            seeds = [None if first is None else first + row for row in range(self.num_envs)]
        super().reset(seed=checked_seed(seeds[0]) if seeds else None)
        self._episodes.seed(seeds)
        which = instances_of(options, self.num_envs, len(self._episodes.instances))
        self._episodes.begin(np.arange(self.num_envs), which)
        return self._episodes.observation, self._infos()

    def step(self, actions: IntArray) -> _Step:
        """One action each; one that is not legal becomes KEEP, else END, else the lowest that is."""
        episodes, waited = self._episodes, self._episodes.ended
        reward = episodes.step(np.asarray(actions))
        ends = episodes.ended & ~waited
        infos: dict[str, Any] = {}
        if self._mode is AutoresetMode.NEXT_STEP:
            self._begin(waited)
            if ends.any():
                infos = self._ended(ends)
        elif ends.any():
            infos = self._final(ends)
            self._begin(ends)
        return episodes.observation, reward.astype(np.float64), ends, np.zeros_like(ends), infos | self._infos()

    def action_masks(self) -> BoolArray:
        """Legal actions, (N, A), after `reset`."""
        return self._episodes.mask.copy()

    def render(self) -> tuple[Any, ...]:
        """The N edits as far as they have come."""
        return self.call("render")

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """A method of each episode, such as `edl` or `audio`, or an attribute of it."""
        each = [getattr(Episode(self._episodes, row), name) for row in range(self.num_envs)]
        return tuple(one(*args, **kwargs) if callable(one) else one for one in each)

    def _begin(self, rows: BoolArray) -> None:
        if rows.any():
            self._episodes.begin(np.flatnonzero(rows))

    def _infos(self) -> dict[str, Any]:
        """`Episodes.info` of all rows but for the terms, in Gymnasium's layout."""
        episodes, told = self._episodes, np.ones(self.num_envs, dtype=np.bool_)
        values = {"mask": episodes.mask, "illegal": episodes.illegal, "instance": episodes.instance}
        copied = {name: value.copy() for name, value in values.items()}
        return copied | {f"_{name}": told.copy() for name in values}

    def _ended(self, rows: BoolArray) -> dict[str, Any]:
        """What only episodes that end are told, in Gymnasium's layout."""
        infos: dict[str, Any] = {}
        for row in np.flatnonzero(rows).tolist():
            told = {"terms": self._episodes.terms(row), "length_met": self._episodes.length_met(row)}
            infos = self._add_info(infos, told, row)
        return infos

    def _final(self, rows: BoolArray) -> dict[str, Any]:
        """What is told of episodes that end, before the next ones begin."""
        infos: dict[str, Any] = {}
        observation = self._episodes.observation
        for row in np.flatnonzero(rows).tolist():
            final = {name: values[row] for name, values in observation.items()}
            infos = self._add_info(infos, {"final_obs": final, "final_info": self._episodes.info(row)}, row)
        return infos
