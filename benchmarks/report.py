"""A benchmark's table: printed, and kept in `benchmarks/results/` with date, commit and machine."""

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def publish(name: str, title: str, header: Sequence[str], rows: Sequence[Sequence[object]], *notes: str) -> None:
    """Print the table as Markdown and keep it as the last run of this benchmark.

    Args:
        name: of the script; also of the file in `benchmarks/results/`.
        title: what was measured.
        header: names of the columns.
        rows: cells; floats should come formatted.
        notes: paragraphs under the table.
    """
    lines = [f"## {title}", "", _line(header), _line(["---"] * len(header)), *map(_line, rows), ""]
    lines += [line for note in notes for line in (note, "")]
    text = "\n".join(lines)
    print(text)
    command = f"`python benchmarks/{name}.py`"
    head = f"Last run of {command}: {datetime.date.today()}, commit {_commit()}, {_machine()}.\n\n"
    folder = _ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(head + text, encoding="utf-8")


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(("git", *arguments), cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results")
        return git("rev-parse", "--short", "HEAD") + (" with changes" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
