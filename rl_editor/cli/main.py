"""The program `rl-editor`: finds the command, reports errors in one line, sets the exit status.

0: done. 1: a file, a recording or a request that can't be met. 2: the command line is wrong. 130: interrupted.
"""

import _thread
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rl_editor.cli.complaints import complain
from rl_editor.errors import EditorError

COMMANDS = {
    "edit": "turn recordings into songs",
    "analyse": "listen to recordings and keep what was heard",
    "candidates": "several edits of each recording, to be compared",
    "comparisons": "check and merge what listeners said of edits",
    "render": "play an EDL: hand-changed, or on other recordings of the same length",
    "recover": "find from sound alone where a finished edit comes from",
    "evaluate": "judge a finished edit from its sound",
    "benchmark": "editors side by side, over takes whose exact edits are known",
    "synthesize": "make training pairs of finished songs: raw takes with their exact edits",
    "prepare": "make a training set of raw and edit pairs",
    "data": "check training pairs before anything is computed",
    "sample-data": "make songs and raw jams to try things on, with their exact truth",
    "bc-warmup": "train a policy to imitate true edits",
    "reward-model": "train a reward model from planted faults and people's answers",
    "fit": "train what a recipe describes",
    "pipeline": "from a prepared set to an edited song: imitation, reward model, PPO, edit, report",
    "validate": "judge a trained checkpoint on validation data",
    "test": "judge a trained checkpoint on test data",
    "predict": "let a trained checkpoint do its work",
    "plot": "draw the curves of training runs",
    "models": "list checkpoints, show their cards",
    "info": "versions, devices, ffmpeg, shipped recipes and checkpoints",
}

_RETRY_S = 0.05  # seconds until an interruption that was swallowed is raised again


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and leave with its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    try:
        with _interruptions() as came:
            status = _dispatch(arguments)
            sys.stdout.flush()
        # compiled code may swallow the exception of an interruption, but not that there was one
        sys.exit(130 if came else status)
    except EditorError as error:
        complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        complain("interrupted; nothing half-written was left")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left; there is nobody to tell
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or 'output'}: {error.strerror}")
        # what is still in the buffer can't be written either, and would be tried once more at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """The signals of interruption that came; each also raises KeyboardInterrupt, again where none could be raised."""
    came: list[int] = []
    again: list[threading.Timer] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    def retry(swallowed: "sys.UnraisableHookArgs") -> None:
        # compiled code that was calling back, or a finaliser, can't pass it on, and would tell of it with a traceback
        if swallowed.exc_type is not KeyboardInterrupt:
            tell(swallowed)
            return
        again.append(threading.Timer(_RETRY_S, _thread.interrupt_main))
        again[-1].daemon = True
        again[-1].start()

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before, tell = signal.signal(signal.SIGINT, note), sys.unraisablehook
    sys.unraisablehook = retry
    try:
        yield came
    finally:
        sys.unraisablehook = tell
        for timer in again:
            timer.cancel()
        signal.signal(signal.SIGINT, before)


def _dispatch(arguments: list[str]) -> int:
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if name in ("-h", "--help"):
        sys.stdout.write(_overview())
        return 0
    if name == "--version":
        from rl_editor import __version__

        sys.stdout.write(f"rl-editor {__version__}\n")
        return 0
    if name not in COMMANDS:
        complain(f"{name}: no such command; there are {', '.join(COMMANDS)}")
        return 2
    command = importlib.import_module(f"rl_editor.cli.{name.replace('-', '_')}")
    status: int = command.run(command.parser().parse_args(rest))
    return status


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        [
            "usage: rl-editor COMMAND ...",
            "",
            "Turn a long recording into a song.",
            "",
            *lines,
            "",
            "`rl-editor COMMAND --help` tells more; `rl-editor --version` prints the version.",
            "",
        ]
    )
