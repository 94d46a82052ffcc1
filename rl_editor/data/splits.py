"""The split: which songs are trained on, which choose between models, and which only test.

By the song's content hash alone, so that all takes and variants of a song fall on one side, and no song changes
sides when others come or go.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence, Set
from typing import Literal

Split = Literal["train", "val", "test"]

_TRAIN, _VAL = 0.70, 0.15


def split_of(song_hash: str, *, test_songs: Set[str] = frozenset()) -> Split:
    """The side of the split a song is on: of many songs 70 % train, 15 % val, 15 % test.

    Args:
        song_hash: the content hash of the song, or any text that stands for it.
        test_songs: hashes of songs that somebody has chosen for the test.
    """
    if song_hash in test_songs:
        return "test"
    # hashed once more: a card may hold any text, and a content hash stays free for other uses of its digits
    place = int.from_bytes(hashlib.sha256(song_hash.encode()).digest()[:8], "big") / 2**64
    if place < _TRAIN:
        return "train"
    return "val" if place < _TRAIN + _VAL else "test"


def spread(songs: Sequence[str], count: int) -> list[int]:
    """Numbers of `count` items, always the same, of as many songs as there are.

    Args:
        songs: of each item.
        count: fewer are given where there are fewer.
    """
    before: Counter[str] = Counter()
    turns = []
    for song in songs:
        turns.append(before[song])
        before[song] += 1
    return sorted(range(len(songs)), key=lambda k: turns[k])[: max(count, 0)]
