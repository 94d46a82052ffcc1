"""Musicians' loop points: does the landing table lead from a loop's end to where its author goes on?

    python benchmarks/loop_points.py --data ../shared/data [--fetched DIR]

Only points whose statement is supported by the sound (grade A) count; the rest is shown. `--fetched` holds the
recordings that may not be included, fetched by `music/get_music.py DIR --manifest loops/loops.csv`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.landings import CONTINUATION_COLUMNS
from rl_editor.analysis.track import Track
from rl_editor.audio.files import read_audio

_FIRST = 3


def loop_files(data: Path, fetched: Path | None) -> list[tuple[dict[str, str], Path]]:
    """The rows of loops.csv whose sound is there, with its file."""
    found = []
    with (data / "loops" / "loops.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = data / "loops" / row["file"] if row["file"] else (fetched or data) / f"{row['name']}.ogg"
            if path.is_file():
                found.append((row, path))
    return found


def errors_s(track: Track, start_s: float, end_s: float) -> tuple[np.ndarray, float]:
    """Distance of each continuation at the loop's end from the musician's point, best first; the median beat.

    The loop's end need not be a bound of ours; the landing is compared as far from the musician's start as our
    bound is from their end.
    """
    row = int(np.abs(track.bounds_s - end_s).argmin())
    places = track.landings
    valid = places.valid[row, CONTINUATION_COLUMNS]
    starts_s = places.starts(track.bounds)[row, CONTINUATION_COLUMNS][valid] / track.source.sample_rate
    return starts_s - (start_s + track.bounds_s[row] - end_s), float(np.median(np.diff(track.bounds_s)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path)
    args = parser.parse_args()
    rows, hits, total = [], 0, 0
    for row, path in loop_files(args.data, args.fetched):
        recording = read_audio(path)
        track = analyse(recording.audio, recording.sample_rate)
        error, beat_s = errors_s(track, float(row["loop_start_s"]), float(row["loop_end_s"]))
        near = np.flatnonzero(np.abs(error) <= beat_s)
        rank = int(near[0]) + 1 if len(near) else None
        if row["grade"] == "A":
            total += 1
            hits += rank is not None and rank <= _FIRST
        chance = _FIRST * 2 * beat_s / track.source.duration_s
        told = f"{1e3 * error[near[0]]:+.0f} ms" if rank else "-"
        rows.append([row["name"], row["grade"], rank or f"none of {len(error)}", told, f"{chance:.3f}"])
    rows.sort(key=lambda cells: cells[1])
    publish(
        "loop_points",
        "Musicians' loop points among the continuations at the loop's end",
        ["loop", "grade", "rank within a beat", "time error", f"chance of the first {_FIRST}"],
        rows,
        f"Grade A: {hits} of {total} among the first {_FIRST}. Rank is by the landing table's own order.",
    )


if __name__ == "__main__":
    main()
