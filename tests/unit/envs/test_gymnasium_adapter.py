"""Gymnasium's environments under the tensor contract."""

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from rl_editor.envs.base import check_env, random_legal
from rl_editor.envs.gymnasium_adapter import GymnasiumEnv, VectorEnvAdapter
from rl_editor.errors import EnvError


class Counter(gymnasium.Env[Any, Any]):
    """Counts up from a drawn number by 1 to 3; ends at 9 or more, where 3 is legal only from even numbers on."""

    observation_space = spaces.Box(-100, 100, (1, 2))
    action_space = spaces.Discrete(3)
    told = True

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = int(self.np_random.integers(0, 5))
        return self.seen(), self.info()

    def step(self, action: Any) -> Any:
        assert self.legal()[action], "an illegal action came through"
        self.at += int(action) + 1
        return self.seen(), float(self.at), self.at >= 9, self.at == 10, self.info()

    def seen(self) -> Any:
        return np.array([[self.at, -self.at]], dtype=np.float32)

    def legal(self) -> Any:
        return np.array([True, True, self.at % 2 == 0])

    def info(self) -> dict[str, Any]:
        return {"action_mask": self.legal().astype(np.int8)} if self.told else {}


class Asked(Counter):
    """The same, but who wants to know what is legal must ask."""

    told = False

    def action_masks(self) -> Any:
        return self.legal()


class Fickle(Counter):
    """Draws from nowhere."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = int(np.random.default_rng().integers(-90, 5))
        return self.seen(), self.info()


def several(kind: type[gymnasium.Env[Any, Any]], n: int = 4, **more: Any) -> SyncVectorEnv:
    return SyncVectorEnv([kind] * n, autoreset_mode=AutoresetMode.SAME_STEP, **more)


@pytest.mark.parametrize("kind", [Counter, Asked])
def test_masks_are_told_or_asked_for(kind: type[Counter]) -> None:
    env = VectorEnvAdapter(several(kind))
    check_env(env)
    observation, mask = env.reset(3)
    assert torch.equal(mask[:, 2], observation.values[:, 0] % 2 == 0)
    assert mask[:, :2].all()


def test_cart_poles_keep_the_contract() -> None:
    check_env(GymnasiumEnv("CartPole-v1", n_envs=3))


def test_episodes_are_begun_anew_in_the_step_that_ends_them_and_the_end_is_shown() -> None:
    env = VectorEnvAdapter(several(Counter, 1))
    env.reset(0)
    after = env.step(torch.tensor([0]))
    while not after.done:
        after = env.step(torch.tensor([0]))
    assert after.final.values.tolist() == [[9.0, -9.0]]
    assert after.observation.values[0, 0] < 5
    assert after.terminated.tolist() == [True]


def test_an_end_by_the_limit_of_time_is_told_apart() -> None:
    env = GymnasiumEnv("CartPole-v1", n_envs=2, settings={"max_episode_steps": 3})
    env.reset(0)
    for t in range(6):
        after = env.step(torch.tensor([t % 2, 1 - t % 2]))
        assert not after.terminated.any()
        assert after.truncated.all() == (t % 3 == 2)


def test_where_it_is_both_it_is_an_end() -> None:
    env = VectorEnvAdapter(several(Counter, 16))
    env.reset(0)
    generator = torch.Generator().manual_seed(0)
    both = 0
    mask = env.reset(0)[1]
    for _ in range(30):
        after = env.step(random_legal(mask, generator))
        mask = after.mask
        assert not (after.terminated & after.truncated).any()
        both += int((after.final.values[:, 0] == 10).sum())
    assert both > 0


@pytest.mark.parametrize("steps", [0, 1, 40])
def test_play_goes_on_to_the_bit_from_a_state(steps: int) -> None:
    one, other = GymnasiumEnv("CartPole-v1", n_envs=3), GymnasiumEnv("CartPole-v1", n_envs=3)
    generator = torch.Generator().manual_seed(0)
    _, mask = one.reset(5)
    for _ in range(steps):
        one.step(random_legal(mask, generator))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for _ in range(30):
        action = random_legal(mask, generator)
        mine, its = one.step(action), other.step(action)
        assert all(
            torch.equal(getattr(mine, name), getattr(its, name)) for name in ("reward", "terminated", "truncated")
        )
        assert torch.equal(mine.observation.values, its.observation.values)
    assert one.state_dict()["actions"].tolist() == other.state_dict()["actions"].tolist()
    assert len(one.state_dict()["actions"]) == steps + 30


def test_its_state_is_what_torch_s_safe_loader_takes(tmp_path: Any) -> None:
    env = GymnasiumEnv("CartPole-v1", n_envs=2)
    env.reset(1)
    env.step(torch.tensor([0, 1]))
    torch.save(env.state_dict(), tmp_path / "state.pt")
    env.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))


def test_what_does_not_play_the_same_again_can_t_be_resumed() -> None:
    env = VectorEnvAdapter(several(Fickle))
    env.reset(0)
    state = env.state_dict()
    with pytest.raises(EnvError, match="does not play the same again after the same seed"):
        env.load_state_dict(state)


def test_episodes_that_are_begun_without_a_seed_are_others_but_follow_from_the_last() -> None:
    def begun() -> list[list[list[float]]]:
        env = VectorEnvAdapter(several(Counter, 8))
        return [env.reset(seed)[0].values.tolist() for seed in (3, None, None)]

    first, second, third = begun()
    assert first != second != third
    assert begun() == [first, second, third]


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(EnvError, match=r"must be AutoresetMode\.SAME_STEP"):
        VectorEnvAdapter(SyncVectorEnv([Counter]))
    with pytest.raises(EnvError, match=r"Pendulum-v1: actions Box.*must be Discrete"):
        GymnasiumEnv("Pendulum-v1")
    with pytest.raises(EnvError, match=r"Taxi-v4: observations Discrete\(500\): must be a Box"):
        GymnasiumEnv("Taxi-v4")
    with pytest.raises(EnvError, match="Fools-v1"):
        GymnasiumEnv("Fools-v1")
