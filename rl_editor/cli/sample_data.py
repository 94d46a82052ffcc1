"""`rl-editor sample-data`: songs, stems and raw jams to try things on, with their exact truth."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, write_text
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.errors import DataError
from rl_editor.progress import Report, bars

if TYPE_CHECKING:
    import numpy as np
    from jsonargparse import Namespace

    from rl_editor.audio.sample_songs import Piece, Song


def parser() -> CommandParser:
    """The command line of `rl-editor sample-data`."""
    parser = command_parser(
        "sample-data",
        "Make songs (DIR/NAME.wav), their stems (DIR/stems/NAME/), raw jams of them (DIR/jams/NAME_raw.wav) and "
        "the truth about each as JSON beside it. The same seed makes the same files.",
    )
    parser.add_argument("dir", metavar="DIR", help="folder to fill")
    parser.add_argument("--songs", type=int, default=3, metavar="N", help="how many songs (default 3)")
    parser.add_argument(
        "--minutes", type=float, default=6.0, metavar="M", help="length of each jam or of the session (default 6)"
    )
    parser.add_argument("--session", action="store_true", help="one session of all songs instead of a jam of each")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="other seeds make other songs (default 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    return parser


def run(args: "Namespace") -> int:
    """Make the songs, then the jams or the session."""
    import numpy as np

    from rl_editor.audio.sample_songs import make_song, song_names
    from rl_editor.data.takes import fitting_length_s

    _check(args)
    folder, length_s = Path(args.dir), 60.0 * args.minutes
    naming, *generators = np.random.default_rng(args.seed).spawn(args.songs + 1)
    names = song_names(args.songs, naming)
    for path in _targets(folder, names, session=args.session):
        check_writable(path, overwrite=args.overwrite)
    share_s = length_s / args.songs if args.session else length_s
    pieces = []
    with bars(quiet=args.quiet) as report:
        for k, (name, rng) in enumerate(zip(names, generators, strict=True)):
            song = make_song(rng, length_s=fitting_length_s(share_s, rng), name=name)
            _write_song(song, folder, overwrite=args.overwrite)
            report("songs", (k + 1) / len(names))
            if args.session:
                pieces.append(song.piece)
                continue
            _write_take([song.piece], length_s, rng, _raw_file(folder, name), overwrite=args.overwrite)
            report("jams", (k + 1) / len(names))
        if args.session:
            _session(pieces, length_s, naming, folder, args.overwrite, report)
    if not args.quiet:
        sys.stdout.write(_summary(folder, names, args))
    return 0


def _check(args: "Namespace") -> None:
    from rl_editor.data.takes import LEAST_RAW_S

    if args.songs < 1:
        raise DataError(f"--songs {args.songs}: at least 1 is needed")
    if args.seed < 0:
        raise DataError(f"--seed {args.seed}: must not be negative")
    least = LEAST_RAW_S / 60.0 * (args.songs if args.session else 1)
    if not least <= args.minutes <= 600.0:
        raise DataError(f"--minutes {args.minutes:g}: must be {least:g} to 600 here")


def _raw_file(folder: Path, name: str) -> Path:
    return folder / "jams" / f"{name}_raw.wav"


def _targets(folder: Path, names: list[str], *, session: bool) -> list[Path]:
    """Every file that will be written."""
    from rl_editor.audio.composition import STEMS

    songs = [folder / f"{name}{suffix}" for name in names for suffix in (".wav", ".json")]
    stems = [folder / "stems" / name / f"{stem}.wav" for name in names for stem in STEMS]
    raws = [_raw_file(folder, name) for name in (["session"] if session else names)]
    truths = [raw.with_suffix(suffix) for raw in raws for suffix in (".json", ".edl.json")]
    return [*songs, *stems, *raws, *truths]


def _write_song(song: "Song", folder: Path, *, overwrite: bool) -> None:
    from rl_editor.audio.files import write_audio
    from rl_editor.data.truth import song_truth

    stem_files = {stem: f"stems/{song.name}/{stem}.wav" for stem in song.stems}
    for stem, sound in song.stems.items():
        write_audio(folder / stem_files[stem], sound, song.sample_rate, overwrite=overwrite)
    path = folder / f"{song.name}.wav"
    write_audio(path, song.mix, song.sample_rate, overwrite=overwrite)
    truth = song_truth(song, file=path.name, stem_files=stem_files)
    write_text(path.with_suffix(".json"), truth, overwrite=overwrite)


def _write_take(
    songs: "list[Piece]", length_s: float, rng: "np.random.Generator", path: Path, *, overwrite: bool
) -> None:
    """Make a raw, write it, and write the truth about the file as it can be read."""
    from dataclasses import replace

    from rl_editor.audio.files import read_audio, write_audio
    from rl_editor.data.takes import make_take
    from rl_editor.data.truth import take_truth
    from rl_editor.edits import edl

    take = make_take(songs, rng, length_s=length_s, stems=False)
    write_audio(path, take.audio, take.sample_rate, overwrite=overwrite)
    true_edit = replace(take.edl, source=read_audio(path).source)
    edl.write(true_edit, path.with_suffix(".edl.json"), overwrite=overwrite)
    beside = replace(true_edit, source=replace(true_edit.source, file=path.name))
    write_text(path.with_suffix(".json"), take_truth(take, beside, file=path.name), overwrite=overwrite)


def _session(
    pieces: "list[Piece]", length_s: float, rng: "np.random.Generator", folder: Path, overwrite: bool, report: Report
) -> None:
    report("session", 0.0)
    _write_take(pieces, length_s, rng, _raw_file(folder, "session"), overwrite=overwrite)
    report("session", 1.0)


def _summary(folder: Path, names: list[str], args: "Namespace") -> str:
    raws = ["session"] if args.session else names
    return (
        f"{folder}: {', '.join(f'{name}.wav' for name in names)}, each with its truth in .json\n"
        f"{folder / 'stems'}: drums, bass, chords, lead and voice of each song\n"
        f"{folder / 'jams'}: {', '.join(f'{name}_raw.wav' for name in raws)}, {args.minutes:g} min each, "
        "with truth in .json and true edit in .edl.json\n"
    )
