"""Work side by side: outcomes in order, errors among them."""

import importlib.util
import warnings
from contextlib import closing

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


# under load loky's own thread may lose a race with the end of its workers
@pytest.mark.filterwarnings("ignore:Exception in thread ExecutorManagerThread")
def test_work_that_is_left_leaves_no_warning_and_the_filters_as_they_were() -> None:
    before = list(warnings.filters)
    with closing(side_by_side(halved, range(40), stage="halving", jobs=2)) as outcomes:
        assert next(outcomes) == 0
        assert warnings.filters == before
    assert warnings.filters == before


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://here"])
def test_a_scheduler_that_does_not_answer_is_told_with_its_address(address: str) -> None:
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    settings = {"scheduler-address": address, "distributed.comm.timeouts.connect": "200ms"}
    with dask.config.set(settings), pytest.raises(EditorError, match=f"DASK_SCHEDULER_ADDRESS {address}: no Dask"):
        list(side_by_side(halved, [2], stage="halving", backend="dask"))


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_backend_is_told_with_its_install_line(backend: str) -> None:
    if importlib.util.find_spec("distributed" if backend == "dask" else "ray"):
        pytest.skip(f"{backend} is installed")
    with pytest.raises(EditorError, match=rf"pip install 'rl-editor\[{backend}\]'"):
        list(side_by_side(halved, [2], stage="halving", backend=backend))
