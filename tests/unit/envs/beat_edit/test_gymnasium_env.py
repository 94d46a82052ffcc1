from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.audio.files import read_audio, write_audio
from rl_editor.edits.actions import END, KEEP, N_ACTIONS
from rl_editor.edits.render import render
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import Finished
from rl_editor.envs.beat_edit.gymnasium_env import BeatEdit
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.errors import EnvError

seeds = st.integers(0, 2**32 - 1)
MakeTrack = Callable[..., Track]
ID = "rl_editor/BeatEdit-v0"
REQUESTS = (EditRequest(keep=0.3), EditRequest(keep=0.6, order="free"), EditRequest(keep=1.3, loops=True))


def legal(env: BeatEdit, rng: np.random.Generator) -> np.int64:
    return rng.choice(np.flatnonzero(env.action_masks()))


def played(env: BeatEdit, rng: np.random.Generator) -> tuple[float, list[int], dict[str, Any]]:
    """Legal actions by chance until the end: their return, themselves, the last info."""
    returned, actions, terminated = 0.0, [], False
    while not terminated:
        actions.append(int(legal(env, rng)))
        _, reward, terminated, truncated, info = env.step(np.int64(actions[-1]))
        assert not truncated
        returned += reward
    return returned, actions, info


@pytest.fixture(scope="module")
def env(make_track: MakeTrack) -> BeatEdit:
    tracks = [make_track(np.random.default_rng(seed), n_beats) for seed, n_beats in enumerate((24, 40))]
    made = gymnasium.make(ID, tracks=tracks, requests=REQUESTS, render_mode="ansi").unwrapped
    assert isinstance(made, BeatEdit)
    return made


@pytest.mark.parametrize("render_mode", ["rgb_array", "ansi"])
def test_gymnasium_finds_nothing_wrong(make_track: MakeTrack, render_mode: str) -> None:
    track = make_track(np.random.default_rng(0), 24)
    check_env(gymnasium.make(ID, tracks=[track], requests=REQUESTS, render_mode=render_mode).unwrapped)


def test_stable_baselines_finds_nothing_wrong(env: BeatEdit) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(env)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_an_episode_stays_in_its_spaces_and_ends_with_its_terms(env: BeatEdit, seed: int) -> None:
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    terminated = False
    while not terminated:
        assert env.observation_space.contains(observation)
        assert (info["mask"] == env.action_masks()).all()
        assert "terms" not in info
        observation, _, terminated, _, info = env.step(legal(env, rng))
    assert env.observation_space.contains(observation)
    assert tuple(info["terms"]) == TERMS
    assert info["length_met"]
    assert info["illegal"] == 0


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_the_return_is_what_the_terms_say(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 24)
    config = RewardConfig(window_baseline=False)
    env = BeatEdit(tracks=[track], requests=[EditRequest(target_s=6.0)], config=config)
    env.reset(seed=seed)
    returned, _, info = played(env, rng)
    assert returned == pytest.approx(sum(info["terms"].values()) / 6.0, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_a_seed_tells_which_instance_comes(env: BeatEdit, seed: int) -> None:
    runs = []
    for _ in range(2):
        instances = [env.reset(seed=seed)[1]["instance"]]
        instances += [env.reset()[1]["instance"] for _ in range(8)]
        runs.append(instances)
    assert runs[0] == runs[1]


def test_an_instance_can_be_chosen(env: BeatEdit) -> None:
    for k in range(6):
        assert env.reset(options={"instance": k})[1]["instance"] == k
    for wrong in (6, -1, 0.5, [0, 1]):
        with pytest.raises(EnvError, match="instance"):
            env.reset(options={"instance": wrong})


def test_an_illegal_action_is_replaced_and_counted(env: BeatEdit) -> None:
    env.reset(seed=0)
    assert not env.action_masks()[END]
    _, _, terminated, _, info = env.step(np.int64(END))
    assert not terminated
    assert info["illegal"] == 1
    assert env.edl().segments[0].start == 0  # KEEP was played instead
    for wrong in (N_ACTIONS, -1, 1.5, float("nan"), "0", True, [0], None):
        with pytest.raises(EnvError, match="a whole number from 0 to 129"):
            env.step(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, [1]])
def test_a_seed_is_a_number_from_0_on(env: BeatEdit, seed: Any) -> None:
    with pytest.raises(EnvError, match="must be a whole number, 0 or more"):
        env.reset(seed=seed)


def test_seeds_of_numpy_are_seeds_too(env: BeatEdit) -> None:
    chosen = [env.reset(seed=seed)[1]["instance"] for seed in (np.int64(7), 7)]  # type: ignore[arg-type]
    assert chosen[0] == chosen[1]


def test_an_option_that_is_not_known_is_told(env: BeatEdit) -> None:
    with pytest.raises(EnvError, match="'instanse': is not known; 'instance' is"):
        env.reset(options={"instanse": 1})


def test_instances_can_be_looked_up(env: BeatEdit) -> None:
    made = env.instances
    assert len(made) == 6
    for k in range(6):
        assert made.requests[k] == REQUESTS[k % 3]
        assert made.track_of(k) is made.tracks[k // 3]


def test_reset_comes_first(make_track: MakeTrack) -> None:
    env = BeatEdit(tracks=[make_track(np.random.default_rng(0), 24)], requests=REQUESTS)
    with pytest.raises(EnvError, match="reset comes before"):
        env.step(np.int64(KEEP))


def test_what_has_ended_stays_as_it_is(env: BeatEdit) -> None:
    env.reset(seed=1)
    played(env, np.random.default_rng(0))
    edl, mask = env.edl(), env.action_masks()
    assert np.flatnonzero(mask).tolist() == [END]
    before = env.step(np.int64(KEEP))
    after = env.step(np.int64(END))
    assert after[1:4] == before[1:4] == (0.0, True, False)
    assert after[4]["illegal"] == 0
    assert all((after[0][name] == before[0][name]).all() for name in after[0])
    assert env.edl() == edl


def test_without_a_recording_there_is_no_sound(env: BeatEdit) -> None:
    env.reset(seed=0)
    with pytest.raises(EnvError, match="nothing was played yet"):
        env.audio()
    env.step(np.int64(KEEP))
    with pytest.raises(EnvError, match="recordings="):
        env.audio()


def test_the_sound_is_the_renderer_s(make_track: MakeTrack, tmp_path: Path) -> None:
    track, other = (make_track(np.random.default_rng(seed), 30) for seed in (3, 4))
    files = [tmp_path / "one.wav", tmp_path / "other.wav"]
    tracks = []
    for each, file in zip((track, other), files, strict=True):
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, each.source.n_samples)).astype(np.float32)
        write_audio(file, noise, each.source.sample_rate)
        tracks.append(replace(each, source=read_audio(file).source))
    env = BeatEdit(tracks=tracks, requests=[EditRequest(keep=0.5)], recordings=files)
    env.reset(options={"instance": 1})
    played(env, np.random.default_rng(0))
    heard = env.audio()
    assert heard.dtype == np.float32
    assert (heard == render(read_audio(files[1]).audio, env.edl())).all()

    swapped = BeatEdit(tracks=tracks, requests=[EditRequest(keep=0.5)], recordings=files[::-1])
    swapped.reset(options={"instance": 1})
    swapped.step(np.int64(KEEP))
    with pytest.raises(EnvError, match=r"one\.wav: is not the recording"):
        swapped.audio()


def test_an_edit_is_shown_from_its_first_beat_to_its_last(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 24)
    env = BeatEdit("rgb_array", tracks=[track], requests=[EditRequest(keep=0.5)])
    env.reset(seed=0)
    empty = env.render()
    played(env, np.random.default_rng(0))
    full = env.render()
    for picture in (empty, full):
        assert isinstance(picture, np.ndarray)
        assert picture.dtype == np.uint8
        assert picture.shape == (620, 1600, 3)
    assert (empty != full).any()


def test_an_edit_is_listed_segment_by_segment(env: BeatEdit) -> None:
    env.reset(seed=0)
    assert env.render() == "made-up.wav: nothing was played yet\n"
    played(env, np.random.default_rng(0))
    text = env.render()
    assert isinstance(text, str)
    assert text.count("\n") == 1 + len(env.edl().segments)
    assert BeatEdit(tracks=env._episodes.instances.tracks).render() is None


def test_a_model_s_score_is_paid_with_what_else_is_paid_and_asked_for_once(make_track: MakeTrack) -> None:
    track, asked = make_track(np.random.default_rng(0), 24), list[Finished]()

    def learned(finished: Finished) -> torch.Tensor:
        asked.append(finished)
        return torch.full((len(finished.instance),), 100.0)

    returns = []
    for judge in (None, learned):
        env = BeatEdit(tracks=[track], requests=[EditRequest(keep=0.5)], learned=judge)
        env.reset(seed=0)
        returns.append(played(env, np.random.default_rng(0))[0])
        for action in range(N_ACTIONS):
            env.step(np.int64(action))
    assert returns[1] == pytest.approx(returns[0] + 100.0, abs=1e-4)
    assert len(asked) == 1
    actions = asked[0].actions[0]
    edl = edit_of(env.instances, int(asked[0].instance), actions[actions >= 0].numpy())
    assert edl == env.edl()


def test_human_judges_are_asked_at_the_end(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 24)
    env = BeatEdit(
        tracks=[track],
        requests=[EditRequest(keep=0.5)],
        rated=lambda finished: torch.full((len(finished.actions),), 0.25),
    )
    env.reset(seed=0)
    returned, _, _ = played(env, np.random.default_rng(0))
    assert returned == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"tracks": []}, "at least one track"),
        ({"recordings": ["a.wav"]}, "recordings without tracks"),
        ({"tracks": 1, "recordings": ["a.wav", "b.wav"]}, "1 tracks and 2 recordings"),
        ({"tracks": 1, "requests": []}, "no requests"),
        ({"tracks": "bare"}, "tracks: must be a list"),
        ({"tracks": 1, "requests": REQUESTS[0]}, "requests: must be a list"),
        ({"tracks": ["jam.wav"]}, "tracks: must be a list of Tracks"),
        ({"tracks": 1, "recordings": "jam.wav"}, "recordings: must be a list"),
        ({"tracks": 1, "config": {"seam": 1}}, "must be RewardConfig"),
        ({"tracks": 1, "instances": 3}, "must be InstanceConfig"),
        ({"tracks": 1, "render_mode": "foo"}, "must be rgb_array or ansi"),
    ],
)
def test_what_can_t_be_played_is_refused(make_track: MakeTrack, wrong: dict[str, Any], text: str) -> None:
    track = make_track(np.random.default_rng(0), 24)
    if wrong.get("tracks") in (1, "bare"):
        wrong = wrong | {"tracks": [track] if wrong["tracks"] == 1 else track}
    with pytest.raises(EnvError, match=text):
        BeatEdit(**wrong)
