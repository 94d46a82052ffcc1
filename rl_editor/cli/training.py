"""`rl-editor fit`, `validate`, `test`, `predict`: finds what a command line names, then lets Lightning begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rl_editor.cli.complaints import complain
from rl_editor.cli.training_options import Order
from rl_editor.errors import RecipeError
from rl_editor.modules.recipes import check_trusted, find_recipe, task_of
from rl_editor.modules.run_folder import RunFolder, find_run, newest_run

_RESUME_MAY_CHANGE = ("--trainer.max_epochs", "--trainer.max_time")


@dataclass(frozen=True)
class Plan:
    """An order whose files are found."""

    order: Order
    """The command line."""
    task: str
    """The task's name."""
    recipes: tuple[Path, ...]
    """Files of settings, later ones over earlier ones."""
    run: RunFolder | None = None
    """The run that is resumed, judged or used; None for a new one, or a checkpoint outside runs."""
    checkpoint: Path | None = None
    """The checkpoint that is judged or used, or whose weights are taken."""


def run(order: Order) -> int:
    """Do what a command line of training asks for."""
    try:
        plan = _plan(order)
        if not order.trusted:
            check_trusted(plan.recipes)
        from rl_editor.cli.fitting import fit
        from rl_editor.cli.judging import judge
        from rl_editor.cli.lightning_front import lightning_manners

        with lightning_manners():
            return fit(plan) if order.verb == "fit" else judge(plan)
    except RecipeError as error:
        complain(f"{error} (see rl-editor {order.command} --help)")
        return 2


def _plan(order: Order) -> Plan:
    if order.help:
        recipes = tuple(find_recipe(name) for name in order.configs)
        return Plan(order, _task(order, recipes), recipes)
    return _plan_fit(order) if order.verb == "fit" else _plan_judging(order)


def _plan_fit(order: Order) -> Plan:
    if order.resume is not None:
        _check_resumable_so(order)
        run = find_run(order.runs, order.resume)
        return Plan(order, _task(order, (run.config,)), (run.config,), run)
    recipes = tuple(find_recipe(name) for name in order.configs)
    weights = None if order.init_from is None else _checkpoint(order.runs, order.init_from)[1]
    return Plan(order, _task(order, recipes), recipes, None, weights)


def _plan_judging(order: Order) -> Plan:
    """Settings are the run's; those of recipes and flags go over them."""
    recipes = tuple(find_recipe(name) for name in order.configs)
    named = order.fixed_task or (_task(order, recipes) if recipes else None)
    if order.checkpoint is not None:
        run, checkpoint = _checkpoint(order.runs, order.checkpoint)
    else:
        run = newest_run(order.runs, named)
        checkpoint = run.weights()
    if run is not None:
        recipes = (run.config, *recipes)
    return Plan(order, _task(order, recipes), recipes, run, checkpoint)


def _checkpoint(runs: Path, name: str) -> tuple[RunFolder | None, Path]:
    """A checkpoint file, and the run it belongs to where there is one."""
    file = Path(name)
    if file.is_file():
        runs_around = (RunFolder(folder) for folder in (file.parent, file.parent.parent))
        return next((run for run in runs_around if run.config.is_file()), None), file
    if file.suffix in (".ckpt", ".safetensors"):
        raise RecipeError(f"{name}: no such checkpoint")
    run = find_run(runs, name)
    return run, run.weights()


def _task(order: Order, recipes: Sequence[Path]) -> str:
    where = "--task" if order.fixed_task and order.command == order.verb else order.command
    return task_of({where: order.fixed_task}, recipes)


def _check_resumable_so(order: Order) -> None:
    """A resumed run keeps its settings; whoever wants others is told so."""
    refused = [flag for flag in order.settings if flag.startswith("-") and not _is_number(flag)]
    refused = [flag.partition("=")[0] for flag in refused]
    refused = [flag for flag in refused if flag not in _RESUME_MAY_CHANGE]
    others = {"--config": order.configs, "--name": order.name, "--init_from": order.init_from}
    refused += [flag for flag, value in others.items() if value]
    if order.fixed_task and order.command == order.verb:
        refused.append("--task")
    if refused:
        raise RecipeError(
            f"{refused[0]}: a resumed run keeps its settings; only {' and '.join(_RESUME_MAY_CHANGE)} may change; "
            "--init_from begins a new run with its weights"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
