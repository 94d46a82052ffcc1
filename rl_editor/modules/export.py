"""What a run leaves for use: its network as a checkpoint with a card."""

from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from rl_editor.checkpoint_card import Card, DataSource, Figure
from rl_editor.modules.prepared_takes import PreparedTakes
from rl_editor.modules.provenance import git_revision
from rl_editor.modules.run_keeper import run_folder
from rl_editor.policies.policy import Policy, PolicyConfig
from rl_editor.policies.policy_file import FILE, NAME, save_policy

_INPUTS = (
    "The analysis of a recording (a Track): features of its beats within the recording, activity, form, where else the "
    "same music is played, its landings; and the length asked for. No audio; neither level nor EQ of the recording."
)
_SPLIT = "By the content hash of the song: 70 % train, 15 % val, 15 % test; all takes of a song are on one side."


class Export(Callback, ABC):
    """Writes a network beside the run's settings at each epoch's end, before the state is kept that a run goes on from.

    So a run that was killed after its last epoch, and is found finished, has left what it learned.
    """

    @abstractmethod
    def write(self, trainer: Trainer, folder: Path) -> None:
        """Write it, as it is now, into the run's folder."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it as it is now."""
        _ = trainer.callback_metrics  # for the card; all processes find the means together
        if trainer.is_global_zero:
            self.write(trainer, run_folder(trainer))


class ExportPolicy(Export):
    """Leaves the policy.

    Args:
        policy: the network.
        config: what it is built from.
        recipe: what it is trained by.
    """

    def __init__(self, policy: Policy, config: PolicyConfig, recipe: str) -> None:
        self._policy, self._config, self._recipe = policy, config, recipe

    def write(self, trainer: Trainer, folder: Path) -> None:
        """Write the policy and its card."""
        save_policy(folder / FILE, self._policy, self._config, self._card(trainer), overwrite=True)

    def _card(self, trainer: Trainer) -> Card:
        data = getattr(trainer, "datamodule", None)
        known = data.identity() if isinstance(data, PreparedTakes) else {}
        sources = [DataSource(str(known["folder"]), "", str(known["manifest_sha256"]))] if known else []
        return Card(
            task=NAME,
            what="A policy that edits: it decides beat by beat whether to play on, where to go on, and when to stop.",
            inputs=_INPUTS,
            data=sources,
            split=_SPLIT,
            recipe=self._recipe,
            commit=revision_of_code(),
            seeds=(),
            licence="",
            figures=[Figure(name, value, over=_over(name)) for name, value in measured(trainer, "val/overlap")],
            limits=("Learned from synthetic takes of finished songs; how it edits real jams was not measured.",),
        )


@cache
def revision_of_code() -> str:
    """Revision of the code that trains; empty where it is none of git's."""
    revision = git_revision(Path(__file__))
    return "" if revision is None else str(revision["revision"])


def measured(trainer: Trainer, first: str) -> list[tuple[str, float]]:
    """What this epoch's validation measured, by name, but for `first`, which comes first; nothing where none was."""
    if (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1):
        return []
    figures = [(name, float(value)) for name, value in trainer.callback_metrics.items() if name.startswith("val/")]
    return sorted(figures, key=lambda figure: (figure[0] != first, figure[0]))


def _over(name: str) -> str:
    return "shown validation takes" if name.startswith("val/ruler") else "validation takes"
