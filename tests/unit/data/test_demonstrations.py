"""Demonstrations: an edit's actions, and how surely each is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rl_editor.analysis.track import Track
from rl_editor.data.demonstrations import (
    Demonstration,
    Surety,
    decision_weights,
    demonstrate,
    read_demonstration,
    write_demonstration,
)
from rl_editor.edits.actions import END, KEEP
from rl_editor.edits.demonstration import replay
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.errors import DataError

JUMP = 2


@pytest.fixture(scope="module")
def track(make_track: Callable[..., Track]) -> Track:
    return make_track(np.random.default_rng(5), 24)


def edit(track: Track, *beats: tuple[int, int]) -> EDL:
    segments = tuple(Segment(int(track.bounds[a]), int(track.bounds[b])) for a, b in beats)
    return EDL(track.source, segments, Maker("recovered"))


def test_an_exact_edit_is_wholly_sure_and_plays_again(track: Track) -> None:
    edl = edit(track, (4, 9), (14, 20), (2, 6))
    shown = demonstrate(edl, track)
    assert (shown.weight == 1).all()
    assert shown.actions[-1] == END
    again = replay(shown.actions, track, shown.outside, maker=Maker("replay"))
    beat = np.diff(track.bounds).max()
    assert len(again.segments) == len(edl.segments)
    for ours, true in zip(again.segments, edl.segments, strict=True):
        assert abs(ours.start - true.start) <= beat
        assert abs(ours.end - true.end) <= beat


def test_each_decision_is_as_sure_as_what_it_plays(track: Track) -> None:
    sureties = [Surety(0.5), Surety(0.9), Surety(0.7, follows=False)]
    shown = demonstrate(edit(track, (4, 9), (14, 20), (2, 6)), track, sureties, ends=False)
    jumps = np.flatnonzero((shown.actions != KEEP) & (shown.actions != END))
    assert len(jumps) == 3
    assert shown.weight[jumps] == pytest.approx([0.5, 0.5, 0.0])
    assert shown.weight[jumps + 1] == pytest.approx([0.5, 0.9, 0.7])
    assert shown.weight[-1] == 0


def test_segments_that_go_on_from_each_other_are_as_sure_as_their_mean(track: Track) -> None:
    sureties = [Surety(1.0), Surety(0.5, follows=False), Surety(0.8)]
    edl = edit(track, (0, 4), (4, 8), (14, 20))
    shown = demonstrate(edl, track, sureties)
    first, second = (len(segment) for segment in edl.segments[:2])
    assert shown.weight[0] == pytest.approx((first + 0.5 * second) / (first + second))
    assert shown.weight[-1] == pytest.approx(0.8)


def test_an_edit_from_the_very_start_needs_no_jump_to_begin() -> None:
    actions = np.array([KEEP, KEEP, JUMP, KEEP, END])
    weights = decision_weights(actions, [Surety(0.4), Surety(0.6)], ends=True)
    assert weights == pytest.approx([0.4, 0.4, 0.4, 0.6, 0.6])


def test_as_many_stretches_must_be_known_as_are_played() -> None:
    with pytest.raises(DataError, match="2 stretches are played, 1 are known"):
        decision_weights(np.array([KEEP, JUMP, END]), [Surety(1.0)], ends=True)


def test_a_demonstration_comes_back_from_its_file_and_equal_ones_are_equal_files(track: Track, tmp_path: Path) -> None:
    shown = demonstrate(edit(track, (4, 9), (14, 20)), track)
    for name in ("a.npz", "b.npz"):
        write_demonstration(tmp_path / name, shown)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = read_demonstration(tmp_path / "a.npz")
    for name, array in vars(shown).items():
        assert np.array_equal(getattr(back, name), array), name
        assert getattr(back, name).dtype == array.dtype


def test_damage_is_told(track: Track, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="can't be read"):
        read_demonstration(path)
    write_demonstration(path, demonstrate(edit(track, (4, 9)), track))
    whole = path.read_bytes()
    for damaged in (whole[:100], b"", b"no zip"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a\.npz"):
            read_demonstration(path)


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(DataError, match="must be of one length"):
        Demonstration(*(np.zeros(3),) * 5, np.zeros(2))
