"""Tracks from the store, for the commands that need the analysis of a recording."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable
from rl_editor.cli.complaints import complain
from rl_editor.errors import EditorError
from rl_editor.progress import Report

if TYPE_CHECKING:
    from rl_editor.analysis.store import Store
    from rl_editor.analysis.track import Track
    from rl_editor.audio.files import Recording
    from rl_editor.cli.arguments import CommandParser


def add_store_option(parser: "CommandParser") -> None:
    """Add `--store DIR` to a command."""
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="where analyses are kept; default: RL_EDITOR_STORE, else the user's cache folder",
    )


def chosen_store(folder: str | None) -> "Store":
    """The store that `--store` names, else RL_EDITOR_STORE, else the default.

    Raises:
        EditorError: the folder that was named can't be written.
    """
    from rl_editor.analysis.store import Store, default_folder

    named = folder or os.environ.get("RL_EDITOR_STORE")
    if not named:
        return Store(default_folder())
    check_writable(Path(named) / "*", overwrite=True)
    return Store(Path(named))


def stored_track(recording: "Recording", store: "Store", report: Report, *, beats: str | None = None) -> "Track":
    """The analysis of a recording, from the store if it is there, else kept in it.

    A store that can't be written costs the next command its time, so it is told and stops nothing.

    Args:
        recording: what to analyse.
        store: where analyses are kept.
        report: told of each stage.
        beats: file of beats that are known already.

    Raises:
        AudioError: the recording can't be analysed.
        TrackError: the file of beats can't be used.
    """
    from rl_editor.analysis.analyse import analyse
    from rl_editor.analysis.beat_files import read_beats
    from rl_editor.analysis.store import Key

    known = read_beats(Path(beats)) if beats else None
    key = Key(recording.source, f"beats={hashlib.sha256(Path(beats).read_bytes()).hexdigest()}" if beats else "")
    track = store.load(key)
    if track is not None:
        return track
    track = analyse(recording.audio, recording.sample_rate, source=recording.source, beats=known, report=report)
    try:
        store.save(key, track)
    except EditorError as error:
        complain(f"{error}; this analysis is not kept")
    return track
