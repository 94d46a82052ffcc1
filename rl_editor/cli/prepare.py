"""`rl-editor prepare`: raw / edit pairs become demonstrations that agents learn from."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.arguments import CommandParser, Converted, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.cli.parallel_options import add_parallel_options, check_jobs, on_all_machines
from rl_editor.data.thresholds import Thresholds
from rl_editor.errors import DataError, EditorError
from rl_editor.progress import bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.data.prepared import Entry


def parser() -> CommandParser:
    """The command line of `rl-editor prepare`."""
    usual = Thresholds()
    parser = command_parser(
        "prepare",
        "Prepare pairs of a raw and its edit for learning, in DIR/prepared: the raw is analysed, the edit taken from "
        "DIR/edl or recovered from sound, verified, and turned into actions. What is prepared already is not done "
        "again; what has changed since is told and left as it was. `rl-editor data check DIR` tells beforehand what is "
        "there.",
    )
    parser.add_argument("dir", metavar="DIR", help="folder of training data, such as training_data/")
    parser.add_argument(
        "--least-coverage", type=_share, default=usual.coverage, metavar="C",
        help=f"share of a recovered edit that must be found in its raw (default {usual.coverage:g}); other pairs are "
        "set aside",
    )  # fmt: skip
    parser.add_argument(
        "--least-confidence", type=_share, default=usual.confidence, metavar="C",
        help=f"mean confidence with which it must be found (default {usual.confidence:g})",
    )  # fmt: skip
    add_parallel_options(parser, "pairs")
    parser.add_argument("--overwrite", action="store_true", help="prepare again what has changed since")
    parser.add_argument("--json", action="store_true", help="tell each pair as a JSON object on a line")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    return parser


def run(args: "Namespace") -> int:
    """Prepare each pair; a bad one is reported and does not stop the others."""
    from rl_editor.data.pairs import NO_PAIR, find_pairs
    from rl_editor.data.parallel import side_by_side
    from rl_editor.data.prepare import Changed, Preparation, entries_of
    from rl_editor.data.prepared import FOLDER, SUBFOLDERS, Measured, entry_line, write_manifest
    from rl_editor.data.training_files import make_folders

    if not check_jobs(args):
        return 2
    thresholds = Thresholds(args.least_coverage, args.least_confidence)
    data = on_all_machines(Path(args.dir), args.backend)
    found = find_pairs(data)
    for problem in found.problems:
        complain(f"{data / problem.file}: {problem.what}")
    if not found.pairs:
        raise DataError(f"{data}: {NO_PAIR}")
    folder = data / FOLDER
    make_folders(folder, *SUBFOLDERS)
    work = Preparation(data, folder, overwrite=args.overwrite)
    outcomes = []
    with bars(quiet=args.quiet) as report:
        measuring = side_by_side(
            work, found.pairs, stage="preparing", jobs=args.jobs, backend=args.backend, report=report
        )
        with closing(measuring):
            for pair, outcome in zip(found.pairs, measuring, strict=True):
                if isinstance(outcome, EditorError):
                    complain(outcome)
                elif isinstance(outcome, Changed):
                    complain(f"{data / pair.raw}: {outcome.what}")
                outcomes.append(outcome)
    entries = list(entries_of(data, found.pairs, outcomes, thresholds))
    write_manifest(folder, entries)
    if args.json:
        sys.stdout.writelines(map(entry_line, entries))
    elif not args.quiet:
        sys.stdout.write(_summary(folder, entries))
    return 0 if all(isinstance(outcome, Measured) for outcome in outcomes) else 1


def _share(text: "str | Converted") -> "float | Converted":
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _summary(folder: Path, entries: "Sequence[Entry]") -> str:
    from rl_editor.data.prepared import split_counts

    prepared = [entry.measured for entry in entries if entry.learnable and entry.measured]
    exact = sum(measured.origin == "exact" for measured in prepared)
    origins = f"{exact} exact, {len(prepared) - exact} recovered"
    sides = ", ".join(f"{split} {count}" for split, count in split_counts(entries).items())
    count = f"{len(prepared)} of {len(entries)} pair{'s' * (len(entries) != 1)}"
    lines = [f"{folder}: {count} prepared ({origins}); {sides}"]
    lines += [f"set aside: {entry.key}: {entry.reason}" for entry in entries if entry.status == "set aside"]
    return "\n".join(lines) + "\n"
