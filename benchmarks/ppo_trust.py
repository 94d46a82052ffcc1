"""PPO against Stable-Baselines3's on tasks that everybody knows: what is reached after equally many steps.

    python benchmarks/ppo_trust.py [--data DIR] [--seeds 5] [--episodes 100]

Both have two perceptrons of two layers of 64 neurons, Adam, and the same settings: those of rl-baselines3-zoo
(hyperparams/ppo.yml), but constant over training and without normalised observations. Ours is trained by the module
that `rl-editor fit` trains. What was learned is judged by one episode in each of so many environments, the likeliest
action taken each time, in the same environments for both.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from lightning.pytorch import Trainer, seed_everything
from report import publish
from stable_baselines3 import PPO as StablePPO
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from rl_editor.envs.gymnasium_adapter import GymnasiumEnv, Numbers
from rl_editor.modules.ppo import PPO, Ticks
from rl_editor.rl.actor_critic import ActorCritic
from rl_editor.rl.ppo import PPOConfig
from rl_editor.rl.rollout import best_play


class Compared(NamedTuple):
    """A task, and how both are trained on it."""

    name: str
    n_envs: int
    rollouts: int
    ppo: PPOConfig


Train = Callable[[Compared, int], ActorCritic[Any]]
_SAME = {"entropy_weight": 0.0, "kl_stop": 0.0, "clip": 0.2, "clip_norm": 0.5, "value_weight": 0.5}
_TASKS = (
    Compared("CartPole-v1", 8, 200, PPOConfig(32, 20, 1, lr=1e-3, gamma=0.98, gae_lambda=0.8, **_SAME)),
    Compared("Acrobot-v1", 16, 25, PPOConfig(256, 4, 64, lr=3e-4, gamma=0.99, gae_lambda=0.94, **_SAME)),
)


class Stable(ActorCritic[Numbers]):
    """A policy of Stable-Baselines3, asked the way ours is."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, context: None, observation: Numbers, mask: Tensor) -> tuple[Tensor, Tensor]:
        log_probs = self.policy.get_distribution(observation.values).distribution.logits
        return log_probs, self.policy.predict_values(observation.values)[:, 0]


def ours(task: Compared, seed: int) -> ActorCritic[Any]:
    seed_everything(seed, verbose=False)
    module = PPO(GymnasiumEnv(task.name, task.n_envs), ppo=task.ppo)
    trainer = Trainer(
        max_epochs=task.rollouts, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    trainer.fit(module, Ticks())
    return module.actor_critic


def theirs(task: Compared, seed: int) -> ActorCritic[Any]:
    config = task.ppo
    decisions = task.n_envs * config.n_steps
    learner = StablePPO(
        "MlpPolicy", DummyVecEnv([lambda: gymnasium.make(task.name)] * task.n_envs), seed=seed, device="cpu",
        n_steps=config.n_steps, batch_size=decisions // config.minibatches, n_epochs=config.epochs,
        learning_rate=config.lr, gamma=config.gamma, gae_lambda=config.gae_lambda, clip_range=config.clip,
        ent_coef=config.entropy_weight, vf_coef=config.value_weight, max_grad_norm=config.clip_norm,
    )  # fmt: skip
    learner.learn(task.rollouts * decisions)
    return Stable(learner.policy)


def judged(
    train: Callable[[Compared, int], ActorCritic[Any]], task: Compared, seed: int, n: int
) -> tuple[float, float]:
    """Mean return of what was learned, and the processor seconds that it took."""
    began = time.process_time()
    learned = train(task, seed)
    took_s = time.process_time() - began
    returned = float(best_play(learned, GymnasiumEnv(task.name, n), seed=10_000, n_steps=1000).mean())
    print(
        f"{task.name}, seed {seed}, {train.__name__}: {returned:.1f} after {took_s:.0f} s", file=sys.stderr, flush=True
    )
    return returned, took_s


def interval(one: list[float], other: list[float], rng: np.random.Generator) -> tuple[float, float]:
    """Of the difference of two means, 95 %, by resampling seeds."""
    means = [rng.choice(each, (10_000, len(each))).mean(axis=1) for each in (one, other)]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not needed; every benchmark takes it")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    rows: list[list[object]] = []
    for task in _TASKS:
        found = [[judged(train, task, seed, args.episodes) for seed in range(args.seeds)] for train in (ours, theirs)]
        (mine, mine_s), (its, its_s) = (list(map(list, zip(*each, strict=True))) for each in found)
        low, high = interval(mine, its, np.random.default_rng(0))
        steps = task.rollouts * task.n_envs * task.ppo.n_steps
        each = " / ".join(", ".join(f"{value:.0f}" for value in values) for values in (mine, its))
        rows.append([
            task.name, f"{steps:,}", f"{np.mean(mine):.1f}", f"{np.mean(its):.1f}",
            f"{np.mean(mine) - np.mean(its):+.1f} ({low:+.1f} to {high:+.1f})", each,
            f"{steps / np.mean(mine_s):,.0f} / {steps / np.mean(its_s):,.0f}",
        ])  # fmt: skip
    publish(
        "ppo_trust",
        f"PPO and Stable-Baselines3's PPO after equally many steps, {args.seeds} seeds",
        [
            "task", "steps", "ours", "SB3", "difference (95 %, by seed)", "each seed, ours / SB3",
            "steps a processor second, ours / SB3",
        ],
        rows,
        f"Mean return of {args.episodes} episodes, the likeliest action taken each time; one thread.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
