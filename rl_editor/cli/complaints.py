"""Complaints and notes: one line each on stderr, whatever a file is called."""

import sys


def complain(text: object) -> None:
    """Write one line; letters that would break or colour it are escaped."""
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))
    sys.stderr.write(f"rl-editor: {line}\n")
