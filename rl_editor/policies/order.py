"""Order: in which order the parts that are worth keeping belong, as far as the recording knows.

Parts of a song that were recorded one by one are not always recorded in their order. Where the recording also holds a
run-through of more than one of them, what follows what is heard there.
"""

from functools import lru_cache
from itertools import permutations

import numpy as np

from rl_editor.arrays import Array, IntArray

_SHORTEST = 6  # beats of a part
_MOST = 8  # parts whose orders are all tried
_REACH = 16  # beats at the end of a part and at the beginning of the next by which both are known again
_OFF = 2  # beats by which parts may begin and end early or late
_UNLIKE = 0.3  # mean cosine up to which they are not
_AS_RECORDED = 0.35  # evidence that is given to each part that stays after one it was recorded after


def song_order(played: IntArray, sounds: Array) -> IntArray:
    """The place of each bound in the order of the song, (B+1,); the order of the recording where nothing is known.

    Beats that are not played go with the part that was recorded before them.

    Args:
        played: beats of an edit in the order of the recording, (N,).
        sounds: what beats are found by, of unit length, (B, F); 0 where there is no music.
    """
    place = np.arange(len(sounds) + 1)
    breaks = np.flatnonzero(np.diff(played) > 1) + 1
    parts = [part for part in np.split(played, breaks) if len(part) >= _SHORTEST]
    if not 2 <= len(parts) <= _MOST:
        return place
    surely = np.clip((_successions(parts, sounds) - _UNLIKE) / (1.0 - _UNLIKE), 0.0, None)
    orders = _orders(len(parts))
    gained = surely + _AS_RECORDED * np.triu(np.ones_like(surely), 1)
    best = orders[gained[orders[:, :-1], orders[:, 1:]].sum(axis=1).argmax()]
    blocks = np.split(np.arange(len(sounds)), [part[0] for part in parts])
    place[np.concatenate([blocks[0], *(blocks[1 + k] for k in best)])] = np.arange(len(sounds))
    return place


def _successions(parts: list[IntArray], sounds: Array) -> Array:
    """How alike some place of the recording is, before it, to the end of one part and, after it, to the beginning of
    another, (P, P) in [-1, 1]."""
    ends = np.stack([_likeness(part[-_REACH:], len(part[-_REACH:]), sounds) for part in parts])
    beginnings = np.stack([_likeness(part[:_REACH], 0, sounds) for part in parts])
    follow: Array = np.minimum(ends[:, None], beginnings[None]).max(axis=2)
    return follow


def _likeness(beats: IntArray, offset: int, sounds: Array) -> Array:
    """How alike the recording is to some of its beats, put so that number `offset` of them is at each bound, (B+1,).

    The best of `_OFF` beats earlier and later counts.
    """
    n_beats = len(sounds)
    each = np.zeros((len(beats), n_beats + 1 + 2 * _REACH), dtype=np.float32)
    for k, row in enumerate(sounds[beats] @ sounds.T):
        first = _REACH + offset - k
        each[k, first : first + n_beats] = row
    alike = np.pad(each.mean(axis=0)[_REACH:-_REACH], _OFF, mode="edge")
    best: Array = np.lib.stride_tricks.sliding_window_view(alike, 2 * _OFF + 1).max(axis=1)
    return best


@lru_cache
def _orders(count: int) -> IntArray:
    """All orders of so many parts, (count!, count), that of the recording first."""
    return np.array(list(permutations(range(count))))
