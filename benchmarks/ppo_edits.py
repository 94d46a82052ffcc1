"""What PPO makes of an imitating policy: its edits of songs that were never trained on, before and after.

    python benchmarks/ppo_edits.py --prepared PREPARED --runs RUN [RUN ...] [--side test] [--draws 8] [--most N]

RUN is the folder of a run of `fit --config ppo`, one a seed; PREPARED a prepared set beside its raws. *Before* is the
policy that a run began with, *after* the one that it left. Returns are what the environment of the run's own settings
pays: rules and reward model; *drawn* ones are means over `--draws` edits at the temperature of play, all else is of the
likeliest edit. All edits are asked for the true edit's length; takes whose songs a run says it has learned from are
left out. Brackets hold 95 % of 2,000 draws of as many songs, each take averaged over the runs. A take counts for a
figure where it is known of all its edits: an edit without joins has none that could be judged.

The curves of the runs go to `benchmarks/results/ppo_curves.csv`, a line a tick.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from policy_edits import Interval, Stage, by_song, heard_takes
from raters import Ear
from report import publish

from rl_editor.arrays import DoubleArray
from rl_editor.checkpoints import find
from rl_editor.cli.curves import Curve, read_run
from rl_editor.data.prepared import read_prepared
from rl_editor.edits.ruler.verdict import COMPARED, NAMES
from rl_editor.edits.worth import Prices
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.modules.edit_ppo import NOBODY
from rl_editor.policies import edit_scorer_file, policy_file
from rl_editor.policies.edit_scorer_file import LoadedScorer, load_scorer
from rl_editor.policies.imitation import overlap
from rl_editor.policies.policy_file import LoadedPolicy, load_policy
from rl_editor.policies.taught import HeardTake

COMPONENTS = tuple(f"ruler: {name}" for name in NAMES if name not in COMPARED)
LIKELIEST, DRAWN = "return", "return, drawn"
FIGURES = (
    LIKELIEST, DRAWN, "rules", "reward model", "overlap", "number of joins", "verdict", *COMPONENTS, "nats from before",
)  # fmt: skip
CURVES = ("train/ep_return", "train/reference_kl", "train/entropy", "val/ep_return", "val/overlap", "val/ruler")
RESULTS = Path(__file__).resolve().parent / "results"

Figures = Mapping[str, float]
"""By name of `FIGURES`; NaN where there is nothing to tell."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A run: what it began with, what it left, what it was paid by."""

    name: str
    before: LoadedPolicy
    after: LoadedPolicy
    scorer: LoadedScorer | None
    reward: RewardConfig
    temperature: float
    train_songs: frozenset[str]
    curves: Mapping[str, Curve]

    @property
    def pay(self) -> tuple[object, ...]:
        """What runs share whose beginning is judged alike."""
        return self.before.content_hash, self.reward, self.temperature, self.scorer and self.scorer.content_hash


def learned(folder: Path) -> Learned:
    """A run's folder, read."""
    known = read_run(folder, folder.name)
    assert known.config is not None, f"{folder}: no config.yaml"
    edit: dict[str, Any] = known.config["model"]["edit"]
    model = edit["reward_model"]
    told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return Learned(
        name=folder.name,
        before=load_policy(_named(edit["policy"], policy_file.NAME, folder)),
        after=load_policy(folder / policy_file.FILE),
        scorer=None if model == NOBODY else load_scorer(_named(model, edit_scorer_file.NAME, folder)),
        reward=RewardConfig(**{**edit["reward"], "prices": Prices(**edit["reward"]["prices"])}),
        temperature=edit["temperature"],
        train_songs=frozenset(told["data"]["train_songs"]),
        curves=known.curves,
    )


def _named(name: str, task: str, run: Path) -> Path:
    """What a run's settings name: first as seen from where its folder of runs lies."""
    seen = run.resolve().parent.parent / name
    return find(seen if seen.exists() else name, task, runs=run.parent)


def measured(stage: Stage, ear: Ear, policy: LoadedPolicy, run: Learned, draws: int) -> Figures:
    """What a policy's edits of a take amount to, by a run's settings."""
    played = stage.played(policy.policy, run.before.policy, draws, run.temperature)
    returned, model = played.returned, float("nan")
    if run.scorer is not None:
        paid = run.reward.learned * stage.scores(run.scorer.scorer, played.edits)
        returned, model = returned + paid, float(paid[0])
    likeliest, verdict = played.edits[0], ear.verdict(played.edits[0])
    scores = {f"ruler: {each.name}": each.score for each in verdict.components}
    return {
        LIKELIEST: float(returned[0]),
        DRAWN: float(returned[1:].mean()),
        "rules": float(played.returned[0]),
        "reward model": model,
        "overlap": overlap(likeliest, stage.take.kept, stage.take.track),
        "number of joins": float(len(likeliest.joins)),
        "verdict": verdict.alone,
        **{name: float("nan") if score is None else score for name, score in scores.items()},
        "nats from before": played.divergence,
    }


def figures_of(take: HeardTake, raw: Path, runs: Sequence[Learned], draws: int) -> DoubleArray:
    """One take, before and after each run, (runs, 2, figures)."""
    ear = Ear(raw, take.track)
    stages: dict[RewardConfig, Stage] = {}
    befores: dict[tuple[object, ...], Figures] = {}
    told = []
    for run in runs:
        stage = stages.get(run.reward) or stages.setdefault(run.reward, Stage(take, run.reward))
        before = befores.get(run.pay) or befores.setdefault(run.pay, measured(stage, ear, run.before, run, draws))
        after = measured(stage, ear, run.after, run, draws)
        told.append([[figures[name] for name in FIGURES] for figures in (before, after)])
    return np.array(told)


def differences(songs: Sequence[str], told: DoubleArray) -> dict[str, Interval]:
    """After less before, each take averaged over the runs, by figure.

    Args:
        songs: of each take.
        told: (takes, runs, 2, figures).
    """
    gained = (told[:, :, 1] - told[:, :, 0]).mean(axis=1)
    return {name: by_song(songs, gained[:, k]) for k, name in enumerate(FIGURES)}


def rows(told: DoubleArray, gained: Mapping[str, Interval]) -> Iterator[list[str]]:
    """A line for each figure that is known of any take."""
    for k, name in enumerate(FIGURES):
        own = told[..., k]
        known = ~np.isnan(own).any(axis=(1, 2))
        if not known.any():
            continue
        before, after = own[known].mean(axis=(0, 1))
        by_run = ", ".join(f"{value:+.3f}" for value in (own[known, :, 1] - own[known, :, 0]).mean(axis=0))
        yield [name, f"{before:.3f}", f"{after:.3f}", str(gained[name]), gained[name].verdict, by_run, str(known.sum())]


def verdict_text(gained: Mapping[str, Interval]) -> str:
    """Whether more is returned, and which components of the ruler got worse for sure."""
    worse = [name for name in COMPONENTS if gained[name].verdict == "below 0"]
    returns = f"Return after less before: likeliest {gained[LIKELIEST].verdict}, drawn {gained[DRAWN].verdict}."
    return f"{returns} Components of the ruler whose interval lies wholly below 0: {', '.join(worse) or 'none'}."


def curve_text(run: Learned) -> str:
    """How a run went on from beginning to end, as far as its validations and the last ticks tell."""
    told = [f"{name} {_ends(run.curves[name])}" for name in CURVES if name in run.curves]
    return f"{run.name}, first / highest / last: " + ", ".join(told) + "."


def _ends(curve: Curve) -> str:
    return " / ".join(f"{value:.3f}" for value in (curve.values[0], curve.values.max(), curve.values[-1]))


def keep_curves(runs: Sequence[Learned], file: Path) -> None:
    """Write the curves of runs, a line for each environment step at which anything was told."""
    with file.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["run", "env_steps", *CURVES])
        for run in runs:
            curves = [_by_step(run.curves.get(name)) for name in CURVES]
            for step in sorted(set().union(*curves)):
                cells = [f"{curve[step]:.4g}" if step in curve else "" for curve in curves]
                table.writerow([run.name, step, *cells])


def _by_step(curve: Curve | None) -> dict[int, float]:
    return {} if curve is None else dict(zip(curve.steps.tolist(), curve.values.tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--side", choices=("val", "test"), default="test")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--most", type=int, help="takes that are judged at most, of as many songs as there are")
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = [learned(folder) for folder in args.runs]
    heard = frozenset[str]().union(*(run.train_songs for run in runs))
    side = read_prepared(args.prepared).split(args.side)
    side = side.where(lambda entry: entry.measured is not None and entry.measured.song_hash not in heard)
    raws = {entry.key: args.prepared.parent / entry.measured.raw for entry in side.entries if entry.measured}
    takes = heard_takes(side, args.most)
    told = np.stack([figures_of(take, raws[take.key], runs, args.draws) for take in takes])
    songs = [take.song for take in takes]
    gained = differences(songs, told)
    keep_curves(runs, RESULTS / "ppo_curves.csv")
    publish(
        "ppo_edits",
        "Edits of songs that were never trained on, before PPO and after",
        ["figure", "before", "after", "difference (95 %, by song)", "interval and 0", "difference by run", "takes"],
        list(rows(told, gained)),
        f"{len(runs)} runs; {len(takes)} takes of {len(set(songs))} songs, side {args.side}. Returns are shares of the"
        " target beyond the best contiguous window, plus the reward model's score where a run has one.",
        verdict_text(gained),
        *map(curve_text, runs),
    )


if __name__ == "__main__":
    main()
