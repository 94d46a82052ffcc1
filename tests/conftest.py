"""What tests share: real music where it is present, and small made-up tracks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.landings import FAMILY_OF_COLUMN, Family, K, LandingTable
from rl_editor.analysis.seams import SEAM_TERMS
from rl_editor.analysis.track import Track
from rl_editor.audio.source import Source

settings.register_profile("patient", deadline=None)  # no test asserts time by the clock
settings.load_profile("patient")

_DATA = Path(__file__).parents[2] / "shared" / "data"
RATE = 1000


@pytest.fixture(scope="session", autouse=True)
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the analyses of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RL_EDITOR_STORE", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real music; tests that need it skip where it is not present."""
    if not _DATA.is_dir():
        pytest.skip(f"no real music in {_DATA}")
    return _DATA


def random_landings(rng: np.random.Generator, n_beats: int, share: float) -> LandingTable:
    shape = (n_beats + 1, K)
    beat = np.where(rng.random(shape) < share, rng.integers(0, n_beats, shape), -1)
    half = (rng.integers(0, 2, shape) * (rng.random(shape) < 0.3)).astype(np.int8)
    natural = (beat == np.arange(n_beats + 1)[:, None]) & (half == 0)
    beat[natural] = -1
    half[0], beat[0, beat[0] == 0] = 0, -1
    family = np.broadcast_to(FAMILY_OF_COLUMN, shape).copy()
    family[0] = Family.BOUNDARY
    lag = rng.integers(-12, 13, shape)
    lag[0] = 0
    return LandingTable(
        beat=beat,
        half=half,
        family=family,
        continuation=rng.random(shape, dtype=np.float32),
        step=rng.random(shape, dtype=np.float32),
        score=rng.random(shape, dtype=np.float32),
        lag=lag,
        correlation=rng.random(shape, dtype=np.float32),
        seam=rng.random((*shape, len(SEAM_TERMS)), dtype=np.float32),
    )


def random_track(
    rng: np.random.Generator, n_beats: int, *, share: float = 0.4, activity: np.ndarray | None = None
) -> Track:
    """A track of no sound: `n_beats` beats of 0.3 to 0.7 s at 1 kHz, landings by chance."""
    bounds = np.concatenate([[0], np.cumsum(rng.integers(300, 700, n_beats))])
    position = (np.arange(n_beats) % 4).astype(np.int8)
    if activity is None:
        activity = np.full(n_beats, Activity.MUSIC, dtype=np.int8)
    return Track(
        source=Source("0" * 64, RATE, 2, int(bounds[-1]), "made-up.wav"),
        bounds=bounds,
        confidence=np.ones(n_beats, dtype=np.float32),
        bar_position=position,
        bar=np.arange(n_beats) // 4,
        activity=activity,
        music=rng.random(n_beats, dtype=np.float32),
        level_db=rng.uniform(-30, -10, n_beats).astype(np.float32),
        boundary=np.append(np.where(position == 0, rng.random(n_beats), 0.0), 1.0).astype(np.float32),
        features=rng.random((n_beats, 3), dtype=np.float32),
        feature_names=("a", "b", "c"),
        landings=random_landings(rng, n_beats, share),
    )


@pytest.fixture(scope="session")
def make_track() -> Callable[..., Track]:
    """`random_track`."""
    return random_track


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small tensors gain nothing from more, and wait for each other where tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
