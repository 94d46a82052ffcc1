"""The joins of an output: each by how the music flows over it and by how it was cut; their worst, and what all lose."""

from dataclasses import dataclass

import numpy as np

from rl_editor.arrays import Array
from rl_editor.edits.ruler.component import Component, Measure
from rl_editor.edits.ruler.cut import Cut, measure_cut
from rl_editor.edits.ruler.edges import measure_ending, measure_start
from rl_editor.edits.ruler.flow import Flow, measure_flow
from rl_editor.edits.ruler.phrases import opens_both
from rl_editor.edits.ruler.raw import Raw
from rl_editor.edits.ruler.source_map import Join

_LIKELY = 0.5
_LOST = 3.0  # joins that failed, of which little is left


@dataclass(frozen=True)
class JudgedJoin:
    """One join and what is heard at it."""

    at_s: float
    """Where in the output."""
    out_s: float
    """Where the raw is left."""
    into_s: float
    """Where it is entered."""
    score: float
    flow: Flow
    cut: Cut
    pause: bool
    """One piece ends and another begins: nothing had to flow."""


def judge_join(join: Join, raw: Raw, output: Array) -> JudgedJoin:
    """What is heard at one join.

    Args:
        join: where the raw is left and entered.
        raw: as heard.
        output: mono at `hearing.RATE`.
    """
    track = raw.track
    ending, beginning = measure_ending(join.out, raw), measure_start(join.into, raw).beginning
    whole = opens_both(join, track)
    flow = measure_flow(join, raw, whole=whole, begins=beginning > _LIKELY, ended=ending.ended > _LIKELY)
    level_db = flow.likeness.level_db if flow.likeness else 0.0
    cut = measure_cut(join, raw, output, level_db=level_db)
    paused = ending.ended * beginning * ending.rest  # where music stops dry the beat goes on over the join
    rate = raw.sample_rate
    return JudgedJoin(
        at_s=join.at / rate,
        out_s=join.out / rate,
        into_s=join.into / rate,
        score=max(flow.score, paused) * cut.score,
        flow=flow,
        cut=cut,
        pause=paused > flow.score,
    )


def joins(judged: tuple[JudgedJoin, ...], kept_gaps: int) -> Component:
    """The worst join, and what all of them lose together, half each; a gap played through is a join that failed.

    A sum and no mean, so that no further join can make the others better. Whoever makes no join and kept no gap is not
    judged here: no join is no merit, and no fault.

    Args:
        judged: the joins that were made.
        kept_gaps: stretches without music that a join could have left out.
    """
    scores = [join.score for join in judged] + [0.0] * kept_gaps
    if not scores:
        return Component("joins", None)
    worst = min((join.score for join in judged), default=0.0)
    lost = sum(1.0 - score for score in scores)
    measures = [
        Measure("worst", worst, "score"),
        Measure("mean", float(np.mean(scores)), "score"),
        Measure("kept_gaps", float(kept_gaps), "gaps"),
    ]
    if judged:
        limps_s = [0.0 if join.pause else join.flow.limp_s for join in judged]
        measures += [
            Measure("worst_limp", 1e3 * max(limps_s), "ms"),
            Measure("worst_click", max(join.cut.click_db for join in judged), "dB"),
            Measure("worst_gain_step", max(abs(join.cut.step_db) for join in judged), "dB"),
            Measure("without_fade", float(sum(join.cut.fade_s == 0.0 for join in judged)), "joins"),
        ]
    return Component("joins", 0.5 * worst + 0.5 * float(np.exp(-lost / _LOST)), tuple(measures))
