"""Weights from any checkpoint into a network: what fits is used, the rest is told."""

import pickle
from pathlib import Path
from typing import NamedTuple
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rl_editor.errors import CheckpointError


class Fit(NamedTuple):
    """How weights fit a network.

    Fields:
        fitting: weights of the same name and shape, by name.
        missing: names the network has and the weights lack.
        unused: names, with the reason, of weights the network can't use.
    """

    fitting: dict[str, Tensor]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def read_checkpoint(file: Path) -> dict[str, object]:
    """A run's checkpoint on the CPU, by torch's safe loader.

    Raises:
        CheckpointError: it is missing, damaged, or holds more than tensors and plain values.
    """
    if not file.is_file():
        raise CheckpointError(f"{file}: no such checkpoint")
    try:
        if not is_zipfile(file):  # what torch writes is one; other pickles are not looked at
            raise CheckpointError(f"{file}: can't be read as a checkpoint")
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{file}: is damaged, or holds objects that are not loaded for safety") from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError) as error:
        raise CheckpointError(f"{file}: can't be read as a checkpoint") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise CheckpointError(f"{file}: is no checkpoint of a run; it holds no `state_dict`")
    return content


def read_weights(file: Path, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a checkpoint, by the names they have in the module.

    Args:
        file: `.ckpt` of a run, or `.safetensors`.
        prefix: goes before the names in a `.safetensors` file, which holds a part of the module.
    Raises:
        CheckpointError: it is missing, damaged or of another kind.
    """
    if file.suffix == ".safetensors":
        return {f"{prefix}{name}": tensor for name, tensor in _read_safetensors(file).items()}
    state: dict[str, Tensor] = read_checkpoint(file)["state_dict"]  # type: ignore[assignment]
    return state


def compare(module: nn.Module, weights: dict[str, Tensor]) -> Fit:
    """Compare weights with a network, by name and shape; nothing is changed."""
    own = module.state_dict()
    fitting = {name: tensor for name, tensor in weights.items() if name in own and own[name].shape == tensor.shape}
    unused = [
        f"{name} (shape {list(tensor.shape)}, here {list(own[name].shape)})" if name in own else name
        for name, tensor in weights.items()
        if name not in fitting
    ]
    return Fit(fitting, tuple(name for name in own if name not in fitting), tuple(unused))


def _read_safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except FileNotFoundError as error:
        raise CheckpointError(f"{file}: no such checkpoint") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file}: can't be read as a checkpoint") from error
