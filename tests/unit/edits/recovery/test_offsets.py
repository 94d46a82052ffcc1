from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.edits.recovery.hearing import RATE, excerpt, hear
from rl_editor.edits.recovery.offsets import Window, distinct, information, lag_of, measure, propose, within


@pytest.fixture(scope="module")
def raw(make_tune: Callable[..., np.ndarray]) -> np.ndarray:
    return hear(make_tune(6.0, 0), 22050, channels=2)


@settings(max_examples=25, deadline=None)
@given(offset=st.floats(2000, 9000), sign=st.sampled_from([1.0, -1.0, -0.1]))
def test_an_offset_is_measured_to_a_hundredth_of_a_sample(raw: np.ndarray, offset: float, sign: float) -> None:
    edit = np.float32(sign) * excerpt(raw, offset, 20000)
    measured, r = measure(edit, raw, [Window(1000, 12000, round(1000 + offset) + 150)], 300)
    assert abs(measured[0] - offset) < 0.01
    assert abs(r[0] - np.sign(sign)) < 1e-3
    assert abs(lag_of(np.sign(sign) * edit, raw, 0, 20000, offset + 2.0) - offset) < 0.01


def test_windows_of_different_lengths_are_measured_as_alone(raw: np.ndarray) -> None:
    edit = excerpt(raw, 3000.5, 30000)
    windows = [Window(0, 16000, 3050), Window(5000, 4000, 7900), Window(9000, 9000, 20000)]
    together = measure(edit, raw, windows, 200)
    alone = [measure(edit, raw, [window], 200) for window in windows]
    np.testing.assert_allclose(together[0], [each[0][0] for each in alone], atol=0.01)
    np.testing.assert_allclose(together[1], [each[1][0] for each in alone], atol=2e-3)


def test_a_window_at_the_end_of_the_raw_is_measured(raw: np.ndarray) -> None:
    edit = excerpt(raw, raw.shape[1] - 8000, 8000)
    offset, r = measure(edit, raw, [Window(0, 8000, raw.shape[1] - 8100)], 200)
    assert abs(offset[0] - (raw.shape[1] - 8000)) < 0.01
    assert r[0] > 0.99


@pytest.mark.parametrize("wrong_by", [-10.0, 10.0, 19.5])
def test_a_lag_is_looked_for_nearby_only(raw: np.ndarray, wrong_by: float) -> None:
    edit = excerpt(raw, 5000, 20000)
    assert abs(lag_of(edit, raw, 0, 20000, 5000 + wrong_by) - (5000 + wrong_by)) < 4


def test_a_lag_at_which_the_sound_is_inverted_is_none(raw: np.ndarray) -> None:
    assert abs(lag_of(-excerpt(raw, 5000, 20000), raw, 0, 20000, 5000.0) - 5000) > 0.5


def test_windows_are_looked_for_within_their_reach_only(raw: np.ndarray) -> None:
    edit = excerpt(raw, 5000, 20000)
    for wrong_by in (99, 104, 112):
        offset, r = measure(edit, raw, [Window(0, 16000, 5000 + wrong_by)], 100)
        assert (abs(offset[0] - 5000) < 0.01) == (wrong_by < 100)
        assert (r[0] > 0.99) == (wrong_by < 100)


def test_inverted_sound_is_told(raw: np.ndarray) -> None:
    groups = [[Window(0, 10000, 5020), Window(0, 10000, 30000)]]
    offsets, polarity = propose(-excerpt(raw, 5000, 10000), raw, groups, 256)
    assert polarity == -1
    assert [round(offset.samples, 1) for offset in offsets] == [5000.0]


def test_a_small_skip_is_among_what_is_tried_in_a_hole() -> None:
    rng = np.random.default_rng(0)
    edit, raw = rng.standard_normal((2, 400, 40)).astype(np.float32)
    groups = within((20 * 256, 80 * 256), [5000.0], 256, (edit, raw))
    for group in groups:
        shifts = np.array([window.there - window.start - 5000 for window in group])
        for skip_s in (-0.4, -0.1, 0.2, 0.4):
            assert np.abs(shifts - skip_s * RATE).min() <= 0.05 * RATE + 256


def test_offsets_a_tenth_of_a_millisecond_apart_are_one() -> None:
    found = distinct(np.array([10.0, 500.0, 10.4]), np.array([1.0, 1.0, 3.0]), [(0, 5), (5, 9), (9, 12)])
    assert [(each.samples, each.spans) for each in found] == [(10.4, ((0, 5), (9, 12))), (500.0, ((5, 9),))]


def test_information_is_odd_grows_and_ends_at_40_db() -> None:
    r = np.linspace(-1, 1, 41)
    told = information(r)
    np.testing.assert_allclose(told, -told[::-1])
    assert (np.diff(told) > 0).all()
    assert told[-1] == pytest.approx(0.5 * np.log(1e4))
