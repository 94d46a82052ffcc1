from pathlib import Path

import pytest

from rl_editor.errors import RecipeError
from rl_editor.modules import recipes
from rl_editor.modules.recipes import check_trusted, find_recipe, first_line, read_recipe, shipped_recipes, task_of


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped recipes beside an empty working directory."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(recipes, "shipped_folder", lambda kind: folder)
    (folder / "bc.yaml").write_text("# Imitation\ntask: bc\n")
    return folder


def test_a_recipe_here_stands_before_a_shipped_one(shipped: Path) -> None:
    assert find_recipe("bc") == find_recipe("bc.yaml") == shipped / "bc.yaml"
    Path("bc.yaml").write_text("task: mine")
    assert find_recipe("bc") == find_recipe("bc.yaml") == Path("bc.yaml")
    with pytest.raises(RecipeError, match=r"^ppo: no such recipe here or among the shipped ones \(bc.yaml\)$"):
        find_recipe("ppo")
    with pytest.raises(RecipeError, match="no such recipe"):
        find_recipe("sub/bc")


@pytest.mark.usefixtures("shipped")
def test_recipes_are_offered_with_their_first_line() -> None:
    assert [(file.name, first_line(file)) for file in shipped_recipes()] == [("bc.yaml", "Imitation")]
    Path("plain.yaml").write_text("task: bc\n")
    Path("empty.yaml").touch()
    assert first_line(Path("plain.yaml")) == first_line(Path("empty.yaml")) == ""
    assert read_recipe(Path("empty.yaml")) == {}


@pytest.mark.parametrize(
    ("content", "message"), [(b"a: [", "is no YAML"), (b"- a", "holds no keys"), (b"a: \xff", "is no YAML")]
)
def test_what_is_no_recipe_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        read_recipe(file)
    assert len(str(caught.value).splitlines()) == 1


def test_one_task_is_named(tmp_path: Path) -> None:
    with_task, other, without = (tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml"))
    with_task.write_text("task: bc")
    other.write_text("task: ppo")
    without.write_text("seed_everything: 3")
    assert task_of({"--task": None}, [with_task, without, with_task]) == "bc"
    assert task_of({"--task": "bc"}, [without]) == "bc"
    with pytest.raises(RecipeError, match=r"more than one is named: bc \(.*a.yaml\), ppo \(.*b.yaml\)"):
        task_of({}, [with_task, other])
    with pytest.raises(RecipeError, match=r"which task\?"):
        task_of({"--task": None}, [without])
    without.write_text("task: 3")
    with pytest.raises(RecipeError, match="task: 3 is no name"):
        task_of({}, [without])


@pytest.mark.usefixtures("shipped")
def test_shipped_recipes_are_trusted(shipped: Path) -> None:
    for file in (shipped / "bc.yaml", Path("bc.yaml")):
        file.write_text("task: elsewhere:TASK")
    check_trusted([shipped / "bc.yaml"])
    with pytest.raises(RecipeError, match="task: elsewhere:TASK is in no installed package"):
        check_trusted([Path("bc.yaml")])


def test_parts_in_other_files_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text("task: bc\nmodel:\n  net: part.yaml\n")
    (tmp_path / "part.yaml").write_text("class_path: torch.nn.Linear\n")
    check_trusted([tmp_path / "whole.yaml"])
    (tmp_path / "part.yaml").write_text("class_path: elsewhere.Net\n")
    with pytest.raises(RecipeError, match=r"part.yaml: class_path: elsewhere.Net is in no installed package"):
        check_trusted([tmp_path / "whole.yaml"])
