"""From two sounds to the source of every stretch: coarse path, offsets, fine path, fades, repeats."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from rl_editor.arrays import Array
from rl_editor.audio.source import Source
from rl_editor.edits.recovery.coarse import choose_hop, follow
from rl_editor.edits.recovery.fades import find_fade
from rl_editor.edits.recovery.hearing import RATE, hear, timbre
from rl_editor.edits.recovery.offsets import Offset, Window, along, distinct, propose, within
from rl_editor.edits.recovery.recovered import RecoveredSegment, Recovery
from rl_editor.edits.recovery.refine import Stretch, correlation, merged, refine
from rl_editor.edits.recovery.repeats import alike, equals
from rl_editor.errors import AudioError
from rl_editor.progress import Report, ignore

_SHORTEST_S = 0.5
_SHORTEST_HOLE_S = 0.1
_ROUNDS = 4  # a stretch wins back what its copies hold a neighbour at a time
_HOLE_S = 0.02  # shorter gaps between segments are rounding, not sound


def recover(
    raw: Array, raw_rate: int, edit: Array, edit_rate: int, *, source: Source, report: Report = ignore
) -> Recovery:
    """Where every stretch of a finished edit comes from, found from sound alone.

    Cuts, loops, reorderings and crossfades are found, through level, EQ, compression, limiting, lossy coding, mono
    and other rates; not through changes of speed or pitch. Equally good sources are told in source order.

    Args:
        raw: float32 (channels, samples) at `raw_rate` Hz.
        raw_rate: Hz.
        edit: float32 (channels, samples) at `edit_rate` Hz.
        edit_rate: Hz.
        source: identity of the raw.
        report: told how far it is.
    Raises:
        AudioError: one of the sounds is shorter than half a second.
    """
    for name, sound, rate in (("raw", raw, raw_rate), ("edit", edit, edit_rate)):
        if sound.shape[1] < _SHORTEST_S * rate:
            raise AudioError(f"the {name} is {sound.shape[1] / rate:.2f} s long; recovery needs at least half a second")
    channels = raw.shape[0] if raw.shape[0] == edit.shape[0] else 1
    report("listening", 0.0)
    there, here = hear(raw, raw_rate, channels=channels), hear(edit, edit_rate, channels=channels)
    report("listening", 0.5)
    hop = choose_hop(here.shape[1], there.shape[1])
    timbre_here, timbre_there = timbre(here, hop), timbre(there, hop)
    report("listening", 1.0)
    path = follow(timbre_here, timbre_there, hop, report)
    report("aligning", 0.0)
    timbres = timbre_here, timbre_there
    offsets, polarity = propose(here, there, along(path, hop, timbres), hop)
    report("aligning", 0.4)
    here *= polarity
    stretches = refine(here, there, offsets)
    report("aligning", 0.6)
    # a stretch may have been taken for another much like it, and the coarse path may have missed one
    again, _ = propose(here, there, _in_holes(stretches, here.shape[1], hop, timbres), hop)
    for _ in range(_ROUNDS):
        before = stretches
        stretches = refine(here, there, [*_found_and_alike(stretches, there, timbre_there, hop), *again])
        if len(stretches) == len(before):
            break
    report("aligning", 1.0)
    others: dict[Stretch, list[float]] = {}
    left = 0.0
    for number, stretch in enumerate(stretches):
        equal = _equals(stretch, there, timbre_there, hop)
        chosen, rest = _in_source_order(stretch, equal, left)
        others[chosen], left = rest, chosen.offset
        report("looking for repeats", (number + 1) / len(stretches))
    ordered = merged(list(others))
    alternatives = [others[each] if each in others else _equals(each, there, timbre_there, hop) for each in ordered]
    return _assembled(here, there, ordered, alternatives, source, edit.shape[1] / edit_rate)


def _in_holes(stretches: Sequence[Stretch], n: int, hop: int, timbres: tuple[Array, Array]) -> list[list[Window]]:
    """Windows to try between the stretches."""
    ends = [0, *(stretch.end for stretch in stretches)]
    starts = [*(stretch.start for stretch in stretches), n]
    groups = []
    for k, hole in enumerate(zip(ends, starts, strict=True)):
        if hole[1] - hole[0] > _SHORTEST_HOLE_S * RATE:
            around = [stretch.offset for stretch in stretches[max(k - 1, 0) : k + 1]]
            groups += within(hole, around, hop, timbres)
    return groups


def _found_and_alike(stretches: Sequence[Stretch], raw: Array, timbre: Array, hop: int) -> list[Offset]:
    """What was found and what is alike, to be tried also where its neighbours are: they may be its copies."""
    places, lengths, spans = [], [], []
    for k, stretch in enumerate(stretches):
        start, length = stretch.start + stretch.offset, stretch.end - stretch.start
        around = stretches[max(k - 1, 0)].start, stretches[min(k + 1, len(stretches) - 1)].end
        for place in [start, *alike(raw, timbre, hop, start, length)]:
            places.append(place - stretch.start)
            lengths.append(length)
            spans.append(around)
    # the longer a stretch, the better its offset is known
    return distinct(np.array(places), np.array(lengths, dtype=np.float64), spans)


def _equals(stretch: Stretch, raw: Array, timbre: Array, hop: int) -> list[float]:
    start, length = stretch.start + stretch.offset, stretch.end - stretch.start
    return equals(raw, start, length, alike(raw, timbre, hop, start, length))


def _in_source_order(stretch: Stretch, again: Sequence[float], before: float) -> tuple[Stretch, list[float]]:
    """The stretch at the first of its equal sources that comes after where the raw was left, and the others.

    Args:
        stretch: as decoded.
        again: other places of the raw where its sound begins.
        before: offset of the stretch before it.
    """
    here, left = stretch.start + stretch.offset, stretch.start + before
    places = sorted([here, *again])
    ahead = [place for place in places if place >= left - 1.0]
    chosen = ahead[0] if ahead else here
    return replace(stretch, offset=chosen - stretch.start), [place for place in places if place != chosen]


def _assembled(
    edit: Array, raw: Array, stretches: list[Stretch], others: list[list[float]], source: Source, duration_s: float
) -> Recovery:
    """Joins and fades found, times told in samples of the raw at its own rate."""
    fades = [(stretch.start, 0) for stretch in stretches]
    for k in range(1, len(stretches)):
        if stretches[k - 1].end == stretches[k].start:
            fades[k] = find_fade(edit, raw, stretches[k - 1], stretches[k])
    # two joins around a short stretch are judged apart, and may come out in the other order
    starts = list(accumulate((start for start, _ in fades), max))
    scale = source.sample_rate / RATE
    n_edit = round(duration_s * source.sample_rate)
    segments = []
    for k, stretch in enumerate(stretches):
        touches = k + 1 < len(stretches) and stretches[k + 1].start == stretch.end
        end = starts[k + 1] if touches else stretch.end
        offset = round(stretch.offset * scale)
        first = max(round(starts[k] * scale), -offset)
        last = min(round(end * scale), n_edit, source.n_samples - offset)
        if first >= last:
            continue
        moved = first + offset - (stretch.start + stretch.offset) * scale
        segments.append(
            RecoveredSegment(
                start=first + offset,
                end=last + offset,
                fade=round(fades[k][1] * scale),
                at_s=first / source.sample_rate,
                confidence=correlation(edit, raw, starts[k], end, stretch.offset),
                alternatives=tuple(at for place in others[k] if (at := round(place * scale + moved)) >= 0),
            )
        )
    return Recovery(source, tuple(segments), *_holes(segments, source.sample_rate, n_edit))


def _holes(
    segments: Sequence[RecoveredSegment], sample_rate: int, n_edit: int
) -> tuple[tuple[tuple[float, float], ...], float]:
    """What of the edit no segment covers, in seconds, and the share that is covered; `n_edit` samples at that rate."""
    firsts = [round(each.at_s * sample_rate) for each in segments]
    lasts = [first + each.end - each.start for first, each in zip(firsts, segments, strict=True)]
    gaps = list(zip([0, *lasts], [*firsts, n_edit], strict=True))
    holes = tuple((a / sample_rate, b / sample_rate) for a, b in gaps if b - a > _HOLE_S * sample_rate)
    return holes, 1.0 - sum(b - a for a, b in gaps) / n_edit
