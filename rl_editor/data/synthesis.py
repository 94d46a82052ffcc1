"""Takes of finished songs as files: a raw, its exact edit, and a card.

Each take depends on the seed, the content of its song and its number alone, so it comes out the same whatever else is
made, in any order, by any number of processes. Where a raw holds something of another song, that song is from the same
side of the split, and the one of those given whose hash with the take's is lowest.

The raw is rounded to 24 bits before it is rendered from, so that the edit's file holds exactly what the renderer makes
of the raw's file, rounded to 24 bits once more where the renderer fades.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.files import Encoding, Recording, read_audio, write_audio
from rl_editor.audio.source import Source
from rl_editor.data.faults import FAMILIES, Family
from rl_editor.data.recorded_song import RecordedSong, recorded_song
from rl_editor.data.recorded_takes import recorded_take
from rl_editor.data.splits import split_of
from rl_editor.data.training_files import Card, SongIdentity, TakeFiles, read_card, write_card
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import render
from rl_editor.errors import DataError

VERSION = 1
"""Raise it with every change by which takes come out differently; their names change with it."""

DEEPEST = Encoding("FLAC", "PCM_24")
"""How takes are stored."""

_MOST_OTHERS = 2
_FULL_SCALE = 1.0 - 2.0**-16  # a little less: fades are measured anew on the rounded raw
_LONGEST_NAME = 40

TrackOf = Callable[[Recording], Track]


@dataclass(frozen=True)
class Recipe:
    """What takes are made by, besides their songs."""

    seed: int = 0
    """Other seeds make other takes."""
    held_out: tuple[Family, ...] = ()
    """Families of faults that are not used."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise DataError(f"seed {self.seed}: must not be negative")
        unknown = [family for family in self.held_out if family not in FAMILIES]
        if unknown:
            raise DataError(f"{unknown[0]}: no family of faults; there are {', '.join(FAMILIES)}")
        if not self.families:
            raise DataError("all families of faults are held out; at least one must be left")

    @property
    def families(self) -> tuple[Family, ...]:
        """What may go wrong."""
        return tuple(family for family in FAMILIES if family not in self.held_out)


@dataclass(frozen=True)
class SongFile:
    """A finished song that takes are made of."""

    path: Path
    content_hash: str

    @property
    def identity(self) -> SongIdentity:
        """As a card names it."""
        return SongIdentity(self.content_hash, self.path.name)


@dataclass(frozen=True)
class Listening:
    """The first look at songs, in whichever process."""

    track_of: TrackOf
    """Gives the analysis of a song."""

    def __call__(self, path: Path) -> SongFile:
        """A song that takes can be made of.

        Raises:
            EditorError: it can't be read, analysed, or is no material.
        """
        recording = read_audio(path)
        recorded_song(recording, self.track_of(recording))
        return SongFile(path, recording.source.content_hash)


@dataclass(frozen=True)
class PlannedTake:
    """What one take will be made of."""

    key: str
    """Name of its files."""
    song: SongFile
    number: int
    """Of the takes of this song, from 1."""
    others: tuple[SongFile, ...]
    """Songs of which something may be played besides."""


def plan_takes(songs: Sequence[SongFile], count: int, recipe: Recipe) -> list[PlannedTake]:
    """`count` takes of each song, song by song.

    Args:
        songs: no two of one content hash.
        count: takes of each.
        recipe: how they are made.
    """
    return [
        PlannedTake(_key(song, number, recipe), song, number, _others(song, number, songs, recipe))
        for song in songs
        for number in range(1, count + 1)
    ]


@dataclass(frozen=True)
class Synthesis:
    """The making of takes, in whichever process."""

    folder: Path
    """Of training data."""
    recipe: Recipe
    track_of: TrackOf
    """Gives the analysis of a song."""
    overwrite: bool = False
    """Make again what is there already."""

    def __call__(self, planned: PlannedTake) -> bool:
        """Make one take, unless it is there already; whether it was made.

        Raises:
            DataError: its files were changed since they were made, and may not be replaced.
            EditorError: the song can't be used, or the files can't be written.
        """
        files = TakeFiles(self.folder, planned.key)
        if not self.overwrite and files.card.is_file():
            if _vouched_for(files.card) == files.hashes():
                return False
            raise DataError(f"{files.raw}: this take was changed since it was made; --overwrite makes it again")
        take = recorded_take(
            self._song(planned.song),
            take_generator(planned, self.recipe),
            others=[self._song(other) for other in planned.others],
            families=self.recipe.families,
        )
        source = write_take(files, take.audio, take.edl)
        card = Card(
            song=planned.song.identity,
            others=tuple(other.identity for other in planned.others),
            seed=self.recipe.seed,
            take=planned.number,
            files=files.hashes(),
            made=asdict(replace(take.card, raw_hash=source.content_hash)),
        )
        write_card(files.card, card, overwrite=True)
        return True

    def _song(self, song: SongFile) -> RecordedSong:
        recording = read_audio(song.path)
        if recording.source.content_hash != song.content_hash:
            raise DataError(f"{song.path}: was changed meanwhile")
        return recorded_song(recording, self.track_of(recording))


def _vouched_for(card: Path) -> dict[str, str]:
    try:
        return read_card(card).files
    except DataError as error:
        raise DataError(f"{error}; --overwrite makes this take again") from error


def take_generator(planned: PlannedTake, recipe: Recipe) -> np.random.Generator:
    """All that is random in a take: decided by the seed, the song's content and the take's number."""
    return np.random.default_rng([recipe.seed, int(planned.song.content_hash, 16), planned.number])


def write_take(files: TakeFiles, audio: Array, edl: EDL) -> Source:
    """Write a take so that its edit is exactly what the EDL plays from the raw's file; returns that file's identity.

    What is there without a card was left by a run that was killed, and is replaced.

    Args:
        files: where.
        audio: the raw, float32 (channels, samples); written quieter where it or its edit would clip.
        edl: its true edit.
    Raises:
        EditorError: a file can't be written.
    """
    sample_rate = edl.source.sample_rate
    quiet = audio * np.float32(_headroom(audio, edl))
    write_audio(files.raw, quiet, sample_rate, encoding=DEEPEST, overwrite=True)
    recording = read_audio(files.raw)
    true_edit = replace(edl, source=recording.source)
    write_audio(files.edit, render(recording.audio, true_edit), sample_rate, encoding=DEEPEST, overwrite=True)
    edl_files.write(true_edit, files.edl, overwrite=True)
    return recording.source


def _headroom(audio: Array, edl: EDL) -> float:
    """A gain, at most 1, by which neither the raw nor its edit goes above full scale."""
    peak = max(float(np.abs(sound).max()) for sound in (audio, render(audio, edl)))
    return min(1.0, _FULL_SCALE / peak) if peak > 0 else 1.0


def _key(song: SongFile, number: int, recipe: Recipe) -> str:
    """The song's name as file systems like it, a hash of all that decides the take, and its number."""
    name = re.sub(r"[^\w.-]+", "_", song.path.stem)[:_LONGEST_NAME]
    decides = f"{VERSION}:{song.content_hash}:{recipe.seed}:{','.join(sorted(recipe.held_out))}"
    return f"{name}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}-{number:02}"


def _others(song: SongFile, number: int, songs: Sequence[SongFile], recipe: Recipe) -> tuple[SongFile, ...]:
    side = split_of(song.content_hash)
    near = [other for other in songs if other != song and split_of(other.content_hash) == side]
    take = f"{recipe.seed}:{song.content_hash}:{number}"
    return tuple(sorted(near, key=lambda other: _chance(take, other))[:_MOST_OTHERS])


def _chance(take: str, other: SongFile) -> str:
    return hashlib.sha256(f"{take}:{other.content_hash}".encode()).hexdigest()
