"""The reward model as the environment asks it: the same scores as of the edits one by one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from rl_editor.analysis.track import Track
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv, Finished
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.described_edits import put_together
from rl_editor.policies.edit_description import describe_edit
from rl_editor.policies.edit_judge import EditJudge
from rl_editor.policies.edit_scorer import EditScorer, ScorerConfig
from rl_editor.policies.ground import Ground

SOUNDS = ("timbre",) * 8 + ("chroma",) * 12 + ("onset",) * 3 + ("level",)


def test_an_environment_is_paid_what_the_reward_model_says_of_each_edit(make_track: Callable[..., Track]) -> None:
    tracks = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        sounds = rng.normal(size=(50 + 30 * seed, len(SOUNDS))).astype(np.float32)
        tracks.append(replace(make_track(rng, len(sounds)), features=sounds, feature_names=SOUNDS))
    instances = make_instances(tracks, [(k % 2, EditRequest(keep=0.4)) for k in range(4)], RewardConfig())
    torch.manual_seed(0)
    scorer = EditScorer(ScorerConfig(members=2, width=16, blocks=1, heads=2)).eval()
    judge = EditJudge(scorer, instances)
    judged: list[tuple[Finished, torch.Tensor]] = []

    def learned(edits: Finished) -> torch.Tensor:
        judged.append((edits, judge(edits)))
        return judged[-1][1]

    env = BeatEditEnv(instances, 8, RewardConfig(rules=0.0), learned=learned)
    env.reset(seed=0)
    generator = torch.Generator().manual_seed(0)
    while sum(len(scores) for _, scores in judged) < 8:
        weight = env.mask * torch.where(torch.arange(env.mask.shape[1]) == 0, 100.0, 1.0)
        step = env.step(torch.multinomial(weight, 1, generator=generator)[:, 0])
    torch.testing.assert_close(step.reward[step.terminated], judged[-1][1])
    for edits, scores in judged:
        for which, actions, score in zip(edits.instance.tolist(), edits.actions, scores, strict=True):
            edl = edit_of(instances, which, actions[actions >= 0].numpy())
            ground = Ground(instances.track_of(which))
            with torch.inference_mode():
                alone = scorer(*put_together([ground.heard], [[describe_edit(edl, ground)]]))
            torch.testing.assert_close(alone[0], score, atol=1e-4, rtol=1e-4)
