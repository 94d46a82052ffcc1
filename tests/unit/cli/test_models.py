from pathlib import Path

import pytest
import torch

from rl_editor import checkpoints
from rl_editor.checkpoint_card import UNTOLD, Card, Figure
from rl_editor.checkpoints import card_path, load, save
from rl_editor.cli import models
from rl_editor.errors import CheckpointError

CARD = Card(
    task="policy",
    what="A policy.",
    inputs="A Track.",
    data=[],
    split="By song.",
    recipe="bc.yaml",
    commit="fc1172c",
    seeds=(7,),
    licence="CC BY 4.0",
    figures=[Figure("overlap", 0.63, over="96 takes")],
)


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with one shipped checkpoint and three of two runs."""
    monkeypatch.setattr(checkpoints, "shipped_folder", lambda kind: tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    write("shipped/bc.safetensors", 1.0)
    write("runs/bc-1/policy.safetensors", 2.0)
    write("runs/ppo-1/policy.safetensors", 3.0, figures=[])
    write("runs/ppo-1/reward.safetensors", 4.0, task="reward")


def write(path: str, value: float, task: str = "policy", figures: list[Figure] | None = None) -> None:
    tensors = {"w": torch.full((400, 1000), value)}
    card = Card(**(vars(CARD) | {"task": task, "figures": CARD.figures if figures is None else figures}))
    save(Path(path), tensors, config={}, card=card)


def run(*arguments: str) -> int:
    return models.run(models.parser().parse_args(list(arguments)))


def test_the_list_tells_name_task_size_hash_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    out, err = capsys.readouterr()
    rows = [line.split(maxsplit=4) for line in out.splitlines()]
    assert rows[0] == ["name", "task", "MB", "SHA-256", "figures"]
    start = load(Path("shipped/bc.safetensors")).content_hash[:12]
    assert rows[1] == ["bc", "policy", "0.8", start, "overlap 0.63, 96 takes"]
    assert [row[:2] for row in rows[2:]] == [["bc-1", "policy"], ["ppo-1/policy", "policy"], ["ppo-1/reward", "reward"]]
    assert rows[3][4] == "not measured"
    assert err == ""


def test_each_name_in_the_list_shows_its_card(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    cards = set()
    for name in names:
        assert run("show", name) == 0
        out, err = capsys.readouterr()
        assert err == ""
        cards.add(out)
    assert cards == {path.read_text() for path in Path().glob("**/*.md")}


def test_a_line_mended_by_hand_is_the_one_that_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    card = card_path(Path("runs/ppo-1/policy.safetensors"))
    card.write_text(card.read_text().replace(UNTOLD, "better than bc", 1))
    run()
    assert "better than bc" in capsys.readouterr().out.splitlines()[3]


def test_what_is_no_checkpoint_is_told_of_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/bc-1/policy.safetensors").write_bytes(b"no weights")
    card_path(Path("shipped/bc.safetensors")).unlink()
    assert run() == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["name", "bc", "ppo-1/policy", "ppo-1/reward"]
    assert out.splitlines()[1].endswith("has no card")
    assert err.startswith("rl-editor: note: left out: runs/bc-1/policy.safetensors: damaged")
    assert err.count("\n") == 1


def test_a_card_of_other_weights_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    card_path(Path("shipped/bc.safetensors")).write_text(card_path(Path("runs/bc-1/policy.safetensors")).read_text())
    assert run("show", "bc") == 0
    assert "not the ones its card tells of" in capsys.readouterr().err


def test_where_there_are_none_it_says_where_it_looked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("shipped/bc.safetensors").unlink()
    assert run("--runs", "elsewhere") == 0
    assert capsys.readouterr().out == "no checkpoints: none is shipped, and none in elsewhere\n"


def test_runs_may_be_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").rename("mine")
    assert run("show", "bc-1", "--runs", "mine") == 0
    assert capsys.readouterr().out.startswith("# policy\n")


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(CheckpointError, match="nothing: no checkpoint file, no run"):
        run("show", "nothing")


@pytest.mark.parametrize("arguments", [["show"], ["list", "bc"]])
def test_show_needs_a_name_and_list_takes_none(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "models show NAME" in capsys.readouterr().err


def test_another_word_is_refused_by_the_command_line() -> None:
    with pytest.raises(SystemExit) as left:
        run("shwo", "bc")
    assert left.value.code == 2
