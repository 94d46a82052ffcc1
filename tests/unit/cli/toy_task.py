"""A task of seconds: a line is fitted to points. Given to commands by import path.

RL_EDITOR_TOY_KILL kills the process by SIGKILL: `step:N` at optimiser step N, `save:N` in the middle of writing the
N-th checkpoint, `print:N` only says on stdout that step N is reached and waits.
"""

import io
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader, TensorDataset

from rl_editor.errors import DataError
from rl_editor.modules.run_keeper import run_folder
from rl_editor.modules.tasks import Task


@dataclass(frozen=True)
class NetworkConfig:
    width: int = 4
    """Neurons of the hidden layer."""
    dropout: float = 0.1
    """Share of neurons left out at each step."""


@dataclass(frozen=True)
class ToyConfig:
    lr: float = 0.05
    """Length of a step, in the direction of steepest descent."""
    falling: bool = False
    """Let the step's length fall to its half by the end."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """What is fitted."""


@dataclass(frozen=True)
class ToyDataConfig:
    n_points: int = 64
    """Points to fit."""
    batch: int = 8
    """Points a step."""
    shuffle: bool = True
    """Draw the points in another order each epoch."""
    workers: int = 0
    """Processes that load."""


class Toy(LightningModule):
    monitor = "val/loss"
    monitor_mode = "min"

    def __init__(self, config: ToyConfig = ToyConfig()) -> None:
        super().__init__()
        self.save_hyperparameters({"config": asdict(config)})
        self.config = config
        width, dropout = config.network.width, config.network.dropout
        self.net = torch.nn.Sequential(
            torch.nn.Linear(2, width), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(width, 1)
        )
        self.kill, _, self.kill_at = os.environ.get("RL_EDITOR_TOY_KILL", "never:0").partition(":")
        if self.kill == "save":
            self.patch_saving()

    def on_train_start(self) -> None:
        torch.rand(3)  # a hook that draws only where a run begins or goes on

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        self.maybe_die()
        loss = self.loss(batch)
        self.log("train/loss", loss, on_step=True, on_epoch=True, sync_dist=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("val/loss", self.loss(batch), sync_dist=True)

    def test_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("test/loss", self.loss(batch))

    def predict_step(self, batch: list[torch.Tensor], index: int) -> list[str]:
        return [f"{value:.4f} in {run_folder(self.trainer).name}" for value in self.net(batch[0])[:2, 0].tolist()]

    def loss(self, batch: list[torch.Tensor]) -> torch.Tensor:
        return (self.net(batch[0])[:, 0] - batch[1]).square().mean()

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.Adam(self.parameters(), lr=self.config.lr)
        if not self.config.falling:
            return optimiser
        steps = self.trainer.estimated_stepping_batches  # has Lightning ask for the loaders very early
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1.0 - 0.5 * step / max(steps, 1))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_end(self) -> None:
        state = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        torch.save(state, run_folder(self.trainer) / f"rank{self.global_rank}.pt")

    def maybe_die(self) -> None:
        if self.global_step != int(self.kill_at):
            return
        if self.kill == "step":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kill == "print":
            sys.stdout.write("here\n")
            sys.stdout.flush()
            time.sleep(60)

    def patch_saving(self) -> None:
        """The file is cut off in its middle, as by a power switch."""
        whole, count = torch.save, 0

        def cut(content: Any, file: Any) -> None:
            nonlocal count
            count += 1
            if count < int(self.kill_at):
                return whole(content, file)
            memory = io.BytesIO()
            whole(content, memory)
            file.write_bytes(memory.getvalue()[: memory.tell() // 2])
            os.kill(os.getpid(), signal.SIGKILL)

        torch.save = cut


class ToyData(LightningDataModule):
    def __init__(self, config: ToyDataConfig = ToyDataConfig()) -> None:
        super().__init__()
        self.config = config

    def identity(self) -> dict[str, object]:
        if self.config.n_points == 0:
            raise DataError("points: there are none; make some")
        return {"n_points": self.config.n_points}

    def points(self) -> TensorDataset:
        points = torch.randn(self.config.n_points, 2, generator=torch.Generator().manual_seed(1))
        return TensorDataset(points, points @ torch.tensor([1.0, -2.0]) + 0.5)

    def train_dataloader(self) -> DataLoader[Any]:
        config = self.config
        return DataLoader(self.points(), batch_size=config.batch, shuffle=config.shuffle, num_workers=config.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.points(), batch_size=32)

    test_dataloader = predict_dataloader = val_dataloader


TASK = Task(Toy, ToyData)
