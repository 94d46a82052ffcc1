"""`synthesize` and `prepare` as whole processes: time and size, and whether a run that was killed ends with the same.

    python benchmarks/prepared_set.py --data ../shared/data --fetched CACHE [--songs 30 --takes 3] [--keep DIR]

Songs: the sound files of DATA/music, then those below each folder of --fetched, by name, the first N that differ. With
--keep the whole set stays in that folder, for other benchmarks.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report import publish

from rl_editor.data.prepared import read_prepared

_RL_EDITOR = [sys.executable, "-m", "rl_editor"]


def find_songs(folders: list[Path], count: int) -> list[Path]:
    """The first songs, one of each name."""
    named: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.ogg")):
            named.setdefault(path.name, path)
    if len(named) < count:
        raise SystemExit(f"{len(named)} songs in {', '.join(map(str, folders))}; {count} are wanted")
    return list(named.values())[:count]


def measured(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one command, its processes included."""
    before = os.times()
    start = time.perf_counter()
    subprocess.run(command, check=True)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu_s


def killed(command: list[str], folder: Path, pattern: str, after: int) -> int:
    """Kill a command and its processes once so many files are there; how many there were."""
    run = subprocess.Popen(command, start_new_session=True)
    while (there := len(list(folder.glob(pattern)))) < after:
        if run.poll() is not None:
            raise SystemExit(f"{' '.join(command)}: came to its end undisturbed")
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return there


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def differences(folder: Path, other: Path) -> list[str]:
    """Keys that only one of two prepared sets has, and arrays in which they differ."""
    ours, theirs = ({take.entry.key: take for take in read_prepared(each / "prepared")} for each in (folder, other))
    found = sorted(ours.keys() ^ theirs.keys())
    for key in ours.keys() & theirs.keys():
        pairs = [(vars(ours[key].demonstration), vars(theirs[key].demonstration))]
        pairs += [(vars(ours[key].track), vars(theirs[key].track))]
        pairs += [(vars(ours[key].track.landings), vars(theirs[key].track.landings))]
        for one, two in pairs:
            arrays = (name for name, value in one.items() if isinstance(value, np.ndarray))
            found += [f"{key}: {name}" for name in arrays if not np.array_equal(one[name], two[name], equal_nan=True)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path, nargs="*", default=[])
    parser.add_argument("--songs", type=int, default=4)
    parser.add_argument("--takes", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    songs = [str(path) for path in find_songs([args.data / "music", *args.fetched], args.songs)]
    n_takes = args.songs * args.takes
    with tempfile.TemporaryDirectory() as scratch:
        whole, broken, store = (Path(scratch) / name for name in ("whole", "broken", "store"))
        whole = args.keep or whole
        common = ["--jobs", str(args.jobs), "--quiet"]

        def synthesize(folder: Path) -> list[str]:
            options = ["-o", str(folder), "--count", str(args.takes), "--store", str(store)]
            return [*_RL_EDITOR, "synthesize", *songs, *options, *common]

        def prepare(folder: Path) -> list[str]:
            return [*_RL_EDITOR, "prepare", str(folder), *common]

        rows = []
        for name, command in (("synthesize", synthesize(whole)), ("prepare", prepare(whole))):
            wall_s, cpu_s = measured(command)
            size = size_mb(whole if name == "synthesize" else whole / "prepared")
            figures = [f"{wall_s:.0f} s", f"{cpu_s:.0f} s", f"{wall_s / n_takes:.1f} s", f"{size:.0f} MB"]
            rows.append([name, *figures])
        made = killed(synthesize(broken), broken, "cards/[!.]*", n_takes // 2)
        subprocess.run(synthesize(broken), check=True)
        done = killed(prepare(broken), broken, "prepared/pairs/[!.]*", n_takes // 2)
        subprocess.run(prepare(broken), check=True)
        found = differences(whole, broken)
        entries = read_prepared(whole / "prepared").entries
    outside = sum(entry.measured.outside for entry in entries if entry.measured)
    decisions = sum(entry.measured.decisions for entry in entries if entry.measured)
    publish(
        "prepared_set",
        f"{args.songs} songs x {args.takes} takes, --jobs {args.jobs}",
        ["command", "wall", "CPU", "wall a take", "size"],
        rows,
        f"{len(entries)} of {n_takes} pairs prepared; {decisions} decisions, {outside} outside the landing table.",
        f"Killed (SIGKILL) after {made} takes were made and again after {done} were prepared, run again: "
        + (f"DIFFERENT in {', '.join(found)}." if found else "same keys, equal arrays."),
    )


if __name__ == "__main__":
    main()
