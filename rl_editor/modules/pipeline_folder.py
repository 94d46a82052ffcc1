"""The folder of a pipeline, `runs/pipeline-1/`: the run of each stage that trains, the edit, and what ties them.

- `pipeline.yaml`: every setting of the pipeline, a recipe by itself
- `pipeline.json`: what made it, its data, and which stages are finished
- `bc.yaml`, ...: what goes over the recipe of each stage that trains; `bc/`, ...: its run
- `edit/`: the song, its EDL and its picture
- `report.html`: what came of it, one file to pass on
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rl_editor.atomic import write_text
from rl_editor.data.prepared import manifest_file, read_prepared
from rl_editor.data.splits import Split
from rl_editor.data.training_files import file_hash
from rl_editor.errors import DataError, RecipeError
from rl_editor.modules.pipeline_recipe import PipelineConfig
from rl_editor.modules.pipeline_stages import EDIT
from rl_editor.modules.run_folder import RunFolder, as_json, read_record

_SIDES: tuple[Split, ...] = ("test", "val", "train")
CONFIG, RECORD = "pipeline.yaml", "pipeline.json"


@dataclass(frozen=True)
class PipelineFolder:
    """A pipeline's folder and its files, whether or not they are there."""

    path: Path

    @property
    def config(self) -> Path:
        """Every setting, as a recipe."""
        return self.path / CONFIG

    @property
    def record(self) -> Path:
        """What made it, and how far it has come."""
        return self.path / RECORD

    @property
    def report(self) -> Path:
        """What came of it."""
        return self.path / "report.html"

    @property
    def edits(self) -> Path:
        """Where the song goes."""
        return self.path / EDIT

    def run(self, stage: str) -> RunFolder:
        """The run of a stage that trains."""
        return RunFolder(self.path / stage)

    def settings(self, stage: str) -> Path:
        """What goes over the recipe of a stage that trains."""
        return self.path / settings_name(stage)

    def read_record(self) -> dict[str, Any]:
        """What made it, and how far it has come.

        Raises:
            RecipeError: the file is missing or damaged.
        """
        record = read_record(self.record)
        if not isinstance(record.get("finished"), dict):
            raise RecipeError(f"{self.record}: is damaged (no record)")
        return record

    def write_record(self, record: Mapping[str, object]) -> None:
        """Replace what is said of what made it and how far it has come."""
        write_text(self.record, as_json(record), overwrite=True)

    def remove_stale(self) -> None:
        """Remove what was being written beside the runs when the pipeline was killed."""
        for stale in [*self.path.glob(".rl-editor.*"), *self.edits.glob(".rl-editor.*")]:
            if stale.is_file():
                stale.unlink(missing_ok=True)


def settings_name(stage: str) -> str:
    """What the file is called that goes over the recipe of a stage that trains."""
    return f"{stage}.yaml"


def find_pipeline(runs: Path, name: str) -> PipelineFolder:
    """The pipeline of this name, or at this path.

    Raises:
        RecipeError: there is none.
    """
    for folder in (runs / name, Path(name)):
        if (folder / CONFIG).is_file():
            return PipelineFolder(folder)
    known = ", ".join(file.parent.name for file in sorted(runs.glob(f"*/{CONFIG}"))) or "none"
    raise RecipeError(f"{name}: no such pipeline; in {runs} there are: {known}")


def chosen_recording(config: PipelineConfig) -> tuple[Path, Split | None]:
    """The recording that is edited, and which side of the prepared set it is from.

    Returns:
        The recording that is named, and None; else a raw of the set: of the test side, where that is empty of the val
        side, where that is empty too of the train side.
    Raises:
        DataError: it is not there.
    """
    if config.edit.recording is not None:
        recording = Path(config.edit.recording)
        if not recording.is_file():
            raise DataError(f"{recording}: no such file")
        return recording, None
    folder = Path(config.prepared)
    entries = [entry for side in _SIDES for entry in read_prepared(folder).split(side).entries]
    for entry in entries:
        if entry.measured is not None and (raw := folder.parent / entry.measured.raw).is_file():
            return raw, entry.split
    raise DataError(f"{folder}: the raws of its takes are gone; --edit.recording names what to edit")


def data_identity(config: PipelineConfig) -> dict[str, object]:
    """What a pipeline works on: hashes of the prepared set's manifest, of the comparisons and of the recording.

    Raises:
        DataError: something of it is not there.
    """
    read_prepared(Path(config.prepared))
    recording, side = chosen_recording(config)
    return {
        "prepared": config.prepared,
        "manifest_sha256": file_hash(manifest_file(Path(config.prepared))),
        "comparisons": {file: file_hash(Path(file)) for file in config.comparisons},
        "recording": str(recording),
        "recording_side": side,
        "recording_sha256": file_hash(recording),
    }
