"""Reward modelling as glue: what its data refuse, whose songs they split by, what its command line means."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.store import Key, Store
from rl_editor.analysis.track import Track
from rl_editor.cli.reward_model import with_comparisons
from rl_editor.data.comparisons import Comparison, edl_hash, write_comparisons
from rl_editor.data.demonstrations import demonstrate
from rl_editor.data.prepared import Entry, Measured, PreparedTake
from rl_editor.data.splits import split_of
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.faults import FAULTS
from rl_editor.errors import DataError
from rl_editor.modules.comparison_data import ComparisonData, ComparisonDataConfig
from rl_editor.modules.reward_modelling import ModellingConfig, RewardModelling
from rl_editor.policies.edit_scorer import ScorerConfig
from rl_editor.policies.planted_pairs import planted_pairs

Make = Callable[..., Track]


@pytest.fixture(scope="module")
def take(make_track: Make) -> PreparedTake:
    """A made-up take with two joins, music on both sides of a pause."""
    n_beats = 200
    activity = np.full(n_beats, Activity.MUSIC, dtype=np.int8)
    activity[90:100] = Activity.SILENCE
    track = make_track(np.random.default_rng(0), n_beats, activity=activity)
    at = track.bounds
    spans = ((4, 60), (104, 150), (160, 190))
    edl = EDL(track.source, tuple(Segment(int(at[a]), int(at[b]), 8) for a, b in spans), Maker("human"))
    measured = Measured("one", "", "", track.source, "", "song", "exact", None, 1.0, 1.0, 0.5, 0, 0, 3, "", "")
    return PreparedTake(Entry("one", "prepared", "", "train", measured), track, demonstrate(edl, track), edl)


def test_planted_pairs_are_told_the_same_length_and_end_alike(take: PreparedTake) -> None:
    judged = planted_pairs(take, ("planner", "window", "random"), np.random.default_rng(0))
    assert {edit.target_s for edit in judged.edits[:1]} == {take.edl.duration_s}
    assert len({edit.end_fade for edit in judged.edits}) == 1
    assert len({(edit.target_s or 0) for edit in judged.edits}) == 1
    assert judged.song == "song"


def test_the_better_edit_of_a_planted_pair_is_offered_first_as_often_as_second(take: PreparedTake) -> None:
    answers = planted_pairs(take, ("planner", "random"), np.random.default_rng(0)).answers
    assert set(answers.side.tolist()) == {1, -1}
    assert abs(answers.side.mean()) < 0.5
    better = np.where(answers.side == 1, answers.first, answers.second)
    worse = np.where(answers.side == 1, answers.second, answers.first)
    assert (better != worse).all()
    assert 0 not in worse  # nothing is better than the true edit


def test_faults_are_left_out_by_name(take: PreparedTake) -> None:
    kinds = set(planted_pairs(take, (), np.random.default_rng(0)).answers.kind)
    assert {"level jump", "wrong order"} <= kinds <= {fault.name for fault in FAULTS}
    without = planted_pairs(take, (), np.random.default_rng(0), without=("level jump",))
    assert set(without.answers.kind) == kinds - {"level jump"}


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(DataError, match="neither a prepared set nor people's comparisons"):
        ComparisonData(ComparisonDataConfig(folder="")).prepare_data()


@pytest.fixture
def compared(take: PreparedTake, tmp_path: Path) -> ComparisonDataConfig:
    """A store with the take's Track, two of its edits as files, and an answer on them."""
    Store(tmp_path / "store").save(Key(take.track.source), take.track)
    other = replace(take.edl, segments=take.edl.segments[:2])
    for number, edl in enumerate((take.edl, other)):
        edls.write(edl, tmp_path / "rated" / f"{number}.json", overwrite=False)
    names = edl_hash(take.edl), edl_hash(other)
    told = Comparison("1", *names, "AB", "B", "anna", "2026-03-01T18:05:00Z", "random", 1.0, 3, 9)
    unsure = replace(told, id="2", answer="can't say", strength=None, rating_a=None)
    write_comparisons(tmp_path / "rated/told.jsonl", [told, unsure], overwrite=False)
    return ComparisonDataConfig("", (str(tmp_path / "rated/told.jsonl"),), str(tmp_path / "store"))


def test_peoples_answers_find_their_edits_and_fall_on_the_side_of_their_song(
    compared: ComparisonDataConfig, take: PreparedTake
) -> None:
    side = split_of(take.track.source.content_hash)
    data = ComparisonData(compared)
    data.prepare_data()
    data.setup("fit" if side == "train" else "validate" if side == "val" else "test")
    (judged,) = data.judged[side]
    assert judged.answers.side.tolist() == [-1]  # who could not say teaches nothing
    assert judged.answers.strength.tolist() == [3]
    assert [(judged.edits[k].n_samples, r) for k, r in zip(*judged.ratings, strict=True)] == [(take.edl.n_samples, 9)]


def test_a_recording_that_is_not_in_the_store_is_told(compared: ComparisonDataConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not in the store; `rl-editor analyse` puts it there$"):
        ComparisonData(replace(compared, store=str(tmp_path / "empty"))).setup("test")


def test_comparisons_on_the_command_line_are_a_setting() -> None:
    said = with_comparisons(["--comparisons", "a.jsonl", "b c.jsonl", "--name", "x", "--comparisons=d.jsonl"])
    assert said == ["--name", "x", '--data.pairs.comparisons=["a.jsonl", "b c.jsonl", "d.jsonl"]']
    assert with_comparisons(["--name", "x"]) == ["--name", "x"]


def test_comparisons_without_a_file_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        with_comparisons(["--comparisons", "--name", "x"])
    assert capsys.readouterr().err.startswith("rl-editor: --comparisons needs at least one FILE")


def test_every_weight_is_learned_once_and_a_summarys_at_a_rate_of_their_own() -> None:
    config = ModellingConfig(ScorerConfig(members=3, width=16, blocks=1, heads=2), lr=1e-3, straight_lr=2e-2, epochs=4)
    module = RewardModelling(config)
    made = module.configure_optimizers()
    rate = {id(weight): group["lr"] for group in made["optimizer"].param_groups for weight in group["params"]}
    assert sum(len(group["params"]) for group in made["optimizer"].param_groups) == len(list(module.parameters()))
    straight = {id(member.straight.weight) for member in module.scorer.members}
    assert {id(weight): 2e-2 if id(weight) in straight else 1e-3 for weight in module.parameters()} == rate
    for _ in range(2):
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert [group["lr"] for group in made["optimizer"].param_groups] == pytest.approx([5e-4, 1e-2])
