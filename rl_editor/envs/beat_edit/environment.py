"""Beat editing as a tensor environment: N edits under way, what each step pays, and how the next episode begins."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rl_editor.edits.actions import END, KEEP, N_ACTIONS, Places, State, kinds_of, move, moved
from rl_editor.edits.stacking import stacked
from rl_editor.envs.base import Transition
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.payment import Paid, Payment, make_payment
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.envs.beat_edit.rules import GoingBack, allowed
from rl_editor.errors import EnvError

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

_ROOM = 256  # steps of an episode that are kept, at first
_KEPT = ("instance", "steps", "history", "counts", "terms", "returned", "last_terms", "illegal")


class BeatObservation(NamedTuple):
    """What is known of N edits under way; landings and features are gathered by whoever needs them."""

    instance: Tensor
    """(N,) int64."""
    recording: Tensor
    """Which of the instances' tracks, (N,) int64."""
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


class Asked(NamedTuple):
    """What stays as it is during an episode: of each instance, or of each of N episodes."""

    recording: Tensor
    """(N,) int64."""
    first_row: Tensor
    """Of the recording, among the playheads of all, (N,) int64."""
    target: Tensor
    """Samples, (N,) int64."""
    target_s: Tensor
    """(N,) float64."""
    units: Tensor
    """What each scalar is counted in, (N, S) float32."""
    sections: Tensor
    """How many different ones an edit can hold, (N,) float64."""
    baseline: Tensor
    """What the best window is worth, seconds of good music, (N,) float64."""

    def of(self, which: Tensor) -> "Asked":
        """Those of instances `which` (N,)."""
        return Asked(*(each.index_select(0, which) for each in self))


Judge = Callable[[Finished], Tensor]
"""What finished edits are worth, (n,) of any floating type; NaN for those it knows nothing of."""


class BeatEditEnv:
    """N edits that step together, drawn from a set of instances.

    `learned` scores finished edits, weighed by `config.learned`; those it knows nothing of get 0. `rated` tells what a
    person gave them: where it does, that is the return of the episode, whatever was paid before.
    """

    n_actions = N_ACTIONS
    state: State
    """Where the N edits stand."""
    asked: Asked
    """What stays as it is during each of the N episodes."""
    back: GoingBack
    """What each of them may do but go ahead."""
    left: Tensor
    """Samples still to play, (N,) int64."""
    rows: Tensor
    """Where the playheads stand among those of all recordings, B+1 for each, (N,) int64."""
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
        Raises:
            EnvError: there is no episode.
        """
        if n_envs < 1:
            raise EnvError(f"{n_envs} environments: must be at least 1")
        self.instances, self.n_envs = instances, n_envs
        self.config = config or RewardConfig()
        self.device = instances.row.device
        self.learned, self.rated = learned, rated
        self.payment: Payment = make_payment(instances, self.config)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.illegal = torch.zeros(n_envs, dtype=torch.int64, device=self.device)
        self._each, self._backs = _asked(instances, self.payment), instances.going_back()
        rows = instances.rules.tables.bounds.shape[1]
        seams, bounds = zip(*((track.landings.seam, track.bounds) for track in instances.tracks), strict=True)
        self._seams = stacked(seams, rows, fill=1.0, device=self.device).flatten(0, 1)
        self._bounds = stacked(bounds, rows, device=self.device).flatten()
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

    def step(self, action: Tensor, outside: Places | None = None) -> Transition[BeatObservation]:
        """One action each; one that is not legal becomes KEEP, else END, else the lowest that is.

        Args:
            action: (N,) int64, from 0 to A-1.
            outside: places that some of the landing actions go to instead of the table's, legal or not, as people
                who are imitated do; they are paid as the action's own.
        Raises:
            EnvError: a judge gives no number for each finished edit.
        """
        legal = self.mask.gather(1, action[:, None])[:, 0]
        if outside is not None:
            legal = legal | (outside.beat >= 0)
        if not bool(legal.all()):
            action = torch.where(legal, action, self.mask.to(torch.uint8).argmax(dim=1))
            self.illegal += ~legal
        self._record(action)
        ends = (action == END).nonzero()[:, 0]
        by = move(self.instances.rules.tables, self.state, action, outside)
        paid = self.payment.of(self.state, action, by, self.rows)
        if len(ends):
            own = (each[ends] for each in (self.asked.recording, self.state.plays, self.asked.sections, self.left))
            paid.terms.index_add_(0, ends, self.payment.of_whole(*own))
        self.terms += paid.terms
        self._count(paid, action == KEEP)
        self.state = moved(self.state, by, action)
        reward = self._reward(paid.terms, ends)
        done, never = self.state.ended, torch.zeros_like(legal)
        self._look()
        ended = BeatObservation(*(each[ends] for each in self._observed())) if len(ends) else None
        if ended is not None:
            self._renew(ends, self._drawn(len(ends)))
        self.mask = self._mask()
        observation = final = self._observed()
        if ended is not None:
            pairs = zip(observation, ended, strict=True)
            final = BeatObservation(*(now.index_copy(0, ends, then) for now, then in pairs))
        return Transition(observation, self.mask, reward, done, never, final, ~legal)

    def finished(self, rows: Tensor) -> Finished:
        """The edits of episodes `rows` (n,) as far as they have come."""
        actions = self.history[rows]
        steps = torch.arange(actions.shape[1], device=self.device)
        return Finished(self.instance[rows], torch.where(steps < self.steps[rows][:, None], actions.long(), -1))

    def state_dict(self) -> dict[str, Any]:
        """All that decides how it goes on with the same instances, its generator's state too."""
        state = {each.name: getattr(self.state, each.name).clone() for each in fields(State)}
        kept = {name: getattr(self, name).clone() for name in _KEPT}
        return {"state": state, **kept, "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            EnvError: the state is that of another number of episodes, or of other instances.
        """
        plays = state["state"]["plays"]
        if plays.shape != self.state.plays.shape or int(state["instance"].max()) >= len(self.instances):
            raise EnvError("the state is that of another number of episodes, or of other recordings")
        self.state = State(**{name: each.to(self.device).clone() for name, each in state["state"].items()})
        for name in _KEPT:
            setattr(self, name, state[name].to(self.device).clone())
        self._room = 0  # is counted anew
        self.asked, self.back = self._each.of(self.instance), self._backs.of(self.instance)
        self.generator.set_state(state["generator"].cpu())
        self._look()
        self.mask = self._mask()

    def _begin(self, which: Tensor) -> None:
        self.instance, self.asked, self.back = which, self._each.of(which), self._backs.of(which)
        self.state = self.instances.begun(which)
        self.steps = torch.zeros_like(which)
        self.history = torch.zeros(self.n_envs, _ROOM, dtype=torch.int16, device=self.device)
        self._room = _ROOM  # steps that fit for sure: the longest episode may have ended since it was counted
        self.counts = torch.zeros(self.n_envs, 4, dtype=torch.int64, device=self.device)
        self.terms = torch.zeros(self.n_envs, len(TERMS), dtype=torch.float64, device=self.device)
        self.returned, self.last_terms = self.terms[:, 0].clone(), torch.zeros_like(self.terms)
        self._look()
        self.mask = self._mask()

    def _drawn(self, count: int) -> Tensor:
        return torch.randint(len(self.instances), (count,), generator=self.generator, device=self.device)

    def _look(self) -> None:
        """What follows from where the edits stand, and is asked for more than once."""
        self.left = self.asked.target - self.state.samples
        self.rows = self.asked.first_row + self.state.playhead

    def _mask(self) -> Tensor:
        return allowed(self.instances.rules, self.state, self.left, self.back)

    def _record(self, action: Tensor) -> None:
        """Keep what was done; twice the room where it does not suffice."""
        if self._room == 0:
            self._room = self.history.shape[1] - int(self.steps.max())
        if self._room == 0:
            self._room = self.history.shape[1]
            self.history = torch.cat([self.history, torch.zeros_like(self.history)], dim=1)
        self._room -= 1
        self.history.scatter_(1, self.steps[:, None], action[:, None].to(torch.int16))
        self.steps += 1

    def _count(self, paid: Paid, keeps: Tensor) -> None:
        """The last four of `SCALARS`."""
        joins, loops, reorders, since_join = self.counts.unbind(1)
        joins += paid.joins
        loops += paid.loops
        reorders += paid.back
        since_join.add_(keeps).masked_fill_(paid.joins, 0)

    def _reward(self, paid: Tensor, ends: Tensor) -> Tensor:
        """What is paid for this step, (N,) float32."""
        config = self.config
        worth = paid.sum(dim=1) if config.dense else torch.zeros_like(self.returned)
        if len(ends) and not config.dense:
            worth[ends] = self.terms[ends].sum(dim=1)
        if len(ends) and config.window_baseline:
            worth[ends] -= self.asked.baseline[ends]
        reward = config.rules * worth / self.asked.target_s
        if len(ends) and self.learned is not None:
            score = _judged(self.learned, self.finished(ends)).to(reward)
            reward[ends] += config.learned * score.nan_to_num(nan=0.0)
        if len(ends) and self.rated is not None:
            rating = _judged(self.rated, self.finished(ends)).to(reward)
            reward[ends] = torch.where(rating.isnan(), reward[ends], rating - self.returned[ends])
        self.returned += reward
        return reward.to(torch.float32)

    def _renew(self, rows: Tensor, which: Tensor) -> None:
        """New instances `which` (n,) for episodes `rows` (n,)."""
        own = self.state
        own.plays.index_fill_(0, rows, 0)
        self.instance = self.instance.index_copy(0, rows, which)
        self.asked, self.back = self._each.of(self.instance), self._backs.of(self.instance)
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
        self.last_terms[rows] = self.terms[rows]
        for each in (self.steps, self.returned, self.counts, self.terms):
            each.index_fill_(0, rows, 0)
        self._look()

    def landings(self) -> LandingObservation:
        """The landings that the N edits now have before them."""
        state, tables = self.state, self.instances.rules.tables
        at = state.track * tables.bounds.shape[1] + state.playhead
        beat, half = (each.flatten(0, 1).index_select(0, at) for each in (tables.beat, tables.half))
        return LandingObservation(beat, half, kinds_of(state, beat), self._seams.index_select(0, self.rows))

    def _observed(self) -> BeatObservation:
        state, asked = self.state, self.asked
        return BeatObservation(self.instance, asked.recording, state.playhead, state.must_keep, self._scalars())

    def _scalars(self) -> Tensor:
        target, passed = self.asked.target, self._bounds.index_select(0, self.rows)
        columns = (self.left, self.state.samples, target, target, passed, *self.counts.unbind(1))
        scalars = torch.stack(columns, dim=1) / self.asked.units
        scalars[:, -1].clamp_(max=1.0)
        return scalars


def _asked(instances: Instances, payment: Payment) -> Asked:
    """Of each instance."""
    recording, target = instances.track[instances.row], instances.target
    bounds = instances.rules.tables.bounds
    whole, rate = bounds[instances.row, -1], payment.rate[recording]
    eight, beats = torch.full_like(whole, 8), torch.full_like(whole, 32)
    units = (target, target, whole, 240.0 * rate, whole, eight, eight, eight, beats)
    return Asked(
        recording=recording,
        first_row=recording * bounds.shape[1],
        target=target,
        target_s=target / rate,
        units=torch.stack([unit.to(torch.float32) for unit in units], dim=1),
        sections=instances.sections,
        baseline=instances.baseline,
    )


def _judged(judge: Judge, edits: Finished) -> Tensor:
    """What a judge says of finished edits, (n,)."""
    said = judge(edits)
    if not isinstance(said, Tensor) or said.shape != edits.instance.shape or not said.is_floating_point():
        told = f"{said.dtype} {tuple(said.shape)}" if isinstance(said, Tensor) else f"a {type(said).__name__}"
        raise EnvError(f"a judge gave {told}: must be a tensor of {len(edits.instance)} floating-point numbers")
    return said
