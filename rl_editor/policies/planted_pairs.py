"""Pairs of edits of which one is worse for sure: a fault was planted in it, or another editor made it than who knew.

Faults are planted in the true edit and in the planner's alike, so that it is the fault that is learned, not who edited.
Faults that only the true edit tells to be faults are planted in that alone. All edits of a take end with the same fades
and are told the same length, for these too would give away who made them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rl_editor.data.prepared import PreparedTake
from rl_editor.edits.edl import EDL
from rl_editor.edits.faults import FAULTS
from rl_editor.edits.length import difference
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import EDLError, RequestError
from rl_editor.policies.ground import Ground
from rl_editor.policies.judged import Answers, JudgedRecording, Ratings

PLANTED_IN = "planner"
"""Editor whose edits get faults beside the true ones."""
_SLACK_S = 2.0
_AS_GOOD = 0.1  # share of the kept time: who differs less from the true edit is not worse for sure

Pair = tuple[int, int, str]
"""Numbers of the better and of the worse edit, and what they differ in."""


def planted_pairs(
    take: PreparedTake, editors: Sequence[str], rng: np.random.Generator, *, without: Sequence[str] = ()
) -> JudgedRecording:
    """A take with edits of which it is known which is better.

    Args:
        take: of a prepared set.
        editors: names of those whose edits are worse than the true one; who has no edit of its length is passed over.
        rng: for where faults are planted, and which of a pair is offered first.
        without: names of faults that are left out.
    """
    true = replace(take.edl, target_s=take.edl.duration_s)
    edits = [true]
    faults = [fault for fault in FAULTS if fault.name not in without]
    pairs = list(_faulty(edits, 0, [fault.name for fault in faults], take, rng))
    for name in editors:
        edit = _edited(name, take, rng)
        if edit is None:
            continue
        edits.append(edit)
        number = len(edits) - 1
        if difference(true, edit) >= _AS_GOOD:
            pairs.append((0, number, name))
        if name == PLANTED_IN:
            telling = [fault.name for fault in faults if not fault.needs_human]
            pairs += _faulty(edits, number, telling, take, rng)
    assert take.entry.measured is not None
    song = take.entry.measured.song_hash
    nothing = np.empty(0, dtype=np.int64)
    answers = _as_answers(pairs, rng)
    return JudgedRecording(
        take.entry.key, song, Ground(take.track), tuple(edits), answers, Ratings(nothing, nothing.copy())
    )


def _faulty(
    edits: list[EDL], base: int, names: Sequence[str], take: PreparedTake, rng: np.random.Generator
) -> Iterator[Pair]:
    """Plant each fault at each grade in edit `base`; what comes out is put to the edits, and is worse than it."""
    for fault in (fault for fault in FAULTS if fault.name in names):
        before = base
        for grade in fault.grades:
            try:
                faulty = fault.planted(edits[base], take.track, grade, rng)
            except EDLError:  # dead time up to a little past the end of the recording
                faulty = None
            if faulty is None:
                continue
            edits.append(faulty)
            yield base, len(edits) - 1, fault.name
            if fault.ordered and before != base:
                yield before, len(edits) - 1, fault.name
            before = len(edits) - 1


def _edited(name: str, take: PreparedTake, rng: np.random.Generator) -> EDL | None:
    """An editor's edit of the true one's length, with its fades at the ends; None where it has none."""
    true = take.edl
    request = EditRequest(target_s=true.duration_s, slack_s=_SLACK_S, seed=int(rng.integers(2**31)))
    try:
        edit = load_editor(name).edit(take.track, request)[0]
    except RequestError:
        return None
    first = replace(edit.segments[0], fade=true.segments[0].fade)
    return replace(edit, segments=(first, *edit.segments[1:]), end_fade=true.end_fade)


def _as_answers(pairs: Sequence[Pair], rng: np.random.Generator) -> Answers:
    """The better one is offered first as often as second."""
    numbers = np.array([pair[:2] for pair in pairs], dtype=np.int64).reshape(-1, 2)
    turned = rng.random(len(pairs)) < 0.5
    numbers[turned] = numbers[turned, ::-1]
    nothing = np.zeros(len(pairs), dtype=np.int64)
    return Answers(
        first=numbers[:, 0],
        second=numbers[:, 1],
        side=np.where(turned, -1, 1),
        strength=nothing,
        given=nothing.copy(),
        weight=np.ones(len(pairs), dtype=np.float32),
        kind=tuple(kind for *_, kind in pairs),
    )
