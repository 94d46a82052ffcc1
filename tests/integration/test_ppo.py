"""`rl-editor fit` with PPO: an environment of one's own, resumed runs, several processes, figures over steps."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from rl_editor.cli.main import main

_EXAMPLES = Path(__file__).parents[2] / "examples"
_HALVES = '''
"""One and the same rollout, of which each process learns from its share; the gradients are kept."""

import torch
from rl_editor.modules.ppo import PPO, Ticks
from rl_editor.modules.run_keeper import run_folder
from rl_editor.modules.tasks import Task
from rl_editor.rl.rollout import Ended, Player, mapped


class Halves(PPO):
    def on_train_start(self):
        super().on_train_start()
        whole = Player(self.make_env(), torch.Generator().manual_seed(1))
        whole.begin(1)
        rollout, _ = whole.collect(self.actor_critic, self.config.n_steps)
        share = self._given.n_envs // self.trainer.world_size
        rows = slice(self.global_rank * share, (self.global_rank + 1) * share)
        mine = rollout._replace(
            observation=mapped(lambda each: each[:, rows], rollout.observation),
            **{name: each[:, rows] for name, each in rollout._asdict().items() if name != "observation"},
        )
        ended = Ended(torch.zeros(0), torch.zeros(0, dtype=torch.int64))
        self._player.collect = lambda actor_critic, n_steps: (mine, ended)
        self.gradients = []

    def _step(self):
        self.gradients += [weight.grad.clone() for weight in self.actor_critic.parameters()]
        super()._step()

    def on_train_end(self):
        kept = {"gradients": self.gradients, "weights": dict(self.state_dict())}
        torch.save(kept, run_folder(self.trainer) / f"rank{self.global_rank}.pt")


TASK = Task(Halves, Ticks)
'''
_RECIPE: dict[str, Any] = {
    "task": "ppo",
    "model": {
        "env": {"class_path": "own_env.Packing", "init_args": {"n_envs": 8}},
        "network": {"class_path": "rl_editor.rl.actor_critic.MlpActorCritic", "init_args": {"width": 16}},
        "ppo": {"n_steps": 7, "epochs": 2, "lr": 0.003, "kl_budget": 0.05},
    },
    "trainer": {"max_epochs": 4, "check_val_every_n_epoch": 2, "accelerator": "cpu"},
}
FIT = ("fit", "--config", "small.yaml", "--trust-recipe")
Call = Callable[..., tuple[int, str, str]]
Same = Callable[[Any, Any], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with somebody's environment and a recipe of seconds."""
    shutil.copy(_EXAMPLES / "own_env.py", tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(_RECIPE))
    (tmp_path / "halves.py").write_text(_HALVES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    threads = torch.get_num_threads()
    yield tmp_path
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def call(place: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line here: status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


def apart(*arguments: str) -> tuple[int, str, str]:
    """`rl-editor` in a process of its own, in the working directory."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    environment.pop("PL_GLOBAL_SEED", None)
    program = [str(Path(sys.executable).with_name("rl-editor")), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=240, check=False)
    return done.returncode, done.stdout, done.stderr


def kept(run: str) -> dict[str, Any]:
    """What decides how a run goes on."""
    content = torch.load(Path(run) / "checkpoints/last.ckpt", weights_only=True)
    return {name: content[name] for name in ("state_dict", "optimizer_states", "ppo", "epoch", "global_step")}


def events(run: str) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(run).Reload()
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_the_example_finds_the_best_bags(call: Call) -> None:
    recipe = yaml.safe_load((_EXAMPLES / "own_env.yaml").read_text())
    recipe["model"]["env"]["class_path"] = "own_env.Packing"
    Path("own_env.yaml").write_text(yaml.safe_dump(recipe))
    assert call("fit", "--config", "own_env.yaml", "--trust-recipe", "--name", "a", "--quiet") == (0, "", "")
    import own_env  # of the working directory

    best = [0.0] * (own_env.MOST_KG + 1)
    articles = list(zip(own_env.WEIGHT_KG.tolist(), own_env.WORTH.tolist(), strict=True))
    for room in range(1, own_env.MOST_KG + 1):
        best[room] = max(best[room - weight] + worth for weight, worth in articles if weight <= room)
    bags = own_env.Packing(recipe["model"]["env"]["init_args"]["n_envs"])
    for side, seed in (("validate", 1_000_000), ("test", 2_000_000)):
        bags.reset(seed)
        optimum = sum(best[room] for room in bags.room.tolist()) / bags.n_envs
        status, out, _ = call(side, "--checkpoint", "a", "--trust-recipe", "--json", "--quiet")
        assert status == 0
        (told,) = yaml.safe_load(out).values()
        assert told == pytest.approx(optimum, abs=1e-4)


def test_the_example_is_found_from_the_folder_its_page_names(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(_EXAMPLES.parent)
    short = ("--trainer.max_epochs=1", "--runs", str(tmp_path / "runs"), "--quiet")
    assert call("fit", "--config", "examples/own_env.yaml", "--trust-recipe", *short) == (0, "", "")


def test_the_example_keeps_the_contract(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(place))
    import own_env

    from rl_editor.envs.base import check_env

    check_env(own_env.Packing(16))


def test_two_ticks_and_two_more_are_four(call: Call, assert_equal_bits: Same) -> None:
    assert call(*FIT, "--name", "whole", "--quiet")[0] == 0
    assert call(*FIT, "--name", "halves", "--quiet", "--trainer.max_epochs", "2")[0] == 0
    torch.rand(1)
    status, _, err = call("fit", "--resume", "halves", "--trainer.max_epochs", "4", "--trust-recipe")
    assert (status, "goes on after 2 epochs" in err) == (0, True)
    assert_equal_bits(kept("runs/halves"), kept("runs/whole"))
    assert kept("runs/whole")["ppo"]["reference"] is not None
    assert int(kept("runs/whole")["state_dict"]["value_scale.updates"]) == 4
    one, other = events("runs/halves"), events("runs/whole")
    assert one.keys() == other.keys()
    assert all(one[tag] == other[tag] for tag in one if tag != "train/SPS")


def test_gymnasium_s_environments_are_resumed_to_the_bit_too(call: Call, assert_equal_bits: Same) -> None:
    pole = (
        *FIT, "--model.env", "rl_editor.envs.gymnasium_adapter.GymnasiumEnv", "--model.env.name", "CartPole-v1",
        "--model.env.n_envs", "3", "--quiet",
    )  # fmt: skip
    assert call(*pole, "--name", "whole")[0] == 0
    assert call(*pole, "--name", "halves", "--trainer.max_epochs", "2")[0] == 0
    assert call("fit", "--resume", "halves", "--trainer.max_epochs", "4", "--trust-recipe", "--quiet")[0] == 0
    assert_equal_bits(kept("runs/halves"), kept("runs/whole"))


def test_the_events_hold_the_figures_over_environment_steps(call: Call) -> None:
    assert call(*FIT, "--name", "a", "--quiet")[0] == 0
    found = events("runs/a")
    always = {
        "approx_kl", "clip_fraction", "entropy", "explained_variance", "first_ratio", "forced", "kl_weight",
        "minibatches", "policy_loss", "reference_kl", "SPS", "value_loss", "value_mean", "value_spread",
    }  # fmt: skip
    for name in always:
        assert [step for step, _ in found[f"train/{name}"]] == [56, 112, 168, 224]
    for name in ("ep_return", "ep_length"):
        assert {step for step, _ in found[f"train/{name}"]} <= {56, 112, 168, 224}
    assert [step for step, _ in found["val/ep_return"]] == [112, 224]
    assert set(found) == {f"train/{name}" for name in always | {"ep_return", "ep_length"}} | {"val/ep_return"}
    assert all(abs(value) < 1e-5 for _, value in found["train/first_ratio"])
    assert all(0 <= value <= 1 for name in ("entropy", "forced") for _, value in found[f"train/{name}"])
    assert found["train/reference_kl"][0][1] < found["train/reference_kl"][-1][1]


def test_while_the_critic_warms_up_the_actor_keeps_its_bits(call: Call, assert_equal_bits: Same) -> None:
    weights = []
    for ticks in (1, 3):
        warm = ("--model.ppo.critic_warmup", "3", "--trainer.max_epochs", str(ticks))
        assert call(*FIT, *warm, "--name", str(ticks), "--quiet")[0] == 0
        weights.append(kept(f"runs/{ticks}")["state_dict"])
    actor, critic = ({name for name in weights[0] if part in name} for part in (".actor.", ".critic."))
    assert_equal_bits({name: weights[1][name] for name in actor}, {name: weights[0][name] for name in actor})
    assert not any(torch.equal(weights[1][name], weights[0][name]) for name in critic if "weight" in name)
    assert call(*FIT, "--model.ppo.critic_warmup=3", "--name", "4", "--quiet")[0] == 0
    assert not torch.equal(kept("runs/4")["state_dict"]["actor_critic.actor.0.weight"], weights[0][min(actor)])


def test_weights_of_another_run_are_where_it_begins_and_what_it_stays_near(call: Call, assert_equal_bits: Same) -> None:
    assert call(*FIT, "--name", "a", "--quiet")[0] == 0
    still = ("--init_from", "runs/a/checkpoints/last.ckpt", "--model.ppo.lr", "0", "--trainer.max_epochs", "1")
    assert call(*FIT, *still, "--name", "b", "--quiet")[0] == 0
    old, new = kept("runs/a"), kept("runs/b")
    for name, weight in new["ppo"]["reference"].items():
        assert torch.equal(weight, old["state_dict"][f"actor_critic.{name}"])
    assert events("runs/b")["train/reference_kl"] == [(56, 0.0)]


def test_two_processes_learn_what_one_with_both_their_rollouts_does(call: Call, assert_equal_bits: Same) -> None:
    halves = (
        *FIT[:3], "--trust-recipe", "--task", "halves:TASK", "--model.ppo.minibatches", "1", "--model.ppo.kl_budget",
        "0.05", "--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "9", "--quiet",
    )  # fmt: skip
    recipe = {name: value for name, value in _RECIPE.items() if name != "task"}
    Path("small.yaml").write_text(yaml.safe_dump(recipe))
    status, _, err = apart(*halves, "--name", "two", "--trainer.strategy=ddp", "--trainer.devices=2")
    assert status == 0, err
    assert call(*halves, "--name", "one")[0] == 0
    first, second = (torch.load(f"runs/two/rank{rank}.pt", weights_only=True) for rank in (0, 1))
    one = torch.load("runs/one/rank0.pt", weights_only=True)
    assert_equal_bits(second, first)
    assert len(one["gradients"]) == len(first["gradients"]) > 0
    for mine, its in zip(first["gradients"], one["gradients"], strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-3, atol=1e-6)


@pytest.mark.usefixtures("place")
def test_two_processes_play_apart_learn_together_and_are_resumed_to_the_bit(assert_equal_bits: Same) -> None:
    two = (*FIT, "--trainer.strategy=ddp", "--trainer.devices=2", "--quiet", "--model.ppo.critic_warmup=1")
    two = (*two, "--model.ppo.epochs=1", "--model.ppo.minibatches=2", "--model.ppo.accumulate=2")
    for name, ticks in (("whole", "4"), ("halves", "2")):
        status, _, err = apart(*two, "--name", name, "--trainer.max_epochs", ticks)
        assert status == 0, err
    assert apart("fit", "--resume", "halves", "--trust-recipe", "--trainer.max_epochs=4", "--quiet")[0] == 0
    whole = kept("runs/whole")
    assert_equal_bits(kept("runs/halves"), whole)
    first, second = whole["ppo"]["players"]
    assert not torch.equal(first["observation"]["room"], second["observation"]["room"])
    assert [step for step, _ in events("runs/whole")["train/approx_kl"]] == [112, 224, 336, 448]


_WRONG = """
import torch
from own_env import Packing


class Forgetful(Packing):
    n_envs: int
    def __init__(self, n_envs: int = 4) -> None:
        super().__init__(n_envs)
    def reset(self, seed: int | None = None) -> object:
        return {"room": torch.zeros(4, 11)}, torch.ones(4, 5)


class Short:
    def reset(self, seed: int | None = None) -> object: ...
    def step(self, action: torch.Tensor) -> object: ...
"""


@pytest.mark.parametrize(
    ("flags", "status", "told"),
    [
        (("--model.env", "wrong.Forgetful"), 1, "an observation must be a NamedTuple of tensors (8, ...)"),
        (("--model.env", "wrong.Short"), 2, "does not implement protocol ResumableEnv"),
        (("--model.env", "own_env.Packin"), 2, "own_env.Packin"),
        (("--model.env.n_env", "3"), 2, "n_env"),
        (("--model.ppo.gamma", "2"), 2, "gamma: 2.0 must be from 0 to 1"),
        (("--trainer.gradient_clip_val", "1"), 2, "gradient"),
        (("--model.network", "torch.nn.Linear"), 2, "torch.nn.Linear"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_line(call: Call, flags: tuple[str, ...], status: int, told: str) -> None:
    Path("wrong.py").write_text(_WRONG)
    found, out, err = call(*FIT, *flags, "--quiet")
    assert (found, out) == (status, "")
    assert told in err
    assert err.count("\n") == 1
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_every_setting_is_told_with_its_text(call: Call) -> None:
    status, out, _ = call(*FIT, "--help")
    assert status == 0
    for text in ("--model.env", "--model.ppo.clip", "Worth of a reward one step later.", "Threads of one process"):
        assert text in out
