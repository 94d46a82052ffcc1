"""Fixed sets of beat-editing instances, train / val / test by song, and what editors return on them.

    python benchmarks/instance_sets.py --data ../shared/data [--fetched DIR] [--store DIR] [--per-song N] [--steps N]

Songs are the *.ogg files of DATA/music and of the folder that --fetched names. A set is told by a seed and the content
hashes of its songs: requests are drawn for each song alone, so that a set does not change when other songs come or go,
and songs are split as prepared sets are. The return of an episode is 0 for the best contiguous window.

Whoever is no policy of the environment is asked for an edit of the instance's length, and returns what the environment
would have paid for it (`terms_of`, less the window's worth). Some editors refuse some lengths: the mean is over the
instances of a set that all of them answered; beside it stands that over an editor's own. `q table` learned on the train
set; `planner` is no learner, but near to what can be had.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from report import publish
from torch import Tensor

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.store import Key, Store, default_folder
from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, DoubleArray
from rl_editor.audio.files import read_audio
from rl_editor.audio.source import identify
from rl_editor.data.splits import Split, split_of
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import Editor, EditRequest
from rl_editor.edits.ruler.table import interval
from rl_editor.envs.base import random_legal
from rl_editor.envs.beat_edit.coarse import ACTIONS, N_STATES, make_coarse
from rl_editor.envs.beat_edit.edit_terms import terms_of
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances, draw_requests, make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import RequestError
from rl_editor.rl.q_table import QTable, Transitions

SPLITS: tuple[Split, ...] = ("train", "val", "test")
BASELINES = ("window", "head", "loudest", "random", "sections")
_SEED = 18
_EPISODES = 256
_FIRST_EPSILON, _LAST_EPSILON = 1.0, 0.05
_PLAYED = 4  # times that random play plays each instance

Play = Callable[[BeatEditEnv], Tensor]
"""An action for each episode."""


@dataclass(frozen=True)
class Row:
    """What one editor returned on one set."""

    split: Split
    editor: str
    returned: DoubleArray
    """Of each instance; NaN where it refused."""
    songs: Sequence[str]
    """Of each."""

    @property
    def answered(self) -> BoolArray:
        return ~np.isnan(self.returned)

    def cells(self, common: BoolArray) -> list[str]:
        """The row, compared on the `common` instances."""
        returned, songs = self.returned[common], np.array(self.songs)[common].tolist()
        low, high = interval(returned, songs)
        return [
            self.split,
            self.editor,
            str(len(returned)),
            str(len(set(songs))),
            f"{returned.mean():.2f} ({low:.2f} to {high:.2f})",
            f"{(returned > 0).mean():.2f}",
            f"{self.answered.sum()} of {len(self.returned)}",
            f"{self.returned[self.answered].mean():.2f}",
        ]


def tracks_of(folders: Sequence[Path], store: Store) -> list[Track]:
    """Analyses of all songs in these folders, each once, by name."""
    files = {path.stem: path for folder in folders for path in sorted(folder.glob("*.ogg"))}
    tracks: dict[str, Track] = {}
    for name in sorted(files):
        recording = read_audio(files[name])
        source = replace(identify(recording.audio, recording.sample_rate), file=name)
        track = store.load(Key(source))
        if track is None:
            track = replace(analyse(recording.audio, recording.sample_rate), source=source)
            store.save(Key(source), track)
        tracks.setdefault(source.content_hash, track)
    return list(tracks.values())


def instance_sets(tracks: Sequence[Track], per_song: int, config: RewardConfig) -> Mapping[Split, Instances]:
    """The sets, those left out that no song is in."""
    sets = {}
    for split in SPLITS:
        own = [track for track in tracks if split_of(track.source.content_hash) == split]
        requests = []
        for number, track in enumerate(own):
            rng = np.random.default_rng([_SEED, int(track.source.content_hash[:8], 16)])
            requests += [(number, request) for _, request in draw_requests([track], per_song, rng, InstanceConfig())]
        if own:
            sets[split] = make_instances(own, requests, config)
    return sets


def songs_of(made: Instances) -> list[str]:
    """The song of each instance."""
    return [made.track_of(number).source.file or "" for number in range(len(made))]


def returns(made: Instances, config: RewardConfig, play: Play) -> DoubleArray:
    """What each instance returns, played once."""
    env = BeatEditEnv(made, len(made), config)
    env.start(torch.arange(len(made)))
    running = torch.ones(len(made), dtype=torch.bool)
    total = torch.zeros(len(made), dtype=torch.float64)
    while running.any():
        after = env.step(play(env))
        total += torch.where(running, after.reward, 0.0)
        running &= ~after.done
    return total.numpy()


def edited(made: Instances, config: RewardConfig, editor: Editor, *, length_alone: bool) -> DoubleArray:
    """What the environment would have paid for an editor's edit of each instance; NaN where it has none.

    Args:
        made: the set.
        config: prices.
        editor: any.
        length_alone: ask for nothing but the length.
    """
    paid = np.full(len(made), np.nan)
    for number, request in enumerate(made.requests):
        track = made.track_of(number)
        target_s = int(made.target[number]) / track.source.sample_rate
        asked = EditRequest(target_s=target_s, slack_s=request.slack_s)
        if not length_alone:
            asked = replace(asked, order=request.order, loops=bool(made.loops[number]))
        with suppress(RequestError):
            edl = replace(editor.edit(track, asked)[0], target_s=target_s)
            paid[number] = (sum(terms_of(edl, track, config)) - float(made.baseline[number])) / target_s
    return paid


def trained(made: Instances, config: RewardConfig, steps: int) -> QTable:
    """A table that has learned on these instances for `steps` steps of each of many episodes."""
    env, coarse = BeatEditEnv(made, _EPISODES, config), make_coarse(made)
    generator = torch.Generator().manual_seed(_SEED)
    table = QTable(N_STATES, len(ACTIONS))
    env.reset(_SEED)
    state, options = coarse.state(env), coarse.options(env)
    for t in range(steps):
        epsilon = _FIRST_EPSILON + (_LAST_EPSILON - _FIRST_EPSILON) * min(1.5 * t / steps, 1.0)
        action = table.explore(state, options >= 0, epsilon, generator)
        after = env.step(options.gather(1, action[:, None])[:, 0])
        following, options = coarse.state(env), coarse.options(env)
        table.update(Transitions(state, action, after.reward, following, options >= 0, after.done))
        state = following
    return table


def by_chance(seed: int) -> Play:
    """Random legal play."""
    generator = torch.Generator().manual_seed(seed)
    return lambda env: random_legal(env.mask, generator)


def by_table(table: QTable, made: Instances) -> Play:
    """The table's greedy play."""
    coarse = make_coarse(made)

    def play(env: BeatEditEnv) -> Tensor:
        options = coarse.options(env)
        return options.gather(1, table.greedy(coarse.state(env), options >= 0)[:, None])[:, 0]

    return play


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder whose music/*.ogg are songs")
    parser.add_argument("--fetched", type=Path, help="folder of more songs, *.ogg, as get_music.py fetches them")
    parser.add_argument("--store", type=Path, help="where analyses are kept")
    parser.add_argument("--per-song", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4000, help=f"of {_EPISODES} episodes, that the table learns from")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = RewardConfig()
    folders = [folder for folder in (args.data / "music", args.fetched) if folder]
    sets = instance_sets(tracks_of(folders, Store(args.store or default_folder())), args.per_song, config)
    began_s = time.perf_counter()
    table = trained(sets["train"], config, args.steps)
    learned_s = time.perf_counter() - began_s
    cells = []
    for split, made in sets.items():
        songs = songs_of(made)
        chance = np.mean([returns(made, config, by_chance(seed)) for seed in range(_PLAYED)], axis=0)
        paid = {"random legal play": chance}
        paid |= {name: edited(made, config, load_editor(name), length_alone=True) for name in BASELINES}
        paid["q table"] = returns(made, config, by_table(table, made))
        paid["planner"] = edited(made, config, load_editor("planner"), length_alone=False)
        rows = [Row(split, name, returned, songs) for name, returned in paid.items()]
        common = np.logical_and.reduce([row.answered for row in rows])
        cells += [row.cells(common) for row in rows]
    header = ["set", "editor", "instances", "songs", "mean return (95 %)", "above 0", "answered", "mean of those"]
    learned = (
        f"The table learned from {args.steps * _EPISODES / 1e6:.1f} million steps in {learned_s:.0f} s; it knows"
        f" {int((table.visits > 0).sum())} of {table.visits.numel()} pairs of state and action."
    )
    listed = "; ".join(f"{split}: {', '.join(sorted(set(songs_of(made))))}" for split, made in sets.items())
    publish("instance_sets", "Instance sets", header, cells, learned, listed)


if __name__ == "__main__":
    main()
