"""What an edit is, for people and for scripts."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from rl_editor.analysis.track import Track
from rl_editor.clock import clock
from rl_editor.edits.edl import EDL
from rl_editor.edits.joins import DOUBTFUL, describe


def headline(edl: EDL, written: str | None, gain_db: float) -> str:
    """`jam.wav: 58:10 -> 4:12, 5 joins -> jam.edit.wav`."""
    count = len(edl.joins)
    line = f"{edl.source.file}: {clock(edl.source.duration_s)} -> {clock(edl.duration_s)}, "
    line += f"{count} join{'s' * (count != 1)}"
    if gain_db:
        line += f", turned down {-gain_db:.2f} dB so that no peak clips"
    return f"{line} -> {written}\n" if written else f"{line} (nothing written)\n"


def print_joins(edl: EDL, track: Track) -> None:
    """A short table of the joins on stdout, nothing where there are none."""
    joins = describe(edl, track)
    if not joins:
        return
    table = Table("#", "at", "from", "to", "why", "seam", "worst", box=None, pad_edge=False)
    for number, join in enumerate(joins, start=1):
        score = "-" if join.score is None else f"{join.score:.2f}{' doubtful' if join.score > DOUBTFUL else ''}"
        times = (_exact(join.at_s), _exact(join.from_s), _exact(join.to_s))
        table.add_row(str(number), *times, join.why, score, join.worst or "-")
    Console().print(table)


def as_json(edl: EDL, track: Track, written: dict[str, str], gain_db: float) -> str:
    """One JSON object an edit: lengths in seconds, the joins, where it was written."""
    record = {
        "source": edl.source.file,
        "output": written.get("song"),
        "written": written,
        "source_s": edl.source.duration_s,
        "duration_s": edl.duration_s,
        "n_samples": edl.n_samples,
        "target_s": edl.target_s,
        "gain_db": gain_db,
        "editor": edl.maker.editor,
        "segments": [[segment.start, segment.end] for segment in edl.segments],
        "joins": [asdict(join) for join in describe(edl, track)],
        "missing": list(track.missing),
        "doubts": list(track.doubts),
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def _exact(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"
