import json
from dataclasses import replace
from pathlib import Path

import pytest

from rl_editor.audio.source import Source
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.recovery.recovered import RecoveredSegment, Recovery, to_json, write
from rl_editor.errors import EditorError, EDLError

SOURCE = Source("ab" * 32, 1000, 2, 90000, "jam.wav")
FOUND = Recovery(
    SOURCE,
    (
        RecoveredSegment(1000, 5000, 0, 0.0, 0.99, (20000,)),
        RecoveredSegment(40000, 43000, 30, 4.0, 0.9),
        RecoveredSegment(43000, 44000, 0, 8.5, 0.8),
    ),
    ((7.0, 8.5),),
    8 / 9.5,
)


def test_its_edl_plays_the_matched_stretches() -> None:
    segments = (Segment(1000, 5000), Segment(40000, 43000, 30), Segment(43000, 44000))
    assert FOUND.to_edl() == EDL(SOURCE, segments, Maker("recovered"))


def test_its_json_is_read_as_an_edl() -> None:
    assert edls.from_json(to_json(FOUND)) == FOUND.to_edl()


def test_its_json_says_what_was_measured() -> None:
    record = json.loads(to_json(FOUND))
    assert record["unmatched"] == [[7.0, 8.5]]
    assert record["coverage"] == 0.8421
    assert [each["at_s"] for each in record["segments"]] == [0.0, 4.0, 8.5]
    assert record["segments"][0]["confidence"] == 0.99
    assert record["segments"][0]["alternatives"] == [20000]


def test_its_json_names_a_file_as_an_edl_does() -> None:
    for name in ("jäm.wav", "j\udce4m.wav"):
        named = Recovery(replace(SOURCE, file=name), FOUND.segments, (), 1.0)
        source = edls.to_json(named.to_edl()).splitlines()[2]
        assert to_json(named).splitlines()[2] == source
        assert edls.from_json(to_json(named).encode().decode()).source.file == name


def test_joins_are_where_stretches_meet() -> None:
    assert FOUND.joins_s == [4.0]


def test_nothing_found_is_no_edl() -> None:
    nothing = Recovery(SOURCE, (), ((0.0, 9.5),), 0.0)
    with pytest.raises(EDLError, match="nothing of the edit"):
        nothing.to_edl()
    assert json.loads(to_json(nothing))["segments"] == []


def test_a_written_recovery_names_its_source_from_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "edl").mkdir()
    found = Recovery(Source("ab" * 32, 1000, 2, 90000, str(tmp_path / "jam.wav")), FOUND.segments, (), 1.0)
    path = tmp_path / "edl" / "song.json"
    write(found, path, overwrite=False)
    assert json.loads(path.read_text())["source"]["file"] == "../jam.wav"
    assert Path(edls.read(path).source.file) == tmp_path / "jam.wav"
    with pytest.raises(EditorError, match="exists already"):
        write(found, path, overwrite=False)
