"""`python -m rl_editor.cli.child COMMAND ...`: a command as part of another one, which ends when that one does.

Whoever starts it holds the other end of its standard input. Where that process dies, however it dies, the pipe ends,
and so does this process, at once: nobody is left who goes on writing into a folder that another process takes over.
"""

import os
import signal
import threading

from rl_editor.cli.main import main

_STDIN = 0


def _end_with_parent() -> None:
    while os.read(_STDIN, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main()
