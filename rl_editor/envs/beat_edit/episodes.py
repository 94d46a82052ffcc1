"""N episodes as every facade shows them: NumPy in, NumPy out.

What `BeatEditEnv` begins anew at once, an ended episode, stays as it is here until it is begun: then END is its one
legal action, and does nothing. So Gymnasium's and Stable-Baselines3's rules of what comes after the end are a few
lines each. Every row has a generator of its own: N rows play what N environments of one row would.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.audio.files import read_audio
from rl_editor.edits.actions import END, N_ACTIONS
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import render
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.arguments import check_kinds, checked_seed
from rl_editor.envs.beat_edit.environment import BeatEditEnv, BeatObservation, Judge
from rl_editor.envs.beat_edit.features import Block, make_features
from rl_editor.envs.beat_edit.instances import InstanceConfig, Instances, draw_instances, make_instances
from rl_editor.envs.beat_edit.played import edit_of, meets_length
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.errors import EnvError

_REQUESTS = 32  # drawn for each recording where none are given

Observation = dict[str, Array]


class Episodes:
    """N episodes under way; `begin` them before anything else."""

    ended: BoolArray
    """(N,)."""
    illegal: IntArray
    """Actions of each episode that were not legal and were replaced, (N,)."""
    instance: IntArray
    """(N,)."""
    mask: BoolArray
    """Legal actions, (N, A)."""
    observation: Observation
    """What is observed of each, (N, ·) by name, in new arrays at each step; of ended ones what was before their END."""

    def __init__(
        self,
        n_envs: int,
        render_mode: str | None = None,
        *,
        tracks: Sequence[Track] | None = None,
        requests: Sequence[EditRequest] | None = None,
        config: RewardConfig | None = None,
        instances: InstanceConfig | None = None,
        recordings: Sequence[Path | str] | None = None,
        learned: Judge | None = None,
        rated: Judge | None = None,
    ) -> None:
        """Make N episodes of recordings and requests, or of sample songs.

        Args:
            n_envs: N.
            render_mode: what `render` gives, `rgb_array`, `ansi`; None for nothing.
            tracks: analyses of the recordings; None for sample songs.
            requests: each is asked of each recording; None draws 32 for each, always the same, and leaves out those
                that no edit is known to meet.
            config: what is paid.
            instances: which requests are drawn.
            recordings: files of the tracks, for sound; sample songs have theirs.
            learned: scores of finished edits.
            rated: ratings of finished edits.
        Raises:
            EnvError: an argument is of another kind, there are no tracks, or not as many recordings.
            RequestError: a request has no length, or no edit is known to meet it.
        """
        check_kinds(render_mode, tracks, requests, config, instances, recordings)
        if tracks is None:
            if recordings is not None:
                raise EnvError("recordings without tracks: give the analysis of each, as rl_editor.analyse makes it")
            from rl_editor.envs.beat_edit.samples import sample_recordings

            tracks, recordings = sample_recordings()
        if not tracks or (recordings is not None and len(recordings) != len(tracks)):
            n_files = "no" if recordings is None else str(len(recordings))
            raise EnvError(f"{len(tracks)} tracks and {n_files} recordings: at least one track, and a file for each")
        config = config or RewardConfig()
        made = _instances(tracks, requests, instances or InstanceConfig(), config)
        self.n_envs, self.render_mode = n_envs, render_mode
        self._recordings = None if recordings is None else [Path(each) for each in recordings]
        self._env = BeatEditEnv(made, n_envs, config, learned=learned, rated=rated)
        self._features = make_features(made)
        self.observation_space = spaces.Dict({name: _box(block) for name, block in self._features.blocks.items()})
        self.generators: list[np.random.Generator | None] = [None] * n_envs
        self.ended = np.ones(n_envs, dtype=np.bool_)
        self.illegal = np.zeros(n_envs, dtype=np.int64)
        self.instance = np.zeros(n_envs, dtype=np.int64)
        self.mask = np.arange(N_ACTIONS) == np.full((n_envs, 1), END)
        self._terms = np.zeros((n_envs, len(TERMS)))
        self._samples = np.zeros(n_envs, dtype=np.int64)  # played by ended episodes
        self.observation = {}
        self._so_far: dict[int, IntArray] = {}
        self._last: dict[int, tuple[int, IntArray]] = {}

    @property
    def instances(self) -> Instances:
        """What episodes are of."""
        return self._env.instances

    def seed(self, seeds: Sequence[int | None]) -> None:
        """New generators for the rows that are given a seed, and for those that have none yet.

        Raises:
            EnvError: not one seed for each row, or one that is no number from 0 on.
        """
        if len(seeds) != self.n_envs:
            raise EnvError(f"{len(seeds)} seeds for {self.n_envs} environments: must be one seed, or one for each")
        for row, seed in enumerate(map(checked_seed, seeds)):
            if seed is not None or self.generators[row] is None:
                self.generators[row] = seeding.np_random(seed)[0]

    @torch.inference_mode()  # arrays go out, so nothing could be traced back; a step costs a fifth less
    def begin(self, rows: IntArray, which: IntArray | None = None) -> None:
        """Begin episodes `rows` (n,) anew, with instances `which` (n,); -1 or None draws."""
        wanted = [-1] * len(rows) if which is None else which.tolist()
        drawn = [self._draw(row) if one < 0 else one for row, one in zip(rows.tolist(), wanted, strict=True)]
        chosen = torch.tensor(drawn)
        if len(rows) == self.n_envs:
            observation, mask = self._env.start(chosen)
        else:
            observation, mask = self._env.restart(torch.from_numpy(rows), chosen)
        self.ended[rows], self.illegal[rows], self.instance[rows] = False, 0, drawn
        self._show(observation, mask)

    @torch.inference_mode()
    def step(self, action: IntArray) -> Array:
        """One action each, (N,); what is paid, (N,) float32. Ended episodes stay as they are.

        Raises:
            EnvError: an action is none of the 130, or nothing was begun yet.
        """
        if not self.observation:
            raise EnvError("reset comes before the first step")
        whole = action.shape == (self.n_envs,) and np.issubdtype(action.dtype, np.integer)
        if not whole or ((action < 0) | (action >= N_ACTIONS)).any():
            wanted = "a whole number" if self.n_envs == 1 else f"{self.n_envs} whole numbers"
            raise EnvError(f"action {action.tolist()}: must be {wanted} from 0 to {N_ACTIONS - 1}")
        if self.ended.all():  # what goes on below them is nobody's, and no judge must see it
            self.observation = {name: values.copy() for name, values in self.observation.items()}
            return np.zeros(self.n_envs, dtype=np.float32)
        running = ~self.ended
        self._keep_edits(np.flatnonzero(running & self.mask[:, END]))
        samples = self._env.state.samples
        after = self._env.step(torch.from_numpy(action.astype(np.int64)))
        ends = after.terminated.numpy() & running
        self.ended = self.ended | ends
        self.illegal = self.illegal + (after.illegal.numpy() & running)
        if ends.any():
            self._terms[ends] = self._env.last_terms.numpy()[ends]
            self._samples[ends] = samples.numpy()[ends]
        for row in np.flatnonzero(ends).tolist():
            self._last[row] = int(self.instance[row]), np.append(self._so_far[row], END)
        self._show(after.observation, after.mask)
        return np.where(running, after.reward.numpy(), np.float32(0.0))

    def info(self, row: int) -> dict[str, Any]:
        """What Gymnasium calls `info`: mask, illegal actions, instance; of an ended episode also its terms and length.

        `length_met` says whether `edl` is as long as was asked for, to the slack.
        """
        told = {
            "mask": self.mask[row].copy(),
            "illegal": int(self.illegal[row]),
            "instance": int(self.instance[row]),
        }
        return told | {"terms": self.terms(row), "length_met": self.length_met(row)} if self.ended[row] else told

    def terms(self, row: int) -> dict[str, float]:
        """Seconds of good music by term, of an ended episode."""
        return dict(zip(TERMS, self._terms[row].tolist(), strict=True))

    def length_met(self, row: int) -> bool:
        """Whether the edit of an ended episode is as long as was asked for, to the slack."""
        which = int(self.instance[row])
        as_played = meets_length(self.instances, which, int(self._samples[row]))
        return as_played or meets_length(self.instances, which, self.edl(row).n_samples)

    def edl(self, row: int) -> EDL:
        """The edit of an ended episode, its length met to the slack; of one under way what was played so far.

        Raises:
            EnvError: nothing was played yet.
        """
        return edit_of(self.instances, int(self.instance[row]), self._actions(row))

    def last_edl(self, row: int) -> EDL:
        """The edit of the last episode of a row that has ended, though the next one be under way.

        Raises:
            EnvError: none has ended yet.
        """
        if row not in self._last:
            raise EnvError("no episode has ended yet")
        return edit_of(self.instances, *self._last[row])

    def audio(self, row: int) -> Array:
        """The sound of `edl`, float32 (channels, samples).

        Raises:
            EnvError: nothing was played yet, or the recording's file is not known or another one.
            AudioError: the file can't be read.
        """
        edl = self.edl(row)
        sound = self._sound(row)
        if sound is None:
            raise EnvError("no sound without the recording: make the environment with recordings=[file, ...]")
        return render(sound, edl)

    def render(self, row: int, mode: str | None) -> NDArray[np.uint8] | str | None:
        """The same edit as a picture (`rgb_array`), uint8 (height, width, 3), or as a list (`ansi`)."""
        if mode is None:
            return None
        from rl_editor.envs.beat_edit.picture import as_picture, as_text

        track = self.instances.track_of(int(self.instance[row]))
        edl = self.edl(row) if len(self._actions(row)) else None
        return as_text(edl, track) if mode == "ansi" else as_picture(edl, track, self._sound(row))

    def _draw(self, row: int) -> int:
        generator = self.generators[row]
        assert generator is not None, "seed the rows first"
        return int(generator.integers(len(self.instances)))

    def _show(self, observation: BeatObservation, mask: Tensor) -> None:
        """Keep what is now observed of all but the ended episodes."""
        around = self._features.of(self._env)._asdict() | {"scalars": self._features.scalars(observation)}
        shown = {name: values.flatten(1).numpy() for name, values in around.items()}
        self.mask = mask.numpy()
        if self.ended.any():
            for name, values in shown.items():
                values[self.ended] = self.observation[name][self.ended]
            self.mask = np.where(self.ended[:, None], np.arange(N_ACTIONS) == END, self.mask)
        self.observation = shown

    def _keep_edits(self, rows: IntArray) -> None:
        """Keep the actions of episodes that the next one may end: the environment then forgets them."""
        if len(rows):
            actions = self._env.finished(torch.from_numpy(rows)).actions.numpy()
            self._so_far = {row: own[own >= 0] for row, own in zip(rows.tolist(), actions, strict=True)}

    def _actions(self, row: int) -> IntArray:
        """What was done, END included where it was; a landing whose beat was not played yet is left out."""
        if self.ended[row] and row in self._last:
            return self._last[row][1]
        actions = self._env.finished(torch.tensor([row])).actions.numpy()[0]
        done = actions[actions >= 0]
        return done[:-1] if bool(self._env.state.must_keep[row]) else done

    def _sound(self, row: int) -> Array | None:
        """The recording of an episode, where its file is known."""
        if self._recordings is None:
            return None
        track = self.instances.track_of(int(self.instance[row]))
        file = self._recordings[self.instances.tracks.index(track)]
        recording = read_audio(file)
        if recording.source != track.source:
            raise EnvError(f"{file}: is not the recording that was analysed")
        return recording.audio


class Episode:
    """One of N episodes: what may be asked of it by name."""

    def __init__(self, episodes: Episodes, row: int) -> None:
        self._episodes, self._row = episodes, row
        self.render_mode = episodes.render_mode

    def action_masks(self) -> BoolArray:
        """Legal actions, (A,)."""
        return self._episodes.mask[self._row].copy()

    def edl(self) -> EDL:
        """As `Episodes.edl`."""
        return self._episodes.edl(self._row)

    def last_edl(self) -> EDL:
        """As `Episodes.last_edl`."""
        return self._episodes.last_edl(self._row)

    def audio(self) -> Array:
        """As `Episodes.audio`."""
        return self._episodes.audio(self._row)

    def render(self) -> NDArray[np.uint8] | str | None:
        """As `Episodes.render`."""
        return self._episodes.render(self._row, self.render_mode)


def _instances(
    tracks: Sequence[Track],
    requests: Sequence[EditRequest] | None,
    drawn: InstanceConfig,
    config: RewardConfig,
) -> Instances:
    """Each request of each recording, or drawn ones."""
    if requests is None:
        return draw_instances(tracks, _REQUESTS * len(tracks), np.random.default_rng(0), drawn, config)
    if not requests:
        raise EnvError("no requests: give at least one, or none at all to have them drawn")
    asked = [(number, request) for number in range(len(tracks)) for request in requests]
    return make_instances(tracks, asked, config)


def _box(block: Block) -> spaces.Box:
    low, high = (np.tile(bounds, block.rows) for bounds in zip(*(column[1:] for column in block.columns), strict=True))
    return spaces.Box(low.astype(np.float32), high.astype(np.float32))
