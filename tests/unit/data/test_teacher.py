"""The teacher of a true edit: right where its editor stood, and the best there is anywhere else."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.data.demonstrations import Demonstration, demonstrate
from rl_editor.data.teacher import Teacher, make_teacher
from rl_editor.edits.actions import END, FADE_CLASSES, KEEP, column_of, legal_by_rule
from rl_editor.edits.demonstration import replay
from rl_editor.edits.edl import Maker

Make = Callable[..., Track]


def played_edit(track: Track, rng: np.random.Generator, joins: int) -> Demonstration:
    """The demonstration of an edit that takes landings by chance."""
    places, playhead, actions = track.landings, 0, []
    legal = legal_by_rule(track)[:, 2::FADE_CLASSES]
    for _ in range(joins + 1):
        columns = np.flatnonzero(legal[playhead] & (places.half[playhead] == 0))
        if actions or rng.random() < 0.5:
            if not len(columns) and actions:
                break
        else:
            columns = columns[:0]
        if len(columns):
            column = int(rng.choice(columns))
            actions.append(2 + FADE_CLASSES * column)
            playhead = int(places.beat[playhead, column])
        for _ in range(int(rng.integers(1, 6))):
            if playhead == track.n_beats:
                break
            actions.append(KEEP)
            playhead += 1
    edl = replay(np.array([*actions, END]), track, maker=Maker("test"))
    return demonstrate(edl, track)


def followed(teacher: Teacher, shown: Demonstration, track: Track) -> list[tuple[bool, bool]]:
    """Of each decision inside the table, whether the teacher would do the same, and whether it had a choice."""
    phase, must, told = 0, False, []
    for action, playhead, outside in zip(
        shown.actions.tolist(), shown.playhead.tolist(), shown.is_outside.tolist(), strict=True
    ):
        if outside:
            return told
        told.append((bool(teacher.best(phase, playhead, must_keep=must)[action]), must))
        must = action > END and track.landings.half[playhead, column_of(action)] == 0
        phase = teacher.after(phase, playhead, action)
    return told


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(0, 3))
def test_an_edit_that_plays_nothing_twice_is_what_its_teacher_would_do(make_track: Make, seed: int, joins: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 40, share=0.3)
    shown = played_edit(track, rng, joins)
    plays = np.bincount(shown.playhead[shown.actions == KEEP], minlength=40)
    if plays.max() > 1:
        return
    teacher = make_teacher(shown, track)
    lengths = teacher.runs[:, 1] - teacher.runs[:, 0]
    if lengths.min(initial=9) < 3:  # a run shorter than the price of two joins is not worth them
        return
    assert all(same for same, _ in followed(teacher, shown, track))


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_values_are_those_of_the_best_way_by_brute_force(make_track: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 9, share=0.08)
    shown = played_edit(track, rng, 1)
    teacher = make_teacher(shown, track)
    n = len(teacher.runs)
    if n != 1:
        return
    first, end = teacher.runs[0]

    @cache
    def best(playhead: int, steps: int) -> float:
        """Of all ways of at most so many steps to the end of the run."""
        if steps == 0:
            return -np.inf
        ways = []
        if playhead < 9:
            inside = first <= playhead < end
            rest = 0.0 if inside and playhead + 1 == end else best(playhead + 1, steps - 1)
            ways.append((1.0 if inside else -1.0) + rest)
        inside_run = first < playhead < end
        for column in np.flatnonzero(teacher.legal[playhead, 2::FADE_CLASSES]):
            landed = int(teacher.landed[playhead, column])
            on_run = first <= landed < end
            if inside_run or (not on_run and landed <= playhead):
                continue
            ways.append(best(landed, steps - 1) - (1.0 if landed == first else 1.5))
        return max(ways, default=-np.inf)

    for playhead in range(10):
        expected = best(playhead, 14)
        found = float(teacher.values[0, playhead])
        assert found == pytest.approx(expected, abs=1e-4) or (found < -1e5 and expected == -np.inf)


def test_who_missed_the_join_goes_on_to_what_comes_next(make_track: Make) -> None:
    track = make_track(np.random.default_rng(3), 60, share=0.9)
    there = legal_by_rule(track)[10, 2::FADE_CLASSES] & (track.landings.half[10] == 0)
    column = int(np.flatnonzero(there & (track.landings.beat[10] > 20) & (track.landings.beat[10] < 40))[0])
    actions = np.array([KEEP] * 10 + [2 + FADE_CLASSES * column] + [KEEP] * 20 + [END])
    shown = demonstrate(replay(actions, track, maker=Maker("test")), track)
    teacher = make_teacher(shown, track)
    chosen = np.flatnonzero(teacher.best(1, 12))
    assert len(chosen)
    assert (chosen > END).all()
    assert teacher.values[1, 12] >= 20 - 3


def test_once_all_was_played_the_teacher_ends(make_track: Make) -> None:
    track = make_track(np.random.default_rng(3), 40, share=0.5)
    teacher = make_teacher(played_edit(track, np.random.default_rng(1), 1), track)
    assert np.flatnonzero(teacher.best(len(teacher.runs), 5)).tolist() == [END]


def test_a_beat_that_was_landed_on_is_played(make_track: Make) -> None:
    track = make_track(np.random.default_rng(3), 40, share=0.5)
    teacher = make_teacher(played_edit(track, np.random.default_rng(1), 1), track)
    assert np.flatnonzero(teacher.best(0, 7, must_keep=True)).tolist() == [KEEP]
