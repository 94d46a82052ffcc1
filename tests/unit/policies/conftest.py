"""Small takes and networks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.data.demonstrations import Demonstration, demonstrate
from rl_editor.edits.actions import END, FADE_CLASSES, KEEP, legal_by_rule
from rl_editor.edits.demonstration import replay
from rl_editor.edits.edl import EDL, Maker
from rl_editor.policies.lessons import StrayConfig, make_lesson
from rl_editor.policies.policy import Policy, PolicyConfig
from rl_editor.policies.recordings import Heard, hear
from rl_editor.policies.taught import LearntTake
from rl_editor.policies.track_encoder import EncoderConfig

SOUNDS = ("timbre",) * 8 + ("chroma",) * 12 + ("onset",) * 3
SMALL = PolicyConfig(encoder=EncoderConfig(width=16, blocks=2, heads=2, dropout=0.0))


def joined_edit(track: Track, left: int, last: int) -> EDL:
    """Beats up to a join at `left`, on to any landing far ahead, and on for `last` beats."""
    legal = legal_by_rule(track)[left, 2::FADE_CLASSES] & (track.landings.half[left] == 0)
    ahead = legal & (track.landings.beat[left] > left + 5) & (track.landings.beat[left] < track.n_beats - last)
    column = int(np.flatnonzero(ahead)[0])
    actions = [KEEP] * left + [2 + FADE_CLASSES * column] + [KEEP] * last + [END]
    return replay(np.array(actions), track, maker=Maker("test"))


@pytest.fixture
def played_twice(make_track) -> Callable[..., Track]:  # type: ignore[no-untyped-def]
    """Makes tracks of sixty beats, a pause of twenty, and the same sixty again, with other noise."""

    def make(*, noise: float, silent: slice | None = None, slip: slice | None = None) -> Track:
        rng = np.random.default_rng(0)
        song = rng.normal(size=(60, len(SOUNDS)))
        sounds = np.concatenate([song, rng.normal(size=(20, len(SOUNDS))), song])
        sounds += noise * rng.normal(size=sounds.shape)
        if slip is not None:
            sounds[slip] = np.random.default_rng(1).normal(size=sounds[slip].shape)
        activity = np.full(140, Activity.MUSIC, dtype=np.int8)
        if silent is not None:
            activity[silent] = Activity.SILENCE
        track = make_track(rng, 140, activity=activity)
        return replace(track, features=sounds.astype(np.float32), feature_names=SOUNDS)

    return make


@pytest.fixture(scope="session")
def example(make_track) -> tuple[Track, EDL, Demonstration]:  # type: ignore[no-untyped-def]
    """A track, an edit of it with one join, and its demonstration."""
    track = make_track(np.random.default_rng(5), 80, share=0.5)
    edl = joined_edit(track, 20, 15)
    return track, edl, demonstrate(edl, track)


@pytest.fixture(scope="session")
def take(example: tuple[Track, EDL, Demonstration]) -> LearntTake:
    """The same as a take to learn from."""
    track, edl, shown = example
    lesson = make_lesson(track, shown, edl.duration_s, StrayConfig(chance=0.1), np.random.default_rng(0))
    kept = np.zeros(track.n_beats, dtype=np.float32)
    kept[shown.playhead[shown.actions == KEEP]] = 1.0
    return LearntTake("one", "song", track, hear(track), kept, edl.duration_s, lesson)


@pytest.fixture
def policy(take: LearntTake) -> Policy:
    """A small policy of fixed weights, in eval mode."""
    torch.manual_seed(0)
    return small_policy(take.heard)


def small_policy(heard: Heard) -> Policy:
    """A policy for recordings like this one."""
    made = Policy(heard.beats.shape[1], heard.landings.shape[2], SMALL)
    made.normalise_by(torch.as_tensor(heard.beats))
    return made.eval()
