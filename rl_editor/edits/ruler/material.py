"""What of the raw is played: dead time, spoiled and superseded attempts, repeats, order, coverage, length."""

import numpy as np

from rl_editor.analysis.activity import runs
from rl_editor.analysis.track import Track
from rl_editor.arrays import DoubleArray
from rl_editor.edits.ruler.component import Component, Measure
from rl_editor.edits.ruler.source_map import SourceMap, places_s, seconds_of_beats

_DEAD_SHARE = 0.12
_BREATH_S = 0.5  # of what is no music in all: a breath before the first note, an edge told a little off
_SPOILED_SHARE = 0.15
_REPEATED_SHARE = 0.2
_AT_ONCE_S = 30.0
_JOINS_A_MINUTE = 8.0
_SHORT_S = 4.0
_UNMATCHED_SHARE = 0.1
_LENGTH_SHARE = 0.05
_SLACK_S = 1.0
_STRIDE = 50  # of places every 10 ms
_KEPT_GAP_S = 2.0
_AROUND_S = 4.0


def dead_time(played: SourceMap, track: Track) -> Component:
    """Seconds kept that are no music; half a second is free."""
    dead_s = max(float(seconds_of_beats(played, track)[~track.is_music].sum()) - _BREATH_S, 0.0)
    score = np.exp(-dead_s / max(played.duration_s, 1e-9) / _DEAD_SHARE)
    return Component("dead_time", float(score), (Measure("dead_time", dead_s, "s"),))


def superseded(played: SourceMap, track: Track) -> Component:
    """Share of the music that a better attempt replaces."""
    return Component("superseded", *_bad(played, track, track.superseded, "superseded", None))


def spoiled(played: SourceMap, track: Track) -> Component:
    """Share of the music in which a mistake is heard."""
    return Component("spoiled", *_bad(played, track, track.spoiled, "spoiled", _SPOILED_SHARE))


def kept_gaps(played: SourceMap, track: Track) -> int:
    """How many stretches without music were played through where a join could have left them out."""
    start_s = track.bounds_s
    count = 0
    for first, last in runs((~track.is_music).astype(np.int8), 1):
        begin_s, end_s = start_s[first], start_s[last]
        inside = (
            each.start / played.source.sample_rate + _AROUND_S < begin_s
            and end_s < each.end / played.source.sample_rate - _AROUND_S
            for each in played.played
        )
        count += int(end_s - begin_s >= _KEPT_GAP_S and any(inside))
    return count


def repetition(played: SourceMap, track: Track, target_s: float | None) -> Component:
    """Share of the output that was played before, beyond what a target needs; and the longest repeat at once.

    Args:
        played: the output's source map.
        track: analysis of the raw.
        target_s: length that was asked for, in seconds; None where none was.
    """
    beats_s = np.diff(track.bounds_s)
    heard_s = seconds_of_beats(played, track)
    again_s = float(np.maximum(heard_s - beats_s, 0.0).sum())
    needed_s = max((target_s or 0.0) - float(beats_s[track.is_music].sum()), 0.0)
    at_once_s = _repeated_at_once_s(played)
    share = max(again_s - needed_s, 0.0) / max(played.duration_s, 1e-9)
    score = np.exp(-share / _REPEATED_SHARE - (at_once_s / _AT_ONCE_S if needed_s == 0.0 else 0.0))
    measures = (Measure("played_again", again_s, "s"), Measure("longest_repeat_at_once", at_once_s, "s"))
    return Component("repetition", float(score), measures)


def order(played: SourceMap) -> Component:
    """Share of pairs of moments, each at its first playing, that are in the raw's order."""
    return Component("order", agreement_of_order(_first_playings(played)), ())


def agreement_of_order(ranks: DoubleArray) -> float | None:
    """Share of pairs that rise, in [0, 1]; None for fewer than two values. 1/2 + Kendall's tau / 2."""
    if len(ranks) < 2:
        return None
    rises = ranks[None, :] > ranks[:, None]
    return float(np.triu(rises, 1).sum() / (len(ranks) * (len(ranks) - 1) / 2))


def fragmentation(played: SourceMap) -> Component:
    """Joins a minute, and the shortest stretch."""
    if not played.played:
        return Component("fragmentation", None)
    a_minute = 60.0 * (len(played.played) - 1) / max(played.duration_s, 1e-9)
    shortest_s = min(each.end - each.start for each in played.played) / played.source.sample_rate
    long_enough = min(shortest_s / min(_SHORT_S, max(played.duration_s, 1e-9)), 1.0)
    score = 0.5 * np.exp(-((a_minute / _JOINS_A_MINUTE) ** 2)) + 0.5 * long_enough
    measures = (Measure("joins", a_minute, "per minute"), Measure("shortest_stretch", shortest_s, "s"))
    return Component("fragmentation", float(score), measures)


def unmatched(played: SourceMap) -> Component:
    """Seconds of the output that are not in the raw."""
    score = np.exp(-played.unmatched_s / max(played.duration_s, 1e-9) / _UNMATCHED_SHARE)
    return Component("unmatched", float(score), (Measure("unmatched", played.unmatched_s, "s"),))


def coverage(played: SourceMap, track: Track) -> Component:
    """Share of the different sections of the raw's songs that is played, of what so long an output can hold."""
    if track.section is None or track.section_labels is None:
        return Component("coverage", None)
    beats_s, heard_s = np.diff(track.bounds_s), seconds_of_beats(played, track)
    song = np.zeros(track.n_beats, dtype=np.int64) if track.song is None else track.song
    length_s: dict[tuple[int, str], float] = {}
    played_s: dict[tuple[int, str], float] = {}
    for number in np.unique(track.section):
        inside = (track.section == number) & track.is_music
        label = track.section_labels[int(number)]
        if label == "-" or not inside.any():
            continue
        key = (int(song[np.flatnonzero(inside)[0]]), label)
        length_s[key] = max(length_s.get(key, 0.0), float(beats_s[inside].sum()))
        played_s[key] = played_s.get(key, 0.0) + float(heard_s[inside].sum())
    total_s = sum(length_s.values())
    if total_s <= 0.0:
        return Component("coverage", None)
    covered_s = sum(min(played_s[key], length_s[key]) for key in length_s)
    score = min(covered_s / min(total_s, max(played.duration_s, 1e-9)), 1.0)
    return Component("coverage", score, (Measure("different_sections", covered_s / total_s, "share"),))


def length(played: SourceMap, target_s: float | None) -> Component:
    """How far the length is from what was asked for; a second is free."""
    if target_s is None:
        return Component("length", None)
    off_s = played.duration_s - target_s
    score = np.exp(-max(abs(off_s) - _SLACK_S, 0.0) / (_LENGTH_SHARE * target_s))
    return Component("length", float(score), (Measure("longer_than_target", off_s, "s"),))


def _bad(
    played: SourceMap, track: Track, sureness: np.ndarray | None, name: str, scale: float | None
) -> tuple[float | None, tuple[Measure, ...]]:
    heard_s = seconds_of_beats(played, track) * track.is_music
    if sureness is None or heard_s.sum() <= 0.0:
        return None, ()
    bad_s = float((heard_s * sureness).sum())
    share = bad_s / float(heard_s.sum())
    return 1.0 - share if scale is None else float(np.exp(-share / scale)), (Measure(name, bad_s, "s"),)


def _first_playings(played: SourceMap) -> DoubleArray:
    """Places of the raw in output order, every half second, without those that were played before."""
    places = places_s(played)[_STRIDE // 2 :: _STRIDE]
    places = places[np.isfinite(places)]
    _, first = np.unique(np.round(places * 2.0), return_index=True)
    return places[np.sort(first)]


def _repeated_at_once_s(played: SourceMap) -> float:
    """Seconds of the longest stretch whose sound was the last thing heard before it."""
    rate = played.source.sample_rate
    longest = 0
    for before, after in zip(played.played, played.played[1:], strict=False):
        overlap = min(before.end, after.end) - max(before.start, after.start)
        longest = max(longest, overlap)
    return longest / rate
