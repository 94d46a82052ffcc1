"""What files of networks have in common: a network is built as the file describes it, and given its weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from rl_editor.checkpoints import Loaded
from rl_editor.errors import CheckpointError

Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)


def described(path: Path, record: Any, build: Callable[[Mapping[str, Any]], Config]) -> Config:
    """The config of a file's network.

    Args:
        path: of the file, for the message.
        record: what it says.
        build: makes the config of that; TypeError or KeyError where it can't.

    Raises:
        CheckpointError: it is no network of this program's.
    """
    try:
        if not isinstance(record, Mapping):
            raise TypeError
        return build(record)
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{path}: describes no network of this program's") from error


def filled(path: Path, network: Network, loaded: Loaded) -> Network:
    """The network with a file's weights, in eval mode.

    Raises:
        CheckpointError: they do not fit.
    """
    try:
        network.load_state_dict(dict(loaded.tensors))
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights do not fit the network it describes") from error
    return network.eval()
