"""Behaviour cloning: a policy learns to edit as takes were edited."""

import json
import math
from dataclasses import dataclass, field
from functools import partial

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from rl_editor.data.splits import Split
from rl_editor.modules.export import ExportPolicy
from rl_editor.modules.own_edits import OwnEdits, means
from rl_editor.modules.show_edits import ShowConfig, ShowEdits
from rl_editor.modules.take_data import TakeData
from rl_editor.modules.tasks import Task
from rl_editor.policies.imitation import accuracy_by_action, cloning_loss, imitated
from rl_editor.policies.policy import Policy, PolicyConfig
from rl_editor.policies.recordings import BEAT_COLUMNS, LANDING_COLUMNS
from rl_editor.policies.taught import Batch, LearntTake

_WARM_UP = 2  # epochs
_LEAST = 0.01  # of the highest learning rate


@dataclass(frozen=True)
class CloningConfig:
    """How a policy is taught."""

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    """The network."""
    lr: float = 2e-3
    """Highest learning rate, reached after two epochs."""
    epochs: int = 20
    """Epochs over which the learning rate rises and falls to a hundredth; trainer.max_epochs is best the same."""
    weight_decay: float = 0.01
    """How fast weights shrink that nothing holds (AdamW)."""
    smoothing: float = 0.02
    """Share of a decision's weight that goes to all legal actions alike."""
    keep_weight: float = 3.0
    """Weight of telling which beats are kept, beside the decisions."""
    noise: float = 0.4
    """Standard deviation of what is added to each normalised column of the recordings."""
    left_out: float = 0.3
    """Share of the columns that are left out of each take, others each time."""
    history_noise: float = 0.05
    """Standard deviation of what is added to how far an edit has come, as a share of it."""
    untold: float = 0.15
    """Share of takes in which the length asked for is not told."""
    threads: int = 1
    """Threads of one process on a CPU; small tensors gain nothing from more."""
    show: ShowConfig = field(default_factory=ShowConfig)
    """What is shown of its edits."""


class BehaviourCloning(LightningModule):
    """A policy that imitates; all arithmetic is in `rl_editor.policies`."""

    monitor = "val/overlap"
    monitor_mode = "max"
    weights_prefix = "policy."

    def __init__(self, cloning: CloningConfig = CloningConfig()) -> None:
        super().__init__()
        self.config = cloning
        self.policy = Policy(BEAT_COLUMNS, LANDING_COLUMNS, cloning.policy)
        self._edits = OwnEdits(self, partial(imitated, self.policy))

    def configure_callbacks(self) -> list[Callback]:
        """Its edits are shown, and the policy is left for use."""
        return [
            ShowEdits(self._edits, self.config.show),
            ExportPolicy(self.policy, self.config.policy, TASK.recipe),
        ]

    def on_fit_start(self) -> None:
        """Take the normaliser from the training set, unless it came with the weights; bound the threads."""
        torch.set_num_threads(self.config.threads)
        if not bool(self.policy.fitted):
            beats = [torch.as_tensor(take.heard.beats) for take in self._takes("train")]
            self.policy.normalise_by(torch.cat(beats).to(self.device))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        losses = cloning_loss(
            self.policy,
            self._disturbed(batch),
            smoothing=self.config.smoothing,
            keep_weight=self.config.keep_weight,
        )
        size = len(batch.kept)
        self.log("train/loss", losses.total.detach(), batch_size=size)
        self.log("train/decisions", losses.decisions.detach(), batch_size=size)
        self.log("train/kept", losses.kept.detach(), batch_size=size)
        return losses.total

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Decisions of a demonstration, one by one."""
        self._tell_decisions("val", batch)

    def on_validation_epoch_end(self) -> None:
        """Whole edits of the validation takes, free-running."""
        self._tell_edits("val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The same of the test side."""
        self._tell_decisions("test", batch)

    def on_test_epoch_end(self) -> None:
        """The same of the test side."""
        self._tell_edits("test")

    def predict_step(self, batch: Batch, batch_idx: int) -> str:
        """The policy's own edit of a test take, as one line of JSON."""
        take = self._takes("test")[batch_idx]
        (edit,) = imitated(self.policy, [take])
        rate = take.track.source.sample_rate
        played_s = [(round(part.start / rate, 3), round(part.end / rate, 3)) for part in edit.edl.segments]
        return json.dumps({"take": take.key, "overlap": round(edit.overlap, 4), "played_s": played_s})

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, its rate a function of the epoch alone, so that a run can be made longer without another beginning."""
        optimiser = torch.optim.AdamW(self.parameters(), lr=self.config.lr, weight_decay=self.config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_rate, epochs=self.config.epochs))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "epoch"}}

    def _tell_decisions(self, side: Split, batch: Batch) -> None:
        losses = cloning_loss(self.policy, batch, smoothing=0.0, keep_weight=self.config.keep_weight)
        self.log(f"{side}/loss", losses.total, batch_size=1)
        self.log(f"{side}/decisions", losses.decisions, batch_size=1)
        self.log(f"{side}/kept", losses.kept, batch_size=1)
        for name, (right, count) in accuracy_by_action(self.policy, batch).items():
            if count:
                self.log(f"{side}/accuracy/{name}", right / count, batch_size=count)

    def _tell_edits(self, side: Split) -> None:
        takes = self._takes(side)
        for name, value in means(self._edits(takes)).items():
            self.log(f"{side}/{name}", value, batch_size=len(takes))

    def _takes(self, side: Split) -> list[LearntTake]:
        data = getattr(self.trainer, "datamodule", None)
        return data.takes.get(side, []) if isinstance(data, TakeData) else []

    def _disturbed(self, batch: Batch) -> Batch:
        """The batch with noise on what is heard and on how far the edits have come."""
        recordings, situation = batch.recordings, batch.situation
        own, policy = recordings.beats, self.policy
        noisy = own + self.config.noise * policy.scale * torch.randn_like(own)
        left_out = torch.rand(len(own), 1, own.shape[2], device=self.device) < self.config.left_out
        beats = torch.where(left_out, policy.mean, noisy)
        compared = recordings.compared + self.config.noise * torch.randn_like(recordings.compared)
        ignored = torch.rand(len(own), 1, 1, compared.shape[3], device=self.device) < self.config.left_out
        compared = torch.where(ignored, 0.0, compared)
        untold = torch.rand(len(recordings.ratio), device=self.device) < self.config.untold
        ratio = torch.where(untold, 0.0, recordings.ratio)
        around = 1.0 + self.config.history_noise * torch.randn_like(situation.scalars)
        return batch._replace(
            recordings=recordings._replace(beats=beats, compared=compared, ratio=ratio),
            situation=situation._replace(scalars=situation.scalars * around),
        )


def _rate(epoch: int, *, epochs: int) -> float:
    """Learning rate of an epoch over the highest one."""
    if epoch < _WARM_UP:
        return (epoch + 1) / (_WARM_UP + 1)
    done = min((epoch - _WARM_UP) / max(epochs - _WARM_UP, 1), 1.0)
    return _LEAST + (1.0 - _LEAST) * 0.5 * (1.0 + math.cos(math.pi * done))


TASK = Task(BehaviourCloning, TakeData, recipe="bc")
