import subprocess
from pathlib import Path

from rl_editor.modules.provenance import git_revision, versions


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_revision_is_that_of_the_file_and_tells_of_changes(tmp_path: Path) -> None:
    file, stranger = tmp_path / "task.py", tmp_path / "stranger.py"
    file.touch()
    assert git_revision(file) is None
    git(tmp_path, "init")
    assert git_revision(file) is None
    git(tmp_path, "add", "task.py")
    git(tmp_path, "commit", "-m", "x")
    found = git_revision(file)
    assert found is not None
    assert (len(str(found["revision"])), found["dirty"]) == (40, False)
    stranger.touch()
    assert git_revision(file) == found
    assert git_revision(stranger) is None
    file.write_text("changed")
    assert git_revision(file) == {**found, "dirty": True}


def test_versions_name_what_results_depend_on() -> None:
    assert {"python", "rl-editor", "torch", "lightning"} <= set(versions())
