"""What happens in a session over a recorded song, in order. Nothing sounds here.

How much of the raw is kept is drawn first; attempts that are not kept, playing about and pauses fill the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from rl_editor.data.excerpt import LEAST_UNIT_BEATS, Span, cut_into_units, draw_excerpt, draw_repeat
from rl_editor.data.faults import Family, Fault, draw_faults
from rl_editor.data.recorded_song import RecordedSong
from rl_editor.data.take_plan import Filler, Pause, fill_pause

Mode = Literal["full", "sections", "reorder", "loop"]
"""How the song is rehearsed: whole, in parts, in parts out of order, with what it repeats played once."""
Played = Literal["music", "false start", "vamp", "noodling", "other tune"]
"""What sounds like music: attempts, and playing about."""

_MODES: dict[Mode, float] = {"full": 0.4, "sections": 0.2, "reorder": 0.25, "loop": 0.15}
_PAUSES: dict[Pause, float] = {"silence": 0.35, "talk": 0.4, "tuning": 0.25}
_REST: dict[str, float] = {"attempt": 0.52, "false start": 0.16, "vamp": 0.12, "noodling": 0.08, "other tune": 0.12}
_LEAST_RATIO, _MEDIAN_RATIO, _MOST_RATIO = 0.09, 0.22, 0.8
_RATIO_SPREAD = 0.62  # standard deviation of its logarithm
_BROKEN_OFF = 0.4
_FLAWLESS = 0.35  # of what breaks off
_RUN_THROUGH = 0.7
_NEARBY = 0.7
_NO_PAUSE = 0.15
_COUNTED_IN = 0.45
_SHORTEST_PAUSE_S = 0.8
_SHORTEST_S = 5.0
_LEAST_REST = 0.2  # of what is kept
_LEAST_BEATS = 8  # of an attempt

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True)
class Playing:
    """Something that is played."""

    kind: Played
    span: Span
    """Beats of the song it is taken from."""
    tempo: float
    """Against the song's own."""
    length_s: float
    """About how long it lasts."""
    unit: int | None = None
    """The unit that is attempted; None for a run-through of several, and for playing about."""
    kept: bool = False
    faults: tuple[Fault, ...] = ()
    """In beats from its first one on."""
    times: int = 1
    """How often a vamp goes round; how many beats somebody noodles."""
    other: int = 0
    """Which of the other songs."""
    beats_per_bar: int = 4


@dataclass(frozen=True)
class SessionPlan:
    """A session, in order of time, and what it is for."""

    mode: Mode
    units: tuple[Span, ...]
    """In the order of the song."""
    edit: tuple[Span, ...]
    """What the true edit plays, in order; each within a unit."""
    steps: tuple[Filler | Playing, ...]
    before: float
    """How likely a worse attempt came before the good one."""


@dataclass(frozen=True)
class _Trouble:
    """How often and how badly it goes wrong in one session."""

    families: Sequence[Family]
    beats_between: float
    """Two faults, on average."""
    mildness: float
    """Exponent on the strength of a fault."""


def draw_ratio(rng: np.random.Generator) -> float:
    """How much of a raw is kept, as wide as in real jams: .10 to .75, half of them below .22."""
    ratio = _MEDIAN_RATIO * np.exp(_RATIO_SPREAD * rng.standard_normal())
    return float(np.clip(ratio, _LEAST_RATIO, _MOST_RATIO))


def plan_session(
    song: RecordedSong,
    others: Sequence[RecordedSong],
    rng: np.random.Generator,
    *,
    ratio: float,
    mode: Mode | None,
    families: Sequence[Family],
    longest_raw_s: float,
    longest_song_s: float,
) -> SessionPlan:
    """A session in which one song is got right.

    Args:
        song: what is rehearsed.
        others: what else may be played a little; may be empty.
        rng: for all of it.
        ratio: how much of the raw should be kept.
        mode: None draws one. What the song does not allow becomes another: no repeat, no loop; too short for parts,
            whole.
        families: what may go wrong.
        longest_raw_s: about how long the raw may get.
        longest_song_s: how much of the song is rehearsed at most.
    """
    mode = mode or _drawn(_MODES, rng)
    mode, units, edit = _form(song, mode, longest_song_s, ratio * longest_raw_s, rng)
    kept = tuple(_attempt(song, k, unit, rng, kept=True) for k, unit in enumerate(units))
    kept_s = sum(attempt.length_s for attempt in kept)
    rest_s = max(min(kept_s / ratio, longest_raw_s) - kept_s, _LEAST_REST * kept_s)
    pauses_s = rest_s * rng.uniform(0.15, 0.5)
    before = float(rng.uniform(0.3, 0.8))
    rest = _rest(song, others, units, rest_s - pauses_s, families, rng, parted=mode in ("reorder", "loop"))
    order = rng.permutation(len(units)) if mode == "reorder" else np.arange(len(units))
    while mode == "reorder" and (np.diff(order) > 0).all():
        order = rng.permutation(len(units))
    playings = _in_order([kept[k] for k in order.tolist()], rest, before, rng)
    return SessionPlan(mode, units, edit, tuple(_with_pauses(playings, song, pauses_s, rng)), before)


def _drawn(shares: Mapping[_Name, float], rng: np.random.Generator) -> _Name:
    names, weights = list(shares), np.array(list(shares.values()))
    return names[rng.choice(len(names), p=weights / weights.sum())]


def _form(
    song: RecordedSong, mode: Mode, longest_s: float, fitting_s: float, rng: np.random.Generator
) -> tuple[Mode, tuple[Span, ...], tuple[Span, ...]]:
    """The mode the song allows, its units, and what the edit plays.

    A repeat that takes longer than fits the wanted ratio is better than none: then the raw holds less of the rest.
    """
    if mode == "loop":
        drawn = draw_repeat(song, min(longest_s, fitting_s), rng) or draw_repeat(song, longest_s, rng)
        if drawn is not None:
            return mode, *drawn
        mode = _drawn({other: share for other, share in _MODES.items() if other != "loop"}, rng)
    excerpt = draw_excerpt(song, min(longest_s, fitting_s), rng)
    count = 1 if mode == "full" else int(rng.integers(3, 7)) if mode == "reorder" else int(rng.integers(2, 7))
    units = cut_into_units(song, excerpt, count, rng)
    return mode if len(units) > 1 else "full", units, units


def _tempo(rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(1.0, 0.018), 0.96, 1.04))


def _attempt(
    song: RecordedSong, unit: int | None, span: Span, rng: np.random.Generator, *, kept: bool = False
) -> Playing:
    tempo = _tempo(rng)
    meter = int(song.track.bar_position.max()) + 1
    return Playing("music", span, tempo, span.length_s(song) / tempo, unit, kept, beats_per_bar=meter)


def _rest(
    song: RecordedSong,
    others: Sequence[RecordedSong],
    units: tuple[Span, ...],
    budget_s: float,
    families: Sequence[Family],
    rng: np.random.Generator,
    *,
    parted: bool,
) -> list[Playing]:
    """What is played and not kept, about `budget_s` of it, the most telling first.

    Args:
        song: what is rehearsed.
        others: what else may be played.
        units: of the song.
        budget_s: how long all of it may last.
        families: what may go wrong.
        rng: for all of it.
        parted: the order of the units can't be told from their attempts, so a run-through is wanted.
    """
    trouble = _Trouble(families, float(np.exp(rng.uniform(np.log(8.0), np.log(50.0)))), float(rng.uniform(0.5, 2.5)))
    rest: list[Playing] = []
    whole_song = Span(units[0].first_beat, units[-1].end_beat)
    wanted = [k for k in range(len(units)) for _ in range(rng.choice(3, p=[0.25, 0.45, 0.3]))] or [0]
    todo = [wanted[k] for k in rng.permutation(len(wanted))]
    if parted and rng.random() < _RUN_THROUGH and whole_song.length_s(song) < budget_s:
        rest.append(_worse_attempt(song, None, whole_song, budget_s, trouble, rng, whole=True))
        budget_s -= rest[-1].length_s
    while budget_s > _SHORTEST_S:
        kind = "attempt" if todo else _drawn(_REST, rng)
        unit = todo.pop() if todo else int(rng.integers(len(units)))
        if kind == "attempt":
            whole = bool(rng.random() >= _BROKEN_OFF)
            playing = _worse_attempt(song, unit, units[unit], budget_s, trouble, rng, whole=whole)
        elif kind == "false start":
            playing = _false_start(song, unit, units[unit], rng)
        elif kind == "other tune" and others:
            playing = _other_tune(others, budget_s, rng)
        else:
            playing = _playing_about(song, whole_song, "vamp" if kind == "vamp" else "noodling", rng)
        rest.append(playing)
        budget_s -= playing.length_s
    return rest


def _worse_attempt(
    song: RecordedSong,
    unit: int | None,
    span: Span,
    most_s: float,
    trouble: _Trouble,
    rng: np.random.Generator,
    *,
    whole: bool,
) -> Playing:
    """An attempt that will not be kept; it breaks off where it would last longer than `most_s`."""
    attempt = _attempt(song, unit, span, rng)
    n_beats = span.n_beats if whole else int(rng.integers(span.n_beats // 4, 4 * span.n_beats // 5))
    n_beats = max(min(n_beats, _beats_within(song, span, most_s * attempt.tempo)), _LEAST_BEATS)
    played = Span(span.first_beat, span.first_beat + min(n_beats, span.n_beats))
    flawless = played != span and rng.random() < _FLAWLESS
    faults = draw_faults(0, played.n_beats, rng, beats_between=trouble.beats_between, families=trouble.families)
    harsh = tuple(replace(fault, strength=fault.strength**trouble.mildness) for fault in faults)
    length_s = played.length_s(song) / attempt.tempo
    return replace(attempt, span=played, length_s=length_s, faults=() if flawless else harsh)


def _beats_within(song: RecordedSong, span: Span, length_s: float) -> int:
    """How many beats from the start of a span fit into a length."""
    end_s = song.bounds_s[span.first_beat] + length_s
    return int(np.searchsorted(song.bounds_s, end_s, side="right")) - 1 - span.first_beat


def _false_start(song: RecordedSong, unit: int, span: Span, rng: np.random.Generator) -> Playing:
    """The first 4 to 14 beats, at most 30 % of the unit."""
    most = min(14, max(int(0.3 * span.n_beats), LEAST_UNIT_BEATS // 4))
    played = Span(span.first_beat, span.first_beat + int(rng.integers(4, most + 1)))
    return replace(_attempt(song, unit, played, rng), kind="false start")


def _other_tune(others: Sequence[RecordedSong], budget_s: float, rng: np.random.Generator) -> Playing:
    which = int(rng.integers(len(others)))
    other = others[which]
    first = int(rng.integers(other.n_beats - LEAST_UNIT_BEATS + 1))
    most = _beats_within(other, Span(first, other.n_beats), min(budget_s, rng.uniform(8.0, 40.0)))
    span = Span(first, first + min(max(most, 8), other.n_beats - first))
    return replace(_attempt(other, None, span, rng), kind="other tune", other=which)


def _playing_about(song: RecordedSong, within: Span, kind: Played, rng: np.random.Generator) -> Playing:
    """A figure of two to four beats round and round, or single beats tried out."""
    vamps = kind == "vamp"
    n_beats = int(rng.integers(2, 5)) if vamps else LEAST_UNIT_BEATS
    first = int(rng.integers(within.first_beat, within.end_beat - n_beats + 1))
    playing = _attempt(song, None, Span(first, first + n_beats), rng)
    times = int(rng.integers(4, 17) if vamps else rng.integers(8, 33))
    rounds = times if vamps else times / n_beats
    return replace(playing, kind=kind, times=times, length_s=rounds * playing.length_s)


def _in_order(
    kept: Sequence[Playing], rest: Sequence[Playing], before: float, rng: np.random.Generator
) -> list[Playing]:
    """All that is played, in order: a worse attempt mostly near the good one, on either side."""
    places: list[tuple[float, Playing]] = [(float(k), playing) for k, playing in enumerate(kept)]
    at = {playing.unit: k for k, playing in enumerate(kept)}
    for playing in rest:
        side = -1.0 if rng.random() < before else 1.0
        if playing.kind in ("music", "false start"):
            good = at.get(playing.unit, 0 if side < 0 else len(kept) - 1)
            reach = 0.5 if rng.random() < _NEARBY else len(kept)
            place = good + side * rng.uniform(0.05, reach)
        else:
            place = rng.uniform(-0.5, len(kept) - 0.5)
        places.append((float(place), playing))
    return [playing for _, playing in sorted(places, key=lambda item: item[0])]


def _with_pauses(
    playings: Sequence[Playing], song: RecordedSong, pauses_s: float, rng: np.random.Generator
) -> list[Filler | Playing]:
    """Pauses and count-ins before, between and after, by the same law whatever comes next."""
    counts_in = rng.random(len(playings)) < _COUNTED_IN
    shares = rng.dirichlet(np.full(len(playings) + 1, 1.5)) * (rng.random(len(playings) + 1) >= _NO_PAUSE)
    steps: list[Filler | Playing] = []
    for k, playing in enumerate(playings):
        steps += _pause(shares[k] * pauses_s, rng)
        if counts_in[k] and playing.kind in ("music", "false start"):
            clicks = playing.beats_per_bar * int(rng.choice([1, 2], p=[0.75, 0.25]))
            first = playing.span.first_beat
            beat_s = float(np.median(np.diff(song.bounds_s[first : first + 5]))) / playing.tempo
            steps.append(Filler("count-in", clicks * beat_s, clicks))
        steps.append(playing)
    return steps + _pause(shares[-1] * pauses_s, rng)


def _pause(length_s: float, rng: np.random.Generator) -> list[Filler]:
    return fill_pause(length_s, rng, _PAUSES) if length_s >= _SHORTEST_PAUSE_S else []
