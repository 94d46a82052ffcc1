"""Every action changes the sound: two edits that differ in one kind of action are not heard alike."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import BAR, BEAT, END, KEEP, SHORT, TIGHT, fade_samples, landing_action
from rl_editor.edits.demonstration import replay
from rl_editor.edits.edl import Maker
from rl_editor.edits.render import render

B = 40
# playhead 20 leads ahead to 28 and to the middle of it, and back to 4; from 32 one goes back to 24, passed over before
LANDINGS = {(20, 0): (28, 0), (20, 1): (28, 1), (20, 2): (4, 0), (32, 0): (24, 0), (20, 3): (29, 0)}


@pytest.fixture
def track(make_track: Callable[..., Track]) -> Track:
    made = make_track(np.random.default_rng(0), B)
    table = made.landings
    beat, half, lag = np.full_like(table.beat, -1), np.zeros_like(table.half), np.zeros_like(table.lag)
    for at, landing in LANDINGS.items():
        beat[at], half[at] = landing
    return replace(made, landings=replace(table, beat=beat, half=half, lag=lag))


def heard(track: Track, *actions: int) -> np.ndarray:
    """The sound of an edit of noise, in which no two places are alike."""
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, track.source.n_samples)).astype(np.float32)
    edl = replay(np.array([*actions, END]), track, maker=Maker("test"))
    sound = render(noise, edl)
    assert sound.shape[1] == edl.n_samples
    return sound


def unlike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape != other.shape or bool(np.abs(one - other).max() > 0.01)


PLAIN = [KEEP] * 20
CUT, HALF, LOOP, OTHER = (landing_action(k, TIGHT) for k in (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([*PLAIN, KEEP], PLAIN, id="keep or end"),
        pytest.param([*PLAIN, CUT, *[KEEP] * 8], [*PLAIN, *[KEEP] * 8], id="cut or keep"),
        pytest.param([*PLAIN, CUT, *[KEEP] * 8], [*PLAIN, OTHER, *[KEEP] * 8], id="one landing or another"),
        pytest.param([*PLAIN, CUT, *[KEEP] * 8], [*PLAIN, HALF, *[KEEP] * 8], id="a beat or its middle"),
        pytest.param([*PLAIN, LOOP, *[KEEP] * 8], [*PLAIN, *[KEEP] * 8], id="loop or keep"),
        pytest.param(
            [*PLAIN, CUT, *[KEEP] * 4, landing_action(0, TIGHT), *[KEEP] * 4],
            [*PLAIN, CUT, *[KEEP] * 8],
            id="reorder or keep",
        ),
    ],
)
def test_edits_that_differ_in_one_kind_of_action_sound_different(
    track: Track, one: list[int], other: list[int]
) -> None:
    assert unlike(heard(track, *one), heard(track, *other))


def test_each_fade_class_sounds_different(track: Track) -> None:
    sounds = [heard(track, *PLAIN, landing_action(0, d), *[KEEP] * 8) for d in (TIGHT, SHORT, BEAT, BAR)]
    assert len(set(fade_samples(track).tolist())) == 4
    for k, one in enumerate(sounds):
        for other in sounds[:k]:
            assert unlike(one, other)
