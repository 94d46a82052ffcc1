from itertools import pairwise

import numpy as np

from rl_editor.edits.recovery.coarse import UNMATCHED, choose_hop, follow, likeliest
from rl_editor.edits.recovery.hearing import RATE
from rl_editor.progress import ignore

HOP = 256


def frames(n: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((n, 40)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def brute_force(edit: np.ndarray, raw: np.ndarray, jump: float, idle: float) -> float:
    """Largest sum over all paths, one cell after another."""
    score = np.zeros(len(raw) + 1)
    for row in edit @ raw.T:
        leap = score.max() - jump
        stay = np.append(np.append(leap, score[:-2]), score[-1])
        score = np.maximum(stay, leap) + np.append(row, idle)
    return float(score.max())


def worth(path: np.ndarray, edit: np.ndarray, raw: np.ndarray, jump: float, idle: float) -> float:
    likeness = edit @ raw.T
    gains = [idle if at == UNMATCHED else likeness[t, at] for t, at in enumerate(path)]
    jumps = sum(
        after != (UNMATCHED if before == UNMATCHED else before + 1) for before, after in pairwise(path.tolist())
    )
    return float(sum(gains) - jump * jumps)


def test_the_path_is_the_best_of_all_paths() -> None:
    for seed in range(20):
        raw = frames(37, seed)
        edit = np.concatenate([raw[20:30], frames(6, seed + 100), raw[3:12]]) + 0.1 * frames(25, seed + 200)
        path = follow(edit, raw, HOP, ignore)
        jump = 0.05 * RATE / HOP
        best = brute_force(edit, raw, jump, 0.3)
        # entering at the first frame is free, or costs a jump where the path begins by one
        assert best - jump - 1e-3 <= worth(path, edit, raw, jump, 0.3) <= best + jump + 1e-3


def test_cuts_loops_and_reorderings_are_followed() -> None:
    raw = frames(400, 1)
    source = np.concatenate([np.arange(200, 300), np.arange(250, 350), np.arange(10, 90)])
    assert (follow(raw[source], raw, HOP, ignore) == source).all()


def test_what_is_not_in_the_raw_is_unmatched() -> None:
    raw = frames(300, 2)
    path = follow(np.concatenate([raw[50:120], frames(80, 3), raw[150:200]]), raw, HOP, ignore)
    assert (path[:70] == np.arange(50, 120)).all()
    assert (path[72:148] == UNMATCHED).all()
    assert (path[150:] == np.arange(150, 200)).all()


def test_the_likeliest_places_come_best_first_and_apart() -> None:
    raw = frames(200, 4)
    raw[120:140] = raw[30:50]
    raw[121] = frames(1, 5)
    places, fits = likeliest(raw[30:50], raw, 5, 10)
    assert places[:2].tolist() == [30, 120]
    assert (np.diff(fits) <= 0).all()
    assert np.abs(np.subtract.outer(places, places))[~np.eye(len(places), dtype=bool)].min() >= 10


def test_long_sounds_are_heard_in_longer_steps() -> None:
    minute = 60 * RATE
    assert choose_hop(minute, 3 * minute) == 256
    assert choose_hop(7 * minute, 20 * minute) == 512
    assert choose_hop(20 * minute, 60 * minute) > 512
