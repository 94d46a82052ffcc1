from pathlib import Path

import pytest

from rl_editor.cli import bc_warmup, fit, predict
from rl_editor.cli.training_options import TrainingParser


def test_a_command_line_is_parted_into_options_and_settings() -> None:
    line = ["--model.config.lr", "-1", "--config", "a", "--quiet", "-c", "b.yaml", "--trainer.callbacks+=X", "--runs=r"]
    order = fit.parser().parse_args(line)
    assert order.configs == ("a", "b.yaml")
    assert order.settings == ("--model.config.lr", "-1", "--trainer.callbacks+=X")
    assert (order.runs, order.quiet, order.trusted, order.resume) == (Path("r"), True, False, None)
    assert order.arguments == tuple(line)


def test_options_are_not_abbreviated() -> None:
    assert fit.parser().parse_args(["--conf", "a"]).settings == ("--conf", "a")


def test_a_command_of_one_task_names_it() -> None:
    order = bc_warmup.parser().parse_args([])
    assert (order.verb, order.command, order.fixed_task) == ("fit", "bc-warmup", "bc")


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict"])
def test_help_without_a_task_offers_tasks_and_recipes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        TrainingParser(verb, "What it does.").parse_args(["--help"])  # type: ignore[arg-type]
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: rl-editor {verb} [--config RECIPE]")
    assert "\ntasks:\n" in out
    assert "\nrecipes:\n" in out


def test_an_option_without_its_value_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        predict.parser().parse_args(["--checkpoint"])
    assert left.value.code == 2
    err = capsys.readouterr().err
    assert err == "rl-editor: argument --checkpoint: expected one argument (see rl-editor predict --help)\n"
