"""Takes of a prepared set as batches: recordings, which of their beats are kept, and situations with what is best."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from rl_editor.data.prepared import FOLDER, PreparedSet, manifest_file, read_prepared
from rl_editor.data.splits import Split
from rl_editor.data.training_files import file_hash
from rl_editor.errors import DataError
from rl_editor.policies.lessons import StrayConfig
from rl_editor.policies.taught import Batch, LearntTake, demonstrated, drawn, learn


@dataclass(frozen=True)
class TakeDataConfig:
    """Which takes are learned from, and how they are put together."""

    folder: str = f"training_data/{FOLDER}"
    """Folder of the prepared set (rl-editor synthesize, then rl-editor prepare, make one)."""
    batch: int = 1
    """Takes in one batch; accumulate_grad_batches makes more of them count as one without padding."""
    situations: int = 96
    """Situations drawn of each take and epoch."""
    jumps: float = 8.0
    """How much likelier a situation is drawn in which something else than to keep on is best."""
    stray: StrayConfig = field(default_factory=StrayConfig)
    """Who edits beside the demonstrations."""
    workers: int = 0
    """Processes that put batches together."""
    jobs: int = -1
    """Processes that prepare takes at the beginning; -1: one a processor."""
    seed: int = 0
    """For where those stray who edit beside the demonstrations."""


class TakeData(LightningDataModule):
    """The takes of a prepared set: its train side is learned from, its val side judges."""

    def __init__(self, takes: TakeDataConfig = TakeDataConfig()) -> None:
        super().__init__()
        self.config = takes
        self.takes: dict[Split, list[LearntTake]] = {}

    def prepare_data(self) -> None:
        """Refuse a folder without a prepared set, before anything is computed."""
        if not len(self._set().split("train").entries):
            raise DataError(f"{self.config.folder}: no take to learn from on the train side; synthesize more songs")

    def setup(self, stage: str) -> None:
        """Load the takes that a stage needs."""
        wanted: dict[str, tuple[Split, ...]] = {"fit": ("train", "val"), "validate": ("val",)}
        for split in wanted.get(stage, ("test",)):
            if split not in self.takes:
                self.takes[split] = learnt(self._set().split(split), self.config)
            if stage != "fit" and not self.takes[split]:
                raise DataError(f"{self.config.folder}: no take on the {split} side; synthesize more songs")

    def identity(self) -> dict[str, object]:
        """What the data are: the manifest's hash, songs and takes on each side."""
        entries = self._set().entries
        songs = sorted({entry.measured.song_hash for entry in entries if entry.measured and entry.split == "train"})
        return {
            "folder": self.config.folder,
            "manifest_sha256": file_hash(manifest_file(Path(self.config.folder))),
            "takes": {split: sum(entry.split == split for entry in entries) for split in ("train", "val", "test")},
            "train_songs": songs,
        }

    def train_dataloader(self) -> DataLoader[LearntTake]:
        """Takes in a new order each epoch, with newly drawn situations."""
        collate = partial(drawn, situations=self.config.situations, jumps=self.config.jumps)
        return self._loader("train", collate, shuffle=True, size=self.config.batch)

    def val_dataloader(self) -> DataLoader[LearntTake]:
        """One take after another, with all situations of its demonstration."""
        return self._loader("val", demonstrated, shuffle=False, size=1)

    def test_dataloader(self) -> DataLoader[LearntTake]:
        """The same of the test side."""
        return self._loader("test", demonstrated, shuffle=False, size=1)

    def predict_dataloader(self) -> DataLoader[LearntTake]:
        """As the test's."""
        return self.test_dataloader()

    def _loader(
        self, split: Split, collate: Callable[[list[LearntTake]], Batch], *, shuffle: bool, size: int
    ) -> DataLoader[LearntTake]:
        return DataLoader(
            _Takes(self.takes[split]),
            batch_size=size,
            shuffle=shuffle,
            collate_fn=collate,
            num_workers=self.config.workers,
        )

    def _set(self) -> PreparedSet:
        return read_prepared(Path(self.config.folder))


class _Takes(Dataset[LearntTake]):
    def __init__(self, takes: list[LearntTake]) -> None:
        self.takes = takes

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, index: int) -> LearntTake:
        return self.takes[index]


def learnt(prepared: PreparedSet, config: TakeDataConfig) -> list[LearntTake]:
    """The takes of a set, in its order, without those whose length no edit is known to have."""
    numbers = range(len(prepared.entries))
    made = Parallel(n_jobs=config.jobs)(delayed(_learnt)(prepared, n, config) for n in numbers)
    return [take for take in made if take is not None]


def _learnt(prepared: PreparedSet, number: int, config: TakeDataConfig) -> LearntTake | None:
    rng = np.random.default_rng((config.seed, number))
    return learn(prepared.load(prepared.entries[number]), config.stray, rng)
