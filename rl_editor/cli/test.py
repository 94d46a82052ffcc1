"""`rl-editor test` judges a checkpoint on test data."""

from rl_editor.cli.training import run
from rl_editor.cli.training_options import TrainingParser

__all__ = ["parser", "run"]


def parser() -> TrainingParser:
    """The command line of `rl-editor test`."""
    return TrainingParser("test", "Figures of a checkpoint on its task's test data, which nothing was chosen by.")
