from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.audio.sample_songs import make_song, mixed
from rl_editor.edits.actions import (
    END,
    FADE_CLASSES,
    KEEP,
    N_ACTIONS,
    advance,
    begin,
    fade_samples,
    landing_action,
    legal,
    make_tables,
)
from rl_editor.edits.demonstration import Decoded, decode, replay
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import EDLError

seeds = st.integers(0, 2**32 - 1)
MakeTrack = Callable[..., Track]
TEST = Maker("test")


def random_play(track: Track, rng: np.random.Generator, steps: int = 60) -> np.ndarray:
    """Random legal actions that end: KEEP half of the time, END rarely until the last step."""
    tables = make_tables([track])
    state, actions = begin(tables, torch.zeros(1, dtype=torch.int64)), list[int]()
    while not state.ended:
        weight = legal(tables, state)[0].double().numpy() / N_ACTIONS
        weight[KEEP] *= N_ACTIONS
        weight[END] *= N_ACTIONS * (0.05 if len(actions) < steps else 1e9)
        actions.append(int((weight * rng.exponential(size=N_ACTIONS)).argmax()))
        state = advance(tables, state, torch.tensor(actions[-1:]))
    return np.array(actions)


def empty_table(make_track: MakeTrack) -> Track:
    """30 beats of 500 samples; a beat written into its table is a landing on the beat, without lag."""
    track = make_track(np.random.default_rng(0), 30, share=0.0)
    track.landings.half[:], track.landings.lag[:] = 0, 0
    bounds = np.arange(31) * 500
    return replace(track, bounds=bounds, source=replace(track.source, n_samples=15000))


def random_spans(
    track: Track, rng: np.random.Generator, n_segments: int, longest: int, *, on_bounds: bool
) -> list[tuple[int, int, int]]:
    """Start, end and fade of segments of at most `longest` samples, none of which goes on from the one before."""
    n = track.source.n_samples
    places = track.bounds[:-1] if on_bounds else np.arange(n)
    spans: list[tuple[int, int, int]] = []
    for _ in range(n_segments):
        start = int(rng.choice(places))
        if spans and start == spans[-1][1]:
            continue
        spans.append((start, int(rng.integers(start + 1, min(start + longest, n) + 1)), int(rng.integers(0, 900))))
    return spans


def lasting_spans(track: Track, rng: np.random.Generator, n_segments: int) -> list[tuple[int, int, int]]:
    """Start, end and fade of segments of three beats or more, none in the first; half of them close to landings."""
    beats, bounds = track.n_beats, track.bounds
    spans: list[tuple[int, int, int]] = []
    start = float(rng.uniform(1, beats - 3))
    for _ in range(n_segments):
        end = float(rng.uniform(start + 3, beats))
        edges = np.interp([start, end], np.arange(beats + 1), bounds)
        spans.append((int(np.ceil(edges[0])), int(np.floor(edges[1])), int(rng.integers(0, 900))))
        row = int(rng.integers(np.floor(end), min(np.ceil(end), beats) + 1))
        held = track.landings.starts(bounds)[row][track.landings.valid[row]]
        start = float(rng.uniform(1, beats - 3))
        if len(held) and rng.random() < 0.5:
            skip = np.interp(rng.choice(held), bounds, np.arange(beats + 1)) - row
            start = float(np.clip(end + skip + rng.uniform(-0.5, 0.5), 1, beats - 3))
    return spans


def same(ours: Decoded, theirs: Decoded) -> bool:
    """Whether two demonstrations are one."""
    pairs = zip((*ours[:2], *ours.outside), (*theirs[:2], *theirs.outside), strict=True)
    return all(np.array_equal(our, their) for our, their in pairs)


def edit(track: Track, *spans: tuple[int, int, int]) -> EDL:
    return EDL(track.source, tuple(Segment(*span) for span in spans), TEST)


def again(decoded: Decoded, track: Track) -> EDL:
    return replay(decoded.actions, track, decoded.outside, maker=TEST)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 60))
def test_legal_play_is_decoded_from_its_edit(make_track: MakeTrack, seed: int, n_beats: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, n_beats)
    actions = random_play(track, rng)
    edl = replay(actions, track, maker=TEST)
    decoded = decode(edl, track)
    assert decoded.actions.tolist() == actions.tolist()
    assert not decoded.moved.any()
    assert again(decoded, track) == edl


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_edit_has_the_length_that_the_state_counts(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 40)
    actions = random_play(track, rng)
    tables = make_tables([track])
    state = begin(tables, torch.zeros(1, dtype=torch.int64))
    for action in actions:
        state = advance(tables, state, torch.tensor([action]))
    assert int(state.samples) == replay(actions, track, maker=TEST).n_samples


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 12), st.sampled_from([3, 60, 700, 9000]), st.sampled_from(["anywhere", "on bounds"]))
def test_any_edit_comes_back_within_a_beat_at_every_edge(
    make_track: MakeTrack, seed: int, n_segments: int, longest: int, where: str
) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, int(rng.integers(1, 50)))
    spans = random_spans(track, rng, n_segments, longest, on_bounds=where == "on bounds")
    decoded = decode(edit(track, *spans), track)
    assert (decoded.moved <= 1.0).all()
    back = [(segment.start, segment.end) for segment in again(decoded, track).segments]
    true = [(start, end) for start, end, _ in spans]
    bounds = track.bounds
    assert comes_back(np.interp(back, bounds, np.arange(len(bounds))), np.interp(true, bounds, np.arange(len(bounds))))


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 8))
def test_what_a_demonstration_plays_is_decoded_to_the_same_demonstration(
    make_track: MakeTrack, seed: int, n_segments: int
) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, int(rng.integers(5, 50)))
    decoded = decode(edit(track, *lasting_spans(track, rng, n_segments)), track)
    assert same(decode(again(decoded, track), track), decoded)


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(1, 12), st.sampled_from([3, 60, 700, 9000]), st.booleans())
def test_the_second_decoding_of_any_edit_is_the_last_one_that_changes(
    make_track: MakeTrack, seed: int, n_segments: int, longest: int, on_bounds: bool
) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, int(rng.integers(1, 50)))
    spans = random_spans(track, rng, n_segments, longest, on_bounds=on_bounds)
    second = decode(again(decode(edit(track, *spans), track), track), track)
    assert same(decode(again(second, track), track), second)


@settings(max_examples=100, deadline=None)
@given(seeds, st.integers(2, 8))
def test_a_landing_of_the_table_skips_what_the_edit_does_within_a_quarter_of_a_beat(
    make_track: MakeTrack, seed: int, n_segments: int
) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, int(rng.integers(5, 50)))
    spans = lasting_spans(track, rng, n_segments)
    decoded = decode(edit(track, *spans), track)
    joins = (decoded.actions > END) & (decoded.playhead > 0)
    back = again(decoded, track).segments
    assume(len(back) == len(spans) == joins.sum() + 1)
    edges = [[(span[0], span[1]) for span in spans], [(segment.start, segment.end) for segment in back]]
    starts, ends = np.moveaxis(np.interp(edges, track.bounds, np.arange(track.n_beats + 1)), 2, 0)
    skips = starts[:, 1:] - ends[:, :-1]
    in_table = decoded.outside.beat[joins] < 0
    assert (np.abs(skips[1] - skips[0])[in_table] <= 0.25 + 0.01).all()  # a sample is 1/100 of the shortest beat


def comes_back(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether all edges are within a beat; what skips or repeats less than a beat may be no join any more."""
    if len(ours) == 0 or len(theirs) == 0:
        return len(ours) == len(theirs)
    if abs(ours[0, 0] - theirs[0, 0]) > 1 + 1e-9:
        return False
    for k, end in enumerate(theirs[:, 1]):
        if abs(ours[0, 1] - end) <= 1 + 1e-9 and comes_back(ours[1:], theirs[k + 1 :]):
            return True
        if k + 1 == len(theirs) or abs(theirs[k + 1, 0] - end) > 1:
            return False
    return False


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.2, 2.0))
def test_the_planner_s_edits_come_back_exactly_but_for_a_beginning_that_no_row_holds(
    make_track: MakeTrack, seed: int, keep: float
) -> None:
    track = make_track(np.random.default_rng(seed), 80)
    edl = PlannerEditor().edit(track, EditRequest(keep=keep))[0]
    decoded = decode(edl, track)
    back = again(decoded, track)
    assert not (decoded.outside.beat[1:] >= 0).any()
    assert back.segments[1:] == edl.segments[1:]
    assert back.segments[0].end == edl.segments[0].end
    starts, at = [own.segments[0].start for own in (back, edl)], track.landings
    assert starts[0] == starts[1] or starts[1] not in at.starts(track.bounds)[0][at.valid[0]]


def test_the_planner_s_edit_of_a_song_comes_back_exactly() -> None:
    song = make_song(np.random.default_rng(5), sample_rate=22050, length_s=75.0)
    track = analyse(mixed(song.stems), 22050)
    edl = PlannerEditor().edit(track, EditRequest(keep=0.5))[0]
    assert len(edl.segments) > 1
    decoded = decode(edl, track)
    assert replay(decoded.actions, track, maker=edl.maker, target_s=edl.target_s) == edl


def test_segments_that_go_on_from_each_other_are_kept_beats(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 10)
    b = track.bounds.tolist()
    decoded = decode(edit(track, (0, b[3] + 40, 0), (b[3] + 40, b[6], 99)), track)
    assert decoded.actions.tolist() == [KEEP] * 6 + [END]
    assert decoded.playhead.tolist() == list(range(7))


def test_a_landing_the_table_does_not_hold_is_outside_and_starts_where_the_edit_does(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 30, share=0.0)
    b = track.bounds.tolist()
    decoded = decode(edit(track, (b[2] + 25, b[5], 0), (b[20] - 70, b[23], 30)), track)
    # to the beat's start or its middle, whichever is nearer; the fade class is kept
    assert decoded.actions.tolist() == [2, KEEP, KEEP, KEEP, 2 + 1, KEEP, KEEP, KEEP, END]
    assert decoded.outside.beat.tolist() == [2, -1, -1, -1, 20, -1, -1, -1, -1]
    assert decoded.outside.half[[0, 4]].tolist() == [0, 0]
    assert decoded.outside.start[[0, 4]].tolist() == [b[2] + 25, b[20] - 70]
    segments = again(decoded, track).segments
    assert [(s.start, s.end, s.why) for s in segments] == [
        (b[2] + 25, b[5], "beginning"),
        (b[20] - 70, b[23], "outside"),
    ]


def test_a_join_in_the_middle_of_a_beat_is_taken_to_the_landing_that_skips_the_same(make_track: MakeTrack) -> None:
    track = empty_table(make_track)
    table = track.landings
    table.beat[5, :4] = 16, 15, 14, 20
    table.beat[6, 7] = 16
    # left at 5.4 for 15.4: the landing on 15; without it not the one on 16, which leaves out most of a beat
    halfway = edit(track, (0, 2700, 0), (7700, 9000, 8))
    assert decode(halfway, track).actions.tolist() == [KEEP] * 5 + [landing_action(1, 0)] + [KEEP] * 3 + [END]
    table.beat[5, 1] = -1
    decoded = decode(halfway, track)
    assert decoded.actions.tolist() == [KEEP] * 6 + [landing_action(7, 0)] + [KEEP] * 2 + [END]
    assert decoded.moved.max() == pytest.approx(0.6)


def test_a_join_that_no_landing_skips_alike_is_outside_and_keeps_its_skip(make_track: MakeTrack) -> None:
    track = empty_table(make_track)
    track.landings.beat[5, :2] = 16, 14
    track.landings.beat[6, 0] = 17
    # left at 5.4 for 15.6, skipping 10.2 beats; the table skips 11 or 9
    decoded = decode(edit(track, (0, 2700, 0), (7800, 9000, 8)), track)
    assert decoded.playhead[decoded.outside.beat >= 0].tolist() == [5]
    assert decoded.outside.start.max() == 7600
    assert same(decode(again(decoded, track), track), decoded)


@pytest.mark.parametrize(("skip", "in_table"), [(10.2, True), (10.3, False), (9.8, True), (9.7, False)])
def test_a_landing_stands_for_a_join_up_to_a_quarter_of_a_beat_off(
    make_track: MakeTrack, skip: float, in_table: bool
) -> None:
    track = empty_table(make_track)
    track.landings.beat[5, 0] = 15
    decoded = decode(edit(track, (0, 2500, 0), (2500 + round(500 * skip), 9000, 8)), track)
    assert (decoded.outside.beat < 0).all() == in_table


def test_the_edges_are_chosen_together(make_track: MakeTrack) -> None:
    """A landing near one join would leave no beat to be played before the next one that is in the table."""
    track = empty_table(make_track)
    table = track.landings
    table.beat[5, 0], table.beat[4, 1] = 11, 10
    table.beat[11, 0] = 20
    alone = decode(edit(track, (0, 2300, 0), (5300, 9000, 8)), track)
    assert alone.actions[alone.actions > END].tolist() == [landing_action(0, 0)]
    decoded = decode(edit(track, (0, 2300, 0), (5300, 5600, 8), (10000, 11000, 8)), track)
    assert decoded.actions[decoded.actions > END].tolist() == [landing_action(1, 0), landing_action(0, 0)]
    assert not (decoded.outside.beat >= 0).any()


@pytest.mark.parametrize("d", range(FADE_CLASSES))
@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_the_fade_class_is_the_nearest_by_ratio(make_track: MakeTrack, d: int, factor: float) -> None:
    track = make_track(np.random.default_rng(0), 30, share=0.0)
    track.landings.beat[4, 6] = 20
    b = track.bounds.tolist()
    fade = round(factor * int(fade_samples(track)[d]))
    start = int(track.landings.starts(track.bounds)[4, 6])
    decoded = decode(edit(track, (0, b[4], 0), (start, b[30], fade)), track)
    assert landing_action(6, d) in decoded.actions
    assert again(decoded, track).segments[1].fade == fade_samples(track)[d]


def test_an_edit_of_another_recording_is_refused(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 10)
    other = replace(track.source, content_hash="1" * 64)
    with pytest.raises(EDLError, match=r"the edit is of another recording than made-up\.wav"):
        decode(replace(edit(track, (0, 500, 0)), source=other), track)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([END], "action 1 of 1: 1 is not legal before beat 0"),
        ([KEEP] * 4 + [END], "action 4 of 5: 0 is not legal before beat 3"),
        ([KEEP, landing_action(0, 0), END], "action 2 of 3: 2 is not legal before beat 1"),
        ([KEEP, END, END], "action 3 of 3: 1 is not legal before beat 1"),
        ([KEEP, KEEP], "2 actions without an END"),
        ([], "0 actions without an END"),
    ],
)
def test_what_is_no_legal_play_is_refused(make_track: MakeTrack, actions: list[int], message: str) -> None:
    track = make_track(np.random.default_rng(0), 3, share=0.0)
    with pytest.raises(EDLError, match=message):
        replay(np.array(actions, dtype=np.int64), track, maker=TEST)
