"""How fast PPO is on beat editing, play and learning together, beside sb3-contrib's MaskablePPO.

    python benchmarks/ppo_speed.py --data ../shared/data [--rounds 2] [--threads 1] [--store DIR]

Both edit the songs of `DIR/music`, 32 drawn requests for each, for the same reward, and see the numbers that the
facades show. Both have two perceptrons of two layers of 64 neurons, equally many weights. MaskablePPO plays in our
batched `VecEnv`. The same updates are 16,384 decisions, as many as MaskablePPO's defaults come to, learned from 4 times
in minibatches of 4,096, and 4,096 decisions in minibatches of 1,024; its defaults are 10 times in minibatches of 64.
Ours is trained by the module that `rl-editor fit` trains, Lightning included, and stops no update early. All are
measured from their first step on.

Ours sees in one of two ways. `features` holds the numbers of each situation side by side, as MaskablePPO does. `places`
holds where the situation stands, reads what never changes about a place once for all situations of a minibatch that
stand there, and adds what does change. That is the same function of the same weights, which is checked, with less to
move and to multiply; how much less depends on how many situations of a minibatch share a place.
"""

import argparse
import importlib.util
import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from decode_replay import analysed
from lightning.pytorch import Trainer, seed_everything
from report import publish
from torch import Tensor
from torch.nn.functional import linear

from rl_editor.analysis.store import Store
from rl_editor.analysis.track import Track
from rl_editor.edits.actions import N_ACTIONS, kinds_of
from rl_editor.envs.base import Transition, random_legal
from rl_editor.envs.beat_edit.environment import SCALARS, BeatEditEnv, BeatObservation
from rl_editor.envs.beat_edit.features import AFTER, BEFORE, Features, make_features
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances, draw_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.modules.ppo import PPOModule, Ticks
from rl_editor.rl.actor_critic import ActorCritic, MlpActorCritic
from rl_editor.rl.masked import masked_log_probs
from rl_editor.rl.ppo import PPOConfig
from rl_editor.rl.rollout import Player

_REQUESTS = 32
_ROLLOUTS = 4  # of ours in a measurement; of theirs one takes as long
_MOST_PLAYS = 8
_CHECKED_STEPS = 50


class Case(NamedTuple):
    """What is measured: whose PPO, and how it is set."""

    whose: str
    n_envs: int
    n_steps: int
    epochs: int
    minibatch: int

    @property
    def update(self) -> tuple[int, int, int]:
        """Decisions of an update, how often they are learned from, and how many at a time."""
        return self.n_envs * self.n_steps, self.epochs, self.minibatch

    @property
    def set(self) -> str:
        """How it is set."""
        return f"{self.n_envs} x {self.n_steps}, {self.epochs} x {self.minibatch:,}"


_THEIRS, _BY_FEATURES, _BY_PLACES = "MaskablePPO", "ours, `features`", "ours, `places`"
_THEIR_DEFAULT = Case(_THEIRS, 8, 2048, 10, 64)
_CASES = (
    *(Case(_THEIRS, n_envs, 16_384 // n_envs, 4, 4_096) for n_envs in (8, 32, 64)),
    Case(_BY_FEATURES, 256, 64, 4, 4_096),
    *(Case(_BY_PLACES, n_envs, 16_384 // n_envs, 4, 4_096) for n_envs in (256, 1024)),
    Case(_THEIRS, 64, 64, 4, 1_024),
    Case(_BY_PLACES, 256, 16, 4, 1_024),
    _THEIR_DEFAULT,
    Case(_BY_PLACES, 512, 128, 4, 16_384),
)


class Rates(NamedTuple):
    """Decisions a processor second."""

    whole: float
    play: float
    """Of playing alone."""
    weights: int
    """Of the network."""

    @property
    def update(self) -> float:
        """Of learning alone."""
        return 1.0 / (1.0 / self.whole - 1.0 / self.play)


class Situation(NamedTuple):
    """N situations as their features."""

    still: Tensor
    """What is always so at that place, (N, F)."""
    moving: Tensor
    """What depends on the edit so far, (N, M)."""


class Placed(NamedTuple):
    """N situations as where they stand and what depends on the edit."""

    row: Tensor
    """Of the places of all recordings, (N,) int64."""
    moving: Tensor
    """(N, M)."""


class Editing:
    """Beat editing as PPO takes it: `BeatEditEnv`, with the features that the facades show."""

    n_actions = N_ACTIONS

    def __init__(self, made: Instances, n_envs: int, features: Features, see: Callable[[Placed], Any]) -> None:
        self.env, self.n_envs, self.device = BeatEditEnv(made, n_envs), n_envs, made.row.device
        self.features, self.see = features, see

    def reset(self, seed: int | None = None) -> tuple[Any, Tensor]:
        observation, mask = self.env.reset(seed)
        return self.see(self._placed(observation)), mask

    def step(self, action: Tensor) -> Transition[Any]:
        after = self.env.step(action)
        seen = self.see(self._placed(after.observation))
        return after._replace(observation=seen, final=seen)  # none is broken off, so nobody asks what was last

    def state_dict(self) -> dict[str, Any]:
        return self.env.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env.load_state_dict(state)

    def _placed(self, observation: BeatObservation) -> Placed:
        state, features, rows = self.env.state, self.features, self.env.rows
        beat, place = features.around.flatten(0, 1).index_select(0, rows).unbind(1)
        once = features.beats[..., -1].flatten().index_select(0, place.flatten()).view_as(beat)
        plays = state.plays.gather(1, beat.clamp(0, state.plays.shape[1] - 1)).clamp_(max=_MOST_PLAYS)
        kinds = features.kinds.index_select(0, (kinds_of(state, beat[:, BEFORE + AFTER :]) + 1).flatten())
        parts = (features.scalars(observation), state.must_keep[:, None], plays * once, kinds.view(len(rows), -1))
        return Placed(rows, torch.cat([part.float() for part in parts], dim=1))


class ByPlace(ActorCritic[Placed]):
    """The function of an `MlpActorCritic` on `Situation`s: what its first layers make of a place is found once."""

    def __init__(self, still: Tensor, plain: MlpActorCritic) -> None:
        super().__init__()
        self.still, self.plain = still, plain

    def prepare(self) -> Tensor | None:
        """All places read, (places, 2 width); with gradients only those of a minibatch will be."""
        if torch.is_grad_enabled():
            return None
        return linear(self.still, self._first()[0][:, : self.still.shape[1]])

    def forward(self, context: Tensor | None, observation: Placed, mask: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias = self._first()
        of_still, of_moving = weight.tensor_split([self.still.shape[1]], dim=1)
        if context is None:
            row, again = observation.row.unique(return_inverse=True)
            read = linear(self.still.index_select(0, row), of_still).index_select(0, again)
        else:
            read = context.index_select(0, observation.row)
        acts, judges = (read + linear(observation.moving, of_moving, bias)).chunk(2, dim=1)
        return masked_log_probs(self.plain.actor[1:](acts), mask), self.plain.critic[1:](judges)[:, 0]

    def critic_parameters(self) -> Any:
        return self.plain.critic_parameters()

    def critic_head(self) -> Any:
        return self.plain.critic_head()

    def _first(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of both first layers, one under the other."""
        first = (self.plain.actor[0], self.plain.critic[0])
        return torch.cat([layer.weight for layer in first]), torch.cat([layer.bias for layer in first])


class Learner(PPOModule):
    """PPO in an environment that is given."""

    def __init__(self, env: Editing, actor_critic: ActorCritic[Any], ppo: PPOConfig, threads: int) -> None:
        super().__init__(actor_critic, ppo, threads=threads, val_steps=1)
        self.env = env

    def make_env(self) -> Any:
        return self.env


def still_of(features: Features) -> Tensor:
    """What is always so at each place of all recordings, (Q (B+1), F)."""
    place = features.around[:, :, 1].flatten(0, 1)
    beats = features.beats[..., :-1].flatten(0, 1)[place].flatten(1)
    recording = features.recording.repeat_interleave(features.landings.shape[1], dim=0)
    return torch.cat([beats, features.landings.flatten(0, 1).flatten(1), recording], dim=1)


def ours(made: Instances, case: Case, threads: int) -> Rates:
    """Rates of our PPO.

    Raises:
        AssertionError: as `check`.
    """
    seed_everything(0, verbose=False)
    features = make_features(made)
    still = still_of(features)
    seeing = Editing(made, case.n_envs, features, lambda placed: Situation(still[placed.row], placed.moving))
    placing = Editing(made, case.n_envs, features, lambda placed: placed)
    plain = MlpActorCritic(seeing.reset(0)[0], N_ACTIONS)
    check(seeing, placing, plain, ByPlace(still, plain))
    env, network = (placing, ByPlace(still, plain)) if case.whose == _BY_PLACES else (seeing, plain)
    trainer = Trainer(
        max_epochs=_ROLLOUTS, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    decisions = case.n_envs * case.n_steps
    ppo = PPOConfig(case.n_steps, case.epochs, decisions // case.minibatch, kl_stop=0.0)
    began = time.process_time()
    trainer.fit(Learner(env, network, ppo, threads), Ticks())
    whole_s = (time.process_time() - began) / _ROLLOUTS
    player = Player[Any](env, torch.Generator().manual_seed(1))
    player.begin(1)
    began = time.process_time()
    player.collect(network, case.n_steps)
    return Rates(decisions / whole_s, decisions / (time.process_time() - began), weights(network))


@torch.no_grad()
def check(seeing: Editing, placing: Editing, plain: MlpActorCritic, by_place: ByPlace) -> None:
    """Whether what is seen is what the facades show, and both ways to see it give the same, in edits under way.

    Raises:
        AssertionError: it is not.
    """
    generator = torch.Generator().manual_seed(0)
    (_, mask), _ = seeing.reset(0), placing.reset(0)
    for _ in range(_CHECKED_STEPS):
        action = random_legal(mask, generator)
        (seen, mask, *_), (placed, *_) = seeing.step(action), placing.step(action)
    scalars = seen.moving[:, : len(SCALARS)]
    shown = torch.cat([scalars, *(each.flatten(1) for each in seeing.features.of(seeing.env))], dim=1)
    torch.testing.assert_close(torch.cat(seen, dim=1).sort().values, shown.sort().values)
    for context in (None, by_place.prepare()):
        torch.testing.assert_close(by_place(context, placed, mask), plain(None, seen, mask), rtol=1e-4, atol=1e-4)


def theirs(tracks: Sequence[Track], case: Case) -> Rates:
    """Rates of MaskablePPO."""
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.callbacks import BaseCallback

    from rl_editor.envs.beat_edit.sb3_env import BeatEditVecEnv

    class Clock(BaseCallback):
        """Processor seconds spent playing."""

        played_s = 0.0

        def _on_rollout_start(self) -> None:
            self.played_s -= time.process_time()

        def _on_rollout_end(self) -> None:
            self.played_s += time.process_time()

        def _on_step(self) -> bool:
            return True

    learner = MaskablePPO(
        "MultiInputPolicy", BeatEditVecEnv(case.n_envs, tracks=tracks), seed=0, device="cpu",
        n_steps=case.n_steps, n_epochs=case.epochs, batch_size=case.minibatch,
    )  # fmt: skip
    clock, decisions = Clock(), case.n_envs * case.n_steps
    began = time.process_time()
    learner.learn(decisions, callback=clock)
    whole_s = time.process_time() - began
    return Rates(decisions / whole_s, decisions / clock.played_s, weights(learner.policy))


def weights(network: torch.nn.Module) -> int:
    """How many it has."""
    return sum(weight.numel() for weight in network.parameters())


def row(case: Case, found: dict[Case, list[Rates]]) -> list[object]:
    """Means over the rounds, and how many times as fast as MaskablePPO in the same round."""
    own = found[case]
    columns = zip(*((rates.whole, rates.play, rates.update) for rates in own), strict=True)
    share = np.mean([rates.whole / rates.play for rates in own])
    peers = [found[each] for each in found if each.whose == _THEIRS and each.update == case.update]
    best = [max(each.whole for each in rates) for rates in zip(*peers, strict=True)]
    default = [rates.whole for rates in found.get(_THEIR_DEFAULT, [])]
    return [
        case.whose,
        case.set,
        *(f"{np.mean(each):,.0f}" for each in columns),
        f"{share:.0%}",
        times(own, best),
        times(own, default),
    ]


def times(rates: list[Rates], others: list[float]) -> str:
    """Mean ratio, and the least and the greatest of the rounds; nothing where there is nothing to compare with."""
    ratios = [one.whole / other for one, other in zip(rates, others, strict=False)]
    return f"{np.mean(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})" if ratios else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    store = Store(args.store) if args.store else None
    tracks = [analysed(path, store) for path in sorted((args.data / "music").glob("*.ogg"))]
    made = draw_instances(tracks, _REQUESTS * len(tracks), np.random.default_rng(0), InstanceConfig(), RewardConfig())
    has_peer = importlib.util.find_spec("sb3_contrib") is not None
    if not has_peer:
        print("sb3-contrib is not installed: MaskablePPO is left out", file=sys.stderr)
    cases = [case for case in _CASES if has_peer or case.whose != _THEIRS]
    found: dict[Case, list[Rates]] = {case: [] for case in cases}
    for _ in range(args.rounds):
        for case in cases:
            rates = theirs(tracks, case) if case.whose == _THEIRS else ours(made, case, args.threads)
            found[case].append(rates)
            print(f"{case.whose}, {case.set}: {rates.whole:,.0f}", file=sys.stderr, flush=True)
    if len(counts := {rates.weights for each in found.values() for rates in each}) > 1:
        raise SystemExit(f"not equally many weights: {sorted(counts)}")
    publish(
        "ppo_speed",
        f"PPO on beat editing: decisions a processor second, {args.threads} thread(s)",
        [
            "whose", "environments x steps, epochs x minibatch", "play and learning", "play alone", "learning alone",
            "share of play", "times MaskablePPO's best at the same updates", "times its defaults",
        ],
        [row(case, found) for case in cases],
        f"{len(tracks)} songs of {sum(track.n_beats for track in tracks):,} beats, {counts.pop():,} weights. "
        f"Means of {args.rounds} round(s); of ratios, each of one round, also the least and the greatest.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
