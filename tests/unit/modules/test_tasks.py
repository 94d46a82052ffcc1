import sys
from pathlib import Path

import pytest

from rl_editor.errors import RecipeError
from rl_editor.modules.tasks import Task, load_task, short_name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_a_task_of_the_working_directory_is_loaded_only_where_it_is_trusted(here: Path) -> None:
    (here / "my_own_task.py").write_text(
        "from rl_editor.modules.tasks import Task\nOURS = Task(int, str, 'recipe')\nOTHER = 3\n"
    )
    with pytest.raises(RecipeError, match="my_own_task:OURS is in no installed package; --trust-recipe"):
        load_task("my_own_task:OURS", trusted=False)
    assert "my_own_task" not in sys.modules
    assert load_task("my_own_task:OURS", trusted=True) == Task(int, str, "recipe")  # type: ignore[arg-type]
    assert load_task("my_own_task.OURS", trusted=True).recipe == "recipe"
    with pytest.raises(RecipeError, match="my_own_task:OTHER is a int, not a rl_editor"):
        load_task("my_own_task:OTHER", trusted=True)
    with pytest.raises(RecipeError, match="my_own_task:MISSING can't be imported"):
        load_task("my_own_task:MISSING", trusted=True)
    del sys.modules["my_own_task"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["no_such_package_at_all:TASK", "no_such_package_at_all.mod.TASK", ":TASK", "."])
def test_a_task_that_is_nowhere_is_one_line(name: str) -> None:
    with pytest.raises(RecipeError, match="can't be imported"):
        load_task(name, trusted=True)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="task: 'unheard' is not known; there are"):
        load_task("unheard", trusted=True)


@pytest.mark.parametrize(
    ("name", "short"), [("bc", "bc"), ("pkg.mod:TASK", "mod"), ("pkg.mod.TASK", "mod"), ("mod:TASK", "mod")]
)
def test_runs_are_called_after_the_task(name: str, short: str) -> None:
    assert short_name(name) == short
