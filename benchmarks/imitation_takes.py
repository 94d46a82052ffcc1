"""Takes that imitation is judged on, and what one edit of a take amounts to.

Whatever is measured on a take is a *tally*: by name, a sum and what it is a sum over. A figure over many takes is the
sum of the sums over the sum of what they are over, so that means, shares and ratios are all told, averaged over seeds
and resampled alike.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from decode_replay import in_beats

from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.data.excerpt import Span
from rl_editor.data.prepared import read_prepared
from rl_editor.data.session_plan import Mode
from rl_editor.data.take_card import TakePart
from rl_editor.data.takes import Spoiled
from rl_editor.data.training_files import card_path, read_card
from rl_editor.edits.actions import Kind
from rl_editor.edits.baselines import LoudestEditor
from rl_editor.edits.edl import EDL, Maker, Segment, merged
from rl_editor.edits.request import EditRequest
from rl_editor.policies.imitation import overlap
from rl_editor.policies.lessons import StrayConfig
from rl_editor.policies.policy_file import FILE
from rl_editor.policies.taught import LearntTake, learn

Tally = Mapping[str, tuple[float, float]]

LOUDEST_AT_MOST = 0.6
"""Overlap of plain loudest above which a take says nothing about choosing."""
_GRID_HZ = 100  # at which kept time is compared
_HARDLY = 0.1
_PAUSES = ("silence", "talk", "tuning", "count-in")


@dataclass(frozen=True, eq=False)
class Case:
    """One take with all that is known about it."""

    learnt: LearntTake
    edl: EDL
    """The true edit."""
    mode: Mode
    units: tuple[Span, ...]
    parts: tuple[TakePart, ...]

    @property
    def request(self) -> EditRequest:
        """What every editor is asked for that can change the order."""
        return EditRequest(target_s=self.learnt.target_s, order="free")

    @property
    def is_order_known(self) -> bool:
        """Whether the raw has a run-through of the whole song, from which the order of its units can be heard."""
        return any(part.kind == "music" and part.unit is None for part in self.parts)


def cases_of(folder: Path, trained_on: set[str], split: str | None) -> Iterator[Case]:
    """Takes of a prepared set of which no song was trained on.

    Args:
        folder: a prepared set, beside the cards of its takes.
        trained_on: content hashes of songs.
        split: only this side of a set that holds any of them.
    """
    prepared = read_prepared(folder)
    is_training_set = any(entry.measured and entry.measured.song_hash in trained_on for entry in prepared.entries)
    for take in prepared:
        assert take.entry.measured is not None
        if take.entry.measured.song_hash in trained_on or (is_training_set and split not in (None, take.entry.split)):
            continue
        learnt = learn(take, StrayConfig(editors=0), np.random.default_rng(0))
        if learnt is None:
            print(f"{take.entry.key}: no edit of its length is known; not judged")
            continue
        made = read_card(card_path(folder.parent, take.entry.key)).made
        parts = tuple(
            TakePart(**{**part, "spoiled": tuple(Spoiled(**each) for each in part["spoiled"])})
            for part in made["parts"]
        )
        yield Case(learnt, take.edl, made["mode"], tuple(Span(**unit) for unit in made["units"]), parts)


def checkpoint_of(run: Path) -> Path:
    """The policy of a run's folder, or the file itself."""
    return run / FILE if run.is_dir() else run


def songs_trained_on(runs: Sequence[Path]) -> set[str]:
    """Content hashes of the songs that these runs learned from, as far as they say."""
    told = [run / "run.json" for run in runs if (run / "run.json").is_file()]
    return {song for file in told for song in json.loads(file.read_text(encoding="utf-8"))["data"]["train_songs"]}


def judged(edl: EDL, case: Case) -> Tally:
    """What an edit amounts to: overlap, length, choices of attempts, joins, and what its time goes to."""
    learnt = case.learnt
    slack = abs(edl.duration_s - learnt.target_s) <= case.request.slack_s
    ours, true = (in_beats(merged(each.segments), learnt.track) for each in (edl, case.edl))
    return {
        "overlap": (overlap(edl, learnt.kept, learnt.track), 1.0),
        "plays": (_overlap_of_plays(_plays(edl), _plays(case.edl)), 1.0),
        "again": (1.0 - float((_plays(edl) > 0).sum() / _plays(edl).sum()), 1.0),
        "within slack": (float(slack), 1.0),
        "beginning": (float(abs(ours[0, 0] - true[0, 0]) <= 1.0), 1.0),
        **_choices(edl, case),
        **_joins(np.column_stack([ours[:-1, 1], ours[1:, 0]]), true, case),
        **_spent(edl, case),
    }


def reachable(case: Case) -> Tally:
    """How many joins of the true edit, and whether its beginning, are in the landing table, within a beat."""
    track = case.learnt.track
    places = track.landings
    row, column = np.nonzero(places.valid)
    starts = np.interp(places.starts(track.bounds)[row, column], track.bounds, np.arange(len(track.bounds)))
    every = np.column_stack([row, starts])
    true = in_beats(merged(case.edl.segments), track)
    first = true[0, 0] <= 1.0 or bool((np.abs(every[every[:, 0] == 0, 1] - true[0, 0]) <= 1.0).any())
    return {"beginning": (float(first), 1.0), **_joins(every[every[:, 0] > 0], true, case)}


def plainly(score: Array, case: Case) -> EDL:
    """The beats of highest score, as many as the true edit's length holds; no decoder, joins wherever they fall."""
    track = case.learnt.track
    order = np.argsort(-score, kind="stable")
    lasts = np.cumsum(np.diff(track.bounds_s)[order])
    count = int(np.abs(lasts - case.learnt.target_s).argmin()) + 1
    beats = np.sort(order[:count])
    stretches = np.split(beats, np.flatnonzero(np.diff(beats) > 1) + 1)
    bounds = track.bounds
    segments = tuple(Segment(int(bounds[own[0]]), int(bounds[own[-1] + 1])) for own in stretches)
    return EDL(track.source, segments, Maker("plain"))


def loudest(case: Case) -> EDL:
    """The edit of the editor `loudest`, of four beats at a time."""
    (edl,) = LoudestEditor().edit(case.learnt.track, EditRequest(target_s=case.learnt.target_s, slack_s=8.0))
    return edl


def _choices(edl: EDL, case: Case) -> Tally:
    """How often more is kept of the true attempt at a unit than of another whole one, that came before it or after."""
    played = _plays(edl) > 0
    told: dict[str, list[bool]] = {"worse before": [], "worse after": [], "units": [], "none kept": []}
    for number, unit in enumerate(case.units):
        whole = [part for part in case.parts if part.unit == number and _is_whole(part, unit)]
        true = [part for part in whole if part.kept]
        others = [part for part in whole if not part.kept]
        if not true or not others:
            continue
        kept = _share(played, true[0], edl)
        kept_of_others = [_share(played, other, edl) for other in others]
        won = [kept > share for share in kept_of_others]
        told["none kept"].append(max(kept, *kept_of_others) <= _HARDLY)
        told["units"].append(all(won))
        for other, better in zip(others, won, strict=True):
            told["worse before" if other.start < true[0].start else "worse after"].append(better)
    return {name: (float(sum(each)), float(len(each))) for name, each in told.items()}


def _is_whole(part: TakePart, unit: Span) -> bool:
    return part.kind == "music" and part.first_beat == unit.first_beat and len(part.beats) == unit.n_beats


def _plays(edl: EDL) -> IntArray:
    """How often each place of the source is played, on a grid."""
    step = edl.source.sample_rate // _GRID_HZ
    plays = np.zeros(edl.source.n_samples // step + 1, dtype=np.int64)
    for segment in edl.segments:
        plays[segment.start // step : segment.end // step] += 1
    return plays


def _overlap_of_plays(ours: IntArray, true: IntArray) -> float:
    """(F1 - r) / (1 - r) where what is played more often than in the true edit counts as wrong."""
    total = float(ours.sum() + true.sum())
    f1 = 2.0 * float(np.minimum(ours, true).sum()) / total
    by_chance = 2.0 * float(ours.sum()) * float(true.sum()) / len(ours) / total
    return (f1 - by_chance) / (1.0 - by_chance)


def _share(mask: BoolArray, part: TakePart, edl: EDL) -> float:
    step = edl.source.sample_rate // _GRID_HZ
    return float(mask[part.start // step : part.end // step].mean())


def _joins(own: DoubleArray, true: DoubleArray, case: Case) -> Tally:
    """How many joins of the true edit are among ours, both ends within a beat, by kind.

    Args:
        own: from where to where ours go, in beats, (joins, 2).
        true: segments of the true edit in beats, (segments, 2).
        case: the take.
    """
    tally: dict[str, list[bool]] = {}
    for k in range(1, len(true)):
        there = np.array([true[k - 1, 1], true[k, 0]])
        found = bool((np.abs(own - there) <= 1.0).all(axis=1).any())
        kind = _kind(true[:k], true[k, 0])
        tally.setdefault(f"join {kind.name.lower()}", []).append(found)
        if kind is Kind.REORDER and case.mode == "reorder" and case.is_order_known:
            tally.setdefault("join reorder, order known", []).append(found)
    return {name: (float(sum(found)), float(len(found))) for name, found in tally.items()}


def _kind(earlier: DoubleArray, start: float) -> Kind:
    """What a join is, seen from what was played before it; half a beat is given to landings that are early or late."""
    middle = start + 0.5
    if ((earlier[:, 0] <= middle) & (middle < earlier[:, 1])).any():
        return Kind.LOOP
    return Kind.REORDER if middle < earlier[:, 1].max() else Kind.CUT


def _spent(edl: EDL, case: Case) -> Tally:
    """What share of an edit's time goes to which parts of the raw."""
    names = [_told(part, case) for part in case.parts]
    spent = dict.fromkeys(names, 0)
    for name, part in zip(names, case.parts, strict=True):
        inside = (min(s.end, part.end) - max(s.start, part.start) for s in edl.segments)
        spent[name] += sum(max(samples, 0) for samples in inside)
    return {f"time {name}": (spent.get(name, 0) / edl.n_samples, 1.0) for name in SPENT}


SPENT = (
    "right attempt", "whole attempt before", "whole attempt after", "broken-off attempt", "run-through", "false start",
    "vamp", "noodling", "other tune", "no music",
)  # fmt: skip
"""What the time of an edit goes to."""


def _told(part: TakePart, case: Case) -> str:
    if part.kept:
        return "right attempt"
    if part.kind in _PAUSES:
        return "no music"
    if part.kind != "music":
        return part.kind
    if part.unit is None:
        return "run-through"
    if not _is_whole(part, case.units[part.unit]):
        return "broken-off attempt"
    true = next(other for other in case.parts if other.kept and other.unit == part.unit)
    return "whole attempt before" if part.start < true.start else "whole attempt after"
