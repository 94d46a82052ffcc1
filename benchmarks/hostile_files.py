"""Hostile and odd files: does every command end as documented, say one line and leave nothing half-written?

    python benchmarks/hostile_files.py [--data ../shared/data] [--long] [--only PATTERN]

The cases, and how they are judged, are those of the test suite: tests/integration/hostile_cases.py. With `--data`
they are made of 8 s of a real song. One row a command; the exit status of this script is 1 if any row is not ok.
"""

import argparse
import importlib.util
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import soxr
from report import publish

from rl_editor.audio.files import read_audio

_AT_ONCE = 2


def load_cases() -> ModuleType:
    """The module of cases, which is no part of a package."""
    path = Path(__file__).parents[1] / "tests" / "integration" / "hostile_cases.py"
    spec = importlib.util.spec_from_file_location("hostile_cases", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def real_music(data: Path, rate: int) -> np.ndarray:
    """8 s from 20 s on of the first song that is long enough, mono."""
    for path in sorted((data / "music").rglob("*")):
        if path.suffix.lower() not in (".flac", ".ogg", ".mp3", ".wav"):
            continue
        recording = read_audio(path)
        if recording.source.duration_s > 30:
            mono = recording.audio[:, 20 * recording.sample_rate :].mean(axis=0)
            part = soxr.resample(mono, recording.sample_rate, rate)[: 8 * rate]
            return (0.9 * part / np.abs(part).max()).astype(np.float32)
    raise SystemExit(f"{data / 'music'}: no song of 30 s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="folder of real music; default: music is made up")
    parser.add_argument("--long", action="store_true", help="also a recording of 60 minutes")
    parser.add_argument("--only", default="", metavar="PATTERN", help="cases whose name matches; nothing is kept")
    args = parser.parse_args()
    hostile = load_cases()
    music = real_music(args.data, hostile.RATE) if args.data else hostile.made_music()
    cases = [*hostile.CASES, *([hostile.HOUR] if args.long else [])]
    cases = [case for case in cases if re.search(args.only, case.name)]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        places = (Path(folder) / str(k) for k in range(len(cases)))
        outcomes = []
        for case, results in zip(
            cases, pool.map(lambda case, place: case.run(place, music), cases, places), strict=True
        ):
            outcomes.append(results)
            for result in results:
                if result.faults:
                    print(f"{case.name}: {result.command.text}: {result.faults!a}", file=sys.stderr, flush=True)
    rows = [
        (case.name, f"`{result.command.text}`".replace("|", "\\|"), result.command.expected, _got(result),
         "no: " + ascii(result.faults)[1:-1].replace("|", "\\|") if result.faults else "yes")
        for case, results in zip(cases, outcomes, strict=True)
        for result in results
    ]  # fmt: skip
    failed = sum(any(result.faults for result in results) for results in outcomes)
    wrong = sum(row[-1] != "yes" for row in rows)
    total = (
        f"**{len(cases)} cases, {failed} of them failed; {len(rows)} commands, {wrong} not ok;** "
        f"{time.monotonic() - begun:.0f} s, {_AT_ONCE} processes at a time."
    )
    header = ("case", "command", "expected", "got", "ok")
    if args.only:
        print(*(" | ".join(map(str, row)) for row in rows), total, sep="\n")
    else:
        publish("hostile_files", "Hostile and odd files", header, rows, total)
    sys.exit(1 if failed else 0)


def _got(result: object) -> object:
    status = getattr(result, "status", None)
    return "no end" if status is None else status


if __name__ == "__main__":
    main()
