"""Independent work on many files, side by side: on this machine's processors, or on a Dask or Ray cluster.

Dask: the cluster that DASK_SCHEDULER_ADDRESS names, else processes of this machine. Ray: the cluster that RAY_ADDRESS
names, else this machine. Workers elsewhere must see the files under the same absolute names.
"""

import logging
import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from typing import Any, TypeVar

from rl_editor.errors import EditorError
from rl_editor.progress import Report, ignore

BACKENDS = ("loky", "dask", "ray")
"""Where work can be done."""

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def side_by_side(
    work: Callable[[Item], Outcome],
    items: Sequence[Item],
    *,
    stage: str,
    jobs: int | None = None,
    backend: str = "loky",
    report: Report = ignore,
) -> Generator[Outcome | EditorError, None, None]:
    """The outcome of each item in order, each as soon as it and those before it are there (with Ray at the end).

    Args:
        work: what to do; it can be pickled, and so can items and outcomes. An `EditorError` it raises is an outcome.
        items: what to do it with.
        stage: what the report calls it.
        jobs: items at the same time; default one a processor, or as many as a cluster has.
        backend: one of `BACKENDS`.
        report: told how many are done.
    Raises:
        EditorError: the backend is not installed, its cluster does not answer, or one of its processes was ended from
            outside.
    """
    report(stage, 0.0)
    with (
        _BACKENDS[backend](_workers(jobs, len(items), backend)) as run,
        closing(run(partial(_outcome, work), items)) as outcomes,
    ):
        for done, outcome in enumerate(outcomes, start=1):
            report(stage, done / len(items))
            yield outcome


def _outcome(work: Callable[[Item], Outcome], item: Item) -> Outcome | EditorError:
    try:
        return work(item)
    except EditorError as error:
        return error


_Results = Generator[Any, None, None]
_Run = Callable[[Callable[[Any], Any], Iterable[Any]], _Results]
"""Does the same with each item; its results come in order."""


def _workers(jobs: int | None, n_items: int, backend: str) -> int:
    """Items at the same time; -1 leaves it to a cluster."""
    from joblib import cpu_count

    if jobs is None and backend != "loky":
        return -1
    return max(min(jobs or cpu_count(), n_items), 1)


@contextmanager
def _loky(workers: int) -> Iterator[_Run]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def run(work: Callable[[Any], Any], items: Iterable[Any]) -> _Results:
        if workers == 1:
            yield from map(work, items)
            return
        with parallel_config("loky", inner_max_num_threads=1), _interrupts_ignored():
            # dispatches at once, so this is where the workers are started
            parallel = Parallel(n_jobs=workers, return_as="generator", batch_size=1)
            results = parallel(delayed(work)(item) for item in items)
        yield from _left_in_silence(results)

    try:
        yield run
    except TerminatedWorkerError:
        raise _ended(f"less than --jobs {workers} needs less") from None


@contextmanager
def _dask(workers: int) -> Iterator[_Run]:
    from joblib import Parallel, delayed, parallel_config

    try:
        import dask
        from distributed import KilledWorker
    except ImportError:
        raise _missing("dask", "Dask") from None
    address = dask.config.get("scheduler-address", None)

    def run(work: Callable[[Any], Any], items: Iterable[Any]) -> _Results:
        parallel = Parallel(n_jobs=workers, return_as="generator", batch_size=1)
        yield from _left_in_silence(parallel(delayed(work)(item) for item in items))

    try:
        with _dask_cluster(address) if address else _dask_here(workers), parallel_config("dask"):
            yield run
    except KilledWorker:
        raise _ended("fewer workers on a machine need less") from None


def _dask_cluster(address: str) -> AbstractContextManager[Any]:
    from distributed import Client

    try:
        return Client(address)
    except (OSError, ValueError) as error:  # nobody there, or no address
        raise EditorError(f"DASK_SCHEDULER_ADDRESS {address}: no Dask scheduler answers there") from error


def _dask_here(workers: int) -> AbstractContextManager[Any]:
    from distributed import Client

    return Client(
        n_workers=workers if workers > 0 else None,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=logging.ERROR,  # its workers may take longer to leave than it likes
    )


@contextmanager
def _ray(workers: int) -> Iterator[_Run]:
    from joblib import Parallel, delayed, parallel_config

    try:
        from ray.util.joblib import register_ray
    except ImportError:
        raise _missing("ray", "Ray") from None
    register_ray()

    def run(work: Callable[[Any], Any], items: Iterable[Any]) -> _Results:
        # its joblib backend can't give results one by one
        yield from Parallel(n_jobs=workers, batch_size=1)(delayed(work)(item) for item in items)

    try:
        with parallel_config("ray"):
            yield run
    except ConnectionError as error:  # errors of its workers come as its own
        address = os.environ.get("RAY_ADDRESS", "(not set)")
        raise EditorError(f"RAY_ADDRESS {address}: no Ray cluster answers there") from error


_BACKENDS: dict[str, Callable[[int], AbstractContextManager[_Run]]] = {
    "loky": _loky,
    "dask": _dask,
    "ray": _ray,
}


def _missing(extra: str, name: str) -> EditorError:
    return EditorError(f"--backend {extra} needs {name}; install it: pip install 'rl-editor[{extra}]'")


def _ended(advice: str) -> EditorError:
    return EditorError(
        f"a process was ended from outside, perhaps for lack of memory; {advice}, and what is done already is kept"
    )


def _left_in_silence(results: _Results) -> _Results:
    """The results of joblib, without warnings that are no news to us.

    It tells when it is interrupted or not asked for all results, and when it replaces a worker that has grown.
    """
    try:
        while True:
            with _news_ignored():
                try:
                    result = next(results)
                except StopIteration:
                    return
            yield result
    finally:
        with _news_ignored():
            results.close()


@contextmanager
def _news_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "[0-9]+ tasks (which were still|have been successfully)", UserWarning)
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        yield


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started here inherit it for good, and are ended by us; for us it lasts milliseconds.

    Blocking the signal would lose none, but loky unblocks it before it starts its workers.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
