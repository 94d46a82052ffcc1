"""`rl-editor analyse`: recordings are listened to once, in parallel, and what was heard is kept and told."""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable, write_text
from rl_editor.cli.arguments import CommandParser, command_parser
from rl_editor.cli.complaints import complain
from rl_editor.cli.parallel_options import add_jobs_option, check_jobs
from rl_editor.cli.songs import find_songs
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
from rl_editor.errors import EditorError
from rl_editor.progress import Report, bars, ignore

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.analysis.store import Store
    from rl_editor.analysis.track import Track


def parser() -> CommandParser:
    """The command line of `rl-editor analyse`."""
    parser = command_parser(
        "analyse",
        "Listen to recordings and keep what was heard for `rl-editor edit`. What is kept already is not done again.",
    )
    parser.add_argument("songs", nargs="+", metavar="SONG", help="recordings, or folders of them")
    parser.add_argument("--json", action="store_true", help="tell each song as a JSON object on a line")
    parser.add_argument("--beats-out", metavar="CSV", help="write the beats of one song: time_s,position (1: downbeat)")
    add_listening_options(parser)
    add_store_option(parser)
    add_jobs_option(parser, "songs")
    parser.add_argument("--overwrite", action="store_true", help="replace a CSV that is there already")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


@dataclass(frozen=True)
class Summary:
    """What is told about one song."""

    file: str
    content_hash: str
    sample_rate: int
    """Hz."""
    channels: int
    duration_s: float
    tempo_bpm: float
    """Median over the beats of music, or over all where there is none."""
    key: str | None
    loudness_lufs: float | None
    beats: int
    bars: int
    music_share: float
    """Of the duration, in [0, 1]."""
    missing: tuple[str, ...]
    """Fields of the Track nothing is known about."""
    doubts: tuple[str, ...]
    """Where the beats may be heard wrongly."""

    @classmethod
    def of(cls, track: "Track") -> "Summary":
        """The summary of an analysis."""
        import numpy as np

        lengths_s = np.diff(track.bounds_s)
        is_music = track.is_music
        return cls(
            file=track.source.file,
            content_hash=track.source.content_hash,
            sample_rate=track.source.sample_rate,
            channels=track.source.channels,
            duration_s=track.source.duration_s,
            tempo_bpm=60.0 / float(np.median(lengths_s[is_music] if is_music.any() else lengths_s)),
            key=track.key,
            loudness_lufs=track.loudness_lufs,
            beats=track.n_beats,
            bars=len(np.unique(track.bar)),
            music_share=float(lengths_s[is_music].sum() / lengths_s.sum()),
            missing=track.missing,
            doubts=track.doubts,
        )

    def text(self) -> str:
        """`jam.wav: 58:10, 121.4 bpm, A minor, 1702 bars, 87 % music; not known: voice`, and a line for each doubt."""
        from rl_editor.clock import clock

        facts = [clock(self.duration_s), f"{self.tempo_bpm:.1f} bpm", *([self.key] if self.key else [])]
        facts += [f"{self.bars} bars", f"{self.music_share:.0%} music".replace("%", " %")]
        unknown = f"; not known: {', '.join(self.missing)}" if self.missing else ""
        lines = [f"{self.file}: {', '.join(facts)}{unknown}", *(f"  {doubt}" for doubt in self.doubts)]
        return "".join(f"{line}\n" for line in lines)


def run(args: "Namespace") -> int:
    """Analyse each song and tell of it in the order given; a bad one is reported and does not stop the others."""
    if not check_jobs(args):
        return 2
    if slip := listening_slip(args):
        complain(slip)
        return 2
    songs = find_songs(args.songs)
    beats_out = Path(args.beats_out) if args.beats_out else None
    if beats_out and len(songs) > 1:
        complain(f"--beats-out takes the beats of one song, not of {len(songs)}")
        return 2
    if takes_beats_of_one_song(args) and len(songs) > 1:
        complain(f"--beats FILE holds the beats of one song, not of {len(songs)}")
        return 2
    if beats_out:
        check_writable(beats_out, overwrite=args.overwrite, source=songs[0])
    store = chosen_store(args.store)
    status = 0
    results = sys.stdout
    with bars(quiet=args.quiet) as report:
        work = _Work(store, chosen_listening(args, report), beats_out, args.overwrite)
        with closing(_outcomes(work, songs, args.jobs, report)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, EditorError):
                    complain(outcome)
                    status = 1
                    continue
                # While bars are drawn, rich leads sys.stdout to their terminal: right only if results go to one too.
                stream = sys.stdout if results.isatty() else results
                stream.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n" if args.json else outcome.text())
                stream.flush()
    return status


@dataclass(frozen=True)
class _Work:
    """What is done with each song, in whichever process."""

    store: "Store"
    listening: Listening
    beats_out: Path | None
    overwrite: bool

    def __call__(self, song: Path, report: Report = ignore) -> Summary:
        """What to tell about one song.

        Raises:
            EditorError: it can't be used, or its beats can't be written.
        """
        from rl_editor.audio.files import read_audio

        track = stored_track(read_audio(song), self.store, report, self.listening)
        if self.beats_out is not None:
            write_text(self.beats_out, _beats_csv(track), overwrite=self.overwrite)
        return Summary.of(track)


def _outcomes(
    work: _Work, songs: Sequence[Path], jobs: int | None, report: Report
) -> Generator[Summary | EditorError, None, None]:
    """The outcome of each song, in order."""
    from rl_editor.data.parallel import side_by_side

    if len(songs) == 1:
        try:
            yield work(songs[0], report)
        except EditorError as error:
            yield error
    else:
        yield from side_by_side(work, songs, stage="analysing", jobs=jobs, report=report)


def _beats_csv(track: "Track") -> str:
    """Beats as `--beats` takes them: seconds, and the position in the bar from 1."""
    rows = zip(track.bounds_s[:-1], track.bar_position, strict=True)
    return "time_s,position\n" + "".join(f"{time_s:.6f},{position + 1}\n" for time_s, position in rows)
