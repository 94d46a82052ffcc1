"""`rl-editor bc-warmup` learns to edit by imitating true edits."""

from rl_editor.cli.training import run
from rl_editor.cli.training_options import TrainingParser

__all__ = ["parser", "run"]


def parser() -> TrainingParser:
    """The command line of `rl-editor bc-warmup`."""
    return TrainingParser(
        "fit",
        "Imitation: train a policy on demonstrations, true edits turned into actions. Without a recipe it is the "
        "shipped `bc`, on training_data/prepared.",
        command="bc-warmup",
        task="bc",
    )
