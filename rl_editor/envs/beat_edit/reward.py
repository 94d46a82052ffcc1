"""The reward of beat editing: its terms, each a pure function, in seconds of good music.

Terms that belong to a beat, a landing or an end are paid as they come; coverage and length are known at the end only.
What is paid is their sum over the target, less what the best contiguous window of that length is worth by all terms:
an episode that cuts as well as that window returns 0. The same terms can be taken of any edit, whoever made it
(`terms_of`).
"""

import math
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray, SmallIntArray
from rl_editor.edits import content
from rl_editor.edits.joins import fitting_fades
from rl_editor.edits.worth import Prices, beginnings, endings, join_price, worth_until
from rl_editor.errors import EnvError

_PHRASE_BARS = 4
COVERED = 8
"""Beats of a section's label from which it counts as played."""
SECTION = 32
"""Beats of an edit's length that a section needs."""
_JUMP_DB = 6.0

Numbers = TypeVar("Numbers", NDArray[Any], Tensor)


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
    learned: float = 1.0
    """Weight of the learned model's score of the finished edit, where there is such a model."""

    def __post_init__(self) -> None:
        if not isinstance(self.prices, Prices):
            raise EnvError(f"prices {self.prices!r}: must be Prices(...)")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool | Prices):
                continue
            if not math.isfinite(value) or (value < 0 and each.name not in {"rules", "learned"}):
                raise EnvError(f"{each.name} {value}: must be a number, 0 or more")
        if self.superseded > 1:
            raise EnvError(f"superseded {self.superseded}: is a share, from 0 to 1")


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


def worth_of(track: Track, config: RewardConfig) -> Worth:
    """What playing, beginning and ending are worth, by what is known of content without training."""
    return Worth(
        until=worth_until(track, content.rules(track, superseded=config.superseded)),
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
    enters = np.where(joins.half == 1, 0.0, worth.opens[beat])
    return {
        "seam": -join_price(track, leave, beat, joins.half, joins.score, config.prices),
        "tempo": -config.tempo_s * np.minimum(np.abs(tempo[beat] - tempo[leave - 1]), 1.0),
        "energy": -config.energy_s * np.maximum(jump_db / _JUMP_DB - 1.0, 0.0),
        "phrases": phrase_term(worth.opens[leave], config) + phrase_term(enters, config),
    }


def fade_terms(fades: IntArray, fits: IntArray, config: RewardConfig) -> DoubleArray:
    """The term of fades of `fades` samples where `fits` would fit, as the two are broadcast; none is above 0."""
    return -config.fade_s * np.abs(np.log((fades + 1.0) / (fits + 1.0)))


def phrase_term(opens: DoubleArray, config: RewardConfig) -> DoubleArray:
    """The term of leaving or entering where a phrase begins so surely, (N,) in [0, 1]; none is above 0."""
    return -0.5 * config.phrase_s * (1.0 - opens)


def repeat_term(samples: IntArray, track: Track, config: RewardConfig) -> DoubleArray:
    """The term of playing `samples` again, (N,), each counted as often as its beat was played before."""
    return -config.prices.repeat * samples / track.source.sample_rate


def possible_sections(track: Track, worth: Worth, target: int) -> int:
    """How many different sections an edit of `target` samples can hold, at least 1."""
    held = int(target / (SECTION * float(np.median(np.diff(track.bounds)))))
    return max(min(int(worth.labels.max(initial=-1)) + 1, held), 1)


def coverage_term(counts: Numbers, possible: Numbers, config: RewardConfig) -> Numbers:
    """The term of playing different sections, (N,).

    Args:
        counts: beats played of each label, (N, L).
        possible: how many sections the edits can hold, (N,) float64.
        config: prices.
    """
    return config.coverage_s * ((counts >= COVERED).sum(-1) / possible).clip(max=1.0)


def best_window(
    track: Track, worth: Worth, target: int, config: RewardConfig, *, window: int, banned: BoolArray | None = None
) -> float:
    """What the best contiguous window of about `target` samples is worth, by all terms.

    Beyond the longest stretch in which nothing is banned it may also be that stretch, with the single loop that makes
    it worth most.

    Args:
        track: analysis of the recording.
        worth: of it.
        target: samples.
        config: prices.
        window: samples by which the length may be off.
        banned: beats that must not be played, (B,), not all of them; None for no ban.
    """
    bounds, first = track.bounds, np.arange(track.n_beats)
    banned = np.zeros(track.n_beats, dtype=bool) if banned is None else banned
    free_until = np.minimum.accumulate(np.where(banned, first, track.n_beats)[::-1])[::-1]
    near = max(window, int(np.diff(bounds)[~banned].min()) - target)  # below every beat's length it is one beat
    least = np.maximum(np.searchsorted(bounds, bounds[:-1] + target - near), first + 1)
    after = np.minimum(np.searchsorted(bounds, bounds[:-1] + target + near, side="right"), free_until + 1)
    count = np.maximum(after - least, 0)
    begin = np.repeat(first, count)
    end = np.arange(len(begin)) + np.repeat(least - np.cumsum(count) + count, count)
    lengths = length_term(bounds[end] - bounds[begin], target, track, config)
    best = float((_contiguous(track, worth, begin, end, target, config) + lengths).max(initial=-np.inf))
    longest = int((bounds[free_until] - bounds[:-1]).argmax())
    if target <= bounds[free_until[longest]] - bounds[longest]:
        return best
    return max(best, _best_loop(track, worth, longest, int(free_until[longest]), target, config))


def _contiguous(
    track: Track, worth: Worth, begin: IntArray, end: IntArray, target: int, config: RewardConfig
) -> DoubleArray:
    """What playing from beats `begin` to bounds `end` is worth by all terms but the length, (N,)."""
    one_hot = worth.labels[:, None] == np.arange(int(worth.labels.max(initial=-1)) + 1)
    before = np.concatenate([np.zeros_like(one_hot[:1], dtype=np.int32), np.cumsum(one_hot, axis=0, dtype=np.int32)])
    possible = np.array(float(possible_sections(track, worth, target)))
    covered = coverage_term(before[end] - before[begin], possible, config)
    return worth.until[end] - worth.until[begin] + end_terms(worth, begin, end, config) + covered


def _best_loop(track: Track, worth: Worth, first: int, last: int, target: int, config: RewardConfig) -> float:
    """What beats `first` to `last`, without the last, are worth with the best single loop in them, or without one."""
    bounds = track.bounds
    joins = joins_of_table(track)
    start = track.landings.starts(bounds).ravel()
    row = np.repeat(np.arange(len(bounds)), track.landings.beat.shape[1])
    back = track.landings.valid.ravel() & (joins.beat < row) & (row <= last)
    back &= (joins.beat >= first) & (start >= bounds[first])
    terms = join_terms(track, worth, joins, config)
    whole = bounds[last] - bounds[first]
    again = worth.until[row] - np.interp(start, bounds, worth.until)
    again += repeat_term(bounds[row] - bounds[joins.beat], track, config)
    again += terms["seam"] + terms["tempo"] + terms["energy"] + terms["phrases"]
    again += length_term(whole + bounds[row] - start, target, track, config)
    once = length_term(np.array([whole]), target, track, config)
    played = _contiguous(track, worth, np.array([first]), np.array([last]), target, config)
    return float(played[0]) + max(float(once[0]), float(again[back].max(initial=-np.inf)))


def end_terms(worth: Worth, begin: IntArray, end: IntArray, config: RewardConfig) -> DoubleArray:
    """What beginning with beats `begin` and ending at bounds `end` is worth, phrases included, (N,)."""
    broken = phrase_term(worth.opens[begin], config) + phrase_term(worth.opens[end], config)
    return worth.start[begin] + worth.ending[end] + broken


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
