"""The takes that the ruler is tried on, each with its exact edit: sample takes and rehearsals of recorded songs."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.files import Recording, read_audio
from rl_editor.audio.sample_songs import make_song
from rl_editor.audio.source import identify
from rl_editor.data.recorded_song import recorded_song
from rl_editor.data.recorded_takes import TakeConfig, recorded_take
from rl_editor.data.session_plan import Mode
from rl_editor.data.takes import make_take
from rl_editor.edits.edl import EDL, Segment

SELECTION = range(9750, 9756)
"""Seeds of sample takes that scales and weights may be set with."""
SELECTION_SONGS = (
    "amoebax_angus", "mars_starfall", "mars_wings", "stk_west", "stk_hacienda", "zaz_mus2", "singularity_byproduct",
    "hyperrogue_mountain", "voxelibre_lonely_blossom", "voxelibre_oddblock", "singularity_awakening",
)  # fmt: skip
REPORTED = range(9800, 9812)
"""Seeds of sample takes that no scale and no weight was set with."""
REPORTED_SONGS = (
    "amoebax_bones", "hyperrogue_desert", "mars_menu", "zaz_mus1", "singularity_journey", "hyperrogue_laboratory",
    "mars_orphanage", "zaz_mus4", "hyperrogue_graveyard",
)  # fmt: skip
_IN_PARTS: tuple[Mode, ...] = ("sections", "reorder", "loop")
_SELECTION_SEED, _REPORTED_SEED, _AS_IT_COMES = 600, 640, 100
_FADE_S = 0.012


@dataclass(frozen=True)
class Take:
    """What a take is made of."""

    song: str
    """File of a recorded song; of a sample song, its seed."""
    seed: int
    path: Path | None = None
    """None for a sample take."""
    mode: Mode | None = None
    """How a recorded song is rehearsed; None draws it."""


@dataclass(frozen=True, eq=False)
class Case:
    """One raw with its exact edit."""

    audio: Array
    track: Track
    edl: EDL
    borders: tuple[tuple[int, str], ...]
    """Where sections begin in what is kept, and their labels."""

    @property
    def rate(self) -> int:
        return self.track.source.sample_rate


def sample_case(seed: int) -> Case:
    """A sample take of 4 minutes, or a session of two songs of five and a half."""
    rng = np.random.default_rng(seed)
    count = 2 if seed % 4 == 0 else 1
    pieces = [make_song(rng, name=f"s{k}", length_s=85 if count == 1 else 60).piece for k in range(count)]
    length_s = 240.0 if count == 1 else 330.0
    take = make_take(pieces, rng, length_s=length_s, loud_pauses=seed % 2 == 0, stems=False)
    kept = [passage for attempt in take.attempts if attempt.kept for passage in attempt.passages]
    borders = tuple((passage.start, passage.label) for passage in kept)
    track = analyse(take.audio, take.sample_rate)
    return Case(take.audio, track, replace(take.edl, source=track.source), borders)


def recorded_case(path: Path, seed: int, mode: Mode | None) -> Case:
    """A rehearsal of the first two minutes of a recorded song."""
    whole = read_audio(path)
    audio = np.ascontiguousarray(whole.audio[:, : 130 * whole.sample_rate])
    recording = Recording(audio, identify(audio, whole.sample_rate), whole.encoding)
    song = recorded_song(recording, analyse(audio, whole.sample_rate))
    config = TakeConfig(mode=mode, longest_raw_s=300, longest_song_s=110)
    take = recorded_take(song, np.random.default_rng(seed), config=config)
    track = analyse(take.audio, take.sample_rate)
    return Case(take.audio, track, replace(take.edl, source=track.source), _sections(track))


def make_case(take: Take) -> Case:
    """A take made and analysed."""
    return sample_case(take.seed) if take.path is None else recorded_case(take.path, take.seed, take.mode)


def takes(data: Path, fetched: Path | None, *, selection: bool) -> list[Take]:
    """All of one side, those of recorded songs whose file is in one of the folders."""
    songs, seed = (SELECTION_SONGS, _SELECTION_SEED) if selection else (REPORTED_SONGS, _REPORTED_SEED)
    folders = [folder for folder in (data / "music", fetched) if folder]
    files = {path.stem: path for folder in folders for path in folder.glob("*.ogg")}
    made = [Take(f"sample {number}", number) for number in (SELECTION if selection else REPORTED)]
    for k, song in enumerate(songs):
        if song in files:
            made.append(Take(song, seed + k, files[song], _IN_PARTS[k % len(_IN_PARTS)]))
            made.append(Take(song, seed + _AS_IT_COMES + k, files[song]))
    return made


def with_joins(case: Case, most: int = 2) -> EDL:
    """The exact edit with joins: from the start of a section to that of a later one of the same label."""
    if any(case.edl.segments[k - 1].end > case.edl.segments[k].start for k in case.edl.joins):
        return case.edl  # it has loops or another order, with joins of its own
    segments: list[Segment] = []
    count = 0
    for segment in case.edl.segments:
        inside = [border for border in case.borders if segment.start < border[0] < segment.end]
        at, k, fade = segment.start, 1, segment.fade
        while k < len(inside):
            later = [j for j in range(k + 2, len(inside)) if inside[j][1] == inside[k][1]]
            if later and count < most:
                segments.append(Segment(at, inside[k][0], fade))
                at, fade, k, count = inside[later[0]][0], round(_FADE_S * case.rate), later[0], count + 1
            k += 1
        segments.append(Segment(at, segment.end, fade))
    return replace(case.edl, segments=tuple(segments))


def _sections(track: Track) -> tuple[tuple[int, str], ...]:
    assert track.section is not None
    assert track.section_labels is not None
    starts = np.flatnonzero(np.diff(track.section, prepend=-1))
    return tuple((int(track.bounds[row]), track.section_labels[track.section[row]]) for row in starts)
