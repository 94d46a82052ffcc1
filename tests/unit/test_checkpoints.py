import json
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from rl_editor import checkpoints
from rl_editor.checkpoint_card import UNTOLD, Card, DataSource, Figure, headline
from rl_editor.checkpoints import (
    Loaded,
    card_path,
    find,
    load,
    own_checkpoints,
    read_card,
    read_header,
    save,
    shipped_checkpoints,
)
from rl_editor.errors import CheckpointError, EditorError

CARD = Card(
    task="policy",
    what="A policy that imitates true edits.",
    inputs="A Track and a request.",
    data=[DataSource("music, cc rows", "CC BY 4.0", "ab12"), DataSource("sample songs", "CC0", "cd34")],
    split="By song.",
    recipe="bc.yaml",
    commit="fc1172c",
    seeds=(7, 8),
    licence="CC BY 4.0",
    figures=[Figure("overlap", 0.6312, (0.6, 0.66), "96 takes of 24 songs"), Figure("steps", 12345.0)],
    figures_command="rl-editor test --checkpoint bc",
    limits=["Solo piano was not tried."],
)
CONFIG = {"width": 64, "names": ["a", "b"], "rate": 1e-3}


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "net.weight": torch.randn(5, 7, generator=generator),
        "net.bias": torch.randn(5, generator=generator),
        "normaliser.mean": torch.tensor([1e-9, 44100.123, 3e7]),
        "normaliser.count": torch.tensor(2**40 + 1),
    }


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "policy.safetensors"
    save(path, weights(), config=CONFIG, card=CARD)
    return path


def load_or_complaint(path: Path) -> tuple[Loaded | None, str]:
    try:
        return load(path), ""
    except CheckpointError as error:
        return None, str(error)


def assert_same(one: Loaded, other: Loaded) -> None:
    assert one[1:] == other[1:]
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)


def test_matrices_come_back_as_float16_holds_them_and_all_else_exactly(saved: Path) -> None:
    loaded, given = load(saved, "policy"), weights()
    assert torch.equal(loaded.tensors["net.weight"], given["net.weight"].half().float())
    for name in ("net.bias", "normaliser.mean", "normaliser.count"):
        assert torch.equal(loaded.tensors[name], given[name])
    assert loaded.tensors["net.weight"].dtype == loaded.tensors["net.bias"].dtype == torch.float32
    assert loaded.tensors["normaliser.count"].dtype == torch.int64
    assert (loaded.config, loaded.task) == (CONFIG, "policy")


def test_half_the_bytes_hold_a_matrix(tmp_path: Path) -> None:
    save(tmp_path / "big.safetensors", {"w": torch.ones(500, 100)}, config={}, card=CARD)
    assert 100_000 <= (tmp_path / "big.safetensors").stat().st_size < 101_000


@pytest.mark.parametrize("scale", [1e-9, 1e6, float("inf")])
def test_a_matrix_that_float16_cannot_hold_stays_float32(tmp_path: Path, scale: float) -> None:
    matrix = torch.ones(2, 3) * scale
    save(tmp_path / "w.safetensors", {"w": matrix}, config={}, card=CARD)
    assert torch.equal(load(tmp_path / "w.safetensors").tensors["w"], matrix)


def test_a_row_of_statistics_with_axes_of_one_stays_float32(tmp_path: Path) -> None:
    row = torch.tensor([[[1e-7, 1.0, 0.1]]])
    save(tmp_path / "w.safetensors", {"mean": row}, config={}, card=CARD)
    assert torch.equal(load(tmp_path / "w.safetensors").tensors["mean"], row)


def test_tied_and_transposed_weights_can_be_saved(tmp_path: Path) -> None:
    tied = torch.arange(6.0).reshape(2, 3)
    tensors = {"a": tied, "b": tied, "c": tied.T, "d": torch.zeros(0, 4), "e": torch.nn.Parameter(tied)}
    save(tmp_path / "w.safetensors", tensors, config={}, card=CARD)
    loaded = load(tmp_path / "w.safetensors").tensors
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_what_was_loaded_and_saved_again_is_the_same_file(saved: Path, tmp_path: Path) -> None:
    loaded = load(saved)
    again = tmp_path / "again" / "policy.safetensors"
    assert save(again, loaded.tensors, config=loaded.config, card=CARD) == loaded.content_hash
    assert again.read_bytes() == saved.read_bytes()
    assert card_path(again).read_bytes() == card_path(saved).read_bytes()


def test_another_process_writes_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rl_editor.checkpoint_card import Card\n"
        "from rl_editor.checkpoints import load, save\n"
        "loaded = load(Path(sys.argv[1]))\n"
        "card = Card('policy', '', '', [], '', '', '', [], '')\n"
        "save(Path(sys.argv[2]), loaded.tensors, config=loaded.config, card=card)"
    )
    other = tmp_path / "other.safetensors"
    subprocess.run([sys.executable, "-c", code, str(saved), str(other)], check=True, timeout=120)
    assert other.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    "change",
    [{"card": replace(CARD, task="reward")}, {"config": {"width": 65}}, {"tensors": {"other": torch.zeros(2)}}],
)
def test_the_hash_is_of_task_config_and_weights(tmp_path: Path, change: dict) -> None:
    whole = {"tensors": {"w": torch.zeros(2)}, "config": {"width": 64}, "card": CARD}
    hashes = [save(tmp_path / f"{k}.safetensors", **what) for k, what in enumerate((whole, whole | change))]
    assert hashes[0] != hashes[1]


def test_a_config_comes_back_as_json_has_it(tmp_path: Path) -> None:
    config = {"by_kind": {10: (1, 2), 2: None}, "\u00e9": -0.0}
    save(tmp_path / "w.safetensors", {}, config=config, card=CARD)
    assert load(tmp_path / "w.safetensors").config == json.loads(json.dumps(config))


def test_the_hash_is_not_of_the_card(tmp_path: Path) -> None:
    cards = (CARD, replace(CARD, limits=[]))
    hashes = {save(tmp_path / f"{k}.safetensors", weights(), config=CONFIG, card=card) for k, card in enumerate(cards)}
    assert len(hashes) == 1


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_file_with_a_byte_changed_is_refused_unless_it_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, place: float, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    path, changed = folder / "policy.safetensors", folder / "changed.safetensors"
    save(path, weights(), config=CONFIG, card=CARD)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = byte
    changed.write_bytes(content)
    loaded, complaint = load_or_complaint(changed)
    if loaded is not None:
        assert_same(loaded, load(path))
    else:
        assert complaint.startswith(f"{changed}: ")
        assert "\n" not in complaint


@pytest.mark.parametrize("end", [0, 5, 100, -20, -1])
def test_a_file_that_broke_off_is_refused(saved: Path, end: int) -> None:
    saved.write_bytes(saved.read_bytes()[:end])
    with pytest.raises(CheckpointError, match="damaged"):
        load(saved)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(CheckpointError, match="no such file"):
            load(path)


def test_weights_of_another_task_are_refused(saved: Path) -> None:
    with pytest.raises(CheckpointError, match="weights of task policy; reward is needed here"):
        load(saved, "reward")


def rewritten(saved: Path, metadata: dict[str, str] | None) -> Path:
    path = saved.with_name("rewritten.safetensors")
    save_file(weights(), path, metadata)
    return path


def test_another_format_or_another_program_is_told(saved: Path) -> None:
    with safe_open(saved, framework="np") as file:
        entry = json.loads(file.metadata()["rl_editor"])
    with pytest.raises(CheckpointError, match="format 2; this rl-editor reads format 1"):
        load(rewritten(saved, {"rl_editor": json.dumps(entry | {"version": 2})}))
    with pytest.raises(CheckpointError, match="its content is not what was saved"):
        load(rewritten(saved, {"rl_editor": json.dumps(entry | {"config": {}})}))
    with pytest.raises(CheckpointError, match="does not tell its task"):
        load(rewritten(saved, {"rl_editor": json.dumps(entry | {"task": 1})}))
    for foreign in (None, {"format": "pt"}, {"rl_editor": "[]"}):
        with pytest.raises(CheckpointError, match="not a checkpoint of rl-editor"):
            load(rewritten(saved, foreign))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_told_and_not_opened(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"w": torch.zeros(3)}, path, _use_new_zipfile_serialization=zipped)
    assert zipfile.is_zipfile(path) == zipped
    with pytest.raises(CheckpointError, match="a pickle"):
        load(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="a pickle"):
        load(path)


class Bomb:
    def __reduce__(self) -> tuple:
        return pytest.fail, ("it was opened",)


def test_a_head_of_any_length_is_not_taken_for_a_pickle(tmp_path: Path) -> None:
    starts = set()
    for length in range(0, 512, 8):
        path = tmp_path / f"{length}.safetensors"
        save(path, {"w": torch.zeros(1)}, config={"text": "x" * length}, card=CARD)
        starts.add(path.read_bytes()[0])
        assert load(path).config == {"text": "x" * length}
    assert 0x80 in starts


def test_weights_that_are_no_numbers_and_configs_beyond_json_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(CheckpointError, match=r"net\.w: holds values that are no numbers"):
        save(path, {"net.w": torch.tensor([[0.0, float("nan")]])}, config={}, card=CARD)
    for config in ({"path": path}, {"rate": float("nan")}):
        with pytest.raises(CheckpointError, match="must be what JSON can hold"):
            save(path, {}, config=config, card=CARD)
    with pytest.raises(CheckpointError, match=r"is called NAME\.safetensors"):
        save(tmp_path / "w.ckpt", {}, config={}, card=CARD)
    assert not list(tmp_path.iterdir())


def test_a_card_finished_by_hand_is_not_replaced_unasked(saved: Path) -> None:
    card_path(saved).write_text("by hand")
    before = saved.read_bytes()
    saved.unlink()
    with pytest.raises(EditorError, match=r"policy\.md: exists already"):
        save(saved, weights(), config=CONFIG, card=CARD)
    assert not saved.exists()
    save(saved, weights(), config=CONFIG, card=CARD, overwrite=True)
    assert saved.read_bytes() == before
    assert read_card(saved) != "by hand"


def test_a_card_tells_all_it_knows_and_where_a_hand_is_needed(saved: Path) -> None:
    card = read_card(saved)
    for told in (
        "# policy\n", "imitates true edits", "A Track and a request", "| music, cc rows | CC BY 4.0 | ab12 |",
        "By song.", "bc.yaml", "fc1172c", "seeds: 7, 8", "licence of the weights: CC BY 4.0",
        "| overlap | 0.63 (0.60 to 0.66) | 96 takes of 24 songs |", "| steps | 12,345 | - |",
        "`rl-editor test --checkpoint bc`", "- Solo piano was not tried.", load(saved).content_hash, "weights: 44",
    ):  # fmt: skip
        assert told in card
    assert UNTOLD not in card
    bare = Card("policy", "", "", [], "", "", "", [], "").markdown("x", content_hash="", n_weights=0)
    assert bare.count(UNTOLD) == 11
    for title in ("What it is", "Inputs", "Training data", "Split", "Held-out figures", "Limits"):
        assert f"## {title}\n{UNTOLD}\n" in bare


def test_a_table_keeps_its_shape_whatever_its_cells_hold() -> None:
    card = replace(CARD, data=[DataSource("a | b\nc", "", "ff")])
    assert "| a \\| b c | - | ff |" in card.markdown("x", content_hash="", n_weights=0)


def test_the_headline_is_the_first_quoted_line(saved: Path) -> None:
    assert headline(read_card(saved)) == "overlap 0.63 (0.60 to 0.66), 96 takes of 24 songs"
    assert headline("# x\n>  by hand \n> more\n") == "by hand"
    assert headline(f"# x\n> {UNTOLD}\n") == headline("# x\n") == ""


def test_a_missing_or_unreadable_card_is_told(saved: Path) -> None:
    card_path(saved).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CheckpointError, match="can't be read as a card"):
        read_card(saved)
    card_path(saved).unlink()
    with pytest.raises(CheckpointError, match=r"has no card \(policy\.md\)"):
        read_card(saved)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with runs and shipped checkpoints."""
    for name in (
        "shipped/bc.safetensors", "shipped/old.safetensors", "shipped/README.md", "runs/bc-1/policy.safetensors",
        "runs/ppo-1/policy.safetensors", "runs/ppo-1/reward.safetensors", "runs/ppo-1/.rl-editor.x.safetensors",
        "runs/old/config.yaml", "runs/old/checkpoints/last.ckpt", "elsewhere/run/policy.safetensors", "bc/notes.txt",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(checkpoints, "shipped_folder", lambda kind: tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "task", "found"),
    [
        ("bc", "policy", "shipped/bc.safetensors"),
        ("bc.safetensors", None, "shipped/bc.safetensors"),
        ("bc-1", "policy", "runs/bc-1/policy.safetensors"),
        ("bc-1", None, "runs/bc-1/policy.safetensors"),
        ("runs/bc-1", "policy", "runs/bc-1/policy.safetensors"),
        ("ppo-1", "reward", "runs/ppo-1/reward.safetensors"),
        ("ppo-1/policy", None, "runs/ppo-1/policy.safetensors"),
        ("elsewhere/run", "policy", "elsewhere/run/policy.safetensors"),
        ("elsewhere/run/policy.safetensors", "reward", "elsewhere/run/policy.safetensors"),
        ("runs/old/checkpoints/last.ckpt", "policy", "runs/old/checkpoints/last.ckpt"),
    ],
)
def test_a_checkpoint_is_found_by_file_run_or_shipped_name(
    house: Path, name: str, task: str | None, found: str
) -> None:
    assert find(name, task).resolve() == house / found


@pytest.mark.parametrize(
    ("name", "task", "match"),
    [
        ("ppo-1", None, "holds policy.safetensors, reward.safetensors"),
        ("bc-1", "reward", "should hold reward.safetensors; holds policy.safetensors"),
        ("nothing", "policy", r"nothing: no checkpoint file, no run in runs, .*those are: bc, old"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(house: Path, name: str, task: str | None, match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        find(name, task)


def test_a_run_without_a_checkpoint_is_not_passed_over_for_a_shipped_one(house: Path) -> None:
    with pytest.raises(CheckpointError, match=r"runs/old: should hold policy\.safetensors; holds none yet"):
        find("old", "policy")


def test_runs_may_be_elsewhere(house: Path) -> None:
    assert find("run", "policy", runs=Path("elsewhere")) == Path("elsewhere/run/policy.safetensors")


def test_own_checkpoints_are_those_of_run_folders(house: Path) -> None:
    own = [str(path) for path in own_checkpoints(Path("runs"))]
    assert own == ["runs/bc-1/policy.safetensors", "runs/ppo-1/policy.safetensors", "runs/ppo-1/reward.safetensors"]
    assert own_checkpoints(Path("nowhere")) == []
    assert [path.name for path in shipped_checkpoints()] == ["bc.safetensors", "old.safetensors"]


def test_the_header_needs_no_torch(saved: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rl_editor.checkpoints import read_header\n"
        "assert read_header(Path(sys.argv[1])).task == 'policy'\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True, timeout=60)
    loaded = load(saved)
    assert read_header(saved) == (loaded.task, loaded.config, loaded.content_hash)


def test_importing_the_module_is_light() -> None:
    code = (
        "import sys, rl_editor.checkpoints\n"
        "assert not {'torch', 'safetensors', 'lightning', 'librosa'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


SHIPPED = shipped_checkpoints()


@pytest.mark.skipif(not SHIPPED, reason="no checkpoint is shipped")
def test_shipped_checkpoints_are_small_together() -> None:
    assert sum(path.stat().st_size for path in SHIPPED) <= 20e6


@pytest.mark.skipif(not SHIPPED, reason="no checkpoint is shipped")
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_checkpoint_loads_and_has_a_finished_card_of_its_own(path: Path) -> None:
    loaded, card = load(path), read_card(path)
    assert loaded.content_hash in card
    assert UNTOLD not in card
    assert headline(card)
    assert f"task: {loaded.task}" in card
    assert all(np.isfinite(tensor.numpy()).all() for tensor in loaded.tensors.values())
