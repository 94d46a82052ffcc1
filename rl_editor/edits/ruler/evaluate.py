"""From two sounds to a verdict: recover where the output came from, then judge that, never our own EDL."""

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.edits.edl import EDL
from rl_editor.edits.recovery.recover import recover
from rl_editor.edits.ruler import agreement as agree
from rl_editor.edits.ruler import material
from rl_editor.edits.ruler.component import Component, Measure
from rl_editor.edits.ruler.edges import (
    levels_db,
    measure_ending,
    measure_fade_out_s,
    measure_start,
    silences_after,
    silences_before,
)
from rl_editor.edits.ruler.flow import measure_chance
from rl_editor.edits.ruler.hearing import mono
from rl_editor.edits.ruler.join_quality import joins, judge_join
from rl_editor.edits.ruler.phrases import phrases
from rl_editor.edits.ruler.raw import Raw
from rl_editor.edits.ruler.source_map import SourceMap, known_map, recovered_map
from rl_editor.edits.ruler.verdict import Verdict, conclude
from rl_editor.errors import EDLError
from rl_editor.progress import Report, ignore


def hear_raw(raw: Array, track: Track) -> Raw:
    """A raw, float32 (channels, samples), as the ruler hears it."""
    sound = mono(raw, track.source.sample_rate)
    sound_db = levels_db(sound)
    loud_db = float(np.percentile(sound_db, 90))
    return Raw(
        track=track,
        sound=sound,
        chance=measure_chance(sound, track),
        loud_db=loud_db,
        opens=silences_before(sound_db, loud_db),
        closes=silences_after(sound_db, loud_db),
    )


def evaluate(
    raw: Array,
    raw_rate: int,
    output: Array,
    output_rate: int,
    track: Track,
    *,
    human: EDL | None = None,
    target_s: float | None = None,
    report: Report = ignore,
) -> Verdict:
    """The verdict on any system's edit, from sound alone.

    Args:
        raw: float32 (channels, samples) at `raw_rate` Hz.
        raw_rate: Hz.
        output: what a system made of it, float32 (channels, samples) at `output_rate` Hz.
        output_rate: Hz.
        track: analysis of the raw; only bounds, bar, phrase, section, activity and attempts are looked at.
        human: a person's edit of the same raw, to compare with; a recovered one serves.
        target_s: length that was asked for, in seconds.
        report: told how far it is.
    Raises:
        AudioError: one of the sounds is shorter than half a second.
        EDLError: the person's edit is of another recording.
    """
    found = recover(raw, raw_rate, output, output_rate, source=track.source, report=report)
    report("judging", 0.0)
    played = recovered_map(found, output.shape[1] / output_rate)
    verdict = judge(hear_raw(raw, track), output, output_rate, played, human=human, target_s=target_s)
    report("judging", 1.0)
    return verdict


def judge(
    raw: Raw,
    output: Array,
    output_rate: int,
    played: SourceMap,
    *,
    human: EDL | None = None,
    target_s: float | None = None,
) -> Verdict:
    """The verdict on an output whose source map is known or recovered.

    Args:
        raw: as heard.
        output: float32 (channels, samples) at `output_rate` Hz.
        output_rate: Hz.
        played: its source map.
        human: a person's edit of the same raw.
        target_s: length that was asked for, in seconds.
    Raises:
        EDLError: the person's edit is of another recording.
    """
    track, sound = raw.track, mono(output, output_rate)
    if human is not None and human.source.n_samples != track.source.n_samples:
        raise EDLError("the edit to compare with is of another recording")
    faded_s = measure_fade_out_s(played.played[-1].end, raw, sound) if played.played else 0.0
    judged = tuple(judge_join(join, raw, sound) for join in played.joins)
    theirs = None if human is None else known_map(human)
    components = (
        joins(judged, material.kept_gaps(played, track)),
        material.dead_time(played, track),
        material.superseded(played, track),
        material.spoiled(played, track),
        phrases(played, raw, faded_s=faded_s),
        _start(raw, played),
        _ending(raw, played, faded_s),
        material.order(played),
        material.repetition(played, track, target_s),
        material.fragmentation(played),
        material.unmatched(played),
        material.coverage(played, track),
        material.length(played, target_s),
        *_compared(played, theirs),
    )
    matched = 1.0 - min(played.unmatched_s / max(played.duration_s, 1e-9), 1.0)
    return conclude(components, judged, duration_s=played.duration_s, matched=matched)


def _start(raw: Raw, played: SourceMap) -> Component:
    if not played.played:
        return Component("start", None)
    start = measure_start(played.played[0].start, raw)
    measures = (Measure("music_lost_before", start.lost_s, "s"), Measure("rise", start.rise_db, "dB"))
    return Component("start", start.score, measures)


def _ending(raw: Raw, played: SourceMap, faded_s: float) -> Component:
    if not played.played:
        return Component("ending", None)
    ending = measure_ending(played.played[-1].end, raw, faded_s=faded_s)
    measures = (
        Measure("music_lost_after", ending.lost_s, "s"),
        Measure("still_sounding", ending.left_db, "dB"),
        Measure("fade_out", ending.faded_s, "s"),
    )
    return Component("ending", ending.score, measures)


def _compared(played: SourceMap, human: SourceMap | None) -> tuple[Component, ...]:
    if human is None:
        return tuple(Component(name, None) for name in ("agreement", "order_agreement", "join_distance"))
    return agree.agreement(played, human), agree.order_agreement(played, human), agree.join_distance(played, human)
