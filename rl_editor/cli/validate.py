"""`rl-editor validate` judges a checkpoint on validation data."""

from rl_editor.cli.training import run
from rl_editor.cli.training_options import TrainingParser

__all__ = ["parser", "run"]


def parser() -> TrainingParser:
    """The command line of `rl-editor validate`."""
    return TrainingParser("validate", "Figures of a checkpoint on its task's validation data.")
