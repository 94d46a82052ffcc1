"""`rl-editor benchmark`: editors against the exact edits of takes, on one ruler, in one table."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, replacing, write_text
from rl_editor.cli.arguments import CommandParser, command_parser, positive, seconds
from rl_editor.cli.complaints import complain
from rl_editor.cli.stored import add_store_option, chosen_store, stored_track
from rl_editor.errors import DataError, EditorError
from rl_editor.progress import bars, ignore

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.analysis.store import Store
    from rl_editor.analysis.track import Track
    from rl_editor.audio.files import Recording
    from rl_editor.edits.edl import EDL
    from rl_editor.edits.request import EditRequest
    from rl_editor.edits.ruler.raw import Raw
    from rl_editor.edits.ruler.table import Result
    from rl_editor.edits.ruler.verdict import Verdict

EDITORS = "planner,sections,window,head,random,loudest"
_EXACT = "exact"
_FILES = ("benchmark.md", "benchmark.csv", "edits.png")


@dataclass(frozen=True)
class _TakeFiles:
    """A raw with its exact edit: an EDL, or sound from which it is recovered."""

    name: str
    raw: Path
    edit: Path
    song: str


def parser() -> CommandParser:
    """The command line of `rl-editor benchmark`."""
    parser = command_parser(
        "benchmark",
        "Judge what editors make of takes, beside the exact edit. TAKES is a folder made by rl-editor sample-data or "
        "synthesize, or one of your own: NAME_raw.* with NAME_raw.edl.json, edl/NAME.json or NAME_edit.*.",
    )
    add = parser.add_argument
    add("takes", metavar="TAKES", help="folder of takes")
    add("--editors", default=EDITORS, metavar="A,B", help=f"who edits (default {EDITORS})")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--target", type=seconds, metavar="TIME", help="length of all edits; default: the exact edit's")
    length.add_argument("--keep", type=positive, metavar="SHARE", help="length as a share of each raw")
    add("-o", "--output", metavar="DIR", help=f"also write {', '.join(_FILES)} here")
    add_store_option(parser)
    add("--seed", type=int, default=0, help="for editors that draw by chance")
    add("--overwrite", action="store_true", help="replace files that are there already")
    add("--quiet", action="store_true", help="no progress")
    return parser


def run(args: "Namespace") -> int:
    """Judge all editors on all takes."""
    from rl_editor.edits.registry import load_editor
    from rl_editor.edits.ruler.contact_sheet import contact_sheet
    from rl_editor.edits.ruler.table import markdown, to_csv

    names = [name.strip() for name in args.editors.split(",") if name.strip()]
    for name in names:
        load_editor(name)
    for file in _FILES if args.output else ():
        check_writable(Path(args.output) / file, overwrite=args.overwrite)
    takes = list(_find_takes(Path(args.takes)))
    store = chosen_store(args.store)
    results: list[Result] = []
    sheet = []
    with bars(quiet=args.quiet) as report:
        for number, take in enumerate(takes):
            report("takes", number / len(takes))
            try:
                track, edits = _judge_take(take, names, args, store)
            except EditorError as error:
                complain(f"note: {take.name} is left out: {error}")
                continue
            results += [result for result, _ in edits]
            sheet.append((take.name, track, [(each.editor, edl, each.verdict.alone) for each, edl in edits]))
        report("takes", 1.0)
    if not results:
        raise DataError(f"{args.takes}: no take that could be judged")
    table = markdown(results, [_EXACT, *names])
    sys.stdout.write(table)
    if args.output:
        folder = Path(args.output)
        write_text(folder / _FILES[0], table, overwrite=args.overwrite)
        write_text(folder / _FILES[1], to_csv(results), overwrite=args.overwrite)
        with replacing(folder / _FILES[2], overwrite=args.overwrite) as temporary:
            contact_sheet(sheet).savefig(temporary, format="png")
    return 0


def _judge_take(
    take: _TakeFiles, names: list[str], args: "Namespace", store: "Store"
) -> "tuple[Track, list[tuple[Result, EDL]]]":
    """The exact edit and each editor's, judged; an editor that finds none is told of and left out."""
    from rl_editor.audio.files import read_audio
    from rl_editor.edits.registry import load_editor
    from rl_editor.edits.request import EditRequest
    from rl_editor.edits.ruler.evaluate import hear_raw
    from rl_editor.edits.ruler.table import Result

    recording = read_audio(take.raw)
    track = stored_track(recording, store, ignore)
    exact = _exact_edit(take, recording)
    target_s = exact.duration_s if args.target is None and args.keep is None else args.target
    request = EditRequest(target_s=target_s, keep=args.keep, seed=args.seed)
    raw = hear_raw(recording.audio, track)
    edits = [(_EXACT, exact)]
    for name in names:
        try:
            edits.append((name, load_editor(name).edit(track, request)[0]))
        except EditorError as error:
            complain(f"note: {take.name}: {name}: {error}")
    judged = [(name, edl, _verdict(recording, raw, edl, exact, request)) for name, edl in edits]
    return track, [(Result(name, take.name, take.song, verdict), edl) for name, edl, verdict in judged]


def _verdict(recording: "Recording", raw: "Raw", edl: "EDL", exact: "EDL", request: "EditRequest") -> "Verdict":
    from rl_editor.edits.render import render
    from rl_editor.edits.ruler.evaluate import judge
    from rl_editor.edits.ruler.source_map import known_map

    song = render(recording.audio, edl)
    target_s = request.length_s(recording.source.duration_s)
    return judge(raw, song, recording.sample_rate, known_map(edl), human=exact, target_s=target_s)


def _exact_edit(take: _TakeFiles, recording: "Recording") -> "EDL":
    from rl_editor.audio.files import read_audio
    from rl_editor.edits import edl as edls
    from rl_editor.edits.recovery.recover import recover

    if take.edit.suffix == ".json":
        edl = edls.read(take.edit)
        if edl.source != recording.source:
            raise DataError(f"{take.edit}: an edit of another recording than {take.raw}")
        return edl
    edit = read_audio(take.edit)
    source = recording.source
    try:
        return recover(recording.audio, source.sample_rate, edit.audio, edit.sample_rate, source=source).to_edl()
    except EditorError as error:
        raise DataError(f"{take.edit}: {error}") from error


def _find_takes(folder: Path) -> Iterator[_TakeFiles]:
    """The takes of a folder or its `jams`, by name.

    Raises:
        DataError: there is no such folder, or no take in it.
    """
    from rl_editor.data.training_files import card_path, edl_path, read_card

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found = False
    for raw in sorted([*folder.glob("*_raw.*"), *folder.glob("jams/*_raw.*")]):
        key = raw.stem.removesuffix("_raw")
        edits = [raw.with_suffix(".edl.json"), edl_path(raw.parent, key), *sorted(raw.parent.glob(f"{key}_edit.*"))]
        there = [path for path in edits if path.is_file()]
        if raw.suffix == ".json" or not there:
            continue
        card = card_path(raw.parent, key)
        song = read_card(card).song.content_hash if card.is_file() else key
        found = True
        yield _TakeFiles(key, raw, there[0], song)
    if not found:
        raise DataError(f"{folder}: no take in it; a take is NAME_raw.wav with NAME_raw.edl.json or NAME_edit.wav")
