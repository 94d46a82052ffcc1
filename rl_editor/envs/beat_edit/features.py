"""What an agent may know of edits under way: features of the beats around the playhead and of its landings.

Everything that does not change is put into tables once; `Features.of` gathers from them what N edits have before
them, on any device. Shapes are the same whatever a recording's length. Beats are described within their recording
(standardised over its music), so neither the level nor the EQ of a recording matters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.key import NOTE_NAMES
from rl_editor.analysis.landings import Family, K
from rl_editor.analysis.seams import SEAM_TERMS
from rl_editor.analysis.stems import STEMS
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray
from rl_editor.edits.actions import Kind, kinds_of
from rl_editor.edits.stacking import stacked
from rl_editor.envs.beat_edit.environment import SCALARS, BeatEditEnv, BeatObservation
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.errors import EnvError

BEFORE, AFTER = 4, 8
"""Beats that are described before the playhead, and from it on."""
PIECES = 64
"""Pieces of equal length into which contours of a recording are divided."""
_KEYS = tuple(f"{note} {mode}" for mode in ("major", "minor") for note in NOTE_NAMES)
_BANDS = 8  # into which wide groups of features are pooled
_WIDE = 12  # columns of a group from which it is pooled
_TOLD_BY_MEL = ("timbre", "mfcc")  # sums of mel's columns: whoever needs them can make them
_DEVIATIONS = 4.0
_PLAYS = 8
_FAR = 64.0  # beats
_WORST_SEAM = 4.0
_USUAL_BPM = 120.0


class Column(NamedTuple):
    """One number of an observation."""

    name: str
    low: float
    high: float


class Block(NamedTuple):
    """What a part of an observation holds of each edit: rows of the same columns."""

    rows: int
    columns: tuple[Column, ...]


class Surroundings(NamedTuple):
    """What N edits have around them, float32 each; described by `Features.blocks`."""

    must_keep: Tensor
    """A landing was just taken whose beat is still to be played, (N, 1)."""
    beats: Tensor
    """Beats around the playhead, (N, BEFORE + AFTER, D+1); 0 outside the recording."""
    landings: Tensor
    """Landings of the playhead and the beats that they land on, (N, K, L); 0 where there is none."""
    recording: Tensor
    """Energy contour, tempo curve and key of the recording, (N, 2 PIECES + 24)."""


_SCALAR_BOUNDS = {
    "left": (-1.0, 2.0),
    "played": (-1.0, 2.0),
    "ratio": (0.0, 8.0),
    "target_s": (0.0, 15.0),
    "passed": (0.0, 1.0),
    "joins": (0.0, 8.0),
    "loops": (0.0, 8.0),
    "reorders": (0.0, 8.0),
    "since_join": (0.0, 1.0),
}
_SCALAR_COLUMNS = tuple(Column(name, *_SCALAR_BOUNDS[name]) for name in SCALARS)
_PLAYED = Column("plays", 0.0, 1.0)
_LANDING_COLUMNS = (
    Column("present", 0.0, 1.0),
    *(Column(f"seam.{name}", 0.0, _WORST_SEAM) for name in SEAM_TERMS),
    Column("score", 0.0, _WORST_SEAM),
    Column("correlation", -1.0, 1.0),
    *(Column(f"family.{family.name.lower()}", 0.0, 1.0) for family in Family),
    Column("half", 0.0, 1.0),
    Column("distance", -1.0, 1.0),
)
_KIND_COLUMNS = tuple(Column(f"kind.{kind.name.lower()}", 0.0, 1.0) for kind in Kind)
_RECORDING_COLUMNS = (
    *(Column(f"energy.{k}", -_DEVIATIONS, _DEVIATIONS) for k in range(PIECES)),
    *(Column(f"tempo.{k}", -2.0, 2.0) for k in range(PIECES)),
    *(Column(f"key.{key}", 0.0, 1.0) for key in _KEYS),
)


@dataclass(frozen=True, eq=False)
class Features:
    """Tables of Q recordings; made by `make_features`."""

    blocks: dict[str, Block]
    """What the scalars and each field of `Surroundings` hold, and between which bounds."""
    beats: Tensor
    """Descriptions of the beats, (Q, BEFORE + B + AFTER, D+1): beat b is in row BEFORE + b, the rest is 0; the last
    column is what having played it once adds."""
    landings: Tensor
    """What does not change about landings, (Q, B+1, K, L')."""
    around: Tensor
    """Beats around each playhead and the beat of each of its landings, -1 where there is none; and their rows among
    those of all recordings in `beats`, (Q, B+1, 2, BEFORE + AFTER + K) int64."""
    recording: Tensor
    """(Q, 2 PIECES + 24)."""
    kinds: Tensor
    """One-hot code of each `Kind`, from -1 on, which is 0, (4, 3)."""
    low: Tensor
    """Least value of each of `SCALARS`, (9,)."""
    high: Tensor
    """Greatest value of each, (9,)."""

    def of(self, env: BeatEditEnv) -> Surroundings:
        """What the N edits of an environment now have around them."""
        state = env.state
        beat, place = self.around.flatten(0, 1).index_select(0, env.rows).unbind(1)
        described = self.beats.flatten(0, 1).index_select(0, place.flatten()).view(*beat.shape, -1)
        plays = state.plays.gather(1, beat.clamp(0, state.plays.shape[1] - 1))
        described[..., -1].mul_(plays.clamp_(max=_PLAYS))
        landed = beat[:, BEFORE + AFTER :]
        static = self.landings.flatten(0, 1).index_select(0, env.rows)
        kinds = self.kinds.index_select(0, (kinds_of(state, landed) + 1).flatten()).view(*landed.shape, -1)
        return Surroundings(
            must_keep=state.must_keep[:, None].float(),
            beats=described[:, : BEFORE + AFTER],
            landings=torch.cat([static, kinds, described[:, BEFORE + AFTER :]], dim=2),
            recording=self.recording.index_select(0, env.asked.recording),
        )

    def scalars(self, observation: BeatObservation) -> Tensor:
        """How far N edits have come, within bounds, (N, 9) float32, columns `SCALARS`."""
        return observation.scalars.clamp(self.low, self.high)


def make_features(instances: Instances) -> Features:
    """The tables of a set of instances, on its device.

    Raises:
        EnvError: the recordings were not analysed alike.
    """
    tracks, device = instances.tracks, instances.row.device
    described = [dict(described_beats(track)) | {_PLAYED: _played_once(track)} for track in tracks]
    if len({tuple(each) for each in described}) > 1:
        raise EnvError("the recordings were not analysed alike: their features differ")
    n_rows = instances.rules.tables.bounds.shape[1]
    beats = (np.pad(np.stack(list(each.values()), axis=1), [(BEFORE, AFTER), (0, 0)]) for each in described)
    beat_columns = tuple(described[0])
    landed_columns = tuple(column._replace(name=f"beat.{column.name}") for column in beat_columns)
    return Features(
        blocks={
            "scalars": Block(1, _SCALAR_COLUMNS),
            "must_keep": Block(1, (Column("must_keep", 0.0, 1.0),)),
            "beats": Block(BEFORE + AFTER, beat_columns),
            "landings": Block(K, (*_LANDING_COLUMNS, *_KIND_COLUMNS, *landed_columns)),
            "recording": Block(1, _RECORDING_COLUMNS),
        },
        beats=stacked(beats, BEFORE + n_rows - 1 + AFTER, device=device),
        landings=stacked(map(described_landings, tracks), n_rows, device=device),
        around=_around(instances, BEFORE + n_rows - 1 + AFTER),
        recording=stacked(map(_recording, tracks), device=device),
        kinds=torch.cat([torch.zeros(1, len(Kind)), torch.eye(len(Kind))]).to(device),
        low=torch.tensor([column.low for column in _SCALAR_COLUMNS], device=device),
        high=torch.tensor([column.high for column in _SCALAR_COLUMNS], device=device),
    )


def _around(instances: Instances, n_beats: int) -> Tensor:
    """`Features.around`, with `n_beats` rows of `Features.beats` for each recording."""
    n_rows, device = instances.rules.tables.bounds.shape[1], instances.row.device
    landed = stacked((track.landings.beat for track in instances.tracks), n_rows, fill=-1, device=device).long()
    window = torch.arange(n_rows, device=device)[:, None] + torch.arange(-BEFORE, AFTER, device=device)
    beat = torch.cat([window.expand(len(landed), -1, -1), landed], dim=2)
    first = torch.arange(len(landed), device=device)[:, None, None] * n_beats
    return torch.stack([beat, first + BEFORE + beat], dim=2)


def described_beats(track: Track) -> Iterator[tuple[Column, Array]]:
    """Each column of the description of beats with its values, (B,), of which none depends on what was played."""
    yield Column("present", 0.0, 1.0), np.ones(track.n_beats, dtype=np.float32)
    for activity in Activity:
        yield Column(f"activity.{activity.name.lower()}", 0.0, 1.0), (track.activity == activity).astype(np.float32)
    for name, values in _known(track):
        yield Column(name, 0.0, 1.0), np.clip(values, 0.0, 1.0).astype(np.float32)
    described = dict(_pooled(track.features, track.feature_names))
    if track.stem_features is not None and track.stem_feature_names is not None:
        for number, stem in enumerate(STEMS):
            pooled = _pooled(track.stem_features[:, number], track.stem_feature_names)
            described |= {f"{stem}.{name}": values for name, values in pooled}
    for name, values in described.items():
        yield Column(name, -_DEVIATIONS, _DEVIATIONS), _standardised(values, track)


def _played_once(track: Track) -> Array:
    """What playing each beat once adds to the last column of its description, (B,)."""
    return np.full(track.n_beats, 1.0 / _PLAYS, dtype=np.float32)


def _known(track: Track) -> Iterator[tuple[str, np.ndarray]]:
    """What is known of each beat in [0, 1], by name; 0 where nothing is."""
    nothing = np.zeros(track.n_beats)
    yield "music", track.music
    yield "confidence", track.confidence
    yield "boundary", track.boundary[:-1]
    yield "downbeat", track.bar_position == 0
    yield "bar_position", track.bar_position / np.maximum(np.bincount(track.bar - track.bar.min()), 1)[_bars(track)]
    yield "phrase", nothing if track.phrase is None else np.diff(track.phrase, prepend=-1) != 0
    yield "section", nothing if track.section is None else np.diff(track.section, prepend=-1) != 0
    for name in ("kick", "voice", "superseded", "spoiled"):
        values = getattr(track, name)
        yield name, nothing if values is None else values


def _bars(track: Track) -> np.ndarray:
    return track.bar - track.bar.min()


def _pooled(features: Array, names: Sequence[str]) -> Iterator[tuple[str, DoubleArray]]:
    """Features by name, (B,) each, with neighbouring columns of wide groups put together."""
    at = 0
    for group, columns in groupby(names):
        width = len(list(columns))
        values = features[:, at : at + width].astype(np.float64)
        at += width
        if group in _TOLD_BY_MEL:
            continue
        bands = np.array_split(values, _BANDS if width > _WIDE else width, axis=1)
        yield from ((f"{group}.{k}", band.mean(axis=1)) for k, band in enumerate(bands))


def _standardised(values: np.ndarray, track: Track) -> Array:
    """Deviations from the mean of the recording's music, in standard deviations, (B,)."""
    music = values[track.is_music] if track.is_music.any() else values
    spread = float(music.std())
    if spread <= 1e-9 * max(float(np.abs(music).max()), 1.0):  # a constant, but for rounding
        return np.zeros(len(values), dtype=np.float32)
    return np.clip((values - music.mean()) / spread, -_DEVIATIONS, _DEVIATIONS).astype(np.float32)


def described_landings(track: Track) -> Array:
    """What does not change about all landings, (B+1, K, L')."""
    places = track.landings
    distance = (places.beat - np.arange(track.n_beats + 1)[:, None]) / _FAR
    columns = [
        np.ones((track.n_beats + 1, K)),
        *np.moveaxis(places.seam, 2, 0),
        places.score,
        places.correlation,
        *(places.family == family for family in Family),
        places.half,
        distance,
    ]
    bounds = [(column.low, column.high) for column in _LANDING_COLUMNS]
    clipped = [np.clip(values, low, high) for values, (low, high) in zip(columns, bounds, strict=True)]
    return np.where(places.valid[..., None], np.stack(clipped, axis=2), 0.0).astype(np.float32)


def _recording(track: Track) -> Array:
    """`_RECORDING_COLUMNS` of a recording."""
    key = np.zeros(len(_KEYS))
    if track.key in _KEYS:
        key[_KEYS.index(track.key)] = 1.0
    bpm = np.full(track.n_beats, _USUAL_BPM) if track.tempo_bpm is None else track.tempo_bpm
    tempo = np.clip(np.log2(np.maximum(bpm, 1.0) / _USUAL_BPM), -2.0, 2.0)
    energy = _standardised(track.energy_db, track)
    return np.concatenate([_contour(energy, track), _contour(tempo, track), key]).astype(np.float32)


def _contour(values: np.ndarray, track: Track) -> np.ndarray:
    """Values of beats (B,) in the middle of each of `PIECES` pieces of the recording."""
    middles = (track.bounds[:-1] + track.bounds[1:]) / 2
    return np.interp((np.arange(PIECES) + 0.5) * (track.bounds[-1] / PIECES), middles, values)
