from pathlib import Path

import numpy as np
import pytest

from rl_editor.analysis.store import Store
from rl_editor.audio.files import Recording, read_audio, write_audio
from rl_editor.cli.stored import chosen_store, stored_track
from rl_editor.errors import EditorError
from rl_editor.progress import ignore


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    sound = np.random.default_rng(0).standard_normal((1, 5 * 8000)).astype(np.float32) * 0.1
    write_audio(tmp_path / "noise.wav", sound, 8000)
    return read_audio(tmp_path / "noise.wav")


def test_the_option_goes_before_the_environment_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RL_EDITOR_STORE", str(tmp_path / "variable"))
    assert chosen_store(str(tmp_path / "option")).folder == tmp_path / "option"
    assert chosen_store(None).folder == tmp_path / "variable"
    monkeypatch.setenv("RL_EDITOR_STORE", "")
    assert chosen_store(None).folder == tmp_path / "cache" / "rl-editor" / "analysis"


def test_a_store_that_was_named_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EditorError, match="is not a folder you can write to"):
        chosen_store(str(tmp_path / "file"))


def test_a_recording_is_analysed_once(recording: Recording, tmp_path: Path) -> None:
    stages: list[str] = []
    tracks = [
        stored_track(recording, Store(tmp_path / "store"), lambda stage, share: stages.append(stage)) for _ in range(2)
    ]
    assert stages.count("landings") == 2  # begun and done, once
    assert np.array_equal(tracks[0].bounds, tracks[1].bounds)
    assert tracks[1].source.file == str(tmp_path / "noise.wav")


def test_a_store_that_takes_nothing_stops_nothing(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    track = stored_track(recording, Store(tmp_path / "file"), ignore)
    assert track.n_beats > 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rl-editor: ")
    assert line.endswith("this analysis is not kept")
