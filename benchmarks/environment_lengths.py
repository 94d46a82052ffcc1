"""Random legal play on real songs: whether every episode ends within the window around its target.

    python benchmarks/environment_lengths.py --data ../shared/data [--fetched DIR] [--episodes 256] [--store DIR]

Of each song requests of 0.03 to 1.5 times its length are drawn, forward and free, with and without repeats; each is
played once, by actions drawn evenly from the legal ones. A request that no edit is known to meet is told as refused.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from decode_replay import analysed
from report import publish

from rl_editor.analysis.store import Store
from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END
from rl_editor.envs.base import random_legal
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import InstanceConfig, draw_instances
from rl_editor.envs.beat_edit.reward import RewardConfig


def played(track: Track, count: int) -> tuple[int, np.ndarray, int]:
    """Refused requests; samples by which each episode is off, over its window; steps of the longest."""
    made = draw_instances([track], count, np.random.default_rng(0), InstanceConfig(), RewardConfig())
    env, generator = BeatEditEnv(made, len(made)), torch.Generator().manual_seed(0)
    env.start(torch.arange(len(made)))
    off = torch.full((len(made),), torch.nan, dtype=torch.float64)
    window = made.rules.window[made.row]
    steps = 0
    while off.isnan().any():
        action = random_legal(env.mask, generator)
        first = (action == END) & off.isnan()
        off[first] = (env.left[first].abs() / window[first]).double()
        env.step(action)
        steps += 1
    return count - len(made), off.numpy(), steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path, nargs="*", default=[])
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    store = Store(args.store) if args.store else None
    folders = [args.data / "music", *args.fetched]
    songs = {path.name: path for folder in reversed(folders) for path in folder.glob("*.ogg")}
    rows, within, episodes = [], 0, 0
    for path in sorted(songs.values(), key=lambda path: path.name):
        track = analysed(path, store)
        refused, off, steps = played(track, args.episodes)
        within, episodes = within + int((off <= 1.0).sum()), episodes + len(off)
        rows.append(
            [path.stem, track.n_beats, len(off), f"{(off <= 1.0).mean():.3f}", f"{off.max():.3f}", refused, steps]
        )
    publish(
        "environment_lengths",
        f"Random legal play on {len(songs)} songs, targets 0.03 to 1.5 times the song",
        ["song", "beats", "episodes", "within the window", "furthest off / window", "refused", "steps"],
        rows,
        f"Within the window: {within} of {episodes}.",
    )


if __name__ == "__main__":
    main()
