"""The stages of a pipeline: rows of a table, each a command that trains, then the edit with what came of the last."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingStage:
    """A command that trains, and what a pipeline tells it."""

    name: str
    """Key of its settings in the recipe, and its run's name in the pipeline's folder."""
    command: str
    """Name of the command."""
    recipe: str
    """Its recipe, where the pipeline's names no other."""
    prepared: str
    """The setting that names the prepared set."""
    comparisons: str | None
    """The setting that names people's comparisons; None where it learns nothing from them."""
    learns: str
    """What it learns, in words of the report."""
    figures: tuple[str, ...]
    """Metrics that tell how it went, * for any letters."""


TRAINING = (
    TrainingStage(
        name="bc",
        command="bc-warmup",
        recipe="bc",
        prepared="data.takes.folder",
        comparisons=None,
        learns="a policy, by imitation of true edits",
        figures=("train/loss*", "val/overlap", "val/accuracy*", "val/ruler"),
    ),
    TrainingStage(
        name="reward",
        command="reward-model",
        recipe="reward",
        prepared="data.pairs.folder",
        comparisons="data.pairs.comparisons",
        learns="which of two edits is better",
        figures=("train/loss*", "val/accuracy", "val/calibration_error", "val/length_correlation"),
    ),
    TrainingStage(
        name="ppo",
        command="fit",
        recipe="ppo",
        prepared="data.takes.folder",
        comparisons="model.edit.comparisons",
        learns="the policy goes on, by what its own edits are worth",
        figures=(
            "train/ep_return",
            "val/ep_return",
            "val/overlap",
            "val/ruler",
            "train/reference_kl",
            "train/entropy",
            "train/explained_variance",
        ),
    ),
)
EDIT = "edit"
"""The last stage."""
STAGES = (*(stage.name for stage in TRAINING), EDIT)
"""Names of all stages, in their order."""
EDITS_WITH = TRAINING[-1].name
"""The stage whose policy edits."""
