"""What of a song is rehearsed: a stretch from border to border, and its units, which are played one at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rl_editor.data.recorded_song import RecordedSong, Repeat

LEAST_UNIT_BEATS = 16
_LEAST_UNIT_S = 6.0
_RING_S = 2.0
_FROM_THE_START = 0.7
_SLACK = 0.6  # an excerpt is at least this share of what would fit


@dataclass(frozen=True)
class Span:
    """Beats [first_beat, end_beat) of a song."""

    first_beat: int
    end_beat: int

    @property
    def n_beats(self) -> int:
        """B."""
        return self.end_beat - self.first_beat

    def length_s(self, song: RecordedSong) -> float:
        """How long the song takes for it."""
        return float(song.bounds_s[self.end_beat] - song.bounds_s[self.first_beat])


def draw_excerpt(song: RecordedSong, most_s: float, rng: np.random.Generator) -> Span:
    """The whole song where it lasts no longer than `most_s`, else a part of it between two borders, often its start."""
    whole = Span(0, song.n_beats)
    if whole.length_s(song) <= most_s:
        return whole
    edges = [0, *song.borders.tolist(), song.n_beats]
    fitting = [
        span
        for k, first in enumerate(edges)
        for end in edges[k + 1 :]
        if (span := Span(first, end)).n_beats >= LEAST_UNIT_BEATS and span.length_s(song) <= most_s
    ]
    if not fitting:
        end = int(np.searchsorted(song.bounds_s, song.bounds_s[0] + most_s, side="right")) - 1
        return Span(0, min(max(end, LEAST_UNIT_BEATS), song.n_beats))
    least_s = _SLACK * max(span.length_s(song) for span in fitting)
    long = [span for span in fitting if span.length_s(song) >= least_s]
    at_start = [span for span in long if span.first_beat == 0]
    chosen = at_start if at_start and rng.random() < _FROM_THE_START else long
    return chosen[rng.integers(len(chosen))]


def draw_repeat(
    song: RecordedSong, most_s: float, rng: np.random.Generator
) -> tuple[tuple[Span, ...], tuple[Span, ...]] | None:
    """A repeat of the song to be played once, what has to be played for it, and what the edit plays, in song order.

    Args:
        song: whose repeats are looked through.
        most_s: what is played may not last longer.
        rng: for the choice.
    Returns:
        The units, which leave the repeat out, and the spans of the edit, each within a unit. None where no repeat of
        the song fits.
    """
    options = [option for repeat in song.repeats for option in _around(song, repeat, most_s)]
    return options[rng.integers(len(options))] if options else None


def _around(song: RecordedSong, repeat: Repeat, most_s: float) -> list[tuple[tuple[Span, ...], tuple[Span, ...]]]:
    """Ways to put a repeat among what is before, between and after it; the longest for each beginning."""
    least = LEAST_UNIT_BEATS // 2
    twice_end, again_end = repeat.first + repeat.n_beats, repeat.again + repeat.n_beats
    if twice_end < repeat.again < twice_end + least:
        return []
    edges = [0, *song.borders.tolist(), song.n_beats]
    middle = (Span(twice_end, repeat.again),) if twice_end < repeat.again else ()
    options = []
    for first in (edge for edge in edges if edge <= repeat.first):
        opening, twice = Span(first, twice_end), Span(repeat.first, twice_end)
        for closing in (Span(again_end, edge) for edge in reversed(edges) if edge >= again_end + least):
            units = (opening, *middle, closing)
            if sum(unit.length_s(song) for unit in units) <= most_s:
                options.append((units, (opening, *middle, twice, closing)))
                break
    return options


def cut_into_units(song: RecordedSong, excerpt: Span, count: int, rng: np.random.Generator) -> tuple[Span, ...]:
    """Up to `count` units that tile the excerpt, half of them cut where a section begins, half within one."""
    inside = (song.borders > excerpt.first_beat) & (song.borders < excerpt.end_beat)
    places = {True: song.borders[inside & song.is_section], False: song.borders[inside & ~song.is_section]}
    edges = [excerpt.first_beat, excerpt.end_beat]
    for _ in range(count - 1):
        at_section = bool(rng.random() < 0.5)
        fitting = _fitting(song, edges, places[at_section].tolist())
        fitting = fitting or _fitting(song, edges, places[not at_section].tolist())
        if not fitting:
            break
        edges = sorted([*edges, fitting[rng.integers(len(fitting))]])
    return tuple(Span(a, b) for a, b in pairwise(edges))


def ring_beats(song: RecordedSong, end_beat: int) -> int:
    """Beats that are played on while the sound dies away, where an excerpt ends before its song."""
    if end_beat == song.n_beats:
        return 0
    end = int(np.searchsorted(song.bounds_s, song.bounds_s[end_beat] + _RING_S))
    return min(end, song.n_beats) - end_beat


def _fitting(song: RecordedSong, edges: Sequence[int], places: Sequence[int]) -> list[int]:
    """Places at which a cut leaves two units that are long enough."""
    seconds = song.bounds_s
    return [
        place
        for place in places
        if all(
            abs(place - edge) >= LEAST_UNIT_BEATS and abs(seconds[place] - seconds[edge]) >= _LEAST_UNIT_S
            for edge in edges
        )
    ]
