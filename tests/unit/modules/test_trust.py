from pathlib import Path

import pytest

from rl_editor.modules.trust import foreign_paths, is_installed


@pytest.mark.parametrize("name", ["torch", "lightning.pytorch.loggers.WandbLogger", "rl_editor.modules.tasks:TASK"])
def test_installed_packages_and_this_one_are_trusted(name: str) -> None:
    assert is_installed(name)


@pytest.mark.parametrize("name", ["os.path", "no_such_package_at_all.mod", "somewhere:TASK", "__main__", ""])
def test_everything_else_is_not(name: str) -> None:
    assert not is_installed(name)


def test_a_folder_on_the_path_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain_folder_package").mkdir()
    (tmp_path / "own_package_of_mine").mkdir()
    (tmp_path / "own_package_of_mine" / "__init__.py").write_text("raise RuntimeError('was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed("own_package_of_mine.mod:TASK")
    assert not is_installed("plain_folder_package.mod:TASK")


def test_classes_are_found_wherever_a_recipe_may_name_them() -> None:
    recipe = {
        "task": "elsewhere.mod:TASK",
        "trainer": {
            "callbacks": [{"class_path": "elsewhere.A"}, {"class_path": "torch.nn.Linear"}, "elsewhere.B"],
            "logger": "elsewhere.C",
            "max_time": "00:00:10:00",
            "accelerator": "auto",
        },
        "model": {"net": {"class_path": "elsewhere.D", "init_args": {"inner": {"class_path": "elsewhere.E"}}}},
        "data": {"folder": "training.data", "lr": 0.5, "none": None},
    }
    assert list(foreign_paths(recipe)) == [
        "task: elsewhere.mod:TASK",
        "trainer.callbacks.class_path: elsewhere.A",
        "trainer.callbacks: elsewhere.B",
        "trainer.logger: elsewhere.C",
        "model.net.class_path: elsewhere.D",
        "model.net.init_args.inner.class_path: elsewhere.E",
    ]
