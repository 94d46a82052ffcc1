from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.audio.source import identify
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.recovery.hearing import RATE as HEARD
from rl_editor.edits.recovery.hearing import hear
from rl_editor.edits.recovery.recover import _assembled, recover
from rl_editor.edits.recovery.recovered import Recovery
from rl_editor.edits.recovery.refine import Stretch
from rl_editor.edits.render import positions, render
from rl_editor.errors import AudioError

RATE = 22050


@pytest.fixture(scope="module")
def raw(make_tune: Callable[..., np.ndarray]) -> np.ndarray:
    return make_tune(20.0, 7)


@pytest.fixture(scope="module")
def edl(raw: np.ndarray) -> EDL:
    """A cut, a loop and a reordering."""
    segments = (Segment(200000, 280001), Segment(300017, 350000, 400), Segment(320000, 400000, 300),
                Segment(30003, 90000, 660))  # fmt: skip
    return EDL(identify(raw, RATE), segments, Maker("made-up"))


def assert_recovered(found: Recovery, edl: EDL, *, near: int, join_s: float) -> None:
    rate = edl.source.sample_rate
    assert len(found.segments) == len(edl.segments)
    for at, true, ours in zip(positions(edl.segments), edl.segments, found.segments, strict=True):
        assert abs((ours.start - round(ours.at_s * rate)) - (true.start - at)) <= near
        assert abs(ours.at_s - at / rate) <= join_s
    assert found.coverage > 0.995


def test_a_clean_edit_is_recovered_to_the_sample(raw: np.ndarray, edl: EDL) -> None:
    found = recover(raw, RATE, render(raw, edl), RATE, source=edl.source)
    assert_recovered(found, edl, near=0, join_s=0.003)
    for true, ours in zip(edl.segments, found.segments, strict=True):
        assert abs(true.fade - ours.fade) < 0.005 * RATE
    assert found.unmatched == ()
    assert found.to_edl().n_samples == edl.n_samples


def _inverted_quiet(sound: np.ndarray) -> tuple[np.ndarray, int]:
    return np.float32(-0.25) * sound, RATE


def _mono(sound: np.ndarray) -> tuple[np.ndarray, int]:
    return sound.mean(axis=0, keepdims=True), RATE


def _other_rate(sound: np.ndarray) -> tuple[np.ndarray, int]:
    return np.array([soxr.resample(channel, RATE, 48000) for channel in sound]), 48000


def _eq(sound: np.ndarray) -> tuple[np.ndarray, int]:
    return scipy.signal.lfilter([1.0, -0.5], [1.0], sound, axis=1).astype(np.float32), RATE


def _clipped(sound: np.ndarray) -> tuple[np.ndarray, int]:
    return np.tanh(8 * sound), RATE


@pytest.mark.parametrize("process", [_inverted_quiet, _mono, _other_rate, _eq, _clipped])
def test_processing_does_not_hide_where_it_comes_from(
    raw: np.ndarray, edl: EDL, process: Callable[[np.ndarray], tuple[np.ndarray, int]]
) -> None:
    edit, rate = process(render(raw, edl))
    found = recover(raw, RATE, edit, rate, source=edl.source)
    assert_recovered(found, edl, near=6, join_s=0.01)


def test_new_material_is_unmatched(raw: np.ndarray, make_tune: Callable[..., np.ndarray]) -> None:
    stranger = make_tune(3.0, 1234)
    edit = np.concatenate([raw[:, 50000:120000], stranger, raw[:, 130000:220000]], axis=1)
    found = recover(raw, RATE, edit, RATE, source=identify(raw, RATE))
    ((start_s, end_s),) = found.unmatched
    assert start_s == pytest.approx(70000 / RATE, abs=0.06)
    assert end_s == pytest.approx(70000 / RATE + 3.0, abs=0.06)
    assert found.coverage == pytest.approx(1 - 3.0 * RATE / edit.shape[1], abs=0.02)
    assert found.joins_s == []


@pytest.mark.parametrize(("noise", "length_s"), [(0.0, 3.0), (1e-5, 3.0), (0.0, 0.3)])
def test_silence_between_two_stretches_is_unmatched(raw: np.ndarray, noise: float, length_s: float) -> None:
    n = round(length_s * RATE)
    silence = np.float32(noise) * np.random.default_rng(0).standard_normal((2, n)).astype(np.float32)
    edit = np.concatenate([raw[:, 14 * RATE : 18 * RATE], silence, raw[:, 5 * RATE : 9 * RATE]], axis=1)
    found = recover(raw, RATE, edit, RATE, source=identify(raw, RATE))
    ((start_s, end_s),) = found.unmatched
    assert (start_s, end_s) == (pytest.approx(4, abs=0.06), pytest.approx(4 + length_s, abs=0.06))
    assert [each.start / RATE - each.at_s for each in found.segments] == pytest.approx([14, 1 - length_s], abs=1e-3)
    assert found.coverage == pytest.approx(8 / (8 + length_s), abs=0.01)


def test_an_edit_of_another_recording_is_not_found(raw: np.ndarray, make_tune: Callable[..., np.ndarray]) -> None:
    found = recover(raw, RATE, make_tune(5.0, 77), RATE, source=identify(raw, RATE))
    assert found.coverage < 0.1


def test_equal_sources_are_told_and_taken_in_order(raw: np.ndarray) -> None:
    """The raw plays [100000, 170000) a second time at 400000; the edit goes on to it from [60000, 100000)."""
    twice = np.concatenate([raw[:, :400000], raw[:, 100000:170000], raw[:, 170500:190000]], axis=1)
    edit = np.concatenate([twice[:, 330000:380000], twice[:, 100000:160000]], axis=1)
    found = recover(twice, RATE, edit, RATE, source=identify(twice, RATE))
    last = found.segments[-1]
    assert abs(last.start - round(last.at_s * RATE) - (400000 - 50000)) <= 1
    assert abs(last.alternatives[0] - (last.start - 300000)) <= 1


def test_the_same_attempt_is_found_among_similar_ones(raw: np.ndarray) -> None:
    """Three attempts at one song, played with other noise and level: only one is what the edit plays."""
    rng = np.random.default_rng(0)
    song = raw[:, :130000]
    attempts = [song * gain + 0.01 * rng.standard_normal(song.shape) for gain in (0.9, 1.0, 1.1)]
    recording = np.concatenate(attempts, axis=1).astype(np.float32)
    edit = recording[:, 140000:250000]
    found = recover(recording, RATE, edit, RATE, source=identify(recording, RATE))
    assert [(each.start, each.at_s) for each in found.segments] == [(140000, 0.0)]


def test_silence_in_silence_is_found_nowhere() -> None:
    silence = np.zeros((2, 3 * RATE), np.float32)
    found = recover(silence, RATE, silence[:, :RATE], RATE, source=identify(silence, RATE))
    assert (found.segments, found.unmatched, found.coverage) == ((), ((0.0, 1.0),), 0.0)


def test_silence_of_music_is_not_in_the_recording(raw: np.ndarray) -> None:
    found = recover(raw, RATE, np.zeros((2, RATE), np.float32), RATE, source=identify(raw, RATE))
    assert (found.segments, found.unmatched, found.coverage) == ((), ((0.0, 1.0),), 0.0)


def test_confidence_is_that_of_the_segment_told(raw: np.ndarray) -> None:
    """The change of offset was decoded 40 ms late, and nothing was known of how well either side fits."""
    there = hear(raw, RATE, channels=2)
    edit = np.concatenate([there[:, 10000:25000], there[:, 60000:75000]], axis=1)
    stretches = [Stretch(0, 15440, 10000.0, 0.5), Stretch(15440, 30000, 45000.0, 0.5)]
    found = _assembled(edit, there, stretches, [[], []], identify(raw, RATE), 30000 / HEARD)
    assert [each.confidence for each in found.segments] == pytest.approx([1.0, 1.0], abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(20, 1500), min_size=3, max_size=8), seed=st.integers(0, 1000))
def test_segments_never_overlap(raw: np.ndarray, lengths: list[int], seed: int) -> None:
    """Where nothing fits, the joins around a short stretch fall anywhere."""
    rng = np.random.default_rng(seed)
    edges = np.cumsum([0, *lengths]).tolist()
    edit = rng.standard_normal((2, edges[-1])).astype(np.float32)
    there = rng.standard_normal((2, 40000)).astype(np.float32)
    offsets = rng.integers(0, 20000, len(lengths)).tolist()
    stretches = [Stretch(a, b, float(at), 1.0) for (a, b), at in zip(pairwise(edges), offsets, strict=True)]
    found = _assembled(edit, there, stretches, [[] for _ in lengths], identify(raw, RATE), edges[-1] / HEARD)
    firsts = [round(each.at_s * RATE) for each in found.segments]
    lasts = [first + each.end - each.start for first, each in zip(firsts, found.segments, strict=True)]
    assert all(last <= first for last, first in zip(lasts, firsts[1:], strict=False))
    assert found.coverage == pytest.approx(sum(each.end - each.start for each in found.segments) / (2 * edges[-1]))
    assert found.coverage <= 1.0


def test_a_sound_too_short_is_refused(raw: np.ndarray) -> None:
    with pytest.raises(AudioError, match=r"the edit is 0\.10 s long; recovery needs at least half a second"):
        recover(raw, RATE, raw[:, : RATE // 10], RATE, source=identify(raw, RATE))
