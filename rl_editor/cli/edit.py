"""`rl-editor edit`: recordings in, songs out."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, replacing
from rl_editor.cli.arguments import CommandParser, command_parser, seconds, time_range
from rl_editor.errors import EditorError
from rl_editor.progress import Report, bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.analysis.track import Track
    from rl_editor.audio.files import Recording
    from rl_editor.edits.edl import EDL
    from rl_editor.edits.request import EditRequest


def parser() -> CommandParser:
    """The command line of `rl-editor edit`."""
    parser = command_parser("edit", "Turn recordings into songs. Without a length it follows from the content.")
    parser.add_argument("songs", nargs="+", metavar="SONG", help="recordings to edit")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="file, or folder (its name then ends in /); default: SONG.edit.EXT"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--duration", type=seconds, metavar="TIME", help="length of the song: 4:00 or 240")
    length.add_argument("--keep", type=float, metavar="SHARE", help="length as a share of the recording: .35")
    parser.add_argument(
        "--slack", type=seconds, default=1.0, metavar="TIME", help="most that the length may differ (default 1s)"
    )
    parser.add_argument(
        "--lock",
        type=time_range,
        action="append",
        default=[],
        metavar="A-B",
        help="must be played: 1:00-1:30; repeatable",
    )
    parser.add_argument(
        "--ban", type=time_range, action="append", default=[], metavar="A-B", help="must not be played; repeatable"
    )
    parser.add_argument("--start", type=seconds, metavar="TIME", help="begin with this beat of the recording")
    parser.add_argument("--end", type=seconds, metavar="TIME", help="end here in the recording")
    parser.add_argument(
        "--order", default="forward", metavar="ORDER", help="forward (default), or free: parts may change places"
    )
    parser.add_argument("--loops", action="store_true", help="allow repeats even where the length does not demand them")
    parser.add_argument("--top", type=int, default=1, metavar="N", help="write the N best, at least 20 %% apart")
    parser.add_argument(
        "--editor", default="planner", metavar="NAME", help="planner (default), window, head, loudest, random"
    )
    parser.add_argument("--edl", metavar="JSON", help="where the EDL goes; default: beside the song")
    parser.add_argument("--plot", metavar="PNG", help="where the picture goes; default: beside the song")
    parser.add_argument("--join-preview", metavar="FILE", help="also write 3 s around each join, one after another")
    parser.add_argument("--json", action="store_true", help="tell the result as JSON")
    parser.add_argument("--dry-run", action="store_true", help="decide and tell, write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--seed", type=int, default=0, help="for editors that draw by chance")
    parser.add_argument("--quiet", action="store_true", help="no progress, no table")
    return parser


def run(args: "Namespace") -> int:
    """Edit each song; a bad one is reported and does not stop the others."""
    from rl_editor.edits.request import EditRequest

    request = EditRequest(
        target_s=args.duration,
        keep=args.keep,
        slack_s=args.slack,
        locks=tuple(args.lock),
        bans=tuple(args.ban),
        start_s=args.start,
        end_s=args.end,
        order=args.order,
        loops=args.loops,
        count=args.top,
        seed=args.seed,
    )
    songs = [Path(song) for song in args.songs]
    single = (args.edl, args.plot, args.join_preview)
    if len(songs) > 1 and (any(single) or (args.output and not _is_folder(args.output))):
        sys.stderr.write("rl-editor: several songs need a folder as -o, and no --edl, --plot or --join-preview\n")
        return 2
    status = 0
    for song in songs:
        try:
            _edit_one(song, Targets.of(song, args), request, args)
        except EditorError as error:
            sys.stderr.write(f"rl-editor: {error}\n")
            status = 1
    return status


@dataclass(frozen=True)
class Targets:
    """Where the results of one song go."""

    song: Path
    edl: Path
    plot: Path
    join_preview: Path | None

    @classmethod
    def of(cls, source: Path, args: "Namespace") -> "Targets":
        """Defaults beside the source, or as the command line says."""
        from rl_editor.audio.encoding import writable_suffix

        name = f"{source.stem}.edit{writable_suffix(source.suffix)}"
        if args.output is None:
            song = source.with_name(name)
        else:
            song = Path(args.output) / name if _is_folder(args.output) else Path(args.output)
        return cls(
            song=song,
            edl=Path(args.edl) if args.edl else song.with_suffix(".json"),
            plot=Path(args.plot) if args.plot else song.with_suffix(".png"),
            join_preview=Path(args.join_preview) if args.join_preview else None,
        )

    def numbered(self, number: int) -> "Targets":
        """The targets of the edit of this rank: the best keeps the name, the others get their number."""
        if number == 1:
            return self

        def rename(path: Path) -> Path:
            return path.with_name(f"{path.stem}.{number}{path.suffix}")

        preview = self.join_preview and rename(self.join_preview)
        return Targets(rename(self.song), rename(self.edl), rename(self.plot), preview)

    def check(self, source: Path, *, overwrite: bool) -> None:
        """Refuse before the work what could not be written after it."""
        for path in (self.song, self.edl, self.plot, self.join_preview):
            if path is not None:
                check_writable(path, overwrite=overwrite, source=source)


def _is_folder(text: str) -> bool:
    return text.endswith("/") or Path(text).is_dir()


def _edit_one(song: Path, targets: Targets, request: "EditRequest", args: "Namespace") -> None:
    from rl_editor.analysis.analyse import analyse
    from rl_editor.audio.encoding import check_holds
    from rl_editor.audio.files import read_audio
    from rl_editor.edits.registry import load_editor

    if not args.dry_run:
        for number in range(1, request.count + 1):
            targets.numbered(number).check(song, overwrite=args.overwrite)
    editor = load_editor(args.editor)
    with bars(quiet=args.quiet or args.json) as report:
        report("reading", 0.0)
        recording = read_audio(song)
        report("reading", 1.0)
        if not args.dry_run:
            check_holds(targets.song, recording.source.channels, recording.source.sample_rate)
        track = analyse(recording.audio, recording.source.sample_rate, source=recording.source, report=report)
        report("deciding", 0.0)
        edits = editor.edit(track, request)
        report("deciding", 1.0)
        gains_db = [0.0] * len(edits)
        if not args.dry_run:
            for k, edl in enumerate(edits):
                gains_db[k] = _write(recording, track, edl, targets.numbered(k + 1), args.overwrite, report)
    for k, (edl, gain_db) in enumerate(zip(edits, gains_db, strict=True)):
        _tell(track, edl, targets.numbered(k + 1), gain_db, args)


def _write(
    recording: "Recording", track: "Track", edl: "EDL", targets: Targets, overwrite: bool, report: Report
) -> float:
    from rl_editor.audio.files import write_audio
    from rl_editor.edits import edl as edls
    from rl_editor.edits.picture import draw, save
    from rl_editor.edits.preview import join_preview
    from rl_editor.edits.render import render

    report("rendering", 0.0)
    rate, encoding = edl.source.sample_rate, recording.encoding
    song = render(recording.audio, edl)
    figure = draw(edl, track, recording.audio, song)
    report("rendering", 0.5)
    gain_db = write_audio(targets.song, song, rate, encoding=encoding, overwrite=overwrite)
    edls.write(edl, targets.edl, overwrite=overwrite)
    with replacing(targets.plot, overwrite=overwrite) as temporary:
        save(figure, temporary)
    if targets.join_preview is not None:
        preview = join_preview(song, edl)
        write_audio(targets.join_preview, preview, rate, encoding=encoding, overwrite=overwrite)
    report("rendering", 1.0)
    return gain_db


def _tell(track: "Track", edl: "EDL", targets: Targets, gain_db: float, args: "Namespace") -> None:
    from rl_editor.cli import telling

    if args.json:
        sys.stdout.write(telling.as_json(edl, track, None if args.dry_run else targets.song, gain_db))
        return
    sys.stdout.write(telling.headline(edl, None if args.dry_run else targets.song, gain_db))
    if not args.quiet:
        telling.print_joins(edl, track)
