"""Doubts about the beats: where the tracker may have heard them at another tempo, half a beat off, or with a jump.

A reading's score is the log-odds that it is right, so how far two readings lie apart says how sure the choice was.
"""

import numpy as np

from rl_editor.analysis.beat_tracker import Beats, Tracked
from rl_editor.arrays import DoubleArray
from rl_editor.clock import clock

_IN_DOUBT = 0.7
"""Log-odds below which the chosen reading is no safe choice: 2 to 1.

Of 146 accompaniments by MMA it reports 50 % of the 26 whose F is under .8 and 10 % of the others."""
_RATIOS = ((2, 1), (1, 2), (3, 1), (1, 3), (3, 2), (2, 3), (4, 3), (3, 4))
_SAME_RATIO = 0.05
_JUMP = 0.25  # of a beat: further than the tempo drifts from one beat to the next
_AROUND = 8  # beats on either side, by which the length of one is judged
_CHANGE_S = 9.0  # the place of a new tempo is known no better


def beat_doubts(beats: Beats) -> tuple[str, ...]:
    """One line for each doubt about the beats, in the order of their times; none where the choice was clear.

    Said are readings at other tempi and half a beat later which score nearly as well as the chosen one, and places
    within a stretch of one tempo where the beat jumps by a quarter of its length or more.

    Args:
        beats: as tracked.
    """
    found = [(start_s, f"{what}, {_from_to(start_s, end_s)}") for start_s, end_s, what in _readings(beats.stretches)]
    found += [
        (at_s, f"the beat jumps by {share:.0%} of its length at {clock(round(at_s))}") for at_s, share in jumps(beats)
    ]
    return tuple(line for _, line in sorted(found, key=lambda doubt: doubt[0]))


def jumps(beats: Beats) -> list[tuple[float, float]]:
    """Where a beat is much longer or shorter than its neighbours in a stretch: seconds, and by what share of a beat.

    The share is the smallest move of the grid that accounts for it, in (0, 0.5]; a lost whole beat is none.
    """
    intervals = np.diff(beats.times_s)
    if len(intervals) <= 2 * _AROUND:
        return []
    moved = intervals / _usual(intervals)
    moved = np.abs(moved - np.round(moved))
    changes_s = [stretch.end_s for stretch in beats.stretches[:-1]]
    return [
        (float(beats.times_s[beat]), float(moved[beat]))
        for beat in np.flatnonzero(moved >= _JUMP)
        if all(abs(beats.times_s[beat] - change_s) > _CHANGE_S for change_s in changes_s)
    ]


def _readings(stretches: tuple[Tracked, ...]) -> list[tuple[float, float, str]]:
    """Start, end and words of each doubt about how a stretch was read; the same in neighbours is said once."""
    spans: list[tuple[float, float, str]] = []
    for stretch in stretches:
        for what in _doubts_of(stretch):
            before = next((span for span in spans if span[1:] == (stretch.start_s, what)), None)
            if before:
                spans.remove(before)
            spans.append((before[0] if before else stretch.start_s, stretch.end_s, what))
    return spans


def _doubts_of(stretch: Tracked) -> list[str]:
    chosen, *others = stretch.readings
    close = [other for other in others if chosen.score - other.score < _IN_DOUBT]
    words = [_at_ratio(other.tempo_bpm / chosen.tempo_bpm) for other in close]
    if chosen.score - chosen.off_beat_score < _IN_DOUBT:
        words.append("the beat may lie half a beat later")
    return words


def _at_ratio(ratio: float) -> str:
    """Words for a reading at so many times the chosen tempo."""
    upper, lower = min(_RATIOS, key=lambda pair: abs(np.log(ratio * pair[1] / pair[0])))
    if abs(np.log(ratio * lower / upper)) > _SAME_RATIO:
        return f"the beat may be at {ratio:.2f} times this tempo"
    named = {(2, 1): "twice", (1, 2): "half"}.get((upper, lower), f"{upper}/{lower} of")
    return f"the beat may be at {named} this tempo"


def _usual(intervals: DoubleArray) -> DoubleArray:
    from scipy.ndimage import median_filter

    return median_filter(intervals, 2 * _AROUND + 1, mode="mirror")


def _from_to(start_s: float, end_s: float) -> str:
    return f"{clock(round(start_s))} to {clock(round(end_s))}"
