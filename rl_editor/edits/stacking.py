"""Tables of several recordings in one tensor."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def stacked(arrays: Iterable[np.ndarray], *lengths: int, fill: float = 0, device: torch.device | str = "cpu") -> Tensor:
    """Arrays of unequal length in one tensor of their type, each filled up at its end.

    Args:
        arrays: at least one, (n, ...) each; all axes but those of `lengths` are alike.
        lengths: of the first axes, each at least as long as in any of the arrays.
        fill: what stands beyond an array's end.
        device: where the tensor lives.

    Returns:
        Tensor (R, *lengths, ...).
    """
    each = list(arrays)
    whole = np.full((len(each), *lengths, *each[0].shape[len(lengths) :]), fill, dtype=np.result_type(*each))
    for place, array in zip(whole, each, strict=True):
        place[tuple(map(slice, array.shape))] = array
    return torch.as_tensor(whole, device=device)
