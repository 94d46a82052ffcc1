"""Phrase integrity: does each stretch of the raw that is played begin and end where the music breathes?"""

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.edits.ruler.component import Component, Measure
from rl_editor.edits.ruler.edges import measure_ending, measure_start
from rl_editor.edits.ruler.grid import place
from rl_editor.edits.ruler.raw import Raw
from rl_editor.edits.ruler.source_map import Join, SourceMap

_SAME_BAR_POSITION, _ON_BEAT = 0.4, 0.15
_LOST = 3.0  # phrases torn, of which little is left
_WHOLE = 0.8


def phrases(played: SourceMap, raw: Raw, *, faded_s: float = 0.0) -> Component:
    """How whole phrases stay at the joins, at the start and at the end; those two count half each.

    What is lost adds up, so that no further join can make the others better.

    Args:
        played: the output's source map.
        raw: as heard.
        faded_s: length of the fade-out at the output's end.
    """
    if not played.played:
        return Component("phrases", None)
    joins = [join_integrity(join, raw) for join in played.joins]
    first, last = played.played[0].start, played.played[-1].end
    outer = [
        max(_edge(raw.track, first), measure_start(first, raw).beginning),
        max(_edge(raw.track, last), measure_ending(last, raw, faded_s=faded_s).ended),
    ]
    lost = sum(1.0 - value for value in joins) + 0.5 * sum(1.0 - value for value in outer)
    whole = float(np.mean([value >= _WHOLE for value in (*joins, *outer)]))
    return Component("phrases", float(np.exp(-lost / _LOST)), (Measure("whole_phrases", whole, "share"),))


def join_integrity(join: Join, raw: Raw) -> float:
    """1 where phrase end meets phrase start, or the phrase goes on at its own next beat; less where only the bar does.

    Where one piece ends and another begins nothing is torn either.

    Args:
        join: where the raw is left and entered.
        raw: as heard.
    """
    left, entered = place(raw.track, join.out), place(raw.track, join.into)
    paused = measure_ending(join.out, raw).ended * measure_start(join.into, raw).beginning
    if not (left.beat and entered.beat):
        return paused
    if (left.opens_phrase and entered.opens_phrase) or left.in_phrase == entered.in_phrase:
        return 1.0
    return max(paused, _SAME_BAR_POSITION if left.bar_position == entered.bar_position else _ON_BEAT)


def opens_both(join: Join, track: Track) -> bool:
    """Whether a phrase would have begun where the raw is left, and one begins where it is entered."""
    return place(track, join.out).opens_phrase and place(track, join.into).opens_phrase


def _edge(track: Track, at: int) -> float:
    here = place(track, at)
    if here.opens_phrase:
        return 1.0
    if here.opens_bar:
        return _SAME_BAR_POSITION
    return _ON_BEAT if here.beat else 0.0
