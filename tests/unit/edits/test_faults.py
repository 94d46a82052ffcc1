"""Laws of planted faults: an edit with one fault more, of the length it had, graded, or None where it can't bear it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.faults import FAULTS, Fault

BY_NAME = {fault.name: fault for fault in FAULTS}
KEEP_THEIR_LENGTH = ("off-beat join", "hard cut", "level jump", "fragment chain", "wrong order")
MISTAKES = (34, 90, 120, 150)
"""Where mistakes of two beats begin, in the attempt that is replaced."""
AGAIN = 190
"""Beats from there to where the kept attempt plays the same."""
NEED_A_JOIN = ("off-beat join", "join off by part of a beat", "join off by beats", "hard cut", "level jump")


@pytest.fixture(scope="module")
def track(make_track: Callable[..., Track]) -> Track:
    """Silence, an attempt that is replaced, silence, the kept attempt, silence."""
    n = 420
    activity = np.full(n, Activity.SILENCE, dtype=np.int8)
    activity[20:180] = activity[210:390] = Activity.MUSIC
    made = make_track(np.random.default_rng(5), n, activity=activity)
    spoiled = np.zeros(n, dtype=np.float32)
    for row in MISTAKES:
        spoiled[row : row + 2] = 1.0
    features = made.features.copy()
    features[210:370] = features[20:180] + 0.1  # what the kept attempt plays again
    attempt = np.zeros(n, dtype=np.int64)
    attempt[20:180], attempt[210:390] = 1, 2
    return replace(
        made,
        features=features,
        phrase=np.arange(n) // 16,
        song=np.where(activity == Activity.MUSIC, 0, -1),
        attempt=attempt,
        superseded=(attempt == 1).astype(np.float32),
        spoiled=spoiled,
    )


@pytest.fixture(scope="module")
def exact(track: Track) -> EDL:
    """The kept attempt with a join in it."""
    rows = ((210, 240), (272, 390))
    segments = tuple(Segment(int(track.bounds[a]), int(track.bounds[b]), 10) for a, b in rows)
    return EDL(track.source, segments, Maker("truth"))


def planted(fault: Fault, exact: EDL, track: Track) -> list[EDL]:
    edits = [fault.planted(exact, track, grade, np.random.default_rng(0)) for grade in fault.grades]
    return [edl for edl in edits if edl is not None]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_can_be_planted_at_every_grade_and_carries_its_name(fault: Fault, exact: EDL, track: Track) -> None:
    edits = planted(fault, exact, track)
    assert len(edits) == len(fault.grades)
    for edl in edits:
        assert edl.segments != exact.segments
        assert edl.maker.editor == fault.name.replace(" ", "_")
        assert edl.end_fade == exact.end_fade


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_same_generator_plants_the_same_fault(fault: Fault, exact: EDL, track: Track) -> None:
    assert planted(fault, exact, track) == planted(fault, exact, track)


@pytest.mark.parametrize("name", KEEP_THEIR_LENGTH)
def test_length_stays_within_half_a_second_where_nothing_is_lost_or_added(name: str, exact: EDL, track: Track) -> None:
    for edl in planted(BY_NAME[name], exact, track):
        assert abs(edl.duration_s - exact.duration_s) <= 0.5


@pytest.mark.parametrize("name", NEED_A_JOIN)
def test_an_edit_without_joins_bears_no_fault_of_joins(name: str, exact: EDL, track: Track) -> None:
    assert planted(BY_NAME[name], replace(exact, segments=exact.segments[1:]), track) == []


def test_a_join_into_a_new_beginning_cannot_limp(exact: EDL, track: Track) -> None:
    apart = (
        Segment(int(track.bounds[20]), int(track.bounds[182])),
        Segment(int(track.bounds[208]), exact.segments[1].end),
    )
    assert planted(BY_NAME["off-beat join"], replace(exact, segments=apart), track) == []


def test_nothing_spoiled_and_nothing_else_of_the_song_means_nothing_to_keep(exact: EDL, track: Track) -> None:
    clean = replace(track, spoiled=np.zeros_like(track.spoiled), song=np.where(np.arange(420) < 200, 1, 0))
    for name in ("spoiled attempt kept", "superseded instead of kept"):
        assert planted(BY_NAME[name], exact, clean) == []


@pytest.mark.parametrize("name", ["lost ending", "lost start", "mid-phrase cut"])
def test_more_is_lost_with_each_grade(name: str, exact: EDL, track: Track) -> None:
    lengths = [edl.n_samples for edl in planted(BY_NAME[name], exact, track)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] < exact.n_samples


def test_mistakes_are_played_in_place_of_the_beats_most_like_theirs_and_a_higher_grade_has_more(
    exact: EDL, track: Track
) -> None:
    edits = planted(BY_NAME["spoiled attempt kept"], exact, track)
    mistakes = [{each for each in edl.segments if each.why == "spoiled"} for edl in edits]
    assert [len(each) for each in mistakes] == [1, 2, 4]
    assert mistakes[0] < mistakes[1] < mistakes[2]
    for before, wrong in zip(edits[-1].segments, edits[-1].segments[1:], strict=False):
        if wrong.why == "spoiled":
            left, there = np.searchsorted(track.bounds, (before.end, wrong.start))
            assert left == there + AGAIN
            assert track.spoiled is not None
            assert track.spoiled[there : there + 8].sum() == 2.0


@pytest.mark.parametrize("off", [0, 7])
def test_a_lost_start_begins_at_one_place_of_a_bar_as_exactly_as_before(exact: EDL, track: Track, off: int) -> None:
    first = exact.segments[0]
    moved = replace(exact, segments=(replace(first, start=first.start + off), *exact.segments[1:]))
    starts = [edl.segments[0].start - off for edl in planted(BY_NAME["lost start"], moved, track)]
    rows = np.searchsorted(track.bounds, starts)
    assert (track.bounds[rows] == starts).all()
    assert len(set(rows.tolist())) == len(rows)
    assert set(track.bar_position[rows].tolist()) == {track.bar_position[rows[0]]}
    assert track.bar_position[rows[0]] != 0


def test_a_lost_ending_counts_from_where_the_music_ends_and_is_within_a_beat(exact: EDL, track: Track) -> None:
    silent = replace(exact.segments[-1], end=exact.segments[-1].end + 4000)
    longer = replace(exact, segments=(*exact.segments[:-1], silent))
    fault = BY_NAME["lost ending"]
    assert planted(fault, longer, track) == planted(fault, exact, track)
    for grade, edl in zip(fault.grades, planted(fault, exact, track), strict=True):
        end = edl.segments[-1].end
        assert exact.segments[-1].end - end == pytest.approx(1000 * grade, abs=350)
        assert np.abs(track.bounds - end).min() >= 150


@pytest.mark.parametrize("name", ["lost start", "lost ending"])
def test_nothing_is_lost_over_a_pause_in_the_music(name: str, exact: EDL, track: Track) -> None:
    activity = track.activity.copy()
    activity[[213, 386]] = Activity.SILENCE
    grades = {edl.duration_s for edl in planted(BY_NAME[name], exact, replace(track, activity=activity))}
    assert len(grades) == 1


def test_a_higher_grade_of_wrong_order_moves_more_parts_of_four_bars(exact: EDL, track: Track) -> None:
    one, two = planted(BY_NAME["wrong order"], exact, track)
    assert len(exact.joins) < len(one.joins) < len(two.joins)
    assert {segment.start for segment in one.segments} < {segment.start for segment in two.segments}


def test_dead_time_is_kept_at_one_place_at_every_grade(exact: EDL, track: Track) -> None:
    changed = [
        {k for k, (ours, theirs) in enumerate(zip(exact.segments, edl.segments, strict=True)) if ours != theirs}
        for edl in planted(BY_NAME["dead time kept"], exact, track)
    ]
    assert len(changed[0]) == 1
    assert all(each == changed[0] for each in changed)


def test_dead_time_is_as_long_as_its_grade_and_holds_no_music(exact: EDL, track: Track) -> None:
    fault = BY_NAME["dead time kept"]
    for grade, edl in zip(fault.grades, planted(fault, exact, track), strict=True):
        assert edl.duration_s - exact.duration_s == pytest.approx(grade, abs=0.01)
        assert _music_samples(edl, track) == pytest.approx(_music_samples(exact, track), abs=0.1 * grade * 1000)


@pytest.mark.parametrize("name", ["fragment chain", "wrong order"])
def test_another_order_plays_the_same_samples_of_the_raw(name: str, exact: EDL, track: Track) -> None:
    for edl in planted(BY_NAME[name], exact, track):
        assert np.array_equal(_plays(edl), _plays(exact))
        assert len(edl.joins) > len(exact.joins)


def test_a_repeat_plays_the_same_four_bars_as_often_as_its_grade_says(exact: EDL, track: Track) -> None:
    fault = BY_NAME["repeat overdone"]
    for grade, edl in zip(fault.grades, planted(fault, exact, track), strict=True):
        assert _plays(edl).max() == grade + 1


def _plays(edl: EDL) -> np.ndarray:
    """How often each sample of the source is played."""
    counts = np.zeros(edl.source.n_samples, dtype=int)
    for segment in edl.segments:
        counts[segment.start : segment.end] += 1
    return counts


def _music_samples(edl: EDL, track: Track) -> int:
    music = np.repeat(track.is_music, np.diff(track.bounds))
    return int(_plays(edl)[music].sum())
