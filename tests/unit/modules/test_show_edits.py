"""A run shows its edits wherever it can, and is the same run as if it did not."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from rl_editor.analysis.track import Track
from rl_editor.audio.files import Encoding, read_audio, write_audio
from rl_editor.data.demonstrations import demonstrate
from rl_editor.data.prepared import edl_file
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.modules.show_edits import ShowConfig, ShowEdits
from rl_editor.modules.take_data import TakeData, TakeDataConfig
from rl_editor.policies.imitation import Imitated
from rl_editor.policies.lessons import StrayConfig, make_lesson
from rl_editor.policies.recordings import hear
from rl_editor.policies.taught import HeardTake, LearntTake

pytestmark = pytest.mark.filterwarnings(
    "ignore:The '.*' does not have many workers", "ignore:The number of training batches", "ignore:.*LeafSpec"
)
Takes = list[LearntTake]
Edits = Callable[[Sequence[HeardTake]], Sequence[Imitated]]
Fit = Callable[..., tuple[Trainer, "Drawing"]]


class Known(TakeData):
    """Takes that are there already."""

    def prepare_data(self) -> None: ...

    def setup(self, stage: str) -> None: ...

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.arange(4.0)[:, None], shuffle=True)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.arange(4.0)[:, None])  # type: ignore[arg-type]


class Drawing(LightningModule):
    """A module that learns from what it draws."""

    def __init__(self, edits: Edits, config: ShowConfig) -> None:
        super().__init__()
        self.show = ShowEdits(edits, config)
        self.weight = torch.nn.Parameter(torch.zeros(2))

    def configure_callbacks(self) -> list[ShowEdits]:
        return [self.show]

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        drawn = torch.rand(2) + float(np.random.rand()) + random.random()  # noqa: NPY002
        return ((self.weight - drawn - batch) ** 2).sum()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/loss", self.weight.sum())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def edit(track: Track, *pieces: tuple[int, int]) -> EDL:
    bounds = track.bounds.tolist()
    segments = tuple(Segment(bounds[first], bounds[last], fade=30) for first, last in pieces)
    return EDL(track.source, segments, Maker("test"))


def some_edits(takes: Sequence[HeardTake]) -> list[Imitated]:
    """The first 30 beats of each; whoever makes them draws by chance."""
    random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    return [Imitated(edit(take.track, (0, 30)), 0.0, 0, 0.0) for take in takes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_track: Callable[..., Track]) -> Path:
    """Recordings and true edits of three takes, two of one song."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for k in range(3):
        track = make_track(np.random.default_rng(k), 60)
        sound = 0.1 * rng.standard_normal((2, track.source.n_samples)).astype(np.float32)
        write_audio(folder / f"{k}_raw.wav", sound, track.source.sample_rate, encoding=Encoding("WAV", "FLOAT"))
        source = read_audio(folder / f"{k}_raw.wav").source
        true = edit(replace(track, source=source), (10, 25), (40, 55))
        edls.write(true, edl_file(folder / "prepared", str(k)), overwrite=False)
    return folder


@pytest.fixture(scope="module")
def takes(folder: Path, make_track: Callable[..., Track]) -> Takes:
    made = []
    for k in range(3):
        source = read_audio(folder / f"{k}_raw.wav").source
        track = replace(make_track(np.random.default_rng(k), 60), source=source)
        true = edls.read(edl_file(folder / "prepared", str(k)))
        stray = StrayConfig(editors=1)
        lesson = make_lesson(track, demonstrate(true, track), true.duration_s, stray, np.random.default_rng(0))
        song, kept = f"song {k // 2}", np.zeros(60, dtype=np.float32)
        made.append(LearntTake(str(k), song, track, hear(track), kept, true.duration_s, lesson))
    return made


@pytest.fixture
def fit(folder: Path, takes: Takes, tmp_path: Path) -> Fit:
    """Train for an epoch or more, with a validation after each."""

    def run(
        logger: Logger | bool, *, show: int = 1, edits: Edits = some_edits, val: Takes = takes, **more: object
    ) -> tuple[Trainer, Drawing]:
        random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
        data = Known(TakeDataConfig(folder=str(folder / "prepared")))
        data.takes["val"] = val
        module = Drawing(edits, ShowConfig(takes=show))
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        trainer = Trainer(
            accelerator="cpu", logger=logger, default_root_dir=tmp_path,
            **{"max_epochs": 1, "num_sanity_val_steps": 0, **quiet, **more},
        )  # fmt: skip
        trainer.fit(module, datamodule=data)
        return trainer, module

    return run


def events(folder: Path) -> EventAccumulator:
    every = dict.fromkeys(("scalars", "images", "audio", "histograms"), 0)
    return EventAccumulator(str(next(folder.rglob("events.*")).parent), every).Reload()


def test_edits_are_counted_seen_heard_and_judged(fit: Fit, tmp_path: Path) -> None:
    trainer, _ = fit(TensorBoardLogger(tmp_path), show=2, max_epochs=2)
    found = events(tmp_path)
    tags = found.Tags()
    assert set(tags["images"]) == {f"edits/{key}/{side}" for key in "02" for side in ("val", "true")}
    assert set(tags["audio"]) == {f"sounds/{key}/{side}" for key in "02" for side in ("val", "true")}
    assert set(tags["histograms"]) == {"val/actions", "true/actions", "true/fades"}
    steps = [event.step for event in found.Scalars("val/loss")]
    assert len(steps) == 2
    for tag, shown in {"val": steps, "true": steps[:1]}.items():
        assert [event.step for event in found.Images(f"edits/2/{tag}")] == shown
        assert [event.step for event in found.Audio(f"sounds/2/{tag}")] == shown
        assert [event.step for event in found.Histograms(f"{tag}/actions")] == shown
        assert [event.step for event in found.Scalars(f"{tag}/ruler")] == shown
        assert [event.step for event in found.Scalars(f"{tag}/ruler/ending")] == shown
    assert 0.0 < float(trainer.callback_metrics["val/ruler"]) <= 1.0
    assert found.Scalars("val/actions/keep")[0].value == pytest.approx(30 / 31)
    assert found.Scalars("true/actions/keep")[0].value == pytest.approx(30 / 33)
    assert found.Audio("sounds/0/true")[0].sample_rate == 22050


def test_without_tensorboard_there_are_figures_without_a_logger_the_ruler(fit: Fit, tmp_path: Path) -> None:
    fit(CSVLogger(tmp_path))
    header = next(tmp_path.rglob("metrics.csv")).read_text().splitlines()[0].split(",")
    assert {"val/ruler", "val/ruler/ending", "val/actions/keep", "true/fades/tight"} <= set(header)
    asked: list[list[str]] = []

    def edits(takes: Sequence[HeardTake]) -> list[Imitated]:
        asked.append([take.key for take in takes])
        return some_edits(takes)

    trainer, _ = fit(False, show=2, edits=edits)
    assert "val/ruler" in trainer.callback_metrics
    assert asked == [["0", "2"]]


def test_nothing_is_shown_where_nothing_is_wanted_or_there(fit: Fit, tmp_path: Path) -> None:
    trainer, _ = fit(TensorBoardLogger(tmp_path / "none"), show=0)
    tags = events(tmp_path / "none").Tags()
    assert (tags["images"], tags["audio"]) == ([], [])
    assert "val/actions" in tags["histograms"]
    assert "val/ruler" not in trainer.callback_metrics
    fit(TensorBoardLogger(tmp_path / "empty"), val=[])
    assert events(tmp_path / "empty").Tags()["histograms"] == []


def test_without_its_recording_an_edit_is_drawn_and_told_of_once(
    fit: Fit, takes: Takes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def elsewhere(take: LearntTake, file: str) -> LearntTake:
        return replace(take, track=replace(take.track, source=replace(take.track.source, file=file)))

    lost = [elsewhere(takes[0], str(tmp_path / "lost.wav")), elsewhere(takes[2], takes[1].track.source.file)]
    trainer, _ = fit(TensorBoardLogger(tmp_path), show=2, val=lost)
    notes = [line for line in capsys.readouterr().err.splitlines() if "note" in line]
    assert notes == [f"rl-editor: note: {tmp_path}/lost.wav: no such file; edits of it are not heard"]
    tags = events(tmp_path).Tags()
    assert len(tags["images"]) == 4
    assert tags["audio"] == []
    assert "val/ruler" not in trainer.callback_metrics


def test_a_run_that_shows_is_the_run_that_does_not(fit: Fit, tmp_path: Path) -> None:
    _, showing = fit(TensorBoardLogger(tmp_path), max_epochs=2)
    _, silent = fit(False, val=[], max_epochs=2)
    assert torch.equal(showing.weight, silent.weight)


def test_a_trial_validation_shows_nothing(fit: Fit, tmp_path: Path) -> None:
    _, module = fit(TensorBoardLogger(tmp_path), num_sanity_val_steps=1)
    assert module.show.state_dict() == {"validations": 1}
    assert len(events(tmp_path).Images("edits/0/val")) == 1


def test_only_the_first_process_shows_all_count(takes: Takes) -> None:
    def edits(takes: Sequence[HeardTake]) -> list[Imitated]:
        raise AssertionError("asked for")

    data = Known()
    data.takes["val"] = takes
    trainer = SimpleNamespace(datamodule=data, sanity_checking=False, is_global_zero=False)
    show = ShowEdits(edits, ShowConfig())
    show.on_validation_epoch_end(trainer, LightningModule())  # type: ignore[arg-type]
    assert show.state_dict() == {"validations": 1}
