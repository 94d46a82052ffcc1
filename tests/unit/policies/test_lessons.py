"""Lessons: situations as the environment gives them, and what is best in each."""

from collections.abc import Callable

import numpy as np
import torch

from rl_editor.analysis.track import Track
from rl_editor.data.demonstrations import Demonstration
from rl_editor.edits.actions import END, KEEP
from rl_editor.edits.edl import EDL
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.lessons import STRAYED, StrayConfig, make_lesson
from rl_editor.policies.playing import situation_of

Example = tuple[Track, EDL, Demonstration]
Make = Callable[..., Track]


def lesson_of(example: Example, **stray: float) -> object:
    track, edl, shown = example
    config = StrayConfig(**{"editors": 0, "chance": 0.0, **stray})
    return make_lesson(track, shown, edl.duration_s, config, np.random.default_rng(0))


def test_without_strays_it_is_the_demonstration(example: Example) -> None:
    _, _, shown = example
    lesson = lesson_of(example)
    np.testing.assert_array_equal(lesson.demonstrated, shown.actions)
    np.testing.assert_array_equal(lesson.playhead, shown.playhead)
    assert lesson.best[np.arange(len(shown.actions)), shown.actions].all()


def test_situations_are_those_of_the_environment(example: Example) -> None:
    track, edl, shown = example
    lesson = lesson_of(example)
    request = EditRequest(target_s=edl.duration_s, order="free")
    env = BeatEditEnv(make_instances([track], [(0, request)], RewardConfig()), 1)
    observation, mask = env.start(torch.zeros(1, dtype=torch.int64))
    for t, action in enumerate(shown.actions.tolist()):
        seen = situation_of(env, observation, mask)
        assert int(seen.playhead) == lesson.playhead[t]
        assert bool(seen.must_keep) == lesson.must_keep[t]
        np.testing.assert_allclose(seen.scalars[0].numpy(), lesson.scalars[t], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(seen.kind[0].numpy(), lesson.kind[t])
        np.testing.assert_allclose(seen.plays[0].numpy(), lesson.plays[t])
        after = env.step(torch.tensor([action]))
        observation, mask = after.observation, after.mask


def test_what_is_best_is_legal_and_what_is_unknown_weighs_nothing(example: Example) -> None:
    lesson = lesson_of(example, editors=6, chance=0.2)
    assert not (lesson.best & ~lesson.mask).any()
    assert (lesson.weight[~lesson.best.any(axis=1)] == 0).all()
    assert lesson.mask.any(axis=1).all()


def test_strays_come_where_the_editor_never_was(example: Example) -> None:
    lesson = lesson_of(example, editors=6, chance=0.2)
    own = set(zip(lesson.playhead[lesson.demonstrated >= 0], lesson.must_keep[lesson.demonstrated >= 0], strict=True))
    strayed = lesson.demonstrated == STRAYED
    others = set(zip(lesson.playhead[strayed], lesson.must_keep[strayed], strict=True))
    assert len(others - own) > 5
    jumps = lesson.best[strayed][:, END + 1 :].any(axis=1)
    assert jumps.any()
    assert lesson.best[strayed][:, KEEP].any()


def test_the_same_seed_gives_the_same_lesson(example: Example) -> None:
    one, other = (lesson_of(example, editors=2, chance=0.1) for _ in range(2))
    for column, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(column, again)
