import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.landings import K
from rl_editor.analysis.track import Track
from rl_editor.edits.actions import (
    END,
    FADE_CLASSES,
    KEEP,
    N_ACTIONS,
    Kind,
    Places,
    State,
    Tables,
    advance,
    begin,
    column_of,
    fade_class_of,
    fade_samples,
    kinds,
    landing_action,
    legal,
    legal_by_rule,
    make_tables,
)

seeds = st.integers(0, 2**32 - 1)
MakeTrack = Callable[..., Track]


def draw(mask: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """An action for each row: KEEP half of the time, END rarely, else any landing; 0 where nothing is legal."""
    weight = mask.double().numpy() / N_ACTIONS
    weight[:, KEEP] *= N_ACTIONS
    weight[:, END] *= 0.05 * N_ACTIONS
    return torch.from_numpy((weight * rng.exponential(size=mask.shape)).argmax(axis=1))


def by_hand(track: Track, landings: dict[tuple[int, int], tuple[int, int, int]]) -> Track:
    """The track with only these landings: (row, column) -> (beat, half, lag)."""
    table = track.landings
    beat, half, lag = np.full_like(table.beat, -1), np.zeros_like(table.half), np.zeros_like(table.lag)
    for at, landing in landings.items():
        beat[at], half[at], lag[at] = landing
    return replace(track, landings=replace(table, beat=beat, half=half, lag=lag))


def alone(track: Track, banned: np.ndarray | None = None) -> tuple[Tables, State]:
    tables = make_tables([track], [legal_by_rule(track, banned)])
    return tables, begin(tables, torch.zeros(1, dtype=torch.int64))


def played(tables: Tables, state: State, *actions: int) -> State:
    for action in actions:
        assert legal(tables, state)[0, action], action
        state = advance(tables, state, torch.tensor([action]))
    return state


def legal_now(tables: Tables, state: State) -> set[int]:
    return set(torch.nonzero(legal(tables, state)[0]).flatten().tolist())


def test_every_landing_and_fade_class_has_its_own_index() -> None:
    indices = [landing_action(k, d) for k in range(K) for d in range(FADE_CLASSES)]
    assert indices == list(range(2, N_ACTIONS))
    assert [(column_of(a), fade_class_of(a)) for a in indices] == [
        (k, d) for k in range(K) for d in range(FADE_CLASSES)
    ]


def test_fade_classes_are_8_ms_30_ms_the_median_beat_and_the_median_bar(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 14)
    track = replace(track, bounds=np.append(np.arange(14) * 500, track.bounds[-1]))
    assert fade_samples(track).tolist() == [8, 30, 500, 2000]


def test_what_is_legal_on_a_small_track(make_track: MakeTrack) -> None:
    track = by_hand(make_track(np.random.default_rng(0), 5), {(0, 3): (2, 0, 0), (1, 0): (4, 0, 5), (5, 2): (1, 1, -3)})
    tables, start = alone(track)

    def fades(column: int) -> set[int]:
        return {landing_action(column, d) for d in range(FADE_CLASSES)}

    assert legal_now(tables, start) == {KEEP, landing_action(3, 0)}, "no END before anything was played, no join"
    state = played(tables, start, KEEP)
    assert legal_now(tables, state) == {KEEP, END} | fades(0)
    state = played(tables, state, landing_action(0, 1))
    assert legal_now(tables, state) == {KEEP}, "no segment is empty"
    state = played(tables, state, KEEP)
    assert legal_now(tables, state) == {END} | fades(2), "a landing at the recording's end, where nothing is to be kept"
    state = played(tables, state, landing_action(2, 0))
    assert int(state.playhead) == 2, "the rest of the beat was played at once"
    assert legal_now(tables, state) == {KEEP, END}
    b = track.bounds
    assert int(state.samples) == b[1] + (b[5] - (b[4] + 5)) + (b[2] - (b[1] + (b[2] - b[1]) // 2 - 3))
    assert state.plays[0].tolist() == [1, 1, 0, 0, 1]
    assert legal_now(tables, played(tables, state, END)) == set()


def test_kinds_follow_what_was_played(make_track: MakeTrack) -> None:
    track = by_hand(
        make_track(np.random.default_rng(0), 8),
        {(0, 0): (3, 0, 0), (4, 0): (6, 0, 0), (4, 1): (1, 0, 0), (4, 2): (3, 1, 0), (4, 3): (4, 1, 0)},
    )
    tables, state = alone(track)
    assert kinds(tables, state)[0, 0] == Kind.CUT, "what lies before the beginning is left out"
    state = played(tables, state, landing_action(0, 0), KEEP)
    assert kinds(tables, state)[0, :5].tolist() == [Kind.CUT, Kind.REORDER, Kind.LOOP, Kind.CUT, -1]


def test_of_landings_that_start_at_one_sample_the_best_is_legal(make_track: MakeTrack) -> None:
    landings = {(1, c): (5, 0, lag) for c, lag in ((0, 9), (1, 9), (4, 2), (9, 2), (11, 3))}
    track = by_hand(make_track(np.random.default_rng(0), 8), landings)
    track.landings.score[1, [0, 1, 4, 9, 11]] = 0.3, 0.3, 0.5, 0.2, 0.9
    tables, state = alone(track)
    columns = {column_of(a) for a in legal_now(tables, played(tables, state, KEEP)) if a > END}
    assert columns == {0, 9, 11}


def test_a_banned_beat_is_neither_kept_nor_landed_on_nor_heard_in_a_long_fade(make_track: MakeTrack) -> None:
    landings = {(1, 0): (3, 0, 0), (1, 1): (4, 0, 0), (1, 2): (4, 0, -9), (1, 3): (4, 1, 0), (1, 4): (7, 0, 0)}
    track = by_hand(make_track(np.random.default_rng(0), 12), landings)
    track = replace(track, bounds=np.append(np.arange(12) * 400, track.bounds[-1]))
    tables, state = alone(track, np.isin(np.arange(12), [1, 3]))
    allowed = legal_now(tables, played(tables, state, KEEP)) - {END}
    whole, half, late = ({landing_action(c, d) for d in (0, 1)} for c in (1, 3, 4))
    # a fade of a beat (400) reaches from 7 to 6, one of a bar (1600) to 3
    assert allowed == whole | half | late | {landing_action(4, 2)}


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_a_batch_of_unequal_recordings_equals_its_edits_one_by_one(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracks = [make_track(rng, int(n)) for n in rng.integers(2, 40, 3)]
    bans = [rng.random(track.n_beats) < 0.2 for track in tracks]
    which = torch.from_numpy(rng.integers(0, 3, 9))
    tables = make_tables(tracks, list(map(legal_by_rule, tracks, bans)))
    state = begin(tables, which)
    single_tables = [make_tables([tracks[k]], [legal_by_rule(tracks[k], bans[k])]) for k in which]
    singles = [begin(each, torch.zeros(1, dtype=torch.int64)) for each in single_tables]
    for _ in range(30):
        mask = legal(tables, state)
        kind = kinds(tables, state)
        for n, (table, single) in enumerate(zip(single_tables, singles, strict=True)):
            assert torch.equal(mask[[n]], legal(table, single))
            assert torch.equal(kind[[n]], kinds(table, single))
        action = draw(mask, rng)
        action[~mask.any(dim=1)] = END
        state = advance(tables, state, action)
        singles = [advance(*each, action[[n]]) for n, each in enumerate(zip(single_tables, singles, strict=True))]
    for field in fields(State):
        together = getattr(state, field.name)
        for n, single in enumerate(singles):
            own = getattr(single, field.name)[0]
            if field.name == "plays":
                assert torch.equal(together[n, : len(own)], own)
                assert not together[n, len(own) :].any()
            elif field.name != "track":
                assert together[n] == own, field.name


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_random_legal_play_always_goes_on_and_counts_what_it_plays(make_track: MakeTrack, seed: int) -> None:
    """Against a player that writes down every stretch of the source it hears."""
    rng = np.random.default_rng(seed)
    track = make_track(rng, 30)
    tables = make_tables([track])
    state = begin(tables, torch.zeros(4, dtype=torch.int64))
    starts, table = track.landings.starts(track.bounds), track.landings
    stretches: list[list[tuple[int, int]]] = [[] for _ in range(4)]
    beats: list[list[int]] = [[] for _ in range(4)]
    pending = [-1] * 4  # where a landing starts whose beat is not played yet
    for _ in range(60):
        mask = legal(tables, state)
        assert mask.any(dim=1).equal(~state.ended)
        action = draw(mask, rng)
        for n in torch.nonzero(~state.ended).flatten().tolist():
            row, a = int(state.playhead[n]), int(action[n])
            if a == KEEP:
                begins = pending[n] if pending[n] >= 0 else int(track.bounds[row])
                stretches[n].append((begins, int(track.bounds[row + 1])))
                beats[n].append(row)
                pending[n] = -1
            elif a > END:
                at = row, column_of(a)
                if table.half[at]:
                    stretches[n].append((int(starts[at]), int(track.bounds[table.beat[at] + 1])))
                    beats[n].append(int(table.beat[at]))
                else:
                    pending[n] = int(starts[at])
        state = advance(tables, state, action)
        for n in range(4):
            if pending[n] < 0:
                assert all(end > start for start, end in stretches[n])
                assert int(state.samples[n]) == sum(end - start for start, end in stretches[n])
            assert state.plays[n].tolist() == np.bincount(beats[n], minlength=30).tolist()
            assert int(state.furthest[n]) == max(beats[n], default=-1)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_kinds_agree_with_their_definition(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 20)
    tables, state = alone(track)
    for _ in range(40):
        heard = set(torch.nonzero(state.plays[0]).flatten().tolist())
        for column, kind in enumerate(kinds(tables, state)[0].tolist()):
            beat = int(track.landings.beat[int(state.playhead), column])
            if beat < 0:
                assert kind == -1
            elif beat in heard:
                assert kind == Kind.LOOP
            else:
                assert kind == (Kind.REORDER if any(beat < other for other in heard) else Kind.CUT)
        mask = legal(tables, state)
        mask[:, END] = False
        if not mask.any():
            return
        state = advance(tables, state, draw(mask, rng))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_no_sample_of_a_banned_beat_is_played(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 30)
    banned = rng.random(30) < 0.3
    quiet = np.repeat(banned, np.diff(track.bounds))
    tables, state = alone(track, banned)
    starts = track.landings.starts(track.bounds)
    for _ in range(60):
        mask = legal(tables, state)
        if not mask.any():
            break
        action, leave = draw(mask, rng), int(state.playhead)
        state = advance(tables, state, action)
        begins = track.bounds[leave] if action <= END else starts[leave, column_of(int(action))]
        assert not quiet[begins : track.bounds[int(state.playhead)]].any()


def test_what_has_ended_stays_as_it_is(make_track: MakeTrack) -> None:
    tables, start = alone(make_track(np.random.default_rng(0), 9))
    state = played(tables, start, KEEP, KEEP, END)
    before = {field.name: getattr(state, field.name).clone() for field in fields(State)}
    for action in (KEEP, END, landing_action(0, 0)):
        state = advance(tables, state, torch.tensor([action]))
        assert all(torch.equal(getattr(state, name), value) for name, value in before.items())


@pytest.mark.parametrize(("half", "playhead"), [(0, 3), (1, 4)])
def test_a_place_outside_the_table_is_played_like_a_landing(make_track: MakeTrack, half: int, playhead: int) -> None:
    track = by_hand(make_track(np.random.default_rng(0), 6), {(1, 0): (5, 0, 0)})
    tables = make_tables([track])
    state = begin(tables, torch.zeros(2, dtype=torch.int64))
    state = advance(tables, state, torch.tensor([KEEP, KEEP]))
    start = int(track.bounds[3]) + 7
    places = Places(*(torch.tensor([value, -1]) for value in (3, half, start)))
    state = advance(tables, state, torch.tensor([landing_action(0, 0)] * 2), places)
    assert state.playhead.tolist() == [playhead, 5]
    assert state.must_keep.tolist() == [half == 0, True]
    assert state.samples.tolist() == [track.bounds[1] + track.bounds[playhead] - start, track.bounds[1]]


def test_planning_and_rendering_do_not_wait_for_torch() -> None:
    rooms = "rl_editor.edits.planner, rl_editor.edits.render, rl_editor.cli.edit"
    program = f"import sys, {rooms}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"False\n"
