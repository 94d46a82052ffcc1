import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.audio.source import Source
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.errors import EditorError, EDLError

SOURCE = Source("ab" * 32, 44100, 2, 1_000_000, "jam.wav")


@st.composite
def edits(draw: st.DrawFn) -> EDL:
    segments = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, SOURCE.n_samples - 1))
        end = draw(st.integers(start + 1, SOURCE.n_samples))
        gain_db = draw(st.floats(-60, 24))
        segments.append(Segment(start, end, draw(st.integers(0, 10_000)), gain_db, draw(st.text(max_size=8))))
    target_s = draw(st.none() | st.floats(0.1, 1e4))
    maker = Maker("planner", draw(st.none() | st.just("cd" * 32)), draw(st.none() | st.integers(0, 99)))
    return EDL(SOURCE, tuple(segments), maker, target_s, draw(st.integers(0, 10_000)))


@given(edits())
def test_json_keeps_everything(edl: EDL) -> None:
    assert edls.from_json(edls.to_json(edl)) == edl


def test_what_a_recovered_edit_measures_is_read_over() -> None:
    edl = EDL(SOURCE, (Segment(0, 10), Segment(40, 50)), Maker("recovered"))
    record = json.loads(edls.to_json(edl)) | {"unmatched": [[1.0, 2.0]], "coverage": 0.9}
    for segment in record["segments"]:
        segment |= {"at_s": 0.0, "confidence": 1.0, "alternatives": [5]}
    assert edls.from_json(json.dumps(record)) == edl


def test_a_file_names_its_source_relative_to_itself(tmp_path: Path) -> None:
    source = replace(SOURCE, file=str(tmp_path / "raw" / "jam.wav"))
    edl = EDL(source, (Segment(0, 10),), Maker("planner"))
    path = tmp_path / "out" / "jam.json"
    edls.write(edl, path, overwrite=False)
    assert json.loads(path.read_text())["source"]["file"] == "../raw/jam.wav"
    assert Path(edls.read(path).source.file).resolve() == tmp_path / "raw" / "jam.wav"
    with pytest.raises(EditorError, match="exists already"):
        edls.write(edl, path, overwrite=False)


def test_joins_are_where_the_source_does_not_go_on() -> None:
    segments = (Segment(0, 10), Segment(10, 20), Segment(40, 50), Segment(0, 10))
    assert EDL(SOURCE, segments, Maker("planner")).joins == [2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"segments": []}, "at least one segment"),
        ({"segments": [{"start": 5, "end": 5}]}, r"segment \[5, 5\): needs 0 <= start < end"),
        ({"segments": [{"start": 5, "end": 2_000_000}]}, "only 1000000 samples"),
        ({"segments": [{"start": 0, "end": 5, "fade": -1}]}, "fade -1"),
        ({"segments": [{"start": 0.5, "end": 5}]}, "start 0.5: must be a whole number"),
        ({"segments": [{"start": 0, "end": 5, "gain_db": float("nan")}]}, "gain_db nan: must be from -60.* to 60.* dB"),
        ({"segments": [{"start": 0, "end": 5, "gain_db": 400}]}, "gain_db 400"),
        ({"segments": [{"start": 0, "end": 5, "gain_db": "loud"}]}, "gain_db 'loud'"),
        ({"segments": [{"start": 0, "end": 5, "why": 5}]}, "why 5"),
        ({"end_fade": 3.5}, r"end_fade 3\.5"),
        ({"target_s": "long"}, "target_s 'long'"),
        ({"maker": {"editor": 5}}, "editor 5"),
        ({"source": {"content_hash": "", "sample_rate": 44100.0, "channels": 2, "n_samples": 9}}, "sample_rate 44100"),
        ({"source": {"content_hash": "", "sample_rate": 8000, "channels": 2, "n_samples": 9, "file": 5}}, "file"),
        ({"segments": [{"start": 0, "end": 5, "speed": 2}]}, "unknown"),
        ({"segments": [{"start": 0}]}, "missing"),
        ({"segments": 5}, "wrong type"),
        ({"surprise": 1}, "unknown"),
        ({"source": None}, "wrong type"),
    ],
)
def test_a_malformed_edl_is_refused_with_its_reason(change: dict[str, object], message: str) -> None:
    record = json.loads(edls.to_json(EDL(SOURCE, (Segment(0, 10),), Maker("planner"))))
    with pytest.raises(EDLError, match=message):
        edls.from_json(json.dumps(record | change))


@pytest.mark.parametrize("text", ["", "no json", "[1, 2]", '{"version": 1}'])
def test_what_is_no_edl_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(EDLError, match=r"x\.json: "):
        edls.read(path)
