"""The human loop with a scripted rater, twice: candidates, answers as a file, reward model, PPO.

    python benchmarks/human_loop.py --prepared PREPARED --work DIR [--rater 0] [--recordings 40] [SETTING ...]

Each round is what a user would type, every command a process of its own; the rater writes answers.jsonl:

    rl-editor candidates RAW... -o rated --checkpoint POLICY
    rl-editor reward-model --comparisons rated/answers.jsonl ...
    rl-editor fit --config ppo --model.edit.policy POLICY --model.edit.reward_model RUN

The second round goes on with the first one's policy; its reward model learns from both rounds' answers. The rater is
one of `reward_raters.py`, whose `--work` this takes, or makes; it answers on `--answers` pairs of candidates a round.
Its recordings are of songs that policies are trained on or chosen by. What it likes is then measured on edits of songs
that nobody was trained on, in units of its spread within the recordings of the pools: the likeliest edit, and the mean
of `--draws` drawn ones. Brackets hold 95 % of 2,000 draws of as many songs. SETTINGs go to `fit`. All files stay in
DIR, but for the sounds of candidates, which are large; what is there is not made again.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from policy_edits import Stage, by_song, heard_takes
from raters import CEILING, Ear, Pool, Utility, answers, hidden_utility
from report import publish
from reward_raters import PRETRAINED, REFIT, REFITTED, fitted, pools_of, rl_editor, subset

from rl_editor.arrays import DoubleArray
from rl_editor.checkpoints import find
from rl_editor.data.comparisons import write_comparisons
from rl_editor.data.prepared import PreparedSet, read_prepared
from rl_editor.edits import edl as edls
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies import policy_file
from rl_editor.policies.policy_file import load_policy

ROUNDS = 2
CANDIDATES = 6
_AT_ONCE = 8  # recordings a command, before the sounds of their candidates are taken away
_SIDE_BY_SIDE = ("likeliest", "drawn")


@dataclass(frozen=True, eq=False)
class Loop:
    """What all rounds share."""

    work: Path
    raws: Path
    """Folder of the raws."""
    takes: PreparedSet
    """One take of each song."""
    pools: Sequence[Pool]
    """Of each take."""
    utility: Utility
    listener: str

    def raw(self, pool: Pool) -> Path:
        """The recording of a pool."""
        assert pool.entry.measured is not None
        return self.raws / pool.entry.measured.raw

    def ear(self, pool: Pool) -> Ear:
        """Who listens to edits of it."""
        return Ear(self.raw(pool), self.takes.load(pool.entry).track)


def policy_after(loop: Loop, number: int, policy: Path, asked: Sequence[Pool], count: int, settings: list[str]) -> Path:
    """The policy that a round ends with.

    Args:
        loop: what all rounds share.
        number: of the round, from 1.
        policy: that it begins with.
        asked: pools of the recordings whose candidates the rater compares.
        count: answers it gives.
        settings: that go to `fit`.
    """
    rated = loop.work / f"round_{number}" / "rated"
    make_candidates(loop, rated, [loop.raw(pool) for pool in asked], policy, seed=number)
    if not (rated / "answers.jsonl").exists():
        answer(loop, rated, number, asked, count)
    files = [f"round_{n}/rated/answers.jsonl" for n in range(1, number + 1)]
    reward, name = f"round_{number}_reward", f"round_{number}_ppo"
    fitted(loop.work, reward, loop.work / "prepared", REFITTED, "--comparisons", *files, *REFIT)
    if (loop.work / "runs" / name).exists():
        rl_editor(loop.work, "fit", "--resume", name, "--quiet")
    else:
        what = ("--model.edit.policy", policy, "--model.edit.reward_model", reward, "--model.edit.show.takes", 0)
        often = ("--seed_everything", number, "--trainer.accelerator", "cpu", "--quiet")
        rl_editor(loop.work, "fit", "--config", "ppo", "--name", name, *what, *often, *settings)
    return loop.work / "runs" / name / policy_file.FILE


def make_candidates(loop: Loop, rated: Path, raws: Sequence[Path], policy: Path, seed: int) -> None:
    """Candidates of recordings, by the command; only their EDLs are kept."""
    missing = [raw for raw in raws if not (rated / raw.stem / "candidates.json").exists()]
    store = (loop.takes.folder / "tracks").resolve()
    asked = ("--n", CANDIDATES, "--checkpoint", policy, "--store", store, "--seed", seed, "--quiet", "--overwrite")
    for k in range(0, len(missing), _AT_ONCE):
        rl_editor(loop.work, "candidates", *missing[k : k + _AT_ONCE], "-o", rated, *asked)
        for sound in [file for file in rated.glob("*/*") if file.suffix != ".json"]:
            sound.unlink()


def answer(loop: Loop, rated: Path, number: int, asked: Sequence[Pool], count: int) -> None:
    """The rater's answers on candidates, as a file beside them."""
    offered, worth = [], []
    for pool in asked:
        folder = rated / loop.raw(pool).stem
        edits = [edls.read(file) for file in sorted(folder.glob("*.json")) if file.stem.isdigit()]
        perceived = loop.ear(pool).perceived(edits)
        offered.append(Pool(pool.entry, tuple(edits), perceived.visible, perceived.heard))
        worth.append(loop.utility.of(perceived, pool))
    told = answers(offered, worth, loop.listener, count, np.random.default_rng((number, count)))
    named = [replace(each, id=f"round {number} {each.id}") for each in told]
    write_comparisons(rated / "answers.jsonl", named, overwrite=True)


def liked(loop: Loop, policies: Sequence[Path], most: int | None, draws: int) -> tuple[list[str], DoubleArray]:
    """Songs of takes that nobody was trained on, and what the rater likes of each policy's edits.

    Returns:
        The songs, and (takes, policies, 2): the likeliest edit, and the mean of drawn ones.
    """
    loaded = [load_policy(policy).policy for policy in policies]
    by_key = {pool.entry.key: pool for pool in loop.pools}
    songs, told = [], []
    for take in heard_takes(loop.takes.split("test"), most):
        pool, stage = by_key[take.key], Stage(take, RewardConfig())
        ear = loop.ear(pool)
        worth = [
            loop.utility.of(ear.perceived(stage.played(policy, loaded[0], draws).edits), pool) for policy in loaded
        ]
        songs.append(take.song)
        told.append([[own[0], own[1:].mean()] for own in worth])
    return songs, np.array(told)


def rows(songs: Sequence[str], told: DoubleArray) -> Iterator[list[str]]:
    """A line for the first policy and one for that of each round."""
    for number in range(told.shape[1]):
        cells = []
        for k in range(len(_SIDE_BY_SIDE)):
            own = told[:, :, k]
            rise = by_song(songs, own[:, number] - own[:, number - 1]) if number else None
            cells += [f"{own[:, number].mean():.3f}", f"{rise}, {rise.verdict}" if rise else ""]
        yield [f"round {number}" if number else "first policy", *cells]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of pools, candidates, answers and runs")
    parser.add_argument("--policy", default=policy_file.NAME, help="what the loop begins with (default: the shipped)")
    parser.add_argument("--rater", type=int, default=0)
    parser.add_argument("--recordings", type=int, default=40, help="whose candidates are compared, a round")
    parser.add_argument("--answers", type=int, default=400, help="a round")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--most", type=int, help="takes that are judged at most")
    args, more = parser.parse_known_args()
    torch.set_num_threads(1)
    work, prepared = args.work.resolve(), args.prepared.resolve()
    takes = subset(read_prepared(prepared), work / "prepared", 1)
    pools = pools_of(takes, prepared.parent, work / "pools")
    utility = hidden_utility(pools, args.rater, whole=True)
    loop = Loop(work, prepared.parent, takes, pools, utility, f"rater {args.rater}")
    fitted(work, "pretrained", prepared, PRETRAINED)
    known = [pool for pool in pools if pool.entry.split != "test"]
    asked = [known[k] for k in np.random.default_rng(args.rater).permutation(len(known))[: args.recordings]]
    settings = ["--data.takes.folder", str(prepared), "--data.takes.jobs", "1", *more]
    policies = [find(args.policy, policy_file.NAME).resolve()]
    for number in range(1, ROUNDS + 1):
        policies.append(policy_after(loop, number, policies[-1], asked, args.answers, settings))
    songs, told = liked(loop, policies, args.most, args.draws)
    publish(
        "human_loop",
        "The human loop, twice, with a scripted rater",
        ["policy", "hidden utility, likeliest edit", "rise (95 %)", "hidden utility, drawn edits", "rise (95 %)"],
        list(rows(songs, told)),
        f"Rater {args.rater + 1}, right in {CEILING:.0%} of its answers, {args.answers} a round on {CANDIDATES}"
        f" candidates of each of {len(asked)} recordings; {len(songs)} takes of {len(set(songs))} songs that nobody was"
        " trained on. A rise is over the line above.",
    )


if __name__ == "__main__":
    main()
