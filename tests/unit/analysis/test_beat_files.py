from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.analysis.beat_files import parse_beats, read_beats
from rl_editor.errors import TrackError


@pytest.mark.parametrize(
    "text",
    [
        "time_s,position\n0.5,1\n1.0,2\n1.5,3\n",
        "position;time_s\n1;0.5\n2;1.0\n3;1.5\n",
        "# by hand\n0.5 1\n\n1.0  2\n1.5 3",
        "0.5\t1\r\n1.0\t2\r\n1.5\t3\r\n",
        "0.500000\t0.500000\t1\n\\\t100.0\t200.0\n1.000000\t1.000000\t2\n1.500000\t1.500000\t3\n",
    ],
)
def test_times_and_positions_are_read_in_every_form(text: str) -> None:
    beats = parse_beats(text)
    assert beats.times_s.tolist() == [0.5, 1.0, 1.5]
    assert beats.position is not None
    assert beats.position.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "0.5\n1.0\n1.5\n",
        "time_s\n0.5\n1\n1.5\n",
        "0.5\t0.5\tkick\n1.0\t1.0\tsnare\n1.5\t1.5\tB\n",
        "0.5\t0.5\n1.0\t1.0\n1.5\t1.5\n",
        "0.5\t0.9\tbeat 1\n1.0\t1.2\tbeat 2\n1.5\t1.6\tbeat 3\n",
    ],
)
def test_positions_may_be_left_out(text: str) -> None:
    beats = parse_beats(text)
    assert beats.times_s.tolist() == [0.5, 1.0, 1.5]
    assert beats.position is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "song.csv: 0 beats; a grid needs at least 2"),
        ("time_s,position\n0.5,1\n", "song.csv: 1 beats"),
        ("beat,bar\n1,2\n", "song.csv, line 1: 'beat' is neither a time in seconds nor a header with time_s"),
        ("0.5\nloud\n1.5\n", "song.csv, line 2: 'loud' is no time in seconds"),
        ("0.5\n1.0\nnan\n", "song.csv, line 3: 'nan' is no time"),
        ("time_s,position\n-0.5,1\n1,2\n", "song.csv, line 2: '-0.5' is no time in seconds from the start"),
        ("0.5\n1.5\n1.0\n", "song.csv, line 3: 1.0 s after 1.5 s; beats ascend"),
        ("0.5\n1.0\n1.0\n", "song.csv, line 3: 1.0 s after 1.0 s; beats ascend"),
        ("500\n1000\n1500\n", "song.csv: beats 500 s apart; times must be in seconds"),
        ("0.5,1\n1.0,0\n", "song.csv, line 2: position '0'; it counts from 1"),
        ("0.5,1\n1.0,one\n", "song.csv, line 2: position 'one'"),
        ("0.5,1\n1.0,1.5\n", "song.csv, line 2: position '1.5'"),
        ("0.5,1\n1.0\n", "song.csv, line 2: position ''"),
        ("position,time_s\n1,0.5\n2\n", "song.csv, line 3: '' is no time"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(TrackError, match="^" + message.replace("(", "\\(")):
        parse_beats(text, file="song.csv")


@given(st.lists(st.integers(1, 12), min_size=2, max_size=50), st.integers(0, 10**6))
def test_what_is_written_is_read_back(positions: list[int], start_ms: int) -> None:
    times_s = (start_ms + 350 * np.arange(len(positions))) / 1000
    lines = [f"{time:.6f},{position}" for time, position in zip(times_s, positions, strict=True)]
    beats = parse_beats("\n".join(["time_s,position", *lines]))
    assert beats.times_s.tolist() == times_s.tolist()
    assert beats.position is not None
    assert (beats.position + 1).tolist() == positions


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        beats = parse_beats(text)
    except TrackError:
        return
    assert (np.diff(beats.times_s) > 0).all()


def test_the_truth_of_the_test_songs_is_read(data: Path) -> None:
    files = sorted((data / "stems" / "beats").glob("*.csv"))
    assert files
    for file in files:
        beats = read_beats(file)
        assert beats.position is not None
        assert beats.position.min() == 0


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackError, match="no such file"):
        read_beats(tmp_path / "none.csv")
    (tmp_path / "song.wav").write_bytes(b"RIFF\xff\xfe\x00\x80")
    with pytest.raises(TrackError, match="can't be read as text"):
        read_beats(tmp_path / "song.wav")
