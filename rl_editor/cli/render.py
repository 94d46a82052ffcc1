"""`rl-editor render`: an EDL becomes sound, from its own source or from others of the same length."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.errors import EDLError
from rl_editor.progress import bars

if TYPE_CHECKING:
    from jsonargparse import Namespace


def parser() -> CommandParser:
    """The command line of `rl-editor render`."""
    parser = command_parser(
        "render",
        "Play an EDL: one changed by hand, or the same edit on other microphones, stems or a remaster. "
        "Other recordings must have as many samples as the EDL's source.",
    )
    parser.add_argument("edl", metavar="EDL", help="JSON written by rl-editor edit, or by hand")
    parser.add_argument(
        "--source", nargs="+", default=[], metavar="FILE", help="recordings to play; default: the one the EDL names"
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="file, or for several sources a folder")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def run(args: "Namespace") -> int:
    """Render each source."""
    from rl_editor.audio.files import read_audio, write_audio
    from rl_editor.clock import clock
    from rl_editor.edits import edl as edls
    from rl_editor.edits.render import render

    edl = edls.read(Path(args.edl))
    sources = [Path(source) for source in args.source] or [Path(edl.source.file)]
    if not args.source and not edl.source.file:
        raise EDLError(f"{args.edl}: names no source; --source says which recording to play")
    folder = args.output.endswith("/") or Path(args.output).is_dir()
    if len(sources) > 1 and not folder:
        complain("several sources need a folder as -o (its name ends in /)")
        return 2
    outputs = [Path(args.output) / source.name if folder else Path(args.output) for source in sources]
    if len(set(outputs)) < len(outputs):
        raise EDLError("two of the sources have the same name, so one would replace the other")
    for source, output in zip(sources, outputs, strict=True):
        check_writable(output, overwrite=args.overwrite, source=source)
    with bars(quiet=args.quiet) as report:
        for source, output in zip(sources, outputs, strict=True):
            report(source.name, 0.0)
            recording = read_audio(source)
            if recording.source.sample_rate != edl.source.sample_rate:
                rates = f"{recording.source.sample_rate} Hz, the EDL's source {edl.source.sample_rate} Hz"
                raise EDLError(f"{source}: has {rates}")
            if not args.source and recording.source.content_hash != edl.source.content_hash:
                complain(f"note: {source} is not the recording this EDL was made from")
            try:
                song = render(recording.audio, edl)
            except EDLError as error:
                raise EDLError(f"{source}: {error}") from error
            gain_db = write_audio(
                output, song, edl.source.sample_rate, encoding=recording.encoding, overwrite=args.overwrite
            )
            report(source.name, 1.0)
            said = f", turned down {-gain_db:.2f} dB so that no peak clips" if gain_db else ""
            sys.stdout.write(f"{source}: {clock(edl.duration_s)}{said} -> {output}\n")
    return 0
