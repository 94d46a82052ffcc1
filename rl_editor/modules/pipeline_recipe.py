"""The recipe of a pipeline: what its stages are told, which recording is edited, and how long the song shall be.

    prepared: training_data/prepared
    comparisons: [rated/anna.jsonl]
    bc: {config: bc, trainer: {max_epochs: 6}}
    edit: {recording: jam.wav, keep: 0.35}

A stage that trains has a recipe of its own, `config`, and over it the settings that a recipe has; each key is a flag
too, `--bc.trainer.max_epochs 6`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import yaml

from rl_editor.data.prepared import FOLDER
from rl_editor.errors import RecipeError
from rl_editor.modules.pipeline_stages import EDIT, TRAINING, TrainingStage

_SETTINGS = ("seed_everything", "trainer", "model", "data")


@dataclass(frozen=True)
class StageConfig:
    """How a stage trains."""

    config: str
    """Its recipe: a file, or the bare name of a shipped one."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What goes over it, as a recipe says it."""

    def __post_init__(self) -> None:
        if not isinstance(self.config, str) or not self.config:
            raise RecipeError(f"config: {self.config!r} is no recipe's name")
        _refuse_others(["config", *self.settings], ("config", *_SETTINGS))


@dataclass(frozen=True)
class EditConfig:
    """What is edited in the end."""

    recording: str | None = None
    """The recording; None: a raw of the prepared set's test side, or where that is empty of another one."""
    duration: str | float | None = None
    """The song's length: 4:00 or 240; None: as `keep` says."""
    keep: float | None = None
    """Its length as a share of the recording's; None: it follows from the content."""

    def __post_init__(self) -> None:
        if self.recording is not None and (not isinstance(self.recording, str) or not self.recording):
            raise RecipeError(f"recording: {self.recording!r} is no file's name")
        if self.duration is not None and not (isinstance(self.duration, str) or _is_number(self.duration)):
            raise RecipeError(f"duration: {self.duration!r} is no time; write 4:00 or 240")
        if self.keep is not None and (not _is_number(self.keep) or not self.keep > 0):
            raise RecipeError(f"keep: {self.keep!r} is no share above 0")
        if self.duration is not None and self.keep is not None:
            raise RecipeError("duration and keep: one of the two says how long the song shall be")


@dataclass(frozen=True)
class PipelineConfig:
    """What a pipeline does."""

    prepared: str = f"training_data/{FOLDER}"
    """Folder of the prepared set that is learned from (rl-editor prepare makes one)."""
    comparisons: tuple[str, ...] = ()
    """Files of people's comparisons."""
    stages: Mapping[str, StageConfig] = field(
        default_factory=lambda: {stage.name: StageConfig(stage.recipe) for stage in TRAINING}
    )
    """How each stage trains, by name."""
    edit: EditConfig = field(default_factory=EditConfig)
    """What is edited in the end."""

    def __post_init__(self) -> None:
        if not isinstance(self.prepared, str) or not self.prepared:
            raise RecipeError(f"prepared: {self.prepared!r} is no folder's name")
        if not all(isinstance(file, str) and file for file in self.comparisons):
            raise RecipeError(f"comparisons: {list(self.comparisons)!r} are no files' names")

    def as_recipe(self) -> str:
        """The whole of it as YAML, a recipe again."""
        trained = {name: {"config": stage.config, **stage.settings} for name, stage in self.stages.items()}
        first = {"prepared": self.prepared, "comparisons": list(self.comparisons)}
        return as_yaml({**first, **trained, EDIT: asdict(self.edit)})

    def settings(self, stage: TrainingStage) -> dict[str, object]:
        """What goes over a stage's recipe; what its own settings say of the data stands before the pipeline's."""
        data = with_settings({}, [(stage.prepared, self.prepared)])
        if stage.comparisons is not None and self.comparisons:
            data = with_settings(data, [(stage.comparisons, list(self.comparisons))])
        return _over(data, self.stages[stage.name].settings)


def pipeline_config(recipe: Mapping[str, object]) -> PipelineConfig:
    """What a recipe says.

    Args:
        recipe: by key, as it was read.
    Raises:
        RecipeError: a key is not known, or its value can't be used; names the key.
    """
    _refuse_others(recipe, ("prepared", "comparisons", *(stage.name for stage in TRAINING), EDIT))
    stages = {}
    for stage in TRAINING:
        told = {"config": stage.recipe, **_mapping(recipe, stage.name)}
        with _below(stage.name):
            stages[stage.name] = StageConfig(told.pop("config"), told)
    editing = _mapping(recipe, EDIT)
    with _below(EDIT):
        _refuse_others(editing, [each.name for each in fields(EditConfig)])
        edit = EditConfig(**editing)
    comparisons = recipe.get("comparisons") or ()
    if not isinstance(comparisons, list | tuple):
        raise RecipeError(f"comparisons: {comparisons!r} is no list of files")
    prepared: Any = recipe.get("prepared", PipelineConfig.prepared)
    return PipelineConfig(prepared, tuple(comparisons), stages, edit)


def flag_settings(words: Sequence[str]) -> list[tuple[str, object]]:
    """Flags such as `--bc.trainer.max_epochs 6` or `--edit.keep=.4`: key and value of each.

    Raises:
        RecipeError: a word is none, or a flag has no value.
    """
    found: list[tuple[str, object]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, given, value = word.partition("=")
        if not flag.startswith("--") or not flag[2:]:
            raise RecipeError(f"{word}: not understood; a setting is --KEY VALUE, such as --bc.trainer.max_epochs 6")
        if not given:
            if not rest or rest[0].startswith("--"):
                raise RecipeError(f"{flag}: needs a value")
            value = rest.pop(0)
        found.append((flag[2:], _value(value)))
    return found


def with_settings(recipe: Mapping[str, object], settings: Sequence[tuple[str, object]]) -> dict[str, object]:
    """A recipe with values put in: `data.takes.folder` goes below `data`, `takes`.

    Raises:
        RecipeError: a key leads through a value that has none below it.
    """
    whole = dict(recipe)
    for key, value in settings:
        first, _, below = key.partition(".")
        if below:
            inner = whole.get(first) or {}
            if not isinstance(inner, dict):
                raise RecipeError(f"{key}: {first} has no keys below it")
            value = with_settings(inner, [(below, value)])  # noqa: PLW2901 - the value is the whole below
        whole[first] = value
    return whole


def as_yaml(recipe: Mapping[str, object]) -> str:
    """YAML with the keys in their order."""
    return str(yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True))


@contextmanager
def _below(key: str) -> Iterator[None]:
    """Name the key below which a mistake is."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(f"{key}.{error}") from error


def _refuse_others(keys: Iterable[str], known: Sequence[str]) -> None:
    for key in keys:
        if key not in known:
            raise RecipeError(f"{key}: no such key; there are {', '.join(known)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping(recipe: Mapping[str, object], key: str) -> dict[str, Any]:
    value = recipe.get(key) or {}
    if not isinstance(value, dict):
        raise RecipeError(f"{key}: {value!r} has no keys")
    return dict(value)


def _over(low: Mapping[str, object], high: Mapping[str, object]) -> dict[str, object]:
    """Both, key by key; where both have a value, the higher one's."""
    whole = dict(low)
    for key, value in high.items():
        below = whole.get(key)
        whole[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return whole


def _value(text: str) -> object:
    """A number, list, ... where the text is one in JSON or Python; else the text."""
    for read in (json.loads, float):
        with suppress(ValueError):
            return read(text)
    return text
