"""What a take of a recorded song is made of: its card, the truth beside the EDL."""

import json
from dataclasses import asdict, dataclass

from rl_editor.data.excerpt import Span
from rl_editor.data.faults import Family
from rl_editor.data.recording_channel import Channel
from rl_editor.data.session_plan import Mode, Played
from rl_editor.data.take_plan import Pause
from rl_editor.data.takes import Spoiled


@dataclass(frozen=True)
class TakePart:
    """[start, end) of a raw, in samples, and all that is known about it."""

    start: int
    end: int
    kind: Pause | Played
    unit: int | None = None
    """The unit of the song that is attempted; None for a run-through of several, and for what is no attempt."""
    attempt: int | None = None
    """Counts the attempts at this unit from 1; None for what is no attempt."""
    song_start: int | None = None
    """Sample of the song's file it begins at; None for what is not the song from here on."""
    song_end: int | None = None
    """Sample of the song's file it has come to at its end."""
    first_beat: int | None = None
    """Which beat of the song's music its first beat is."""
    kept: bool = False
    """It is in the true edit."""
    spoiled: tuple[Spoiled, ...] = ()
    """Where a mistake is heard."""
    beats: tuple[int, ...] = ()
    """Samples of the raw at which its beats fall."""


@dataclass(frozen=True)
class TakeCard:
    """What a take is made of."""

    song: str
    song_hash: str
    """Content hash of the song's file: sets are split by it."""
    others: dict[str, str]
    """Other tunes that are heard, and the content hashes of their files."""
    raw_hash: str
    """Content hash of the raw."""
    mode: Mode
    families: tuple[Family, ...]
    """Fault families that are heard."""
    held_out: tuple[Family, ...]
    """Fault families that were not allowed."""
    loud_pauses: bool
    """What is no music is as loud as the music."""
    keep_ratio: float
    """Share of the raw that is kept."""
    before: float
    """How likely a worse attempt came before the good one."""
    channel: Channel
    units: tuple[Span, ...]
    """What is attempted at a time, in beats of the song's music and in the order of the song."""
    parts: tuple[TakePart, ...]
    """They tile the raw."""

    def to_json(self) -> str:
        """The card as JSON text, one field a line."""
        fields = (f' "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in asdict(self).items())
        return "{\n" + ",\n".join(fields) + "\n}\n"
