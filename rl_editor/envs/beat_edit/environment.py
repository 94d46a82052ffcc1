"""Beat editing as a tensor environment: N edits under way, what each step pays, and how the next episode begins."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.edits.actions import END, KEEP, N_ACTIONS, State, advance, kinds_of
from rl_editor.envs.base import Transition
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.payment import Payment, make_payment
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.envs.beat_edit.rules import allowed

SCALARS = (
    "left",
    "played",
    "ratio",
    "target_s",
    "passed",
    "joins",
    "loops",
    "reorders",
    "since_join",
)
"""Columns of `BeatObservation.scalars`: share of the target still to play and already played; target over the
recording's length; target in seconds over 240; share of the recording before the playhead; joins, loops and joins that
go back to what was passed over, each over 8; beats since the last join over 32, at most 1."""


class BeatObservation(NamedTuple):
    """What is known of N edits under way; landings and features are gathered by whoever needs them."""

    instance: Tensor
    """(N,) int64."""
    track: Tensor
    """Number of the recording, (N,) int64."""
    playhead: Tensor
    """Beat before which it stands, (N,) int64."""
    must_keep: Tensor
    """A landing was just taken whose beat is still to be played, (N,) bool."""
    scalars: Tensor
    """(N, S) float32, columns `SCALARS`."""


class LandingObservation(NamedTuple):
    """The landings of N playheads."""

    beat: Tensor
    """(N, K) int64; -1 where there is none."""
    half: Tensor
    """(N, K) int64."""
    kind: Tensor
    """(N, K) int64 of `Kind`; -1 where there is none."""
    seam: Tensor
    """Seam vectors, (N, K, C) float32; 1 where there is none."""


class Finished(NamedTuple):
    """n edits that came to their end."""

    instance: Tensor
    """(n,) int64."""
    actions: Tensor
    """(n, T) int64; -1 after the END of each."""


Judge = Callable[[Finished], Tensor]
"""What finished edits are worth, (n,) float32; NaN for those it knows nothing of."""


class BeatEditEnv:
    """N edits that step together, drawn from a set of instances.

    `learned` scores finished edits, weighed by `config.learned`. `rated` tells what a person gave them: where it
    does, that is the return of the episode, whatever was paid before.
    """

    n_actions = N_ACTIONS
    state: State
    """Where the N edits stand."""
    mask: Tensor
    """Legal actions, (N, A) bool."""
    terms: Tensor
    """Seconds of good music by term so far, (N, T) float64, columns `TERMS`."""
    last_terms: Tensor
    """Of the last episode that came to its end in each place, (N, T)."""

    def __init__(
        self,
        instances: Instances,
        n_envs: int,
        config: RewardConfig | None = None,
        *,
        learned: Judge | None = None,
        rated: Judge | None = None,
        seed: int = 0,
    ) -> None:
        """Make N environments; `reset` begins the episodes.

        Args:
            instances: what episodes are drawn from, with equal chances.
            n_envs: N.
            config: what is paid.
            learned: scores of finished edits.
            rated: ratings of finished edits.
            seed: of the drawing.
        """
        self.instances, self.n_envs = instances, n_envs
        self.config = config or RewardConfig()
        self.device = instances.row.device
        self.learned, self.rated = learned, rated
        self.payment: Payment = make_payment(instances, self.config)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.illegal = torch.zeros(n_envs, dtype=torch.int64, device=self.device)
        self._seams = _seams(instances)
        self._begin(self._drawn(n_envs))

    def reset(self, seed: int | None = None) -> tuple[BeatObservation, Tensor]:
        """Begin N episodes of drawn instances."""
        if seed is not None:
            self.generator.manual_seed(seed)
        self.illegal.zero_()
        return self.start(self._drawn(self.n_envs))

    def start(self, which: Tensor) -> tuple[BeatObservation, Tensor]:
        """Begin episodes of instances `which` (N,)."""
        self._begin(which)
        return self._observed(), self.mask

    def restart(self, rows: Tensor, which: Tensor) -> tuple[BeatObservation, Tensor]:
        """Begin episodes `rows` (n,) anew with instances `which` (n,); what is then observed of all N."""
        self._renew(rows, which)
        self.mask = self._mask()
        return self._observed(), self.mask

    def step(self, action: Tensor) -> Transition[BeatObservation]:
        """One action each; one that is not legal becomes KEEP, else END, else the lowest that is."""
        legal = self.mask.gather(1, action[:, None])[:, 0]
        if not bool(legal.all()):
            action = torch.where(legal, action, self.mask.to(torch.uint8).argmax(dim=1))
            self.illegal += ~legal
        self._record(action)
        ends = (action == END).nonzero()[:, 0]
        paid = self.payment.of(self.state, action, self.left, ends)
        self.terms += paid.terms
        self.counts[:, :3].add_(paid.joins)
        self.counts[:, 3] = (self.counts[:, 3] + (action == KEEP)) * ~paid.joins[:, 0]
        self.state = advance(self.instances.rules.tables, self.state, action)
        reward = self._reward(paid.terms, ends)
        done, never = self.state.ended, torch.zeros_like(legal)
        ended = BeatObservation(*(each[ends] for each in self._observed())) if len(ends) else None
        if ended is not None:
            self._renew(ends, self._drawn(len(ends)))
        self.mask = self._mask()
        observation = final = self._observed()
        if ended is not None:
            pairs = zip(observation, ended, strict=True)
            final = BeatObservation(*(now.index_copy(0, ends, then) for now, then in pairs))
        return Transition(observation, self.mask, reward, done, never, final, ~legal)

    @property
    def left(self) -> Tensor:
        """Samples still to play, (N,) int64."""
        return self.target - self.state.samples

    def finished(self, rows: Tensor) -> Finished:
        """The edits of episodes `rows` (n,) as far as they have come."""
        actions = self.history[rows]
        steps = torch.arange(actions.shape[1], device=self.device)
        return Finished(self.instance[rows], torch.where(steps < self.steps[rows][:, None], actions.long(), -1))

    def _begin(self, which: Tensor) -> None:
        self.instance = which
        self.state = self.instances.begun(which)
        nothing = torch.zeros_like(which)
        self.steps, self.returned = nothing, nothing.double()
        self.counts = torch.zeros(self.n_envs, 4, dtype=torch.int64, device=self.device)
        self.history = torch.zeros(self.n_envs, 256, dtype=torch.int16, device=self.device)
        self.terms = torch.zeros(self.n_envs, len(TERMS), dtype=torch.float64, device=self.device)
        self.last_terms = torch.zeros_like(self.terms)
        self.target = self.instances.target[which]
        self.target_s = self.payment.target_s(self.state.track, self.target)
        self.units = self._units(self.state, self.target)
        self.mask = self._mask()

    def _drawn(self, count: int) -> Tensor:
        return torch.randint(len(self.instances), (count,), generator=self.generator, device=self.device)

    def _units(self, state: State, target: Tensor) -> Tensor:
        """What each scalar is counted in, (N, S) float32."""
        whole = self.instances.rules.tables.bounds[state.track, -1]
        rate = self.payment.rate[self.instances.track[state.track]]
        joins, beats = torch.full_like(whole, 8), torch.full_like(whole, 32)
        columns = (target, target, whole, 240.0 * rate, whole, joins, joins, joins, beats)
        return torch.stack([column.to(torch.float32) for column in columns], dim=1)

    def _mask(self) -> Tensor:
        made = self.instances
        return allowed(
            made.rules,
            self.state,
            self.left,
            loops=made.loops[self.instance],
            most_plays=made.most_plays[self.instance],
        )

    def _record(self, action: Tensor) -> None:
        """Keep what was done; twice the room where it does not suffice."""
        if int(self.steps.max()) >= self.history.shape[1]:
            self.history = torch.cat([self.history, torch.zeros_like(self.history)], dim=1)
        self.history.scatter_(1, self.steps[:, None], action[:, None].to(torch.int16))
        self.steps += 1

    def _reward(self, paid: Tensor, ends: Tensor) -> Tensor:
        """What is paid for this step, (N,) float32."""
        config = self.config
        worth = paid.sum(dim=1) if config.dense else torch.zeros_like(self.returned)
        if len(ends) and not config.dense:
            worth[ends] = self.terms[ends].sum(dim=1)
        if len(ends) and config.window_baseline:
            worth[ends] -= self.instances.baseline[self.instance[ends]]
        reward = config.rules * worth / self.target_s
        if len(ends) and self.learned is not None:
            reward[ends] += config.learned * self.learned(self.finished(ends)).to(reward)
        if len(ends) and self.rated is not None:
            rating = self.rated(self.finished(ends)).to(reward)
            reward[ends] = torch.where(rating.isnan(), reward[ends], rating - self.returned[ends])
        self.returned += reward
        return reward.to(torch.float32)

    def _renew(self, rows: Tensor, which: Tensor) -> None:
        """New instances `which` (n,) for episodes `rows` (n,)."""
        own = self.state
        own.plays.index_fill_(0, rows, 0)
        self.instance = self.instance.index_copy(0, rows, which)
        self.target = self.target.index_copy(0, rows, self.instances.target[which])
        state = self.instances.begun(which)
        self.state = replace(
            own,
            track=own.track.index_copy(0, rows, state.track),
            playhead=own.playhead.index_copy(0, rows, state.playhead),
            must_keep=own.must_keep.index_copy(0, rows, state.must_keep),
            ended=own.ended.index_copy(0, rows, state.ended),
            furthest=own.furthest.index_copy(0, rows, state.furthest),
            samples=own.samples.index_copy(0, rows, state.samples),
        )
        self.target_s[rows] = self.payment.target_s(state.track, self.instances.target[which])
        self.units[rows] = self._units(state, self.instances.target[which])
        self.last_terms[rows] = self.terms[rows]
        for each in (self.steps, self.returned, self.counts, self.terms):
            each.index_fill_(0, rows, 0)

    def landings(self) -> LandingObservation:
        """The landings that the N edits now have before them."""
        state, tables = self.state, self.instances.rules.tables
        at = state.track * tables.bounds.shape[1] + state.playhead
        beat = tables.beat.flatten(0, 1)[at]
        recording = self.instances.track[state.track]
        return LandingObservation(
            beat=beat,
            half=tables.half.flatten(0, 1)[at],
            kind=kinds_of(state, beat),
            seam=self._seams.flatten(0, 1)[recording * self._seams.shape[1] + state.playhead],
        )

    def _observed(self) -> BeatObservation:
        state = self.state
        return BeatObservation(
            self.instance, self.instances.track[state.track], state.playhead, state.must_keep, self._scalars()
        )

    def _scalars(self) -> Tensor:
        state, bounds = self.state, self.instances.rules.tables.bounds
        passed = bounds.flatten()[state.track * bounds.shape[1] + state.playhead]
        columns = (self.left, state.samples, self.target, self.target, passed, *self.counts.unbind(1))
        scalars = torch.stack(columns, dim=1) / self.units
        scalars[:, -1].clamp_(max=1.0)
        return scalars


def _seams(instances: Instances) -> Tensor:
    """Seam vectors of all landings of Q recordings, (Q, B+1, K, C) float32."""
    rows = instances.rules.tables.bounds.shape[1]
    seams = [track.landings.seam for track in instances.tracks]
    padded = [np.pad(seam, [(0, rows - len(seam)), (0, 0), (0, 0)], constant_values=1.0) for seam in seams]
    return torch.as_tensor(np.stack(padded), device=instances.row.device)
