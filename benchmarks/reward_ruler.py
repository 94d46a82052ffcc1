"""What the reward means, measured against edits whose worth is known and against the ruler.

    python benchmarks/reward_ruler.py --data ../shared/data [--fetched DIR ...] [--jobs N] [--selection]

One rehearsal of each recorded song with its exact edit. An edit is paid the sum of its terms, with the length of the
exact edit as target. Shown are how often the exact edit is paid more than with each planted fault that the ruler can
see from sound alone: where it does mark the faulty edit lower, which is what the bar is set for, and in all songs; the
same for the planner's edit of that length, whose joins are landings of the table as those of the environment are; how
reward and ruler rank the same edits of one song; whether the exact edit is paid more than a random one and that more
than one bar played again and again; and what each term pays. `--selection` prints it for the songs on which prices
were set.
"""

import argparse
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from report import publish
from ruler_takes import Case, recorded_case, with_joins
from scipy.stats import spearmanr

from rl_editor.analysis.track import Track
from rl_editor.arrays import BoolArray, DoubleArray
from rl_editor.data.parallel import side_by_side
from rl_editor.data.session_plan import Mode
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.faults import FAULTS
from rl_editor.edits.registry import load_editor
from rl_editor.edits.render import render
from rl_editor.edits.request import EditRequest
from rl_editor.edits.ruler.evaluate import hear_raw, judge
from rl_editor.edits.ruler.source_map import known_map
from rl_editor.edits.ruler.table import interval
from rl_editor.envs.beat_edit.edit_terms import terms_of
from rl_editor.envs.beat_edit.reward import TERMS, RewardConfig
from rl_editor.errors import EditorError, RequestError

PRICED_ON = (
    "amoebax_angus", "amoebax_bones", "hyperrogue_graveyard", "hyperrogue_desert", "mars_menu", "mars_wings",
    "zaz_mus1", "singularity_byproduct",
)  # fmt: skip
"""Songs with which prices may be set."""
EDITORS = ("planner", "sections", "window", "head", "random", "loudest")
VISIBLE = tuple(fault for fault in FAULTS if not fault.needs_human)
FAULT_HEADER = (
    "fault", "grade", "seen by the ruler", "paid less than the exact edit where seen (95 %)", "in all songs (95 %)",
    "mean drop, s", "most of it", "paid less than the planner's",
)  # fmt: skip
_MODES: tuple[Mode, ...] = ("sections", "reorder", "loop")
_SELECTION_SEED, _REPORTED_SEED = 900, 930
_BAR = 0.95
_TRIED_BARS = 16
_FADE_S = 0.008


@dataclass(frozen=True)
class Song:
    """A recorded song and how it is rehearsed."""

    name: str
    path: Path
    seed: int
    mode: Mode


@dataclass(frozen=True, eq=False)
class Paid:
    """What one edit is paid, and the ruler's verdict on it from sound alone."""

    terms: DoubleArray
    """Seconds of good music, columns `TERMS`."""
    verdict: float

    @property
    def reward(self) -> float:
        return float(self.terms.sum())


@dataclass(frozen=True, eq=False)
class Planted:
    """One fault at one grade: in the exact edit, and in the planner's."""

    fault: str
    grade: float
    exact: Paid | None
    """None where the edit can't bear it."""
    drop: float | None
    """By how much less than the planner's edit its faulty version is paid, in seconds of good music."""


@dataclass(frozen=True, eq=False)
class Findings:
    """All edits of one song."""

    song: str
    length_s: float
    edits: dict[str, Paid]
    """`exact`, the editors, and `one bar`: of the bars that were tried the one that is paid most."""
    planted: tuple[Planted, ...]

    def per_second(self, name: str) -> float:
        return self.edits[name].reward / self.length_s

    @property
    def ranked(self) -> list[Paid]:
        """The fixed set that reward and ruler both rank: the editors, and each fault at its slightest and grossest."""
        ends = {fault.name: (fault.grades[0], fault.grades[-1]) for fault in VISIBLE}
        faulty = [each.exact for each in self.planted if each.exact and each.grade in ends[each.fault]]
        return [paid for name, paid in self.edits.items() if name in EDITORS] + faulty


@dataclass(frozen=True, eq=False)
class FaultRow:
    """One fault at one grade in the exact edits of N songs."""

    fault: str
    grade: str
    """With its unit."""
    songs: tuple[str, ...]
    lost: DoubleArray
    """What the exact edit is paid more, seconds of good music, (N, terms)."""
    seen: BoolArray
    """Where the ruler marks the faulty edit lower, (N,)."""
    drops: DoubleArray
    """What the planner's edit is paid more than with the fault, of all songs that have one."""

    @property
    def less(self) -> BoolArray:
        """Where the faulty edit is paid less, (N,)."""
        return self.lost.sum(axis=1) > 0


def measured(case: Case, name: str, config: RewardConfig) -> Findings:
    """All that is measured on one song."""
    raw, track, truth = hear_raw(case.audio, case.track), case.track, with_joins(case)
    target_s = truth.duration_s

    def worth(edl: EDL) -> DoubleArray:
        return np.array(terms_of(replace(edl, target_s=target_s), track, config))

    def paid(edl: EDL) -> Paid:
        return Paid(worth(edl), judge(raw, render(case.audio, edl), case.rate, known_map(edl)).alone)

    made = {"exact": truth}
    for editor in EDITORS:
        with suppress(RequestError):
            made[editor] = load_editor(editor).edit(track, EditRequest(target_s=target_s))[0]
    made["one bar"] = max(
        (one_bar_again(track, beat, truth.n_samples) for beat in _bars(track)), key=lambda edl: worth(edl).sum()
    )
    planted = []
    for fault in VISIBLE:
        for grade in fault.grades:
            faulty, planned = (
                fault.planted(made[name], track, grade, np.random.default_rng(1)) if name in made else None
                for name in ("exact", "planner")
            )
            drop = None if planned is None else float((worth(made["planner"]) - worth(planned)).sum())
            planted.append(Planted(fault.name, grade, None if faulty is None else paid(faulty), drop))
    return Findings(name, target_s, {name: paid(edl) for name, edl in made.items()}, tuple(planted))


def _bars(track: Track) -> list[int]:
    """First beats of bars of music, spread over the recording."""
    first = np.flatnonzero((track.bar_position[:-4] == 0) & track.is_music[:-4])
    return first[np.linspace(0, len(first) - 1, min(_TRIED_BARS, len(first))).round().astype(int)].tolist()


def one_bar_again(track: Track, beat: int, n_samples: int) -> EDL:
    """The bar that begins with `beat`, played again and again for about `n_samples`."""
    start, end = (int(bound) for bound in track.bounds[[beat, beat + 4]])
    times = max(round(n_samples / (end - start)), 2)
    again = Segment(start, end, round(_FADE_S * track.source.sample_rate))
    return EDL(track.source, (replace(again, fade=0), *[again] * (times - 1)), Maker("one_bar"))


def fault_rows(found: Sequence[Findings]) -> list[FaultRow]:
    """A row for each fault and grade that an edit could bear."""
    rows = []
    for fault in VISIBLE:
        for grade in fault.grades:
            planted = [
                (each, one) for each in found for one in each.planted if (one.fault, one.grade) == (fault.name, grade)
            ]
            both = [(each.song, each.edits["exact"], one.exact) for each, one in planted if one.exact]
            if both:
                rows.append(
                    FaultRow(
                        fault=fault.name,
                        grade=f"{grade:g} {fault.unit}",
                        songs=tuple(song for song, _, _ in both),
                        lost=np.array([right.terms - faulty.terms for _, right, faulty in both]),
                        seen=np.array([faulty.verdict < right.verdict for _, right, faulty in both]),
                        drops=np.array([one.drop for _, one in planted if one.drop is not None]),
                    )
                )
    return rows


def cells(row: FaultRow) -> list[str]:
    """A line of the table, columns `FAULT_HEADER`."""
    mean = row.lost.mean(axis=0)
    most = ", ".join(f"{TERMS[at]} {mean[at]:.1f}" for at in np.argsort(-mean)[:2] if mean[at] >= 0.05)
    planner = f"{np.mean(row.drops > 0):.2f} of {len(row.drops)}" if len(row.drops) else "-"
    everywhere, where_seen = _share(row, np.ones(len(row.seen), dtype=np.bool_)), _share(row, row.seen)
    count = f"{row.seen.sum()} of {len(row.seen)}"
    return [row.fault, row.grade, count, where_seen, everywhere, f"{mean.sum():.1f}", most, planner]


def _share(row: FaultRow, among: BoolArray) -> str:
    if not among.any():
        return "-"
    less = row.less[among].astype(float)
    low, high = interval(less, np.array(row.songs)[among].tolist())
    return f"{less.mean():.2f} ({low:.2f} to {high:.2f})"


def bar_text(rows: Sequence[FaultRow]) -> str:
    """In how many rows the bar is met, and which are short of it."""
    judged = [row for row in rows if row.seen.any()]
    short = [f"{row.fault} {row.grade}" for row in judged if row.less[row.seen].mean() < _BAR]
    met = f"Paid less in at least {_BAR:.2f} of the songs in which the ruler sees it: {len(judged) - len(short)} of"
    return f"{met} {len(judged)} faults and grades." + (f" Short of it: {', '.join(short)}." if short else "")


def agreement(found: Sequence[Findings]) -> DoubleArray:
    """Rank correlation of reward and ruler over the fixed set of each song, (songs,)."""
    pairs = [([paid.reward for paid in each.ranked], [paid.verdict for paid in each.ranked]) for each in found]
    return np.array([spearmanr(*pair).statistic for pair in pairs])


def agreement_text(found: Sequence[Findings]) -> str:
    rho, sizes = agreement(found), [len(each.ranked) for each in found]
    low, high = interval(rho, [each.song for each in found])
    lowest = ", ".join(f"{found[at].song} {rho[at]:.2f}" for at in np.argsort(rho)[:3])
    return (
        f"Rank correlation of reward and ruler within a song, mean over {len(found)} songs: {rho.mean():.2f}"
        f" ({low:.2f} to {high:.2f}); {min(sizes)} to {max(sizes)} edits each, those of the editors and each fault at"
        f" its slightest and grossest. Above 0.6 in {np.mean(rho > 0.6):.2f} of the songs; lowest {lowest}."
    )


def order_text(found: Sequence[Findings]) -> str:
    drawn = [each for each in found if "random" in each.edits]
    exact, chance, bar = (
        np.array([each.per_second(name) for each in drawn]) for name in ("exact", "random", "one bar")
    )
    return (
        f"Paid in a second: exact {exact.mean():.2f}, random {chance.mean():.2f}, one bar again and again"
        f" {bar.mean():.2f} (of {_TRIED_BARS} bars the one paid most). Exact over random in"
        f" {np.mean(exact > chance):.2f} of {len(drawn)} songs, random over one bar in {np.mean(chance > bar):.2f}."
    )


def terms_table(found: Sequence[Findings]) -> str:
    """What each term pays in a second, by editor, and in how many songs it differs between their edits."""
    lines = [["", *TERMS, "sum", "verdict"], ["---"] * (len(TERMS) + 3)]
    for name in ("exact", *EDITORS, "one bar"):
        own = [each for each in found if name in each.edits]
        mean = np.mean([each.edits[name].terms / each.length_s for each in own], axis=0)
        verdict = float(np.mean([each.edits[name].verdict for each in own]))
        lines.append([name, *(f"{value:.2f}" for value in (*mean, mean.sum(), verdict))])
    spread = [np.ptp([paid.terms for paid in (*each.ranked, *each.edits.values())], axis=0) for each in found]
    lines.append(["differs in songs", *(f"{share:.2f}" for share in np.mean(np.array(spread) > 1e-6, axis=0)), "", ""])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def songs(folders: Sequence[Path], *, selection: bool) -> list[Song]:
    """Those that prices were set with, or all others; of a song that is there twice as fast the slower one."""
    files = {path.stem.removeprefix("loop_").lower(): path for folder in folders for path in folder.glob("*.ogg")}
    slow = [name for name in sorted(files) if name.removesuffix("_fast") not in files.keys() - {name}]
    chosen = [name for name in slow if (name in PRICED_ON) == selection]
    seed = _SELECTION_SEED if selection else _REPORTED_SEED
    return [Song(name, files[name], seed + k, _MODES[k % len(_MODES)]) for k, name in enumerate(chosen)]


def find(song: Song) -> Findings:
    return measured(recorded_case(song.path, song.seed, song.mode), song.name, RewardConfig())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path, nargs="+", default=[], help="songs and loops that get_music.py fetched")
    parser.add_argument("--jobs", type=int, help="songs at the same time (default: one a processor)")
    parser.add_argument("--selection", action="store_true")
    args = parser.parse_args()
    chosen = songs([args.data / "music", args.data / "loops", *args.fetched], selection=args.selection)
    found, refused = [], []
    for song, each in zip(chosen, side_by_side(find, chosen, stage="judging", jobs=args.jobs), strict=True):
        if isinstance(each, EditorError):
            refused.append(f"{song.name}: {each}")
        else:
            found.append(each)
    faults = fault_rows(found)
    rows = [cells(row) for row in faults]
    notes = [bar_text(faults), agreement_text(found), order_text(found), terms_table(found)]
    if refused:
        notes.append("No rehearsal could be made of these: " + "; ".join(refused) + ".")
    if args.selection:
        print("\n".join(" | ".join(row) for row in (FAULT_HEADER, *rows)), *notes, sep="\n\n")
        return
    publish("reward_ruler", "Reward, planted faults and ruler", FAULT_HEADER, rows, *notes)


if __name__ == "__main__":
    main()
