"""What recovery found: the stretches of the raw that an edit plays, and what of the edit is not in the raw.

As JSON it is an EDL that `rl-editor render` plays, and says more about itself: of each segment `at_s`, `confidence`
and `alternatives`, and at the top `unmatched` and `coverage`.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rl_editor.atomic import write_text
from rl_editor.audio.source import Source
from rl_editor.edits.edl import EDL, VERSION, Maker, Segment, one_line, relative_to
from rl_editor.errors import EDLError

EDITOR = "recovered"
"""The maker of a recovered edit."""


@dataclass(frozen=True)
class RecoveredSegment:
    """[start, end) of the raw, in samples, as the edit plays it."""

    start: int
    end: int
    fade: int
    """Samples of crossfade heard, ending at the join into this segment; 0 for none."""
    at_s: float
    """Where in the edit it begins."""
    confidence: float
    """Correlation of its sound with the edit's, in [0, 1]."""
    alternatives: tuple[int, ...] = ()
    """Other starts in the raw that sound the same: residual at most -40 dB."""


@dataclass(frozen=True)
class Recovery:
    """Where a finished edit comes from."""

    source: Source
    """The raw."""
    segments: tuple[RecoveredSegment, ...]
    """In output order."""
    unmatched: tuple[tuple[float, float], ...]
    """[start_s, end_s] of the edit that is not in the raw."""
    coverage: float
    """Share of the edit's time that is in the raw."""

    @property
    def joins_s(self) -> list[float]:
        """Where in the edit one stretch of the raw gives way to another."""
        rate = self.source.sample_rate
        pairs = zip(self.segments, self.segments[1:], strict=False)
        return [
            after.at_s
            for before, after in pairs
            if before.end != after.start and after.at_s - (before.at_s + (before.end - before.start) / rate) < 1 / rate
        ]

    def to_edl(self) -> EDL:
        """The matched stretches, one after another, as an EDL.

        Raises:
            EDLError: nothing was found.
        """
        if not self.segments:
            raise EDLError("nothing of the edit was found in the recording")
        segments = tuple(Segment(each.start, each.end, each.fade) for each in self.segments)
        return EDL(source=self.source, segments=segments, maker=Maker(EDITOR))


def to_json(recovery: Recovery) -> str:
    """The recovery as public EDL JSON with what it says besides, one segment a line."""
    segments = [
        {
            **asdict(Segment(each.start, each.end, each.fade)),
            "at_s": round(each.at_s, 6),
            "confidence": round(each.confidence, 4),
            "alternatives": each.alternatives,
        }
        for each in recovery.segments
    ]
    tail = {
        "end_fade": 0,
        "target_s": None,
        "maker": asdict(Maker(EDITOR)),
        "unmatched": [[round(start_s, 3), round(end_s, 3)] for start_s, end_s in recovery.unmatched],
        "coverage": round(recovery.coverage, 4),
    }
    lines = [f' "version": {VERSION}', f' "source": {one_line(asdict(recovery.source))}']
    lines.append(' "segments": [\n  ' + ",\n  ".join(map(one_line, segments)) + "]")
    lines += [f' "{key}": {one_line(value)}' for key, value in tail.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(recovery: Recovery, path: Path, *, overwrite: bool) -> None:
    """Write a recovery as JSON, its source named relative to the file's own folder.

    Raises:
        EditorError: the file exists and may not be replaced, or can't be written.
    """
    file = recovery.source.file and relative_to(Path(recovery.source.file), path.parent)
    write_text(path, to_json(replace(recovery, source=replace(recovery.source, file=file))), overwrite=overwrite)
