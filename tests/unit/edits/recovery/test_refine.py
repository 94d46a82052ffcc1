from collections.abc import Callable

import numpy as np
import pytest

from rl_editor.edits.recovery.hearing import RATE, excerpt, hear
from rl_editor.edits.recovery.offsets import Offset
from rl_editor.edits.recovery.refine import Stretch, correlation, local_correlation, merged, refine


@pytest.fixture(scope="module")
def raw(make_tune: Callable[..., np.ndarray]) -> np.ndarray:
    return hear(make_tune(8.0, 3), 22050, channels=2)


def everywhere(samples: float, n: int) -> Offset:
    return Offset(samples, ((0, n),))


def test_each_part_is_played_at_its_offset_and_false_offsets_are_not(raw: np.ndarray) -> None:
    edit = np.concatenate([raw[:, 30000:45000], raw[:, 1000:21000]], axis=1)
    n = edit.shape[1]
    stretches = refine(edit, raw, [everywhere(each, n) for each in (30000.0, 12345.0, -14000.0)])
    assert [round(each.offset, 2) for each in stretches] == [30000.0, -14000.0]
    assert abs(stretches[0].end - 15000) < 0.03 * RATE
    assert stretches[0].end == stretches[1].start
    assert min(each.correlation for each in stretches) > 0.9


def test_what_fits_nowhere_is_left_out(raw: np.ndarray, make_tune: Callable[..., np.ndarray]) -> None:
    stranger = hear(make_tune(2.0, 99), 22050, channels=2)
    edit = np.concatenate([raw[:, 5000:20000], stranger, raw[:, 30000:40000]], axis=1)
    middle = stranger.shape[1]
    offsets = [everywhere(each, edit.shape[1]) for each in (5000.0, 30000.0 - 15000 - middle)]
    first, last = refine(edit, raw, offsets)
    assert abs(first.end - 15000) < 0.05 * RATE
    assert abs(last.start - 15000 - middle) < 0.05 * RATE


def test_silence_belongs_to_what_surrounds_it(raw: np.ndarray) -> None:
    quiet = raw.copy()
    quiet[:, 20000:50000] = 0.0
    (stretch,) = refine(quiet[:, 4000:70000], quiet, [everywhere(4000.0, 66000)])
    assert (stretch.start, stretch.end) == (0, 66000)


def test_silence_where_the_raw_sounds_comes_from_nowhere(raw: np.ndarray) -> None:
    edit = raw[:, 4000:70000].copy()
    edit[:, 20000:50000] = 0.0
    first, last = refine(edit, raw, [everywhere(4000.0, 66000)])
    assert abs(first.end - 20000) < 0.03 * RATE
    assert abs(last.start - 50000) < 0.03 * RATE
    assert (first.start, last.end) == (0, 66000)


def test_a_fade_out_belongs_to_what_it_fades(raw: np.ndarray) -> None:
    edit = raw[:, 4000:70000].copy()
    edit[:, 20000:] *= np.geomspace(1, 1e-4, 46000, dtype=np.float32)
    (stretch,) = refine(edit, raw, [everywhere(4000.0, 66000)])
    assert (stretch.start, stretch.end) == (0, 66000)


def test_a_correlation_is_that_of_the_part_asked_for(raw: np.ndarray) -> None:
    edit = np.concatenate([raw[:, 5000:15000], np.zeros_like(raw[:, :5000])], axis=1)
    assert correlation(edit, raw, 0, 10000, 5000.0) == pytest.approx(1.0)
    share = np.square(raw[:, 5000:15000]).sum() / np.square(raw[:, 5000:20000]).sum()
    assert correlation(edit, raw, 0, 15000, 5000.0) == pytest.approx(np.sqrt(share), abs=1e-3)
    assert correlation(-edit, raw, 0, 10000, 5000.0) == 0.0
    assert correlation(edit, raw, 10000, 15000, 5000.0) == 0.0


def test_the_local_correlation_is_one_where_the_offset_is_right(raw: np.ndarray) -> None:
    edit = excerpt(raw, 7000.25, 22000)
    assert local_correlation(edit, raw, 7000.25, 0, 200).min() > 0.995
    assert np.abs(local_correlation(edit, raw, 9000.0, 0, 200)).mean() < 0.5


def test_stretches_that_go_on_are_one() -> None:
    a, b, c = Stretch(0, 10, 5.0, 0.9), Stretch(10, 30, 5.4, 0.8), Stretch(30, 40, 50.0, 0.7)
    assert merged([a, b, c]) == [Stretch(0, 30, 5.4, 0.8), c]
    assert merged([a, Stretch(12, 30, 5.0, 0.8)]) == [a, Stretch(12, 30, 5.0, 0.8)]
