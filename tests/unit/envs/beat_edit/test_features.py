from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.edits.request import EditRequest
from rl_editor.envs.base import random_legal
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.features import AFTER, BEFORE, Features, Surroundings, make_features
from rl_editor.envs.beat_edit.instances import Instances, make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import EnvError

seeds = st.integers(0, 2**32 - 1)
MakeTrack = Callable[..., Track]


def of_tracks(*tracks: Track) -> Instances:
    asked = [(number, EditRequest(keep=0.6, order="free", loops=True)) for number in range(len(tracks))]
    return make_instances(tracks, asked, RewardConfig())


def column(features: Features, block: str, name: str) -> int:
    return [each.name for each in features.blocks[block].columns].index(name)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_what_is_observed_keeps_its_bounds(make_track: MakeTrack, seed: int) -> None:
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    talk = rng.choice([Activity.MUSIC, Activity.TALK], 20, p=(0.8, 0.2)).astype(np.int8)
    made = of_tracks(make_track(rng, 12), make_track(rng, 20, activity=talk))
    features, env = make_features(made), BeatEditEnv(made, 3)
    observation, mask = env.reset(seed)
    for _ in range(25):
        seen = features.of(env)._asdict() | {"scalars": features.scalars(observation)}
        assert seen.keys() == features.blocks.keys()
        for name, values in seen.items():
            block = features.blocks[name]
            low, high = (torch.tensor(bounds) for bounds in zip(*(each[1:] for each in block.columns), strict=True))
            assert values.dtype == torch.float32
            assert values.flatten(1).shape == (3, block.rows * len(block.columns))
            assert ((values >= low) & (values <= high)).all(), name
        after = env.step(random_legal(mask, generator))
        observation, mask = after.observation, after.mask


def test_the_beats_around_the_playhead_are_those_of_the_track(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 20)
    made = of_tracks(track)
    features, env = make_features(made), BeatEditEnv(made, 1)
    _, mask = env.reset(0)
    music, present, plays = (column(features, "beats", name) for name in ("music", "present", "plays"))
    for p in range(3):
        beats = features.of(env).beats[0]
        inside = np.arange(p - BEFORE, p + AFTER) >= 0
        assert (beats[:, present].numpy() == inside).all()
        assert (beats[~torch.tensor(inside)] == 0).all()
        assert beats[inside.argmax() :, music].tolist() == track.music[max(p - BEFORE, 0) : p + AFTER].tolist()
        assert (beats[BEFORE - p : BEFORE, plays] == 1 / 8).all()
        assert (beats[BEFORE:, plays] == 0).all()
        assert mask[0, 0], "KEEP"
        mask = env.step(torch.tensor([0])).mask


def test_a_landing_is_described_by_the_beat_it_lands_on(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(1), 20)
    made = of_tracks(track)
    features, env = make_features(made), BeatEditEnv(made, 1)
    env.reset(0)
    env.step(torch.tensor([0]))
    seen, places = features.of(env), track.landings
    names = ("present", "score", "half", "distance", "beat.music", "beat.plays", "kind.loop")
    at = {name: column(features, "landings", name) for name in names}
    rows = seen.landings[0].numpy()
    valid = places.valid[1]
    assert (rows[~valid] == 0).all()
    rows, beat = rows[valid], places.beat[1][valid]
    assert (rows[:, at["present"]] == 1).all()
    assert (rows[:, at["score"]] == places.score[1][valid]).all()
    assert (rows[:, at["half"]] == places.half[1][valid]).all()
    assert rows[:, at["distance"]] == pytest.approx((beat - 1) / 64)
    assert (rows[:, at["beat.music"]] == track.music[beat]).all()
    assert (rows[:, at["beat.plays"]] == (beat == 0) / 8).all()
    assert (rows[:, at["kind.loop"]] == (beat == 0)).all()


@settings(max_examples=20, deadline=None)
@given(seed=seeds, gain_db=st.floats(-20, 20))
def test_neither_level_nor_the_scale_of_features_matters(make_track: MakeTrack, seed: int, gain_db: float) -> None:
    track = make_track(np.random.default_rng(seed), 20)
    louder = replace(track, level_db=track.level_db + np.float32(gain_db), features=3.0 * track.features + 1.0)
    for one, other in zip(first(track), first(louder), strict=True):
        assert torch.allclose(one, other, atol=1e-3)


def first(track: Track) -> Surroundings:
    made = of_tracks(track)
    env = BeatEditEnv(made, 1)
    env.reset(0)
    return make_features(made).of(env)


def test_shapes_do_not_depend_on_length_but_on_what_is_known(make_track: MakeTrack) -> None:
    rng = np.random.default_rng(0)
    short, long = make_track(rng, 8), make_track(rng, 90)
    assert [each.shape for each in first(short)] == [each.shape for each in first(long)]
    names = ("mel",) * 20 + ("onset",) * 3
    stems = replace(long, stem_features=rng.random((90, 4, 23), dtype=np.float32), stem_feature_names=names)
    assert first(stems).beats.shape[2] == first(long).beats.shape[2] + 4 * (8 + 3)
    with pytest.raises(EnvError, match="not analysed alike"):
        make_features(of_tracks(short, stems))


def test_what_is_not_known_is_nothing(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 20)
    made = of_tracks(track)
    features = make_features(made)
    for name in ("kick", "voice", "phrase", "section", "superseded", "spoiled"):
        assert (features.beats[..., column(features, "beats", name)] == 0).all()
    assert (features.recording[0, -24:] == 0).all()
    keyed = make_features(of_tracks(replace(track, key="A minor")))
    assert keyed.recording[0, column(keyed, "recording", "key.A minor")] == 1
    assert keyed.recording[0, -24:].sum() == 1
