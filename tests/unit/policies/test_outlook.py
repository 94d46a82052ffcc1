"""The outlook: the best that going forward can bring, against all ways of going forward."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.policies.outlook import outlook

JOIN = 2.0


def best_of_all(playhead: int, worth: list[float], landed: list[list[int]], score: list[list[float]]) -> float:
    """Worth of the best edit from a playhead on, by trying every one."""
    ways = [0.0]
    if playhead < len(worth):
        ways.append(worth[playhead] + best_of_all(playhead + 1, worth, landed, score))
        price = JOIN if playhead else 0.0
        for beat, seam in zip(landed[playhead], score[playhead], strict=True):
            if beat > playhead:
                ways.append(best_of_all(beat, worth, landed, score) - price - seam)
    return max(ways)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_it_is_the_best_of_all_ways_forward(n_beats: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    margin = torch.as_tensor(rng.normal(scale=3.0, size=(1, n_beats)), dtype=torch.float32)
    landed = torch.as_tensor(rng.integers(-1, n_beats, size=(1, n_beats + 1, 2)))
    score = torch.as_tensor(rng.random(size=(1, n_beats + 1, 2)), dtype=torch.float32)
    values, gains = outlook(margin, landed, score)
    worth = [math.tanh(each / 2) for each in margin[0].tolist()]
    for playhead in range(n_beats + 1):
        best = best_of_all(playhead, worth, landed[0].tolist(), score[0].tolist())
        assert math.isclose(float(values[0, playhead]), best, abs_tol=1e-4)
    forward = (landed > torch.arange(n_beats + 1)[:, None]) & (torch.arange(n_beats + 1)[:, None] < n_beats)
    assert (gains[forward] <= 1e-5).all(), "nothing forward gains over the best"
    assert (gains[landed < 0] == 0.0).all()


def test_a_bad_stretch_is_left_only_if_that_is_worth_a_join() -> None:
    for length, is_left in ((2, False), (6, True)):
        margin = torch.full((1, 20), 9.0)
        margin[0, 8 : 8 + length] = -9.0
        landed = torch.full((1, 21, 1), -1)
        landed[0, 8, 0] = 8 + length
        values, gains = outlook(margin, landed, torch.zeros(1, 21, 1))
        keeping = -1.0 + float(values[0, 9] - values[0, 8])
        assert (keeping < float(gains[0, 8, 0])) == is_left
