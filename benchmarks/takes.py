"""Sample jams and sessions with exact truth: activity, attempts, and what the editors keep.

    python benchmarks/takes.py --data ../shared/data [--takes 12] [--seed 9000]

`--data` is not read: the takes are made by `rl_editor.data.takes` from seeds that no test and no setting used.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.audio.sample_songs import make_song
from rl_editor.data.takes import Take, make_take
from rl_editor.edits.edl import EDL
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest

EDITORS = ("planner", "window", "loudest", "head", "random")
_REST = ("talk", "tuning", "silence", "count-in")


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive stands above a negative, ties half."""
    both = np.concatenate([positive, negative])
    ranks = np.argsort(np.argsort(both, kind="stable"), kind="stable") + 1.0
    for value in np.unique(both):
        ranks[both == value] = ranks[both == value].mean()
    n = len(positive)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(negative)))


def made(count: int, seed: int) -> Iterator[tuple[Take, Track]]:
    """Takes of 8 minutes a song, every third a session of two songs, talk as loud as the music in half of them."""
    for k in range(count):
        rng = np.random.default_rng(seed + k)
        pieces = [make_song(rng, name=f"song {n + 1}").piece for n in range(2 if k % 3 == 0 else 1)]
        take = make_take(pieces, rng, length_s=480.0 * len(pieces), loud_pauses=k % 2 == 0, stems=False)
        yield take, analyse(take.audio, take.sample_rate)


def activity_auc(take: Take, track: Track) -> float:
    """AUC of the score for music, beats of attempts against beats of talk, tuning, silence and count-ins."""
    middle = (track.bounds[1:] + track.bounds[:-1]) // 2
    kind = np.array([next(part.kind for part in take.parts if part.start <= at < part.end) for at in middle])
    return auc(track.music[kind == "music"], track.music[np.isin(kind, _REST)])


def decisions(take: Take, track: Track) -> list[tuple[bool, bool]]:
    """For each attempt whether it was decided rightly, and whether it is one to keep."""
    assert track.superseded is not None
    middle = (track.bounds[1:] + track.bounds[:-1]) // 2
    told = []
    for attempt in take.attempts:
        inside = (middle >= attempt.start) & (middle < attempt.end) & track.is_music
        dropped = not inside.any() or float(track.superseded[inside].mean()) >= 0.5
        told.append((dropped != attempt.kept, attempt.kept))
    return told


def kept(edl: EDL, n: int) -> np.ndarray:
    """Mask of the source, every 10 ms."""
    mask = np.zeros(n, dtype=bool)
    for segment in edl.segments:
        mask[segment.start : segment.end] = True
    return mask[:: edl.source.sample_rate // 100]


def score(edl: EDL, take: Take) -> tuple[float, float]:
    """(F1 - r) / (1 - r) against the true edit, r the F1 of as much at random; share of dead time in the edit."""
    n = take.audio.shape[1]
    ours, true = kept(edl, n), kept(take.edl, n)
    dead = np.zeros(n, dtype=bool)
    for part in take.parts:
        if part.kind in _REST:
            dead[part.start : part.end] = True
    f1 = 2 * (ours & true).sum() / (ours.sum() + true.sum())
    chance = 2 * ours.mean() * true.mean() / (ours.mean() + true.mean())
    return float((f1 - chance) / (1 - chance)), float(dead[:: take.sample_rate // 100][ours].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--takes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=9000)
    args = parser.parse_args()
    aucs, told, scores = [], [], {name: [] for name in (*EDITORS, "planner, free length")}
    for take, track in made(args.takes, args.seed):
        aucs.append(activity_auc(take, track))
        told += decisions(take, track)
        length = EditRequest(target_s=take.edl.duration_s)
        for name in EDITORS:
            scores[name].append(score(load_editor(name).edit(track, length)[0], take))
        free = load_editor("planner").edit(track, EditRequest())[0]
        scores["planner, free length"].append(score(free, take))
    right = [ok for ok, _ in told]
    lost = sum(keep and not ok for ok, keep in told)
    loud = np.array([value for value, _ in scores["loudest"]])
    rows = [
        ["activity, AUC of music against the rest, mean (worst take)", f"{np.mean(aucs):.3f} ({min(aucs):.3f})"],
        ["attempts decided rightly", f"{np.mean(right):.2f} of {len(right)}"],
        ["best attempts dropped for another", f"{lost} of {sum(keep for _, keep in told)}"],
    ]
    for name, values in scores.items():
        f1, dead = np.array(values).T
        low = f"; where loudest <= .60: {f1[loud <= 0.6].mean():.2f}" if (loud <= 0.6).any() else ""
        rows.append([f"{name}: (F1 - r) / (1 - r)", f"{f1.mean():.2f}{low}; dead time {100 * dead.mean():.1f} %"])
    publish("takes", f"{args.takes} sample takes, seeds from {args.seed}", ["what", "figure"], rows)


if __name__ == "__main__":
    main()
