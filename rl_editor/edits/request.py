"""What is asked of an editor, and the one protocol of whoever edits."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.errors import RequestError

Order = Literal["forward", "free"]


@dataclass(frozen=True)
class EditRequest:
    """Wishes for an edit; without `target_s` and `keep` its length follows from the content."""

    target_s: float | None = None
    """Length in seconds."""
    keep: float | None = None
    """Length as a share of the recording; above 1 it is made longer."""
    slack_s: float = 1.0
    """Most seconds by which the length may differ; 0 is exact to the sample."""
    locks: tuple[tuple[float, float], ...] = ()
    """Ranges of the recording, in seconds, that must be played; widened to beats."""
    bans: tuple[tuple[float, float], ...] = ()
    """Ranges that must not be played; widened to beats."""
    start_s: float | None = None
    """Second of the recording to begin with, moved to the nearest beat."""
    end_s: float | None = None
    """Second of the recording to end with, moved to the nearest bound."""
    order: Order = "forward"
    """`forward` keeps the recording's order; `free` lets parts change places."""
    loops: bool = False
    """Allow repeats even where the length does not demand them."""
    count: int = 1
    """How many different edits are wanted."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.target_s is not None and self.keep is not None:
            raise RequestError("a length is asked for either in seconds or as a share, not both")
        for name, value in (("length", self.target_s), ("share to keep", self.keep)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise RequestError(f"{name} {value}: must be a positive number")
        if not (math.isfinite(self.slack_s) and self.slack_s >= 0):
            raise RequestError(f"slack {self.slack_s}: must be 0 or more seconds")
        for first_s, last_s in (*self.locks, *self.bans):
            if not 0 <= first_s < last_s:
                raise RequestError(
                    f"range {first_s:g} s to {last_s:g} s: must begin at 0 or later and end after its beginning"
                )
        for time_s in (self.start_s, self.end_s):
            if time_s is not None and not (math.isfinite(time_s) and time_s >= 0):
                raise RequestError(f"time {time_s}: must be 0 or more seconds")
        if self.order not in get_args(Order):
            raise RequestError(f"order {self.order!r}: is forward or free")
        if self.seed < 0:
            raise RequestError(f"seed {self.seed}: must be 0 or more")
        if self.count < 1:
            raise RequestError(f"{self.count} edits: ask for at least one")

    def length_s(self, recording_s: float) -> float | None:
        """The length asked for of a recording of `recording_s` seconds; None where the content decides."""
        return self.target_s if self.keep is None else self.keep * recording_s


class Editor(Protocol):
    """Whatever turns a Track and a request into edits."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """Edits that meet the request, best first.

        Raises:
            RequestError: no edit of this recording meets the request.
        """
        ...
