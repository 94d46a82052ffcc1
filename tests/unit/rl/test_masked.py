"""Masked distributions against brute force."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.rl.masked import ILLEGAL, entropy, log_prob_of_any, masked_log_probs, sample


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[float], list[bool]]:
    size = draw(st.integers(1, 7))
    logits = draw(st.lists(st.floats(-20, 20, width=32), min_size=size, max_size=size))
    mask = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any))
    return logits, mask


def brute(logits: list[float], mask: list[bool]) -> list[float]:
    """Probabilities by the definition of a softmax over the legal ones."""
    highest = max(logit for logit, legal in zip(logits, mask, strict=True) if legal)
    weights = [math.exp(logit - highest) if legal else 0.0 for logit, legal in zip(logits, mask, strict=True)]
    return [weight / sum(weights) for weight in weights]


@given(rows())
def test_probabilities_are_the_softmax_over_legal_actions(row: tuple[list[float], list[bool]]) -> None:
    logits, mask = row
    found = masked_log_probs(torch.tensor([logits]), torch.tensor([mask])).exp()[0]
    assert found.tolist() == pytest.approx(brute(logits, mask), abs=1e-6)
    assert all(p == 0.0 for p, legal in zip(found.tolist(), mask, strict=True) if not legal)


@given(rows())
def test_the_entropy_is_that_of_the_legal_actions(row: tuple[list[float], list[bool]]) -> None:
    logits, mask = row
    found = float(entropy(masked_log_probs(torch.tensor([logits]), torch.tensor([mask]))))
    assert found == pytest.approx(-sum(p * math.log(p) for p in brute(logits, mask) if p > 0), abs=1e-5)
    assert 0.0 <= found + 1e-6 <= math.log(sum(mask)) + 1e-5


@given(rows(), st.data())
def test_the_probability_of_any_of_several_is_their_sum(
    row: tuple[list[float], list[bool]], data: st.DataObject
) -> None:
    logits, mask = row
    wanted = data.draw(st.lists(st.booleans(), min_size=len(mask), max_size=len(mask)))
    log_probs = masked_log_probs(torch.tensor([logits]), torch.tensor([mask]))
    expected = sum(p for p, want in zip(brute(logits, mask), wanted, strict=True) if want)
    assert float(log_prob_of_any(log_probs, torch.tensor([wanted])).exp()) == pytest.approx(expected, abs=1e-5)


def test_nothing_wanted_is_impossible_and_not_infinite() -> None:
    log_probs = masked_log_probs(torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.bool))
    assert float(log_prob_of_any(log_probs, torch.zeros(1, 3, dtype=torch.bool))) < 0.5 * ILLEGAL


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gradients_are_finite_and_none_reaches_an_illegal_action(dtype: torch.dtype) -> None:
    logits = torch.tensor([[3.0, -40.0, 2.0, 30.0]], dtype=dtype, requires_grad=True)
    mask = torch.tensor([[True, False, True, True]])
    log_probs = masked_log_probs(logits, mask)
    (entropy(log_probs).sum() + log_probs[0, 2]).backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    assert float(logits.grad[0, 1]) == 0.0


def drawn(log_probs: Tensor, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return sample(log_probs.expand(count, -1), generator)


def test_actions_are_drawn_as_often_as_they_are_likely() -> None:
    log_probs = masked_log_probs(torch.tensor([[0.0, 1.0, 5.0, 2.0]]), torch.tensor([[True, True, False, True]]))
    counts = torch.bincount(drawn(log_probs, 20_000), minlength=4) / 20_000
    assert counts.tolist() == pytest.approx(log_probs.exp()[0].tolist(), abs=0.015)
    assert float(counts[2]) == 0.0
