"""From finished songs to a policy that edits: sample-data, synthesize, prepare, bc-warmup, edit."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rl_editor import checkpoints
from rl_editor.audio.files import read_audio
from rl_editor.cli.main import main
from rl_editor.data.prepared import FOLDER, read_manifest
from rl_editor.edits import edl as edls

TINY = {
    "task": "bc",
    "trainer": {"max_epochs": 4, "accelerator": "cpu", "accumulate_grad_batches": 1, "check_val_every_n_epoch": 2},
    "model": {
        "cloning": {
            "policy": {"encoder": {"width": 16, "blocks": 1, "heads": 2}},
            "show": {"takes": 1},
        }
    },
    "data": {"takes": {"situations": 16, "stray": {"editors": 1}, "jobs": 1}},
}
Same = Callable[[Any, Any], None]
FIT = ("bc-warmup", "--config", "tiny.yaml")


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


@pytest.fixture
def place(tmp_path: Path, training_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a recipe of seconds."""
    data = {"takes": {**TINY["data"]["takes"], "folder": str(training_data / FOLDER)}}  # type: ignore[index]
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "data": data}))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    torch.use_deterministic_algorithms(False)


def state(run: str) -> dict[str, Any]:
    """All of a run's last checkpoint that training goes on from."""
    content = torch.load(Path(run) / "checkpoints/last.ckpt", weights_only=True)
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")
    return {key: content[key] for key in kept}


def events(run: str) -> dict[str, list[tuple[int, object]]]:
    """Everything TensorBoard shows of a run but its clock, by tag."""
    kinds = ("scalars", "images", "audio", "histograms")
    found = EventAccumulator(run, dict.fromkeys(kinds, 0)).Reload()
    tags = found.Tags()
    shown: dict[str, list[tuple[int, object]]] = {}
    for tag in tags["scalars"]:
        shown[tag] = [(event.step, event.value) for event in found.Scalars(tag)]
    for tag in tags["images"]:
        shown[tag] = [(event.step, event.encoded_image_string) for event in found.Images(tag)]
    for tag in tags["audio"]:
        shown[tag] = [(event.step, event.encoded_audio_string) for event in found.Audio(tag)]
    for tag in tags["histograms"]:
        shown[tag] = [(event.step, event.histogram_value) for event in found.Histograms(tag)]
    return shown


def test_without_takes_it_says_what_makes_some(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor("bc-warmup", "--trainer.accelerator", "cpu") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "rl-editor: training_data/prepared: no prepared set; `rl-editor prepare training_data` makes one"
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_songs_become_a_policy_that_edits(place: Path, training_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor(*FIT, "--trainer.max_epochs", 2, "--trainer.check_val_every_n_epoch", 1) == 0
    assert "val/ruler" in capsys.readouterr().out
    (judged,) = (entry for entry in read_manifest(training_data / FOLDER) if entry.split == "val")
    shown = events("runs/bc-1")
    steps = [step for step, _ in shown["val/overlap"]]
    assert len(steps) == 2
    for tag in ("val/ruler", "val/actions", "val/actions/cut", f"edits/{judged.key}/val", f"sounds/{judged.key}/val"):
        assert [step for step, _ in shown[tag]] == steps
    for tag in ("true/ruler", "true/actions", f"edits/{judged.key}/true", f"sounds/{judged.key}/true"):
        assert [step for step, _ in shown[tag]] == steps[:1]
    assert judged.measured is not None
    raw = training_data / judged.measured.raw
    asked = ("--editor", "policy", "--checkpoint", "runs/bc-1", "--keep", "0.5", "--quiet")
    assert rl_editor("edit", raw, "-o", "song.wav", "--edl", "song.json", *asked) == 0
    edl = edls.read(Path("song.json"))
    assert edl.maker.editor == "policy"
    assert edl.maker.checkpoint == checkpoints.load(Path("runs/bc-1/policy.safetensors"), "policy").content_hash
    assert abs(edl.duration_s - 0.5 * edl.source.duration_s) <= 1.0
    assert read_audio(Path("song.wav")).source.n_samples == edl.n_samples


def test_a_run_is_judged_on_what_it_never_saw(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor(*FIT, "--name", "judged", "--trainer.max_epochs", 2, "--quiet") == 0
    capsys.readouterr()
    assert rl_editor("test", "--checkpoint", "runs/judged", "--quiet", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert -1.0 <= figures["test/overlap"] <= 1.0
    assert figures["test/decisions"] > 0.0
    assert rl_editor("predict", "--checkpoint", "runs/judged", "--quiet") == 0
    (edit,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert edit["overlap"] == pytest.approx(figures["test/overlap"], abs=1e-3)
    assert all(start < end for start, end in edit["played_s"])


def test_two_epochs_and_two_more_are_four(place: Path, assert_equal_bits: Same) -> None:
    assert rl_editor(*FIT, "--name", "whole", "--quiet") == 0
    assert rl_editor(*FIT, "--name", "halves", "--quiet", "--trainer.max_epochs", 2) == 0
    torch.rand(3)
    time.sleep(1.0)  # files of events are read in the order of the seconds in their names
    assert rl_editor("bc-warmup", "--resume", "halves", "--trainer.max_epochs", 4, "--quiet") == 0
    assert_equal_bits(state("runs/halves"), state("runs/whole"))
    assert events("runs/halves") == events("runs/whole")
    assert checkpoints.load(Path("runs/halves/policy.safetensors"), "policy").content_hash == (
        checkpoints.load(Path("runs/whole/policy.safetensors"), "policy").content_hash
    )


def test_what_is_shown_changes_nothing(place: Path, assert_equal_bits: Same) -> None:
    every = ("--quiet", "--trainer.max_epochs", 2, "--trainer.check_val_every_n_epoch", 1)
    assert rl_editor(*FIT, *every, "--name", "shown") == 0
    silent = ("--model.cloning.show.takes", 0, "--trainer.logger", "false")
    assert rl_editor(*FIT, *every, *silent, "--name", "silent") == 0
    assert_equal_bits(state("runs/silent"), state("runs/shown"))


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_killed_at_any_moment_it_ends_as_if_it_had_not_been(place: Path, epoch: int, assert_equal_bits: Same) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PL_GLOBAL_SEED", None)
    program = [str(Path(sys.executable).with_name("rl-editor")), *FIT, "--name", "killed"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        said = [*takewhile(lambda line: not line.startswith(f"epoch {epoch}/"), process.stderr)]
        process.kill()
    assert process.returncode == -signal.SIGKILL, "".join(said)
    time.sleep(1.0)
    assert rl_editor("bc-warmup", "--resume", "killed", "--quiet") == 0
    assert rl_editor(*FIT, "--name", "whole", "--quiet") == 0
    assert_equal_bits(state("runs/killed"), state("runs/whole"))
    assert events("runs/killed") == events("runs/whole")


@pytest.mark.slow
def test_a_built_wheel_trains_and_edits(
    place: Path, training_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The wheel's own files are imported, recipe included; what it depends on is this environment's."""
    built = tmp_path_factory.mktemp("wheel")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(root)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    installed = built / "installed"
    zipfile.ZipFile(next(built.glob("*.whl"))).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "rl_editor", *arguments]
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, timeout=600, check=True
        )
        return done.stdout + done.stderr

    where = [sys.executable, "-c", "import rl_editor; print(rl_editor.__file__)"]
    found = subprocess.run(where, cwd=place, env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(installed)
    folder = str(training_data / FOLDER)
    small = ("--model.cloning.policy.encoder.width", "16", "--model.cloning.show.takes", "0")
    assert "begins, task bc" in run("bc-warmup", "--data.takes.folder", folder, "--trainer.max_epochs", "1", *small)
    raw = str(sorted(training_data.glob("*_raw.flac"))[0])
    assert "song.wav" in run(
        "edit", raw, "-o", "song.wav", "--keep", ".4", "--editor", "policy", "--checkpoint", "bc-1"
    )
