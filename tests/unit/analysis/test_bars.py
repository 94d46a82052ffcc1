import numpy as np
import pytest

from rl_editor.analysis.bars import bar_numbers, bar_positions, downbeat_evidence
from rl_editor.analysis.beat_features import BeatFeatures


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


def features(positions: np.ndarray, *, chords: bool, drums: bool) -> BeatFeatures:
    """Quarters of beats whose chord changes on each one, and whose bass drum and snare play by turns."""
    rng = np.random.default_rng(0)
    quarters = rng.uniform(0.0, 0.1, (len(positions), 4, 18)).astype(np.float32)
    quarters[:, :, :3] -= 30.0
    if chords:
        roots = np.cumsum(positions == 0) * 5 % 12
        quarters[np.arange(len(positions)), :, 3 + roots] += 1.0
    if drums:
        quarters[:, 0, 15] += positions % 2 == 0
        quarters[:, 0, 16:] += (positions % 2 == 1)[:, None]
    names = ("mel",) * 3 + ("chroma",) * 12 + ("onset",) * 3
    return BeatFeatures(quarters.reshape(-1, 18), names)


@pytest.mark.parametrize("phase", range(4))
@pytest.mark.parametrize("drums", [False, True])
def test_a_bar_begins_where_the_chord_changes(phase: int, drums: bool) -> None:
    positions = (np.arange(96) + phase) % 4
    found = bar_positions(downbeat_evidence(features(positions, chords=True, drums=drums)))
    assert (found == positions).all()


def test_the_bass_drum_is_on_a_one_and_the_snare_is_not() -> None:
    positions = np.arange(96) % 4
    evidence = downbeat_evidence(features(positions, chords=False, drums=True))
    assert evidence[positions % 2 == 0].mean() > evidence[positions % 2 == 1].mean() + 1.0


def test_evidence_is_a_number_where_everything_is_silent() -> None:
    silent = BeatFeatures(np.zeros((8 * 4, 18), dtype=np.float32), ("mel",) * 3 + ("chroma",) * 12 + ("onset",) * 3)
    assert downbeat_evidence(silent).tolist() == [0.0] * 8
