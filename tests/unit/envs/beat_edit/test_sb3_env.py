from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END, N_ACTIONS
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.gymnasium_env import BeatEdit
from rl_editor.envs.beat_edit.sb3_env import BeatEditVecEnv
from rl_editor.errors import EnvError

MakeTrack = Callable[..., Track]
REQUESTS = (EditRequest(keep=0.2), EditRequest(keep=0.4, order="free"))


@pytest.fixture(scope="module")
def tracks(make_track: MakeTrack) -> list[Track]:
    return [make_track(np.random.default_rng(seed), n_beats) for seed, n_beats in enumerate((12, 20))]


def test_it_plays_what_dummy_environments_play(tracks: list[Track]) -> None:
    rng = np.random.default_rng(0)
    batched = BeatEditVecEnv(3, tracks=tracks, requests=REQUESTS)
    dummies = DummyVecEnv([lambda: BeatEdit(tracks=tracks, requests=REQUESTS) for _ in range(3)])
    for env in (batched, dummies):
        env.seed(5)
    one, other = batched.reset(), dummies.reset()
    ends = 0
    for _ in range(60):
        same(one, other)
        masks = batched.action_masks()
        assert (masks == np.stack(dummies.env_method("action_masks"))).all()
        actions = np.array([END if mask[END] else rng.choice(np.flatnonzero(mask)) for mask in masks])
        actions[0] = rng.integers(N_ACTIONS)
        one, reward, done, infos = batched.step(actions)
        other, *rest = dummies.step(actions)
        assert (reward == rest[0]).all()
        assert (done == rest[1]).all()
        assert reward.dtype == np.float32
        for mine, theirs in zip(infos, rest[2], strict=True):
            assert mine.keys() == theirs.keys()
            assert mine.get("terms") == theirs.get("terms")
            assert mine.get("length_met") == theirs.get("length_met")
            assert mine["TimeLimit.truncated"] is False
            if "terminal_observation" in mine:
                same(mine["terminal_observation"], theirs["terminal_observation"])
        ends += int(done.sum())
    assert ends > 3


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    assert all((values == other[name]).all() and values.dtype == other[name].dtype for name, values in one.items())


def test_options_choose_instances_once(tracks: list[Track]) -> None:
    env = BeatEditVecEnv(2, tracks=tracks, requests=REQUESTS)
    env.set_options([{"instance": 3}, {"instance": 1}])
    env.reset()
    assert [info["instance"] for info in env.reset_infos] == [3, 1]
    env.set_options({"instance": 2})
    env.reset()
    assert [info["instance"] for info in env.reset_infos] == [2, 2]


def test_masks_edits_and_pictures_are_had_of_each(tracks: list[Track]) -> None:
    env = BeatEditVecEnv(2, "rgb_array", tracks=tracks, requests=REQUESTS)
    env.reset()
    env.step(np.zeros(2, dtype=np.int64))
    assert env.has_attr("action_masks")
    assert not env.has_attr("something_else")
    assert (np.stack(env.env_method("action_masks")) == env.action_masks()).all()
    assert len(env.env_method("edl", indices=[1])) == 1
    assert env.env_is_wrapped(object) == [False, False]  # type: ignore[arg-type]
    picture = env.render()
    assert picture is not None
    assert picture.ndim == 3
    env.close()


def test_stable_baselines_wrappers_take_it(tracks: list[Track]) -> None:
    env = VecMonitor(BeatEditVecEnv(2, tracks=tracks, requests=REQUESTS[:1]))
    env.reset()
    episodes = []
    for _ in range(40):
        masks = np.stack(env.env_method("action_masks"))
        actions = np.array([END if mask[END] else np.flatnonzero(mask)[0] for mask in masks])
        _, _, _, infos = env.step(actions)
        episodes += [info["episode"] for info in infos if "episode" in info]
    assert episodes
    assert all(np.isfinite(episode["r"]) for episode in episodes)


@pytest.mark.parametrize(("wrong", "told"), [({"num_envs": 0}, "at least 1"), ({"render_mode": "foo"}, "ansi")])
def test_what_can_t_be_made_is_refused(tracks: list[Track], wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(EnvError, match=told):
        BeatEditVecEnv(**({"tracks": tracks, "requests": REQUESTS} | wrong))


def test_its_instances_can_be_looked_up(tracks: list[Track]) -> None:
    env = BeatEditVecEnv(1, tracks=tracks, requests=REQUESTS)
    assert env.instances.requests[2] == REQUESTS[0]
    assert env.instances.track_of(2) is tracks[1]
