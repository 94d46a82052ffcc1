"""`rl-editor fit` trains what a recipe describes."""

from rl_editor.cli.training import run
from rl_editor.cli.training_options import TrainingParser

__all__ = ["parser", "run"]


def parser() -> TrainingParser:
    """The command line of `rl-editor fit`."""
    return TrainingParser(
        "fit",
        "Train what a recipe describes, in a run folder of its own: settings, what made it, checkpoints, TensorBoard "
        "events. A run that was stopped goes on with --resume as if it had not been.",
    )
