"""Imitation: the loss falls, a take is learned by heart, and overlap means what it says."""

import numpy as np
import pytest
import torch

from rl_editor.data.demonstrations import Demonstration
from rl_editor.edits.edl import EDL
from rl_editor.policies.imitation import accuracy_by_action, cloning_loss, imitated, overlap
from rl_editor.policies.policy import Policy
from rl_editor.policies.taught import LearntTake, demonstrated, drawn

Example = tuple[object, EDL, Demonstration]


def test_a_take_is_learned_by_heart(take: LearntTake, policy: Policy) -> None:
    torch.manual_seed(0)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=5e-3)
    for _ in range(150):
        loss = cloning_loss(policy, drawn([take], situations=48, jumps=8.0), smoothing=0.0, keep_weight=1.0)
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    told = accuracy_by_action(policy.eval(), demonstrated([take]))
    right, count = (sum(column) for column in zip(*told.values(), strict=True))
    assert right / count >= 0.98
    (edit,) = imitated(policy, [take])
    assert edit.overlap > 0.95


@torch.no_grad()
def test_the_loss_is_what_the_true_actions_leave_to_others(take: LearntTake, policy: Policy) -> None:
    shown = demonstrated([take])
    log_probs = policy.log_probs(policy.encode(shown.recordings)[1], shown.situation)
    by_hand = [
        -float(log_probs[n][shown.best[n]].exp().sum().log())
        for n in range(len(shown.best))
        if float(shown.weight[n]) > 0
    ]
    losses = cloning_loss(policy, shown, smoothing=0.0, keep_weight=0.0)
    assert float(losses.total) == pytest.approx(float(np.mean(by_hand)), rel=1e-4)


@torch.no_grad()
def test_doubtful_decisions_weigh_less(take: LearntTake, policy: Policy) -> None:
    shown = demonstrated([take])
    doubtful = shown._replace(weight=torch.where(torch.arange(len(shown.weight)) < 10, 1.0, 1e-9))
    first = cloning_loss(policy, doubtful, smoothing=0.0, keep_weight=0.0).decisions
    log_probs = policy.log_probs(policy.encode(shown.recordings)[1], shown.situation)
    by_hand = [-float(log_probs[n][shown.best[n]].exp().sum().log()) for n in range(10)]
    assert float(first) == pytest.approx(float(np.mean(by_hand)), rel=1e-3)


def test_overlap_is_one_for_the_true_edit_and_nought_by_chance(take: LearntTake, example: Example) -> None:
    _, edl, _ = example
    assert overlap(edl, take.kept, take.track) == pytest.approx(1.0, abs=2e-3)  # a landing has a lag of a few ms
    rng = np.random.default_rng(0)
    guesses = [overlap(edl, (rng.random(80) < 0.4).astype(np.float32), take.track) for _ in range(400)]
    assert abs(float(np.mean(guesses))) < 0.05
