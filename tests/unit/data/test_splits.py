"""The split: a law of the hash alone."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rl_editor.data.splits import split_of, spread


@given(st.text(), st.frozensets(st.text()))
def test_a_song_is_on_one_side_whatever_else_there_is(song_hash: str, others: frozenset[str]) -> None:
    assert split_of(song_hash, test_songs=others - {song_hash}) == split_of(song_hash)
    assert split_of(song_hash, test_songs=others | {song_hash}) == "test"


def test_many_songs_are_split_as_promised() -> None:
    counts = Counter(split_of(f"{k:064x}") for k in range(20_000))
    assert abs(counts["train"] / 20_000 - 0.70) < 0.01
    assert abs(counts["val"] / 20_000 - 0.15) < 0.01


def test_the_rule_never_changes() -> None:
    sides = {text: split_of(text) for text in "abcdefgh"}
    assert {text for text, side in sides.items() if side != "train"} == {"a", "g"}
    assert (sides["a"], split_of("i")) == ("val", "test")


def test_items_are_spread_over_as_many_songs_as_there_are() -> None:
    songs = ["one", "one", "two"]
    assert spread(songs, 2) == [0, 2]
    assert spread(songs, 9) == [0, 2, 1]
    assert spread(songs, 0) == []
