"""The scale of returns."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.rl.value_scale import ValueScale

seeds = st.integers(0, 2**31 - 1)


def updated(*rollouts: torch.Tensor) -> ValueScale:
    scale = ValueScale()
    for returns in rollouts:
        scale.update(returns.mean(), returns.var(correction=0), torch.nn.Linear(2, 1))
    return scale


@given(seeds, st.integers(1, 5), st.floats(-1e3, 1e3), st.floats(0.05, 50.0))
def test_a_scale_that_moves_leaves_what_the_critic_says_unchanged(
    seed: int, known: int, mean: float, spread: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    head, scale, seen = torch.nn.Linear(8, 1), ValueScale(), torch.randn(16, 8, generator=generator)
    with torch.no_grad():
        for weight in head.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
        for _ in range(known):
            scale.update(torch.tensor(3.0), torch.tensor(4.0), head)
        before, old = scale.denormalised(head(seen)), scale.mean.clone()
        scale.update(torch.tensor(mean), torch.tensor(spread**2), head)
        assert abs(float(scale.mean - old)) > abs(mean - 3.0) / 10
        # values and means may be a thousand times the spread: rounding is relative to them
        near = 1e-5 * (1.0 + abs(mean) + spread)
        torch.testing.assert_close(scale.denormalised(head(seen)), before, rtol=1e-4, atol=near)


def test_a_critic_that_knows_nothing_begins_at_the_mean_of_the_first_rollout() -> None:
    head, scale = torch.nn.Linear(8, 1), ValueScale()
    weight = head.weight.clone()
    torch.nn.init.zeros_(head.bias)
    scale.update(torch.tensor(40.0), torch.tensor(9.0), head)
    assert torch.equal(head.weight, weight)
    assert scale.denormalised(head(torch.zeros(8))).item() == 40.0


def test_before_it_knows_anything_it_changes_nothing() -> None:
    returns = torch.tensor([-3.0, 40.0])
    assert torch.equal(ValueScale().normalised(returns), returns)
    assert torch.equal(ValueScale().denormalised(returns), returns)


@given(seeds, st.floats(-1e4, 1e4), st.floats(0.1, 1e3))
def test_the_first_rollout_sets_it_however_far_from_zero(seed: int, mean: float, spread: float) -> None:
    returns = mean + spread * torch.randn(100, generator=torch.Generator().manual_seed(seed))
    scaled = updated(returns).normalised(returns)
    torch.testing.assert_close(scaled.mean(), torch.zeros(()), rtol=0, atol=0.05)
    torch.testing.assert_close(scaled.std(correction=0), torch.ones(()), rtol=0, atol=0.01)


@given(seeds)
def test_both_ways_are_each_other_s_inverse(seed: int) -> None:
    returns = 5.0 + 3.0 * torch.randn(20, generator=torch.Generator().manual_seed(seed))
    scale = updated(returns, 2.0 * returns)
    torch.testing.assert_close(scale.denormalised(scale.normalised(returns)), returns)


@given(seeds, st.integers(1, 6))
def test_while_there_are_few_all_rollouts_count_alike(seed: int, count: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rollouts = [float(k) + k * torch.randn(30, generator=generator) for k in range(1, count + 1)]
    scale, together = updated(*rollouts), torch.cat(rollouts)
    torch.testing.assert_close(scale.mean, together.mean(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scale.spread, together.std(correction=0), rtol=1e-4, atol=1e-4)


def test_the_beginning_is_forgotten() -> None:
    early, late = torch.tensor([-1.0, 1.0]), torch.tensor([99.0, 101.0])
    scale = updated(*[early] * 50, *[late] * 1000)
    torch.testing.assert_close(scale.mean, torch.tensor(100.0), rtol=0, atol=0.1)
    torch.testing.assert_close(scale.spread, torch.tensor(1.0), rtol=0, atol=0.2)


def test_returns_that_are_all_the_same_are_not_blown_up() -> None:
    same = torch.full((10,), 7.0)
    assert updated(same).normalised(same).abs().max() < 1.0
    assert torch.isfinite(updated(same).normalised(same + 1.0)).all()


def test_it_is_part_of_the_weights() -> None:
    scale, again = updated(torch.tensor([3.0, 8.0])), ValueScale()
    again.load_state_dict(scale.state_dict())
    values = torch.randn(4)
    assert torch.equal(again.denormalised(values), scale.denormalised(values))
