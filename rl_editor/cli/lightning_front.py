"""LightningCLI for one task: settings from recipes and flags, complaints of one line, nothing run by itself."""

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from rl_editor.checkpoints import find
from rl_editor.cli.complaints import complain
from rl_editor.cli.training import Plan
from rl_editor.errors import RecipeError
from rl_editor.modules.recipes import find_recipe
from rl_editor.modules.run_folder import runs_in
from rl_editor.modules.run_keeper import EpochLines
from rl_editor.modules.tasks import Origin, Task, load_task

TRAINER_DEFAULTS = {
    "accelerator": "auto",
    "devices": 1,
    # exact where it costs nothing; operations of accelerators that can't be are told of
    "deterministic": "warn",
    "max_epochs": 10,
    "log_every_n_steps": 10,
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
}

_HARMLESS = (
    "The '.*' does not have many workers",  # what trains here is in memory
    "The number of training batches .* is smaller than the logging interval",  # epochs are logged all the same
    "Checkpoint directory .* exists and is not empty",  # the folder of the run that is resumed
    r".*ModelCheckpoint\(monitor=.*could not find the monitored key",  # no validation yet, or no data for it
    "Be aware that when using `ckpt_path`, callbacks",  # who judges a checkpoint does not keep a run
    "GPU available but not used",  # chosen on the command line
    ".*treespec, LeafSpec.* is deprecated",  # Lightning's, since torch 2.9
)


class FrontParser(LightningArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong with the settings and leave with status 2."""
        complain(f"{' '.join(message.split())} (see {self.prog} --help)")
        sys.exit(2)


class LightningFront(LightningCLI):
    """Settings, module and datamodule of one task; `instantiate_trainer` is left to the caller.

    Args:
        command: name of the command, for its complaints.
        name: the task's name; it leads the settings, so that they are a recipe.
        task: what is trained.
        arguments: recipes as `--config=FILE`, and flags.
        runs: folder of runs, for settings that take files of other tasks' runs.
    """

    def __init__(self, command: str, name: str, task: Task, arguments: Sequence[str], runs: Path) -> None:
        self._origins, self._runs = task.origins, runs
        self.origins: dict[str, Path] = {}
        """Files of other tasks' runs, by the setting that takes them."""
        self.taken: list[Path] = []
        """Those of them that nobody named."""
        set_parsing_settings(docstring_parse_attribute_docstrings=True)
        self._task_name = name
        super().__init__(
            task.module,
            task.datamodule,
            save_config_callback=None,
            trainer_defaults=TRAINER_DEFAULTS,
            seed_everything_default=7,
            parser_kwargs={
                "prog": f"rl-editor {command}",
                "usage": f"rl-editor {command} ... [settings]",
                "description": f"Settings of the task {name}:",
                "allow_abbrev": False,
                "dump_header": None,
            },
            parser_class=FrontParser,
            args=list(arguments),
            run=False,
            auto_configure_optimizers=False,
            # modules keep plain values themselves, whether made here or in Python
            load_from_checkpoint_support=False,
        )

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.config["seed_everything"])

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """`task` comes first, in recipes and in what is printed."""
        parser.add_argument("--task", type=str, default=self._task_name, help="What is trained, and on what.")
        super().add_default_arguments_to_parser(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Read the settings; the process's own command line is not looked at."""
        self.config = parser.parse_args(args)
        if self.config["seed_everything"] is False:
            parser.error('Parser key "seed_everything": a run needs a number, or it could not be resumed exactly')
        for key, usual in (("default_root_dir", None), ("enable_checkpointing", None), ("barebones", False)):
            if self.config["trainer"][key] != usual:
                parser.error(f'Parser key "trainer.{key}": --runs, --name and the run\'s folder stand for it')

        for origin in self._origins:
            named = self.config[origin.setting]
            if named and named == origin.nobody:
                continue
            file = find(named, Path(origin.file).stem, runs=self._runs) if named else self._newest(origin)
            self.config[origin.setting] = str(file)
            self.origins[origin.setting] = file

    def _newest(self, origin: Origin) -> Path:
        """What the newest run of another task left.

        Raises:
            RecipeError: there is no such run.
        """
        runs = [run for run in runs_in(self._runs) if (run.path / origin.file).is_file()]
        runs = [run for run in runs if run.read_record().get("task") == origin.task]
        if not runs:
            raise RecipeError(
                f"{self._runs}: no run of {origin.task} to take {origin.file} from; `rl-editor {origin.command}` makes "
                f"one, --{origin.setting} names another"
            )
        file = max((run.path / origin.file for run in runs), key=lambda file: file.stat().st_mtime)
        self.taken.append(file)
        return file

    def instantiate_classes(self) -> None:
        """Build what the settings describe, apart from the Trainer.

        Raises:
            RecipeError: they name something that needs a package which is not installed.
        """
        try:
            self.config_init = self.parser.instantiate(self.config)
        except (ModuleNotFoundError, ValueError) as error:
            missing = _missing_package(error)
            if missing is None:
                raise
            raise RecipeError(f"not installed: {' '.join(str(missing).split())}") from error
        self.datamodule = self.config_init["data"]
        self.model = self.config_init["model"]

    def settings(self) -> str:
        """Every setting, as YAML: a recipe."""
        return str(self.parser.dump(self.config, format="yaml"))

    def stated(self, key: str) -> Any:
        """A setting of the Trainer, built."""
        return self.config_init["trainer"][key]

    def stated_callbacks(self) -> list[Callback]:
        """The callbacks that recipes and flags ask for."""
        stated = self.stated("callbacks") or []
        return list(stated) if isinstance(stated, list) else [stated]

    def draws_progress(self, quiet: bool) -> bool:
        """Whether a bar is drawn: on a terminal that somebody watches."""
        return not quiet and self.stated("enable_progress_bar") is not False and sys.stderr.isatty()

    def progress(self, quiet: bool) -> list[Callback]:
        """What tells of progress on stderr: a bar, or a line an epoch."""
        if quiet or any(isinstance(callback, ProgressBar) for callback in self.stated_callbacks()):
            return []
        return [RichProgressBar(console_kwargs={"stderr": True}) if self.draws_progress(quiet) else EpochLines()]

    def identity(self) -> dict[str, object]:
        """What datamodule and module say their data are, {} where they say nothing."""
        tellers = (getattr(part, "identity", None) for part in (self.datamodule, self.model))
        return {key: value for tell in tellers if tell is not None for key, value in tell().items()}

    def weights_prefix(self) -> str:
        """What goes before the names of a `.safetensors` file to make them the module's."""
        return str(getattr(self.model, "weights_prefix", ""))


def is_first_process() -> bool:
    """Whether this process tells and writes; of several that train together one does."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def front_of(plan: Plan) -> LightningFront:
    """The settings, module and datamodule of a plan.

    Raises:
        RecipeError: there is no such task, or something it needs is not installed.
    """
    order = plan.order
    task = load_task(plan.task, trusted=order.trusted)
    recipes = plan.recipes
    if not recipes and task.recipe:
        recipes = (find_recipe(task.recipe),)
    arguments = [*(f"--config={file}" for file in recipes), *order.settings, *(["--help"] if order.help else [])]
    return LightningFront(order.command, plan.task, task, arguments, order.runs)


@contextmanager
def lightning_manners() -> Iterator[None]:
    """Lightning says nothing that helps nobody, and its complaints about settings are one line.

    Raises:
        RecipeError: settings that contradict each other.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in _HARMLESS:
            warnings.filterwarnings("ignore", message=message)
        try:
            yield
        except MisconfigurationException as error:
            raise RecipeError(" ".join(str(error).split())) from error


def _missing_package(error: BaseException | None) -> ModuleNotFoundError | None:
    """The missing package among an error's causes; jsonargparse wraps what a constructor raises."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    return error
