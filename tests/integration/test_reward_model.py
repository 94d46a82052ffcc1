"""From songs and people's answers to a reward model: sample-data, synthesize, prepare, candidates, reward-model."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from rl_editor.cli.main import main
from rl_editor.data.comparisons import Comparison, write_comparisons
from rl_editor.data.prepared import FOLDER, read_manifest
from rl_editor.policies.edit_scorer_file import load_scorer

TINY = {
    "task": "reward",
    "trainer": {"max_epochs": 4, "accelerator": "cpu", "check_val_every_n_epoch": 2},
    "model": {"modelling": {"scorer": {"members": 2, "width": 16, "blocks": 1, "heads": 2}}},
}
FIT = ("reward-model", "--config", "tiny.yaml", "--quiet")
Same = Callable[[Any, Any], None]


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


@pytest.fixture
def place(tmp_path: Path, training_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a recipe of seconds."""
    data = {"pairs": {"folder": str(training_data / FOLDER), "pairs": 4, "jobs": 1, "editors": ["planner", "random"]}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "data": data}))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    torch.use_deterministic_algorithms(False)


def state(run: str) -> dict[str, Any]:
    """All of a run's last checkpoint that training goes on from."""
    content = torch.load(Path(run) / "checkpoints/last.ckpt", weights_only=True)
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")
    return {key: content[key] for key in kept}


def answered(folder: Path, file: Path) -> None:
    """Whoever compares the candidates of a folder finds the first better than each other, and the last two alike."""
    hashes = [each["edl_hash"] for each in json.loads((folder / "candidates.json").read_text())["candidates"]]
    pairs = [(0, k, "A", 2) for k in range(1, len(hashes))] + [(len(hashes) - 2, len(hashes) - 1, "tie", None)]
    time, chosen = "2026-03-01T18:05:00+00:00", ("random", 0.5)
    told = [
        Comparison(f"{folder.name} {n}", hashes[a], hashes[b], "AB", said, "anna", time, *chosen, strength, 8, 6)  # type: ignore[arg-type]
        for n, (a, b, said, strength) in enumerate(pairs)
    ]
    write_comparisons(file, told, overwrite=False)


def test_without_takes_it_says_what_makes_some(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("reward-model", "--trainer.accelerator", "cpu") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "rl-editor: training_data/prepared: no prepared set; `rl-editor prepare training_data` makes one"


def test_a_run_leaves_a_reward_model_and_its_card(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor(*FIT, "--name", "whole") == 0
    loaded = load_scorer(Path("runs/whole/reward.safetensors"))
    assert bool(loaded.scorer.fitted)
    assert not torch.equal(loaded.scorer.spread, torch.ones(2))
    card = Path("runs/whole/reward.md").read_text()
    assert "> val/accuracy " in card
    assert str(json.loads(Path("runs/whole/run.json").read_text())["data"]["manifest_sha256"]) in card
    capsys.readouterr()
    assert rl_editor("test", "--checkpoint", "runs/whole", "--quiet", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert 0.0 <= figures["test/accuracy"] <= 1.0
    assert {"test/calibration_error", "test/length_correlation", "test/accuracy_by_margin/wide"} <= figures.keys()


def test_two_epochs_and_two_more_are_four(place: Path, assert_equal_bits: Same) -> None:
    assert rl_editor(*FIT, "--name", "whole") == 0
    assert rl_editor(*FIT, "--name", "halves", "--trainer.max_epochs", 2) == 0
    assert rl_editor("reward-model", "--resume", "halves", "--trainer.max_epochs", 4, "--quiet") == 0
    assert_equal_bits(state("runs/halves"), state("runs/whole"))
    assert Path("runs/halves/reward.safetensors").read_bytes() == Path("runs/whole/reward.safetensors").read_bytes()


def test_peoples_answers_are_learned_from(place: Path, training_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raws = [training_data / entry.measured.raw for entry in read_manifest(training_data / FOLDER) if entry.measured]
    editors = ("--editors", "planner,window,random,loudest", "--keep", 0.4, "--n", 3, "--quiet")
    assert rl_editor("candidates", *raws, "-o", "rated", *editors) == 0
    files = []
    for raw in raws:
        files.append(Path("rated") / f"{raw.stem}.jsonl")
        answered(Path("rated") / raw.stem, files[-1])
    assert rl_editor(*FIT, "--name", "rated", "--comparisons", *files) == 0
    record = json.loads(Path("runs/rated/run.json").read_text())
    assert sorted(record["data"]["comparisons"]) == sorted(map(str, files))
    assert "people" in Path("runs/rated/reward.md").read_text()
    alone = ("--data.pairs.folder=", "--data.pairs.store", training_data / FOLDER / "tracks")
    assert rl_editor(*FIT, "--name", "alone", "--comparisons", *files, *alone) == 0

    files[0].write_text("{")
    assert rl_editor(*FIT, "--name", "wrong", "--comparisons", files[0]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == f"rl-editor: {files[0]}, line 1: not JSON"
    assert not Path("runs/wrong").exists()


def test_answers_on_edits_that_are_nowhere_are_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost = Comparison("1", "a" * 64, "b" * 64, "AB", "A", "anna", "2026-03-01T18:05:00Z", "random", 1.0)
    write_comparisons(Path("lost.jsonl"), [lost], overwrite=False)
    assert rl_editor(*FIT, "--name", "lost", "--comparisons", "lost.jsonl") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "rl-editor: comparison '1': no EDL file of edit aaaaaaaaaaaa in the folder of the comparisons or below"
    )
