"""The table against value iteration, and what makes its updates what they claim to be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rl_editor.rl.q_table import QTable, QTableConfig, Transitions, best_legal

seeds = st.integers(0, 2**31 - 1)
N_STATES, N_ACTIONS = 6, 3


def steps(*rows: tuple[int, int, float, int, list[bool], bool]) -> Transitions:
    """Transitions of rows (state, action, reward, following state, legal there, ended)."""
    return Transitions(*(torch.tensor(column) for column in zip(*rows, strict=True)))


class Chain:
    """A process of 6 states that only goes on, with chance in where to and in what is paid; the last state ends it."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.legal = torch.tensor(rng.random((N_STATES, N_ACTIONS)) < 0.6)
        self.legal[torch.arange(N_STATES), torch.tensor(rng.integers(0, N_ACTIONS, N_STATES))] = True
        chances = np.triu(rng.random((N_ACTIONS, N_STATES, N_STATES)), k=1)
        chances[:, -1, -1] = 1.0
        self.chances = torch.tensor(chances / chances.sum(axis=2, keepdims=True)).permute(1, 0, 2)
        self.paid = torch.tensor(rng.normal(size=(N_STATES, N_ACTIONS)))

    def step(self, state: Tensor, action: Tensor, generator: torch.Generator) -> Transitions:
        following = torch.multinomial(self.chances[state, action], 1, generator=generator)[:, 0]
        reward = self.paid[state, action] + 0.1 * torch.randn(len(state), generator=generator)
        return Transitions(state, action, reward, following, self.legal[following], following == N_STATES - 1)

    def worth(self, gamma: float) -> Tensor:
        """Value iteration, (S, A)."""
        value = torch.zeros(N_STATES, N_ACTIONS, dtype=torch.float64)
        for _ in range(N_STATES):
            best = torch.where(self.legal, value, -torch.inf).amax(dim=1)
            best[-1] = 0.0
            value = self.paid + gamma * self.chances @ best
        return value


@settings(max_examples=10, deadline=None)
@given(seed=seeds, gamma=st.sampled_from([0.5, 0.9, 1.0]))
def test_it_finds_what_value_iteration_finds(seed: int, gamma: float) -> None:
    chain, generator = Chain(seed), torch.Generator().manual_seed(seed)
    table = QTable(N_STATES, N_ACTIONS, QTableConfig(gamma=gamma))
    for _ in range(400):
        state = torch.randint(N_STATES - 1, (64,), generator=generator)
        action = table.explore(state, chain.legal[state], 1.0, generator)
        table.update(chain.step(state, action, generator))
    there = chain.legal.clone()
    there[-1] = False
    assert (table.value - chain.worth(gamma))[there].abs().max() < 0.15


def test_what_is_not_legal_is_never_counted_on() -> None:
    table = QTable(2, 2)
    table.value[1] = torch.tensor([100.0, 1.0])
    difference = table.update(steps((0, 0, 0.5, 1, [False, True], False)))
    assert difference.tolist() == [1.5]


def test_nothing_follows_an_end() -> None:
    table = QTable(2, 2)
    table.value[1] = 100.0
    table.update(steps((0, 0, 0.5, 1, [True, True], True)))
    assert table.value[0].tolist() == [0.5, 0.0]


def test_with_a_decay_of_one_a_value_is_the_mean_of_its_targets() -> None:
    table = QTable(1, 1, QTableConfig(decay=1.0))
    for rewards in ([1.0], [2.0, 6.0], [3.0]):
        table.update(steps(*((0, 0, reward, 0, [True], True) for reward in rewards)))
    assert table.value.item() == pytest.approx(3.0)
    assert table.visits.item() == 4


def test_the_nth_visit_has_the_rate_of_the_nth_visit() -> None:
    table = QTable(1, 1, QTableConfig(decay=0.6))
    expected = 0.0
    for n, reward in enumerate((1.0, -2.0, 5.0), start=1):
        expected += n**-0.6 * (reward - expected)
        table.update(steps((0, 0, reward, 0, [True], True)))
    assert table.value.item() == pytest.approx(expected)


@settings(deadline=None)
@given(seed=seeds)
def test_the_order_within_a_batch_does_not_matter(seed: int) -> None:
    chain, generator = Chain(seed), torch.Generator().manual_seed(seed)
    state = torch.randint(N_STATES - 1, (50,), generator=generator)
    seen = chain.step(state, torch.randint(N_ACTIONS, (50,), generator=generator), generator)
    shuffled = torch.randperm(50, generator=generator)
    tables = QTable(N_STATES, N_ACTIONS), QTable(N_STATES, N_ACTIONS)
    tables[0].update(seen)
    tables[1].update(Transitions(*(column[shuffled] for column in seen)))
    torch.testing.assert_close(tables[0].value, tables[1].value)
    assert torch.equal(tables[0].visits, tables[1].visits)


def test_the_greedy_action_is_the_best_legal_one_that_was_learned() -> None:
    table = QTable(1, 4)
    table.value[0] = torch.tensor([-1.0, -2.0, 0.0, 5.0])
    table.visits[0] = torch.tensor([3, 3, 0, 3])
    legal = torch.tensor([[True, True, True, False], [False, True, True, False], [False, False, True, False]])
    assert table.greedy(torch.zeros(3, dtype=torch.int64), legal).tolist() == [0, 1, 2]


def test_exploring_plays_legal_actions_alone_as_often_as_epsilon_says() -> None:
    table = QTable(1, 3)
    table.value[0], table.visits[0] = torch.tensor([1.0, 2.0, 9.0]), 1
    legal = torch.tensor([True, True, False]).expand(20000, 3)
    played = table.explore(torch.zeros(20000, dtype=torch.int64), legal, 0.4, torch.Generator().manual_seed(0))
    shares = torch.bincount(played, minlength=3) / 20000
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.8, 0.0]), atol=0.02, rtol=0.0)


def test_one_seed_gives_one_play() -> None:
    table, state = QTable(1, 5), torch.zeros(100, dtype=torch.int64)
    legal = torch.ones(100, 5, dtype=torch.bool)
    one, again = (table.explore(state, legal, 0.5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, again)


def test_where_nothing_is_legal_nothing_is_expected() -> None:
    value = torch.tensor([[3.0, 4.0], [-3.0, -4.0]])
    legal = torch.tensor([[False, False], [False, True]])
    assert best_legal(value, legal).tolist() == [0.0, -4.0]
