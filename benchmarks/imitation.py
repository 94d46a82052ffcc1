"""How well a policy imitates the true edits of takes of songs it has never heard.

    python benchmarks/imitation.py --checkpoints RUN [RUN ...] --in-family PREPARED [PREPARED ...]
        --held-out PREPARED [PREPARED ...] [--split test] [--most N]

RUN is the folder of a run, one a seed, or a policy's file; PREPARED a prepared set beside the cards of its takes. Songs
that a run says it has learned from are never judged; of a set that holds such songs `--split` takes one side only.
`--most` judges the first N takes of each set, `--worst` lists the takes that went worst.

All edits are asked for the true edit's length. Figures are sums over sums of takes, each take averaged over the seeds;
brackets hold 95 % of 2,000 draws of as many songs, with all their takes. Overlap is (F1 - r) / (1 - r) of the kept time
against the true edit, r the F1 of as much at random: 1 is the true edit, 0 chance. *Plain* orders single beats by a
score and keeps the highest, without a decoder. An attempt is chosen rightly if more of it is kept, as a share, than of
another whole attempt at the same unit; none of both is wrong. The order of a take is knowable if the raw holds a
run-through of the whole song besides the attempts at its parts. *Landing table* stands for what an editor could have
found that plays by it.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from imitation_takes import (
    LOUDEST_AT_MOST,
    SPENT,
    Case,
    Tally,
    cases_of,
    checkpoint_of,
    judged,
    loudest,
    plainly,
    reachable,
    songs_trained_on,
)
from report import publish

from rl_editor.data.session_plan import Mode
from rl_editor.edits import content
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError
from rl_editor.policies.imitation import accuracy_by_action
from rl_editor.policies.policy_editor import PolicyEditor
from rl_editor.policies.taught import demonstrated

POLICY, BEST = "policy", "policy, best of 8"
PLANNERS = ("planner", "planner, any order")
PLAIN = "plain loudest"
TABLE = "landing table"
OTHERS = (*PLANNERS, "loudest", PLAIN, "plain rules")
MODES: tuple[Mode, ...] = ("full", "sections", "reorder", "loop")
_BEST_OF = 8
_DRAWS = 2000
_POOR = 0.6


@dataclass(frozen=True)
class Told:
    """All that was measured on one take."""

    key: str
    song: str
    mode: Mode
    tallies: Mapping[str, Tally]
    """By editor; the policy's averaged over its seeds."""
    by_seed: tuple[float, ...]
    """Overlap of each seed's policy."""

    @property
    def is_telling(self) -> bool:
        """Whether loudness alone does not find the edit."""
        return self.tallies[PLAIN]["overlap"][0] <= LOUDEST_AT_MOST


Summand = tuple[str, float, float]
"""A song, what is summed, and what it is a sum over."""


def measured(case: Case, policies: Sequence[tuple[PolicyEditor, PolicyEditor]]) -> Told:
    """One take, edited by everyone.

    Args:
        case: the take.
        policies: of each seed, the policy that takes the likeliest actions and the one that takes the best of several.
    """
    learnt = case.learnt
    greedy, best = [], []
    for likeliest, several in policies:
        right = accuracy_by_action(likeliest.policy, demonstrated([learnt]))
        told = {f"told {kind}": (float(ok), float(count)) for kind, (ok, count) in right.items()}
        greedy.append({**judged(likeliest.edit(learnt.track, case.request)[0], case), **told})
        best.append(judged(several.edit(learnt.track, case.request)[0], case))
    tallies = {POLICY: averaged(greedy), BEST: averaged(best)}
    for name, request in zip(PLANNERS, (EditRequest(target_s=learnt.target_s), case.request), strict=True):
        try:
            tallies[name] = judged(PlannerEditor().edit(learnt.track, request)[0], case)
        except RequestError as refusal:
            print(f"{learnt.key}: {name}: {refusal}; counts as chance")
            tallies[name] = {"overlap": (0.0, 1.0), "within slack": (0.0, 1.0)}
    tallies["loudest"] = judged(loudest(case), case)
    tallies[PLAIN] = judged(plainly(learnt.track.level_db, case), case)
    tallies["plain rules"] = judged(plainly(content.rules(learnt.track), case), case)
    tallies[TABLE] = reachable(case)
    by_seed = tuple(tally["overlap"][0] for tally in greedy)
    return Told(learnt.key, learnt.song, case.mode, tallies, by_seed)


def averaged(tallies: Sequence[Tally]) -> Tally:
    """The mean over seeds of tallies of one take."""
    names = dict.fromkeys(name for tally in tallies for name in tally)
    columns = {name: np.array([tally.get(name, (0.0, 0.0)) for tally in tallies]) for name in names}
    return {name: (float(column[:, 0].mean()), float(column[:, 1].mean())) for name, column in columns.items()}


def figure(summands: Iterable[Summand]) -> str:
    """Sum over sum, its 95 % interval over songs, and what it is over."""
    known = [each for each in summands if each[2]]
    if not known:
        return "-"
    songs = sorted({song for song, *_ in known})
    sums = np.zeros((len(songs), 2))
    for song, part, of in known:
        sums[songs.index(song)] += part, of
    drawn = np.random.default_rng(0).integers(len(songs), size=(_DRAWS, len(songs)))
    parts, of = sums[drawn].sum(axis=1).T
    low, high = np.percentile(parts / of, [2.5, 97.5])
    total = sums.sum(axis=0)
    return f"{total[0] / total[1]:.2f} [{low:.2f}, {high:.2f}]"


def of_tally(told: Sequence[Told], editor: str, name: str) -> str:
    """A figure of one editor, with the number of what it counts where these are not takes."""
    summands = [(each.song, *each.tallies[editor].get(name, (0.0, 0.0))) for each in told]
    of = [each[2] for each in summands]
    return figure(summands) + ("" if set(of) == {1.0} or not any(of) else f" of {sum(of):.0f}")


def above(told: Sequence[Told], editor: str, other: str) -> str:
    """By how much more of the true edit an editor finds than another."""
    return figure(
        (each.song, each.tallies[editor]["overlap"][0] - each.tallies[other]["overlap"][0], 1.0) for each in told
    )


def lifted(told: Sequence[Told], editor: str) -> str:
    """(editor - loudest) / (exact - loudest) where plain loudest does not find the edit, as sum over sum."""
    telling = [each for each in told if each.is_telling]
    lows = [(each, each.tallies[PLAIN]["overlap"][0]) for each in telling]
    gained = [(each.song, each.tallies[editor]["overlap"][0] - low, 1.0 - low) for each, low in lows]
    return f"{figure(gained)}; {len(telling)} takes"


def rows(sets: Sequence[Sequence[Told]]) -> list[list[str]]:
    """The table: what, bar, and a column for each set of takes."""

    def row(what: str, bar: str, cells: Iterable[str]) -> list[str]:
        return [what, bar, *cells]

    bars = (">= .55 in family, >= .35 held out", "the same")
    table = [row("takes (songs)", "", (f"{len(own)} ({len({each.song for each in own})})" for own in sets))]
    for editor, bar in zip((POLICY, BEST), bars, strict=True):
        table.append(
            row(f"**{editor}: (it - loudest) / (exact - loudest)**", bar, (lifted(own, editor) for own in sets))
        )
    table += [row(f"{name}: the same", "", (lifted(own, name) for own in sets)) for name in OTHERS if name != PLAIN]
    for name in (POLICY, BEST, *OTHERS):
        table.append(row(f"overlap, {name}", "", (of_tally(own, name, "overlap") for own in sets)))
    table.append(row("overlap, policy, seed by seed", "", map(seeds, sets)))
    for editor in (POLICY, BEST):
        for other in (*PLANNERS, "loudest", PLAIN, "plain rules"):
            bar = "clear of 0" if editor == POLICY else ""
            table.append(row(f"{editor} - {other}", bar, (above(own, editor, other) for own in sets)))
    for mode in MODES:
        ours = [[each for each in own if each.mode == mode] for own in sets]
        for name in (POLICY, BEST, PLANNERS[0], PLAIN):
            cells = [f"{of_tally(own, name, 'overlap')}; {len(own)}" for own in ours]
            table.append(row(f"{mode}: overlap, {name}", "", cells))
    for what, tally, bar, known in (
        ("overlap where playing again counts as wrong", "plays", "", PLANNERS[0]),
        ("share of the edit that is played again", "again", "", PLANNERS[0]),
        ("right attempt, the worse one before it", "worse before", ">= .80", PLANNERS[0]),
        ("right attempt, the worse one after it", "worse after", ">= .65", PLANNERS[0]),
        ("right attempt of all whole ones", "units", "", PLANNERS[0]),
        ("a tenth or less kept of each whole one", "none kept", "", PLANNERS[0]),
        ("REORDER joins within a beat, order knowable", "join reorder, order known", ">= .50", TABLE),
        ("REORDER joins within a beat, all", "join reorder", "", TABLE),
        ("CUT joins within a beat", "join cut", "", TABLE),
        ("LOOP joins within a beat", "join loop", "", TABLE),
        ("begins within a beat", "beginning", "", TABLE),
        ("length within slack", "within slack", "1.00", PLANNERS[0]),
    ):
        for name in (POLICY, BEST, known):
            cells = [of_tally(own, name, tally) for own in sets]
            table.append(row(f"{what}, {name}", bar if name in (POLICY, BEST) else "", cells))
    for kind in ("keep", "end", "cut", "loop", "reorder"):
        table.append(
            row(f"decisions of the true edit, {kind}", "", (of_tally(own, POLICY, f"told {kind}") for own in sets))
        )
    return table


def seeds(told: Sequence[Told]) -> str:
    """Mean overlap of each seed."""
    return ", ".join(f"{mean:.2f}" for mean in np.mean([each.by_seed for each in told], axis=0))


def spent(told: Sequence[Told], editor: str) -> str:
    """What the time of an editor's edits goes to."""
    shares = {name: np.mean([each.tallies[editor][f"time {name}"][0] for each in told]) for name in SPENT}
    return ", ".join(f"{name} {share:.2f}" for name, share in shares.items() if share >= 0.005)


def poor(told: Sequence[Told]) -> str:
    """What the poor edits play most, besides the right attempts."""
    low = [each.tallies[POLICY] for each in told if each.tallies[POLICY]["overlap"][0] < _POOR]
    most = Counter(max(SPENT[1:], key=lambda name: tally[f"time {name}"][0]) for tally in low)
    return f"{len(low)} of {len(told)}: " + ", ".join(f"{name} {count}" for name, count in most.most_common())


def listed(told: Sequence[Told]) -> None:
    """Print the takes with poor edits, the worst first."""
    for each in sorted(told, key=lambda each: each.tallies[POLICY]["overlap"][0]):
        tally = each.tallies[POLICY]
        if tally["overlap"][0] < _POOR:
            others = ", ".join(f"{name} {each.tallies[name]['overlap'][0]:.2f}" for name in (BEST, PLANNERS[0], PLAIN))
            print(f"{each.key} ({each.mode}): {tally['overlap'][0]:.2f} ({others}); {spent([each], POLICY)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, nargs="+", required=True)
    parser.add_argument("--in-family", type=Path, nargs="+", required=True)
    parser.add_argument("--held-out", type=Path, nargs="+", required=True)
    parser.add_argument("--split", choices=("train", "val", "test"))
    parser.add_argument("--most", type=int)
    parser.add_argument("--worst", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = [checkpoint_of(run) for run in args.checkpoints]
    policies = [(PolicyEditor(file), PolicyEditor(file, _BEST_OF)) for file in files]
    heard = songs_trained_on(args.checkpoints)
    sets = []
    for folders in (args.in_family, args.held_out):
        cases = [case for folder in folders for case in [*cases_of(folder, heard, args.split)][: args.most]]
        sets.append([measured(case, policies) for case in cases])
    if args.worst:
        for own in sets:
            listed(own)
    notes = [f"Seeds: {len(files)}. {len(heard)} songs were learned from; none of them is judged."]
    for name, own in zip(("in family", "held out"), sets, strict=True):
        notes.append(f"What edits play, {name}, as a share of their time. Policy: {spent(own, POLICY)}.")
        notes.append(f"Best of 8: {spent(own, BEST)}. Plain loudest: {spent(own, PLAIN)}.")
        notes.append(f"Overlap below {_POOR}, {name}, by what is played most besides the right attempts: {poor(own)}.")
    publish(
        "imitation",
        "Edits of takes of songs that were never trained on",
        ["what", "bar", "in family", "fault family held out"],
        rows(sets),
        *notes,
    )


if __name__ == "__main__":
    main()
