"""Starts and endings: told from silence too where the Track knows of no pause, and never from an accent."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.analysis.activity import Activity
from rl_editor.edits.ruler.edges import measure_ending, measure_start, silences_after, silences_before
from rl_editor.edits.ruler.evaluate import hear_raw
from rl_editor.edits.ruler.raw import Raw

from .conftest import BEAT, BEATS, QUIET, RATE, RING, Jam

FIRST, LAST = QUIET * BEAT, (QUIET + BEATS + RING) * BEAT


@pytest.fixture(scope="module")
def deaf(jam: Jam) -> Raw:
    """The jam with a Track that takes all of it for music."""
    return hear_raw(jam.audio, replace(jam.track, activity=np.full_like(jam.track.activity, Activity.MUSIC)))


def test_more_is_lost_with_each_beat_since_a_silence_that_the_track_takes_for_music(deaf: Raw) -> None:
    starts = [measure_start(FIRST + round(beats * BEAT), deaf) for beats in (0, 1.5, 5.5, 13.5)]
    scores = [start.score for start in starts]
    assert scores[0] > 0.85
    assert scores == sorted(set(scores), reverse=True)
    assert [start.lost_s for start in starts[:3]] == pytest.approx([0.0, 0.75, 2.75], abs=0.25)


def test_more_is_lost_with_each_second_before_a_silence_that_the_track_takes_for_music(deaf: Raw) -> None:
    scores = [measure_ending(LAST - round(lost_s * RATE), deaf).ended for lost_s in (0.0, 1.75, 3.25, 8.25)]
    assert scores[0] > 0.85
    assert scores == sorted(set(scores), reverse=True)


def test_silence_before_music_is_found_and_an_accent_is_none() -> None:
    levels_db = np.full(100, -12.0)
    levels_db[50] = 6.0
    assert silences_before(levels_db, 0.0)[20:80].max() == pytest.approx(1.0 / 3.0)
    levels_db[:50] = -60.0
    assert silences_before(levels_db, 0.0)[50] == 1.0


@given(st.lists(st.floats(-100.0, 0.0), min_size=1, max_size=40), st.floats(-30.0, 0.0))
def test_silences_are_told_for_every_frame_between_0_and_1(levels_db: list[float], loud_db: float) -> None:
    for silences in (silences_before, silences_after):
        told = silences(np.array(levels_db), loud_db)
        assert told.shape == (len(levels_db),)
        assert ((told >= 0.0) & (told <= 1.0)).all()


def test_what_comes_in_during_a_short_fade_out_is_not_heard(jam: Jam) -> None:
    audio = jam.audio.copy()
    audio[:, LAST - RATE // 20 : LAST + RATE] = jam.audio[:, FIRST : FIRST + RATE + RATE // 20]
    activity = jam.track.activity.copy()
    activity[QUIET + BEATS + RING :] = Activity.MUSIC
    raw = hear_raw(audio, replace(jam.track, activity=activity))
    assert measure_ending(LAST, raw).ended < 0.5
    assert measure_ending(LAST, raw, faded_s=0.3).ended > 0.85
    assert measure_ending(LAST - 8 * BEAT, raw, faded_s=0.3).ended < 0.5


def test_dead_time_takes_nothing_from_a_start_or_an_ending(jam: Jam) -> None:
    talk = np.random.default_rng(1).normal(0.0, 0.1, jam.audio.shape).astype(np.float32)
    talk[:, FIRST - BEAT // 2 : LAST + BEAT // 2] = 0.0
    raw = hear_raw(jam.audio + talk, jam.track)
    assert measure_start(FIRST - 4 * BEAT, raw).beginning >= measure_start(FIRST, raw).beginning
    assert measure_ending(LAST + 4 * BEAT, raw).ended >= measure_ending(LAST, raw).ended


def test_a_rest_is_told_before_an_ending_that_has_rung_out_and_not_before_a_dry_stop(jam: Jam) -> None:
    audio = jam.audio.copy()
    audio[:, (QUIET + 32) * BEAT : (QUIET + 36) * BEAT] = 0.0
    raw = hear_raw(audio, jam.track)
    rung, dry = measure_ending(LAST, raw), measure_ending((QUIET + 32) * BEAT, raw)
    assert rung.rest > 0.9
    assert dry.ended > 0.85
    assert dry.rest < 0.3
