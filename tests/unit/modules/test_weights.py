from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rl_editor.errors import CheckpointError
from rl_editor.modules.weights import compare, read_checkpoint, read_weights


def test_weights_fit_by_name_and_shape() -> None:
    found = compare(nn.Linear(3, 2), {"weight": torch.zeros(2, 3), "bias": torch.zeros(3), "scale": torch.zeros(1)})
    assert list(found.fitting) == ["weight"]
    assert found.missing == ("bias",)
    assert found.unused == ("bias (shape [3], here [2])", "scale")


def test_a_part_of_a_module_is_named_as_in_the_whole(tmp_path: Path) -> None:
    save_file({"bias": torch.ones(2, dtype=torch.float16)}, tmp_path / "part.safetensors")
    assert list(read_weights(tmp_path / "part.safetensors", prefix="net.")) == ["net.bias"]
    torch.save({"state_dict": {"net.bias": torch.ones(2)}}, tmp_path / "run.ckpt")
    assert list(read_weights(tmp_path / "run.ckpt", prefix="net.")) == ["net.bias"]


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"odd{suffix}"
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        read_weights(file)
    whole = tmp_path / "whole"
    if suffix == ".ckpt":
        torch.save({"state_dict": {"bias": torch.ones(200)}}, whole)
    else:
        save_file({"bias": torch.ones(200)}, whole)
    for content in (b"", b"text", whole.read_bytes()[:300]):
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"can't be read as a checkpoint|is damaged") as caught:
            read_weights(file)
        assert len(str(caught.value).splitlines()) == 1


def test_objects_are_not_loaded(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "where": tmp_path}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointError, match="holds objects that are not loaded for safety"):
        read_checkpoint(tmp_path / "a.ckpt")
    torch.save({"weights": np.float64(1).item()}, tmp_path / "b.ckpt")
    with pytest.raises(CheckpointError, match="holds no `state_dict`"):
        read_checkpoint(tmp_path / "b.ckpt")
