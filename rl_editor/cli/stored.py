"""Tracks from the store, for the commands that need the analysis of a recording, and how it is listened to."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable
from rl_editor.cli.complaints import complain
from rl_editor.errors import CheckpointError, EditorError
from rl_editor.progress import Report

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.analysis.beat_files import KnownBeats
    from rl_editor.analysis.store import Store
    from rl_editor.analysis.track import Track
    from rl_editor.audio.files import Recording
    from rl_editor.cli.arguments import CommandParser


_BEAT_THIS = "beat-this"
"""In place of a file of beats."""


@dataclass(frozen=True)
class Listening:
    """How recordings are listened to, as a command line asks for it."""

    beats: "KnownBeats | None" = None
    """Beats that are known already."""
    beat_this: Path | None = None
    """Weights of beat-this, which then finds the beats."""
    demucs: Path | None = None
    """Weights of Demucs, which then splits the stems."""
    settings: str = ""
    """What the store tells analyses apart by; files go in with their hashes."""


_AS_USUAL = Listening()


def add_store_option(parser: "CommandParser") -> None:
    """Add `--store DIR` to a command."""
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="where analyses are kept; default: RL_EDITOR_STORE, else the user's cache folder",
    )


def add_listening_options(parser: "CommandParser") -> None:
    """Add to a command how it listens to recordings."""
    add = parser.add_argument
    add(
        "--beats",
        metavar="FILE|beat-this",
        help="beats that are known already: time_s[,position] a line; or who finds them",
    )
    add("--beats-weights", metavar="FILE", help="weights for --beats beat-this; default: fetched once")
    add("--stems", choices=["dsp", "demucs"], default="dsp", help="who splits stems: dsp (default), demucs (slow)")
    add("--stems-weights", metavar="FILE", help="weights for --stems demucs; default: fetched once")


def listening_slip(args: "Namespace") -> str | None:
    """What is wrong with how the options of `add_listening_options` are combined, if anything."""
    if args.beats_weights and args.beats != _BEAT_THIS:
        return f"--beats-weights goes with --beats {_BEAT_THIS}"
    if args.stems_weights and args.stems != "demucs":
        return "--stems-weights goes with --stems demucs"
    return None


def takes_beats_of_one_song(args: "Namespace") -> bool:
    """Whether the beats given are those of a certain recording."""
    return bool(args.beats) and args.beats != _BEAT_THIS


def chosen_listening(args: "Namespace", report: Report) -> Listening:
    """How recordings are to be listened to; weights that are nowhere on this machine are fetched.

    Args:
        args: with the options of `add_listening_options`.
        report: told of what is fetched.

    Raises:
        TrackError: the file of beats can't be used.
        CheckpointError: weights can't be had.
        EditorError: beat-this is not installed.
    """
    from rl_editor.analysis.beat_files import read_beats
    from rl_editor.analysis.beat_this import published_beat_this
    from rl_editor.analysis.demucs_stems import published_demucs

    beats, beat_this, demucs = None, None, None
    settings = []
    if args.beats == _BEAT_THIS:
        beat_this = Path(args.beats_weights) if args.beats_weights else published_beat_this(report)
        settings.append(f"beats={_BEAT_THIS}:{_hash(beat_this)}")
    elif args.beats:
        beats = read_beats(Path(args.beats))
        settings.append(f"beats={_hash(Path(args.beats))}")
    if args.stems == "demucs":
        demucs = Path(args.stems_weights) if args.stems_weights else published_demucs(report)
        settings.append(f"stems=demucs:{_hash(demucs)}")
    return Listening(beats, beat_this, demucs, ",".join(settings))


def chosen_store(folder: str | None) -> "Store":
    """The store that `--store` names, else RL_EDITOR_STORE, else the default.

    Raises:
        EditorError: the folder that was named can't be written.
    """
    from rl_editor.analysis.store import Store, default_folder, named_folder

    named = Path(folder) if folder else named_folder()
    if named is not None:
        check_writable(named / "*", overwrite=True)
    return Store(named or default_folder())


def stored_track(recording: "Recording", store: "Store", report: Report, listening: Listening = _AS_USUAL) -> "Track":
    """The analysis of a recording, from the store if it is there, else kept in it.

    A store that can't be written costs the next command its time, so it is told and stops nothing.

    Args:
        recording: what to analyse.
        store: where analyses are kept.
        report: told of each stage.
        listening: how it is listened to.

    Raises:
        AudioError: the recording can't be analysed.
        TrackError: it has no beats where there should be some.
        CheckpointError: a file of weights can't be used.
    """
    from rl_editor.analysis.store import Key

    key = Key(recording.source, listening.settings)
    track = store.load(key)
    if track is not None:
        return track
    track = _heard(recording, listening, report)
    try:
        store.save(key, track)
    except EditorError as error:
        complain(f"{error}; this analysis is not kept")
    return track


def _heard(recording: "Recording", listening: Listening, report: Report) -> "Track":
    """A new analysis."""
    from rl_editor.analysis.analyse import analyse, check
    from rl_editor.analysis.beat_this import beat_this_beats, load_beat_this
    from rl_editor.analysis.demucs_stems import load_demucs

    audio, sample_rate, source = recording.audio, recording.sample_rate, recording.source
    check(audio, sample_rate, file=source.file)
    demucs = load_demucs(listening.demucs) if listening.demucs else None
    beats = listening.beats
    if listening.beat_this:
        report("beats by beat-this", 0.0)
        beats = beat_this_beats(audio, sample_rate, load_beat_this(listening.beat_this), file=source.file)
        report("beats by beat-this", 1.0)
    return analyse(audio, sample_rate, source=source, beats=beats, demucs=demucs, report=report)


def _hash(path: Path) -> str:
    """SHA-256 of a file; one of beats has been read before."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path}: weights can't be read ({error.strerror})") from error
