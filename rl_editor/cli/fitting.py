"""`rl-editor fit`: a new run, or one that goes on."""

import hashlib
import inspect
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint, Timer

from rl_editor.atomic import write_text
from rl_editor.cli.complaints import complain
from rl_editor.cli.lightning_front import LightningFront, front_of, is_first_process
from rl_editor.cli.training import Plan
from rl_editor.errors import CheckpointError, DataError, EditorError
from rl_editor.modules.provenance import git_revision, now, versions
from rl_editor.modules.run_folder import RunFolder, as_json, create_run
from rl_editor.modules.run_keeper import AtomicCheckpoints, KeepRun, RunEvents, SeedEpochs, told
from rl_editor.modules.tasks import short_name
from rl_editor.modules.weights import compare, read_checkpoint, read_weights


def fit(plan: Plan) -> int:
    """Train as planned.

    Returns:
        The exit status: 130 where it was interrupted.
    """
    front = front_of(plan)
    if plan.run is not None:
        return _go_on(plan, plan.run, front)
    if plan.checkpoint is not None:
        _take_weights(front, plan.checkpoint, quiet=plan.order.quiet)
    run = _begin(plan, front) if is_first_process() else None
    with _removed_if_vain(run):
        trainer = _trainer(plan, front, run, purge_step=None)
        if run is not None:
            for file in front.taken:
                _note(f"{file}: the newest there is; {run.path} begins with it", quiet=plan.order.quiet)
            _note(f"{run.path}: begins, task {plan.task}, seed {front.seed}", quiet=plan.order.quiet)
        return _train(plan, front, trainer, run, checkpoint=None)


def _begin(plan: Plan, front: LightningFront) -> RunFolder:
    """A new run's folder, with its settings and what made it."""
    order = plan.order
    record = {
        "task": plan.task,
        "command": ["rl-editor", order.command, *order.arguments],
        "started": now(),
        "seed": front.seed,
        "versions": versions(),
        "git": git_revision(Path(inspect.getfile(type(front.model)))),
        "data": front.identity(),
        "origins": {setting: _file_identity(file) for setting, file in front.origins.items()},
        "init_from": None if plan.checkpoint is None else _file_identity(plan.checkpoint),
        "resumed": [],
    }
    files = {"config.yaml": front.settings(), "run.json": as_json(record)}
    return create_run(order.runs, order.name, short_name(plan.task), files)


def _go_on(plan: Plan, run: RunFolder, front: LightningFront) -> int:
    """Resume a run at the end of its last whole epoch, or at its beginning where it had not come so far."""
    record, quiet = run.read_record(), plan.order.quiet
    if record.get("data") != json.loads(as_json(front.identity())):
        raise DataError(
            f"{run.path}: its data are not what they were (see `data` in {run.record}); "
            "--init_from takes its weights to the data of today"
        )
    _check_origins(run, front, record)
    if run.last.is_file():
        checkpoint, (epochs, purge_step) = run.last, _progress(run.last)
        limit = front.stated("max_epochs")
        if limit is not None and 0 <= limit <= epochs:
            _note(f"{run.path}: is finished after {epochs} epochs; --trainer.max_epochs goes on", quiet=quiet)
            return 0
        _note(f"{run.path}: goes on after {epochs} epochs", quiet=quiet)
    else:
        checkpoint, purge_step = None, 0
        _note(f"{run.path}: no epoch was finished; begins again", quiet=quiet)
        _take_recorded_weights(front, record, quiet=quiet)
    if is_first_process():
        _record_resumption(plan, run, front, record)
    return _train(plan, front, _trainer(plan, front, run, purge_step), run, checkpoint=checkpoint)


def _check_origins(run: RunFolder, front: LightningFront, record: dict[str, object]) -> None:
    """Refuse to go on with other files than those the run began with."""
    known = record.get("origins")
    for setting, file in front.origins.items():
        began = known.get(setting) if isinstance(known, dict) else None
        if not isinstance(began, dict) or began.get("sha256") != _file_identity(file)["sha256"]:
            raise DataError(
                f"{run.path}: {file} is not what the run began with (see `origins` in {run.record}); "
                "--init_from takes its weights to what is there today"
            )


def _record_resumption(plan: Plan, run: RunFolder, front: LightningFront, record: dict[str, object]) -> None:
    for stale in run.path.rglob(".rl-editor.*"):  # what was being written when the run was killed
        stale.unlink(missing_ok=True)
    command = ["rl-editor", plan.order.command, *plan.order.arguments]
    resumed = record.get("resumed")
    earlier = resumed if isinstance(resumed, list) else []
    resumption = {"command": command, "started": now(), "versions": versions()}
    run.write_record({**record, "resumed": [*earlier, resumption]})
    write_text(run.config, front.settings(), overwrite=True)


def _train(
    plan: Plan, front: LightningFront, trainer: Trainer, run: RunFolder | None, *, checkpoint: Path | None
) -> int:
    try:
        trainer.fit(front.model, datamodule=front.datamodule, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        if not trainer.interrupted:
            raise
        if run is not None and is_first_process():
            complain(f"interrupted; `rl-editor {plan.order.command} --resume {run.path}` goes on")
        return 130
    if run is not None and is_first_process() and not plan.order.quiet:
        sys.stdout.write(f"{run.path}: {trainer.current_epoch} epochs: {told(trainer)}{_best(trainer)}\n")
    return 0


def _trainer(plan: Plan, front: LightningFront, run: RunFolder | None, purge_step: int | None) -> Trainer:
    """The Trainer of a run; `run` is None in processes that hear of it from the first."""
    folder = plan.order.runs if run is None else run.path
    callbacks: list[Callback] = [SeedEpochs(front.seed), *front.stated_callbacks(), *front.progress(plan.order.quiet)]
    max_time = front.stated("max_time")
    if max_time is not None:  # a run that ends within an epoch could not be resumed exactly
        callbacks.append(Timer(max_time, interval="epoch", verbose=False))
    monitor = getattr(front.model, "monitor", None)
    if monitor is not None:
        callbacks.append(
            ModelCheckpoint(
                folder / RunFolder(folder).checkpoints.name,
                filename=RunFolder(folder).best.stem,
                monitor=monitor,
                mode=getattr(front.model, "monitor_mode", "min"),
                auto_insert_metric_name=False,
                enable_version_counter=False,
            )
        )
    callbacks.append(KeepRun(run))
    logger = front.stated("logger")
    plugins = front.stated("plugins") or []
    return front.instantiate_trainer(
        default_root_dir=folder,
        callbacks=callbacks,
        logger=RunEvents(folder, purge_step) if logger is None or logger is True else logger,
        plugins=[*(plugins if isinstance(plugins, list) else [plugins]), AtomicCheckpoints()],
        max_time=None,
        enable_progress_bar=front.draws_progress(plan.order.quiet),
    )


@contextmanager
def _removed_if_vain(run: RunFolder | None) -> Iterator[None]:
    """Remove a new run's folder where a mistake of the user's ends it before its first checkpoint."""
    try:
        yield
    except (EditorError, MisconfigurationException):
        if run is not None and not run.last.exists():
            shutil.rmtree(run.path, ignore_errors=True)
        raise


def _take_weights(front: LightningFront, file: Path, *, quiet: bool) -> None:
    """Put a checkpoint's weights into the module, and tell what did not fit."""
    found = compare(front.model, read_weights(file, front.weights_prefix()))
    if not found.fitting:
        raise CheckpointError(f"{file}: none of its weights fits this module")
    front.model.load_state_dict(found.fitting, strict=False)
    count = f"{len(found.fitting)} of {len(found.fitting) + len(found.missing)}"
    _note(f"{file}: gave {count} weights of the module", quiet=quiet)
    for what, names in (("did not have", found.missing), ("not used", found.unused)):
        if names:
            _note(f"{file}: {what}: {', '.join(names)}", quiet=quiet)


def _take_recorded_weights(front: LightningFront, record: dict[str, object], *, quiet: bool) -> None:
    """The weights a run began with, where it began with somebody's."""
    origin = record.get("init_from")
    if not isinstance(origin, dict):
        return
    file = Path(origin["path"])
    if not file.is_file() or _file_identity(file) != origin:
        raise CheckpointError(f"{file}: the run began with these weights, which are gone or changed; begin a new run")
    _take_weights(front, file, quiet=quiet)


def _progress(last: Path) -> tuple[int, int]:
    """Epochs a checkpoint has behind it, and the first step of which its run's events may say nothing yet."""
    content = read_checkpoint(last)
    callbacks = content.get("callbacks")
    state = callbacks.get(KeepRun.__qualname__) if isinstance(callbacks, dict) else None
    if not isinstance(state, dict):
        raise CheckpointError(f"{last}: was not written by a run of rl-editor; --init_from takes its weights")
    if not state["whole_epoch"]:
        raise CheckpointError(
            f"{last}: the run stopped within an epoch, so it can't be resumed exactly; --init_from takes its weights"
        )
    epoch = content["epoch"]
    assert isinstance(epoch, int)
    return epoch + 1, int(state["last_step"]) + 1


def _file_identity(file: Path) -> dict[str, str]:
    with file.open("rb") as content:
        return {"path": str(file.resolve()), "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def _best(trainer: Trainer) -> str:
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and callback.best_model_score is not None:
            value, file = float(callback.best_model_score), Path(callback.best_model_path).name
            return f"; best {callback.monitor} {value:.4g} in {file}"
    return ""


def _note(text: str, *, quiet: bool) -> None:
    if not quiet and is_first_process():
        complain(text)
