"""`rl-editor pipeline`: imitation, reward model, reinforcement and the edit of a recording, one after another."""

import argparse
import importlib
import io
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rl_editor.cli.complaints import complain
from rl_editor.errors import DataError, RecipeError
from rl_editor.modules.pipeline_stages import TRAINING

if TYPE_CHECKING:
    from rl_editor.modules.pipeline_folder import PipelineFolder
    from rl_editor.modules.pipeline_recipe import PipelineConfig

_NAME = "pipeline"


@dataclass(frozen=True)
class PipelineOrder:
    """A command line of `rl-editor pipeline`."""

    arguments: tuple[str, ...]
    """The whole command line after the command's name."""
    config: str
    """Name of the recipe."""
    settings: tuple[str, ...]
    """Flags that are settings of the recipe."""
    comparisons: tuple[str, ...]
    """Files of people's comparisons."""
    runs: Path
    """Folder of runs."""
    name: str | None
    """Name of a new pipeline."""
    resume: str | None
    """Pipeline to go on with."""
    trusted: bool
    """Code outside the installed packages may be run."""
    print_config: bool
    """Only tell all settings."""
    quiet: bool
    """Errors only."""


class PipelineParser:
    """The parser of `rl-editor pipeline`; settings of the recipe are left for when it is read."""

    def __init__(self) -> None:
        self._options = _OptionParser(
            prog=f"rl-editor {_NAME}",
            usage=f"rl-editor {_NAME} [--config RECIPE] [options] [--KEY VALUE ...]",
            description="From a prepared set to an edited song: bc-warmup, reward-model, PPO, edit, in one run folder, "
            "with a report of all of it. Killed at any moment it goes on with --resume, to the same end.",
            epilog="Each key of the recipe is a flag: --prepared DIR, --edit.recording SONG, --edit.duration TIME, "
            "--edit.keep SHARE, --bc.config RECIPE, and what `rl-editor fit --config RECIPE --help` tells of a stage: "
            "--bc.trainer.max_epochs 6.",
            allow_abbrev=False,
        )
        add = self._options.add_argument
        add("-c", "--config", metavar="RECIPE", help="file here or name of a shipped recipe (default: pipeline)")
        add("--comparisons", nargs="+", default=[], metavar="FILE", help="people's comparisons (docs/comparisons.md)")
        add("--runs", default="runs", metavar="DIR", help="folder of runs (default: runs)")
        add("--name", metavar="NAME", help="the pipeline's name (default: pipeline-1, pipeline-2, ...)")
        add("--resume", metavar="RUN", help="go on with a pipeline, exactly as if it had never stopped")
        add("--trust-recipe", action="store_true", help="let recipes run code from outside the packages")
        add("--print_config", action="store_true", help="print all settings, a recipe, and do nothing")
        add("--quiet", action="store_true", help="no progress, no notes")

    def parse_args(self, arguments: Sequence[str]) -> PipelineOrder:
        """Read a command line."""
        options, settings = self._options.parse_known_args(list(arguments))
        if options.resume is not None:
            kept = {"--config": options.config, "--comparisons": options.comparisons, "--name": options.name}
            refused = [*settings[:1], *(flag for flag, value in kept.items() if value)]
            if refused:
                self._options.error(f"{refused[0]}: a resumed pipeline keeps its settings")
        return PipelineOrder(
            arguments=tuple(arguments),
            config=options.config or _NAME,
            settings=tuple(settings),
            comparisons=tuple(options.comparisons),
            runs=Path(options.runs),
            name=options.name,
            resume=options.resume,
            trusted=options.trust_recipe,
            print_config=options.print_config,
            quiet=options.quiet,
        )


class _OptionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see {self.prog} --help)")
        sys.exit(2)


def parser() -> PipelineParser:
    """The command line of `rl-editor pipeline`."""
    return PipelineParser()


def run(order: PipelineOrder) -> int:
    """Go from stage to stage, and tell what came of them."""
    try:
        if order.resume is not None:
            return _go_on(order, order.resume)
        config = _config(order)
        if order.print_config:
            sys.stdout.write(config.as_recipe())
            return 0
        return _begin(order, config)
    except RecipeError as error:
        complain(f"{error} (see rl-editor {_NAME} --help)")
        return 2


def _config(order: PipelineOrder) -> "PipelineConfig":
    """What the recipe and the flags say.

    Raises:
        RecipeError: they can't be used.
    """
    from rl_editor.modules.pipeline_recipe import flag_settings, pipeline_config, with_settings
    from rl_editor.modules.recipes import find_recipe, read_recipe

    file = find_recipe(order.config)
    try:
        pipeline_config(recipe := read_recipe(file))
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from error
    flags = flag_settings(order.settings)
    if order.comparisons:
        flags.append(("comparisons", list(order.comparisons)))
    return pipeline_config(with_settings(recipe, flags))


def _begin(order: PipelineOrder, config: "PipelineConfig") -> int:
    """Begin a new pipeline; what can be known to be wrong is refused before anything is computed.

    Raises:
        RecipeError: a setting, or the name.
        DataError: something that it works on is not there.
    """
    from rl_editor.cli.pipeline_running import run_stages
    from rl_editor.modules.pipeline_folder import CONFIG, RECORD, PipelineFolder, data_identity, settings_name
    from rl_editor.modules.pipeline_recipe import as_yaml
    from rl_editor.modules.provenance import git_revision, now, versions
    from rl_editor.modules.run_folder import as_json, check_name, create_run

    if order.name is not None:
        check_name(order.runs, order.name)
    record = {
        "command": ["rl-editor", _NAME, *order.arguments],
        "started": now(),
        "versions": versions(),
        "git": git_revision(Path(__file__)),
        "data": data_identity(config),
        "resumed": [],
        "finished": {},
    }
    settings = {settings_name(stage.name): as_yaml(config.settings(stage)) for stage in TRAINING}
    files = {**settings, CONFIG: config.as_recipe(), RECORD: as_json(record)}
    folder = PipelineFolder(create_run(order.runs, order.name, _NAME, files).path)
    status = 1
    try:
        status = _wrong_settings(order, folder, config)
    finally:
        if status:
            shutil.rmtree(folder.path, ignore_errors=True)
    return status or run_stages(folder, config, _manners(order))


def _go_on(order: PipelineOrder, name: str) -> int:
    """Go on with a pipeline where it was stopped.

    Raises:
        RecipeError: there is none of this name, or its files are damaged.
        DataError: what it works on is not what it was.
    """
    from rl_editor.cli.pipeline_running import run_stages
    from rl_editor.modules.pipeline_folder import data_identity, find_pipeline
    from rl_editor.modules.pipeline_recipe import pipeline_config
    from rl_editor.modules.provenance import now, versions
    from rl_editor.modules.recipes import read_recipe

    folder = find_pipeline(order.runs, name)
    config, record = pipeline_config(read_recipe(folder.config)), folder.read_record()
    if record["data"] != data_identity(config):
        raise DataError(f"{folder.path}: its data are not what they were (see `data` in {folder.record})")
    folder.remove_stale()
    resumption = {"command": ["rl-editor", _NAME, *order.arguments], "started": now(), "versions": versions()}
    folder.write_record({**record, "resumed": [*record["resumed"], resumption]})
    return run_stages(folder, config, _manners(order))


def _wrong_settings(order: PipelineOrder, folder: "PipelineFolder", config: "PipelineConfig") -> int:
    """Exit status of the first stage that can't use its settings, 0 where all can.

    So a mistake in the last one's is told now, not after hours.
    """
    from rl_editor.cli.edit import parser as edit_parser
    from rl_editor.cli.pipeline_running import edit_options, recipes

    try:
        edit_parser().parse_args(edit_options(folder, config))
    except SystemExit as left:
        return int(left.code or 0)
    statuses = (_read_settings(row.command, [*recipes(folder, config, row), *_manners(order)]) for row in TRAINING)
    return next((status for status in statuses if status), 0)


def _read_settings(name: str, words: Sequence[str]) -> int:
    """Exit status of a command that trains where it shall only print its settings."""
    command = importlib.import_module(f"rl_editor.cli.{name.replace('-', '_')}")
    try:
        with redirect_stdout(io.StringIO()):
            return int(command.run(command.parser().parse_args([*words, "--print_config"])))
    except SystemExit as left:
        return int(left.code or 0)


def _manners(order: PipelineOrder) -> list[str]:
    """Flags of the pipeline that are its stages' too."""
    return ["--trust-recipe"] * order.trusted + ["--quiet"] * order.quiet
