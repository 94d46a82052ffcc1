"""Instances of beat editing: which recording is to be edited, and what is asked for.

A set of instances is made once, with the tables of its rules and what its best window is worth; episodes draw from it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.clock import clock
from rl_editor.edits.actions import KEEP, State, begin
from rl_editor.edits.request import EditRequest, Order
from rl_editor.edits.wishes import resolve
from rl_editor.envs.beat_edit.reward import RewardConfig, best_window, possible_sections, worth_of
from rl_editor.envs.beat_edit.rules import Assignment, GoingBack, Rules, allowed, make_rules
from rl_editor.errors import EnvError, RequestError

_MOST_PLAYS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
_FOUND = 3  # nearest lengths that a refusal offers


@dataclass(frozen=True)
class InstanceConfig:
    """Which requests are drawn."""

    shortest: float = 0.03
    """Shortest target, as a share of the recording; targets are drawn evenly by ratio."""
    longest: float = 1.5
    """Longest target, as a share of the recording."""
    slack_s: float = 1.0
    """Seconds by which a length may be off."""
    free: float = 0.5
    """Share of instances in which sections may change places."""
    loops: float = 0.25
    """Share of instances in which beats may be repeated though the length does not demand it."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (math.isfinite(value) and value >= 0):
                raise EnvError(f"{each.name} {value}: must be a number, 0 or more")
        if not 0 < self.shortest <= self.longest:
            raise EnvError(
                f"targets from {self.shortest} to {self.longest}: must be above 0, and the longest no shorter"
            )
        if max(self.free, self.loops) > 1:
            raise EnvError(f"free {self.free}, loops {self.loops}: are shares, from 0 to 1")


@dataclass(frozen=True, eq=False)
class Instances:
    """M instances of R assignments of recordings; made by `make_instances`."""

    tracks: tuple[Track, ...]
    track: Tensor
    """Recording of each assignment, (R,) int64."""
    rules: Rules
    requests: tuple[EditRequest, ...]
    """Of each instance."""
    row: Tensor
    """Assignment of each instance, (M,) int64."""
    target: Tensor
    """Samples, (M,) int64."""
    loops: Tensor
    """Beats may be repeated, (M,) bool."""
    most_plays: Tensor
    """How often a beat may be landed on, (M,) int64."""
    sections: Tensor
    """How many different ones an edit can hold, (M,) float64."""
    baseline: Tensor
    """What the best window is worth, seconds of good music, (M,) float64."""

    def __len__(self) -> int:
        return len(self.requests)

    def track_of(self, which: int) -> Track:
        """The recording of instance `which`."""
        return self.tracks[int(self.track[self.row[which]])]

    def going_back(self) -> GoingBack:
        """What episodes of each instance may do but go ahead, (M,) each."""
        return self.rules.going_back(self.row, self.loops, self.most_plays)

    def begun(self, which: Tensor) -> State:
        """Episodes of instances `which` (N,) of which nothing was played yet."""
        state = begin(self.rules.tables, self.row[which])
        first = self.rules.first[state.track]
        return replace(state, playhead=first.clamp(min=0), must_keep=first >= 0)


def draw_requests(
    tracks: Sequence[Track], count: int, rng: np.random.Generator, config: InstanceConfig
) -> list[tuple[int, EditRequest]]:
    """`count` requests, each with the number of its recording; the recordings take turns."""
    drawn = []
    for number in range(count):
        keep = float(np.exp(rng.uniform(np.log(config.shortest), np.log(config.longest))))
        free, loops = rng.random(2) < (config.free, config.loops)
        order: Order = "free" if free else "forward"
        asked = EditRequest(keep=keep, slack_s=config.slack_s, order=order, loops=bool(loops))
        drawn.append((number % len(tracks), asked))
    return drawn


def draw_instances(
    tracks: Sequence[Track],
    count: int,
    rng: np.random.Generator,
    drawn: InstanceConfig,
    config: RewardConfig,
    *,
    device: torch.device | str = "cpu",
) -> Instances:
    """Instances of `count` drawn requests, without those that no edit is known to meet.

    Args:
        tracks: analyses.
        count: how many are drawn.
        rng: of the drawing.
        drawn: which are drawn.
        config: prices, for the best window.
        device: where the tables live.
    Raises:
        RequestError: no edit is known to meet any of them.
    """
    return meetable_instances(tracks, draw_requests(tracks, count, rng, drawn), config, device=device)


def meetable_instances(
    tracks: Sequence[Track],
    requests: Sequence[tuple[int, EditRequest]],
    config: RewardConfig,
    *,
    device: torch.device | str = "cpu",
) -> Instances:
    """Instances as `make_instances` makes them, without those that no edit is known to meet.

    Raises:
        RequestError: no edit is known to meet any of them, or one has no length.
    """
    made, can = _with_repeats(_made(tracks, requests, config, device))
    kept = can.nonzero()[:, 0]
    if len(kept) == 0:
        raise RequestError(_refusal(made, 0))
    return replace(
        made,
        requests=tuple(made.requests[number] for number in kept.tolist()),
        row=made.row[kept],
        target=made.target[kept],
        loops=made.loops[kept],
        most_plays=made.most_plays[kept],
        sections=made.sections[kept],
        baseline=made.baseline[kept],
    )


def make_instances(
    tracks: Sequence[Track],
    requests: Sequence[tuple[int, EditRequest]],
    config: RewardConfig,
    *,
    device: torch.device | str = "cpu",
) -> Instances:
    """Instances of these recordings.

    Args:
        tracks: analyses.
        requests: what is asked for, each with the number of its recording.
        config: prices, for the best window.
        device: where the tables live.
    Raises:
        RequestError: a request without a length, or one that no edit by KEEP and landings is known to meet.
    """
    made, can = _with_repeats(_made(tracks, requests, config, device))
    if not bool(can.all()):
        raise RequestError(_refusal(made, int((~can).nonzero()[0])))
    return made


def _made(
    tracks: Sequence[Track],
    requests: Sequence[tuple[int, EditRequest]],
    config: RewardConfig,
    device: torch.device | str,
) -> Instances:
    """Instances without repeats that nobody asked for."""
    assignments: dict[tuple[object, ...], Assignment] = {}
    rows = [_assign(assignments, number, tracks[number], request) for number, request in requests]
    targets = [_target(tracks[number], request) for number, request in requests]
    numbered = list(assignments.values())
    rules = make_rules(numbered, device=device)
    worths = [worth_of(track, config) for track in tracks]
    window = rules.window.tolist()
    sections, windows = list[float](), dict[tuple[int, int], float]()
    for (number, _), row, target in zip(requests, rows, targets, strict=True):
        track, worth, banned = tracks[number], worths[number], numbered[row].wishes.banned
        sections.append(possible_sections(track, worth, target))
        if (row, target) not in windows:
            windows[row, target] = best_window(track, worth, target, config, window=window[row], banned=banned)
    place = {id(track): number for number, track in enumerate(tracks)}
    return Instances(
        tracks=tuple(tracks),
        track=torch.tensor([place[id(each.track)] for each in numbered], device=device),
        rules=rules,
        requests=tuple(request for _, request in requests),
        row=torch.tensor(rows, device=device),
        target=torch.tensor(targets, device=device),
        loops=torch.tensor([request.loops for _, request in requests], device=device),
        most_plays=torch.full((len(requests),), _MOST_PLAYS[0], device=device),
        sections=torch.tensor(sections, dtype=torch.float64, device=device),
        baseline=torch.tensor(
            [windows[pair] for pair in zip(rows, targets, strict=True)], dtype=torch.float64, device=device
        ),
    )


def _assign(assignments: dict[tuple[object, ...], Assignment], number: int, track: Track, request: EditRequest) -> int:
    """Row of a request's assignment; requests that differ in length and repeats alone share one."""
    wished = (request.locks, request.bans, request.start_s, request.end_s, request.slack_s, request.order)
    key = (number, *wished)
    target = _target(track, request)
    if key not in assignments:
        slack = round(request.slack_s * track.source.sample_rate)
        wishes = resolve(track, request)
        assignments[key] = Assignment(track, wishes, slack, free=request.order == "free", longest=target)
    assignments[key] = replace(assignments[key], longest=max(assignments[key].longest, target))
    return list(assignments).index(key)


def _target(track: Track, request: EditRequest) -> int:
    length_s = request.length_s(track.source.duration_s)
    if length_s is None:
        raise RequestError(f"{track.source.file or 'recording'}: an episode needs a length, in seconds or as a share")
    return round(length_s * track.source.sample_rate)


def _with_repeats(made: Instances) -> tuple[Instances, Tensor]:
    """The instances with repeats where their length demands them, as many as are needed, and which can be met."""
    everyone = torch.arange(len(made), device=made.row.device)
    can = finishable(made, everyone, made.target, made.loops, made.most_plays)
    for most in _MOST_PLAYS:
        if bool(can.all()):
            break
        plays = torch.where(can, made.most_plays, most)
        loops = made.loops | ~can
        can = finishable(made, everyone, made.target, loops, plays)
        made = replace(made, loops=loops, most_plays=plays)
    return made, can


def finishable(made: Instances, which: Tensor, target: Tensor, loops: Tensor, most_plays: Tensor) -> Tensor:
    """Whether there is a certificate for instances `which` (N,) with these targets and repeats, (N,) bool."""
    state = made.begun(which)
    fixed = state.must_keep
    back = made.rules.going_back(state.track, loops, most_plays)
    mask = allowed(made.rules, replace(state, must_keep=torch.zeros_like(fixed)), target, back)
    return torch.where(fixed, mask[:, KEEP], mask.any(dim=1))


def _refusal(made: Instances, number: int) -> str:
    """Why an instance is refused, with the nearest lengths that can be had."""
    track = made.track_of(number)
    rate = track.source.sample_rate
    wanted = int(made.target[number])
    grid = torch.arange(rate // 2, max(2 * wanted, int(2 * track.bounds[-1])), rate // 2, device=made.row.device)
    which = torch.full_like(grid, number)
    can = torch.zeros_like(grid, dtype=torch.bool)
    for most in (_MOST_PLAYS[0], _MOST_PLAYS[-1]):
        loops = made.loops[which] | (most > _MOST_PLAYS[0])
        can |= finishable(made, which, grid, loops, torch.full_like(grid, most))
    lengths = grid[can]
    nearest = lengths[(lengths - wanted).abs().argsort(stable=True)[:_FOUND]].sort().values.tolist()
    name = track.source.file or "recording"
    refused = f"{name}: no edit that meets these wishes is known to be {clock(wanted / rate)} long"
    offers = ", ".join(dict.fromkeys(clock(length / rate) for length in nearest))
    return f"{refused}; the nearest lengths are {offers}" if offers else f"{refused}, nor of any other length"
