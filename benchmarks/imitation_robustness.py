"""Whether a policy decides alike when a take is louder, has another EQ, is mono or faster.

    python benchmarks/imitation_robustness.py --checkpoints RUN [RUN ...] --prepared PREPARED [--takes 6] [--store DIR]

RUN is the folder of a run or a policy's file; PREPARED a prepared set beside its raws. Takes are one of each song that
no run says it has learned from. Each raw is changed, analysed anew (`--store` keeps that) and edited to the same share
of its length. A beat of the take as it is counts as decided alike if the other edit plays it or leaves it out as well,
within one beat. Overlap is (F1 - r) / (1 - r) of the time both edits keep, r the F1 of as much at random: it does not
count what both leave out. For comparison the planner, which shows what the analysis makes of it.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from imitation_takes import checkpoint_of, songs_trained_on
from report import publish
from scipy.signal import resample_poly, sosfilt

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.store import Key, Store
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray
from rl_editor.audio.files import read_audio
from rl_editor.audio.mixing import high_shelf
from rl_editor.audio.source import identify
from rl_editor.data.prepared import Entry, PreparedTake, read_prepared
from rl_editor.edits.edl import EDL
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import Editor, EditRequest
from rl_editor.policies.imitation import overlap
from rl_editor.policies.policy_editor import PolicyEditor

_CORNER_HZ = 1500.0
_FASTER = (28, 25)


def shelved(audio: Array, sample_rate: int, gain_db: float) -> Array:
    """Above 1.5 kHz louder or softer."""
    changed: Array = sosfilt(high_shelf(_CORNER_HZ, gain_db, sample_rate), audio, axis=1).astype(np.float32)
    return changed


CHANGES: dict[str, Callable[[Array, int], Array]] = {
    "+6 dB": lambda audio, _: audio * np.float32(10.0 ** (6 / 20)),
    "-6 dB": lambda audio, _: audio * np.float32(10.0 ** (-6 / 20)),
    "+3 dB above 1.5 kHz": lambda audio, rate: shelved(audio, rate, 3.0),
    "-3 dB above 1.5 kHz": lambda audio, rate: shelved(audio, rate, -3.0),
    "mono": lambda audio, _: np.repeat(audio.mean(axis=0, keepdims=True), len(audio), axis=0),
    "1.12 x speed": lambda audio, _: resample_poly(audio, _FASTER[1], _FASTER[0], axis=1).astype(np.float32),
}


def analysed(audio: Array, sample_rate: int, store: Store | None) -> Track:
    """The analysis of sound, from the store where it is there."""
    source = identify(audio, sample_rate)
    track = store.load(Key(source)) if store else None
    if track is None:
        track = analyse(audio, sample_rate, source=source)
        if store:
            store.save(Key(source), track)
    return track


def in_time_of(track: Track, edl: EDL) -> EDL:
    """An edit of the same recording at another speed, in samples of the recording as it was."""
    n_samples = track.source.n_samples
    faster = n_samples / edl.source.n_samples
    segments = tuple(
        replace(each, start=round(each.start * faster), end=min(round(each.end * faster), n_samples))
        for each in edl.segments
    )
    return replace(edl, source=track.source, segments=segments)


def mostly_played(edl: EDL, track: Track) -> BoolArray:
    """Beats of which an edit plays at least half, (B,)."""
    starts, ends = track.bounds[:-1], track.bounds[1:]
    played = np.zeros(track.n_beats)
    for segment in edl.segments:
        played = np.maximum(
            played, (np.minimum(ends, segment.end) - np.maximum(starts, segment.start)) / (ends - starts)
        )
    return played >= 0.5


def alike(ours: BoolArray, theirs: BoolArray) -> float:
    """Share of beats for which both edits decided the same, within one beat."""
    near = np.stack([theirs, np.append(theirs[1:], theirs[-1]), np.append(theirs[0], theirs[:-1])])
    return float((near == ours).any(axis=0).mean())


def compared(
    take: PreparedTake, raw: Path, editors: Sequence[Editor], store: Store | None
) -> dict[str, list[tuple[float, float]]]:
    """Share of beats decided alike, and overlap, of each editor with itself, by change."""
    recording = read_audio(raw)
    request = EditRequest(keep=take.edl.duration_s / take.track.source.duration_s, order="free")
    before = [editor.edit(take.track, request)[0] for editor in editors]
    told = {}
    for name, change in CHANGES.items():
        track = analysed(change(recording.audio, recording.sample_rate), recording.sample_rate, store)
        after = [in_time_of(take.track, editor.edit(track, request)[0]) for editor in editors]
        played = [[mostly_played(edl, take.track) for edl in each] for each in (before, after)]
        told[name] = [
            (alike(ours, theirs), overlap(edl, ours.astype(np.float32), take.track))
            for ours, theirs, edl in zip(*played, after, strict=True)
        ]
        print(take.entry.key, name, ", ".join(f"{share:.2f} ({lap:.2f})" for share, lap in told[name]), flush=True)
    return told


def one_a_song(entries: Sequence[Entry], trained_on: set[str]) -> list[Entry]:
    """The first take of each song that was not trained on."""
    firsts: dict[str, Entry] = {}
    for entry in entries:
        if entry.measured and entry.measured.song_hash not in trained_on:
            firsts.setdefault(entry.measured.song_hash, entry)
    return list(firsts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, nargs="+", required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--takes", type=int, default=6)
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    policies: list[Editor] = [PolicyEditor(checkpoint_of(run)) for run in args.checkpoints]
    store = Store(args.store) if args.store else None
    prepared = read_prepared(args.prepared)
    entries = one_a_song(prepared.entries, songs_trained_on(args.checkpoints))[: args.takes]
    told = []
    for entry in entries:
        assert entry.measured is not None
        raw = args.prepared.parent / entry.measured.raw
        told.append(compared(prepared.load(entry), raw, [*policies, PlannerEditor()], store))
    rows = []
    for name in CHANGES:
        figures = np.array([each[name] for each in told])  # takes, editors, figures
        alike_, lap = figures[:, :-1, 0].mean(axis=1), figures[:, :-1, 1].mean(axis=1)
        planner = figures[:, -1].mean(axis=0)
        rows.append([name, f"{alike_.mean():.3f} ({alike_.min():.3f})", f"{lap.mean():.2f} ({lap.min():.2f})"])
        rows[-1] += [f"{planner[0]:.3f}", f"{planner[1]:.2f}"]
    publish(
        "imitation_robustness",
        f"Edits of {len(told)} takes that were changed, beside those of the takes as they are; bar .85 of beats",
        ["change", "beats alike, mean (least)", "overlap (least)", "planner: beats alike", "planner: overlap"],
        rows,
        f"Seeds: {len(policies)}.",
    )


if __name__ == "__main__":
    main()
