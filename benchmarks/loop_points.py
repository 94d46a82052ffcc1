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
from scipy.ndimage import minimum_filter1d

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.beat_features import beat_features
from rl_editor.analysis.landings import CONTINUATION_COLUMNS
from rl_editor.analysis.seams import CONTINUATION_TERMS, Continuation, continuation
from rl_editor.analysis.spectra import listen, onset_bands
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


def chroma_only_rank(audio: np.ndarray, track: Track, start_s: float, end_s: float, beat_s: float) -> int | None:
    """Rank among local minima when only harmony is compared, as PyMusicLooper does."""
    spectra = listen(audio, track.source.sample_rate)
    features = beat_features(spectra, onset_bands(spectra.mel), track.bounds, track.source.sample_rate)
    whole = continuation(features, track.is_music)
    deaf = [
        shifts if term == "chroma" else (np.zeros_like(shifts[0]), np.zeros_like(shifts[1]))
        for term, shifts in zip(CONTINUATION_TERMS, whole.vectors, strict=True)
    ]
    row = int(np.abs(track.bounds_s - end_s).argmin())
    costs = Continuation(tuple(deaf)).costs(row, row + 1)[0]
    costs[max(2 * row - 1, 0) : 2 * row + 2] = np.inf
    minima = np.flatnonzero((costs <= minimum_filter1d(costs, 5)) & np.isfinite(costs))
    ranked = minima[np.argsort(costs[minima], kind="stable")]
    places_s = track.bounds_s[ranked // 2] + ranked % 2 * np.diff(track.bounds_s)[ranked // 2] / 2
    near = np.flatnonzero(np.abs(places_s - (start_s + track.bounds_s[row] - end_s)) <= beat_s)
    return int(near[0]) + 1 if len(near) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path)
    args = parser.parse_args()
    rows, hits, total, first, chroma_first, errors = [], 0, 0, 0, 0, []
    for row, path in loop_files(args.data, args.fetched):
        recording = read_audio(path)
        track = analyse(recording.audio, recording.sample_rate)
        error, beat_s = errors_s(track, float(row["loop_start_s"]), float(row["loop_end_s"]))
        near = np.flatnonzero(np.abs(error) <= beat_s)
        rank = int(near[0]) + 1 if len(near) else None
        if row["grade"] == "A":
            total += 1
            hits += rank is not None and rank <= _FIRST
            first += rank == 1
            errors += [1e3 * abs(error[near[0]])] if rank else []
        span = float(row["loop_start_s"]), float(row["loop_end_s"])
        chroma_rank = chroma_only_rank(recording.audio, track, *span, beat_s)
        chroma_first += row["grade"] == "A" and chroma_rank == 1
        chance = _FIRST * 2 * beat_s / track.source.duration_s
        told = f"{1e3 * error[near[0]]:+.0f} ms" if rank else "-"
        rows.append(
            [row["name"], row["grade"], rank or f"none of {len(error)}", told, chroma_rank or "-", f"{chance:.3f}"]
        )
    rows.sort(key=lambda cells: cells[1])
    publish(
        "loop_points",
        "Musicians' loop points among the continuations at the loop's end",
        ["loop", "grade", "rank within a beat", "time error", "rank by chroma alone", f"chance of the first {_FIRST}"],
        rows,
        f"Grade A: first in {first} of {total}, among the first {_FIRST} in {hits}; by chroma alone first in "
        f"{chroma_first}. Median time error {np.median(errors):.0f} ms. Rank is by the landing table's own order.",
    )


if __name__ == "__main__":
    main()
