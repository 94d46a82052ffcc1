"""Candidates on the command line: different edits of one length, each of which can be made again."""

import json
from pathlib import Path

import pytest

from rl_editor.audio.files import read_audio
from rl_editor.cli.main import main
from rl_editor.cli.stored import chosen_store, stored_track
from rl_editor.data.comparisons import edl_hash
from rl_editor.edits import edl as edls
from rl_editor.edits.length import difference
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.progress import ignore


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def test_candidates_differ_are_of_one_length_and_can_be_made_again(
    jam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ("candidates", jam, "-o", out, "--keep", 0.4, "--editors", "planner,window,random", "--n", 3, "--quiet")
    assert rl_editor(*asked) == 0
    assert capsys.readouterr().out == f"{out / 'jam'}: 3 of 3 candidates\n"
    index = json.loads((out / "jam/candidates.json").read_text())
    made = [edls.read(out / "jam" / each["edl"]) for each in index["candidates"]]
    track = stored_track(read_audio(jam), chosen_store(None), ignore)
    for edl, each in zip(made, index["candidates"], strict=True):
        assert edl_hash(edl) == each["edl_hash"]
        assert abs(edl.duration_s - 0.4 * edl.source.duration_s) <= each["request"]["slack_s"]
        assert read_audio(out / "jam" / each["sound"]).source.n_samples == edl.n_samples
        request = EditRequest(**{**each["request"], "locks": (), "bans": ()})
        again = load_editor(each["maker"]["editor"]).edit(track, request)[each["rank"]]
        assert edl_hash(again) == each["edl_hash"]
    assert all(difference(one, other) >= 0.2 for k, one in enumerate(made) for other in made[:k])
    assert rl_editor(*asked) == 1
    assert capsys.readouterr().err == f"rl-editor: {out / 'jam/1.wav'}: exists already; --overwrite replaces it\n"


def test_a_policy_edits_at_each_temperature_and_can_do_so_again(jam: Path, tmp_path: Path) -> None:
    asked = ("--editors", "", "--checkpoint", "policy", "--temperature", 0.2, "--temperature", 8, "--keep", 0.3)
    assert rl_editor("candidates", jam, "-o", tmp_path, *asked, "--n", 4, "--quiet") == 0
    listed = json.loads((tmp_path / "jam/candidates.json").read_text())["candidates"]
    assert {each["made_by"] for each in listed} == {"policy policy at 0.2", "policy policy at 8"}
    track = stored_track(read_audio(jam), chosen_store(None), ignore)
    for each in listed:
        request = EditRequest(**{**each["request"], "locks": (), "bans": ()})
        editor = load_editor("policy", temperature=float(each["made_by"].rpartition(" ")[2]))
        assert edl_hash(editor.edit(track, request)[each["rank"]]) == each["edl_hash"]


def test_without_a_length_all_take_the_first_editors(jam: Path, tmp_path: Path) -> None:
    asked = ("--editors", "sections,random", "--n", 2, "--slack", "3", "--quiet")
    assert rl_editor("candidates", jam, "-o", tmp_path, *asked) in (0, 1)  # a jam that is all music leaves one edit
    for index in tmp_path.glob("*/candidates.json"):
        lengths = {each["request"]["target_s"] for each in json.loads(index.read_text())["candidates"]}
        assert len(lengths) == 1


def test_wrong_inputs_are_one_line(jam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = ("-o", tmp_path / "out")
    wrong = {
        (jam, *to, "--n", 1): (2, "--n 1: to compare takes at least 2"),
        (jam, *to, "--editors", "nobody"): (1, "editor 'nobody': not known"),
        (jam, *to, "--editors", ""): (1, "nobody edits"),
        (jam, *to, "--temperature", 0.5): (2, "--temperature is a policy's"),
        (jam, *to, "--checkpoint", "gone"): (1, "gone: no checkpoint file"),
        (jam, jam, *to): (1, f"{tmp_path / 'out/jam'}: two recordings would have this folder"),
        (tmp_path / "none.wav", *to): (1, "none.wav"),
        (jam, *to, "--keep", "0.4", "--editors", "head"): (1, "1 different edit, nothing to compare"),
    }
    for arguments, (status, said) in wrong.items():
        assert rl_editor("candidates", *arguments, "--quiet") == status
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert not list((tmp_path / "out").rglob("*.json")) if (tmp_path / "out").exists() else True
