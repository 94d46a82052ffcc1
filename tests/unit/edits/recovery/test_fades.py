from collections.abc import Callable

import numpy as np
import pytest

from rl_editor.edits.recovery.fades import BLOCK, find_fade
from rl_editor.edits.recovery.hearing import RATE, hear
from rl_editor.edits.recovery.refine import Stretch
from rl_editor.edits.render import crossfade

JOIN = 25000


@pytest.fixture(scope="module")
def raw(make_tune: Callable[..., np.ndarray]) -> np.ndarray:
    return hear(make_tune(10.0, 5), 22050, channels=2)


def faded(raw: np.ndarray, length: int) -> np.ndarray:
    """[10000, 35000) of the raw, then [60000, 85000), the second faded in over `length` samples before the join."""
    edit = np.concatenate([raw[:, 10000:35000], raw[:, 60000:85000]], axis=1)
    if length:
        incoming = raw[:, 60000 - length : 60000]
        edit[:, JOIN - length : JOIN] = crossfade(edit[:, JOIN - length : JOIN], incoming)
    return edit


@pytest.mark.parametrize("length_s", [0.0, 0.008, 0.03, 0.1, 0.5, 1.5])
@pytest.mark.parametrize("decoded_s", [-0.05, 0.0])
def test_join_and_length_of_a_fade_are_found(raw: np.ndarray, length_s: float, decoded_s: float) -> None:
    length = round(length_s * RATE)
    middle = JOIN - length // 2 + round(decoded_s * RATE)
    before, after = Stretch(0, middle, 10000.0, 1.0), Stretch(middle, 50000, 60000.0 - JOIN, 1.0)
    join, found = find_fade(0.5 * faded(raw, length), raw, before, after)
    assert abs(join - JOIN) <= 2 * BLOCK + 0.03 * length
    assert abs(found - length) <= 3 * BLOCK + 0.05 * length


def test_stretches_too_short_to_judge_keep_their_join(raw: np.ndarray) -> None:
    edit = faded(raw, 0)[:, :15]
    assert find_fade(edit, raw, Stretch(0, 7, 0.0, 1.0), Stretch(7, 15, 90.0, 1.0)) == (7, 0)
