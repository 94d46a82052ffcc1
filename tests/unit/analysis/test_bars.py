import numpy as np
import pytest

from rl_editor.analysis.bars import bar_numbers, bar_positions


def evidence(positions: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.7, len(positions))
    return (np.where(positions == 0, 2.0, -0.7) + noise).astype(np.float32)


@pytest.mark.parametrize(("meter", "phase"), [(4, 0), (4, 1), (4, 3), (3, 0), (3, 2)])
def test_meter_and_phase_are_found(meter: int, phase: int) -> None:
    positions = (np.arange(96) + phase) % meter
    assert (bar_positions(evidence(positions)) == positions).all()


def test_bars_go_on_after_a_lost_beat() -> None:
    positions = np.concatenate([np.arange(64) % 4, (np.arange(64) + 2) % 4])
    found = bar_positions(evidence(positions))
    assert (found == positions).mean() > 0.95
    assert (found[80:] == positions[80:]).all()


def test_bars_are_numbered_from_the_first_downbeat() -> None:
    positions = np.array([2, 3, 0, 1, 2, 3, 0, 1], dtype=np.int8)
    assert bar_numbers(positions).tolist() == [0, 0, 0, 0, 0, 0, 1, 1]


def test_an_empty_recording_has_no_bars() -> None:
    assert bar_positions(np.zeros(0, dtype=np.float32)).tolist() == []
