from collections.abc import Callable

import numpy as np
import pytest

from rl_editor.analysis.track import Track
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError

BASELINES = ("head", "window", "loudest", "random")


@pytest.fixture(scope="module")
def track(make_track: Callable[..., Track]) -> Track:
    return make_track(np.random.default_rng(1), 200)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("keep", [0.1, 0.35, 0.9])
def test_a_baseline_meets_the_length_and_keeps_the_order(track: Track, name: str, keep: float) -> None:
    edl = load_editor(name).edit(track, EditRequest(keep=keep))[0]
    assert abs(edl.duration_s - keep * track.source.duration_s) <= 1.0
    ends = [edge for segment in edl.segments for edge in (segment.start, segment.end)]
    assert ends == sorted(ends)
    assert edl.maker.editor == name


def test_head_and_window_are_one_stretch(track: Track) -> None:
    for name in ("head", "window"):
        assert len(load_editor(name).edit(track, EditRequest(keep=0.4))[0].segments) == 1


def test_loudest_is_louder_than_random(track: Track) -> None:
    def level_db(name: str) -> float:
        edl = load_editor(name).edit(track, EditRequest(keep=0.3))[0]
        played = [any(segment.start <= bound < segment.end for segment in edl.segments) for bound in track.bounds[:-1]]
        return float(track.level_db[np.array(played)].mean())

    assert level_db("loudest") > level_db("random") + 1.0


def test_random_follows_its_seed(track: Track) -> None:
    edits = [load_editor("random").edit(track, EditRequest(keep=0.3, seed=seed))[0] for seed in (1, 1, 2)]
    assert edits[0].segments == edits[1].segments != edits[2].segments


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_does_not_loop(track: Track, name: str) -> None:
    with pytest.raises(RequestError, match="the nearest is"):
        load_editor(name).edit(track, EditRequest(keep=1.5))


def test_an_unknown_editor_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RequestError, match="there are auto, head, loudest, planner, policy, random, sections, window"):
        load_editor("best")
