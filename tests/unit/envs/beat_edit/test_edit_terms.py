"""Joins that are no landings: what a limp costs, and what it is measured by."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.envs.beat_edit.edit_terms import terms_of
from rl_editor.envs.beat_edit.reward import RewardConfig

MakeTrack = Callable[..., Track]
PAID = RewardConfig()
_BEAT = 500  # samples of made-up tracks, half a second
_LEAVE, _BEGIN = 24, 48
limps = st.integers(0, _BEAT // 2 - 1)


def steady(make_track: MakeTrack, seed: int = 0, *, level_db: float = 0.0) -> Track:
    """72 beats of half a second without any landing; from the 40th on the level is so much higher."""
    track = make_track(np.random.default_rng(seed), 72, share=0.0)
    bounds = np.arange(73, dtype=np.int64) * _BEAT
    levels = np.where(np.arange(72) < 40, -20.0, -20.0 + level_db).astype(np.float32)
    return replace(track, bounds=bounds, source=replace(track.source, n_samples=int(bounds[-1])), level_db=levels)


def seam(track: Track, late: int) -> float:
    """Seam term of one join that enters `late` samples after the beat."""
    start = _BEGIN * _BEAT + late
    segments = (Segment(0, _LEAVE * _BEAT, 0), Segment(start, 64 * _BEAT, 8))
    return terms_of(EDL(track.source, segments, Maker("test")), track, PAID).seam


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    limps=st.lists(limps, min_size=2, max_size=2, unique=True),
    way=st.sampled_from([-1, 1]),
)
def test_a_longer_limp_costs_more_either_way(make_track: MakeTrack, seed: int, limps: list[int], way: int) -> None:
    track = steady(make_track, seed)
    less, more = sorted(limps)
    assert seam(track, way * more) < seam(track, way * less)


def test_a_limp_spoils_the_worst_of_joins_too(make_track: MakeTrack) -> None:
    track = steady(make_track, level_db=60.0)
    assert seam(track, 0) < -7.99  # as bad as a join can be
    assert seam(track, 23) < seam(track, 0) - 1.0
    assert seam(track, 46) < seam(track, 23) - 1.0


def test_what_lies_beyond_a_join_does_not_move_the_pulse(make_track: MakeTrack) -> None:
    track = steady(make_track)
    bounds = track.bounds.copy()
    bounds[[_LEAVE, _BEGIN]] += [60, -60]
    assert seam(replace(track, bounds=bounds), 0) == pytest.approx(seam(track, 0), abs=1e-6)


def test_a_join_to_another_place_in_the_bar_costs_more(make_track: MakeTrack) -> None:
    track = steady(make_track)
    quiet = replace(
        track,
        features=np.zeros_like(track.features),
        boundary=np.ones_like(track.boundary),
        level_db=np.full_like(track.level_db, -20.0),
    )
    seams = [seam(quiet, beats * _BEAT) for beats in range(-4, 5)]
    assert max(seams[1:4] + seams[5:8]) < min(seams[0], seams[4], seams[8])
