"""From a prepared set to an edited song and its report, in one command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rl_editor import checkpoints
from rl_editor.cli.main import main
from rl_editor.data.prepared import FOLDER, read_manifest
from rl_editor.edits import edl as edls

TINY = {
    "bc": {
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "accumulate_grad_batches": 1, "check_val_every_n_epoch": 2},
        "model": {"cloning": {"policy": {"encoder": {"width": 16, "blocks": 1, "heads": 2}}, "show": {"takes": 0}}},
        "data": {"takes": {"situations": 16, "stray": {"editors": 1}, "jobs": 1}},
    },
    "reward": {
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "check_val_every_n_epoch": 2},
        "model": {"modelling": {"scorer": {"members": 2, "width": 16, "blocks": 1, "heads": 2}}},
        "data": {"pairs": {"pairs": 4, "jobs": 1, "editors": ["random"]}},
    },
    "ppo": {
        "trainer": {"max_epochs": 3, "accelerator": "cpu", "check_val_every_n_epoch": 3},
        "model": {"edit": {"n_envs": 4, "show": {"takes": 0}}, "ppo": {"n_steps": 8, "critic_warmup": 1}},
        "data": {"takes": {"jobs": 1}},
    },
    "edit": {"keep": 0.5},
}
STAGES = ("bc", "reward", "ppo")
PIPELINE = ("pipeline", "--config", "tiny")
Same = Callable[[Any, Any], None]


def rl_editor(*arguments: object) -> int:
    """Exit status of one command line, in this process."""
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return int(left.value.code or 0)


def working_directory(folder: Path, training_data: Path) -> None:
    """A folder with a recipe of seconds."""
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump({"prepared": str(training_data / FOLDER), **TINY}))


@pytest.fixture
def place(tmp_path: Path, training_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory, and analyses where the prepared set keeps them."""
    working_directory(tmp_path, training_data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RL_EDITOR_STORE", str(training_data / FOLDER / "tracks"))
    yield tmp_path
    torch.use_deterministic_algorithms(False)


class Page(HTMLParser):
    """What stands on a page: tags that are open, texts, sources."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.sources: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [(tag, value or "") for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def embedded(source: str, kind: str) -> bytes:
    """What a data URI of a kind holds."""
    head, _, body = source.partition(",")
    assert head == f"data:{kind};base64"
    return b64decode(body, validate=True)


def state(run: Path) -> dict[str, Any]:
    """All of a run's last checkpoint that training goes on from."""
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    kept = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")
    return {key: content[key] for key in kept}


def figures(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves of a run, but for what its clock said."""
    found = EventAccumulator(str(run), {"scalars": 0}).Reload()
    tags = [tag for tag in found.Tags()["scalars"] if tag != "train/SPS"]
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in tags}


def test_a_prepared_set_becomes_a_song_and_a_report(
    place: Path, training_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert rl_editor(*PIPELINE, "--bc.trainer.max_epochs", 1, "--bc.trainer.check_val_every_n_epoch=1") == 0
    out, err = capfd.readouterr()
    (judged,) = (entry for entry in read_manifest(training_data / FOLDER) if entry.split == "test")
    assert judged.measured is not None
    raw = training_data / judged.measured.raw
    folder = Path("runs/pipeline-1")
    song = folder / "edit" / f"{raw.stem}.edit{raw.suffix}"
    assert out.splitlines()[-1] == f"{folder}: song {song}, report {folder}/report.html"
    assert [line for line in err.splitlines() if " of 4: " in line][2].endswith("--runs runs/pipeline-1 --name ppo")

    for stage, task in zip(STAGES, ("bc", "reward", "edit_ppo"), strict=True):
        assert json.loads((folder / stage / "run.json").read_text())["task"] == task
        assert figures(folder / stage)
    assert torch.load(folder / "bc/checkpoints/last.ckpt", weights_only=True)["epoch"] == 0
    learned = checkpoints.load(folder / "ppo/policy.safetensors", "policy").content_hash
    assert learned != checkpoints.load(folder / "bc/policy.safetensors", "policy").content_hash
    edl = edls.read(song.with_suffix(".json"))
    assert (edl.maker.editor, edl.maker.checkpoint) == ("policy", learned)
    assert abs(edl.duration_s - 0.5 * edl.source.duration_s) <= 1.0

    page = Page((folder / "report.html").read_text())
    assert not page.open
    assert [tag for tag, _ in page.sources] == ["audio", "audio", "img", "img", "img", "img"]
    for tag, source in page.sources:
        kind, begins = ("audio/mpeg", (b"ID3", b"\xff")) if tag == "audio" else ("image/png", (b"\x89PNG",))
        assert embedded(source, kind).startswith(begins)
    for words in ("val/overlap", "val/accuracy", "val/ep_return", "Seed 7. Takes: 2 train, 1 val, 1 test."):
        assert words in page.texts
    assert f"rl-editor fit --config {folder}/ppo/config.yaml" in page.texts

    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert rl_editor("pipeline", "--resume", "pipeline-1", "--quiet") == 0
    changed = {file for file, content in before.items() if file.read_bytes() != content}
    assert changed == {folder / "pipeline.json"}
    assert capfd.readouterr() == ("", "")


def test_what_can_not_go_well_is_told_before_anything_is_computed(
    place: Path, training_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def complaint(status: int, *arguments: object) -> str:
        assert rl_editor("pipeline", *arguments) == status
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        return err.removeprefix("rl-editor: ").strip()

    tiny = ("--config", "tiny")
    assert "Group 'trainer' does not accept option 'max_epochz'" in complaint(2, *tiny, "--ppo.trainer.max_epochz", 3)
    assert complaint(2, *tiny, "--reword.config", "x").startswith("reword: no such key; there are prepared,")
    assert complaint(2, *tiny, "--ppo.config", "nix").startswith("nix: no such recipe here or among the shipped ones")
    assert "'4:xx' is no time; write 4:00" in complaint(2, *tiny, "--edit.duration", "4:xx", "--edit.keep", "null")
    assert complaint(1, *tiny, "--edit.recording", "no.wav") == "no.wav: no such file"
    assert complaint(1, *tiny, "--comparisons", "no.jsonl") == "no.jsonl: can't be read (No such file or directory)"
    lost = complaint(1, *tiny, "--prepared", "data/prepared")
    assert lost == "data/prepared: no prepared set; `rl-editor prepare data` makes one"
    assert complaint(2, "--resume", "x") == (
        "x: no such pipeline; in runs there are: none (see rl-editor pipeline --help)"
    )
    assert "--edit.keep: a resumed pipeline keeps its settings" in complaint(2, "--resume", "x", "--edit.keep", ".4")
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_its_settings_are_a_recipe_that_says_the_same(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rl_editor(*PIPELINE, "--comparisons", "a.jsonl", "b.jsonl", "--edit.keep=.4", "--print_config") == 0
    told = capsys.readouterr().out
    recipe = yaml.safe_load(told)
    assert recipe["comparisons"] == ["a.jsonl", "b.jsonl"]
    assert recipe["ppo"] == {"config": "ppo", **TINY["ppo"]}
    assert recipe["edit"] == {"recording": None, "duration": None, "keep": 0.4}
    Path("again.yaml").write_text(told)
    assert rl_editor("pipeline", "--config", "again.yaml", "--print_config") == 0
    assert capsys.readouterr().out == told


def start(*arguments: str) -> "subprocess.Popen[str]":
    """`rl-editor` in a process of its own, in the working directory."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PL_GLOBAL_SEED", None)
    program = [sys.executable, "-m", "rl_editor", *arguments]
    return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


def status_of(*arguments: str) -> int:
    """Exit status of a command line, in a process of its own."""
    with start(*arguments) as process:
        process.communicate()
    return process.returncode


def killed(*arguments: str, at: str) -> None:
    """Kill a command when it says something; what it has started must end with it."""
    with start(*arguments) as process:
        assert process.stderr is not None
        said = [*takewhile(lambda line: at not in line, process.stderr)]
        process.kill()
        process.stderr.read()  # until nobody is left who could write to it
    assert process.returncode == -signal.SIGKILL, "".join(said)


@pytest.mark.slow
def test_killed_in_each_stage_it_ends_as_if_it_had_not_been(
    place: Path, training_data: Path, monkeypatch: pytest.MonkeyPatch, assert_equal_bits: Same
) -> None:
    for name in ("killed", "whole"):
        working_directory(place / name, training_data)
    monkeypatch.chdir(place / "killed")
    moments = ("1 of 4: ", "bc: begins", "epoch 1/2", "2 of 4: ", "epoch 1/2", "3 of 4: ", "epoch 2/3", "4 of 4: ")
    go_on = ("pipeline", "--resume", "pipeline-1")
    for number, moment in enumerate(moments):
        killed(*(go_on if number else PIPELINE), at=moment)
        time.sleep(1.0)  # files of events are read in the order of the seconds in their names
    assert status_of(*go_on) == 0
    monkeypatch.chdir(place / "whole")
    assert status_of(*PIPELINE) == 0

    one, other = (place / name / "runs/pipeline-1" for name in ("killed", "whole"))
    for stage in STAGES:
        assert_equal_bits(state(one / stage), state(other / stage))
        assert figures(one / stage) == figures(other / stage)
    (song,) = (file.name for file in (other / "edit").glob("*.flac"))
    edited = [f"edit/{song}", f"edit/{Path(song).stem}.json", f"edit/{Path(song).stem}.png"]
    for file in ("bc/policy.safetensors", "reward/reward.safetensors", "ppo/policy.safetensors", *edited):
        assert (one / file).read_bytes() == (other / file).read_bytes(), file
    clock = re.compile(r"<tr><td>train/SPS</td>.*\n")
    reports = [clock.sub("", (folder / "report.html").read_text()) for folder in (one, other)]
    assert reports[0] == reports[1]
    assert not list(one.rglob(".rl-editor.*"))


@pytest.mark.slow
def test_an_interruption_is_told_and_leaves_what_goes_on(place: Path) -> None:
    with start(*PIPELINE) as process:
        assert process.stderr is not None
        said = [*takewhile(lambda line: "epoch 1/2" not in line, process.stderr)]
        process.send_signal(signal.SIGINT)
        said += process.stderr.readlines()
    assert process.returncode == 130, "".join(said)
    assert said[-1] == "rl-editor: interrupted; `rl-editor pipeline --resume runs/pipeline-1` goes on\n"
    assert "Traceback" not in "".join(said)
    record = json.loads(Path("runs/pipeline-1/pipeline.json").read_text())
    assert record["finished"] == {}
