"""A finished song as material for takes: where it sounds, where it can be cut, and what it plays twice."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.spectra import listen, log_mel
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray
from rl_editor.audio.files import Recording
from rl_editor.audio.mixing import SILENT_LUFS, quick_lufs
from rl_editor.audio.sample_songs import PLAYED_LUFS
from rl_editor.errors import DataError

LOWEST_RATE = 16000
"""Hz; what is played between the songs needs as much."""
LEAST_BEATS = 32
"""A song of fewer is no material."""
_LEAST_S = 15.0
_BLOCK_S = 0.02
_HEARD_DB = -50.0  # against the loud parts
_HEAD_ROOM_S = 0.01  # kept before the first sound that is heard
_TAIL_S = 0.05
_LEAST_REPEAT_BEATS = 16
_MOST_REPEATS = 12
_NEAR = 0.4  # distance of two beats, of the song's median, at which they may be the same music
_NEAR_BAR = 0.7  # the same for the worst four beats of a stretch
_ALIKE = 0.8  # correlation of two stretches' spectra over time at which they are
_PARTS_OF_A_BEAT = 8


@dataclass(frozen=True)
class Repeat:
    """Music that a song plays again: `n_beats` from beat `first`, and from beat `again`."""

    first: int
    again: int
    n_beats: int
    likeness: float
    """Correlation of the two spectrograms, each band's mean taken off, up to 1."""


@dataclass(frozen=True, eq=False)
class RecordedSong:
    """A finished recording, of which takes can be made."""

    audio: Array
    """float32 (2, n), at the loudness of a rehearsal."""
    sample_rate: int
    """Hz."""
    track: Track
    """Its analysis."""
    name: str
    bounds: IntArray
    """Samples of the beats that are music, (B+1,): from just before the first sound to where the last has died away."""
    borders: IntArray
    """Beats, of those, at which a section or a phrase begins, rising, (N,); neither the first nor the end."""
    is_section: BoolArray
    """Which of the borders begin a section, (N,)."""
    repeats: tuple[Repeat, ...]
    """What it really plays twice."""

    @property
    def n_beats(self) -> int:
        """B."""
        return len(self.bounds) - 1

    @property
    def bounds_s(self) -> DoubleArray:
        """Bounds in seconds, (B+1,)."""
        return self.bounds / self.sample_rate


def recorded_song(recording: Recording, track: Track) -> RecordedSong:
    """A recording of one finished song and its analysis, as material.

    All that is heard counts as music, whatever the analysis takes it for.

    Args:
        recording: of one song.
        track: its analysis.
    Raises:
        DataError: it has too low a sample rate, too little sound or too few beats, or the analysis is of another one.
    """
    name, rate = Path(recording.source.file).stem or "song", recording.sample_rate
    if rate < LOWEST_RATE:
        raise DataError(f"{name}: {rate} Hz; takes need songs of at least {LOWEST_RATE} Hz")
    if track.source != recording.source:
        raise DataError(f"{name}: the analysis is of another recording")
    audio = _stereo(recording.audio)
    loudness = quick_lufs(audio, rate)
    if loudness <= SILENT_LUFS:
        raise DataError(f"{name}: nothing is heard; takes need a song")
    start, end = _heard(audio, rate)
    first, last = _beats_within(track.bounds, start, end)
    n_beats = last - first
    if n_beats < LEAST_BEATS or end - start < _LEAST_S * rate:
        heard = f"{(end - start) / rate:.0f} s of sound and {max(n_beats, 0)} beats"
        raise DataError(f"{name}: {heard}; takes need at least {_LEAST_S:.0f} s and {LEAST_BEATS} beats")
    bounds = track.bounds[first : last + 1].copy()
    bounds[[0, -1]] = start, end
    borders, is_section = _borders(track, first, last)
    repeats = _repeats(audio, rate, bounds, track.features[first:last], track.bar_position[first:last], borders)
    audio = audio * np.float32(10.0 ** ((PLAYED_LUFS - loudness) / 20.0))
    return RecordedSong(audio, rate, track, name, bounds, borders, is_section, repeats)


def _stereo(audio: Array) -> Array:
    """Two channels; of more than two, their mean on both."""
    return audio if audio.shape[0] == 2 else np.repeat(audio.mean(axis=0, keepdims=True, dtype=np.float32), 2, axis=0)


def _heard(audio: Array, sample_rate: int) -> tuple[int, int]:
    """From just before the first sound to just after the last, in samples."""
    size = round(_BLOCK_S * sample_rate)
    n = audio.shape[1] // size
    power = np.square(audio[:, : n * size]).reshape(len(audio), n, size).mean(axis=(0, 2), dtype=np.float64)
    heard = np.flatnonzero(power > np.percentile(power, 90) * 10.0 ** (_HEARD_DB / 10.0))
    start = int(heard[0]) * size - round(_HEAD_ROOM_S * sample_rate)
    end = (int(heard[-1]) + 1) * size + round(_TAIL_S * sample_rate)
    return max(start, 0), min(end, audio.shape[1])


def _beats_within(bounds: IntArray, start: int, end: int) -> tuple[int, int]:
    """First and one past the last beat whose greater part is heard."""
    middles = (bounds[:-1] + bounds[1:]) // 2
    inside = np.flatnonzero((middles >= start) & (middles < end))
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)


def _borders(track: Track, first: int, last: int) -> tuple[IntArray, BoolArray]:
    """Beats, counted from `first`, on which parts begin, and which of them are sections."""

    def starts(numbers: IntArray | None) -> IntArray:
        if numbers is None:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(np.diff(numbers[first:last])).astype(np.int64) + 1

    sections, phrases = starts(track.section), starts(track.phrase)
    borders = np.union1d(sections, phrases)
    return borders, np.isin(borders, sections)


def _repeats(
    audio: Array, sample_rate: int, bounds: IntArray, features: Array, bar_position: SmallIntArray, borders: IntArray
) -> tuple[Repeat, ...]:
    """Stretches from border to border that come again later at the same place in the bar, longest first.

    The beats' features find them, the sound decides.
    """
    distance = _distances(features)
    edges = [0, *borders.tolist(), len(features)]
    found = []
    for k, first in enumerate(edges[:-1]):
        for end in edges[k + 1 :]:
            n = end - first
            if n < _LEAST_REPEAT_BEATS:
                continue
            starts = np.arange(end, len(features) - n + 1)
            starts = starts[bar_position[starts] == bar_position[first]]
            along = np.arange(n)
            costs = distance[first + along, starts[:, None] + along]
            mean = costs.mean(axis=1)
            worst = costs[:, : n // 4 * 4].reshape(len(starts), n // 4, 4).mean(axis=2).max(axis=1)
            near = np.flatnonzero((mean < _NEAR) & (worst < _NEAR_BAR))
            found += [(-n, float(mean[at]), first, int(starts[at])) for at in near]
    repeats: list[Repeat] = []
    tried = 0
    for n, _, first, again in sorted(found):
        inside = any(r.first <= first and first - n <= r.first + r.n_beats for r in repeats)
        if inside or tried == 4 * _MOST_REPEATS or len(repeats) == _MOST_REPEATS:
            continue
        tried += 1
        likeness = _likeness(audio, sample_rate, bounds[first : first - n + 1], bounds[again : again - n + 1])
        if likeness >= _ALIKE:
            repeats.append(Repeat(first, again, -n, likeness))
    return tuple(repeats)


def _distances(features: Array) -> Array:
    """How different two beats sound, of the median of all pairs, (B, B)."""
    values = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    squares = np.square(values).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2.0 * values @ values.T, 0.0))
    result: Array = (distance / max(float(np.median(distance)), 1e-9)).astype(np.float32)
    return result


def _likeness(audio: Array, sample_rate: int, first: IntArray, again: IntArray) -> float:
    """Correlation of the spectrograms of two stretches of as many beats, eight columns a beat, each band's mean off."""
    columns = []
    for bounds in (first, again):
        spectra = listen(audio[:, bounds[0] : bounds[-1]], sample_rate)
        places = np.arange(len(bounds) - 1 + 1e-9, step=1.0 / _PARTS_OF_A_BEAT)
        edges_s = np.interp(places, np.arange(len(bounds)), (bounds - bounds[0]) / sample_rate)
        mel = span_means(log_mel(spectra.mel), edges_s * spectra.frame_rate)
        columns.append((mel - mel.mean(axis=0)).ravel())
    x, y = columns
    return float(x @ y / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-9))
