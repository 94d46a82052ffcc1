"""Pairs of edits of which it is known which is better: planted ones of a prepared set, and people's comparisons."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from rl_editor.analysis.store import Key, Store, default_folder, named_folder
from rl_editor.analysis.track import Track
from rl_editor.audio.source import Source
from rl_editor.data.comparisons import Comparison, merged, read_comparisons
from rl_editor.data.prepared import FOLDER, PreparedSet, manifest_file, read_prepared, track_store
from rl_editor.data.splits import Split, split_of
from rl_editor.data.training_files import file_hash
from rl_editor.errors import DataError
from rl_editor.policies.judged import JudgedBatch, JudgedRecording, all_pairs, drawn_pairs
from rl_editor.policies.peoples_pairs import find_edits, peoples_pairs
from rl_editor.policies.planted_pairs import PLANTED_IN, planted_pairs

_SIDES: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class ComparisonDataConfig:
    """Which pairs are learned from."""

    folder: str = f"training_data/{FOLDER}"
    """Folder of the prepared set whose true edits are planted with faults; empty for people's answers alone."""
    comparisons: tuple[str, ...] = ()
    """Files of people's comparisons; their EDLs are looked for beside them and below."""
    store: str = ""
    """Store with the analyses of what people compared; empty: RL_EDITOR_STORE, else the user's cache folder."""
    editors: tuple[str, ...] = (PLANTED_IN, "window", "loudest", "random")
    """Editors whose edits are worse than the true ones."""
    without: tuple[str, ...] = ()
    """Names of faults that are not planted, so that others can be tried on a model that never met them."""
    pairs: int = 12
    """Planted pairs drawn of each take and epoch; of people's answers it is always all."""
    planted_weight: float = 0.1
    """How much a planted pair counts beside a person's answer, where there are such."""
    batch: int = 1
    """Recordings in one batch; accumulate_grad_batches makes more of them count as one without padding."""
    workers: int = 0
    """Processes that put batches together."""
    jobs: int = -1
    """Processes that make pairs at the beginning; -1: one a processor."""
    seed: int = 0
    """For where faults are planted."""


class ComparisonData(LightningDataModule):
    """Recordings with pairs of edits, split by song."""

    def __init__(self, pairs: ComparisonDataConfig = ComparisonDataConfig()) -> None:
        super().__init__()
        self.config = pairs
        self.judged: dict[Split, list[JudgedRecording]] = {}

    def prepare_data(self) -> None:
        """Refuse what can't be used, before anything is computed."""
        if self.config.folder:
            if not len(self._set().split("train").entries):
                raise DataError(f"{self.config.folder}: no take to learn from on the train side; synthesize more songs")
        elif not self.config.comparisons:
            raise DataError("nothing to learn from: neither a prepared set nor people's comparisons")
        self._answers()

    def setup(self, stage: str) -> None:
        """Make the pairs that a stage needs."""
        wanted: dict[str, tuple[Split, ...]] = {"fit": ("train", "val"), "validate": ("val",)}
        sides = wanted.get(stage, ("test",))
        if any(side not in self.judged for side in sides):
            people = self._people()
            for side in sides:
                planted = self._planted(side)
                if people:
                    planted = [_weighed(each, self.config.planted_weight) for each in planted]
                self.judged[side] = [*planted, *(each for each in people if split_of(each.song) == side)]
        for side in sides:
            if not self.judged[side] and (stage != "fit" or side == "train"):
                raise DataError(f"{self._told()}: no pair of edits on the {side} side; more songs are needed")
        if stage == "fit" and not self.judged["val"] and self.trainer is not None:
            self.trainer.limit_val_batches = 0  # no validation, of whose missing batches Lightning would warn

    def identity(self) -> dict[str, object]:
        """What the data are: hashes of the manifest and of the comparisons, takes on each side, songs learned from."""
        entries = self._set().entries if self.config.folder else ()
        songs = sorted({entry.measured.song_hash for entry in entries if entry.measured and entry.split == "train"})
        known: dict[str, object] = {"folder": self.config.folder}
        if self.config.folder:
            known["manifest_sha256"] = file_hash(manifest_file(Path(self.config.folder)))
        known["takes"] = {side: sum(entry.split == side for entry in entries) for side in _SIDES}
        known["train_songs"] = songs
        known["comparisons"] = {file: file_hash(Path(file)) for file in self.config.comparisons}
        return known

    def train_dataloader(self) -> DataLoader[JudgedRecording]:
        """Recordings in a new order each epoch, with newly drawn pairs."""
        return self._loader("train", partial(drawn_pairs, pairs=self.config.pairs), shuffle=True)

    def val_dataloader(self) -> DataLoader[JudgedRecording]:
        """One recording after another, with all its pairs."""
        return self._loader("val", all_pairs, shuffle=False)

    def test_dataloader(self) -> DataLoader[JudgedRecording]:
        """The same of the test side."""
        return self._loader("test", all_pairs, shuffle=False)

    def predict_dataloader(self) -> DataLoader[JudgedRecording]:
        """As the test's."""
        return self.test_dataloader()

    def _loader(
        self, side: Split, collate: Callable[[list[JudgedRecording]], JudgedBatch], *, shuffle: bool
    ) -> DataLoader[JudgedRecording]:
        return DataLoader(
            _Recordings(self.judged[side]),
            batch_size=self.config.batch if shuffle else 1,
            shuffle=shuffle,
            collate_fn=collate,
            num_workers=self.config.workers,
        )

    def _set(self) -> PreparedSet:
        return read_prepared(Path(self.config.folder))

    def _told(self) -> str:
        return ", ".join([*filter(None, [self.config.folder]), *self.config.comparisons])

    def _planted(self, side: Split) -> list[JudgedRecording]:
        if not self.config.folder:
            return []
        chosen = self._set().split(side)
        numbers = range(len(chosen.entries))
        made = Parallel(n_jobs=self.config.jobs)(delayed(_planted)(chosen, n, self.config) for n in numbers)
        return [judged for judged in made if len(judged.answers.first)]

    def _answers(self) -> list[Comparison]:
        return merged(*(read_comparisons(Path(file)) for file in self.config.comparisons))

    def _people(self) -> list[JudgedRecording]:
        """What people said, of recordings with at least one pair that teaches something."""
        answers = self._answers()
        if not answers:
            return []
        edits = find_edits({Path(file).parent for file in self.config.comparisons})
        entries = self._set().entries if self.config.folder else ()
        measured = [entry.measured for entry in entries if entry.measured]
        songs = {each.source.content_hash: each.song_hash for each in measured}
        return peoples_pairs(
            answers, edits, self._track, lambda source: songs.get(source.content_hash, source.content_hash)
        )

    def _track(self, source: Source) -> Track:
        """The analysis of a recording that people compared edits of."""
        own = Store(Path(self.config.store) if self.config.store else named_folder() or default_folder())
        stores = [own, track_store(Path(self.config.folder))] if self.config.folder else [own]
        for store in stores:
            if (track := store.load(Key(source))) is not None:
                return track
        raise DataError(
            f"{source.file or source.content_hash[:12]}: not in the store; `rl-editor analyse` puts it there"
        )


class _Recordings(Dataset[JudgedRecording]):
    def __init__(self, judged: list[JudgedRecording]) -> None:
        self.judged = judged

    def __len__(self) -> int:
        return len(self.judged)

    def __getitem__(self, index: int) -> JudgedRecording:
        return self.judged[index]


def _planted(prepared: PreparedSet, number: int, config: ComparisonDataConfig) -> JudgedRecording:
    rng = np.random.default_rng((config.seed, number))
    return planted_pairs(prepared.load(prepared.entries[number]), config.editors, rng, without=config.without)


def _weighed(judged: JudgedRecording, weight: float) -> JudgedRecording:
    """Its answers counting `weight` times as much."""
    return replace(judged, answers=judged.answers._replace(weight=judged.answers.weight * np.float32(weight)))
