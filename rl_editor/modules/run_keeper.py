"""What keeps a run resumable to the bit: seeds by epoch, checkpoints that appear whole, events that go on."""

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.loggers.tensorboard import TensorBoardLogger as FabricTensorBoardLogger
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins import TorchCheckpointIO

from rl_editor.atomic import replacing
from rl_editor.modules.run_folder import RunFolder
from rl_editor.modules.weights import read_checkpoint


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints appear whole or not at all; the first one is read back, so that no run turns out unresumable."""

    def __init__(self) -> None:
        super().__init__()
        self._read_back = False

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside the target, then rename.

        Raises:
            CheckpointError: torch's safe loader could not read it again.
            EditorError: it can't be written.
        """
        with replacing(Path(path), overwrite=True) as temporary:
            torch.save(checkpoint, temporary)
            if not self._read_back:
                read_checkpoint(temporary)
                self._read_back = True


class RunEvents(TensorBoardLogger):
    """TensorBoard events right in a run's folder; the settings are in its config.yaml, not in another file.

    Args:
        folder: the run's.
        purge_step: steps from here on that an interrupted part of the run has logged are void.
    """

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        super().__init__(folder, name="", version="", default_hp_metric=False, purge_step=purge_step)
        self.last_step = -1

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Write metrics, and remember how far the axis has come."""
        self.last_step = max(self.last_step, step or 0)
        super().log_metrics(metrics, step)

    def save(self) -> None:
        """Flush the events."""
        FabricTensorBoardLogger.save(self)


class SeedEpochs(Callback):
    """Seeds Python's, NumPy's and torch's generators at each epoch from seed, epoch and rank.

    So an epoch draws the same numbers whether the run came to it or was resumed at it. Must stand before all other
    callbacks.

    Args:
        seed: the run's.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._begun = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A run, or a resumption, begins."""
        self._begun = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed the epoch, and have its batches drawn after that."""
        word = int(np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank]).generate_state(1)[0])
        random.seed(word)
        np.random.seed(word)  # noqa: NPY002 - ours draws nothing from it, a task of somebody else's may
        torch.manual_seed(word)
        if not self._begun:
            # Lightning asks for the first epoch's batches before any seed could be set, for those of later epochs now
            iter(trainer.fit_loop._data_fetcher)  # type: ignore[arg-type]
            self._begun = True


class KeepRun(Checkpoint):
    """Writes `last.ckpt` at the end of each epoch. Must stand last.

    Args:
        run: the run's folder; None in processes which are told by the first one.
    """

    def __init__(self, run: RunFolder | None) -> None:
        self._run = run
        self._state: dict[str, Any] = {"last_step": -1, "whole_epoch": True}

    @property
    def run(self) -> RunFolder:
        """The run's folder, known from `setup` on in all processes."""
        assert self._run is not None
        return self._run

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Tell all processes of the folder."""
        self._run = trainer.strategy.broadcast(self._run)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the state."""
        # metrics of the epoch are logged after this hook, at the step of its last batch
        logged = [logger.last_step for logger in trainer.loggers if isinstance(logger, RunEvents)]
        self._state = {
            "last_step": max([trainer.fit_loop.epoch_loop._batches_that_stepped - 1, *logged]),
            "whole_epoch": bool(trainer.fit_loop.epoch_loop.batch_progress.is_last_batch),
        }
        trainer.save_checkpoint(self.run.last)

    def state_dict(self) -> dict[str, Any]:
        """How far the events had come, and whether the epoch was played to its end."""
        return self._state


class EpochLines(Callback):
    """A line on stderr at the end of each epoch, where no progress bar is drawn."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the epoch's metrics."""
        metrics = told(trainer)  # in all processes, since they find the means together
        if trainer.is_global_zero:
            total = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
            sys.stderr.write(f"epoch {trainer.current_epoch + 1}{total}: {metrics}\n")


def told(trainer: Trainer) -> str:
    """The metrics of now in one line, those of a single step left away."""
    metrics = {name: value for name, value in trainer.callback_metrics.items() if not name.endswith("_step")}
    return " ".join(f"{name} {float(value):.4g}" for name, value in sorted(metrics.items()))


def run_folder(trainer: Trainer) -> Path:
    """Where the files of a module's run belong, equal in all processes; from `setup` on."""
    kept = (callback.run.path for callback in trainer.checkpoint_callbacks if isinstance(callback, KeepRun))
    return next(kept, Path(trainer.default_root_dir))
