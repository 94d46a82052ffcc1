"""`rl-editor edit`: recordings in, songs out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import replacing
from rl_editor.cli.arguments import CommandParser, command_parser, positive, seconds, time_range
from rl_editor.cli.complaints import complain
from rl_editor.cli.stored import (
    Listening,
    add_listening_options,
    add_store_option,
    chosen_listening,
    chosen_store,
    listening_slip,
    stored_track,
    takes_beats_of_one_song,
)
from rl_editor.cli.targets import Job, is_folder, jobs
from rl_editor.errors import EditorError
from rl_editor.progress import Report, bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.analysis.track import Track
    from rl_editor.audio.files import Recording
    from rl_editor.edits.edl import EDL
    from rl_editor.edits.request import Editor, EditRequest


def parser() -> CommandParser:
    """The command line of `rl-editor edit`."""
    parser = command_parser("edit", "Turn recordings into songs. Without a length it follows from the content.")
    add = parser.add_argument
    add("songs", nargs="+", metavar="SONG", help="recordings, or folders of them, to edit")
    add("-o", "--output", metavar="OUT", help="file, or folder (its name then ends in /); default: SONG.edit.EXT")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--duration", type=seconds, metavar="TIME", help="length of the song: 4:00 or 240")
    length.add_argument("--keep", type=positive, metavar="SHARE", help="length as a share of the recording: .35")
    add("--slack", type=seconds, default=1.0, metavar="TIME", help="most that the length may differ (default 1s)")
    add("--lock", type=time_range, action="append", default=[], metavar="A-B", help="must be played: 1:00-1:30")
    add("--ban", type=time_range, action="append", default=[], metavar="A-B", help="must not be played; repeatable")
    add("--start", type=seconds, metavar="TIME", help="begin with this beat of the recording")
    add("--end", type=seconds, metavar="TIME", help="end here in the recording")
    add("--order", choices=["forward", "free"], default="forward", help="free: parts may change places")
    add("--loops", action="store_true", help="allow repeats even where the length does not demand them")
    add("--top", type=int, default=1, metavar="N", help="write the N best, at least 20 %% apart")
    add(
        "--editor",
        default="auto",
        metavar="NAME",
        help="auto (default): policy, or planner where that can't; policy, planner, sections, window, head, loudest, "
        "random",
    )
    add("--checkpoint", metavar="RUN", help="run or file whose policy edits (default: the shipped one)")
    add("--best-of", type=int, metavar="K", help="edits that the policy chooses from by their joins (default: 1)")
    add("--edl", metavar="JSON", help="where the EDL goes; default: beside the song")
    add("--plot", metavar="PNG", help="where the picture goes; default: beside the song")
    add("--join-preview", metavar="FILE", help="also write 3 s around each join, one after another")
    add_listening_options(parser)
    add_store_option(parser)
    add("--json", action="store_true", help="tell the result as JSON, an object an edit")
    add("--dry-run", action="store_true", help="decide and tell, write nothing")
    add("--overwrite", action="store_true", help="replace files that are there already")
    add("--seed", type=int, default=0, help="for editors that draw by chance")
    add("--quiet", action="store_true", help="no progress, no table")
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
    if slip := listening_slip(args):
        complain(slip)
        return 2
    single = args.edl or args.plot or args.join_preview or takes_beats_of_one_song(args)
    several = len(args.songs) > 1 or Path(args.songs[0]).is_dir()
    if several and (single or (args.output is not None and not is_folder(args.output))):
        complain("several songs need a folder as -o, and no --edl, --plot, --join-preview, --beats FILE")
        return 2
    with bars(quiet=args.quiet or args.json) as report:
        listening = chosen_listening(args, report)
    editor = _editor(args)
    if args.editor == "policy" and args.checkpoint is None:
        complain("note: the shipped policy edits; --checkpoint takes another")
    status = 0
    for job in jobs(args):
        try:
            _edit_one(job, request, editor, listening, args)
        except EditorError as error:
            complain(error)
            status = 1
    return status


def _editor(args: "Namespace") -> "Editor":
    """The editor that was chosen."""
    from rl_editor.checkpoints import find
    from rl_editor.edits.registry import load_editor

    options: dict[str, object] = {}
    if args.checkpoint is not None:
        options["checkpoint"] = find(args.checkpoint, "policy")
    if args.best_of is not None:
        options["best_of"] = args.best_of
    # who names a checkpoint wants the policy, whatever it can't do
    return load_editor("policy" if options and args.editor == "auto" else args.editor, **options)


def _edit_one(job: Job, request: "EditRequest", editor: "Editor", listening: Listening, args: "Namespace") -> None:
    from rl_editor.audio.encoding import check_holds
    from rl_editor.audio.files import read_audio

    ranks = range(1, request.count + 1)
    if not args.dry_run:
        for rank in ranks:
            job.numbered(rank).check(overwrite=args.overwrite)
    store = chosen_store(args.store)
    with bars(quiet=args.quiet or args.json) as report:
        report("reading", 0.0)
        recording = read_audio(job.source)
        report("reading", 1.0)
        for path in (job.song, job.join_preview):
            if path is not None and not args.dry_run:
                check_holds(path, recording.source.channels, recording.source.sample_rate)
        track = stored_track(recording, store, report, listening)
        report("deciding", 0.0)
        edits = editor.edit(track, request)
        report("deciding", 1.0)
        gains_db = [0.0] * len(edits)
        if not args.dry_run:
            for k, edl in enumerate(edits):
                with _all_or_none(job.numbered(k + 1)) as numbered:
                    gains_db[k] = _write(recording, track, edl, numbered, args.overwrite, report)
    for rank, edl, gain_db in zip(ranks, edits, gains_db, strict=False):
        _tell(track, edl, job.numbered(rank), gain_db, args)
    if args.editor == "auto" and (why := _why_not_the_policy(editor)):
        complain(f"note: {job.source}: the planner made this, not the policy: {why}")
    if len(edits) < request.count:
        note = f"{len(edits)} of {request.count} edits: no other differs by 20 %"
        complain(f"note: {job.source}: {note}")


def _why_not_the_policy(editor: "Editor") -> str:
    """Why the default editor turned to the planner; empty where it did not."""
    from rl_editor.policies.default_editor import DefaultEditor

    return editor.note if isinstance(editor, DefaultEditor) else ""


@contextmanager
def _all_or_none(job: Job) -> Iterator[Job]:
    """Take back the files that were not there before if one of them can't be written."""
    new = [path for path in job.files if not path.exists()]
    try:
        yield job
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _write(recording: "Recording", track: "Track", edl: "EDL", job: Job, overwrite: bool, report: Report) -> float:
    from rl_editor.audio.cue_marks import read_marks
    from rl_editor.audio.files import write_audio
    from rl_editor.edits import edl as edls
    from rl_editor.edits.picture import draw, save
    from rl_editor.edits.preview import join_preview
    from rl_editor.edits.render import render

    report("rendering", 0.0)
    rate, encoding = edl.source.sample_rate, recording.encoding
    song = render(recording.audio, edl)
    figure = draw(edl, track, recording.audio, song, marks=read_marks(job.source))
    report("rendering", 0.5)
    gain_db = write_audio(job.song, song, rate, encoding=encoding, overwrite=overwrite)
    edls.write(edl, job.edl, overwrite=overwrite)
    with replacing(job.plot, overwrite=overwrite) as temporary:
        save(figure, temporary)
    if job.join_preview is not None and edl.joins:
        write_audio(job.join_preview, join_preview(song, edl), rate, encoding=encoding, overwrite=overwrite)
    report("rendering", 1.0)
    return gain_db


def _tell(track: "Track", edl: "EDL", job: Job, gain_db: float, args: "Namespace") -> None:
    from rl_editor.cli import telling

    preview = job.join_preview if edl.joins else None
    written = {"song": job.song, "edl": job.edl, "plot": job.plot, "join_preview": preview}
    names = {} if args.dry_run else {what: str(path) for what, path in written.items() if path is not None}
    if args.json:
        sys.stdout.write(telling.as_json(edl, track, names, gain_db))
        return
    sys.stdout.write(telling.headline(edl, names.get("song"), gain_db))
    if job.join_preview is not None and not edl.joins:
        complain(f"note: {job.source}: there is no join to preview")
    if not args.quiet:
        telling.print_joins(edl, track)
        sys.stdout.writelines(f"  {doubt}\n" for doubt in track.doubts)
