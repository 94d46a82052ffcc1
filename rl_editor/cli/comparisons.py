"""`rl-editor comparisons`: check files of comparisons, merge them."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.data.comparisons import Comparison


def parser() -> CommandParser:
    """The command line of `rl-editor comparisons`."""
    parser = command_parser(
        "comparisons",
        "What listeners said of pairs of edits, as files (docs/comparisons.md). `check` reads them strictly and tells "
        "what is in them; `merge` puts several in one, each answer once; two that contradict each other are an error.",
    )
    add = parser.add_argument
    add("action", choices=("check", "merge"), help="check: only read; merge: write all as one file")
    add("files", nargs="+", metavar="FILE", help="files of comparisons, JSONL")
    add("-o", "--output", metavar="OUT", help="the merged file")
    add("--overwrite", action="store_true", help="replace OUT where it is there already")
    return parser


def run(args: "Namespace") -> int:
    """Read all files, tell of them, and write the one that is asked for."""
    from rl_editor.atomic import check_writable
    from rl_editor.data.comparisons import merged, read_comparisons, write_comparisons

    if (args.output is None) == (args.action == "merge"):
        complain("merge needs -o OUT" if args.action == "merge" else "check writes nothing; -o goes with merge")
        return 2
    if args.output is not None:
        check_writable(Path(args.output), overwrite=args.overwrite)
    files = {file: read_comparisons(Path(file)) for file in args.files}
    everything = merged(*files.values())
    if args.output is not None:
        write_comparisons(Path(args.output), everything, overwrite=args.overwrite)
        files = {args.output: everything}
    sys.stdout.writelines(_told(file, comparisons) for file, comparisons in files.items())
    return 0


def _told(file: str, comparisons: "Sequence[Comparison]") -> str:
    """One line on a file."""
    answers = Counter(each.answer for each in comparisons)
    counts = ", ".join(f"{count} {answer}" for answer, count in sorted(answers.items())) or "none"
    total, listeners = len(comparisons), len({each.listener for each in comparisons})
    what, who = f"{total} comparison{'s' * (total != 1)}", f"{listeners} listener{'s' * (listeners != 1)}"
    return f"{file}: {what} ({counts}) by {who}\n"
