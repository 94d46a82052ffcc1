"""Laws of preferences: antisymmetry, ties in the middle, stronger answers for greater differences; and small cases."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.rl.bradley_terry import (
    RATINGS,
    STRENGTHS,
    Raters,
    answer_loss,
    centring,
    choice_loss,
    grade_log_probs,
    rating_log_probs,
    rating_loss,
)
from rl_editor.rl.calibration import (
    accuracy,
    accuracy_by_margin,
    best_factor,
    calibration_error,
    correlation_within,
)

numbers = st.floats(-20.0, 20.0)
habits = st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3).map(lambda w: torch.tensor([w[0], 0.0, *w[1:]]))


def grades(difference: float, weights: Tensor) -> Tensor:
    return grade_log_probs(torch.tensor(difference, dtype=torch.float64), weights.double()).exp()


@given(numbers, habits)
def test_exchanging_two_things_exchanges_their_answers(difference: float, weights: Tensor) -> None:
    turned = grades(-difference, weights).flip(0)
    assert torch.allclose(grades(difference, weights), turned, rtol=1e-12, atol=0.0)
    assert float(grades(difference, weights).sum()) == pytest.approx(1.0)


@given(st.floats(0.01, 20.0), habits)
def test_a_tie_is_likeliest_where_nothing_differs(difference: float, weights: Tensor) -> None:
    tie = [float(grades(d, weights)[STRENGTHS]) for d in (0.0, difference, -difference)]
    assert tie[0] > tie[1] == pytest.approx(tie[2], rel=1e-12)


@given(numbers, st.floats(0.01, 5.0), habits)
def test_a_greater_difference_makes_stronger_answers(difference: float, more: float, weights: Tensor) -> None:
    grade = torch.arange(-STRENGTHS, STRENGTHS + 1.0).double()
    assert grades(difference + more, weights) @ grade >= grades(difference, weights) @ grade


@given(habits)
def test_a_stronger_answer_pulls_scores_further_apart(weights: Tensor) -> None:
    pulls = []
    for strength in range(1, STRENGTHS + 1):
        difference = torch.zeros(1, requires_grad=True)
        answer_loss(grade_log_probs(difference, weights), torch.tensor([1]), torch.tensor([strength])).sum().backward()
        assert difference.grad is not None
        pulls.append(-float(difference.grad))
    assert pulls == pytest.approx([0.5, 1.0, 1.5], abs=1e-5)


def test_one_grade_is_davidsons_model_of_ties() -> None:
    first, second, tie = 3.0, 1.5, 0.7  # Davidson 1970: strengths 3 and 1.5, tie parameter 0.7
    shared = tie * math.sqrt(first * second)
    told = grade_log_probs(torch.tensor(math.log(first / second)), torch.tensor([math.log(tie), 0.0])).exp()
    wanted = np.array([second, shared, first]) / (first + second + shared)
    assert told.numpy() == pytest.approx(wanted, abs=1e-6)


def test_without_ties_and_strength_it_is_bradley_and_terrys() -> None:
    assert choice_loss(torch.tensor([math.log(3.0)]), torch.tensor([1])).exp().item() == pytest.approx(4.0 / 3.0)
    assert choice_loss(torch.tensor([math.log(3.0)]), torch.tensor([-1])).exp().item() == pytest.approx(4.0)
    no_ties = torch.tensor([-1e9, 0.0])
    lost, _, won = grade_log_probs(torch.tensor(0.8), no_ties).exp().tolist()
    assert (won, lost) == pytest.approx((torch.tensor(0.8).sigmoid().item(), torch.tensor(-0.8).sigmoid().item()))


def test_an_answer_without_strength_is_any_of_its_side() -> None:
    log_probs = torch.tensor([[0.1, 0.1, 0.1, 0.2, 0.1, 0.15, 0.25]]).log()
    losses = {
        (1, 0): -math.log(0.5), (1, 3): -math.log(0.25), (-1, 0): -math.log(0.3), (-1, 1): -math.log(0.1),
        (0, 0): -math.log(0.2),
    }  # fmt: skip
    for (side, strength), wanted in losses.items():
        said = answer_loss(log_probs, torch.tensor([side]), torch.tensor([strength]))
        assert said.item() == pytest.approx(wanted, abs=1e-6)


@given(st.floats(-30.0, 30.0))
@torch.no_grad()
def test_ratings_are_a_distribution_that_rises_with_the_score(score: float) -> None:
    raters = Raters().double()
    rated, better = (raters.ratings(torch.tensor(each, dtype=torch.float64)).exp() for each in (score, score + 1.0))
    assert float(rated.sum()) == pytest.approx(1.0)
    value = torch.arange(1, RATINGS + 1.0).double()
    assert better @ value > rated @ value
    assert (raters.thresholds.diff() > 0).all()


def test_ratings_by_hand() -> None:
    log_probs = rating_log_probs(torch.tensor([0.5]), torch.tensor([-1.0, 2.0]))
    below = [1.0 / (1.0 + math.exp(1.5)), 1.0 / (1.0 + math.exp(-1.5))]
    wanted = [below[0], below[1] - below[0], 1.0 - below[1]]
    assert log_probs.exp()[0].tolist() == pytest.approx(wanted, abs=1e-6)
    assert rating_loss(log_probs, torch.tensor([2])).item() == pytest.approx(-math.log(wanted[1]), abs=1e-6)


def test_the_raters_habits_can_be_learned_at_any_score() -> None:
    raters = Raters()
    score = torch.tensor([-200.0, 0.0, 200.0])
    loss = rating_loss(raters.ratings(score), torch.tensor([10, 5, 1])).sum()
    (loss + answer_loss(raters.answers(score), torch.tensor([1, 0, -1]), torch.tensor([1, 0, 0])).sum()).backward()
    assert all(each.grad is not None and bool(each.grad.isfinite().all()) for each in raters.parameters())


def test_centring_is_least_for_pairs_around_0() -> None:
    assert centring(torch.tensor([2.0, 2.0]), torch.tensor([-2.0, 1.0])).tolist() == [0.0, 9.0]


def test_the_factor_by_which_answers_came_about_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    difference = 2.0 * torch.randn(20_000, generator=generator)
    won = torch.rand(20_000, generator=generator) < (0.4 * difference).sigmoid()
    factor = best_factor(difference, won)
    assert factor == pytest.approx(0.4, rel=0.05)
    assert calibration_error((factor * difference).sigmoid(), won) < 0.02
    assert calibration_error((3.0 * difference).sigmoid(), won) > 0.1


def test_a_few_answers_that_all_come_true_do_not_make_it_certain() -> None:
    difference = torch.tensor([0.5, 1.0, 2.0])
    assert best_factor(difference, difference > 0) < 10.0
    assert best_factor(difference[:0], difference[:0] > 0) == pytest.approx(1.0, abs=1e3)


def test_calibration_error_by_hand() -> None:
    probability, won = torch.tensor([0.9, 0.1, 0.6, 0.6]), torch.tensor([True, False, True, False])
    # two bins: said 0.6 and 0.6, came true once of two; said 0.9 and 0.9, came true both times
    assert calibration_error(probability, won, bins=2) == pytest.approx((0.2 + 0.2) / 4)


def test_accuracy_counts_equal_scores_half() -> None:
    assert accuracy(torch.tensor([1.0, -1.0, 0.0, 2.0]), torch.tensor([True, True, True, False])) == 0.375


def test_accuracy_by_margin_begins_with_the_narrowest() -> None:
    difference = torch.tensor([0.1, -0.1, 1.0, -1.0, 5.0, -5.0])
    won = torch.tensor([False, True, True, True, True, False])
    bands = accuracy_by_margin(difference, won)
    assert [(band.accuracy, band.pairs) for band in bands] == [(0.0, 2), (0.5, 2), (1.0, 2)]


def test_a_correlation_within_groups_knows_nothing_of_their_means() -> None:
    length, group = torch.tensor([1.0, 2.0, 3.0, 11.0, 12.0, 13.0]), torch.tensor([0, 0, 0, 1, 1, 1])
    score = torch.tensor([3.0, 2.0, 1.0, 103.0, 102.0, 101.0])
    assert correlation_within(score, length, group) == pytest.approx(-1.0)
    assert correlation_within(score, torch.ones(6), group) == 0.0
