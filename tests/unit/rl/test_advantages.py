"""Advantages by hand, against their definition, and over the ends of episodes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.rl.advantages import advantages, explained_variance

seeds = st.integers(0, 2**31 - 1)


def by_definition(
    reward: Tensor, value: Tensor, following: Tensor, terminated: Tensor, truncated: Tensor, gamma: float, lam: float
) -> Tensor:
    """Each advantage as a sum over all later steps of the same episode of the same environment."""
    n_steps, n_envs = reward.shape
    found = torch.zeros(n_steps, n_envs)
    for n in range(n_envs):
        for t in range(n_steps):
            for later in range(t, n_steps):
                beyond = 0.0 if terminated[later, n] else float(following[later, n])
                surprise = float(reward[later, n]) + gamma * beyond - float(value[later, n])
                found[t, n] += (gamma * lam) ** (later - t) * surprise
                if terminated[later, n] or truncated[later, n]:
                    break
    return found


def test_two_environments_of_which_one_begins_anew_in_the_middle() -> None:
    # gamma 1/2 and lambda 1/2, so that what is one step later counts a quarter
    reward = torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 8.0]])
    value = torch.tensor([[0.0, 2.0], [0.0, 2.0], [2.0, 2.0]])
    following = torch.tensor([[0.0, 2.0], [9.0, 2.0], [4.0, 6.0]])
    terminated = torch.tensor([[False, False], [True, False], [False, False]])
    # first: 4 + 2 - 2 = 4; the end at t = 1 lets nothing through: 2; 1 + 0 + 2/4 = 1.5
    # second: 8 + 3 - 2 = 9; 0 + 1 - 2 + 9/4 = 1.25; 0 + 1 - 2 + 1.25/4 = -0.6875
    expected = torch.tensor([[1.5, -0.6875], [2.0, 1.25], [4.0, 9.0]])
    none = torch.zeros_like(terminated)
    torch.testing.assert_close(
        advantages(reward, value, following, terminated, none, gamma=0.5, gae_lambda=0.5), expected
    )


@given(seeds, st.integers(1, 9), st.integers(1, 4), st.floats(0, 1), st.floats(0, 1))
def test_they_are_the_sum_of_later_surprises(seed: int, steps: int, envs: int, gamma: float, lam: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    reward, value, following = torch.randn(3, steps, envs, generator=generator)
    drawn = torch.rand(steps, envs, generator=generator)
    terminated, truncated = drawn < 0.2, drawn > 0.8
    found = advantages(reward, value, following, terminated, truncated, gamma=gamma, gae_lambda=lam)
    expected = by_definition(reward, value, following, terminated, truncated, gamma, lam)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_environments_know_nothing_of_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    reward, value, following = torch.randn(3, 6, 4, generator=generator)
    ends = torch.rand(6, 4, generator=generator) < 0.3
    none = torch.zeros_like(ends)
    together = advantages(reward, value, following, ends, none, gamma=0.9, gae_lambda=0.8)
    for n in range(4):
        row = slice(n, n + 1)
        alone = advantages(
            reward[:, row], value[:, row], following[:, row], ends[:, row], none[:, row], gamma=0.9, gae_lambda=0.8
        )
        assert torch.equal(together[:, row], alone)


def test_what_is_broken_off_would_have_gone_on_and_what_ended_would_not() -> None:
    reward, value, following = torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.tensor([[10.0]])
    yes, no = torch.tensor([[True]]), torch.tensor([[False]])
    assert advantages(reward, value, following, yes, no, gamma=0.5, gae_lambda=0.9) == 1.0 - 3.0
    assert advantages(reward, value, following, no, yes, gamma=0.5, gae_lambda=0.9) == 1.0 + 5.0 - 3.0


def test_neither_lets_the_next_episode_in() -> None:
    reward, value = torch.tensor([[0.0], [100.0]]), torch.zeros(2, 1)
    end, no = torch.tensor([[True], [False]]), torch.zeros(2, 1, dtype=torch.bool)
    for terminated, truncated in ((end, no), (no, end)):
        found = advantages(reward, value, value, terminated, truncated, gamma=1.0, gae_lambda=1.0)
        assert found[:, 0].tolist() == [0.0, 100.0]


@pytest.mark.parametrize(("value", "share"), [([1.0, 2.0, 3.0], 1.0), ([2.0, 2.0, 2.0], 0.0), ([3.0, 2.0, 1.0], -3.0)])
def test_a_critic_explains_all_nothing_or_less(value: list[float], share: float) -> None:
    assert float(explained_variance(torch.tensor(value), torch.tensor([1.0, 2.0, 3.0]))) == pytest.approx(share)


def test_of_what_does_not_vary_nothing_is_explained() -> None:
    assert float(explained_variance(torch.randn(5), torch.ones(5))) == 0.0
