from pathlib import Path

import pytest
import yaml

from rl_editor.errors import RecipeError
from rl_editor.modules.pipeline_recipe import PipelineConfig, flag_settings, pipeline_config, with_settings
from rl_editor.modules.pipeline_stages import TRAINING

BC, REWARD, PPO = TRAINING


def test_an_empty_recipe_is_the_usual_pipeline() -> None:
    config = pipeline_config({})
    assert config == PipelineConfig()
    assert [config.stages[stage.name].config for stage in TRAINING] == ["bc", "reward", "ppo"]


def test_the_shipped_recipe_is_one() -> None:
    shipped = Path(__file__).parents[3] / "configs" / "pipeline.yaml"
    assert pipeline_config(yaml.safe_load(shipped.read_text())).edit.recording is None


def test_what_comes_out_is_a_recipe_again() -> None:
    config = pipeline_config({"comparisons": ["a"], "bc": {"trainer": {"max_epochs": 2}}, "edit": {"duration": "4:00"}})
    assert pipeline_config(yaml.safe_load(config.as_recipe())) == config


def test_each_stage_is_told_of_the_prepared_set() -> None:
    config = pipeline_config({"prepared": "there"})
    assert config.settings(BC) == {"data": {"takes": {"folder": "there"}}}
    assert config.settings(REWARD) == {"data": {"pairs": {"folder": "there"}}}
    assert config.settings(PPO) == {"data": {"takes": {"folder": "there"}}}


def test_only_the_reward_model_is_told_what_people_said() -> None:
    config = pipeline_config({"comparisons": ["a.jsonl"]})
    assert config.settings(REWARD)["data"]["pairs"]["comparisons"] == ["a.jsonl"]  # type: ignore[index]
    assert config.settings(PPO)["model"]["edit"]["comparisons"] == ["a.jsonl"]  # type: ignore[index]
    assert "comparisons" not in str(config.settings(BC))


def test_what_a_stage_says_itself_stands_first() -> None:
    config = pipeline_config({"prepared": "there", "bc": {"data": {"takes": {"folder": "here", "batch": 2}}}})
    assert config.settings(BC) == {"data": {"takes": {"folder": "here", "batch": 2}}}


def test_flags_are_values_where_they_are_such_and_else_text() -> None:
    words = [
        "--bc.trainer.max_epochs",
        "6",
        "--edit.recording=a b.wav",
        "--bc.x",
        "-1",
        "--edit.keep=.4",
        "--y=[1, 2]",
        "--t",
        "10:00:00",
    ]
    assert flag_settings(words) == [
        ("bc.trainer.max_epochs", 6),
        ("edit.recording", "a b.wav"),
        ("bc.x", -1),
        ("edit.keep", 0.4),
        ("y", [1, 2]),
        ("t", "10:00:00"),
    ]


def test_a_flag_goes_below_what_is_there_and_changes_nothing_else() -> None:
    recipe = {"bc": {"config": "bc", "trainer": {"max_epochs": 6, "precision": 32}}}
    changed = with_settings(recipe, [("bc.trainer.max_epochs", 2), ("edit.keep", 0.4)])
    assert changed == {"bc": {"config": "bc", "trainer": {"max_epochs": 2, "precision": 32}}, "edit": {"keep": 0.4}}
    assert recipe["bc"]["trainer"]["max_epochs"] == 6  # type: ignore[index]


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ({"task": "bc"}, "task: no such key; there are prepared, comparisons, bc, reward, ppo, edit"),
        ({"prepared": 3}, "prepared: 3 is no folder's name"),
        ({"comparisons": "a.jsonl"}, "comparisons: 'a.jsonl' is no list of files"),
        ({"comparisons": [1]}, "comparisons: [1] are no files' names"),
        ({"bc": 3}, "bc: 3 has no keys"),
        ({"bc": {"config": None}}, "bc.config: None is no recipe's name"),
        ({"ppo": {"task": "ppo"}}, "ppo.task: no such key; there are config, seed_everything, trainer, model, data"),
        ({"edit": {"keeps": 1}}, "edit.keeps: no such key; there are recording, duration, keep"),
        ({"edit": {"keep": 0}}, "edit.keep: 0 is no share above 0"),
        ({"edit": {"keep": True}}, "edit.keep: True is no share above 0"),
        ({"edit": {"recording": 3}}, "edit.recording: 3 is no file's name"),
        ({"edit": {"duration": [1]}}, "edit.duration: [1] is no time; write 4:00 or 240"),
        (
            {"edit": {"duration": 240, "keep": 0.3}},
            "edit.duration and keep: one of the two says how long the song shall be",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_its_key(recipe: dict[str, object], complaint: str) -> None:
    with pytest.raises(RecipeError) as raised:
        pipeline_config(recipe)
    assert str(raised.value) == complaint


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["song.wav"], "song.wav: not understood"),
        (["--bc.trainer.max_epochs"], "--bc.trainer.max_epochs: needs a value"),
        (["--bc.config", "--edit.keep"], "--bc.config: needs a value"),
    ],
)
def test_words_that_are_no_setting_are_refused(words: list[str], complaint: str) -> None:
    with pytest.raises(RecipeError, match=f"^{complaint}"):
        flag_settings(words)


def test_a_value_has_no_keys_below_it() -> None:
    with pytest.raises(RecipeError, match=r"^trainer\.max_epochs: trainer has no keys below it$"):
        with_settings({"trainer": 3}, [("trainer.max_epochs", 2)])
