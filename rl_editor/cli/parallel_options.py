"""What the commands that work on many files at once share on their command lines."""

from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.complaints import complain
from rl_editor.data.parallel import BACKENDS

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from rl_editor.cli.arguments import CommandParser


def add_jobs_option(parser: "CommandParser", items: str) -> None:
    """Add `--jobs` to a command that works on many `items` on this machine."""
    parser.add_argument("--jobs", type=int, metavar="N", help=f"{items} at the same time; default: one a processor")


def add_parallel_options(parser: "CommandParser", items: str) -> None:
    """Add `--jobs` and `--backend` to a command that works on many `items`."""
    add_jobs_option(parser, items)
    parser.add_argument(
        "--backend", choices=BACKENDS, default="loky",
        help="where it is done: loky (processes here, the default), or a cluster: dask (at DASK_SCHEDULER_ADDRESS, "
        "else here) or ray (at RAY_ADDRESS, else here)",
    )  # fmt: skip


def check_jobs(args: "Namespace") -> bool:
    """Whether `--jobs` can be meant; complains if not."""
    if args.jobs is not None and args.jobs < 1:
        complain(f"--jobs {args.jobs}: at least 1")
        return False
    return True


def on_all_machines(path: Path, backend: str) -> Path:
    """A name that workers elsewhere understand too."""
    return path if backend == "loky" else path.absolute()
