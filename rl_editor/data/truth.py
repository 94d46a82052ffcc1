"""The truth about sample songs and takes as JSON files: one key a line, times in samples of the file it lies beside.

Of a song (`NAME.json`):

    version, kind ("song"), file, sample_rate, n_samples, name, tempo_bpm, key, beats_per_bar,
    stems         {stem: file}
    beats         [sample, ...], the first attack of a beat starts exactly there
    bar_position  [0 on the downbeat, ...], one a beat
    downbeats     the beats with position 0
    sections      [{label, start, end, first_beat, n_beats}, ...]

Of a take (`NAME_raw.json`):

    version, kind ("take"), file, sample_rate, n_samples, songs ([name, ...])
    beats, bar_position, downbeats   of all attempts
    parts         [{start, end, kind}, ...]; they tile the recording
    attempts      [{song, number, start, end, first_beat, n_beats, complete, spoiled: [{start, end, family}, ...],
                   passages: [{start, end, label}, ...], kept, superseded}, ...]
    edl           the true edit, as in an EDL file

File names are relative to the JSON file's folder.
"""

import json
from dataclasses import asdict
from typing import Any

from rl_editor.audio.sample_songs import Song
from rl_editor.data.takes import Take
from rl_editor.edits.edl import EDL, to_json

VERSION = 1


def song_truth(song: Song, *, file: str, stem_files: dict[str, str]) -> str:
    """The truth of a song as JSON text.

    Args:
        song: whose truth it is.
        file: name of the song's file.
        stem_files: name of each stem's file.
    """
    n_samples = next(iter(song.stems.values())).shape[1]
    ends = [*song.beats.tolist(), n_samples]
    sections = [
        {
            "label": section.label,
            "start": ends[section.start_beat],
            "end": ends[section.start_beat + section.n_beats],
            "first_beat": section.start_beat,
            "n_beats": section.n_beats,
        }
        for section in song.sections
    ]
    return _text(
        {
            "version": VERSION,
            "kind": "song",
            "file": file,
            "sample_rate": song.sample_rate,
            "n_samples": n_samples,
            "name": song.name,
            "tempo_bpm": round(song.tempo_bpm, 3),
            "key": song.key,
            "beats_per_bar": song.piece.composition.beats_per_bar,
            "stems": stem_files,
            "beats": song.beats.tolist(),
            "bar_position": song.bar_position.tolist(),
            "downbeats": song.beats[song.bar_position == 0].tolist(),
            "sections": sections,
        }
    )


def take_truth(take: Take, edl: EDL, *, file: str) -> str:
    """The truth of a take as JSON text.

    Args:
        take: whose truth it is.
        edl: its true edit, with the file as its source.
        file: name of the raw's file.
    """
    return _text(
        {
            "version": VERSION,
            "kind": "take",
            "file": file,
            "sample_rate": take.sample_rate,
            "n_samples": take.audio.shape[1],
            "songs": list(dict.fromkeys(attempt.song for attempt in take.attempts)),
            "beats": take.beats.tolist(),
            "bar_position": take.bar_position.tolist(),
            "downbeats": take.beats[take.bar_position == 0].tolist(),
            "parts": [asdict(part) for part in take.parts],
            "attempts": [asdict(attempt) for attempt in take.attempts],
            "edl": json.loads(to_json(edl)),
        }
    )


def _text(record: dict[str, Any]) -> str:
    lines = (f' "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in record.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
