"""`rl-editor evaluate`: how good is an edit, whoever made it, told from its sound."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.arguments import CommandParser, command_parser, seconds
from rl_editor.cli.complaints import complain
from rl_editor.cli.stored import add_store_option, chosen_store, stored_track
from rl_editor.errors import DataError, EditorError, RequestError
from rl_editor.progress import Report, bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.audio.files import Recording
    from rl_editor.edits.edl import EDL
    from rl_editor.edits.ruler.verdict import Verdict


def parser() -> CommandParser:
    """The command line of `rl-editor evaluate`."""
    parser = command_parser(
        "evaluate",
        "Judge an edit of a recording, whatever made it, from sound alone: where it comes from is recovered, then its "
        "joins, phrases, start, ending, order and repeats are judged. The verdict is from 0 to 1.",
    )
    add = parser.add_argument
    add("raw", metavar="RAW", help="the recording")
    add("output", metavar="OUTPUT", help="what was made of it")
    add("--human", metavar="EDIT", help="a person's edit of RAW to compare with: sound, or an EDL (.json)")
    add("--target", type=seconds, metavar="TIME", help="length that was asked for: 4:00 or 240")
    add_store_option(parser)
    add("--json", action="store_true", help="tell the verdict as JSON")
    add("--quiet", action="store_true", help="no progress, only the verdict")
    return parser


def run(args: "Namespace") -> int:
    """Judge one output."""
    from rl_editor.audio.files import read_audio
    from rl_editor.edits.ruler.evaluate import evaluate
    from rl_editor.edits.ruler.verdict import to_json

    if args.target is not None and args.target <= 0:
        raise RequestError(f"--target {args.target:g}: must be more than 0 seconds")
    store = chosen_store(args.store)
    with bars(quiet=args.quiet or args.json) as report:
        report("reading", 0.0)
        raw, output = read_audio(Path(args.raw)), read_audio(Path(args.output))
        report("reading", 1.0)
        track = stored_track(raw, store, report)
        human = _human(Path(args.human), raw, report) if args.human else None
        verdict = evaluate(
            raw.audio,
            raw.sample_rate,
            output.audio,
            output.sample_rate,
            track,
            human=human,
            target_s=args.target,
            report=report,
        )
    if verdict.matched == 0.0:
        complain(f"note: {args.output}: nothing of it was found in {args.raw}")
    sys.stdout.write(to_json(verdict) if args.json else _told(args.output, verdict, quiet=args.quiet))
    return 0


def _human(path: Path, raw: "Recording", report: Report) -> "EDL":
    """A person's edit: read, or recovered from its sound."""
    from rl_editor.audio.files import read_audio
    from rl_editor.edits import edl as edls
    from rl_editor.edits.recovery.recover import recover

    if path.suffix.lower() == ".json":
        edl = edls.read(path)
        if edl.source != raw.source:
            raise DataError(f"{path}: an edit of another recording than {raw.source.file}")
        return edl
    edit = read_audio(path)
    recovery = recover(raw.audio, raw.sample_rate, edit.audio, edit.sample_rate, source=raw.source, report=report)
    try:
        return recovery.to_edl()
    except EditorError as error:
        raise DataError(f"{path}: {error}") from error


def _told(name: str, verdict: "Verdict", *, quiet: bool) -> str:
    """The verdict, the components and the doubtful joins, one a line."""
    from rl_editor.clock import clock

    lines = [f"{name}: {verdict.verdict:.3f}"]
    if not quiet:
        for each in verdict.components:
            if each.score is not None:
                figures = ", ".join(f"{m.name.replace('_', ' ')} {round(m.value, 2):g} {m.unit}" for m in each.measures)
                lines.append(f"  {each.name.replace('_', ' '):<16} {each.score:.2f}  {figures}".rstrip())
        for number, join in enumerate(verdict.joins, start=1):
            place = f"at {clock(join.at_s)}, from {clock(join.out_s)} to {clock(join.into_s)}"
            lines.append(f"  join {number:<11} {join.score:.2f}  {place}")
    return "\n".join(lines) + "\n"
