from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from torch.utils.tensorboard import SummaryWriter

from rl_editor.cli import plot
from rl_editor.cli.curves import Curve, Experiment, Run, experiments, read_run, smoothed, spread
from rl_editor.errors import DataError, EditorError

CONFIG = """\
seed_everything: {seed}
trainer:
  max_epochs: 4
  default_root_dir: {name}
  logger:
    init_args:
      name: {name}
model:
  config:
    lr: {lr}
"""


def log(folder: Path, points: Mapping[str, Sequence[tuple[int, float]]], suffix: str = "") -> None:
    with SummaryWriter(folder, filename_suffix=suffix) as writer:
        for metric, curve in points.items():
            for step, value in curve:
                writer.add_scalar(metric, value, step)


def make_run(
    folder: Path, *, seed: int = 7, lr: float = 0.1, loss: Sequence[float] = (3.0, 2.0, 1.0), name: str = "val/loss"
) -> Path:
    log(folder, {name: list(zip(range(0, 10 * len(loss), 10), loss, strict=True)), "epoch": [(0, 0.0)]})
    (folder / "config.yaml").write_text(CONFIG.format(seed=seed, name=folder.name, lr=lr))
    return folder


def run(*arguments: object) -> int:
    return plot.run(plot.parser().parse_args([str(argument) for argument in arguments]))


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_seeds_are_one_line_of_the_table_and_other_settings_another(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("runs/bc-seed1"), seed=1, loss=(3, 2, 1))
    make_run(Path("runs/bc-seed2"), seed=2, loss=(5, 4, 2))
    make_run(Path("runs/slow"), lr=0.01, loss=(6, 6, 6))
    assert run("bc-seed1", "runs/bc-seed2/", "slow") == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        ["metric", "run", "step", "last", "seeds"],
        ["val/loss", "bc", "(seeds", "1,", "2)", "20", "1.5", "2,", "1", "to", "2"],
        ["val/loss", "slow", "20", "6"],
        ["->", "curves.png"],
    ]
    assert err == ""
    assert imread("curves.png").std() > 0


def test_runs_of_any_name_belong_together_by_their_config() -> None:
    names = ("a", "b", "c", "bc-seed1")
    runs = [read_run(make_run(Path(name), seed=number, lr=0.1 + 0.1 * (name == "c")), name)
            for number, name in enumerate(names)]  # fmt: skip
    assert [each.label for each in experiments(runs)] == ["a, b, bc-seed1 (seeds 0, 1, 3)", "c"]


def test_runs_that_do_not_tell_their_config_stand_alone() -> None:
    runs = [Run(name, {}) for name in ("a-seed1", "a-seed2")]
    assert [each.label for each in experiments(runs)] == ["a-seed1", "a-seed2"]


def test_a_run_named_twice_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("runs/bc"))
    assert run("bc", "runs/bc", "./runs/../runs/bc") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:-1]] == [["val/loss", "bc", "20", "1"]]


def test_a_resumed_run_is_one_curve_and_what_was_logged_later_counts() -> None:
    log(Path("bc"), {"loss": [(0, 9.0), (10, 8.0), (20, 7.0)]}, suffix=".1")
    log(Path("bc"), {"loss": [(10, 5.0), (20, 4.0), (30, 3.0)]}, suffix=".2")
    curve = read_run(Path("bc"), "bc").curves["loss"]
    assert curve.steps.tolist() == [0, 10, 20, 30]
    assert curve.values.tolist() == [9.0, 5.0, 4.0, 3.0]


def test_what_a_resumed_run_declared_void_is_not_drawn_nor_talked_about(capfd: pytest.CaptureFixture[str]) -> None:
    log(Path("bc"), {"loss": [(step, 1.0) for step in range(10)]}, suffix=".1")
    with SummaryWriter("bc", filename_suffix=".2", purge_step=6) as writer:
        writer.add_scalar("loss", 5.0, 6)
    curve = read_run(Path("bc"), "bc").curves["loss"]
    assert curve.values.tolist() == [1.0] * 6 + [5.0]
    assert capfd.readouterr().err == ""


def test_events_below_the_run_folder_are_found_and_one_that_broke_off_gives_what_it_has() -> None:
    log(Path("bc/version_0"), {"loss": [(step, 1.0) for step in range(10)]})
    (events,) = Path("bc/version_0").iterdir()
    events.write_bytes(events.read_bytes()[:-7])
    assert read_run(Path("bc"), "bc").curves["loss"].steps.tolist() == list(range(9))


def test_metrics_are_chosen_by_name_or_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    log(Path("bc"), {name: [(0, 1.0)] for name in ("train/loss", "val/loss", "val/overlap", "hp_metric")})
    run("bc", "--metrics", "val/*", "train/loss")
    run("bc", "--metrics", "val/loss", "--overwrite")
    run("bc", "--overwrite")
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert told == [
        *("metric", "train/loss", "val/loss", "val/overlap", "->"),
        *("metric", "val/loss", "->"),
        *("metric", "train/loss", "val/loss", "val/overlap", "->"),
    ]
    with pytest.raises(DataError, match=r"los: no such metric in bc; there are train/loss, val/loss, val/overlap"):
        run("bc", "--metrics", "los", "--overwrite")


def test_a_metric_that_one_run_lacks_is_told_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("a"), name="loss")
    make_run(Path("b"), name="return", lr=0.2)
    assert run("a", "b") == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:-1]] == [["loss", "a"], ["return", "b"]]


def test_many_metrics_are_all_told_but_not_all_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "_MOST_PANELS", 2)
    log(Path("bc"), {f"loss/{number}": [(0, 1.0)] for number in range(5)})
    assert run("bc") == 0
    out, err = capsys.readouterr()
    assert out.count("loss/") == 5
    assert err == "rl-editor: note: 2 of 5 metrics are drawn; --metrics chooses\n"


def test_a_picture_is_replaced_only_where_asked_and_the_same_runs_give_the_same_one() -> None:
    make_run(Path("bc"), loss=np.sin(np.arange(60)))
    assert run("bc", "-o", "a.png") == 0
    first = Path("a.png").read_bytes()
    with pytest.raises(EditorError, match=r"a\.png: exists already; --overwrite replaces it"):
        run("bc", "-o", "a.png")
    assert run("bc", "-o", "a.png", "--overwrite") == 0
    assert Path("a.png").read_bytes() == first
    assert run("bc", "-o", "a.png", "--overwrite", "--smooth") == 0
    assert Path("a.png").read_bytes() != first


def test_only_a_png_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("bc"))
    assert run("bc", "-o", "curves.svg") == 2
    assert "call it curves.png" in capsys.readouterr().err
    assert not Path("curves.svg").exists()


def test_names_that_look_like_formulas_or_lack_letters_in_the_font_are_drawn_as_they_are() -> None:
    make_run(Path("$\\alpha 练习"), name="$x_{")
    assert run("$\\alpha 练习") == 0


def test_what_has_no_curves_is_told() -> None:
    make_run(Path("runs/bc"))
    Path("empty").mkdir()
    Path("damaged").mkdir()
    Path("damaged/events.out.tfevents.1").write_bytes(b"not events, but long enough to be read as some")
    log(Path("beginning"), {"epoch": [(0, 0.0)]})
    for name, match in {
        "nothing": "nothing: no such run, neither a folder nor in runs",
        "empty": "empty: no curves in it",
        "damaged": "hold no figures yet, or are damaged",
        "beginning": "hold no figures yet, or are damaged",
        "runs": "runs: a folder of runs; name the runs in it",
    }.items():
        with pytest.raises(DataError, match=match):
            run(name)
    assert not Path("curves.png").exists()


@pytest.mark.parametrize("config", ["a: [", "text", "\x00"])
def test_a_config_that_cannot_be_read_is_told(config: str) -> None:
    (make_run(Path("bc")) / "config.yaml").write_text(config)
    with pytest.raises(DataError, match=r"bc/config\.yaml: (can't be read as|not) a run's config"):
        run("bc")


def test_the_spread_is_where_all_seeds_are_and_straight_between_their_steps() -> None:
    one = Curve(np.array([0, 10, 20, 30]), np.array([0.0, 1.0, 2.0, 3.0]))
    two = Curve(np.array([5, 25]), np.array([5.0, 7.0]))
    common = spread([one, two])
    assert common.steps.tolist() == [5, 10, 20, 25]
    np.testing.assert_allclose(common.lowest, [0.5, 1.0, 2.0, 2.5])
    np.testing.assert_allclose(common.highest, [5.0, 5.5, 6.5, 7.0])
    np.testing.assert_allclose(common.mean, [2.75, 3.25, 4.25, 4.75])


def test_seeds_without_a_step_in_common_have_no_spread() -> None:
    runs = [Run(str(k), {"loss": Curve(np.array([k]), np.array([1.0]))}, {"seed_everything": k}) for k in range(2)]
    (experiment,) = experiments(runs)
    assert plot.last_figures([experiment], ["loss"]).splitlines()[1].endswith("no step in common")
    plot.picture([experiment], ["loss"], smooth=True).canvas.draw()


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    steps = sorted(draw(st.sets(st.integers(0, 60), min_size=1, max_size=50)))
    values = draw(st.lists(st.floats(-1e3, 1e3), min_size=len(steps), max_size=len(steps)))
    return Curve(np.array(steps), np.array(values))


@given(curve=curves())
def test_one_curve_is_its_own_spread(curve: Curve) -> None:
    common = spread([curve])
    assert np.array_equal(common.steps, curve.steps)
    for drawn in common[1:]:
        np.testing.assert_allclose(drawn, curve.values)


@given(seeds=st.lists(curves(), min_size=1, max_size=4))
def test_the_mean_lies_between_the_lowest_and_the_highest(seeds: list[Curve]) -> None:
    common = spread(seeds)
    assert (common.lowest <= common.mean + 1e-9).all()
    assert (common.mean <= common.highest + 1e-9).all()


@given(curve=curves())
def test_smoothing_stays_within_the_curve_and_keeps_one_that_is_flat(curve: Curve) -> None:
    smooth = smoothed(curve)
    assert smooth.steps is curve.steps
    assert curve.values.min() - 1e-9 <= smooth.values.min() <= smooth.values.max() <= curve.values.max() + 1e-9
    flat = Curve(curve.steps, np.full(len(curve.steps), 2.5))
    np.testing.assert_allclose(smoothed(flat).values, 2.5)


def test_smoothing_is_a_centred_mean_over_a_twentieth() -> None:
    impulse = np.zeros(100)
    impulse[50] = 1.0
    smooth = smoothed(Curve(np.arange(100), impulse)).values
    np.testing.assert_allclose(smooth[48:53], 0.2)
    assert smooth.sum() == pytest.approx(1.0)


def test_an_experiment_has_the_curves_of_those_runs_that_have_the_metric() -> None:
    curve = Curve(np.array([0]), np.array([1.0]))
    assert Experiment("x", [Run("a", {"loss": curve}), Run("b", {})]).curves("loss") == [curve]
