"""Work side by side: outcomes in order, errors among them."""

import importlib.util

import pytest

from rl_editor.data.parallel import side_by_side
from rl_editor.errors import DataError, EditorError


def halved(number: int) -> int:
    if number % 2:
        raise DataError(f"{number} is odd")
    return number // 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_come_in_order_and_errors_stop_nothing(jobs: int) -> None:
    told: list[float] = []
    outcomes = list(
        side_by_side(halved, range(6), stage="halving", jobs=jobs, report=lambda stage, share: told.append(share))
    )
    assert [str(outcome) for outcome in outcomes] == ["0", "1 is odd", "1", "3 is odd", "2", "5 is odd"]
    assert isinstance(outcomes[1], DataError)
    assert told == pytest.approx([k / 6 for k in range(7)])


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(side_by_side(halved, [], stage="halving")) == []


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_backend_is_told_with_its_install_line(backend: str) -> None:
    if importlib.util.find_spec("distributed" if backend == "dask" else "ray"):
        pytest.skip(f"{backend} is installed")
    with pytest.raises(EditorError, match=rf"pip install 'rl-editor\[{backend}\]'"):
        list(side_by_side(halved, [2], stage="halving", backend=backend))
