"""`rl-editor edit` as a whole process: time and memory, cold and warm.

    python benchmarks/whole_command.py --data ../shared/data [--minutes 20 60] [--target 4:00]

The recording is a made-up rehearsal (`rl-editor sample-data --session`), so that it has silence and talk as jams do.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import publish


def measured(command: list[str], store: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds and peak memory (GB) of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"RL_EDITOR_STORE": str(store)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def runs(minutes: float, target: str, folder: Path) -> list[list[str]]:
    """A row for the first edit of a new recording and for one whose analysis is in the store."""
    rl_editor = [sys.executable, "-m", "rl_editor"]
    made = [*rl_editor, "sample-data", str(folder), "--songs", "2", "--session", "--minutes", str(minutes)]
    subprocess.run([*made, "--quiet"], check=True)
    raw = next((folder / "jams").glob("*_raw.wav"))
    edit = [*rl_editor, "edit", str(raw), "--duration", target, "-o", f"{folder}/", "--overwrite", "--quiet"]
    rows = []
    for name in ("cold", "warm (analysis in the store)"):
        wall_s, cpu_s, peak_gb = measured(edit, folder / "store")
        rows.append([f"{minutes:g} minutes", name, f"{wall_s:.1f} s", f"{cpu_s:.1f} s", f"{peak_gb:.2f} GB"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, nargs="+", default=[20.0, 60.0])
    parser.add_argument("--target", default="4:00")
    args = parser.parse_args()
    rows = []
    for minutes in args.minutes:
        with tempfile.TemporaryDirectory() as folder:
            rows += runs(minutes, args.target, Path(folder))
    publish(
        "whole_command",
        f"rl-editor edit to {args.target}, stereo 44.1 kHz, whole process",
        ["recording", "run", "wall", "CPU", "peak memory"],
        rows,
    )


if __name__ == "__main__":
    main()
