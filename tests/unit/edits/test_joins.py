"""What is told of joins, and how long their fades are."""

from collections.abc import Callable

import numpy as np
import pytest

from rl_editor.analysis.landings import Family
from rl_editor.analysis.seams import SEAM_TERMS
from rl_editor.analysis.track import Track
from rl_editor.edits.crossings import crossing_score
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.joins import describe, join_fade
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest

MakeTrack = Callable[..., Track]
RATE = 48000


def joined(track: Track, end: int, start: int) -> EDL:
    """From the beginning to sample `end`, then on from sample `start`."""
    return EDL(track.source, (Segment(0, end), Segment(start, track.source.n_samples)), Maker("somebody"))


def test_a_landing_of_the_table_tells_its_score_and_its_worst_term(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 60)
    row, column = 20, int(np.flatnonzero(track.landings.beat[20] >= 22)[0])
    start = int(track.landings.starts(track.bounds)[row, column])
    (join,) = describe(joined(track, int(track.bounds[row]), start), track)
    terms = track.landings.seam[row, column]
    assert join.score == track.landings.score[row, column]
    assert join.worst == f"{SEAM_TERMS[int(terms.argmax())]} {terms.max():.2f}"


def test_a_join_from_bound_to_bound_tells_the_score_of_a_crossing(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 60, share=0.0)
    (join,) = describe(joined(track, int(track.bounds[20]), int(track.bounds[37])), track)
    assert join.score == crossing_score(track, np.array([20]), np.array([37]))[0]
    assert join.worst is not None
    assert join.worst.startswith("step_")


@pytest.mark.parametrize(("end", "start"), [(1, 0), (0, 1)])
def test_nothing_is_told_of_a_join_inside_a_beat(make_track: MakeTrack, end: int, start: int) -> None:
    track = make_track(np.random.default_rng(0), 60, share=0.0)
    (join,) = describe(joined(track, int(track.bounds[20]) + end, int(track.bounds[37]) + start), track)
    assert (join.score, join.worst) == (None, None)


def test_the_planner_is_told_the_scores_it_chose_by(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 90, share=0.0)
    third_s = track.source.duration_s / 3
    edl = PlannerEditor().edit(track, EditRequest(keep=0.5, bans=((third_s, 2 * third_s),)))[0]
    (join,) = describe(edl, track)
    assert join.why == "boundary"
    assert join.score is not None


@pytest.mark.parametrize(
    ("family", "correlation", "after_ban", "fade_s"),
    [
        (Family.CONTINUATION, 0.2, False, 0.008),
        (Family.CONTINUATION, 0.9, False, 0.030),
        (Family.BOUNDARY, 0.0, False, 0.030),
        (Family.BOUNDARY, 0.0, True, 0.008),
        (Family.CONTINUATION, 0.9, True, 0.008),
    ],
)
def test_fades_are_tight_before_an_attack_and_after_a_ban(
    family: Family, correlation: float, after_ban: bool, fade_s: float
) -> None:
    assert join_fade(family, correlation, RATE, after_ban=after_ban) == round(fade_s * RATE)


def test_an_edit_lets_through_no_more_of_a_ban_than_a_tight_fade(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 90, share=0.0)
    at_s = track.bounds_s
    request = EditRequest(
        target_s=float(at_s[30] + at_s[90] - at_s[60]), slack_s=0.1, bans=((at_s[30] + 0.1, at_s[60] - 0.1),)
    )
    edl = PlannerEditor().edit(track, request)[0]
    assert edl.segments[1].start == track.bounds[60]
    assert edl.segments[1].fade == round(0.008 * track.source.sample_rate)
