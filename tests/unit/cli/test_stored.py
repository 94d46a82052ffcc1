from pathlib import Path

import numpy as np
import pytest
from jsonargparse import Namespace

from rl_editor.analysis.store import Store
from rl_editor.audio.files import Recording, read_audio, write_audio
from rl_editor.cli.arguments import command_parser
from rl_editor.cli.stored import (
    Listening,
    add_listening_options,
    chosen_listening,
    chosen_store,
    listening_slip,
    stored_track,
    takes_beats_of_one_song,
)
from rl_editor.errors import CheckpointError, EditorError, TrackError
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


def listening(*arguments: object) -> Listening:
    return chosen_listening(parsed(*arguments), ignore)


def parsed(*arguments: object) -> Namespace:
    parser = command_parser("listen", "")
    add_listening_options(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def test_each_way_of_listening_is_kept_apart_by_what_is_in_its_files(tmp_path: Path) -> None:
    texts = {
        "beats.csv": "0.5\n1.0\n",
        "same.csv": "0.5\n1.0\n",
        "others.csv": "0.6\n1.0\n",
        "a.ckpt": "a",
        "b.ckpt": "b",
    }
    file = {name: tmp_path / name for name in texts}
    for name, text in texts.items():
        file[name].write_text(text)
    assert listening().settings == listening("--stems", "dsp").settings == ""
    same = [listening("--beats", file[name]).settings for name in ("beats.csv", "same.csv")]
    assert same[0] == same[1]
    others = [
        listening(),
        listening("--beats", file["others.csv"]),
        *(listening("--beats", "beat-this", "--beats-weights", file[name]) for name in ("a.ckpt", "b.ckpt")),
        *(listening("--stems", "demucs", "--stems-weights", file[name]) for name in ("a.ckpt", "b.ckpt")),
        listening("--stems", "demucs", "--stems-weights", file["a.ckpt"], "--beats", file["beats.csv"]),
    ]
    assert len({same[0], *(other.settings for other in others)}) == 1 + len(others)
    assert others[-1].demucs == file["a.ckpt"]
    assert others[-1].beats is not None
    assert others[2].beat_this == file["a.ckpt"]


def test_files_that_were_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(TrackError, match="no such file"):
        listening("--beats", missing)
    for options in (("--stems", "demucs", "--stems-weights"), ("--beats", "beat-this", "--beats-weights")):
        with pytest.raises(CheckpointError, match=r"missing: weights can't be read"):
            listening(*options, missing)


def test_weights_go_with_who_needs_them() -> None:
    assert "--stems demucs" in str(listening_slip(parsed("--stems-weights", "x")))
    assert "--beats beat-this" in str(listening_slip(parsed("--beats", "x.csv", "--beats-weights", "x")))
    assert listening_slip(parsed("--stems", "demucs", "--stems-weights", "x", "--beats", "beat-this")) is None


def test_only_a_file_of_beats_is_of_one_song() -> None:
    told = [
        takes_beats_of_one_song(parsed(*options)) for options in ((), ("--beats", "beat-this"), ("--beats", "x.csv"))
    ]
    assert told == [False, False, True]
