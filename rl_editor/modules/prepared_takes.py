"""The takes of a prepared set in a datamodule, split by song."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from joblib import Parallel, delayed
from lightning.pytorch import LightningDataModule

from rl_editor.data.prepared import FOLDER, PreparedSet, manifest_file, read_prepared
from rl_editor.data.splits import Split
from rl_editor.data.training_files import file_hash
from rl_editor.errors import DataError
from rl_editor.policies.taught import HeardTake

DEFAULT_FOLDER = f"training_data/{FOLDER}"

Take = TypeVar("Take", bound=HeardTake)


class PreparedTakes(LightningDataModule, Generic[Take]):
    """Takes for training, choosing and judging; derive from it and write `make` and the loaders.

    Args:
        folder: of the prepared set.
        jobs: processes that make takes ready; -1: one a processor.
    """

    def __init__(self, folder: str, jobs: int) -> None:
        super().__init__()
        self.folder, self.jobs = folder, jobs
        self.takes: dict[Split, list[Take]] = {}

    @abstractmethod
    def make(self, side: Split) -> Callable[[PreparedSet, int], Take | None]:
        """What makes the take of that number ready, in any process; None where it is of no use."""

    def prepare_data(self) -> None:
        """Refuse a folder without a prepared set, before anything is computed."""
        if not len(self.chosen("train").entries):
            raise DataError(f"{self.folder}: no take to learn from on the train side; synthesize more songs")

    def setup(self, stage: str) -> None:
        """Load the takes that a stage needs."""
        wanted: dict[str, tuple[Split, ...]] = {"fit": ("train", "val"), "validate": ("val",)}
        for side in wanted.get(stage, ("test",)):
            if side not in self.takes:
                chosen, make = self.chosen(side), self.make(side)
                made = Parallel(n_jobs=self.jobs)(delayed(make)(chosen, n) for n in range(len(chosen.entries)))
                self.takes[side] = [take for take in made if take is not None]
            if not self.takes[side] and (stage != "fit" or side == "train"):
                raise DataError(f"{self.folder}: no take on the {side} side; synthesize more songs")

    def identity(self) -> dict[str, object]:
        """What the data are: the manifest's hash, songs and takes on each side."""
        entries = read_prepared(Path(self.folder)).entries
        songs = sorted({entry.measured.song_hash for entry in entries if entry.measured and entry.split == "train"})
        return {
            "folder": self.folder,
            "manifest_sha256": file_hash(manifest_file(Path(self.folder))),
            "takes": {split: sum(entry.split == split for entry in entries) for split in ("train", "val", "test")},
            "train_songs": songs,
        }

    def chosen(self, side: Split) -> PreparedSet:
        """The takes of one side, in the set's order."""
        return read_prepared(Path(self.folder)).split(side)
