"""`rl-editor fit`, `validate`, `test`, `predict` on a task of seconds: tests/unit/cli/toy_task.py."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from rl_editor.cli.main import main

_TOY = Path(__file__).parents[1] / "unit" / "cli" / "toy_task.py"
_RECIPE = {"task": "toy_task:TASK", "trainer": {"max_epochs": 4, "accelerator": "cpu"}}
_LAST = Path("checkpoints/last.ckpt")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with the toy task and its recipe `toy.yaml`."""
    shutil.copy(_TOY, tmp_path)
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(_RECIPE))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def call(place: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line here: status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


Call = Callable[..., tuple[int, str, str]]
Same = Callable[[Any, Any], None]
FIT = ("fit", "--config", "toy.yaml", "--trust-recipe")


def start(*arguments: str, kill: str = "never:0") -> "subprocess.Popen[str]":
    """`rl-editor` in a process of its own, in the working directory."""
    environment = {**os.environ, "RL_EDITOR_TOY_KILL": kill, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    environment.pop("PL_GLOBAL_SEED", None)
    program = [str(Path(sys.executable).with_name("rl-editor")), *arguments]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def state(run: str) -> tuple[Any, ...]:
    """Weights, optimisers and progress of a run."""
    content = torch.load(Path(run) / _LAST, weights_only=True)
    return content["state_dict"], content["optimizer_states"], content["epoch"], content["global_step"]


def events(run: str, tag: str) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(run).Reload().Scalars(tag)
    return [(event.step, event.value) for event in found]


def test_a_run_says_what_made_it(call: Call) -> None:
    status, out, err = call(*FIT, "--trainer.max_epochs", "1", "--model.config.network.width=3")
    assert (status, out.startswith("runs/toy_task-1: 1 epochs")) == (0, True)
    assert "task toy_task:TASK, seed 7" in err
    record = json.loads(Path("runs/toy_task-1/run.json").read_text())
    assert record["command"][:4] == ["rl-editor", *FIT[:3]]
    assert record["data"] == {"n_points": 64}
    assert record["seed"] == 7
    assert record["versions"]["torch"] == torch.__version__.partition("+")[0]
    settings = yaml.safe_load(Path("runs/toy_task-1/config.yaml").read_text())
    assert next(iter(settings)) == "task"
    assert settings["model"]["config"] == {"lr": 0.05, "falling": False, "network": {"width": 3, "dropout": 0.1}}
    assert settings["trainer"]["max_epochs"] == 1
    assert events("runs/toy_task-1", "val/loss")
    assert sorted(file.name for file in Path("runs/toy_task-1/checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_its_settings_are_a_recipe_that_makes_it_again(call: Call, assert_equal_bits: Same) -> None:
    assert call(*FIT, "--name", "a", "--trainer.max_epochs", "2", "--model.config.lr=0.02", "--quiet")[0] == 0
    again = ("fit", "--config", "runs/a/config.yaml", "--trust-recipe", "--name", "b", "--quiet")
    assert call(*again) == (0, "", "")
    assert_equal_bits(state("runs/b"), state("runs/a"))
    assert call(*again, "--seed_everything", "8", "--name", "c")[0] == 0
    assert not torch.equal(state("runs/c")[0]["net.0.weight"], state("runs/a")[0]["net.0.weight"])


def test_two_epochs_and_two_more_are_four(call: Call, assert_equal_bits: Same) -> None:
    assert call(*FIT, "--name", "whole", "--quiet")[0] == 0
    assert call(*FIT, "--name", "halves", "--quiet", "--trainer.max_epochs", "2")[0] == 0
    random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
    status, _, err = call("fit", "--resume", "halves", "--trainer.max_epochs", "4", "--trust-recipe")
    assert (status, "goes on after 2 epochs" in err) == (0, True)
    assert_equal_bits(state("runs/halves"), state("runs/whole"))
    for tag in ("val/loss", "train/loss_epoch", "train/loss_step"):
        assert events("runs/halves", tag) == events("runs/whole", tag)
    assert yaml.safe_load(Path("runs/halves/config.yaml").read_text())["trainer"]["max_epochs"] == 4
    assert len(json.loads(Path("runs/halves/run.json").read_text())["resumed"]) == 1
    status, _, err = call("fit", "--resume", "runs/halves", "--trust-recipe")
    assert (status, "is finished after 4 epochs" in err) == (0, True)


@pytest.mark.parametrize(("kill", "epochs"), [("step:3", 0), ("step:19", 2), ("save:4", 1)])
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(
    call: Call, kill: str, epochs: int, assert_equal_bits: Same
) -> None:
    more = {
        "step:19": ("--data.config.workers", "1"),
        "save:4": ("--model.config.falling=true", "--trainer.accumulate_grad_batches=3"),
    }.get(kill, ())
    process = start(*FIT, *more, "--name", "killed", kill=kill)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    time.sleep(1.0)  # files of events are read in the order of the seconds in their names
    status, _, err = call("fit", "--resume", "killed", "--trust-recipe")
    assert status == 0
    assert (f"goes on after {epochs} epochs" if epochs else "no epoch was finished; begins again") in err
    assert not list(Path("runs/killed/checkpoints").glob(".rl-editor.*"))
    assert call(*FIT, *more, "--name", "whole", "--quiet")[0] == 0
    assert_equal_bits(state("runs/killed"), state("runs/whole"))
    assert events("runs/killed", "val/loss") == events("runs/whole", "val/loss")


def test_an_interruption_is_one_line_and_leaves_a_run_that_goes_on(call: Call, assert_equal_bits: Same) -> None:
    process = start(*FIT, "--name", "stopped", "--quiet", kill="print:12")
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (
        130, "rl-editor: interrupted; `rl-editor fit --resume runs/stopped` goes on\n",
    )  # fmt: skip
    assert call("fit", "--resume", "stopped", "--trust-recipe", "--quiet")[0] == 0
    assert call(*FIT, "--name", "whole", "--quiet")[0] == 0
    assert_equal_bits(state("runs/stopped"), state("runs/whole"))


def test_two_processes_are_one_with_the_double_batch(call: Call, assert_equal_bits: Same) -> None:
    # Lightning shuffles what it shares out: a batch of all points is the same whatever their order
    plain = ("--model.config.network.dropout=0",)
    two = ("--trainer.strategy=ddp", "--trainer.devices=2", "--data.config.batch=32")
    process = start(*FIT, *plain, *two)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert out.startswith("runs/toy_task-1: 4 epochs")
    assert [run.name for run in Path("runs").iterdir()] == ["toy_task-1"]
    first, second = (torch.load(f"runs/toy_task-1/rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert_equal_bits(second, first)
    assert call(*FIT, *plain, "--data.config.batch=64", "--name", "one", "--quiet")[0] == 0
    torch.testing.assert_close(state("runs/one")[0], first, rtol=1e-4, atol=1e-5)


def test_weights_of_another_run_begin_a_new_one(call: Call, assert_equal_bits: Same) -> None:
    assert call(*FIT, "--name", "a", "--trainer.max_epochs", "1", "--quiet")[0] == 0
    still = ("--init_from", "a", "--model.config.lr", "0", "--trainer.max_epochs", "1")
    status, _, err = call(*FIT, "--name", "b", *still)
    assert (status, "gave 4 of 4 weights" in err) == (0, True)
    best = torch.load("runs/a/checkpoints/best.ckpt", weights_only=True)["state_dict"]
    assert_equal_bits(state("runs/b")[0], best)
    assert state("runs/b")[1][0]["param_groups"][0]["lr"] == 0
    assert json.loads(Path("runs/b/run.json").read_text())["init_from"]["path"].endswith("runs/a/checkpoints/best.ckpt")
    status, _, err = call(*FIT, "--name", "c", *still, "--model.config.network.width", "5")
    assert status == 0
    assert "gave 1 of 4 weights" in err
    assert "did not have: net.0.weight, net.0.bias, net.3.weight" in err
    assert "not used: net.0.weight (shape [4, 2], here [5, 2])" in err


def test_safetensors_give_their_weights_too(call: Call) -> None:
    from safetensors.torch import save_file

    save_file({"net.3.bias": torch.full((1,), 0.25), "other": torch.zeros(2)}, "part.safetensors")
    status, _, err = call(*FIT, "--init_from", "part.safetensors", "--model.config.lr=0", "--trainer.max_epochs=1")
    assert (status, "not used: other" in err) == (0, True)
    assert float(state("runs/toy_task-1")[0]["net.3.bias"]) == 0.25
    save_file({"other": torch.zeros(2)}, "none.safetensors")
    status, _, err = call(*FIT, "--init_from", "none.safetensors")
    assert (status, err) == (1, "rl-editor: none.safetensors: none of its weights fits this module\n")
    Path("damaged.safetensors").write_bytes(b"no weights")
    assert call(*FIT, "--init_from", "damaged.safetensors")[::2] == (
        1, "rl-editor: damaged.safetensors: can't be read as a checkpoint\n",
    )  # fmt: skip
    Path("pickled.ckpt").write_bytes(b"\x80\x04cos\nsystem\n.")
    assert call(*FIT, "--init_from", "pickled.ckpt")[0] == 1


def test_checkpoints_are_judged_and_used(call: Call) -> None:
    assert call(*FIT, "--name", "old", "--quiet", "--trainer.max_epochs=1")[0] == 0
    assert call(*FIT, "--name", "new", "--quiet", "--trainer.max_epochs=3", "--model.config.network.width=5")[0] == 0
    status, out, err = call("validate", "--trust-recipe", "--json")
    assert (status, err) == (0, "rl-editor: validate with runs/new/checkpoints/best.ckpt\n")
    assert json.loads(out)["val/loss"] == pytest.approx(min(value for _, value in events("runs/new", "val/loss")))
    status, figures, _ = call("test", "--checkpoint", "old", "--trust-recipe", "--quiet")
    assert (status, figures.split()[0]) == (0, "test/loss")
    status, out, err = call("predict", "--checkpoint", "runs/new/checkpoints/last.ckpt", "--trust-recipe", "--quiet")
    assert (status, err) == (0, "")
    assert [line.split()[-1] for line in out.splitlines()] == ["new"] * 4
    from safetensors.torch import save_file

    save_file(state("runs/old")[0], "runs/old/toy.safetensors")
    status, again, _ = call("test", "--checkpoint", "runs/old/toy.safetensors", "--trust-recipe", "--quiet")
    assert (status, again) == (0, figures)
    status, out, err = call("validate", "--config", "toy", "--model.config.network.width=4", "--trust-recipe")
    assert status == 1
    assert err.splitlines()[-1].startswith("rl-editor: runs/new/checkpoints/best.ckpt: does not fit these settings: ")


WRONG = {
    "a key": (["--model.config.lrr", "1"], 2, "model.config.lrr"),
    "a type": (["--model.config.lr", "fast"], 2, "model.config.lr"),
    "a nested type": (["--model.config.network.width=1.5"], 2, "model.config.network.width"),
    "no settings": (["--config", "missing.yaml"], 2, "missing.yaml: no such recipe"),
    "another task": (["--task", "other"], 2, "task: more than one is named"),
    "abbreviations": (["--trainer.max_ep", "1"], 2, "trainer.max_ep"),
    "no run": (["--init_from", "nowhere"], 2, "nowhere: no such run"),
    "no file": (["--init_from", "no.ckpt"], 2, "no.ckpt: no such checkpoint"),
    "a name": (["--name", "../up"], 2, "--name: '../up' is no name of a folder"),
    "no data": (["--data.config.n_points", "0"], 1, "points: there are none; make some"),
    "no seed": (["--seed_everything", "false"], 2, "seed_everything"),
    "folders": (["--trainer.default_root_dir", "x"], 2, "trainer.default_root_dir"),
    "contradictions": (["--trainer.overfit_batches=0.5", "--trainer.fast_dev_run=-3"], 2, "fast_dev_run"),
    "packages": (["--trainer.logger", "lightning.pytorch.loggers.WandbLogger"], 2, "not installed: "),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_one_line_and_leaves_nothing(call: Call, what: str) -> None:
    arguments, expected, text = WRONG[what]
    if what == "packages" and shutil.which("wandb"):
        pytest.skip("wandb is installed")
    status, out, err = call(*FIT, *arguments)
    assert (status, out) == (expected, "")
    assert len(err.splitlines()) == 1 or what == "no data"
    assert err.startswith("rl-editor: ")
    assert text in err
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_wrong_recipes_are_one_line(call: Call) -> None:
    wrong = {
        "task: [": "is no YAML",
        "- 1": "holds no keys",
        "trainer: {}": "which task?",
        "task: unheard": "task: 'unheard' is not known",
        "task: toy_task:NOTHING": "toy_task:NOTHING can't be imported",
        "task: toy_task:Toy": "toy_task:Toy is a type, not a",
        "task: toy_task:TASK\nmodel: {config: {lr: much}}": "model.config.lr",
        "task: toy_task:TASK\nmodell: 1": "modell",
    }
    for recipe, text in wrong.items():
        Path("wrong.yaml").write_text(recipe)
        status, out, err = call("fit", "--config", "wrong.yaml", "--trust-recipe")
        assert (status, out, len(err.splitlines())) == (2, "", 1), err
        assert text in err


def test_a_resumed_run_keeps_its_settings(call: Call) -> None:
    assert call(*FIT, "--name", "a", "--quiet", "--trainer.max_epochs=1")[0] == 0
    refused = (
        ["--model.config.lr", "-1"],
        ["--config=toy"],
        ["--name", "b"],
        ["--init_from", "a"],
        ["--trainer.devices=2"],
    )
    for flags in refused:
        status, _, err = call("fit", "--resume", "a", "--trust-recipe", *flags)
        assert (status, err.splitlines()) == (2, [err.strip()])
        assert err.startswith(f"rl-editor: {flags[0].partition('=')[0]}: a resumed run keeps its settings")
    status, _, err = call(*FIT, "--name", "a")
    assert (status, "runs/a: exists already; --resume goes on with it" in err) == (2, True)
    status, _, err = call("bc-warmup", "--resume", "a", "--trust-recipe")
    assert (status, "task: more than one is named: bc (bc-warmup), toy_task:TASK" in err) == (2, True)


def test_a_run_is_not_resumed_on_other_data(call: Call) -> None:
    assert call(*FIT, "--name", "a", "--quiet", "--trainer.max_epochs=1")[0] == 0
    record = json.loads(Path("runs/a/run.json").read_text())
    Path("runs/a/run.json").write_text(json.dumps({**record, "data": {"n_points": 63}}))
    status, _, err = call("fit", "--resume", "a", "--trust-recipe", "--trainer.max_epochs=2")
    assert (status, "its data are not what they were" in err) == (1, True)


def test_a_run_that_stopped_within_an_epoch_is_not_resumed(call: Call) -> None:
    assert call(*FIT, "--name", "a", "--quiet", "--trainer.max_steps=11")[0] == 0
    status, _, err = call("fit", "--resume", "a", "--trust-recipe")
    assert (status, "stopped within an epoch" in err) == (1, True)


def test_later_recipes_and_flags_win(call: Call) -> None:
    Path("more.yaml").write_text("model:\n  config:\n    lr: 1e-4\n    network:\n      width: 9\n")
    flags = ("--model.config.network.width", "8", "--config", "more", "--print_config")
    status, out, _ = call(*FIT, *flags)
    printed = yaml.safe_load(out)
    assert status == 0
    assert printed["model"]["config"] == {"lr": 0.0001, "falling": False, "network": {"width": 8, "dropout": 0.1}}
    assert printed["trainer"]["max_epochs"] == 4
    assert not Path("runs").exists()


def test_help_tells_each_setting_with_its_text(call: Call) -> None:
    status, out, _ = call(*FIT, "--help")
    assert status == 0
    flat = " ".join(out.split())
    assert "Length of a step, in the direction of steepest descent." in flat
    assert "--model.config.network.width WIDTH Neurons of the hidden layer." in flat
    assert "--resume RUN" in flat
    assert "--trainer.max_time" in flat


def test_code_from_elsewhere_runs_only_where_it_is_trusted(call: Call) -> None:
    status, _, err = call("fit", "--config", "toy.yaml")
    assert (status, "task: toy_task:TASK is in no installed package; --trust-recipe" in err) == (2, True)
    Path("spy.yaml").write_text("task: bc\ntrainer:\n  callbacks:\n  - class_path: toy_task.Toy\n")
    status, _, err = call("fit", "--config", "spy.yaml")
    assert (status, "trainer.callbacks.class_path: toy_task.Toy is in no installed package" in err) == (2, True)


def test_callbacks_and_loggers_come_from_recipes(call: Call) -> None:
    callback = {"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "val/loss"}}
    trainer = {"callbacks": [callback], "logger": "lightning.pytorch.loggers.CSVLogger"}
    logger = {"class_path": trainer["logger"], "init_args": {"save_dir": "csv"}}
    Path("more.yaml").write_text(yaml.safe_dump({"trainer": {**trainer, "logger": logger}}))
    assert call(*FIT, "--config", "more.yaml", "--quiet", "--trainer.max_epochs=1") == (0, "", "")
    assert list(Path("csv").rglob("metrics.csv"))
    assert not list(Path("runs/toy_task-1").glob("events*"))


def test_precision_accumulation_and_clipping_are_the_trainers(call: Call) -> None:
    flags = ("--trainer.precision=bf16-mixed", "--trainer.accumulate_grad_batches=2", "--trainer.gradient_clip_val=0.1")
    assert call(*FIT, *flags, "--quiet", "--trainer.max_epochs=2") == (0, "", "")
    assert state("runs/toy_task-1")[3] == 8
