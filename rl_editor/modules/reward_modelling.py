"""Reward modelling: a network learns from pairs of edits which finished edit is better."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from rl_editor.data.splits import Split
from rl_editor.modules.comparison_data import ComparisonData
from rl_editor.modules.export_reward import ExportReward
from rl_editor.modules.tasks import Task
from rl_editor.policies.edit_scorer import EditScorer, ScorerConfig
from rl_editor.policies.judged import JudgedBatch, all_pairs
from rl_editor.policies.preference_loss import preference_losses
from rl_editor.policies.preference_report import put_together, refer, report
from rl_editor.rl.bradley_terry import Raters

_LEAST = 0.01  # of the highest learning rate


@dataclass(frozen=True)
class ModellingConfig:
    """How a reward model is taught."""

    scorer: ScorerConfig = field(default_factory=ScorerConfig)
    """The networks."""
    lr: float = 2e-3
    """Highest learning rate, the first epoch's."""
    straight_lr: float = 1e-2
    """The same of the weights by which the numbers of an edit's summary count, each by itself."""
    epochs: int = 16
    """Epochs over which the learning rate falls evenly to a hundredth; trainer.max_epochs is best the same."""
    weight_decay: float = 0.05
    """How fast weights shrink that nothing holds (AdamW)."""
    centre_weight: float = 0.01
    """Weight of holding the scores of each pair around 0, which answers say nothing of."""
    rating_weight: float = 0.5
    """Weight of a rating beside an answer."""
    noise: float = 0.3
    """Standard deviation of what is added to each normalised column of the recordings."""
    left_out: float = 0.2
    """Share of the columns that are left out of each recording, others each time."""
    bootstrap: int = 0
    """Seed of which members learn from which songs."""
    threads: int = 1
    """Threads of one process on a CPU; small tensors gain nothing from more."""


class RewardModelling(LightningModule):
    """A reward model that is fitted; all arithmetic is in `rl_editor.policies` and `rl_editor.rl`."""

    monitor = "val/loss"
    monitor_mode = "min"
    weights_prefix = "scorer."

    def __init__(self, modelling: ModellingConfig = ModellingConfig()) -> None:
        super().__init__()
        self.config = modelling
        self.scorer = EditScorer(modelling.scorer)
        self.raters = Raters()
        self._scored: list[tuple[Tensor, JudgedBatch]] = []

    def configure_callbacks(self) -> list[Callback]:
        """The reward model is left for use."""
        return [ExportReward(self.scorer, TASK.recipe)]

    def on_fit_start(self) -> None:
        """Take the normaliser from the training set, unless it came with the weights; bound the threads."""
        torch.set_num_threads(self.config.threads)
        data = getattr(self.trainer, "datamodule", None)
        if isinstance(data, ComparisonData) and not bool(self.scorer.fitted):
            beats = [torch.as_tensor(each.ground.heard.beats) for each in data.judged["train"]]
            self.scorer.normalise_by(torch.cat(beats).to(self.device))
            batches = (all_pairs([each]) for each in data.judged["train"])
            self.scorer.normalise_summaries_by(
                (batch.recordings.to(self.device), batch.edits.to(self.device)) for batch in batches
            )

    def training_step(self, batch: JudgedBatch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        losses = preference_losses(
            self.scorer,
            self.raters,
            self._disturbed(batch),
            centre_weight=self.config.centre_weight,
            rating_weight=self.config.rating_weight,
            seed=self.config.bootstrap,
        )
        self.log("train/loss", losses.total.detach(), batch_size=len(batch.first))
        self.log("train/answers", losses.answers.detach(), batch_size=len(batch.first))
        return losses.total

    def on_validation_epoch_start(self) -> None:
        """Nothing is scored yet."""
        self._scored = []

    def validation_step(self, batch: JudgedBatch, batch_idx: int) -> None:
        """What the members say of the edits of one recording."""
        self._score("val", batch)

    def on_validation_epoch_end(self) -> None:
        """The validation set becomes the reference; figures over all of it."""
        self._tell("val")

    def on_test_epoch_start(self) -> None:
        """Nothing is scored yet."""
        self._scored = []

    def test_step(self, batch: JudgedBatch, batch_idx: int) -> None:
        """The same of the test side."""
        self._score("test", batch)

    def on_test_epoch_end(self) -> None:
        """Figures over all of it; the reference stays."""
        self._tell("test")

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, its rate a function of the epoch alone, so that a run can be made longer without another beginning."""
        straight = [weight for name, weight in self.named_parameters() if ".straight." in name]
        others = [weight for name, weight in self.named_parameters() if ".straight." not in name]
        groups: list[dict[str, Any]] = [{"params": others}, {"params": straight, "lr": self.config.straight_lr}]
        optimiser = torch.optim.AdamW(groups, lr=self.config.lr, weight_decay=self.config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_rate, epochs=self.config.epochs))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}

    def _score(self, side: Split, batch: JudgedBatch) -> None:
        losses = preference_losses(
            self.scorer,
            self.raters,
            batch,
            centre_weight=self.config.centre_weight,
            rating_weight=self.config.rating_weight,
            seed=None,
        )
        self.log(f"{side}/loss", losses.answers, batch_size=max(len(batch.first), 1))
        self._scored.append((losses.raw, batch))

    def _tell(self, side: Split) -> None:
        if not self._scored:
            return
        judged = put_together(self._scored)
        if side == "val" and self.trainer.state.fn == "fit":
            refer(self.scorer, judged)
        for name, value in report(self.scorer, judged, refitted=side == "val").items():
            self.log(f"{side}/{name}", value)
        self._scored = []

    def _disturbed(self, batch: JudgedBatch) -> JudgedBatch:
        """The batch with noise on what is heard of the recordings."""
        own = batch.recordings
        noisy = own.beats + self.config.noise * self.scorer.scale * torch.randn_like(own.beats)
        left_out = torch.rand(len(own.beats), 1, own.beats.shape[2], device=self.device) < self.config.left_out
        compared = own.compared + self.config.noise * torch.randn_like(own.compared)
        ignored = torch.rand(len(own.beats), 1, 1, compared.shape[3], device=self.device) < self.config.left_out
        beats = torch.where(left_out, self.scorer.mean, noisy)
        compared = torch.where(ignored, 0.0, compared)
        return batch._replace(recordings=own._replace(beats=beats, compared=compared))


def _rate(epoch: int, *, epochs: int) -> float:
    """Learning rate of an epoch over the highest one."""
    return max(1.0 - epoch / epochs, _LEAST)


TASK = Task(RewardModelling, ComparisonData, recipe="reward")
