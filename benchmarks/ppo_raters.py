"""PPO against a simulated rater: does what the rater likes rise, or only what the reward model says?

    python benchmarks/ppo_raters.py --prepared PREPARED --work DIR [--rater 0] [--reward RUN] [--seeds 3] [SETTING ...]

The rater and the reward model are those of `reward_raters.py`, whose `--work` this takes, or makes: the model has
learned from 2,000 answers. `fit --config ppo` goes on from the shipped policy (or `--policy`) against that model, once
a seed, and once against the model's first member alone; SETTINGs go to `fit`. Judged are takes of songs that neither
policy nor model was trained on, at the policy of each validation: by the rater's hidden utility (its audible half is
heard in the rendered edits), in units of its spread within the recordings of the pools, and by the model. `--draws`
edits are drawn a take; of 16 that the first policy drew, the model chooses the best. Divergence is in nats an edit,
exact in each decision, mean over drawn edits; that of the best of n is ln n - (n-1)/n at most. Brackets hold 95 % of
2,000 draws of as many songs, each take averaged over the seeds.

All figures go to `benchmarks/results/ppo_raters.csv`, and against the divergence to `ppo_raters.png`. All else stays in
DIR; what is there is not made again.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, sqrt
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from policy_edits import Interval, Stage, by_song, heard_takes
from raters import Ear, Perceived, Pool, Utility, answers, hidden_utility
from report import publish
from reward_raters import ANSWERS, PRETRAINED, REFIT, REFITTED, fitted, pools_of, rl_editor, subset

from rl_editor.arrays import DoubleArray
from rl_editor.checkpoint_card import Card
from rl_editor.checkpoints import find
from rl_editor.cli.curves import read_run
from rl_editor.data.comparisons import write_comparisons
from rl_editor.data.prepared import read_prepared
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.modules.weights import read_weights
from rl_editor.policies import edit_scorer_file, policy_file
from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.edit_scorer_file import load_scorer, save_scorer
from rl_editor.policies.policy import Policy
from rl_editor.policies.policy_file import load_policy
from rl_editor.policies.taught import HeardTake

ENSEMBLE, SINGLE = "ensemble", "one member"
BEST_OF = 16
FIGURES = ("nats", "utility, drawn", "utility, likeliest", "model, drawn", "model, likeliest")
NATS, DRAWN, LIKELIEST, MODEL = range(4)
_WEIGHTS = "actor_critic.policy."
_RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, eq=False)
class Trained:
    """A run of PPO, and the policies that it passed through."""

    model: str
    """What it was paid by: `ENSEMBLE` or `SINGLE`."""
    seed: int
    policies: Mapping[int, Policy]
    """By epochs of training behind them."""
    temperature: float
    """That edits are drawn at."""


@dataclass(frozen=True, eq=False)
class Best:
    """What the model's choice of 16 edits of the first policy is worth."""

    utility: float
    drawn: float
    """What the 16 are worth in the mean."""


def model_of(work: Path, prepared: Path, pools: Sequence[Pool], rater: int, utility: Utility) -> Path:
    """The reward model fitted to a rater's answers, made unless it is there."""
    name = f"rater_{rater}_all"
    if not (work / f"{name}.json").exists():
        worth = [[utility.of(Perceived(p.visible, p.heard), p) for p in side] for side in _sides(pools)]
        listener, drawn = f"rater {rater}", np.random.default_rng((rater, 2, ANSWERS))
        told = [*answers(_sides(pools)[0], worth[0], listener, ANSWERS, drawn)]
        test = [*answers(_sides(pools)[1], worth[1], listener, None, np.random.default_rng((rater, 2, 0)))]
        file = work / "pools" / f"{name}.jsonl"
        write_comparisons(file, [*told, *test], overwrite=True)
        fitted(work, "pretrained", prepared, PRETRAINED)
        fitted(work, name, work / "prepared", REFITTED, "--comparisons", file.relative_to(work), *REFIT)
    return work / "runs" / name / edit_scorer_file.FILE


def _sides(pools: Sequence[Pool]) -> tuple[list[Pool], list[Pool]]:
    return [p for p in pools if p.entry.split != "test"], [p for p in pools if p.entry.split == "test"]


def one_member(file: Path, out: Path) -> Path:
    """A reward model's first member as a reward model."""
    whole = load_scorer(file).scorer
    single = EditScorer(replace(whole.config, members=1))
    own = single.state_dict()
    single.load_state_dict({name: each[:1] if name in ("centre", "spread") else each
                            for name, each in whole.state_dict().items() if name in own})  # fmt: skip
    what = f"The first member of {file.parent.name}'s reward model, to show what an ensemble is for."
    card = Card("reward", what, "As the whole.", data=[], split="", recipe="reward", commit="", seeds=(), licence="")
    save_scorer(out, single, card, overwrite=True)
    return out


def trained(work: Path, model: str, reward: Path, first: Path, seed: int, settings: Sequence[object]) -> Trained:
    """A run of PPO against a reward model; one that was stopped goes on, one that is there is read."""
    name = f"ppo_{reward.parent.name}_{seed}"
    folder = work / "runs" / name
    if folder.exists():
        rl_editor(work, "fit", "--resume", name, "--quiet")
    else:
        what = ("--model.edit.policy", first, "--model.edit.reward_model", reward, "--model.edit.show.takes", 0)
        rl_editor(work, "fit", "--config", "ppo", "--name", name, "--seed_everything", seed, *what, *settings)
    policies = {0: load_policy(first).policy}
    for file in sorted((folder / "checkpoints").glob("[0-9]*.ckpt"), key=lambda file: int(file.stem)):
        policy = load_policy(folder / policy_file.FILE).policy
        weights = read_weights(file)
        own = {name.removeprefix(_WEIGHTS): each for name, each in weights.items() if name.startswith(_WEIGHTS)}
        policy.load_state_dict(own)
        policies[int(file.stem) + 1] = policy.eval()
    known = read_run(folder, name).config
    assert known is not None
    return Trained(model, seed, policies, known["model"]["edit"]["temperature"])


def settings_of(prepared: Path, every: int, more: Sequence[str]) -> list[object]:
    """What `fit` is told; a policy is kept at each validation."""
    init = {"every_n_epochs": every, "save_top_k": -1, "filename": "{epoch}", "auto_insert_metric_name": False}
    keep = [{"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": init}]
    data = ("--data.takes.folder", prepared, "--data.takes.jobs", 1)
    often = ("--trainer.check_val_every_n_epoch", every, "--trainer.callbacks", json.dumps(keep))
    return [*data, *often, "--trainer.accelerator", "cpu", "--quiet", *more]


def judged(
    take: HeardTake, ear: Ear, pool: Pool, utility: Utility, models: Mapping[str, EditScorer],
    runs: Sequence[Trained], draws: int,
) -> tuple[DoubleArray, dict[str, Best]]:  # fmt: skip
    """One take, edited by all policies of all runs, (runs, policies, figures), and the choices of each model.

    Args:
        take: of a song that nobody was trained on.
        ear: listens to its edits.
        pool: of the take.
        utility: the rater's.
        models: by name.
        runs: with equally many policies, and of one temperature.
        draws: edits that are drawn of each policy.
    """
    stage, first = Stage(take, RewardConfig()), runs[0].policies[0]
    temperature = runs[0].temperature
    begun = stage.played(first, first, BEST_OF, temperature)
    worth_begun = utility.of(ear.perceived(begun.edits), pool)
    told = np.empty((len(runs), len(runs[0].policies), len(FIGURES)))
    for r, run in enumerate(runs):
        for c, (epoch, policy) in enumerate(run.policies.items()):
            played = stage.played(policy, first, draws, temperature) if epoch else begun
            worth = utility.of(ear.perceived(played.edits), pool) if epoch else worth_begun
            said = stage.scores(models[run.model], played.edits)
            told[r, c] = played.divergence, worth[1:].mean(), worth[0], said[1:].mean(), said[0]
    chosen = {name: 1 + int(stage.scores(model, begun.edits[1:]).argmax()) for name, model in models.items()}
    drawn = float(worth_begun[1:].mean())
    return told, {name: Best(float(worth_begun[k]), drawn) for name, k in chosen.items()}


def of_model(runs: Sequence[Trained], told: DoubleArray, model: str) -> DoubleArray:
    """The figures of the runs against one model, (takes, runs, policies, figures)."""
    return told[:, [k for k, run in enumerate(runs) if run.model == model]]


def rows(songs: Sequence[str], runs: Sequence[Trained], told: DoubleArray) -> Iterator[list[str]]:
    """A line for each policy of the runs, by model."""
    for model in (ENSEMBLE, SINGLE):
        own = of_model(runs, told, model).mean(axis=1)
        for c, epoch in enumerate(runs[0].policies):
            nats, drawn, likeliest, said, _ = own[:, c].mean(axis=0)
            gained = [str(by_song(songs, own[:, c, k] - own[:, 0, k])) for k in (DRAWN, LIKELIEST)] if c else ["", ""]
            cells = [f"{value:.3f}" for value in (drawn, likeliest, said)]
            yield [model, str(epoch), f"{nats:.1f}", cells[0], gained[0], cells[1], gained[1], cells[2]]


def result_texts(
    songs: Sequence[str], runs: Sequence[Trained], told: DoubleArray, bests: Sequence[Mapping[str, Best]]
) -> Iterator[str]:
    """What rose, by seeds; the best of 16 beside it; whether it falls at the end."""
    for model in (ENSEMBLE, SINGLE):
        own = of_model(runs, told, model)
        gained = own[:, :, -1] - own[:, :, 0]
        by_seed = ", ".join(f"{value:+.3f}" for value in gained[..., DRAWN].mean(axis=0))
        best, pool = np.array([[each[model].utility, each[model].drawn] for each in bests]).T
        chosen = [by_song(songs, best - each) for each in (pool, own[:, 0, 0, LIKELIEST])]
        above = [by_song(songs, own[:, :, -1, k].mean(axis=1) - best) for k in (DRAWN, LIKELIEST)]
        rose = [by_song(songs, gained[..., k].mean(axis=1)) for k in (DRAWN, LIKELIEST)]
        yield (
            f"{model}: hidden utility after less before, drawn edits {rose[0]} ({rose[0].verdict}; seed by seed"
            f" {by_seed}), likeliest edit {rose[1]} ({rose[1].verdict}). Best of {BEST_OF} by the model, less what it"
            f" was chosen from {chosen[0]}, less the first policy's likeliest edit {chosen[1]}; PPO's drawn edits less"
            f" the best of {BEST_OF} {above[0]}, its likeliest edit less that {above[1]}."
        )
        fell = falls(songs, own.mean(axis=1))
        yield f"{model}: at the end less at the best validation, drawn edits {fell} ({fell.verdict})."


def falls(songs: Sequence[str], told: DoubleArray) -> Interval:
    """The hidden utility of the last policy's drawn edits less that of the policy with the highest mean.

    The highest of several means is in part so by chance, so who does not fall comes out a little below 0.
    """
    utility = told[..., DRAWN]
    return by_song(songs, utility[:, -1] - utility[:, utility.mean(axis=0).argmax()])


def keep_figures(runs: Sequence[Trained], told: DoubleArray, file: Path) -> None:
    """Write the mean figures of each policy, a line each."""
    with file.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["model", "seed", "epochs", *FIGURES])
        for run, means in zip(runs, told.mean(axis=0), strict=True):
            for epoch, own in zip(run.policies, means, strict=True):
                table.writerow([run.model, run.seed, epoch, *(f"{value:.4f}" for value in own)])


def draw(runs: Sequence[Trained], told: DoubleArray, best: float, file: Path) -> None:
    """Draw utility and the model's score over the divergence, both above the first policy's.

    Args:
        runs: a line each.
        told: (takes, runs, policies, figures).
        best: what the best of 16 is worth above the first policy's drawn edits.
        file: PNG.
    """
    figure = Figure(figsize=(7.0, 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    colours = {ENSEMBLE: "tab:blue", SINGLE: "tab:red"}
    for run, means in zip(runs, told.mean(axis=0), strict=True):
        x = np.sqrt(np.maximum(means[:, NATS], 0.0))
        label = f"against {run.model}" if run.seed == 0 else None
        axes.plot(x, means[:, DRAWN] - means[0, DRAWN], "o-", color=colours[run.model], label=label, markersize=4)
        axes.plot(x, means[:, MODEL] - means[0, MODEL], "--", color=colours[run.model], linewidth=0.8)
    axes.plot(sqrt(log(BEST_OF) - (BEST_OF - 1) / BEST_OF), best, "k*", label=f"best of {BEST_OF} by the ensemble")
    axes.plot([], [], "--", color="grey", linewidth=0.8, label="what the model says")
    axes.axhline(0.0, color="grey", linewidth=0.5)
    axes.set(
        xlabel="square root of the divergence from imitation, nats an edit", ylabel="above imitation's drawn edits"
    )
    axes.legend(fontsize=8)
    figure.savefig(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of pools, answers and runs")
    parser.add_argument("--policy", default=policy_file.NAME, help="what PPO begins with (default: the shipped policy)")
    parser.add_argument("--rater", type=int, default=0)
    parser.add_argument("--reward", help="a run with the reward model, for the one that is fitted to the rater")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--every", type=int, default=10, help="epochs from one judged policy to the next, a divisor of all (10)"
    )
    parser.add_argument("--draws", type=int, default=4, help="edits that are drawn a take and policy (default 4)")
    parser.add_argument("--most", type=int, help="takes that are judged at most")
    args, more = parser.parse_known_args()
    torch.set_num_threads(1)
    work, prepared = args.work.resolve(), args.prepared.resolve()
    chosen = subset(read_prepared(prepared), work / "prepared", 1)
    pools = pools_of(chosen, prepared.parent, work / "pools")
    utility = hidden_utility(pools, args.rater, whole=True)
    first = find(args.policy, policy_file.NAME).resolve()
    given = args.reward and find(args.reward, edit_scorer_file.NAME, runs=work / "runs").resolve()
    reward = given or model_of(work, prepared, pools, args.rater, utility)
    paths = {
        ENSEMBLE: reward,
        SINGLE: one_member(reward, work / f"{reward.parent.name}_member" / edit_scorer_file.FILE),
    }
    settings = settings_of(prepared, args.every, more)
    asked = [*((ENSEMBLE, seed) for seed in range(args.seeds)), (SINGLE, 0)]
    runs = [trained(work, model, paths[model], first, seed, settings) for model, seed in asked]
    models = {name: load_scorer(path).scorer for name, path in paths.items()}
    by_key = {pool.entry.key: pool for pool in pools}
    takes = heard_takes(chosen.split("test"), args.most)
    found = []
    for take in takes:
        pool = by_key[take.key]
        assert pool.entry.measured is not None
        ear = Ear(prepared.parent / pool.entry.measured.raw, take.track)
        found.append(judged(take, ear, pool, utility, models, runs, args.draws))
    told, bests = np.stack([each for each, _ in found]), [best for _, best in found]
    songs = [take.song for take in takes]
    keep_figures(runs, told, _RESULTS / "ppo_raters.csv")
    best = float(np.mean([each[ENSEMBLE].utility - each[ENSEMBLE].drawn for each in bests]))
    draw(runs, told, best, _RESULTS / "ppo_raters.png")
    publish(
        "ppo_raters",
        "PPO against a simulated rater, by what the rater likes",
        [
            "reward model", "epochs", "nats an edit", "utility, drawn", "above the first policy (95 %)",
            "utility, likeliest", "above the first policy (95 %)", "the model's score, drawn",
        ],
        list(rows(songs, runs, told)),
        f"Rater {args.rater + 1}, {args.seeds} seeds against the ensemble, one against one member; {len(takes)} takes"
        f" of {len(set(songs))} songs that nobody was trained on.",
        *result_texts(songs, runs, told, bests),
    )  # fmt: skip


if __name__ == "__main__":
    main()
