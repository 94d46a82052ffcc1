"""Components that need no sound: exact small cases on a made-up jam."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.edits.ruler import agreement, material
from rl_editor.edits.ruler.component import Component, weighted
from rl_editor.edits.ruler.source_map import SourceMap, known_map

from .conftest import Jam


def played(jam: Jam, *beats: tuple[float, float]) -> SourceMap:
    return known_map(jam.edl(*beats))


def test_superseded_is_the_share_of_the_music_that_is_replaced(jam: Jam) -> None:
    track = replace(jam.track, superseded=np.where(np.arange(jam.track.n_beats) < 8 + 16, 1.0, 0.0).astype(np.float32))
    assert material.superseded(played(jam, (0, 64)), track).score == pytest.approx(0.75)
    assert material.superseded(played(jam, (16, 64)), track).score == pytest.approx(1.0)


def test_what_the_track_does_not_know_is_not_judged(jam: Jam) -> None:
    track = replace(jam.track, superseded=None, spoiled=None, section=None)
    edit = played(jam, (0, 64))
    judged = (material.superseded(edit, track), material.spoiled(edit, track), material.coverage(edit, track))
    assert [each.score for each in judged] == [None, None, None]


def test_a_gap_that_is_played_through_is_counted(jam: Jam) -> None:
    activity = jam.track.activity.copy()
    activity[30:38] = activity[0]
    track = replace(jam.track, activity=activity)
    assert material.kept_gaps(played(jam, (0, 64)), track) == 1
    assert material.kept_gaps(played(jam, (0, 22), (30, 64)), track) == 0


def test_coverage_asks_for_no_more_sections_than_the_length_can_hold(jam: Jam) -> None:
    beats = np.arange(jam.track.n_beats)
    track = replace(jam.track, section=np.clip((beats - 8) // 16, 0, 4), section_labels=("A", "B", "A", "C", "-"))
    assert material.coverage(played(jam, (0, 32), (48, 64)), track).score == pytest.approx(1.0)
    assert material.coverage(played(jam, (0, 16), (32, 48), (48, 64)), track).score == pytest.approx(2 / 3, abs=0.01)


def test_length_is_free_for_a_second_and_not_judged_without_a_target(jam: Jam) -> None:
    edit = played(jam, (0, 64))
    assert material.length(edit, None).score is None
    assert material.length(edit, edit.duration_s - 0.9).score == pytest.approx(1.0)
    assert material.length(edit, 2 * edit.duration_s).score < 0.1


def test_fragments_are_worse_than_a_stretch(jam: Jam) -> None:
    bars = [(4.0 * bar, 4.0 * bar + 4) for bar in (3, 0, 9, 5, 2, 7, 11, 1)]
    assert material.fragmentation(played(jam, *bars)).score < material.fragmentation(played(jam, (0, 32))).score - 0.3


@given(st.permutations(range(8)))
def test_order_is_the_share_of_pairs_that_rise(values: list[int]) -> None:
    pairs = [(a, b) for k, a in enumerate(values) for b in values[k + 1 :]]
    expected = sum(a < b for a, b in pairs) / len(pairs)
    assert material.agreement_of_order(np.array(values, dtype=float)) == pytest.approx(expected)


def test_an_edit_agrees_with_itself_and_not_with_what_it_left_out(jam: Jam) -> None:
    one, other = played(jam, (0, 16), (32, 48)), played(jam, (16, 32), (48, 64))
    for judge in (agreement.agreement, agreement.order_agreement, agreement.join_distance):
        assert judge(one, one).score == pytest.approx(1.0)
    assert agreement.agreement(one, other).score == pytest.approx(0.0, abs=0.03)


def test_agreement_is_the_f1_of_what_is_played(jam: Jam) -> None:
    assert agreement.agreement(played(jam, (0, 32)), played(jam, (16, 48))).score == pytest.approx(0.5, abs=0.02)
    assert agreement.agreement(played(jam, (0, 16)), played(jam, (0, 48))).score == pytest.approx(0.5, abs=0.02)


def test_joins_where_the_right_edit_has_none_are_far_from_it(jam: Jam) -> None:
    joined, whole = played(jam, (0, 16), (32, 48)), played(jam, (0, 48))
    assert agreement.join_distance(joined, whole).score == 0.0
    assert agreement.join_distance(whole, whole).score is None


def test_a_component_with_nothing_to_judge_takes_its_weight_away() -> None:
    components = (Component("a", 0.5), Component("b", None), Component("c", 1.0))
    assert weighted(components, {"a": 1.0, "b": 5.0, "c": 3.0}) == pytest.approx(0.875)
    assert weighted((Component("a", None),), {"a": 1.0}) == 0.0
