"""`rl-editor predict` lets a checkpoint work."""

from rl_editor.cli.training import run
from rl_editor.cli.training_options import TrainingParser

__all__ = ["parser", "run"]


def parser() -> TrainingParser:
    """The command line of `rl-editor predict`."""
    return TrainingParser("predict", "Let a checkpoint do its task's work, and print what it says of it.")
