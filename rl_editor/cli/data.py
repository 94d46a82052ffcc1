"""`rl-editor data check`: what is in a folder of training data, told before anything is computed."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.arguments import CommandParser, command_parser

if TYPE_CHECKING:
    from jsonargparse import Namespace


def parser() -> CommandParser:
    """The command line of `rl-editor data`."""
    parser = command_parser(
        "data",
        "`data check DIR` lists the pairs of a raw and its edit in a folder of training data, and tells what would "
        "keep `rl-editor prepare` from using a file: names, formats, lengths. Only the heads of files are read. The "
        "exit status is 0 where all is well and 1 where something is not.",
    )
    parser.add_argument("action", choices=("check",), help="check: look at what is there")
    parser.add_argument("dir", metavar="DIR", help="folder of training data, such as training_data/")
    parser.add_argument("--json", action="store_true", help="tell all as one JSON object")
    return parser


def run(args: "Namespace") -> int:
    """Look at the folder and tell of it."""
    from rl_editor.data.data_check import check
    from rl_editor.data.pairs import NO_PAIR

    found = check(Path(args.dir))
    if args.json:
        sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False) + "\n")
    else:
        lines = [*(pair.line() for pair in found.pairs), *(f"problem: {problem}" for problem in found.problems)]
        exact = sum(pair.edl == "exact" for pair in found.pairs)
        if lines:
            pairs = f"{len(found.pairs)} pair{'s' * (len(found.pairs) != 1)} ({exact} with an exact edit)"
            lines.append(f"{args.dir}: {pairs}, {len(found.problems)} problem{'s' * (len(found.problems) != 1)}")
        else:
            lines.append(f"{args.dir}: {NO_PAIR}")
        sys.stdout.write("\n".join(lines) + "\n")
    return 1 if found.problems or not found.pairs else 0
