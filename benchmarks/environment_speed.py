"""Steps a second of the beat-editing environment: random legal play, and what gathering features adds.

    python benchmarks/environment_speed.py [--data DIR] [--seconds 5] [--threads 2]

Recordings of 256 to 2,500 beats with full landing tables, as random as the rest: no step looks at the sound. A step is
the drawing of an action, the transition, the reward as it comes, ends, the next episode and its mask; landings and
features are gathered on demand and told apart. Beside them stands Gymnasium's CartPole, stepped the same way.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import torch
from report import publish

from rl_editor.envs.base import random_legal
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.features import make_features
from rl_editor.envs.beat_edit.instances import InstanceConfig, draw_requests, make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conftest import random_track

_BATCHES = (1, 64, 1024, 4096)
_BEATS = (256, 500, 1000, 1500, 2000, 2500)
_PEERS = (1, 64)


def rates(step: Callable[[], None], n: int, seconds: float) -> tuple[float, float]:
    """Steps a second of N episodes, by the clock and by processor time."""
    for _ in range(5):
        step()
    wall, cpu, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < seconds:
        step()
        steps += n
    return steps / (time.perf_counter() - wall), steps / (time.process_time() - cpu)


def playing(env: BeatEditEnv) -> Callable[[], None]:
    """One step of random legal play."""
    generator = torch.Generator(env.device).manual_seed(0)
    env.reset(0)

    def step() -> None:
        env.step(random_legal(env.mask, generator))

    return step


def cart_poles(n: int) -> Callable[[], None]:
    """One step of N cart poles under random actions."""
    poles = gymnasium.make_vec("CartPole-v1", num_envs=n, vectorization_mode="sync")
    poles.reset(seed=0)
    return lambda: poles.step(poles.action_space.sample()) and None


def single(env: gymnasium.Env[object, object]) -> Callable[[], None]:
    """One step of random legal play through the facade, features and all."""
    rng = np.random.default_rng(0)
    env.reset(seed=0)

    def step() -> None:
        legal = np.flatnonzero(env.get_wrapper_attr("action_masks")())
        if any(env.step(int(rng.choice(legal)))[2:4]):
            env.reset()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="not needed; every benchmark takes it")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng, config = np.random.default_rng(0), RewardConfig()
    tracks = [random_track(rng, beats, share=0.9) for beats in _BEATS]
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows: list[list[object]] = []
    for device in devices:
        made = make_instances(tracks, draw_requests(tracks, 200, rng, InstanceConfig()), config, device=device)
        features = make_features(made)
        for n in _BATCHES:
            env = BeatEditEnv(made, n, config)
            plain = rates(playing(env), n, args.seconds)
            gathering = rates(lambda env=env, features=features: features.of(env) and None, n, args.seconds / 2)
            rows.append([f"{device}, N = {n}", f"{plain[0]:,.0f}", f"{plain[1]:,.0f}", f"{1e6 / gathering[0]:,.1f} µs"])
    facade = rates(
        single(gymnasium.make("rl_editor/BeatEdit-v0", tracks=tracks[2:3], disable_env_checker=True)), 1, args.seconds
    )
    rows.append(
        ["one episode by Gymnasium's facade, features and all", f"{facade[0]:,.0f}", f"{facade[1]:,.0f}", "in it"]
    )
    for n in _PEERS:
        pole = rates(cart_poles(n), n, args.seconds / 2)
        rows.append([f"CartPole-v1, SyncVectorEnv, N = {n}", f"{pole[0]:,.0f}", f"{pole[1]:,.0f}", "in it"])
    publish(
        "environment_speed",
        f"Steps a second of random legal play, {args.threads} thread(s)",
        ["what", "steps a second", "a second of processor time", "features of one episode"],
        rows,
    )


if __name__ == "__main__":
    main()
