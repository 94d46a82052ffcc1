"""The mask against brute force on small recordings, and what it promises on larger ones."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END, KEEP, State, advance, begin, kinds_of
from rl_editor.edits.wishes import Wishes
from rl_editor.envs.beat_edit.rules import Assignment, GoingBack, Rules, allowed, make_rules

MakeTrack = Callable[..., Track]
seeds = st.integers(0, 2**32 - 1)
B = 7


def few_landings(make_track: MakeTrack, rng: np.random.Generator, n_beats: int = B, *, backward: bool = True) -> Track:
    """A short recording with at most three landings a row, of small lags, one fade class each that is told apart."""
    track = make_track(rng, n_beats, share=0.6)
    table = track.landings
    beat = table.beat.copy()
    beat[:, 3:] = -1
    if not backward:
        beat[beat < np.arange(n_beats + 1)[:, None]] = -1
    return replace(track, landings=replace(table, beat=beat))


def going_back(rules: Rules, row: int, loops: bool, most_plays: int) -> GoingBack:
    return rules.going_back(torch.tensor([row]), torch.tensor([loops]), torch.tensor([most_plays]))


class Game:
    """One edit of one assignment, as brute force plays it: by rule, wishes and window alone."""

    def __init__(self, assignment: Assignment, loops: bool, most_plays: int) -> None:
        self.assignment, self.rules = assignment, make_rules([assignment])
        self.loops, self.most_plays = loops, most_plays
        self.back = going_back(self.rules, 0, loops, most_plays)
        self.finishes = cache(self._finishes)

    def begun(self) -> State:
        state = begin(self.rules.tables, torch.zeros(1, dtype=torch.int64))
        first = self.rules.first
        return replace(state, playhead=first.clamp(min=0), must_keep=first >= 0)

    def mask(self, state: State, target: int) -> np.ndarray:
        return allowed(self.rules, state, target - state.samples, self.back)[0].numpy()

    def after(self, state: State, action: int) -> State:
        copied = replace(state, plays=state.plays.clone())
        return advance(self.rules.tables, copied, torch.tensor([action]))

    def moves(self, state: State, left: int) -> list[int]:
        """What may be done without asking whether it can be finished; of fade classes the first."""
        row = self.rules.tables.legal[0, int(state.playhead)].numpy()
        if bool(state.must_keep):
            return [KEEP] if row[KEEP] else []
        moves = [KEEP] if row[KEEP] else []
        if row[END] and abs(left) <= int(self.rules.window[0]):
            moves.append(END)
        beat = self.rules.tables.beat[0, int(state.playhead)]
        kinds = kinds_of(state, beat[None])[0].tolist()
        for k, (j, kind) in enumerate(zip(beat.tolist(), kinds, strict=True)):
            again = self.loops and j >= 0 and int(state.plays[0, j]) < self.most_plays
            back = (kind == 1 and again) or (kind == 2 and self.assignment.free)
            if row[2 + 4 * k] and (j >= int(state.playhead) or back):
                moves.append(2 + 4 * k)
        return moves

    def _finishes(self, key: tuple[object, ...], left: int) -> bool:
        state = self.state_of(key)
        if left < -int(self.rules.window[0]) - 700:
            return False
        for action in self.moves(state, left):
            if action == END:
                return True
            then = self.after(state, action)
            if self.finishes(self.key(then), left - int(then.samples - state.samples)):
                return True
        return False

    def key(self, state: State) -> tuple[object, ...]:
        plays = tuple(state.plays[0].clamp(max=self.most_plays).tolist())
        return int(state.playhead), bool(state.must_keep), int(state.furthest), plays

    def state_of(self, key: tuple[object, ...]) -> State:
        playhead, must_keep, furthest, plays = key
        zero = torch.zeros(1, dtype=torch.int64)
        return State(
            track=zero,
            playhead=zero + playhead,
            must_keep=torch.tensor([must_keep]),
            ended=torch.tensor([False]),
            furthest=zero + furthest,
            plays=torch.tensor([plays], dtype=torch.int16),
            samples=zero,
        )


def wishes(n_beats: int, rng: np.random.Generator, *, locks: bool, bans: bool, start: bool, end: bool) -> Wishes:
    locked, banned = np.zeros(n_beats, dtype=bool), np.zeros(n_beats, dtype=bool)
    if locks:
        locked[rng.integers(1, n_beats - 1)] = True
    if bans:
        banned[rng.integers(1, n_beats)] = True
    return Wishes(
        locked=locked,
        banned=banned & ~locked,
        start=int(rng.integers(0, 2)) if start else None,
        end=int(rng.integers(n_beats - 2, n_beats + 1)) if end else None,
    )


def walk(game: Game, target: int, rng: np.random.Generator, check: Callable[[State, np.ndarray], None]) -> None:
    """Random legal play to the end, every state of it checked."""
    state = game.begun()
    first = game.mask(replace(state, must_keep=torch.tensor([False])), target)
    if not (first[KEEP] if bool(state.must_keep) else first.any()):
        return  # refused
    while not bool(state.ended):
        mask = game.mask(state, target)
        check(state, mask)
        state = game.after(state, int(rng.choice(np.flatnonzero(mask))))


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_legal_action_can_be_finished(
    make_track: MakeTrack, seed: int, locks: bool, bans: bool, start: bool, end: bool, free: bool, loops: bool
) -> None:
    rng = np.random.default_rng(seed)
    track = few_landings(make_track, rng)
    asked = wishes(B, rng, locks=locks, bans=bans, start=start, end=end)
    target = int(rng.integers(400, 4500))
    game = Game(Assignment(track, asked, slack=int(rng.choice([0, 300])), free=free, longest=target), loops, 2)
    if asked.start is not None and asked.banned[asked.start]:
        return

    def check(state: State, mask: np.ndarray) -> None:
        assert mask.any()
        for action in np.flatnonzero(mask):
            if action != END:
                then = game.after(state, int(action))
                assert game.finishes(game.key(then), target - int(then.samples)), (action, state.playhead)

    walk(game, target, rng, check)


@settings(max_examples=60, deadline=None)
@given(seeds, st.booleans(), st.booleans())
def test_forward_requests_without_locks_and_end_have_every_action_that_can_be_finished(
    make_track: MakeTrack, seed: int, bans: bool, start: bool
) -> None:
    rng = np.random.default_rng(seed)
    track = few_landings(make_track, rng)
    asked = wishes(B, rng, locks=False, bans=bans, start=start, end=False)
    if asked.start is not None and asked.banned[asked.start]:
        return
    target = int(rng.integers(400, 4000))
    game = Game(Assignment(track, asked, slack=int(rng.choice([0, 300]))), False, 2)

    def check(state: State, mask: np.ndarray) -> None:
        left = target - int(state.samples)
        possible = {
            action
            for action in game.moves(state, left)
            if action == END or game.finishes(game.key(then := game.after(state, action)), target - int(then.samples))
        }
        classes = {action if action <= END else action - (action - 2) % 4 for action in np.flatnonzero(mask).tolist()}
        assert classes == possible

    walk(game, target, rng, check)


def play(rules: Rules, row: int, target: int, rng: np.random.Generator, *, loops: bool, most: int) -> State | None:
    """Random legal play to the end; None where the request is refused."""
    where = torch.tensor([row])
    state = begin(rules.tables, where)
    state = replace(state, playhead=rules.first[where].clamp(min=0), must_keep=rules.first[where] >= 0)
    back = going_back(rules, row, loops, most)
    first = allowed(rules, replace(state, must_keep=torch.tensor([False])), torch.tensor([target]), back)[0]
    if not (first[KEEP] if bool(state.must_keep) else first.any()):
        return None
    while not bool(state.ended):
        mask = allowed(rules, state, target - state.samples, back)[0]
        assert mask.any()
        state = advance(rules.tables, state, torch.tensor([rng.choice(np.flatnonzero(mask.numpy()))]))
    return state


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("loops", [False, True])
def test_locks_are_played_bans_are_not_and_ends_are_kept(make_track: MakeTrack, free: bool, loops: bool) -> None:
    rng = np.random.default_rng(5)
    track = make_track(rng, 60)
    locked, banned = np.zeros(60, dtype=bool), np.zeros(60, dtype=bool)
    locked[[20, 21, 40]], banned[[10, 11, 50]] = True, True
    asked = Wishes(locked=locked, banned=banned, start=3, end=47)
    rules = make_rules([Assignment(track, asked, slack=1000, free=free, longest=30_000)])
    finished = 0
    for target in rng.integers(4_000, 30_000, 20):
        state = play(rules, 0, int(target), rng, loops=loops, most=3)
        if state is None:
            continue
        finished += 1
        plays = state.plays[0].numpy()
        assert (plays[locked] > 0).all()
        assert (plays[banned] == 0).all()
        assert plays[3] > 0
        assert int(state.playhead) == 47
        assert abs(int(target) - int(state.samples)) <= int(rules.window[0])
    assert finished > 5


def test_rules_of_several_recordings_are_those_of_each(make_track: MakeTrack) -> None:
    rng = np.random.default_rng(1)
    tracks = [make_track(rng, n) for n in (12, 30, 20)]
    none = [Wishes(np.zeros(t.n_beats, bool), np.zeros(t.n_beats, bool)) for t in tracks]
    end = replace(none[1], end=28)
    assignments = [
        Assignment(tracks[0], none[0], 500),
        Assignment(tracks[1], end, 500, longest=9000),
        Assignment(tracks[2], none[2], 500, free=True),
    ]
    together = make_rules(assignments)
    alone = [make_rules([each]) for each in assignments]
    for row in range(3):
        for p in range(tracks[row].n_beats + 1):
            for left in rng.integers(-600, 9000, 4).tolist():
                masks = []
                for rules, at in ((together, row), (alone[row], 0)):
                    state = replace(begin(rules.tables, torch.tensor([at])), playhead=torch.tensor([p]))
                    masks.append(allowed(rules, state, torch.tensor([left]), going_back(rules, at, True, 3)))
                assert torch.equal(*masks), (row, p, left)


def test_an_edit_asked_to_repeat_nothing_repeats_nothing(make_track: MakeTrack) -> None:
    rng = np.random.default_rng(3)
    track = make_track(rng, 80, share=0.9)
    rules = make_rules([Assignment(track, _nothing(80), slack=1000)])
    for target in rng.integers(2_000, 30_000, 20):
        state = play(rules, 0, int(target), rng, loops=False, most=2)
        assert state is None or int(state.plays.max()) <= 1


@pytest.mark.parametrize("free", [False, True])
def test_a_late_part_may_come_first_where_parts_may_change_places(make_track: MakeTrack, free: bool) -> None:
    track = few_landings(make_track, np.random.default_rng(1), 30)
    beat, half = np.full_like(track.landings.beat, -1), np.zeros_like(track.landings.half)
    beat[0, 0], beat[28, 0] = 20, 2  # begin at 20; from 28 back to 2
    track = replace(track, landings=replace(track.landings, beat=beat, half=half))
    rules = make_rules([Assignment(track, _nothing(30), slack=0, free=free)])
    eight_and_ten = int(track.bounds[28] - track.bounds[20] + track.bounds[12] - track.bounds[2])
    mask = allowed(
        rules, begin(rules.tables, torch.tensor([0])), torch.tensor([eight_and_ten]), going_back(rules, 0, False, 1)
    )
    assert bool(mask[0, 2:].any()) == free


def _nothing(n_beats: int) -> Wishes:
    return Wishes(np.zeros(n_beats, dtype=bool), np.zeros(n_beats, dtype=bool))
