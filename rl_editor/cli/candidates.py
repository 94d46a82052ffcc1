"""`rl-editor candidates`: several edits of each recording, to be heard side by side and compared."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, write_text
from rl_editor.cli.arguments import CommandParser, command_parser, positive, seconds
from rl_editor.cli.complaints import complain
from rl_editor.cli.songs import find_songs
from rl_editor.cli.stored import add_store_option, chosen_store, stored_track
from rl_editor.errors import DataError, EditorError, RequestError
from rl_editor.progress import bars

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.analysis.track import Track
    from rl_editor.edits.candidates import Candidate
    from rl_editor.edits.request import Editor, EditRequest

_EDITORS = "planner,sections,window,random"
_INDEX = "candidates.json"


def parser() -> CommandParser:
    """The command line of `rl-editor candidates`."""
    parser = command_parser(
        "candidates",
        "Make several edits of each recording, all of one length, to be heard side by side and compared "
        "(docs/comparisons.md). Each recording gets a folder: the sounds, their EDLs, and candidates.json, which tells "
        "how each was made.",
    )
    add = parser.add_argument
    add("songs", nargs="+", metavar="RAW", help="recordings, or folders of them")
    add("-o", "--output", required=True, metavar="DIR", help="where the folders go")
    add("--n", type=int, default=4, metavar="N", help="candidates of each recording (default 4), at least 20 %% apart")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--duration", type=seconds, metavar="TIME", help="their length: 4:00 or 240")
    length.add_argument("--keep", type=positive, metavar="SHARE", help="their length as a share of the recording: .35")
    add("--slack", type=seconds, default=2.0, metavar="TIME", help="most that a length may differ (default 2s)")
    add("--editors", default=_EDITORS, metavar="NAMES", help=f"who edits, with commas between (default {_EDITORS})")
    add("--checkpoint", action="append", default=[], metavar="RUN", help="a policy that edits too; repeatable")
    add(
        "--temperature", type=positive, action="append", metavar="T",
        help="that a policy's edits beside its likeliest one are drawn at (default 0.6); of several each policy edits "
        "at each",
    )  # fmt: skip
    add("--seed", type=int, default=0, help="for editors that draw by chance")
    add_store_option(parser)
    add("--overwrite", action="store_true", help="replace files that are there already")
    add("--quiet", action="store_true", help="no progress, no notes")
    return parser


@dataclass(frozen=True)
class _Place:
    """Where the candidates of one recording go."""

    source: Path
    folder: Path

    @property
    def index(self) -> Path:
        return self.folder / _INDEX

    def sound(self, number: int) -> Path:
        from rl_editor.audio.encoding import writable_suffix

        return self.folder / f"{number}{writable_suffix(self.source.suffix)}"

    def edl(self, number: int) -> Path:
        return self.folder / f"{number}.json"

    def check(self, count: int, *, overwrite: bool) -> None:
        """Refuse before the work what could not be written after it."""
        for number in range(1, count + 1):
            check_writable(self.sound(number), overwrite=overwrite, source=self.source)
            check_writable(self.edl(number), overwrite=overwrite)
        check_writable(self.index, overwrite=overwrite)


def run(args: "Namespace") -> int:
    """Make the candidates of each recording; a bad one is reported and does not stop the others."""
    from rl_editor.edits.request import EditRequest

    if args.n < 2:
        complain(f"--n {args.n}: to compare takes at least 2")
        return 2
    request = EditRequest(target_s=args.duration, keep=args.keep, slack_s=args.slack, count=args.n, seed=args.seed)
    if args.temperature and not args.checkpoint:
        complain("--temperature is a policy's: --checkpoint names one (`policy` is the shipped one)")
        return 2
    places = _places(args)
    for place in places:
        place.check(args.n, overwrite=args.overwrite)
    editors = _editors(args)
    status = 0
    for place in places:
        try:
            _make(place, request, editors, args)
        except EditorError as error:
            complain(error)
            status = 1
    return status


def _places(args: "Namespace") -> list[_Place]:
    sources = find_songs(args.songs)
    twice = [name for name, count in Counter(source.stem for source in sources).items() if count > 1]
    if twice:
        raise DataError(f"{Path(args.output) / twice[0]}: two recordings would have this folder")
    return [_Place(source, Path(args.output) / source.stem) for source in sources]


def _editors(args: "Namespace") -> "dict[str, Editor]":
    """Who edits, by name; a policy's is that of its run or file, with its temperature where one was asked for."""
    from rl_editor.checkpoints import find
    from rl_editor.edits.registry import load_editor

    names = [name.strip() for name in args.editors.split(",") if name.strip()]
    policies = {}
    for name, temperature in product(args.checkpoint, args.temperature or [None]):
        options = {} if temperature is None else {"temperature": temperature}
        called = f"policy {name}" if temperature is None else f"policy {name} at {temperature:g}"
        policies[called] = load_editor("policy", checkpoint=find(name, "policy"), **options)
    editors = policies | {name: load_editor(name) for name in names}
    if not editors:
        raise RequestError("nobody edits: --editors is empty and there is no --checkpoint")
    return editors


def _make(place: _Place, request: "EditRequest", editors: "dict[str, Editor]", args: "Namespace") -> None:
    from rl_editor.audio.encoding import check_holds
    from rl_editor.audio.files import read_audio, write_audio
    from rl_editor.edits import edl as edls
    from rl_editor.edits.candidates import chosen
    from rl_editor.edits.render import render

    with bars(quiet=args.quiet) as report:
        report("reading", 0.0)
        recording = read_audio(place.source)
        report("reading", 1.0)
        check_holds(place.sound(1), recording.source.channels, recording.source.sample_rate)
        track = stored_track(recording, chosen_store(args.store), report)
        report("deciding", 0.0)
        candidates = chosen(_offers(track, request, editors, quiet=args.quiet), args.n)
        report("deciding", 1.0)
        if len(candidates) < 2:
            raise RequestError(
                f"{place.source}: {len(candidates)} different edit, nothing to compare; ask more editors"
            )
        for number, candidate in enumerate(candidates, start=1):
            report("rendering", (number - 1) / len(candidates))
            sound = render(recording.audio, candidate.edl)
            rate, encoding = recording.sample_rate, recording.encoding
            write_audio(place.sound(number), sound, rate, encoding=encoding, overwrite=args.overwrite)
            edls.write(candidate.edl, place.edl(number), overwrite=args.overwrite)
        report("rendering", 1.0)
    write_text(place.index, _index(place, track, candidates), overwrite=args.overwrite)
    sys.stdout.write(f"{place.folder}: {len(candidates)} of {args.n} candidates\n")


def _offers(
    track: "Track", request: "EditRequest", editors: "dict[str, Editor]", *, quiet: bool
) -> "list[list[Candidate]]":
    """What each editor offers; who has no edit that meets the request is told and passed over."""
    from rl_editor.edits.candidates import offered

    request = _with_length(track, request, editors)
    offers: list[list[Candidate]] = []
    for name, editor in editors.items():
        try:
            offers.append(offered(name, editor, track, request))
        except RequestError as error:
            if not quiet:
                complain(f"note: {name} is passed over: {error}")
    return offers


def _with_length(track: "Track", request: "EditRequest", editors: "dict[str, Editor]") -> "EditRequest":
    """The request with a length; where none is asked for, that of the first editor's own choice."""
    if request.length_s(track.source.duration_s) is not None:
        return request
    edits = next(iter(editors.values())).edit(track, replace(request, count=1))
    return replace(request, target_s=edits[0].duration_s)


def _index(place: _Place, track: "Track", candidates: "Sequence[Candidate]") -> str:
    """How each candidate was made, as JSON."""
    from rl_editor.data.comparisons import edl_hash

    listed = [
        {
            "edl": place.edl(number).name,
            "sound": place.sound(number).name,
            "edl_hash": edl_hash(candidate.edl),
            "made_by": candidate.made_by,
            "maker": asdict(candidate.edl.maker),
            "request": asdict(candidate.request),
            "rank": candidate.rank,
        }
        for number, candidate in enumerate(candidates, start=1)
    ]
    record = {"version": 1, "recording": str(place.source), "content_hash": track.source.content_hash}
    return json.dumps({**record, "candidates": listed}, ensure_ascii=False, indent=1) + "\n"
