"""What the reward must mean: no gain by level or tone, none by looping, nothing for doing nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.sample_songs import make_song
from rl_editor.data.takes import make_take
from rl_editor.edits.actions import END, KEEP
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.faults import FAULTS, Fault
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.edits.worth import Prices
from rl_editor.envs.beat_edit.edit_terms import terms_of
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig

MakeTrack = Callable[..., Track]
seeds = st.integers(0, 2**31 - 1)
PAID = RewardConfig()
_BAR = 4
_SLACK = 1000  # samples of made-up tracks, a second


def edit_of(track: Track, *beats: tuple[int, int], target_s: float | None = None, fade: int = 8) -> EDL:
    """An edit that plays stretches of beats, [first, last) each."""
    bounds = track.bounds
    segments = [Segment(int(bounds[a]), int(bounds[b]), fade if k else 0) for k, (a, b) in enumerate(beats)]
    return EDL(track.source, tuple(segments), Maker("test"), target_s=target_s)


def drawn_edit(track: Track, rng: np.random.Generator) -> EDL:
    """Four stretches by chance, joined anyhow."""
    starts = rng.integers(0, track.n_beats - 8, 4)
    return edit_of(track, *((int(at), int(at + rng.integers(2, 8))) for at in starts), target_s=20.0)


def with_sections(track: Track) -> Track:
    """Sections of 12 beats, some of them alike."""
    section = np.arange(track.n_beats) // 12
    return replace(track, section=section, section_labels=tuple("ABCABDAC")[: section[-1] + 1])


def total(edl: EDL, track: Track) -> float:
    return sum(terms_of(edl, track, PAID))


@settings(max_examples=25, deadline=None)
@given(seed=seeds, gain_db=st.floats(-30.0, 30.0))
def test_how_loud_a_recording_is_and_its_tone_change_no_term(make_track: MakeTrack, seed: int, gain_db: float) -> None:
    rng = np.random.default_rng(seed)
    track = replace(make_track(rng, 60), feature_names=("timbre", "timbre", "b"))
    tone = rng.normal(scale=6.0, size=track.features.shape[1])  # a filter adds as much to a band wherever it sounds
    other = replace(
        track,
        level_db=(track.level_db + gain_db).astype(np.float32),
        features=(track.features + tone).astype(np.float32),
    )
    edl = drawn_edit(track, rng)
    np.testing.assert_allclose(terms_of(edl, other, PAID), terms_of(edl, track, PAID), atol=1e-2)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, first=st.integers(0, 48), bars=st.integers(1, 3))
def test_no_loop_is_worth_playing_more_than_a_few_times(
    make_track: MakeTrack, seed: int, first: int, bars: int
) -> None:
    track = with_sections(make_track(np.random.default_rng(seed), 60))
    stretch = (first, first + _BAR * bars)
    looped = [edit_of(track, *[stretch] * times, target_s=10.0) for times in range(1, 12)]
    worth = np.array([total(edl, track) for edl in looped])
    assert (np.diff(worth)[2:] < 0).all()
    terms = [terms_of(edl, track, PAID) for edl in looped]
    gained = np.array([each.content + each.repetition for each in terms])
    assert (np.diff(gained)[2:] < 0).all()
    for name in ("seam", "fade", "tempo", "energy", "phrases", "order", "start", "ending", "coverage"):
        values = np.array([getattr(each, name) for each in terms])
        assert (np.diff(values) <= 1e-9).all(), name
    assert (terms[0].coverage > 0) == any(min(stretch[1], b + 12) - max(first, b) >= 8 for b in range(0, 60, 12))
    length, played_s = np.array([each.length for each in terms]), np.array([edl.duration_s for edl in looped])
    assert (np.diff(length)[played_s[:-1] >= 10.0] < 0).all()
    assert length.max() <= 0.0


@settings(max_examples=15, deadline=None)
@given(seed=seeds, keep=st.floats(0.1, 0.9), banned=st.booleans())
def test_the_best_window_returns_nothing(make_track: MakeTrack, seed: int, keep: float, banned: bool) -> None:
    """Of all contiguous pieces within the slack that no ban touches, by all terms."""
    track = with_sections(make_track(np.random.default_rng(seed), 60))
    target_s = keep * (0.5 if banned else 1.0) * track.source.duration_s
    bans = ((float(track.bounds_s[40]) + 0.1, float(track.bounds_s[42])),) if banned else ()
    bounds, target = track.bounds, round(target_s * track.source.sample_rate)
    pairs = [(a, b) for a in range(60) for b in range(a + 1, 61) if abs(bounds[b] - bounds[a] - target) <= _SLACK]
    free = [(a, b) for a, b in pairs if not banned or b <= 40 or a >= 42]
    worth = {pair: total(edit_of(track, pair, target_s=target_s), track) for pair in free}
    first, last = max(free, key=lambda pair: worth[pair])
    request = EditRequest(
        target_s=target_s, bans=bans, start_s=float(track.bounds_s[first]), end_s=float(track.bounds_s[last])
    )
    made = make_instances([track], [(0, replace(request, start_s=None, end_s=None)), (0, request)], PAID)
    assert made.baseline.tolist() == pytest.approx([worth[first, last]] * 2)
    env = BeatEditEnv(made, 1, PAID)
    env.start(torch.tensor([1]))
    actions = [KEEP] * (last - first) + [END]
    returned = sum(float(env.step(torch.tensor([action])).reward) for action in actions)
    assert int(env.illegal) == 0
    assert returned == pytest.approx(0.0, abs=1e-5)


def test_beyond_what_may_be_played_in_one_it_is_that_with_its_best_loop(make_track: MakeTrack) -> None:
    track = with_sections(make_track(np.random.default_rng(0), 60))
    bounds, cheap = track.bounds, Prices(bad_s=4.0, repeat=0.1, nearness=3.0)
    paid = RewardConfig(prices=cheap, fade_s=0.0)  # so that a loop is worth it
    ban = float(track.bounds_s[40]) + 0.1, float(track.bounds_s[42])
    target_s = 1.4 * float(track.bounds_s[40])
    made = make_instances([track], [(0, EditRequest(target_s=target_s, bans=(ban,)))], paid)
    starts, values = track.landings.starts(bounds), list[float]()
    for row, column in np.argwhere(track.landings.valid & (track.landings.beat < np.arange(61)[:, None])):
        if row <= 40 and starts[row, column] >= 0:
            segments = Segment(0, int(bounds[row]), 0), Segment(int(starts[row, column]), int(bounds[40]), 8)
            edl = EDL(track.source, segments, Maker("test"), target_s=target_s)
            values.append(sum(terms_of(edl, track, paid)))
    assert len(values) > 100
    without = edit_of(track, (0, 40), target_s=target_s)
    assert max(values) > sum(terms_of(without, track, paid))
    assert float(made.baseline[0]) == pytest.approx(max(values))
    dear = make_instances([track], [(0, EditRequest(target_s=target_s, bans=(ban,)))], PAID)
    assert float(dear.baseline[0]) == pytest.approx(total(without, track))


def test_a_model_alone_can_be_the_reward(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 24)
    config = RewardConfig(rules=0.0, learned=2.0)
    made = make_instances([track], [(0, EditRequest(keep=0.5))], config)
    env = BeatEditEnv(made, 1, config, learned=lambda edits: torch.full((len(edits.instance),), 0.25))
    env.start(torch.tensor([0]))
    rewards, done = list[float](), False
    while not done:
        after = env.step(env.mask.to(torch.uint8).argmax(dim=1))
        rewards.append(float(after.reward))
        done = bool(after.done)
    assert rewards == [0.0] * (len(rewards) - 1) + [0.5]


class Rehearsal(NamedTuple):
    """A take of a sample song."""

    audio: Array
    track: Track
    right: EDL
    planned: EDL
    """The planner's edit of half its length, which has joins."""


@pytest.fixture(scope="module")
def rehearsal() -> Rehearsal:
    rng = np.random.default_rng(7)
    take = make_take([make_song(rng, name="song", length_s=50).piece], rng, length_s=110.0, stems=False)
    track = analyse(take.audio, take.sample_rate)
    right = replace(take.edl, source=track.source, target_s=take.edl.duration_s)
    planned = load_editor("planner").edit(track, EditRequest(target_s=0.5 * take.edl.duration_s))[0]
    return Rehearsal(take.audio, track, right, planned)


def brighter(audio: Array, rate: int) -> Array:
    """6 dB more above 2 kHz."""
    return audio + sosfilt(butter(1, 2000.0, "high", fs=rate, output="sos"), audio)


def quieter(audio: Array, rate: int) -> Array:
    """12 dB less."""
    return audio / 4.0


@pytest.mark.parametrize("process", [quieter, brighter])
def test_a_recording_heard_anew_after_a_change_of_level_or_tone_pays_its_edits_alike(
    rehearsal: Rehearsal, process: Callable[[Array, int], Array]
) -> None:
    rate, track = rehearsal.track.source.sample_rate, rehearsal.track
    other = replace(analyse(process(rehearsal.audio, rate).astype(np.float32), rate), source=track.source)
    length = EditRequest(target_s=rehearsal.planned.target_s)
    edits = [
        rehearsal.planned,
        load_editor("random").edit(track, length)[0],
        load_editor("head").edit(track, length)[0],
    ]
    before, after = (np.array([total(edl, heard) for edl in edits]) for heard in (track, other))
    assert np.abs(after - before).max() < 0.05 * (before[0] - before[1])
    assert np.argsort(after).tolist() == np.argsort(before).tolist()


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.needs_human], ids=lambda fault: fault.name)
def test_an_edit_is_worth_more_than_the_same_with_a_gross_fault(rehearsal: Rehearsal, fault: Fault) -> None:
    track, edits = rehearsal.track, (rehearsal.right, rehearsal.planned)
    tried = [(edl, fault.planted(edl, track, fault.grades[-1], np.random.default_rng(0))) for edl in edits]
    pairs = [(edl, replace(planted, target_s=edl.target_s)) for edl, planted in tried if planted is not None]
    if not pairs:
        pytest.skip("neither edit can bear it")
    for edl, planted in pairs:
        assert total(planted, track) < total(edl, track)


def test_the_right_edit_is_worth_more_than_a_random_one_and_that_more_than_a_bar_again_and_again(
    rehearsal: Rehearsal,
) -> None:
    track, right = rehearsal.track, rehearsal.right
    chance = load_editor("random").edit(track, EditRequest(target_s=right.target_s))[0]
    assert total(right, track) > total(chance, track)
    downbeats = np.flatnonzero(track.is_music & (track.bar_position == 0))[4:-4]
    for first in downbeats[:: max(len(downbeats) // 8, 1)].tolist():
        times = round(right.n_samples / float(track.bounds[first + _BAR] - track.bounds[first]))
        again = edit_of(track, *[(first, first + _BAR)] * times, target_s=right.target_s, fade=350)
        assert total(again, track) < total(chance, track)
