from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from rl_editor.errors import CheckpointError
from rl_editor.modules.run_keeper import AtomicCheckpoints, run_folder


def test_a_checkpoint_that_could_not_be_read_again_is_never_left(tmp_path: Path) -> None:
    kept = AtomicCheckpoints()
    with pytest.raises(CheckpointError, match="holds objects that are not loaded for safety"):
        kept.save_checkpoint({"state_dict": {}, "where": Path()}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())
    kept.save_checkpoint({"state_dict": {"a": torch.ones(2)}}, tmp_path / "last.ckpt")
    kept.save_checkpoint({"state_dict": {"a": torch.zeros(2)}}, tmp_path / "last.ckpt")
    assert not torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]["a"].any()
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_without_a_front_end_files_go_where_the_trainer_says(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path, enable_progress_bar=False)
    assert run_folder(trainer) == tmp_path
