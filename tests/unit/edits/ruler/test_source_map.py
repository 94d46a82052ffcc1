import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.audio.source import Source
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.recovery.recovered import RecoveredSegment, Recovery
from rl_editor.edits.ruler.source_map import known_map, places_s, recovered_map, seconds_of_beats

SOURCE = Source("0" * 64, 1000, 1, 60_000)


def edl(*stretches: tuple[int, int]) -> EDL:
    return EDL(SOURCE, tuple(Segment(start, end) for start, end in stretches), Maker("test"))


def test_segments_that_go_on_from_each_other_are_one_stretch_and_no_join() -> None:
    played = known_map(edl((1000, 2000), (2000, 5000), (9000, 10_000)))
    assert [(each.start, each.end, each.at) for each in played.played] == [(1000, 5000, 0), (9000, 10_000, 4000)]
    assert [(join.out, join.into, join.at) for join in played.joins] == [(5000, 9000, 4000)]


def test_a_jump_of_a_millisecond_is_none() -> None:
    assert known_map(edl((1000, 2000), (2001, 5000))).joins == ()


def test_what_a_recovery_left_open_is_unmatched_and_no_join() -> None:
    segments = (RecoveredSegment(0, 3000, 0, 0.0, 1.0), RecoveredSegment(9000, 12_000, 0, 5.0, 1.0))
    played = recovered_map(Recovery(SOURCE, segments, ((3.0, 5.0),), 0.75), 8.0)
    assert played.unmatched_s == pytest.approx(2.0)
    assert played.joins == ()
    assert np.isnan(places_s(played)).mean() == pytest.approx(0.25, abs=0.01)


stretches = st.lists(
    st.tuples(st.integers(0, 50_000), st.integers(200, 9000)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    min_size=1,
    max_size=6,
)


@given(stretches)
def test_every_second_played_is_a_second_of_some_beat(rows: list[tuple[int, int]]) -> None:
    from types import SimpleNamespace

    bounds = np.arange(0, 60_001, 500)
    track = SimpleNamespace(n_beats=len(bounds) - 1, bounds=bounds, source=SOURCE)
    played = known_map(edl(*rows))
    heard = seconds_of_beats(played, track)  # type: ignore[arg-type]
    assert heard.sum() == pytest.approx(sum(each.end - each.start for each in played.played) / 1000)
    assert played.unmatched_s == pytest.approx(0.0, abs=0.01)
