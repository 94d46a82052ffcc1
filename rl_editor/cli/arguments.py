"""What commands share on their command lines: the parser, and times as people write them."""

import re
import sys
from argparse import ArgumentTypeError, HelpFormatter
from typing import Any, NoReturn

from jsonargparse import ArgumentParser

_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,9}(?:\.\d+)?)s?")

_LARGEST = 1000.0


class CommandParser(ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong with the command line and leave with status 2."""
        line = " ".join(message.split())
        sys.stderr.write(f"rl-editor: {line} (see {self.prog} --help)\n")
        sys.exit(2)


def command_parser(name: str, description: str) -> CommandParser:
    """The parser of one command, without arguments yet."""
    return CommandParser(prog=f"rl-editor {name}", description=description, formatter_class=HelpFormatter)


# jsonargparse converts once, then validates what came out by converting it again: what is no text stays as it is.
Converted = Any


def time_range(text: "str | Converted") -> "tuple[float, float] | Converted":
    """A range of a recording in seconds: `1:00-1:30`.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not isinstance(text, str):
        return text
    first, dash, last = text.partition("-")
    if not dash:
        raise ArgumentTypeError(f"{text!r} is no range; write 1:00-1:30")
    span = seconds(first), seconds(last)
    if not span[0] < span[1]:
        raise ArgumentTypeError(f"{text!r} ends before it begins")
    return span


def positive(text: "str | Converted") -> "float | Converted":
    """A number above 0 and not above 1000.

    Raises:
        ArgumentTypeError: the text is none.
    """
    if not isinstance(text, str):
        return text
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= _LARGEST:
        raise ArgumentTypeError(f"{text!r} is too large" if value > _LARGEST else f"{text!r} is no number above 0")
    return value


def seconds(text: "str | Converted") -> "float | Converted":
    """A time in seconds: `4:00`, `1:02:03.5`, `240`, `1.5s`.

    Raises:
        ArgumentTypeError: the text is none of these.
    """
    if not isinstance(text, str):
        return text
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no time; write 4:00, 1:02:03 or 240")
    hours, minutes, rest = match.groups()
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(rest)
