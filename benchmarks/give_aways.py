"""Takes of finished songs: what gives the good attempt away, how wide they are, how long they take to make.

    python benchmarks/give_aways.py --data ../shared/data [--fetched CACHE] [--takes 2] [--seed 1] [--longest 720]

Songs come from `DIR/music` and, where it is given, from a folder filled by `get_music.py`. Every song is judged by
trees that have heard only other songs.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.audio.files import read_audio
from rl_editor.data.give_aways import Separability, Twins, beat_twins, join_twins, separability
from rl_editor.data.recorded_song import RecordedSong, recorded_song
from rl_editor.data.recorded_takes import TakeConfig, recorded_take
from rl_editor.data.take_card import TakeCard
from rl_editor.errors import EditorError

_OTHERS = 2


def songs_of(folders: list[Path]) -> list[RecordedSong]:
    """One song of each name."""
    files = {file.stem: file for folder in folders for file in sorted(folder.glob("*.ogg"))}
    songs = []
    for file in files.values():
        try:
            recording = read_audio(file)
            songs.append(recorded_song(recording, analyse(recording.audio, recording.sample_rate)))
        except EditorError as error:
            print(error)
    return songs


def interval(values: np.ndarray) -> str:
    """Mean and 95 % of it, from resampling."""
    means = np.random.default_rng(0).choice(values, (1000, len(values))).mean(axis=1)
    return f"{values.mean():.3f} [{np.percentile(means, 2.5):.3f}, {np.percentile(means, 97.5):.3f}]"


def only_broken_off(cards: list[TakeCard]) -> float:
    """Share of the worse attempts, false starts apart, whose only fault is that they stop."""
    worse = [part for card in cards for part in card.parts if part.kind == "music" and not part.kept]
    return float(np.mean([not part.spoiled for part in worse]))


def rows(
    joins: list[Twins], beats: list[Twins], names: list[str], cards: list[TakeCard], paces: list[float]
) -> list[list[str]]:
    """The table."""
    join, beat = (separability(twins, names) for twins in (joins, beats))
    by_mode = Counter(card.mode for card in cards)
    ratios = np.percentile([card.keep_ratio for card in cards], [0, 10, 50, 90, 100])
    raws_s = np.array([card.parts[-1].end for card in cards])
    return [
        ["joins, AUC kept against cut, all joins (bar .55)", f"{join.pooled:.3f} ({_count(joins)} rows)"],
        ["joins, mean of the AUC within a take", _within(join)],
        ["unspoiled beats, mean of the AUC within a take (bar .58)", _within(beat)],
        ["unspoiled beats, AUC over all", f"{beat.pooled:.3f} ({_count(beats)} rows)"],
        ["keep ratio: least, p10, median, p90, most", ", ".join(f"{ratio:.2f}" for ratio in ratios)],
        ["modes", ", ".join(f"{mode} {count / len(cards):.2f}" for mode, count in sorted(by_mode.items()))],
        ["worse attempts bad only by breaking off", f"{only_broken_off(cards):.2f}"],
        ["parts a take, longest raw (million samples)", f"{_parts(cards):.1f}, {raws_s.max() / 1e6:.1f}"],
        ["CPU s for 5 minutes of raw: median, most", f"{np.median(paces):.1f}, {max(paces):.1f}"],
    ]


def _within(found: Separability) -> str:
    return f"{interval(found.within)} ({len(found.within)} takes)" if len(found.within) else "too few joins a take"


def _count(twins: list[Twins]) -> int:
    return sum(len(pair.rows) for pair in twins)


def _parts(cards: list[TakeCard]) -> float:
    return float(np.mean([len(card.parts) for card in cards]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path)
    parser.add_argument("--takes", type=int, default=2, help="takes a song")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=720.0, help="length a raw may have, s")
    args = parser.parse_args()
    songs = songs_of([args.data / "music", *([args.fetched] if args.fetched else [])])
    config = TakeConfig(longest_raw_s=args.longest, longest_song_s=min(240.0, args.longest))
    joins, beats, names, cards, paces = [], [], [], [], []
    for k, song in enumerate(songs):
        others = [songs[(k + step) % len(songs)] for step in range(1, _OTHERS + 1)]
        for number in range(args.takes):
            start = time.process_time()
            take = recorded_take(song, np.random.default_rng([args.seed, k, number]), others=others, config=config)
            paces.append((time.process_time() - start) * 300.0 * take.sample_rate / take.audio.shape[1])
            joins.append(join_twins(take))
            beats.append(beat_twins(take))
            names.append(song.name)
            cards.append(take.card)
    title = f"{len(cards)} takes of {len(songs)} finished songs, seed {args.seed}, raws of up to {args.longest:.0f} s"
    publish("give_aways", title, ["what", "figure"], rows(joins, beats, names, cards, paces))


if __name__ == "__main__":
    main()
