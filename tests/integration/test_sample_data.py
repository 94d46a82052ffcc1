import json
from pathlib import Path

import numpy as np
import pytest

from rl_editor.audio.files import read_audio
from rl_editor.cli import sample_data
from rl_editor.edits import edl
from rl_editor.edits.render import render
from rl_editor.errors import DataError, EditorError


def run(*arguments: str) -> int:
    return sample_data.run(sample_data.parser().parse_args(list(arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample") / "data"
    assert run(str(made), "--songs", "2", "--minutes", "1", "--seed", "3", "--quiet") == 0
    return made


def test_songs_stems_jams_and_truth_lie_where_they_are_promised(folder: Path) -> None:
    songs = sorted(path.stem for path in folder.glob("*.wav"))
    assert len(songs) == 2
    assert sorted(path.stem for path in folder.glob("*.json")) == songs
    for name in songs:
        assert len(list((folder / "stems" / name).glob("*.wav"))) == 5
    raws = sorted(path.name for path in (folder / "jams").iterdir())
    assert raws == sorted(f"{name}_raw{suffix}" for name in songs for suffix in (".wav", ".json", ".edl.json"))


def test_the_truth_of_a_song_fits_its_files(folder: Path) -> None:
    for path in folder.glob("*.json"):
        truth = json.loads(path.read_text())
        song = read_audio(folder / truth["file"])
        assert (song.source.sample_rate, song.source.n_samples) == (truth["sample_rate"], truth["n_samples"])
        stems = [read_audio(folder / file).audio for file in truth["stems"].values()]
        assert np.abs(sum(stems) - song.audio).max() < 3 / 32768
        assert len(truth["beats"]) == len(truth["bar_position"])
        assert set(truth["downbeats"]) <= set(truth["beats"])
        assert truth["sections"][-1]["end"] == truth["n_samples"]


def test_the_true_edit_of_a_jam_can_be_rendered_and_holds_the_kept_attempt(folder: Path) -> None:
    for path in (folder / "jams").glob("*.edl.json"):
        true_edit = edl.read(path)
        raw = read_audio(Path(true_edit.source.file))
        assert raw.source == true_edit.source
        assert raw.source.duration_s == pytest.approx(60.0, rel=0.15)
        truth = json.loads(path.with_name(path.name.replace(".edl", "")).read_text())
        kept = [attempt for attempt in truth["attempts"] if attempt["kept"]]
        assert [(kept[0]["start"], kept[0]["end"])] == [(s.start, s.end) for s in true_edit.segments]
        assert edl.from_json(json.dumps(truth["edl"])).segments == true_edit.segments
        assert render(raw.audio, true_edit).shape[1] == kept[0]["end"] - kept[0]["start"]


def test_a_session_is_one_raw_of_all_songs_and_the_summary_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path), "--songs", "2", "--minutes", "1.6", "--session") == 0
    assert [path.name for path in (tmp_path / "jams").glob("*.wav")] == ["session_raw.wav"]
    assert len(edl.read(tmp_path / "jams" / "session_raw.edl.json").segments) == 2
    told = capsys.readouterr()
    assert "session_raw.wav" in told.out
    assert len(told.out.splitlines()) == 3


def test_the_same_seed_makes_the_same_files_and_nothing_is_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    arguments = ("--songs", "1", "--minutes", "1", "--seed", "3", "--quiet")
    run(str(tmp_path), *arguments)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    with pytest.raises(EditorError, match="exists already; --overwrite replaces it"):
        run(str(tmp_path), *arguments)
    run(str(tmp_path), *arguments, "--overwrite")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before
    song = next(tmp_path.glob("*.wav"))
    assert song.read_bytes() == (folder / song.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--songs", "0"), "--songs 0: at least 1"),
        (("--minutes", "0.2"), "--minutes 0.2: must be 0.75 to 600"),
        (("--songs", "4", "--minutes", "2", "--session"), "--minutes 2: must be 3 to 600"),
        (("--seed", "-1"), "--seed -1: must not be negative"),
    ],
)
def test_a_value_out_of_range_is_one_clear_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        run(str(tmp_path), *arguments)
    assert not any(tmp_path.iterdir())
