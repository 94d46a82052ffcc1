import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rl_editor.errors import RecipeError
from rl_editor.modules.run_folder import RunFolder, create_run, find_run, newest_run, runs_in

FILES = {"config.yaml": "task: bc\n", "run.json": '{"task": "bc"}'}


def with_checkpoint(run: RunFolder, age_s: float = 0.0) -> RunFolder:
    run.checkpoints.mkdir()
    run.last.touch()
    os.utime(run.last, (1e9 - age_s, 1e9 - age_s))
    return run


def test_runs_take_the_first_free_number(tmp_path: Path) -> None:
    runs = tmp_path / "deep" / "runs"
    assert [create_run(runs, None, "bc", FILES).path.name for _ in range(3)] == ["bc-1", "bc-2", "bc-3"]
    assert (runs / "bc-2" / "config.yaml").read_text() == FILES["config.yaml"]
    assert (runs / "bc-1").stat().st_mode & 0o777 == 0o755
    assert [run.path.name for run in runs_in(runs)] == ["bc-1", "bc-2", "bc-3"]


def test_runs_that_begin_at_once_are_different(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run(tmp_path, None, "bc", FILES), range(24)))
    assert len({run.path for run in runs}) == 24
    assert len(list(tmp_path.iterdir())) == 24


@pytest.mark.parametrize("name", ["taken", "a/b", "..", ".hidden", ""])
def test_a_name_must_be_a_free_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(RecipeError, match=r"exists already; --resume|is no name of a folder"):
        create_run(tmp_path, name, "bc", FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(RecipeError, match="can't be written"):
        create_run(tmp_path / "runs", None, "bc", FILES)


def test_a_run_is_found_by_name_or_path(tmp_path: Path) -> None:
    run = create_run(tmp_path, "mine", "bc", FILES)
    assert find_run(tmp_path, "mine") == run
    assert find_run(tmp_path / "elsewhere", str(run.path)) == run
    with pytest.raises(RecipeError, match=r"yours: no such run; in .* there are: mine"):
        find_run(tmp_path, "yours")


def test_the_newest_run_of_a_task_has_the_newest_checkpoint(tmp_path: Path) -> None:
    old = with_checkpoint(create_run(tmp_path, "old", "bc", FILES), age_s=20.0)
    other = with_checkpoint(create_run(tmp_path, "other", "ppo", {**FILES, "run.json": '{"task": "ppo"}'}), age_s=10.0)
    create_run(tmp_path, "without", "bc", FILES)
    assert newest_run(tmp_path, "bc") == old
    assert newest_run(tmp_path, None) == other
    with pytest.raises(RecipeError, match="no run of task dqn with a checkpoint"):
        newest_run(tmp_path, "dqn")


def test_the_best_weights_are_used_where_there_are_any(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a", "bc", FILES)
    with pytest.raises(RecipeError, match="no checkpoint yet"):
        run.weights()
    assert with_checkpoint(run).weights() == run.last
    run.best.touch()
    assert run.weights() == run.best


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_record_is_one_line(tmp_path: Path, text: str) -> None:
    run = create_run(tmp_path, "a", "bc", {"run.json": text})
    with pytest.raises(RecipeError, match="is damaged"):
        run.read_record()
    run.record.unlink()
    with pytest.raises(RecipeError, match="can't be read"):
        run.read_record()
