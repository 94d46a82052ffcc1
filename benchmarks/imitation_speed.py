"""How long a policy takes to decide on a long recording, and how much memory its encoder needs.

    python benchmarks/imitation_speed.py --checkpoint RUN --prepared PREPARED [--minutes 20] [--store DIR]

RUN is the folder of a run or a policy's file. The recording is made of raws of PREPARED, one behind the other, analysed
once (`--store` keeps that) and edited to four minutes: CPU seconds of all threads, the least of three times (of one
where several edits are drawn). Threads that wait for each other count as busy, more so where other processes run.
Memory is the most a new process holds that encodes 12,288 beats, once as an editor and once as in training.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from imitation_robustness import analysed
from imitation_takes import checkpoint_of
from report import publish

from rl_editor.analysis.store import Store
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.files import read_audio
from rl_editor.data.prepared import PreparedSet, read_prepared
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import make_instances
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.decision_head import Prepared
from rl_editor.policies.playing import play, recordings_of
from rl_editor.policies.policy_editor import PolicyEditor
from rl_editor.policies.policy_file import load_policy
from rl_editor.policies.recordings import Heard, batched, hear

_TARGET_S = 240.0
_MOST_BEATS = 12_288
_THREADS = (1, 2)
_BEST_OF = 8


@dataclass(frozen=True)
class Spent:
    """Seconds."""

    cpu_s: float
    """Of all threads."""
    wall_s: float

    def __str__(self) -> str:
        return f"{self.cpu_s:.2f} ({self.wall_s:.2f})"


def spent(work: Callable[[], object], times: int = 3) -> Spent:
    """What work takes, the least of several times."""
    every = []
    for _ in range(times):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        every.append(Spent(time.process_time() - cpu, time.perf_counter() - wall))
    return min(every, key=lambda each: each.cpu_s)


def stacked(prepared: PreparedSet, length_s: float) -> tuple[Array, int]:
    """Raws one behind the other, float32 (channels, n), and their rate; only those of the first one's rate."""
    sounds: list[Array] = []
    rate = 0
    for entry in prepared.entries:
        assert entry.measured is not None
        if rate in (0, entry.measured.source.sample_rate):
            recording = read_audio(prepared.folder.parent / entry.measured.raw)
            rate = recording.sample_rate
            sounds.append(recording.audio)
        if sum(sound.shape[1] for sound in sounds) >= length_s * rate:
            break
    return np.concatenate(sounds, axis=1)[:, : round(length_s * rate)], rate


def timed(file: Path, track: Track, n_threads: int) -> dict[str, Spent]:
    """What an edit takes and what it consists of."""
    torch.set_num_threads(n_threads)
    editor, several = PolicyEditor(file), PolicyEditor(file, _BEST_OF)
    request = EditRequest(target_s=_TARGET_S, order="free")
    made = make_instances([track], [(0, request)], RewardConfig())
    recordings = recordings_of(made, [hear(track)])
    which = torch.zeros(1, dtype=torch.int64)

    @torch.inference_mode()
    def encode() -> Prepared:
        return editor.policy.encode(recordings)[1]

    prepared = encode()
    return {
        "the edit, from its Track (bar 2 on 2 cores)": spent(lambda: editor.edit(track, request)),
        "of it: what the network takes in": spent(lambda: hear(track)),
        "of it: what is legal and pays": spent(lambda: make_instances([track], [(0, request)], RewardConfig())),
        "of it: encoding": spent(encode),
        "of it: deciding": spent(lambda: play(editor.policy, prepared, BeatEditEnv(made, 1), which)),
        f"the best of {_BEST_OF} edits": spent(lambda: several.edit(track, request), times=1),
    }


def peak_gib(file: Path, prepared: Path, n_beats: int, *, training: bool) -> tuple[float, float]:
    """GiB that a new process holds before it encodes so many beats, and at most."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_encoded, (file, prepared, n_beats, training))


def _encoded(file: Path, folder: Path, n_beats: int, training: bool) -> tuple[float, float]:
    torch.set_num_threads(max(_THREADS))
    policy = load_policy(file).policy
    recordings = batched([_longer(hear(read_prepared(folder)[0].track), n_beats)], [0.1], [True])
    before = _most_gib()
    if training:
        encoded, prepared = policy.train().encode(recordings)
        (encoded.keep.sum() + prepared.stood.sum() + prepared.landed.sum()).backward()  # type: ignore[no-untyped-call]
    else:
        with torch.inference_mode():
            policy.encode(recordings)
    return before, _most_gib()


def _most_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _longer(heard: Heard, n_beats: int) -> Heard:
    """A recording played over and over: memory does not depend on what is heard."""
    own = len(heard.beats)

    def repeated(column: np.ndarray) -> np.ndarray:
        return np.resize(column, (n_beats + len(column) - own, *column.shape[1:]))

    return Heard(*(repeated(np.asarray(column)) for column in heard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    file = checkpoint_of(args.checkpoint)
    rows = []
    for name, training in (("as an editor", False), ("with gradients", True)):  # first: what is held later is inherited
        before, most = peak_gib(file, args.prepared, _MOST_BEATS, training=training)
        rows.append([f"GiB to encode {_MOST_BEATS:,} beats {name} (bar 4)", "", f"{most:.2f}, {before:.2f} before"])
    audio, sample_rate = stacked(read_prepared(args.prepared), 60.0 * args.minutes)
    track = analysed(audio, sample_rate, Store(args.store) if args.store else None)
    del audio
    times = {n: timed(file, track, n) for n in _THREADS}
    publish(
        "imitation_speed",
        f"CPU s (wall s) for a recording of {args.minutes:g} minutes, {track.n_beats} beats",
        ["what", *(f"{n} thread{'s' * (n > 1)}" for n in _THREADS)],
        [[what, *(str(times[n][what]) for n in _THREADS)] for what in times[1]] + rows,
    )


if __name__ == "__main__":
    main()
