"""Gymnasium's vector environments under the tensor contract: discrete actions, boxes of numbers as observations."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor

from rl_editor.arrays import Array, BoolArray
from rl_editor.envs.base import Transition
from rl_editor.errors import EnvError


class Numbers(NamedTuple):
    """What is observed of N episodes."""

    values: Tensor
    """The box, flattened, (N, F) float32."""


class VectorEnvAdapter:
    """A Gymnasium vector environment as a `TensorEnv` on the CPU.

    Legal actions are what a method `action_masks()` of the vector environment or of its environments tells, else what
    `action_mask` in `info` does, else all. An illegal action becomes the lowest legal one.

    Its state is its seed and what was done since: whoever takes it back plays the same again, which takes as long as
    it took the environment. So any environment can be gone on with to the bit that plays the same after the same seed.
    """

    def __init__(self, vector: VectorEnv[Any, Any, Any]) -> None:
        """Take a vector environment.

        Args:
            vector: begins episodes anew in the step that ends them (`AutoresetMode.SAME_STEP`).
        Raises:
            EnvError: it begins them otherwise, or its actions or observations are of another kind.
        """
        mode = vector.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise EnvError(f"{_name(vector)}: autoreset_mode {mode}: must be AutoresetMode.SAME_STEP")
        action, seen = vector.single_action_space, vector.single_observation_space
        if not isinstance(action, spaces.Discrete) or action.start != 0:
            raise EnvError(f"{_name(vector)}: actions {action}: must be Discrete, from 0")
        if not isinstance(seen, spaces.Box):
            raise EnvError(f"{_name(vector)}: observations {seen}: must be a Box; FlattenObservation makes one")
        self.vector = vector
        self.n_envs, self.n_actions, self.device = int(vector.num_envs), int(action.n), torch.device("cpu")
        self._tells_masks = _tells_masks(vector)
        self._seed = 0
        self._done: list[Array] = []

    def reset(self, seed: int | None = None) -> tuple[Numbers, Tensor]:
        """Begin N episodes, of a seed that follows from the last one where none is given."""
        self._seed = int(np.random.SeedSequence(self._seed).generate_state(1)[0]) if seed is None else seed
        self._done = []
        observation, info = self.vector.reset(seed=self._seed)
        return self._look(observation, info)

    def step(self, action: Tensor) -> Transition[Numbers]:
        """One action in each episode."""
        illegal = ~self._mask.gather(1, action[:, None])[:, 0]
        taken = torch.where(illegal, self._mask.to(torch.uint8).argmax(dim=1), action).numpy()
        self._done.append(taken[None].astype(np.int32))
        observation, reward, terminated, truncated, info = self.vector.step(taken)
        ended = np.logical_or(terminated, truncated)
        now, mask = self._look(observation, info)
        final = now
        if ended.any():
            values = now.values.clone()
            last = np.stack([np.asarray(info["final_obs"][row]).ravel() for row in np.flatnonzero(ended)])
            values[torch.from_numpy(ended)] = torch.from_numpy(last.astype(np.float32))
            final = Numbers(values)
        return Transition(
            observation=now,
            mask=mask,
            reward=torch.from_numpy(np.asarray(reward, dtype=np.float32)),
            terminated=torch.from_numpy(np.array(terminated, dtype=np.bool_)),
            # both at once: the end counts
            truncated=torch.from_numpy(np.asarray(truncated, dtype=np.bool_) & ~terminated),
            final=final,
            illegal=illegal,
        )

    def state_dict(self) -> dict[str, Any]:
        """The seed, what was done since, and what came of it."""
        if self._done:
            self._done = [np.concatenate(self._done)]
        done = self._done[0] if self._done else np.zeros((0, self.n_envs), dtype=np.int32)
        return {"seed": self._seed, "actions": torch.from_numpy(done), "values": self._values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Play the same again.

        Raises:
            EnvError: something else comes of it.
        """
        self.reset(state["seed"])
        actions = state["actions"].numpy()
        observation, info = None, {}
        for row in actions:
            observation, _, _, _, info = self.vector.step(row)
        self._done = [actions] if len(actions) else []
        if observation is not None:
            self._look(observation, info)
        if not torch.equal(self._values, state["values"]):
            raise EnvError(f"{_name(self.vector)}: does not play the same again after the same seed; can't be resumed")

    def _look(self, observation: Any, info: Mapping[str, Any]) -> tuple[Numbers, Tensor]:
        """Observation and mask, both new tensors."""
        flat = np.array(observation, dtype=np.float32).reshape(self.n_envs, -1)
        self._values = torch.from_numpy(flat)
        told: BoolArray | None = None
        if self._tells_masks:
            own = getattr(self.vector, "action_masks", None)
            told = own() if own is not None else np.stack(self.vector.call("action_masks"))
        elif "action_mask" in info:
            told = np.stack(list(info["action_mask"]))
        every = torch.ones(self.n_envs, self.n_actions, dtype=torch.bool)
        self._mask = every if told is None else torch.from_numpy(np.array(told, dtype=np.bool_))
        return Numbers(self._values), self._mask


class GymnasiumEnv(VectorEnvAdapter):
    """N environments of a name that Gymnasium knows."""

    def __init__(self, name: str, n_envs: int = 8, settings: Mapping[str, Any] | None = None) -> None:
        """Make them.

        Args:
            name: What Gymnasium calls it, e.g. `CartPole-v1`, or `package:Name-v0`.
            n_envs: Episodes at a time.
            settings: What it is made with.
        Raises:
            EnvError: there is none of that name, or its actions or observations are of another kind.
        """
        try:
            vector = gymnasium.make_vec(
                name,
                num_envs=n_envs,
                vectorization_mode="sync",
                vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
                **dict(settings or {}),
            )
        except (gymnasium.error.Error, ModuleNotFoundError) as error:
            raise EnvError(f"{name}: {' '.join(str(error).split())}") from error
        super().__init__(vector)


def _tells_masks(vector: VectorEnv[Any, Any, Any]) -> bool:
    """Whether it, or each of its environments, has a method for it."""
    envs = getattr(vector, "envs", [])
    return hasattr(vector, "action_masks") or any(env.has_wrapper_attr("action_masks") for env in envs)


def _name(vector: VectorEnv[Any, Any, Any]) -> str:
    return vector.spec.id if vector.spec is not None else type(vector).__name__
