"""`rl-editor models`: the checkpoints there are, shipped and one's own, and their cards."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.checkpoint_card import headline
from rl_editor.checkpoints import find, own_checkpoints, read_card, read_header, shipped_checkpoints
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.errors import CheckpointError

if TYPE_CHECKING:
    from jsonargparse import Namespace

_HEAD = ("name", "task", "MB", "SHA-256", "figures")


def parser() -> CommandParser:
    """The command line of `rl-editor models`."""
    parser = command_parser(
        "models",
        "`models` lists checkpoints, shipped and one's own: task, size, start of the hash, one line of figures. "
        "`models show NAME` prints the card of one: what it is, what it was trained on, under which licences, how it "
        "was measured, where it fails.",
    )
    add = parser.add_argument
    add("action", nargs="?", default="list", choices=("list", "show"), help="list (default), or show a card")
    add("name", nargs="?", metavar="NAME", help="a shipped checkpoint, a run, RUN/TASK or a file")
    add("--runs", default="runs", metavar="DIR", help="where one's own runs are (default runs)")
    return parser


def run(args: "Namespace") -> int:
    """List checkpoints, or print the card of one."""
    if (args.action == "show") != (args.name is not None):
        complain("`models` lists all checkpoints, `models show NAME` prints the card of one")
        return 2
    runs = Path(args.runs)
    sys.stdout.write(_card(args.name, runs) if args.name is not None else _listed(runs))
    return 0


def _card(name: str, runs: Path) -> str:
    """The card; a note where it is of other weights than those beside it."""
    checkpoint = find(name, runs=runs)
    card = read_card(checkpoint)
    if read_header(checkpoint).content_hash not in card:
        complain(f"note: {checkpoint}: these weights are not the ones its card tells of")
    return card if card.endswith("\n") else card + "\n"


def _listed(runs: Path) -> str:
    """A table of all checkpoints; one that can't be read is told of and left out."""
    named = [(file.stem, file) for file in shipped_checkpoints()] + _own(runs)
    rows = []
    for name, file in named:
        try:
            rows.append(_row(name, file))
        except CheckpointError as error:
            complain(f"note: left out: {error}")
    if not rows:
        return f"no checkpoints: none is shipped, and none in {runs}\n"
    return _aligned([_HEAD, *rows])


def _own(runs: Path) -> list[tuple[str, Path]]:
    """Names by which `find` finds them: RUN where a run holds one, else RUN/TASK."""
    files = own_checkpoints(runs)
    held = Counter(file.parent for file in files)
    return [(file.parent.name if held[file.parent] == 1 else f"{file.parent.name}/{file.stem}", file) for file in files]


def _row(name: str, file: Path) -> tuple[str, ...]:
    header = read_header(file)
    try:
        figures = headline(read_card(file)) or "not measured"
    except CheckpointError:
        figures = "has no card"
    return name, header.task, f"{file.stat().st_size / 1e6:.1f}", header.content_hash[:12], figures


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
