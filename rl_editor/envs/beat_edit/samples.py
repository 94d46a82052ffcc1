"""Sample songs to edit where nobody brings a recording: made and analysed once, then kept beside the store."""

from importlib.metadata import version
from pathlib import Path

import numpy as np

from rl_editor.analysis.store import Key, Store, default_folder, named_folder
from rl_editor.analysis.track import Track
from rl_editor.audio.files import read_audio, write_audio

_SEEDS = (1, 2)
_LENGTH_S = 75.0
_RATE = 22050


def sample_recordings() -> tuple[list[Track], list[Path]]:
    """Two sample songs of about 75 s: their Tracks and their files.

    They are kept in the folder that RL_EDITOR_STORE names, else in the user's cache folder.

    Raises:
        EditorError: the folder can't be written.
    """
    folder = named_folder() or default_folder()
    store = Store(folder)
    songs = folder / f"sample-songs-{version('rl-editor')}"
    files = [songs / f"sample_song_{seed}.flac" for seed in _SEEDS]
    return [_track(file, seed, store) for file, seed in zip(files, _SEEDS, strict=True)], files


def _track(file: Path, seed: int, store: Store) -> Track:
    if not file.exists():
        from rl_editor.audio.sample_songs import make_song

        song = make_song(np.random.default_rng(seed), sample_rate=_RATE, length_s=_LENGTH_S)
        write_audio(file, song.mix, _RATE, overwrite=True)
    recording = read_audio(file)
    key = Key(recording.source)
    track = store.load(key)
    if track is None:
        from rl_editor.analysis.analyse import analyse

        track = analyse(recording.audio, recording.sample_rate, source=recording.source)
        store.save(key, track)
    return track
