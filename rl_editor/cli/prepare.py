"""`rl-editor prepare`: raw / edit pairs become demonstrations that agents learn from."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.cli.parallel_options import add_parallel_options, check_jobs, on_all_machines
from rl_editor.errors import DataError, EditorError
from rl_editor.progress import bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.data.prepared import Entry


def parser() -> CommandParser:
    """The command line of `rl-editor prepare`."""
    parser = command_parser(
        "prepare",
        "Prepare pairs of a raw and its edit for learning, in DIR/prepared: the raw is analysed, the edit taken from "
        "DIR/edl or recovered from sound, verified, and turned into actions. What is prepared already is not done "
        "again. `rl-editor data check DIR` tells beforehand what is there.",
    )
    parser.add_argument("dir", metavar="DIR", help="folder of training data, such as training_data/")
    parser.add_argument(
        "--least-coverage", type=float, default=0.9, metavar="C",
        help="share of a recovered edit that must be found in its raw (default 0.9); other pairs are set aside",
    )  # fmt: skip
    parser.add_argument(
        "--least-confidence", type=float, default=0.6, metavar="C",
        help="mean confidence with which it must be found (default 0.6)",
    )  # fmt: skip
    add_parallel_options(parser, "pairs")
    parser.add_argument("--overwrite", action="store_true", help="prepare again what has changed since")
    parser.add_argument("--json", action="store_true", help="tell each pair as a JSON object on a line")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    return parser


def run(args: "Namespace") -> int:
    """Prepare each pair; a bad one is reported and does not stop the others."""
    from rl_editor.data.pairs import find_pairs
    from rl_editor.data.parallel import side_by_side
    from rl_editor.data.prepare import Preparation, Thresholds, entries_of
    from rl_editor.data.prepared import FOLDER, SUBFOLDERS, entry_line, write_manifest
    from rl_editor.data.training_files import make_folders

    if not check_jobs(args):
        return 2
    thresholds = Thresholds(args.least_coverage, args.least_confidence)
    data = on_all_machines(Path(args.dir), args.backend)
    found = find_pairs(data)
    for problem in found.problems:
        complain(f"{data / problem.file}: {problem.what}")
    if not found.pairs:
        raise DataError(f"{data}: no pair of a raw and its edit, such as jam_raw.wav and jam_edit.wav")
    folder = data / FOLDER
    make_folders(folder, *SUBFOLDERS)
    work = Preparation(data, folder, overwrite=args.overwrite)
    outcomes = []
    with bars(quiet=args.quiet) as report:
        for outcome in side_by_side(
            work, found.pairs, stage="preparing", jobs=args.jobs, backend=args.backend, report=report
        ):
            if isinstance(outcome, EditorError):
                complain(outcome)
            outcomes.append(outcome)
    entries = list(entries_of(found.pairs, outcomes, thresholds))
    write_manifest(folder, entries)
    if args.json:
        sys.stdout.writelines(map(entry_line, entries))
    elif not args.quiet:
        sys.stdout.write(_summary(folder, entries))
    return 1 if any(entry.status == "failed" for entry in entries) else 0


def _summary(folder: Path, entries: "Sequence[Entry]") -> str:
    from rl_editor.data.prepared import split_counts

    prepared = [entry.measured for entry in entries if entry.status == "prepared" and entry.measured]
    exact = sum(measured.origin == "exact" for measured in prepared)
    origins = f"{exact} exact, {len(prepared) - exact} recovered"
    sides = ", ".join(f"{split} {count}" for split, count in split_counts(entries).items())
    lines = [f"{folder}: {len(prepared)} of {len(entries)} pairs prepared ({origins}); {sides}"]
    lines += [f"set aside: {entry.key}: {entry.reason}" for entry in entries if entry.status == "set aside"]
    return "\n".join(lines) + "\n"
