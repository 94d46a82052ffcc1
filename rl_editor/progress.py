"""Progress of long work on stderr, silent where nobody watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str, float], None]
"""Called with the stage's name and the share of it done, in [0, 1]."""


def ignore(stage: str, share: float) -> None:
    """The report of work nobody watches."""


@contextmanager
def bars(*, quiet: bool) -> Iterator[Report]:
    """A report that draws one bar a stage on stderr; `quiet`, or no terminal, draws none."""
    if quiet:
        yield ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:>24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        tasks = {}

        def report(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=1.0)
            progress.update(tasks[stage], completed=share)

        yield report
