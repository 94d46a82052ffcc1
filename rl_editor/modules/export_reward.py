"""What a run leaves for use: its reward model as a checkpoint with a card."""

from pathlib import Path

from lightning.pytorch import Trainer

from rl_editor.checkpoint_card import Card, DataSource, Figure
from rl_editor.modules.comparison_data import ComparisonData
from rl_editor.modules.export import Export, measured, revision_of_code
from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.edit_scorer_file import FILE, NAME, save_scorer

_WHAT = (
    "A reward model: scores finished edits of a recording, so that of two edits the better one gets more. Only "
    "differences within a recording mean something."
)
_INPUTS = (
    "The analysis of a recording (a Track) and an edit of it: the beats it plays in output order, what its joins do, "
    "what it leaves out, the length asked for. No audio; neither level nor EQ of the recording."
)
_SPLIT = "By the content hash of the song: 70 % train, 15 % val, 15 % test; all edits of a song are on one side."
_LIMITS = (
    "Pairs with planted faults say what is a defect, not what people like; that takes people's comparisons.",
    "What is not in the Track (clicks below a beat's resolution, the sound of a voice) it can't hear.",
)


class ExportReward(Export):
    """Leaves the reward model.

    Args:
        scorer: the reward model.
        recipe: what it is trained by.
    """

    def __init__(self, scorer: EditScorer, recipe: str) -> None:
        self._scorer, self._recipe = scorer, recipe

    def write(self, trainer: Trainer, folder: Path) -> None:
        """Write the reward model and its card."""
        save_scorer(folder / FILE, self._scorer, self._card(trainer), overwrite=True)

    def _card(self, trainer: Trainer) -> Card:
        data = getattr(trainer, "datamodule", None)
        return Card(
            task=NAME,
            what=_WHAT,
            inputs=_INPUTS,
            data=_sources(data.identity()) if isinstance(data, ComparisonData) else [],
            split=_SPLIT,
            recipe=self._recipe,
            commit=revision_of_code(),
            seeds=(),
            licence="",
            figures=[Figure(name, value, over="validation pairs") for name, value in measured(trainer, "val/accuracy")],
            limits=_LIMITS,
        )


def _sources(identity: dict[str, object]) -> list[DataSource]:
    """The prepared set and the files of comparisons."""
    files = identity["comparisons"]
    assert isinstance(files, dict)
    manifest = [(identity["folder"], identity["manifest_sha256"])] if "manifest_sha256" in identity else []
    return [DataSource(str(name), "", str(sha256)) for name, sha256 in [*manifest, *files.items()]]
