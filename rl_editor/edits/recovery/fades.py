"""Joins: where one stretch gives way to the next, and over what fade, by least squares on what the renderer plays.

Between two stretches the edit is a x + b y: x and y are the raw at the offset before and after, a and b the gains of
`rl_editor.edits.render`. Every fade length and join tried is an exact sum over 1-ms blocks of the products of e, x, y;
what the two leave unexplained decides. A gain common to both is free, so level does not matter.
"""

from itertools import product

import numpy as np
from numba import njit

from rl_editor.arrays import Array, DoubleArray
from rl_editor.edits.recovery.hearing import excerpt
from rl_editor.edits.recovery.refine import Stretch

BLOCK = 11
"""Samples at `RATE` between the joins tried: 1 ms."""
_LENGTHS = np.array(
    [
        0,
        2,
        4,
        6,
        8,
        11,
        15,
        20,
        26,
        34,
        45,
        60,
        80,
        110,
        150,
        200,
        270,
        360,
        480,
        640,
        850,
        1130,
        1500,
        2000,
        2700,
        3600,
    ]
)  # blocks
_MARGIN = 80  # blocks by which the change of offset may have been decoded too early or too late
_AROUND = 200  # blocks heard outside the longest fade
_LOWEST_CORRELATION = -0.3  # as rendered


def find_fade(edit: Array, raw: Array, before: Stretch, after: Stretch) -> tuple[int, int]:
    """Where the stretch `after` is alone, and over how long a fade it came: samples of the edit at `RATE`.

    Args:
        edit: (channels, n) at `RATE`, of the raw's polarity.
        raw: (channels, n) at `RATE`.
        before, after: neighbours, `before.end == after.start`.
    """
    longest = int(_LENGTHS[-1]) + _AROUND
    first = max(before.start, before.end - longest * BLOCK)
    n = (min(after.end, after.start + longest * BLOCK) - first) // BLOCK
    if n < 2:
        return after.start, 0
    e = edit[:, first : first + n * BLOCK]
    x, y = excerpt(raw, first + before.offset, n * BLOCK), excerpt(raw, first + after.offset, n * BLOCK)
    products = np.stack([_sums(p, q) for p, q in ((e, x), (e, y), (x, x), (y, y), (x, y))])
    decoded = (after.start - first) // BLOCK
    join, length = _best(products, decoded, _LENGTHS)
    return first + join * BLOCK, length * BLOCK


def _sums(p: Array, q: Array) -> DoubleArray:
    return (p * q).sum(axis=0, dtype=np.float64).reshape(-1, BLOCK).sum(axis=1)


def _best(products: DoubleArray, decoded: int, lengths: DoubleArray) -> tuple[int, int]:
    """Join and length in blocks; the grid is coarse for long fades, then fine around what is best."""
    n = products.shape[1]
    tried = []
    for length in lengths[lengths < n].tolist():
        joins = np.arange(max(decoded - _MARGIN, length), min(decoded + length + _MARGIN, n) + 1, max(1, length // 24))
        tried += [(join, length) for join in joins.tolist()]
    grid = np.array(tried, dtype=np.int64).reshape(-1, 2)
    if not len(grid):
        return decoded, 0
    join, length = grid[_explained(products, grid).argmax()].tolist()
    step = max(1, length // 12)
    while step:
        near = [
            (join + shift * step, length + change * step)
            for shift, change in product(range(-2, 3), range(-2, 3))
            if 0 <= length + change * step <= join + shift * step <= n
        ]
        grid = np.array(near, dtype=np.int64)
        best = grid[_explained(products, grid).argmax()].tolist()
        # a better place is looked around as widely as before
        step, (join, length) = (step if best != [join, length] and step > 1 else step // 2), best
    return join, length


@njit(cache=True)
def _explained(products, grid):  # type: ignore[no-untyped-def]
    """Energy of the edit that each (join, length) explains, its gain being free."""
    n = products.shape[1]
    total = np.zeros((5, n + 1))
    for k in range(5):
        for t in range(n):
            total[k, t + 1] = total[k, t] + products[k, t]
    explained = np.empty(len(grid))
    for g in range(len(grid)):
        join, length = grid[g]
        start = join - length
        xx = total[2, join] - total[2, start]
        yy = total[3, join] - total[3, start]
        r = (total[4, join] - total[4, start]) / np.sqrt(max(xx * yy, 1e-30))
        r = min(max(r, _LOWEST_CORRELATION), 1.0)
        em = total[0, start] + total[1, n] - total[1, join]
        mm = total[2, start] + total[3, n] - total[3, join]
        for t in range(start, join):
            b = (t - start + 0.5) / length
            a = 1.0 - b
            level = a * a + b * b + 2.0 * r * a * b
            em += (a * products[0, t] + b * products[1, t]) / np.sqrt(level)
            mm += (a * a * products[2, t] + b * b * products[3, t] + 2.0 * a * b * products[4, t]) / level
        explained[g] = em * abs(em) / max(mm, 1e-30)
    return explained
