import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.beats import tile

RATE = 44100


def hits(times_s: np.ndarray, length_s: float, rate: int = RATE) -> np.ndarray:
    """A drum hit with a 2 ms attack at each time, (1, n)."""
    rng = np.random.default_rng(0)
    n = round(length_s * rate)
    sound = rng.standard_normal(n).astype(np.float32) * 1e-4
    t = np.arange(round(0.15 * rate)) / rate
    hit = (np.minimum(t / 0.002, 1) * np.exp(-t / 0.03) * np.sin(2 * np.pi * 180 * t)).astype(np.float32)
    hit += rng.standard_normal(len(t)).astype(np.float32) * np.exp(-t / 0.01) * np.minimum(t / 0.002, 1) * 0.5
    for at in np.round(times_s * rate).astype(int):
        part = hit[: n - at]
        sound[at : at + len(part)] += 0.5 * part
    return sound[None]


@given(
    st.lists(st.floats(0.01, 59.0), max_size=40, unique=True),
    st.integers(2 * 8000, 60 * 8000),
)
@example([0.01, 0.010000000000000002], 16000)
@example([0.5, 0.5 + 1e-9, 40.0], 480000)
def test_bounds_tile_any_recording(times: list[float], n_samples: int) -> None:
    bounds = tile(np.sort(np.array(times, dtype=np.float64)), n_samples=n_samples, sample_rate=8000)
    assert bounds[0] == 0
    assert bounds[-1] == n_samples
    assert (np.diff(bounds) > 0).all()


def test_the_grid_goes_on_at_the_neighbouring_tempo() -> None:
    times_s = 10.0 + 0.5 * np.arange(40)
    bounds_s = tile(times_s, n_samples=50 * 1000, sample_rate=1000) / 1000
    np.testing.assert_allclose(np.diff(bounds_s[1:-1]), 0.5, atol=0.002)


def test_bounds_stand_just_before_the_attacks() -> None:
    times_s = np.arange(0.5, 29.5, 0.5)
    track = analyse(hits(times_s, 30.0), RATE)
    nearest = track.bounds_s[np.abs(track.bounds_s[:, None] - times_s).argmin(axis=0)]
    late_ms = 1e3 * (nearest - times_s)
    assert np.percentile(late_ms, 95) <= 1.0, late_ms
    assert np.percentile(late_ms, 5) >= -25.0, late_ms


def test_confidence_is_low_where_nothing_pulses() -> None:
    sound = hits(np.arange(0.5, 20, 0.5), 40.0)
    track = analyse(sound, RATE)
    middle_s = (track.bounds_s[1:] + track.bounds_s[:-1]) / 2
    assert track.confidence[middle_s < 15].min() > 0.5
    assert np.median(track.confidence[middle_s > 28]) < 0.5
