"""Files of comparisons on the command line: checked, merged, refused with one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from rl_editor.cli.main import main
from rl_editor.data.comparisons import Comparison, read_comparisons, write_comparisons

ONE = Comparison("1", "a" * 64, "b" * 64, "AB", "A", "anna", "2026-03-01T18:05:00Z", "random", 1.0, strength=3)
TWO = replace(ONE, id="2", answer="tie", strength=None, listener="ben")


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_comparisons(Path("anna.jsonl"), [ONE], overwrite=False)
    write_comparisons(Path("both.jsonl"), [TWO, ONE], overwrite=False)


def test_files_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("comparisons", "check", "anna.jsonl", "both.jsonl") == 0
    assert capsys.readouterr().out.splitlines() == [
        "anna.jsonl: 1 comparison (1 A) by 1 listener",
        "both.jsonl: 2 comparisons (1 A, 1 tie) by 2 listeners",
    ]


def test_files_are_merged_in_any_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("comparisons", "merge", "anna.jsonl", "both.jsonl", "-o", "all.jsonl") == 0
    assert rl_editor("comparisons", "merge", "both.jsonl", "all.jsonl", "-o", "again.jsonl") == 0
    assert Path("all.jsonl").read_bytes() == Path("again.jsonl").read_bytes()
    assert read_comparisons(Path("all.jsonl")) == [ONE, TWO]
    assert capsys.readouterr().out.splitlines()[0] == "all.jsonl: 2 comparisons (1 A, 1 tie) by 2 listeners"


def test_contradictions_are_one_line_and_leave_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    write_comparisons(Path("other.jsonl"), [replace(ONE, strength=1)], overwrite=False)
    assert rl_editor("comparisons", "merge", "anna.jsonl", "other.jsonl", "-o", "all.jsonl") == 1
    assert capsys.readouterr().err == "rl-editor: comparison '1' is told twice, and differs in strength\n"
    assert not Path("all.jsonl").exists()


def test_wrong_inputs_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.jsonl").write_text("{}\n")
    wrong = {
        ("check", "bad.jsonl"): (1, "rl-editor: bad.jsonl, line 1: version None: this program reads version 1\n"),
        ("check", "none.jsonl"): (1, "rl-editor: none.jsonl: can't be read (No such file or directory)\n"),
        ("check", "anna.jsonl", "-o", "x"): (2, "rl-editor: check writes nothing; -o goes with merge\n"),
        ("merge", "anna.jsonl"): (2, "rl-editor: merge needs -o OUT\n"),
        ("merge", "anna.jsonl", "-o", "both.jsonl"): (
            1,
            "rl-editor: both.jsonl: exists already; --overwrite replaces it\n",
        ),
    }
    for arguments, (status, said) in wrong.items():
        assert rl_editor("comparisons", *arguments) == status
        assert capsys.readouterr().err == said
