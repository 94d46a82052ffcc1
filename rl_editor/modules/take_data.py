"""Takes of a prepared set as batches: recordings, which of their beats are kept, and situations with what is best."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from torch.utils.data import DataLoader, Dataset

from rl_editor.data.prepared import PreparedSet
from rl_editor.data.splits import Split
from rl_editor.modules.prepared_takes import DEFAULT_FOLDER, PreparedTakes
from rl_editor.policies.lessons import StrayConfig
from rl_editor.policies.taught import Batch, LearntTake, demonstrated, drawn, learn


@dataclass(frozen=True)
class TakeDataConfig:
    """Which takes are learned from, and how they are put together."""

    folder: str = DEFAULT_FOLDER
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


class TakeData(PreparedTakes[LearntTake]):
    """The takes of a prepared set: its train side is learned from, its val side judges."""

    def __init__(self, takes: TakeDataConfig = TakeDataConfig()) -> None:
        super().__init__(takes.folder, takes.jobs)
        self.config = takes

    def make(self, side: Split) -> Callable[[PreparedSet, int], LearntTake | None]:
        """A take with its lesson; None where no edit of its length is known."""
        return partial(_learnt, stray=self.config.stray, seed=self.config.seed)

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


class _Takes(Dataset[LearntTake]):
    def __init__(self, takes: list[LearntTake]) -> None:
        self.takes = takes

    def __len__(self) -> int:
        return len(self.takes)

    def __getitem__(self, index: int) -> LearntTake:
        return self.takes[index]


def _learnt(prepared: PreparedSet, number: int, *, stray: StrayConfig, seed: int) -> LearntTake | None:
    return learn(prepared.load(prepared.entries[number]), stray, np.random.default_rng((seed, number)))
