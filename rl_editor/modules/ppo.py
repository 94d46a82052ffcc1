"""PPO under Lightning: one tick, which is one epoch, plays a rollout and learns from it; figures stand over env steps.

A run goes on to the bit where it was stopped. So the episodes under way are in the checkpoint, those of each process,
and an environment must be able to tell its state and to take it back. To begin anew at each tick from a seed of the
tick's would be as exact and ask less of environments, but no episode could then be longer than a rollout. Actions and
minibatches are drawn from a generator of the module's own, also in the checkpoint: the general ones are drawn from by
others at other times where a run is resumed.
"""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.utils.data import DataLoader

from rl_editor.data.splits import Split
from rl_editor.errors import CheckpointError, EnvError, RecipeError
from rl_editor.modules.tasks import Task
from rl_editor.rl.actor_critic import ActorCritic, MlpActorCritic
from rl_editor.rl.ppo import PPOConfig, Update, adapted, annealed, decisions_of, left_a_choice, log_probs_of, update
from rl_editor.rl.rollout import Ended, Environment, Player, Rollout, best_play
from rl_editor.rl.value_scale import ValueScale

_USUAL = PPOConfig()
_WATCHED = {"ep_return", "approx_kl", "explained_variance"}
_SEEDS: dict[Split, int] = {"val": 1_000_000, "test": 2_000_000}  # plus the rank; the same episodes each time


class ResumableEnv(Protocol):
    """What a recipe's environment must have: `rl_editor.envs.base.TensorEnv`, and a state that it tells and takes."""

    def reset(self, seed: Any = None) -> Any:
        """As `TensorEnv`."""
        ...

    def step(self, action: Any) -> Any:
        """As `TensorEnv`."""
        ...

    def state_dict(self) -> Any:
        """As `rl_editor.rl.rollout.Environment`."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """As `rl_editor.rl.rollout.Environment`."""
        ...


class PPOModule(LightningModule):
    """An actor and a critic that learn by playing; derive from it and write `make_env`.

    With `kl_budget` the actor is held near the one that training begins with, e.g. by `--init_from`.
    """

    monitor = "val/ep_return"
    monitor_mode = "max"
    weights_prefix = "actor_critic."

    def __init__(self, actor_critic: ActorCritic[Any], ppo: PPOConfig, *, threads: int, val_steps: int) -> None:
        """Take what learns.

        Args:
            actor_critic: is trained.
            ppo: how.
            threads: of a process on a CPU.
            val_steps: steps after which an episode of validation is counted as it is.
        """
        super().__init__()
        self.automatic_optimization = False
        self.config, self.threads, self.val_steps = ppo, threads, val_steps
        self.actor_critic, self.value_scale = actor_critic, ValueScale()
        self.env_steps, self.kl_weight = 0, ppo.kl_weight
        self._player: Player[Any] | None = None
        self._judged: Environment[Any] | None = None
        self._kept: dict[str, Any] | None = None
        # in a tuple, as it is none of the module's weights
        self._reference: tuple[ActorCritic[Any], ...] = ()

    def make_env(self) -> Environment[Any]:
        """A new environment; each process plays in one and is judged in another."""
        raise NotImplementedError

    def on_fit_start(self) -> None:
        """Bound the threads.

        Raises:
            RecipeError: a precision whose scaled gradients can't be clipped here.
        """
        torch.set_num_threads(self.threads)
        if self.trainer.precision == "16-mixed":
            raise RecipeError("trainer.precision: 16-mixed is not for PPO; bf16-mixed and 32-true are")

    def on_train_start(self) -> None:
        """Begin to play, or go on.

        Raises:
            CheckpointError: the run had another number of processes.
        """
        self._player = Player(self.make_env(), torch.Generator(self.device))
        if self.config.kl_budget:
            self._reference = (self.actor_critic.untrained_copy(),)
        if self._kept is None:
            # what the whole run was seeded with, however much was drawn since
            seeds = np.random.SeedSequence([torch.initial_seed(), self.global_rank]).generate_state(2)
            self._player.generator.manual_seed(int(seeds[0]))
            self._player.begin(int(seeds[1]))
        else:
            self._go_on(self._player, self._kept)
            self._kept = None

    def training_step(self, tick: int, batch_idx: int) -> None:
        """Play a rollout, and learn from it."""
        began, config, player = time.perf_counter(), self.config, self._player
        assert player is not None
        for group in self._optimiser().param_groups:
            group["lr"] = annealed(config, self.current_epoch)
        rollout, ended = self.settled(*player.collect(self.actor_critic, config.n_steps))
        decisions, foreseen = decisions_of(self.actor_critic, rollout, self.value_scale, config, self._average)
        if self._reference:
            decisions = decisions._replace(reference=log_probs_of(self._reference[0], decisions, config.minibatches))
        done = update(
            self.actor_critic,
            decisions,
            config,
            kl_weight=self.kl_weight,
            critic_only=self.current_epoch < config.critic_warmup,
            generator=player.generator,
            backward=self.manual_backward,
            step=self._step,
            average=self._average,
        )
        steps = rollout.action.numel() * self.trainer.world_size
        self.env_steps += steps
        forced = self._average((~left_a_choice(rollout.mask)).float().mean())
        figures = {**_named(done), "explained_variance": float(foreseen), "forced": float(forced)}
        if self._reference:
            figures |= {"reference_kl": float(done.figures.reference_kl), "kl_weight": self.kl_weight}
            self.kl_weight = adapted(self.kl_weight, figures["reference_kl"], config.kl_budget)
        scale = {"value_mean": float(self.value_scale.mean), "value_spread": float(self.value_scale.spread)}
        rate = {"SPS": steps / (time.perf_counter() - began)}
        self._tell("train", {**self._episodes(ended), **figures, **scale, **rate, **self.more_figures(rollout)})

    def settled(self, rollout: Rollout[Any], ended: Ended) -> tuple[Rollout[Any], Ended]:
        """A rollout with what a task pays for it afterwards."""
        return rollout, ended

    def more_figures(self, rollout: Rollout[Any]) -> Mapping[str, float]:
        """What a task tells of a rollout besides, by name."""
        return {}

    def judge(self, side: Split) -> Mapping[str, float]:
        """What is told of the actor when it always takes the likeliest action: its mean return as `ep_return`, more."""
        if self._judged is None:
            self._judged = self.make_env()
        seed = _SEEDS[side] + self.global_rank
        returned = best_play(self.actor_critic, self._judged, seed=seed, n_steps=self.val_steps)
        return {"ep_return": float(self._average(returned.mean().to(self.device)))}

    def validation_step(self, tick: int, batch_idx: int) -> None:
        """Play an episode of each environment, the likeliest action each time."""
        self._tell("val", self.judge("val"))

    def test_step(self, tick: int, batch_idx: int) -> None:
        """The same, other episodes."""
        self._tell("test", self.judge("test"))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.actor_critic.parameters(), lr=self.config.lr, eps=1e-5)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep where all processes stand."""
        if self._player is None:
            return
        own = move_data_to_device(self._player.state_dict(), torch.device("cpu"))
        players = [own]
        if self.trainer.world_size > 1:
            players = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(players, own)
        checkpoint["ppo"] = {
            "env_steps": self.env_steps,
            "kl_weight": self.kl_weight,
            "players": players,
            "reference": self._reference[0].state_dict() if self._reference else None,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep it until playing begins."""
        self._kept = checkpoint.get("ppo")

    def _go_on(self, player: Player[Any], kept: Mapping[str, Any]) -> None:
        processes = len(kept["players"])
        if processes != self.trainer.world_size:
            raise CheckpointError(
                f"the run had {processes} processes and can't go on with {self.trainer.world_size}; "
                "--init_from takes its weights"
            )
        player.load_state_dict(kept["players"][self.global_rank])
        self.env_steps, self.kl_weight = kept["env_steps"], kept["kl_weight"]
        if self._reference:
            self._reference[0].load_state_dict(kept["reference"])

    def _step(self) -> None:
        optimiser = self._optimiser()
        self.clip_gradients(optimiser, self.config.clip_norm, "norm")
        optimiser.step()
        optimiser.zero_grad()

    def _optimiser(self) -> torch.optim.Optimizer:
        """Adam, in Lightning's wrapping."""
        return cast(torch.optim.Optimizer, self.optimizers())

    def averaged(self, figures: Sequence[float]) -> list[float]:
        """Means over processes."""
        told: list[float] = self._average(torch.tensor(figures, device=self.device)).tolist()
        return told

    def _average(self, each: Tensor) -> Tensor:
        """Mean over processes; Lightning's own has them wait for each other once more."""
        if self.trainer.world_size == 1:
            return each
        summed = each.clone()
        torch.distributed.all_reduce(summed)
        return summed / self.trainer.world_size

    def _episodes(self, ended: Ended) -> dict[str, float]:
        """Mean return and length of the episodes that ended, nothing where none did."""
        sums = [ended.returned.sum(), ended.length.sum().float(), torch.tensor(float(len(ended.length)))]
        returned, length, count = self.averaged([float(each) for each in sums])
        return {"ep_return": returned / count, "ep_length": length / count} if count else {}

    def _tell(self, side: str, figures: Mapping[str, float]) -> None:
        """Log figures over environment steps; those that are watched also go where callbacks look."""
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        named = {f"{side}/{name}": value for name, value in figures.items()}
        if fitting and not self.trainer.sanity_checking:
            for logger in self.loggers:
                logger.log_metrics(named, step=self.env_steps)
        watched = {name: value for name, value in named.items() if name.rpartition("/")[2] in _WATCHED}
        self.log_dict(
            watched, logger=False if fitting else None, on_step=False, on_epoch=True, batch_size=1, sync_dist=True
        )


class PPO(PPOModule):
    """PPO on any environment of the tensor contract."""

    def __init__(
        self,
        env: ResumableEnv,
        network: Callable[[Any, int], ActorCritic[Any]] = MlpActorCritic,
        ppo: PPOConfig = _USUAL,
        threads: int = 1,
        val_steps: int = 1000,
    ) -> None:
        """Take an environment and a network by their classes.

        Args:
            env: Class of the environment and what it is made with; copies of it are played in.
            network: Class of the actor and critic, made with an observation, the number of actions and more.
            ppo: How it learns.
            threads: Threads of one process on a CPU; small tensors gain nothing from more.
            val_steps: Steps after which an episode of validation is counted as it is.

        Raises:
            EnvError: the environment does not keep the contract.
        """
        given = _checked(env)
        observation, _ = copy.deepcopy(given).reset(0)
        super().__init__(network(observation, given.n_actions), ppo, threads=threads, val_steps=val_steps)
        self._given = given

    def make_env(self) -> Environment[Any]:
        """A copy of the one that was given."""
        return copy.deepcopy(self._given)


class Ticks(LightningDataModule):
    """One tick an epoch: what is learned from is played, not loaded."""

    def train_dataloader(self) -> DataLoader[int]:
        """One tick."""
        return one_tick()

    def val_dataloader(self) -> DataLoader[int]:
        """One round of episodes."""
        return one_tick()

    def test_dataloader(self) -> DataLoader[int]:
        """One round of episodes."""
        return one_tick()


def one_tick() -> DataLoader[int]:
    """What an epoch of PPO asks for: nothing, once."""
    return DataLoader(range(1), batch_size=None)  # type: ignore[arg-type]  # a sequence of numbers will do


def _checked(env: ResumableEnv) -> Environment[Any]:
    """The environment, whose first observation and mask are as they must be.

    Raises:
        EnvError: they are not, or it lacks something.
    """
    name = f"model.env: {type(env).__module__}.{type(env).__qualname__}"
    for attribute in ("n_envs", "n_actions", "device", "reset", "step", "state_dict", "load_state_dict"):
        if not hasattr(env, attribute):
            raise EnvError(f"{name} has no `{attribute}`; rl_editor.envs.base.TensorEnv and docs/ppo.md say what it is")
    given = cast(Environment[Any], env)
    observation, mask = copy.deepcopy(given).reset(0)
    tensors = observation._asdict().values() if hasattr(observation, "_asdict") else [None]
    if not all(isinstance(each, Tensor) and len(each) == given.n_envs for each in tensors):
        raise EnvError(f"{name}: an observation must be a NamedTuple of tensors ({given.n_envs}, ...)")
    if mask.dtype != torch.bool or mask.shape != (given.n_envs, given.n_actions):
        raise EnvError(f"{name}: a mask must be ({given.n_envs}, {given.n_actions}) bool")
    return given


def _named(done: Update) -> dict[str, float]:
    figures = {name: float(value) for name, value in done.figures._asdict().items() if name != "reference_kl"}
    return {**figures, "first_ratio": float(done.first_ratio), "minibatches": float(done.minibatches)}


TASK = Task(PPO, Ticks)
