"""Candidates: each editor's best first, near copies dropped, and who knows no second edit gives one."""

from collections.abc import Callable

import numpy as np
import pytest

from rl_editor.analysis.track import Track
from rl_editor.edits.candidates import Candidate, chosen, offered
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError

Make = Callable[..., Track]
REQUEST = EditRequest(keep=0.2, count=3)


def candidate(track: Track, first: int, by: str = "a") -> Candidate:
    """Ten beats from `first` on."""
    segment = Segment(int(track.bounds[first]), int(track.bounds[first + 10]))
    return Candidate(EDL(track.source, (segment,), Maker(by)), by, REQUEST, 0)


@pytest.fixture
def track(make_track: Make) -> Track:
    return make_track(np.random.default_rng(0), 60)


def test_the_best_of_each_editor_comes_before_second_ones(track: Track) -> None:
    a, b = [candidate(track, first, "a") for first in (0, 20)], [candidate(track, first, "b") for first in (10, 30, 40)]
    assert chosen([a, b], 4) == [a[0], b[0], a[1], b[1]]
    assert chosen([a, b], 9) == [a[0], b[0], a[1], b[1], b[2]]


def test_near_copies_are_dropped(track: Track) -> None:
    a, near, far = (candidate(track, first) for first in (0, 1, 30))
    assert chosen([[a], [near, far]], 3) == [a, far]
    assert chosen([], 3) == []


def test_who_knows_no_several_edits_gives_one(track: Track) -> None:
    class Single:
        def edit(self, track: Track, request: EditRequest) -> list[EDL]:
            if request.count > 1:
                raise RequestError("one only")
            return [candidate(track, 0).edl]

    (made,) = offered("single", Single(), track, REQUEST)
    assert (made.made_by, made.request.count, made.rank) == ("single", 1, 0)


def test_a_request_that_can_not_be_met_is_told(track: Track) -> None:
    class Refusing:
        def edit(self, track: Track, request: EditRequest) -> list[EDL]:
            raise RequestError("too long")

    with pytest.raises(RequestError, match="too long"):
        offered("refusing", Refusing(), track, REQUEST)
