"""Laws of the whole ruler on a small jam: what hurts an edit lowers its verdict, remastering it does not."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.edits.edl import EDL
from rl_editor.edits.render import render
from rl_editor.edits.ruler.evaluate import evaluate, hear_raw, judge
from rl_editor.edits.ruler.source_map import known_map
from rl_editor.edits.ruler.verdict import NAMES, Verdict, to_json
from rl_editor.errors import EDLError

from .conftest import BEAT, QUIET, RATE, Jam

Judged = Callable[..., Verdict]


@pytest.fixture
def judged(jam: Jam) -> Judged:
    def of(edl: EDL, human: EDL | None = None, target_s: float | None = None) -> Verdict:
        song = render(jam.audio, edl)
        return judge(jam.raw, song, RATE, known_map(edl), human=human, target_s=target_s)

    return of


def test_the_right_edit_is_nearly_perfect_and_is_not_judged_on_joins(jam: Jam, judged: Judged) -> None:
    verdict = judged(jam.exact, human=jam.exact, target_s=jam.exact.duration_s)
    assert verdict.verdict > 0.98
    assert verdict.score("joins") is None
    assert all(each.score is None or 0.0 <= each.score <= 1.0 for each in verdict.components)
    assert tuple(each.name for each in verdict.components) == NAMES


def test_a_join_of_whole_phrases_is_good_and_each_ms_it_limps_is_worse(jam: Jam, judged: Judged) -> None:
    late = [0.0, 0.023, 0.046, 0.125]
    scores = [judged(jam.edl((0, 16), (32 + 2 * s, 68))).joins[0].score for s in late]
    assert scores[0] > 0.8
    assert scores == sorted(scores, reverse=True)
    assert scores[1] < 0.95 * scores[0]


def test_a_limp_is_told_in_ms(jam: Jam, judged: Judged) -> None:
    (join,) = judged(jam.edl((0, 16), (32.08, 68))).joins
    assert join.flow.limp_s == pytest.approx(0.04, abs=0.006)


@pytest.mark.parametrize("late", [0.0, 0.08, -0.08])
def test_a_limp_between_parts_that_were_never_played_one_after_the_other_is_told_though_bounds_are_off(
    jam: Jam, late: float
) -> None:
    audio, track = jam.audio.copy(), jam.track
    first, last = QUIET + 32, QUIET + 36
    audio[:, first * BEAT : last * BEAT] = 0.0
    activity, bounds = track.activity.copy(), track.bounds.copy()
    activity[first:last] = Activity.SILENCE
    bounds[first + 1 : -1] += round(0.06 * RATE)
    raw = hear_raw(audio, replace(track, activity=activity, bounds=bounds))
    edl = jam.edl((0, 32), (36 + late, 68))
    (join,) = judge(raw, render(audio, edl), RATE, known_map(edl)).joins
    assert not join.pause
    assert join.flow.likeness is None
    assert join.flow.limp_s == pytest.approx(abs(late) * BEAT / RATE, abs=0.008)


def test_a_join_into_the_wrong_bar_is_worse_than_into_the_right_one(jam: Jam, judged: Judged) -> None:
    right, wrong = (judged(jam.edl((0, 16), (32 + bars * 4, 68))) for bars in (0, 2))
    assert wrong.joins[0].flow.likeness is not None
    assert right.joins[0].flow.likeness is not None
    assert wrong.joins[0].flow.likeness.chroma > right.joins[0].flow.likeness.chroma + 0.3
    assert wrong.joins[0].score < right.joins[0].score
    assert wrong.verdict < right.verdict


def test_a_cut_inside_a_note_clicks_and_a_fade_hides_it(jam: Jam, judged: Judged) -> None:
    faded, hard = (judged(jam.edl((0, 14.3), (41.3, 68), fade_s=fade_s)) for fade_s in (0.01, 0.0))
    assert hard.joins[0].cut.click_db > faded.joins[0].cut.click_db
    assert hard.joins[0].cut.score < faded.joins[0].cut.score


@pytest.mark.parametrize("gain_db", [-6.0, 6.0])
def test_a_change_of_gain_is_told_in_db(jam: Jam, judged: Judged, gain_db: float) -> None:
    even = jam.edl((0, 16), (32, 68))
    jumping = replace(even, segments=(even.segments[0], replace(even.segments[1], gain_db=gain_db)))
    assert judged(jumping).joins[0].cut.step_db == pytest.approx(gain_db, abs=0.5)
    assert judged(jumping).verdict < judged(even).verdict


def test_more_is_lost_with_each_beat_that_is_missing_at_the_start(jam: Jam, judged: Judged) -> None:
    scores = [judged(jam.edl((beats, 68))).score("start") for beats in (0, 1, 5, 13)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.95 > scores[1]


def test_an_ending_without_its_ring_out_is_worse_and_a_lost_bar_worse_still(jam: Jam, judged: Judged) -> None:
    whole, rung, lost = (judged(jam.edl((0, end))).score("ending") for end in (68, 64.5, 61))
    assert whole > rung > lost


def test_a_long_fade_out_is_half_an_ending_wherever_it_is(jam: Jam, judged: Judged) -> None:
    cut = jam.edl((0, 41.3))
    faded = replace(cut, end_fade=4 * RATE)
    assert judged(faded).score("ending") > judged(cut).score("ending") + 0.2
    assert judged(faded).score("ending") < judged(jam.exact).score("ending")


def test_dead_time_at_either_end_is_seen_by_its_component(jam: Jam, judged: Judged) -> None:
    for beats in ((-6, 68), (0, 74)):
        assert judged(jam.edl(beats)).score("dead_time") < 0.9


def test_no_further_join_can_lift_the_joins_or_the_phrases(jam: Jam, judged: Judged) -> None:
    torn = judged(jam.edl((0, 10.3), (33.1, 68)))
    with_a_good_one = judged(jam.edl((0, 10.3), (33.1, 48), (48 - 16, 68)))
    for name in ("joins", "phrases"):
        assert with_a_good_one.score(name) <= torn.score(name) + 1e-9


def test_a_repeat_is_excused_where_the_target_needs_it(jam: Jam, judged: Judged) -> None:
    twice = jam.edl((0, 64), (0, 68))
    free, needed = judged(twice), judged(twice, target_s=twice.duration_s)
    assert free.score("repetition") < 0.5
    assert needed.score("repetition") > 0.9


def test_another_order_is_told_by_comparison_with_the_right_one(jam: Jam, judged: Judged) -> None:
    swapped = jam.edl((0, 16), (32, 48), (16, 32), (48, 68))
    verdict = judged(swapped, human=jam.exact)
    assert verdict.score("agreement") == pytest.approx(1.0, abs=0.01)
    assert verdict.score("order_agreement") < 0.95
    assert verdict.verdict < judged(jam.exact, human=jam.exact).verdict


def test_what_is_not_in_the_raw_is_worth_nothing(jam: Jam) -> None:
    foreign = 0.1 * np.random.default_rng(1).standard_normal((2, 20 * RATE)).astype(np.float32)
    assert evaluate(jam.audio, RATE, foreign, RATE, jam.track).verdict < 0.05


def test_an_edit_of_another_recording_is_refused(jam: Jam) -> None:
    other = replace(jam.exact, source=replace(jam.exact.source, n_samples=10**8))
    with pytest.raises(EDLError, match="of another recording"):
        judge(jam.raw, jam.audio, RATE, known_map(jam.exact), human=other)


@pytest.mark.parametrize("change", ["quiet and inverted", "a sample later", "mono"])
def test_the_verdict_from_sound_is_the_one_from_the_known_map(jam: Jam, judged: Judged, change: str) -> None:
    edl = jam.edl((0, 15), (30.5, 68))
    song = render(jam.audio, edl)
    changed = {
        "quiet and inverted": song * np.float32(-0.25),
        "a sample later": np.pad(song, ((0, 0), (1, 0)))[:, :-1],
        "mono": song.mean(axis=0, keepdims=True),
    }[change]
    verdict = evaluate(jam.audio, RATE, changed, RATE, jam.track)
    assert verdict.verdict == pytest.approx(judged(edl).verdict, abs=0.02)


def test_the_json_holds_verdict_components_and_joins(jam: Jam, judged: Judged) -> None:
    told = json.loads(to_json(judged(jam.edl((0, 16), (32, 68)))))
    assert 0.0 < told["verdict"] <= 1.0
    assert list(told["components"]) == list(NAMES)
    assert told["joins"][0]["out_s"] == pytest.approx((8 + 16) * BEAT / RATE)
    assert told["components"]["length"]["score"] is None
