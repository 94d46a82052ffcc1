import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.edits.stacking import stacked


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4), fill=st.integers(-3, 3), seed=st.integers(0, 99))
def test_each_array_stands_at_the_beginning_of_its_row_and_the_rest_is_filled(
    lengths: list[int], fill: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.integers(-9, 9, (n, 2), dtype=np.int16) for n in lengths]
    whole = stacked(arrays, 6, fill=fill)
    assert whole.shape == (len(arrays), 6, 2)
    assert whole.dtype == torch.int16
    for row, array in zip(whole.numpy(), arrays, strict=True):
        assert (row[: len(array)] == array).all()
        assert (row[len(array) :] == fill).all()


def test_several_axes_may_differ() -> None:
    whole = stacked([np.ones((1, 3), dtype=bool), np.ones((2, 1), dtype=bool)], 2, 3)
    assert whole.tolist() == [[[True] * 3, [False] * 3], [[True, False, False]] * 2]
