"""The policy: what must hold of any weights."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.playing import play, recordings_of
from rl_editor.policies.policy import Policy, PolicyConfig
from rl_editor.policies.recordings import batched, hear
from rl_editor.policies.situation import Situation
from rl_editor.policies.taught import LearntTake, demonstrated
from rl_editor.policies.track_encoder import threshold
from rl_editor.rl.masked import ILLEGAL

Make = Callable[..., Track]


def test_padding_beside_a_longer_recording_changes_nothing(policy: Policy, take: LearntTake, make_track: Make) -> None:
    longer = hear(make_track(np.random.default_rng(9), 131))
    shown = demonstrated([take])
    alone = policy.log_probs(policy.encode(shown.recordings)[1], shown.situation)
    both = batched([longer, take.heard], [0.3, take.ratio], [True, True])
    moved = shown.situation._replace(recording=torch.ones_like(shown.situation.recording))
    for encode in (policy.encode, policy.encode_one_by_one):
        torch.testing.assert_close(alone, policy.log_probs(encode(both)[1], moved), atol=1e-4, rtol=1e-4)


def test_no_probability_on_an_illegal_action(policy: Policy, take: LearntTake) -> None:
    shown = demonstrated([take])
    log_probs = policy.log_probs(policy.encode(shown.recordings)[1], shown.situation)
    assert (log_probs[~shown.situation.mask] == ILLEGAL).all()
    torch.testing.assert_close(log_probs.exp().sum(dim=1), torch.ones(len(log_probs)))


def test_every_weight_learns(policy: Policy, take: LearntTake) -> None:
    assert not any(weight.requires_grad for weight in (policy.head.say, policy.head.trust))  # who imitates can't know
    policy.head.learn_whom_to_trust()
    shown = demonstrated([take])
    encoded, prepared = policy.encode(shown.recordings)
    (policy.log_probs(prepared, shown.situation)[shown.situation.mask].square().sum() + encoded.keep.sum()).backward()
    still = [name for name, weight in policy.named_parameters() if weight.grad is None or not weight.grad.any()]
    still = [name for name in still if "copies" not in name]  # made-up tracks have none
    assert still == []
    assert all(bool(torch.isfinite(weight.grad).all()) for weight in policy.parameters() if weight.grad is not None)


def test_the_threshold_leaves_as_much_as_is_asked_for() -> None:
    generator = torch.Generator().manual_seed(0)
    worth, share = torch.randn(3, 200, generator=generator), torch.rand(3, 200, generator=generator)
    share[1, 150:] = 0.0
    share /= share.sum(dim=1, keepdim=True)
    ratio = torch.tensor([0.1, 0.5, 1.2])
    above = worth >= threshold(worth, share, ratio)[:, None]
    kept = (above * share).sum(dim=1)
    assert kept.tolist() == pytest.approx([0.1, 0.5, 1.0], abs=0.02)


@pytest.mark.parametrize("keep", [0.03, 0.3, 1.2])
def test_whatever_the_weights_its_edits_are_as_long_as_asked(take: LearntTake, policy: Policy, keep: float) -> None:
    request = EditRequest(keep=keep, order="free", loops=True)
    made = make_instances([take.track], [(0, request)], RewardConfig())
    _, prepared = policy.encode(recordings_of(made, [take.heard]))
    which = torch.zeros(4, dtype=torch.int64)
    for generator in (None, torch.Generator().manual_seed(1)):
        for played in play(policy, prepared, BeatEditEnv(made, 4), which, generator):
            assert played.actions[-1] == END
            assert (played.actions[:-1] != END).all()
            edl = edit_of(made, 0, played.actions)
            assert edl.duration_s == pytest.approx(keep * take.track.source.duration_s, abs=1.0 + 1e-3)


def test_the_likeliest_edit_does_not_depend_on_who_plays_beside_it(take: LearntTake, policy: Policy) -> None:
    made = make_instances([take.track], [(0, EditRequest(keep=k)) for k in (0.2, 0.4, 0.7)], RewardConfig())
    _, prepared = policy.encode(recordings_of(made, [take.heard]))
    together = play(policy, prepared, BeatEditEnv(made, 3), torch.arange(3))
    for which, played in enumerate(together):
        (alone,) = play(policy, prepared, BeatEditEnv(made, 1), torch.tensor([which]))
        np.testing.assert_array_equal(alone.actions, played.actions)
        assert alone.log_prob == pytest.approx(played.log_prob, rel=1e-3, abs=1e-3)


def test_a_policy_is_small() -> None:
    count = sum(weight.numel() for weight in Policy(97, 14, PolicyConfig()).parameters())
    assert count < 1_000_000


def test_a_louder_recording_is_heard_alike(take: LearntTake) -> None:
    louder = replace(take.track, level_db=take.track.level_db + 6.0)
    np.testing.assert_allclose(hear(louder).beats, take.heard.beats, atol=1e-5)


def test_situations_know_their_shapes(take: LearntTake) -> None:
    shown = demonstrated([take, take])
    assert shown.situation.recording.unique().tolist() == [0, 1]
    assert all(len(column) == len(shown.best) for column in Situation(*shown.situation))
