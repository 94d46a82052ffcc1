"""The reward of beat editing: its terms, each a pure function, in seconds of good music.

Terms that belong to a beat, a landing or an end are paid as they come; coverage and length are known at the end only.
What is paid is their sum over the target, less what the best contiguous window of that length is worth by content,
beginning, ending and phrases: an episode that cuts as well as that window returns 0. The same terms can be taken of
any edit, whoever made it (`terms_of`).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray
from rl_editor.edits import content
from rl_editor.edits.joins import fitting_fades
from rl_editor.edits.worth import Prices, beginnings, endings, join_price, worth_until

_PHRASE_BARS = 4
COVERED = 8
"""Beats of a section's label from which it counts as played."""
SECTION = 32
"""Beats of an edit's length that a section needs."""
_JUMP_DB = 6.0


@dataclass(frozen=True)
class RewardConfig:
    """What the environment pays for, in seconds of good music."""

    prices: Prices = field(default_factory=lambda: Prices(bad_s=4.0))
    """Content, seam, beginning, ending, repeats and length: what the planner plans by, but that bad joins cost about
    the same, or whoever joins at random would do worse than who plays one bar again and again."""
    superseded: float = 0.5
    """Share of its worth that a beat loses if a better attempt replaces it; which is better is only a guess."""
    fade_s: float = 0.5
    """A fade e times as long, or as short, as the one that fits a join costs this."""
    tempo_s: float = 4.0
    """A join at which the tempo doubles or halves costs this."""
    energy_s: float = 1.0
    """Each 6 dB by which a join changes the energy contour more than 6 dB cost this."""
    phrase_s: float = 2.0
    """A join that leaves in mid-phrase and enters in mid-phrase costs this; either alone half."""
    order_s: float = 1.0
    """A join that goes back to what was passed over costs this."""
    coverage_s: float = 4.0
    """Playing as many different sections as the length can hold is worth this."""
    dense: bool = True
    """Pay each term as it comes; else all of them at the end."""
    window_baseline: bool = True
    """Take away what the best contiguous window is worth."""
    rules: float = 1.0
    """Weight of the terms."""
    learned: float = 0.0
    """Weight of the learned model's score of the finished edit."""


class Terms(NamedTuple):
    """Seconds of good music by term."""

    content: float
    """What is played."""
    seam: float
    """How joins sound."""
    tempo: float
    """Jumps of tempo at joins."""
    energy: float
    """Jumps of the energy contour at joins."""
    phrases: float
    """Phrases that are broken into or off."""
    ending: float
    """Ending where it ends."""
    fade: float
    """How well the fades of joins fit."""
    order: float
    """Going back to what was passed over."""
    repetition: float
    """Beats played again: the second time their price, the third twice that, and so on."""
    start: float
    """Beginning where it begins."""
    coverage: float
    """Different sections."""
    length: float
    """Seconds off the target."""


TERMS = Terms._fields


class Joins(NamedTuple):
    """Joins of one recording, (N,) each."""

    leave: IntArray
    """Playhead."""
    beat: IntArray
    """Beat gone on from."""
    half: SmallIntArray
    score: Array
    """Seam score."""
    fits: IntArray
    """Samples of the fade that fits."""


@dataclass(frozen=True, eq=False)
class Worth:
    """What playing, beginning and ending are worth in one recording: all terms but those of joins."""

    until: DoubleArray
    """Content from the beginning to each bound, (B+1,)."""
    start: DoubleArray
    """Beginning with each beat, (B,)."""
    ending: DoubleArray
    """Ending at each bound, (B+1,)."""
    opens: DoubleArray
    """How well a phrase begins at each bound, (B+1,) in [0, 1]."""
    labels: IntArray
    """Label of each beat's section, (B,); -1 where there is none."""


def worth_of(track: Track, config: RewardConfig, score: Array | None = None) -> Worth:
    """What playing, beginning and ending are worth.

    Args:
        track: analysis of the recording.
        config: prices.
        score: content, (B,) in [0, 1]; None for what is known without training.
    """
    score = content.rules(track, superseded=config.superseded) if score is None else score
    return Worth(
        until=worth_until(track, score),
        start=config.prices.beginning_s * beginnings(track),
        ending=config.prices.ending_s * endings(track),
        opens=_opens(track).astype(np.float64),
        labels=_labels(track),
    )


def joins_of_table(track: Track) -> Joins:
    """All places of the landing table as joins, ((B+1) K,); those of row 0 and empty ones have no meaning."""
    places = track.landings
    leave = np.broadcast_to(np.arange(track.n_beats + 1)[:, None], places.beat.shape)
    return Joins(
        leave=np.maximum(leave, 1).ravel(),
        beat=np.maximum(places.beat, 0).ravel(),
        half=places.half.ravel(),
        score=places.score.ravel(),
        fits=fitting_fades(places.family, places.correlation, track.source.sample_rate).ravel(),
    )


def join_terms(track: Track, worth: Worth, joins: Joins, config: RewardConfig) -> dict[str, DoubleArray]:
    """The terms of joins that do not depend on what was played before, (N,) each: none is above 0."""
    leave, beat = joins.leave, joins.beat
    energy_db = track.energy_db.astype(np.float64)
    jump_db = np.abs(energy_db[beat] - energy_db[leave - 1])
    tempo = np.log2(track.tempo_bpm if track.tempo_bpm is not None else np.ones(track.n_beats)).astype(np.float64)
    broken = 2.0 - worth.opens[leave] - np.where(joins.half == 1, 0.0, worth.opens[beat])
    return {
        "seam": -join_price(track, leave, beat, joins.half, joins.score, config.prices),
        "tempo": -config.tempo_s * np.minimum(np.abs(tempo[beat] - tempo[leave - 1]), 1.0),
        "energy": -config.energy_s * np.maximum(jump_db / _JUMP_DB - 1.0, 0.0),
        "phrases": -0.5 * config.phrase_s * broken,
    }


def fade_terms(fades: IntArray, fits: IntArray, config: RewardConfig) -> DoubleArray:
    """The term of fades of `fades` samples where `fits` would fit, as the two are broadcast; none is above 0."""
    return -config.fade_s * np.abs(np.log((fades + 1.0) / (fits + 1.0)))


def possible_labels(n_labels: int, target: float, beat: float) -> int:
    """How many different sections an edit of length `target` can hold; `beat` is a beat's length in the same unit."""
    return max(min(n_labels, int(target / (SECTION * beat))), 1)


def best_window(track: Track, worth: Worth, target: int, config: RewardConfig) -> float:
    """What the best contiguous window of `target` samples is worth by content, start, ending, phrases and length.

    Beyond the recording's length it is the whole recording, with the single loop that makes it worth most.
    """
    bounds = track.bounds
    if target > bounds[-1]:
        return _best_loop(track, worth, target, config)
    first = np.arange(track.n_beats)
    after = np.searchsorted(bounds, bounds[:-1] + target)
    near = max(int(np.diff(bounds).max()), track.source.sample_rate)  # a second, or a beat where that is longer
    best = -np.inf
    for last in (after, after - 1):
        end = np.minimum(last, track.n_beats)
        fits = (end > first) & (np.abs(bounds[end] - bounds[:-1] - target) <= near)
        begin, end = first[fits], end[fits]
        if len(begin):
            played = worth.until[end] - worth.until[begin] + end_terms(worth, begin, end, config)
            best = max(best, float((played + length_term(bounds[end] - bounds[begin], target, track, config)).max()))
    return best


def _best_loop(track: Track, worth: Worth, target: int, config: RewardConfig) -> float:
    bounds, whole = track.bounds, track.n_beats
    joins = joins_of_table(track)
    start = track.landings.starts(bounds).ravel()
    row = np.repeat(np.arange(whole + 1), track.landings.beat.shape[1])
    back = track.landings.valid.ravel() & (joins.beat < row)
    terms = join_terms(track, worth, joins, config)
    again = worth.until[row] - np.interp(start, bounds, worth.until)
    again -= config.prices.repeat * (bounds[row] - start) / track.source.sample_rate
    again += terms["seam"] + terms["tempo"] + terms["energy"] + terms["phrases"]
    again += length_term(bounds[-1] + bounds[row] - start, target, track, config)
    once = float(length_term(bounds[-1:], target, track, config)[0])
    played = worth.until[-1] + float(end_terms(worth, np.array([0]), np.array([whole]), config)[0])
    return played + max(once, float(again[back].max(initial=-np.inf)))


def end_terms(worth: Worth, begin: IntArray, end: IntArray, config: RewardConfig) -> DoubleArray:
    """What beginning with beats `begin` and ending at bounds `end` is worth, phrases included, (N,)."""
    broken = 2.0 - worth.opens[begin] - worth.opens[end]
    return worth.start[begin] + worth.ending[end] - 0.5 * config.phrase_s * broken


def length_term(samples: IntArray, target: int, track: Track, config: RewardConfig) -> DoubleArray:
    """The term of edits of `samples` where `target` is asked for, (N,)."""
    return -config.prices.nearness * np.abs(samples - target) / track.source.sample_rate


def _opens(track: Track) -> BoolArray:
    """Bounds at which a phrase begins or the music does not play on both sides, (B+1,)."""
    number = track.bar // _PHRASE_BARS if track.phrase is None else track.phrase
    opens = np.diff(number, prepend=number[0] - 1, append=number[-1] + 1) != 0
    rests = ~np.append(False, track.is_music) | ~np.append(track.is_music, False)
    return opens | rests


def _labels(track: Track) -> IntArray:
    """Label of each beat's section, numbered, (B,); -1 for what is no music or not known."""
    if track.section is None or track.section_labels is None:
        return np.full(track.n_beats, -1, dtype=np.int64)
    names = sorted(set(track.section_labels) - {"-"})
    number = {name: k for k, name in enumerate(names)}
    return np.array([number.get(track.section_labels[k], -1) for k in track.section.tolist()], dtype=np.int64)
