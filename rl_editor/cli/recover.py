"""`rl-editor recover`: from a recording and a finished edit of it to the EDL, by listening alone."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, replacing
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.errors import EDLError
from rl_editor.progress import bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.edits.recovery.recovered import Recovery


def parser() -> CommandParser:
    """The command line of `rl-editor recover`."""
    parser = command_parser(
        "recover",
        "Find where every stretch of a finished edit comes from, from sound alone: cuts, loops, reorderings, "
        "crossfades; through level, EQ, compression, limiting, MP3 and mono.",
    )
    add = parser.add_argument
    add("raw", metavar="RAW", help="the recording that was edited")
    add("edit", metavar="EDIT", help="the finished edit")
    add("-o", "--output", required=True, metavar="JSON", help="where the EDL goes; ends in .json")
    add("--plot", action="store_true", help="also draw it, as PNG beside the JSON")
    add("--json", action="store_true", help="tell the result as JSON")
    add("--quiet", action="store_true", help="no progress, no list of stretches")
    add("--overwrite", action="store_true", help="replace files that are there already")
    return parser


def run(args: "Namespace") -> int:
    """Recover one edit."""
    from rl_editor.audio.files import read_audio
    from rl_editor.edits.recovery.recover import recover
    from rl_editor.edits.recovery.recovered import write

    raw_path, edit_path, output = Path(args.raw), Path(args.edit), Path(args.output)
    if output.suffix.lower() != ".json":
        complain(f"{output}: the EDL needs a name that ends in .json")
        return 2
    plot = output.with_suffix(".png") if args.plot else None
    for path in filter(None, (output, plot)):
        for source in (raw_path, edit_path):
            check_writable(path, overwrite=args.overwrite, source=source)
    with bars(quiet=args.quiet or args.json) as report:
        report("reading", 0.0)
        raw, edit = read_audio(raw_path), read_audio(edit_path)
        report("reading", 1.0)
        found = recover(raw.audio, raw.sample_rate, edit.audio, edit.sample_rate, source=raw.source, report=report)
    if not found.segments:
        raise EDLError(f"{edit_path}: nothing of it was found in {raw_path}; no EDL was written")
    if plot is not None:
        from rl_editor.edits.recovery.picture import draw, save

        with replacing(plot, overwrite=args.overwrite) as temporary:
            save(draw(found, edit.source.duration_s, name=edit_path.name), temporary)
    write(found, output, overwrite=args.overwrite)
    _tell(found, edit_path, output, args)
    return 0


def _tell(found: "Recovery", edit: Path, output: Path, args: "Namespace") -> None:
    from rl_editor.clock import clock
    from rl_editor.edits.recovery.recovered import to_json

    if args.json:
        sys.stdout.write(to_json(found))
        return
    stretches, joins = len(found.segments), len(found.joins_s)
    lines = [
        f"{edit}: {found.coverage:.1%} found in {stretches} stretch{'es' * (stretches != 1)}, "
        f"{joins} join{'s' * (joins != 1)} -> {output}"
    ]
    rate = found.source.sample_rate
    for segment in () if args.quiet else found.segments:
        line = f"  {clock(segment.at_s)}  from {clock(segment.start / rate)} to {clock(segment.end / rate)}"
        line += f", fade {1000 * segment.fade / rate:.0f} ms" if segment.fade else ""
        line += f", confidence {segment.confidence:.2f}"
        line += f", the same at {', '.join(clock(at / rate) for at in segment.alternatives)}" * bool(
            segment.alternatives
        )
        lines.append(line)
    lines += [f"  {clock(start_s)} to {clock(end_s)}: not in the recording" for start_s, end_s in found.unmatched]
    sys.stdout.write("\n".join(lines) + "\n")
