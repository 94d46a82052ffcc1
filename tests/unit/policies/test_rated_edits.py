"""An edit that people rated is worth what they gave it, whatever it was paid before."""

import pytest
import torch

from rl_editor.data.comparisons import Comparison, edl_hash
from rl_editor.edits.actions import END
from rl_editor.edits.request import EditRequest
from rl_editor.envs.base import random_legal
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.rated_edits import RatedEdits, ratings_of
from rl_editor.policies.taught import LearntTake


def rated(name: str, edl_a: str, edl_b: str, rating_a: int | None, rating_b: int | None) -> Comparison:
    told = ("AB", "tie", "anna", "2026-03-01T18:05:00+00:00", "random", 1.0)
    return Comparison(name, edl_a, edl_b, *told, rating_a=rating_a, rating_b=rating_b)  # type: ignore[arg-type]


def test_ratings_are_means_between_the_least_and_the_best() -> None:
    one, two, three = ("a" * 64, "b" * 64, "c" * 64)
    told = [rated("1", one, two, 10, None), rated("2", two, one, 1, 10), rated("3", three, one, None, 1)]
    assert ratings_of(told) == {one: pytest.approx((7 - 5.5) / 4.5), two: -1.0}


def test_a_rated_edit_returns_its_rating_and_another_what_it_is_paid(take: LearntTake) -> None:
    made = make_instances([take.track], [(0, EditRequest(keep=0.4))], RewardConfig())

    def returns(env: BeatEditEnv) -> tuple[list[float], list[str]]:
        generator, running, found = torch.Generator().manual_seed(0), torch.zeros(4), ([], [])  # type: ignore[var-annotated]
        _, mask = env.reset(0)
        while len(found[0]) < 8:
            action = random_legal(mask, generator)
            ends = (action == END).nonzero()[:, 0]
            actions = env.finished(ends).actions
            after = env.step(action)
            running += after.reward
            for row, own in zip(ends.tolist(), actions, strict=True):
                whole = torch.cat([own[own >= 0], torch.tensor([END])]).numpy()
                found[0].append(float(running[row]))
                found[1].append(edl_hash(edit_of(made, 0, whole)))
                running[row] = 0.0
            mask = after.mask
        return found

    paid, hashes = returns(BeatEditEnv(made, 4))
    given = {hashes[0]: 0.5}
    again, _ = returns(BeatEditEnv(made, 4, rated=RatedEdits(given, made)))
    expected = [0.5 if name == hashes[0] else value for name, value in zip(hashes, paid, strict=True)]
    assert again == pytest.approx(expected, abs=1e-5)
