"""Does the music flow on over a join? Compared with what would have followed and what led there in the raw.

Onsets hear a limp of 20 ms, chroma hears the wrong bar, timbre hears both a little; how loud a step is, only level
does. Each difference is told against chance: 1.0 is the median of random beats of the same raw.
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.spectra import RATE
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.edits.ruler.grid import beat_before_s, beat_length_s, music_share, off_beat_s
from rl_editor.edits.ruler.hearing import (
    FRAME_S,
    Excerpt,
    chroma_distance,
    excerpt,
    latest_frames,
    mean_level_db,
    side,
    timbre_distance,
    unlike,
)
from rl_editor.edits.ruler.raw import Chance, Raw
from rl_editor.edits.ruler.source_map import Join

_BEATS = 4  # on each side; one bar hears the wrong bar, more hears the form
_SHORTEST_S, _LONGEST_S = 1.2, 3.2
_MOSTLY = 0.75  # share of music from which a side of a join has something to compare
_CHANCE_PAIRS = 40
_UNSURE, _SURE = 0.35, 0.65  # fit of onsets up to which their shift is not believed, and from which it is fully
_LIMP_S = 0.08
_NO_LIMP_S = 0.006
_ALIKE, _SAME = 0.5, 0.8  # the same for a rhythm that comes again, where many shifts of several lengths are tried
_APART_BEATS = (1, 2, 4)
_FAR = 0.3  # of fit, for each beat that a shift is off the grid: eighths fit eighths
_UNKNOWN = 0.8  # of a join with nothing to compare on either side


@dataclass(frozen=True)
class Likeness:
    """How a join goes on, compared with what the raw would have played."""

    late_s: float
    """How far the onsets had to be shifted to fit best; positive where the entered sound comes too late."""
    fit: float
    """Correlation of the onsets, so shifted."""
    onsets: float
    chroma: float
    timbre: float
    """Unlikeness; 1.0 is chance."""
    level_db: float
    """Level of the entered sound over the left one."""


@dataclass(frozen=True)
class Flow:
    """How the music flows over one join."""

    score: float
    limp_s: float
    """How far the beat stumbles."""
    likeness: Likeness | None
    """None where neither side has music to compare."""


def measure_chance(sound: Array, track: Track) -> Chance:
    """How unlike random beats of a raw are, so that a difference can be told in units of its own music.

    Args:
        sound: the raw, mono at `RATE`.
        track: its analysis.
    """
    rng = np.random.default_rng(0)
    music = np.flatnonzero(track.is_music)
    if len(music) < 2:
        return Chance(1.0, 1.0, 6.0)
    pairs = rng.choice(music, (_CHANCE_PAIRS, 2))
    distances = []
    for first, second in pairs[pairs[:, 0] != pairs[:, 1]].tolist():
        reach = _reach(track, int(track.bounds[first]))
        here, there = (_at(sound, track, int(track.bounds[beat]), reach) for beat in (first, second))
        distances.append(_distances(here, there, (False, True), 0))
    onsets, chroma, timbre = np.median(np.array(distances), axis=0) if distances else (1.0, 1.0, 6.0)
    return Chance(max(float(onsets), 0.2), max(float(chroma), 0.03), max(float(timbre), 1.0))


def measure_flow(join: Join, raw: Raw, *, whole: bool, begins: bool, ended: bool) -> Flow:
    """How the music flows over a join.

    Args:
        join: where the raw is left and entered.
        raw: as heard.
        whole: a phrase ends and another begins there, so that a change of sound is no surprise.
        begins: a piece begins where the raw is entered, so that nothing led there.
        ended: a piece has ended where the raw is left, so that nothing would have followed.
    """
    track = raw.track
    reach = _reach(track, join.into)
    length = round(reach * FRAME_S * raw.sample_rate)
    sides = (
        not begins and music_share(track, join.into - length, join.into) >= _MOSTLY,
        not ended and music_share(track, join.out, join.out + length) >= _MOSTLY,
    )
    here, there = _at(raw.sound, track, join.out, reach), _at(raw.sound, track, join.into, reach)
    stumble_s = abs(_rhythm(here, there, beat_before_s(track, join.out), off_beat_s(track, join.out, join.into)))
    if not any(sides):
        return Flow(_UNKNOWN * _on_time(stumble_s), stumble_s, None)
    like = _compare(here, there, sides, raw.chance)
    limp_s = _between(stumble_s, abs(like.late_s), like.fit, _UNSURE, _SURE)
    terms = [2.0 ** -(value**2) for value in (like.onsets, like.chroma, like.timbre)]
    content = float(np.prod([(1.0 + term) / 2.0 if whole else term for term in terms]))
    return Flow(_on_time(limp_s) * content, limp_s, like)


def _compare(here: Excerpt, there: Excerpt, sides: tuple[bool, bool], chance: Chance) -> Likeness:
    """The sound around the place that is left against that around the place that is entered."""
    onsets, chroma, timbre_db = _distances(here, there, sides, 0)
    shifts = range(-latest_frames() + 1, latest_frames())
    fits = np.array([1.0 - _onset_distance(here, there, sides, shift) for shift in shifts])
    best = int(fits.argmax())
    late = shifts[best] + _peak_offset(fits, best)
    level_db = [
        mean_level_db(side(there.level_db, there, after=after)) - mean_level_db(side(here.level_db, here, after=after))
        for after, counts in zip((False, True), sides, strict=True)
        if counts
    ]
    return Likeness(
        late_s=late * FRAME_S,
        fit=float(fits[best]),
        onsets=onsets / chance.onsets,
        chroma=chroma / chance.chroma,
        timbre=timbre_db / chance.timbre_db,
        level_db=float(np.mean(level_db)),
    )


def _rhythm(here: Excerpt, there: Excerpt, beat_s: float, by_grid_s: float) -> float:
    """How much too late the beat goes on after a join, seconds.

    Nothing needs to have followed or led there in the raw: the last beat, two or four before the join are compared with
    as many after it. Told as exactly as their onsets fit; bounds, which say where about, need not be exact.
    """
    middle = len(here.onsets) // 2
    about, reach = round(by_grid_s / FRAME_S), round(beat_s / FRAME_S / 2)
    late_s, fit = by_grid_s, 0.0
    for beats in _APART_BEATS:
        n = round(beats * beat_s / FRAME_S)
        shifts = range(about - reach, about + reach + 1)
        if n > here.before or middle + shifts[0] < 0 or middle + shifts[-1] + n > len(there.onsets):
            break
        led = here.onsets[middle - n : middle]
        fits = np.array([_fit(led, there.onsets[middle + by : middle + by + n]) for by in shifts])
        best = int((fits - _FAR * np.abs(np.array(shifts) - about) * FRAME_S / beat_s).argmax())
        if fits[best] > fit:
            late_s, fit = (shifts[best] + _peak_offset(fits, best) + n) * FRAME_S - beats * beat_s, float(fits[best])
    return _between(by_grid_s, late_s, fit, _ALIKE, _SAME)


def _fit(x: Array, y: Array) -> float:
    return 1.0 - unlike(x - x.mean(axis=0), y - y.mean(axis=0))


def _between(first: float, second: float, fit: float, unsure: float, sure: float) -> float:
    """The first of two values, or as far as a fit allows to believe it, the second."""
    share = float(np.clip((fit - unsure) / (sure - unsure), 0.0, 1.0))
    return share * second + (1.0 - share) * first


def _distances(here: Excerpt, there: Excerpt, sides: tuple[bool, bool], shift: int) -> tuple[float, float, float]:
    """Unlikeness of onsets, of harmony, and of timbre in dB, over the sides that count."""
    chroma, timbre_db = (
        measure(*(_sides(getattr(each, name), each, sides) for each in (here, there)))
        for name, measure in (("chroma", chroma_distance), ("timbre", timbre_distance))
    )
    return _onset_distance(here, there, sides, shift), chroma, timbre_db


def _onset_distance(here: Excerpt, there: Excerpt, sides: tuple[bool, bool], shift: int) -> float:
    return unlike(_sides(here.onsets, here, sides), _sides(there.onsets, there, sides, shift))


def _sides(values: Array, heard: Excerpt, sides: tuple[bool, bool], shift: int = 0) -> Array:
    places = zip((False, True), sides, strict=True)
    return np.concatenate([side(values, heard, after=after, shift=shift) for after, counts in places if counts])


def _peak_offset(values: Array, peak: int) -> float:
    """How far the top of a parabola through a peak and its neighbours lies from it, in [-1/2, 1/2]."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    left, top, right = values[peak - 1 : peak + 2].tolist()
    bend = left - 2.0 * top + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _on_time(limp_s: float) -> float:
    return float(np.exp(-max(limp_s - _NO_LIMP_S, 0.0) / _LIMP_S))


def _reach(track: Track, at: int) -> int:
    """Frames of a bar around a place, a multiple of 4."""
    span_s = float(np.clip(_BEATS * beat_length_s(track, at), _SHORTEST_S, _LONGEST_S))
    return round(span_s / FRAME_S / 4) * 4


def _at(sound: Array, track: Track, at: int, reach: int) -> Excerpt:
    return excerpt(sound, round(at * RATE / track.source.sample_rate), reach)
