"""Command lines of `fit`, `validate`, `test`, `predict`: what is said beside the settings of module, data and Trainer.

The settings are known only when the task is: a first look at the command line takes the options here, and
`rl_editor.cli.lightning_front` takes the rest.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from rl_editor.cli.complaints import complain

Verb = Literal["fit", "validate", "test", "predict"]


@dataclass(frozen=True)
class Order:
    """A command line of training, as far as it can be read without knowing the task."""

    verb: Verb
    """What the Trainer does."""
    command: str
    """Name of the command as typed."""
    arguments: tuple[str, ...]
    """The whole command line after the command's name."""
    fixed_task: str | None
    """The task of a command that has only one."""
    configs: tuple[str, ...]
    """Names of recipes, later ones over earlier ones."""
    settings: tuple[str, ...]
    """Flags that belong to module, data and Trainer."""
    runs: Path
    """Folder of runs."""
    name: str | None
    """Name of a new run."""
    resume: str | None
    """Run to go on with."""
    init_from: str | None
    """Checkpoint or run to take weights from."""
    checkpoint: str | None
    """Checkpoint or run to judge or to use."""
    trusted: bool
    """Code outside the installed packages may be run."""
    quiet: bool
    """Errors only."""
    json: bool
    """Results as one JSON object."""
    help: bool
    """Tell all settings."""


class TrainingParser:
    """The parser of a training command.

    Args:
        verb: what the Trainer does.
        description: the command in a sentence or two.
        command: the command's name, where it is not the verb.
        task: the command's only task.
    """

    def __init__(self, verb: Verb, description: str, *, command: str | None = None, task: str | None = None) -> None:
        self._verb: Verb = verb
        self._command = command or verb
        self._task = task
        self._options = _OptionParser(
            prog=f"rl-editor {self._command}",
            description=description,
            usage=f"rl-editor {self._command} [--config RECIPE] [options] [settings]",
            add_help=False,
            allow_abbrev=False,
        )
        _add_options(self._options, verb, has_task=task is not None)

    def parse_args(self, arguments: Sequence[str]) -> Order:
        """Read a command line; `--help` without a task is answered here, without importing what trains."""
        options, settings = self._options.parse_known_args(list(arguments))
        if options.help:
            sys.stdout.write(self._options.format_help())
            if self._task is None and not options.config and not options.task:
                sys.stdout.write(_offers(self._command))
                sys.exit(0)
        return Order(
            verb=self._verb,
            command=self._command,
            arguments=tuple(arguments),
            fixed_task=self._task or options.task,
            configs=tuple(options.config),
            settings=tuple(settings),
            runs=Path(options.runs),
            name=getattr(options, "name", None),
            resume=getattr(options, "resume", None),
            init_from=getattr(options, "init_from", None),
            checkpoint=getattr(options, "checkpoint", None),
            trusted=options.trust_recipe,
            quiet=options.quiet,
            json=getattr(options, "json", False),
            help=options.help,
        )


class _OptionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see {self.prog} --help)")
        sys.exit(2)


def _add_options(parser: argparse.ArgumentParser, verb: Verb, *, has_task: bool) -> None:
    parser.add_argument("-h", "--help", action="store_true", help="with a recipe: all settings of its task")
    parser.add_argument(
        "-c", "--config", action="append", default=[], metavar="RECIPE",
        help="file here or name of a shipped recipe, with or without .yaml; of several, later ones win; flags win over "
        "all",
    )  # fmt: skip
    if has_task:
        parser.set_defaults(task=None)
    else:
        parser.add_argument("--task", metavar="TASK", help="what to train, where no recipe says it")
    parser.add_argument("--runs", default="runs", metavar="DIR", help="folder of runs (default: runs)")
    if verb == "fit":
        parser.add_argument("--name", metavar="NAME", help="the run's name (default: TASK-1, TASK-2, ...)")
        parser.add_argument(
            "--resume", metavar="RUN",
            help="go on with a run, exactly as if it had never stopped; of the settings only --trainer.max_epochs and "
            "--trainer.max_time may change",
        )  # fmt: skip
        parser.add_argument(
            "--init_from", metavar="CKPT",
            help="begin a new run with the weights of a run, a .ckpt or a .safetensors file, and with nothing else",
        )  # fmt: skip
    else:
        parser.add_argument(
            "--checkpoint", metavar="CKPT",
            help="run, .ckpt or .safetensors file (default: the newest run of the task); without a recipe the settings "
            "are the run's",
        )  # fmt: skip
    if verb in ("validate", "test"):
        parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    parser.add_argument("--trust-recipe", action="store_true", help="let recipes run code from outside the packages")
    parser.add_argument("--quiet", action="store_true", help="no progress, no notes")


def _offers(command: str) -> str:
    """The tasks and recipes there are; nothing heavy is imported for it."""
    from rl_editor.modules.recipes import first_line, shipped_recipes
    from rl_editor.modules.tasks import task_names

    recipes = [(file.name, first_line(file)) for file in shipped_recipes()]
    width = max([len(name) for name, _ in recipes], default=0)
    lines = ["", "tasks:", *(f"  {name}" for name in task_names()), "", "recipes:"]
    lines += [f"  {name:<{width}}  {text}".rstrip() for name, text in recipes] or ["  none yet"]
    lines += ["", f"`rl-editor {command} --config RECIPE --help` tells all settings of the recipe's task;"]
    lines += ["`--print_config` prints them with their values.", ""]
    return "\n".join(lines)
