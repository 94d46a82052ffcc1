"""`rl-editor validate`, `test`, `predict`: a checkpoint at work."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from rl_editor.cli.complaints import complain
from rl_editor.cli.lightning_front import LightningFront, front_of, is_first_process
from rl_editor.cli.training import Plan
from rl_editor.errors import CheckpointError
from rl_editor.modules.weights import compare, read_weights


def judge(plan: Plan) -> int:
    """Validate, test or predict with a checkpoint, and print what comes of it."""
    order, checkpoint = plan.order, plan.checkpoint
    front = front_of(plan)
    assert checkpoint is not None
    _fill(front, checkpoint)
    if not order.quiet and is_first_process():
        complain(f"{order.verb} with {checkpoint}")
    trainer = front.instantiate_trainer(
        default_root_dir=Path.cwd() if plan.run is None else plan.run.path,
        callbacks=[*front.stated_callbacks(), *front.progress(order.quiet)],
        logger=False,
        enable_checkpointing=False,
        max_time=None,
        enable_progress_bar=front.draws_progress(order.quiet),
    )
    # hooks of the module may load more than weights from a run's checkpoint
    file = checkpoint if checkpoint.suffix == ".ckpt" else None
    if order.verb == "predict":
        found = trainer.predict(front.model, datamodule=front.datamodule, ckpt_path=file, weights_only=True)
        sys.stdout.write("".join(f"{line}\n" for line in _lines(found)))
        return 0
    ask = trainer.validate if order.verb == "validate" else trainer.test
    rows = ask(front.model, datamodule=front.datamodule, ckpt_path=file, weights_only=True, verbose=False)
    figures = {name: float(value) for row in rows for name, value in row.items()}
    if is_first_process():
        sys.stdout.write(_table(figures) if not order.json else json.dumps(figures) + "\n")
    return 0


def _fill(front: LightningFront, checkpoint: Path) -> None:
    """Put all weights of a checkpoint into the module.

    Raises:
        CheckpointError: they are not the module's.
    """
    found = compare(front.model, read_weights(checkpoint, front.weights_prefix()))
    if found.missing or found.unused:
        odd = [*(f"lacks {name}" for name in found.missing), *(f"has {name}" for name in found.unused)]
        more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        raise CheckpointError(
            f"{checkpoint}: does not fit these settings: {', '.join(odd[:3])}{more}; "
            "without --config and flags a run's own settings are taken"
        )
    front.model.load_state_dict(found.fitting)


def _table(figures: dict[str, float]) -> str:
    width = max(map(len, figures), default=0)
    return "".join(f"{name:<{width}}  {value:.6g}\n" for name, value in sorted(figures.items()))


def _lines(found: object) -> Iterator[str]:
    """The lines of text among what `predict_step` returned, batch by batch."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, list | tuple):
        for part in found:
            yield from _lines(part)
