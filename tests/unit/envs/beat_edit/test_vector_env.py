from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END, N_ACTIONS
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.gymnasium_env import BeatEdit
from rl_editor.envs.beat_edit.vector_env import BeatEditVectorEnv
from rl_editor.errors import EnvError

MakeTrack = Callable[..., Track]
ID = "rl_editor/BeatEdit-v0"
REQUESTS = (EditRequest(keep=0.2), EditRequest(keep=0.4, order="free"), EditRequest(keep=1.2, loops=True))
MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


def any_actions(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mostly legal ones, END where it is; one in eight is drawn without the mask."""
    legal = np.array([END if mask[END] else rng.choice(np.flatnonzero(mask)) for mask in masks])
    return np.where(rng.random(len(masks)) < 0.125, rng.integers(0, N_ACTIONS, len(masks)), legal)


@pytest.fixture(scope="module")
def tracks(make_track: MakeTrack) -> list[Track]:
    return [make_track(np.random.default_rng(seed), n_beats) for seed, n_beats in enumerate((12, 20))]


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), n_envs=st.integers(1, 4))
def test_a_vector_plays_what_as_many_single_environments_play(
    tracks: list[Track], mode: AutoresetMode, seed: int, n_envs: int
) -> None:
    rng = np.random.default_rng(seed)
    vector = BeatEditVectorEnv(n_envs, autoreset_mode=mode, tracks=tracks, requests=REQUESTS)
    singles = SyncVectorEnv(
        [lambda: BeatEdit(tracks=tracks, requests=REQUESTS) for _ in range(n_envs)], autoreset_mode=mode
    )
    assert vector.observation_space == singles.observation_space
    assert vector.action_space == singles.action_space
    one, other = vector.reset(seed=seed), singles.reset(seed=seed)
    assert data_equivalence(one, other, exact=True)
    ends = 0
    for _ in range(40):
        actions = any_actions(vector.action_masks(), rng)
        one, other = vector.step(actions), singles.step(actions)
        assert data_equivalence(one[:4], other[:4], exact=True)
        same_infos(one[4], other[4])
        ends += int(one[2].sum())
    assert ends > 0


def same_infos(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        if key == "final_obs":
            assert all(data_equivalence(*pair, exact=True) for pair in zip(value, other[key], strict=True))
        elif isinstance(value, dict):
            same_infos(value, other[key])
        else:
            assert data_equivalence(value, other[key], exact=True), key


@pytest.mark.parametrize("mode", MODES)
def test_make_vec_finds_it_and_its_mode(tracks: list[Track], mode: AutoresetMode) -> None:
    made = gymnasium.make_vec(ID, num_envs=3, tracks=tracks, requests=REQUESTS, autoreset_mode=mode.value)
    assert isinstance(made, BeatEditVectorEnv)
    assert made.metadata["autoreset_mode"] is mode
    observation, infos = made.reset(seed=0)
    assert observation in made.observation_space
    assert infos["mask"].shape == (3, N_ACTIONS)
    made.close()


def test_make_vec_goes_on_to_the_next_episode_in_the_next_step_unless_told_otherwise(tracks: list[Track]) -> None:
    made = gymnasium.make_vec(ID, num_envs=2, tracks=tracks, requests=REQUESTS)
    assert made.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    with pytest.raises(EnvError, match="NEXT_STEP or SAME_STEP"):
        BeatEditVectorEnv(2, tracks=tracks, autoreset_mode=AutoresetMode.DISABLED)


def test_each_row_can_be_given_its_instance_and_asked_for_its_edit(tracks: list[Track]) -> None:
    vector = BeatEditVectorEnv(3, "ansi", tracks=tracks, requests=REQUESTS)
    _, infos = vector.reset(options={"instance": [5, 0, 3]})
    assert infos["instance"].tolist() == [5, 0, 3]
    vector.step(np.zeros(3, dtype=np.int64))
    targets = [edl.target_s for edl in vector.call("edl")]
    shares = (1.2, 0.2, 0.2)
    of = (tracks[1], tracks[0], tracks[1])
    assert targets == [share * track.source.duration_s for share, track in zip(shares, of, strict=True)]
    assert [text.splitlines()[1] for text in vector.render()] == [
        text.splitlines()[1] for text in vector.call("render")
    ]
    assert vector.call("render_mode") == ("ansi",) * 3


def test_seeds_may_be_given_one_by_one(tracks: list[Track]) -> None:
    vector = BeatEditVectorEnv(3, tracks=tracks, requests=REQUESTS)
    together, _ = vector.reset(seed=7)
    one_by_one, _ = vector.reset(seed=[7, 8, 9])
    assert data_equivalence(together, one_by_one, exact=True)


def test_the_last_finished_edit_is_still_had_when_the_next_is_under_way(tracks: list[Track]) -> None:
    vector = BeatEditVectorEnv(1, autoreset_mode=AutoresetMode.SAME_STEP, tracks=tracks, requests=REQUESTS)
    single = BeatEdit(tracks=tracks, requests=REQUESTS)
    vector.reset(options={"instance": 4})
    single.reset(options={"instance": 4})
    with pytest.raises(EnvError, match="no episode has ended"):
        vector.call("last_edl")
    rng, terminated = np.random.default_rng(0), False
    while not terminated:
        action = any_actions(vector.action_masks(), rng)
        vector.step(action)
        terminated = single.step(action[0])[2]
    vector.step(np.zeros(1, dtype=np.int64))
    assert vector.call("last_edl") == (single.edl(),)
    assert vector.call("edl") != (single.edl(),)


@pytest.mark.parametrize("seed", [[1], [1, 2, 3], [1, -2], 1.5, "ab"])
def test_seeds_that_are_none_or_of_another_number_are_told(tracks: list[Track], seed: Any) -> None:
    vector = BeatEditVectorEnv(2, tracks=tracks, requests=REQUESTS)
    with pytest.raises(EnvError, match="seed"):
        vector.reset(seed=seed)


def test_what_can_t_be_stepped_is_refused(tracks: list[Track]) -> None:
    vector = BeatEditVectorEnv(2, tracks=tracks, requests=REQUESTS)
    vector.reset(seed=np.int64(3))  # type: ignore[arg-type]
    for wrong in ([0.0, 1.0], [0, N_ACTIONS], [0], 0, [-1, 0]):
        with pytest.raises(EnvError, match="2 whole numbers from 0 to 129"):
            vector.step(np.array(wrong))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"num_envs": 0}, "at least 1"), ({"autoreset_mode": "same_step"}, "SameStep"), ({"render_mode": "foo"}, "ansi")],
)
def test_what_can_t_be_made_is_refused(tracks: list[Track], wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(EnvError, match=told):
        BeatEditVectorEnv(**({"tracks": tracks, "requests": REQUESTS} | wrong))


def test_its_instances_can_be_looked_up(tracks: list[Track]) -> None:
    vector = BeatEditVectorEnv(2, tracks=tracks, requests=REQUESTS)
    assert vector.instances.requests[4] == REQUESTS[1]
    assert vector.instances.track_of(4) is tracks[1]
