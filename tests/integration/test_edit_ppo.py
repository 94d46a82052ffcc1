"""The chain to PPO: bc-warmup, reward-model, fit; each finds what those before left, and what comes out edits."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rl_editor.checkpoints import find
from rl_editor.cli.main import main
from rl_editor.data.prepared import FOLDER

TRAINER = {"max_epochs": 1, "accelerator": "cpu"}
RECIPES: dict[str, dict[str, Any]] = {
    "bc": {
        "trainer": TRAINER,
        "model": {"cloning": {"policy": {"encoder": {"width": 16, "blocks": 1, "heads": 2}}, "show": {"takes": 0}}},
        "data": {"takes": {"situations": 16, "stray": {"editors": 1}, "jobs": 1}},
    },
    "reward": {
        "trainer": TRAINER,
        "model": {"modelling": {"scorer": {"members": 2, "width": 16, "blocks": 1, "heads": 2}}},
        "data": {"pairs": {"pairs": 4, "jobs": 1, "editors": ["random"]}},
    },
    "edit_ppo": {
        "trainer": {**TRAINER, "max_epochs": 4, "check_val_every_n_epoch": 2},
        "model": {
            "edit": {"n_envs": 8, "show": {"takes": 1}},
            "ppo": {"n_steps": 24, "minibatches": 2, "epochs": 2, "gamma": 1.0, "kl_budget": 0.05, "critic_warmup": 1},
        },
        "data": {"takes": {"jobs": 1}},
    },
}
Same = Callable[[Any, Any], None]


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


@pytest.fixture
def place(tmp_path: Path, training_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with recipes of seconds."""
    for task, recipe in RECIPES.items():
        (name,) = recipe["data"]
        data = {name: {**recipe["data"][name], "folder": str(training_data / FOLDER)}}
        (tmp_path / f"{task}.yaml").write_text(yaml.safe_dump({"task": task, **recipe, "data": data}))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    torch.use_deterministic_algorithms(False)


def kept(run: str) -> dict[str, Any]:
    """What decides how a run goes on."""
    content = torch.load(Path(run) / "checkpoints/last.ckpt", weights_only=True)
    return {name: content[name] for name in ("state_dict", "optimizer_states", "ppo", "epoch", "global_step")}


def test_without_its_forerunners_it_names_the_commands_that_make_them(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rl_editor("fit", "--config", "edit_ppo.yaml") == 2
    assert "`rl-editor bc-warmup` makes one, --model.edit.policy names another" in capsys.readouterr().err
    assert rl_editor("bc-warmup", "--config", "bc.yaml", "--quiet") == 0
    capsys.readouterr()
    assert rl_editor("fit", "--config", "edit_ppo.yaml") == 2
    told = capsys.readouterr().err
    assert "`rl-editor reward-model` makes one, --model.edit.reward_model names another" in told
    assert not list(Path("runs").glob("edit_ppo*"))


def test_the_chain_leaves_a_policy_that_edits(
    place: Path, training_data: Path, assert_equal_bits: Same, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rl_editor("bc-warmup", "--config", "bc.yaml", "--quiet") == 0
    assert rl_editor("reward-model", "--config", "reward.yaml", "--quiet") == 0
    capsys.readouterr()
    assert rl_editor("fit", "--config", "edit_ppo.yaml", "--name", "whole") == 0
    told = capsys.readouterr().err
    assert "runs/bc-1/policy.safetensors: the newest there is" in told
    assert "runs/reward-1/reward.safetensors: the newest there is" in told

    found = EventAccumulator("runs/whole").Reload()
    names = set(found.Tags()["scalars"])
    usual = {"ep_return", "approx_kl", "clip_fraction", "explained_variance", "entropy", "reference_kl", "SPS"}
    assert {f"train/{name}" for name in usual} <= names
    assert {"train/reward/content", "train/reward/learned", "train/actions/cut"} <= names
    assert {"val/ep_return", "val/overlap", "val/ruler"} <= names
    assert any(name.startswith("val/ruler/") for name in names)
    assert [event.step for event in found.Scalars("train/SPS")] == [192, 384, 576, 768]
    assert [event.step for event in found.Scalars("val/ruler")] == [384, 768]
    assert any(tag.startswith("edits/") for tag in found.Tags()["images"])
    assert any(tag.startswith("sounds/") for tag in found.Tags()["audio"])
    assert max(event.value for event in found.Scalars("train/first_ratio")) < 1e-3

    raw = next(training_data.glob("**/*_raw.*"))
    assert rl_editor("edit", raw, "-o", "song.wav", "--checkpoint", "runs/whole", "--quiet") == 0
    assert json.loads(Path("song.json").read_text())["maker"]["editor"] == "policy"
    assert rl_editor("test", "--checkpoint", "runs/whole", "--quiet") == 0

    # what the run was made from may be followed by newer ones: it goes on with its own
    assert rl_editor("fit", "--config", "edit_ppo.yaml", "--name", "halves", "--trainer.max_epochs", 2, "--quiet") == 0
    assert rl_editor("bc-warmup", "--config", "bc.yaml", "--quiet") == 0
    assert rl_editor("fit", "--resume", "halves", "--trainer.max_epochs", 4, "--quiet") == 0
    assert_equal_bits(kept("runs/halves"), kept("runs/whole"))

    # but not with another file than the one it began with
    Path("runs/bc-1/policy.safetensors").write_bytes(find("policy").read_bytes())
    capsys.readouterr()
    assert rl_editor("fit", "--resume", "halves", "--trainer.max_epochs", 6, "--quiet") == 1
    assert "runs/bc-1/policy.safetensors is not what the run began with" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_learn_together(place: Path) -> None:
    assert rl_editor("bc-warmup", "--config", "bc.yaml", "--quiet") == 0
    two = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--model.edit.reward_model", "none")
    command = [sys.executable, "-m", "rl_editor", "fit", "--config", "edit_ppo.yaml", "--name", "two", *two]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = EventAccumulator("runs/two").Reload()
    assert [event.step for event in found.Scalars("train/SPS")] == [384, 768, 1152, 1536]
    assert len(kept("runs/two")["ppo"]["players"]) == 2
    assert "val/ep_return" in Path("runs/two/policy.md").read_text()
