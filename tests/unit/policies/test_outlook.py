"""The outlook: the best that going forward can bring in the time left, against all ways of going forward."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.policies.outlook import outlook

JOIN, LACKING = 5.0, 2.0


def best_of_all(
    playhead: int,
    left: int,
    worth: list[float],
    landed: list[list[int]],
    score: list[list[float]],
    place: list[int],
) -> float:
    """Worth of the best edit of `left` more beats from a playhead on, by trying every one."""
    if left == 0 and playhead < len(worth):
        return 0.0
    if playhead == len(worth):
        return -LACKING * left
    known = (worth, landed, score, place)
    if place[playhead + 1] > place[playhead]:
        ways = [worth[playhead] + best_of_all(playhead + 1, left - 1, *known)]
    else:
        ways = [worth[playhead] - LACKING * (left - 1)]
    price = JOIN if playhead else 0.0
    for beat, seam in zip(landed[playhead], score[playhead], strict=True):
        if beat > 0 and (playhead == 0 or place[beat] > place[playhead]):
            ways.append(best_of_all(beat, left, *known) - price - seam)
    return max(ways)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.integers(1, 7), st.booleans(), st.integers(0, 2**32 - 1))
def test_it_is_the_best_of_all_ways_forward(n_beats: int, n_kept: int, in_order: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_kept = min(n_kept, n_beats)
    margin = torch.as_tensor(rng.normal(scale=3.0, size=(1, n_beats)), dtype=torch.float32)
    landed = torch.as_tensor(rng.integers(-1, n_beats, size=(1, n_beats + 1, 2)))
    score = torch.as_tensor(rng.random(size=(1, n_beats + 1, 2)), dtype=torch.float32)
    share = torch.full((1, n_beats), 1.0 / n_beats)
    place = [*(range(n_beats) if in_order else rng.permutation(n_beats).tolist()), n_beats]
    told = None if in_order else torch.tensor([place])
    seen = outlook(margin, share, torch.tensor([n_kept / n_beats]), landed, score, told)
    worth = [math.tanh(each / 2) for each in margin[0].tolist()]
    for playhead in range(n_beats + 1):
        for left in range(n_kept + 1):
            found = seen.at(torch.tensor([0]), torch.tensor([playhead]), torch.tensor([left / n_beats]))
            best, keeping, gains = (column[0] for column in found)
            expected = best_of_all(playhead, left, worth, landed[0].tolist(), score[0].tolist(), place)
            assert math.isclose(float(best), expected, abs_tol=1e-4)
            if left and playhead < n_beats:
                forward = seen.is_ahead(torch.tensor([0]), torch.tensor([playhead]))[0] & (landed[0, playhead] > 0)
                best_gain = max([float(keeping), *gains[forward].tolist()])
                assert math.isclose(best_gain, 0.0, abs_tol=1e-4)
            assert (gains[landed[0, playhead] < 0] == 0.0).all()


def test_a_bad_stretch_is_left_unless_its_time_is_needed() -> None:
    margin = torch.full((1, 30), 9.0)
    margin[0, 8:16] = -9.0
    landed = torch.full((1, 31, 1), -1)
    landed[0, 8, 0] = 16
    share = torch.full((1, 30), 1 / 30)
    seen = outlook(margin, share, torch.tensor([1.0]), landed, torch.zeros(1, 31, 1))
    for beats_left, is_left in ((13, True), (22, False)):
        _, keeping, gains = seen.at(torch.tensor([0]), torch.tensor([8]), torch.tensor([beats_left / 30]))
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


def test_what_the_best_way_on_plays() -> None:
    margin = torch.tensor([[9.0] * 8 + [-9.0] * 4 + [9.0] * 8])
    landed = torch.full((1, 21, 1), -1)
    landed[0, 8, 0] = 12
    share = torch.full((1, 20), 0.05)
    seen = outlook(margin, share, torch.tensor([0.75]), landed, torch.zeros(1, 21, 1))
    assert seen.played(0).tolist() == [*range(8), *range(12, 19)]


def test_what_stands_later_in_the_song_is_played_first_where_that_is_its_order() -> None:
    margin = torch.tensor([[9.0] * 8 + [-9.0] * 4 + [9.0] * 8])
    landed = torch.full((1, 21, 1), -1)
    landed[0, 0, 0], landed[0, 19, 0] = 12, 1
    place = torch.tensor([[*range(8, 20), *range(8), 20]])
    share = torch.full((1, 20), 0.05)
    seen = outlook(margin, share, torch.tensor([0.7]), landed, torch.zeros(1, 21, 1), place)
    best, keeping, gains = seen.at(torch.tensor([0]), torch.tensor([0]), torch.tensor([0.7]))
    assert float(best) > 8.0
    assert float(gains[0, 0]) == 0.0
    assert float(keeping[0]) < -5.0
    assert seen.played(0).tolist() == [*range(1, 8), *range(12, 19)]
