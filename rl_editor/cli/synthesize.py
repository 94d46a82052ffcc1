"""`rl-editor synthesize`: finished songs become raw takes with their exact edits."""

import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rl_editor.atomic import check_writable
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.cli.parallel_options import add_parallel_options, check_jobs, on_all_machines
from rl_editor.cli.songs import find_songs
from rl_editor.cli.stored import chosen_store, stored_track
from rl_editor.errors import DataError, EditorError
from rl_editor.progress import bars, ignore

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.data.synthesis import SongFile

Outcome = TypeVar("Outcome")


def parser() -> CommandParser:
    """The command line of `rl-editor synthesize`."""
    parser = command_parser(
        "synthesize",
        "Make training data of finished songs: raw takes of each (DIR/X_raw.flac) with talk, false starts and bad "
        "attempts, their exact edits (DIR/X_edit.flac, DIR/edl/X.json), and a card of each (DIR/cards/X.json). The "
        "same seed makes the same takes of a song. What is there already is not made again.",
    )
    parser.add_argument("songs", nargs="+", metavar="SONG", help="finished songs, or folders of them")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to fill, such as training_data/")
    parser.add_argument("--count", type=int, default=3, metavar="N", help="takes of each song (default 3)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="other seeds make other takes (default 0)")
    parser.add_argument(
        "--hold-out", nargs="+", default=[], metavar="FAMILY",
        help="kinds of mistakes that nobody makes: timing, 'wrong notes', level, dropout, muffling",
    )  # fmt: skip
    add_parallel_options(parser, "takes")
    parser.add_argument(
        "--store", metavar="DIR",
        help="where analyses of the songs are kept; default: RL_EDITOR_STORE, else the user's cache folder",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="make again what is there already")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    return parser


def run(args: "Namespace") -> int:
    """Listen to the songs, then make the takes; a bad song is reported and does not stop the others."""
    from rl_editor.analysis.store import Store
    from rl_editor.data.parallel import side_by_side
    from rl_editor.data.synthesis import Listening, Recipe, Synthesis, plan_takes
    from rl_editor.data.training_files import SUBFOLDERS, make_folders

    if not check_jobs(args):
        return 2
    try:
        recipe = Recipe(args.seed, tuple(args.hold_out))
        if args.count < 1:
            raise DataError(f"--count {args.count}: at least 1")
    except DataError as error:
        complain(error)
        return 2
    folder = on_all_machines(Path(args.output), args.backend)
    songs = [on_all_machines(song, args.backend) for song in find_songs(args.songs)]
    check_writable(folder / "*", overwrite=True)
    store = Store(on_all_machines(chosen_store(args.store).folder, args.backend))
    track_of = partial(stored_track, store=store, report=ignore)
    with bars(quiet=args.quiet) as report:
        spread = partial(side_by_side, jobs=args.jobs, backend=args.backend, report=report)
        heard = _without_errors(spread(Listening(track_of), songs, stage="listening to songs"))
        usable = _distinct(heard)
        if not usable:
            return 1
        make_folders(folder, *SUBFOLDERS)
        planned = plan_takes(usable, args.count, recipe)
        work = Synthesis(folder, recipe, track_of, overwrite=args.overwrite)
        made = _without_errors(spread(work, planned, stage="making takes"))
    if not args.quiet:
        sys.stdout.write(_summary(folder, made, usable))
    return 0 if len(heard) == len(songs) and len(made) == len(planned) else 1


def _without_errors(outcomes: "Generator[Outcome | EditorError, None, None]") -> "list[Outcome]":
    """The outcomes, with a line about each that is none."""
    good = []
    with closing(outcomes):
        for outcome in outcomes:
            if isinstance(outcome, EditorError):
                complain(outcome)
            else:
                good.append(outcome)
    return good


def _distinct(songs: "Sequence[SongFile]") -> "list[SongFile]":
    """The songs without those that sound exactly like one before."""
    first: dict[str, SongFile] = {}
    for song in songs:
        same = first.setdefault(song.content_hash, song)
        if same is not song:
            complain(f"{song.path}: the same sound as {same.path}; takes are made of one of them")
    return list(first.values())


def _summary(folder: Path, made: "Sequence[bool]", songs: "Sequence[SongFile]") -> str:
    there = f", {len(made) - sum(made)} of them there already" if not all(made) else ""
    takes, of = f"{len(made)} take{'s' * (len(made) != 1)}", f"{len(songs)} song{'s' * (len(songs) != 1)}"
    return f"{folder}: {takes} of {of}{there}\n"
