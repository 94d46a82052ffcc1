"""The outlook: the best that going forward can bring in the time left, against all ways of going forward."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.policies.outlook import outlook

JOIN, LACKING = 2.0, 2.0


def best_of_all(
    playhead: int, left: int, worth: list[float], landed: list[list[int]], score: list[list[float]]
) -> float:
    """Worth of the best edit of `left` more beats from a playhead on, by trying every one."""
    if left == 0 and playhead < len(worth):
        return 0.0
    if playhead == len(worth):
        return -LACKING * left
    ways = [worth[playhead] + best_of_all(playhead + 1, left - 1, worth, landed, score)]
    price = JOIN if playhead else 0.0
    for beat, seam in zip(landed[playhead], score[playhead], strict=True):
        if beat > playhead:
            ways.append(best_of_all(beat, left, worth, landed, score) - price - seam)
    return max(ways)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_it_is_the_best_of_all_ways_forward(n_beats: int, n_kept: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_kept = min(n_kept, n_beats)
    margin = torch.as_tensor(rng.normal(scale=3.0, size=(1, n_beats)), dtype=torch.float32)
    landed = torch.as_tensor(rng.integers(-1, n_beats, size=(1, n_beats + 1, 2)))
    score = torch.as_tensor(rng.random(size=(1, n_beats + 1, 2)), dtype=torch.float32)
    share = torch.full((1, n_beats), 1.0 / n_beats)
    seen = outlook(margin, share, torch.tensor([n_kept / n_beats]), landed, score)
    worth = [math.tanh(each / 2) for each in margin[0].tolist()]
    for playhead in range(n_beats + 1):
        for left in range(n_kept + 1):
            found = seen.at(torch.tensor([0]), torch.tensor([playhead]), torch.tensor([left / n_beats]))
            best, keeping, gains = (column[0] for column in found)
            expected = best_of_all(playhead, left, worth, landed[0].tolist(), score[0].tolist())
            assert math.isclose(float(best), expected, abs_tol=1e-4)
            if left and playhead < n_beats:
                forward = landed[0, playhead] > playhead
                best_gain = max([float(keeping), *gains[forward].tolist()])
                assert math.isclose(best_gain, 0.0, abs_tol=1e-4)
            assert (gains[landed[0, playhead] < 0] == 0.0).all()


def test_a_bad_stretch_is_left_unless_its_time_is_needed() -> None:
    margin = torch.full((1, 20), 9.0)
    margin[0, 8:10] = -9.0
    landed = torch.full((1, 21, 1), -1)
    landed[0, 8, 0] = 10
    share = torch.full((1, 20), 0.05)
    seen = outlook(margin, share, torch.tensor([1.0]), landed, torch.zeros(1, 21, 1))
    for beats_left, is_left in ((9, True), (12, False)):
        _, keeping, gains = seen.at(torch.tensor([0]), torch.tensor([8]), torch.tensor([beats_left / 20]))
        assert bool(keeping[0] < gains[0, 0]) == is_left


def test_what_is_padded_adds_nothing() -> None:
    rng = np.random.default_rng(0)
    margin, score = (torch.as_tensor(rng.normal(size=size), dtype=torch.float32) for size in ((1, 9), (1, 10, 2)))
    landed = torch.as_tensor(rng.integers(-1, 9, size=(1, 10, 2)))
    share, ratio = torch.full((1, 9), 1 / 9), torch.tensor([0.5])
    alone = outlook(margin, share, ratio, landed, score)
    pad = torch.nn.functional.pad
    padded = outlook(
        pad(margin, (0, 4), value=3.0),
        pad(share, (0, 4)),
        ratio,
        pad(landed, (0, 0, 0, 4), value=-1),
        pad(score, (0, 0, 0, 4)),
    )
    torch.testing.assert_close(alone.values, padded.values[:, :10])
