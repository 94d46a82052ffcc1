"""The ruler's validity: planted faults caught, remastering not seen, edits from elsewhere judged alike, editors ranked.

    python benchmarks/ruler_validity.py --data ../shared/data [--fetched DIR] [--jobs N] [--selection]

Sample takes (seeds) and rehearsals of recorded songs, one exact edit each: the truth of the take, with joins made in it
where it has none, from the start of a section to the start of a later one of the same label. Recorded songs are
rehearsed once in parts, so that the truth has joins, and once as it comes. Truth and fault go through one renderer.
`--selection` prints the faults on the other songs, on which scales and weights were set, without the families that were
kept out of that.
"""

import argparse
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soxr
from recovery import equalised, inverted_quiet, limited, mp3_128
from report import publish
from ruler_takes import REPORTED, Case, Take, make_case, sample_case, takes, with_joins

from rl_editor.analysis.analyse import analyse
from rl_editor.arrays import Array
from rl_editor.data.parallel import side_by_side
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.fault_places import flows
from rl_editor.edits.faults import FAULTS
from rl_editor.edits.registry import load_editor
from rl_editor.edits.render import render
from rl_editor.edits.request import EditRequest
from rl_editor.edits.ruler.evaluate import evaluate, hear_raw, judge
from rl_editor.edits.ruler.raw import Raw
from rl_editor.edits.ruler.source_map import known_map
from rl_editor.edits.ruler.table import interval
from rl_editor.edits.ruler.verdict import Verdict
from rl_editor.errors import EditorError

KEPT_OUT = ("level jump", "repeat overdone")
"""Families no scale and no weight was set with."""
EDITORS = ("planner", "sections", "window", "head", "random", "loudest")


def judged(case: Case, raw: Raw, edl: EDL, human: EDL) -> tuple[float, Verdict]:
    """The verdict from sound alone, and the one beside the exact edit."""
    verdict = judge(raw, render(case.audio, edl), case.rate, known_map(edl), human=human)
    return verdict.alone, verdict


@dataclass(frozen=True)
class Table:
    """What one part found."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def markdown(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        return f"## {self.title}\n\n{table}\n\n{self.note}".rstrip()


@dataclass(frozen=True)
class Seen:
    """What was seen of one fault at one grade in one edit."""

    fault: str
    grade: float
    caught: bool
    caught_beside: bool
    fired: bool
    drop: float


@dataclass(frozen=True)
class Findings:
    """What was found on one take."""

    song: str
    has_join: bool
    """Whether the exact edit has a join at which music goes on."""
    seen: tuple[Seen, ...]
    rising: dict[str, bool]
    """Whether more of a fault is worse."""
    ranks: dict[str, tuple[float, float]]
    """Verdict of each editor, from sound alone and beside the exact edit."""
    moved: dict[str, float]
    """How far each process moved the verdict."""
    span: float
    """How far a random edit is below the exact one."""
    spent_s: dict[str, float]
    """Processor time of each part."""


def find(take: Take, *, hidden: Sequence[str], faults_only: bool) -> Findings:
    """All that is measured on one take."""
    times = [time.process_time()]

    def since_s() -> float:
        times.append(time.process_time())
        return times[-1] - times[-2]

    case = make_case(take)
    spent_s = {"making and analysing takes": since_s()}
    raw, truth = hear_raw(case.audio, case.track), with_joins(case)
    seen, rising = faults(case, raw, truth, hidden=hidden)
    spent_s["faults"] = since_s()
    ranks = {} if faults_only else rank(case, raw)
    spent_s["editors"] = since_s()
    moved, span = ({}, 0.0) if faults_only else blindness(case, raw, truth)
    spent_s["processed sound"] = since_s()
    has_join = any(flows(truth, case.track, k) for k in truth.joins)
    return Findings(take.song, has_join, seen, rising, ranks, moved, span, spent_s)


def faults(case: Case, raw: Raw, truth: EDL, *, hidden: Sequence[str]) -> tuple[tuple[Seen, ...], dict[str, bool]]:
    """Each fault at each grade, and whether more of it is worse."""
    exact, beside = judged(case, raw, truth, truth)
    seen: list[Seen] = []
    rising: dict[str, bool] = {}
    for fault in FAULTS:
        drops: list[float] = []
        for grade in fault.grades if fault.name not in hidden else ():
            planted = fault.planted(truth, case.track, grade, np.random.default_rng(1))
            if planted is None:
                continue
            alone, verdict = judged(case, raw, planted, truth)
            before, after = (
                1.0 if (score := each.score(fault.component)) is None else score for each in (beside, verdict)
            )
            drops.append(beside.verdict - verdict.verdict if fault.needs_human else exact - alone)
            caught_beside = verdict.verdict < beside.verdict
            seen.append(Seen(fault.name, grade, alone < exact, caught_beside, after < before, drops[-1]))
        if fault.ordered and len(drops) > 1:
            rising[fault.name] = bool((np.diff(drops) > 0).all())
    return tuple(seen), rising


def faults_table(found: Sequence[Findings]) -> Table:
    """A row a fault and grade."""
    rows = []
    for fault in FAULTS:
        rising = [each.rising[fault.name] for each in found if fault.name in each.rising]
        for grade in fault.grades:
            cells = [
                (each.song, seen)
                for each in found
                for seen in each.seen
                if seen.fault == fault.name and seen.grade == grade
            ]
            if cells:
                name = fault.name + (" \\*" if fault.name in KEPT_OUT else "")
                worse = f"{np.mean(rising):.2f}" if rising else "-"
                rows.append([name, f"{grade:g} {fault.unit}", *_row(cells, fault.component), worse])
    header = ["fault", "grade", "edits", "songs", "caught", "caught beside the exact edit", "component", "it fired",
              "mean drop", "worse with grade"]  # fmt: skip
    joined = [each for each in found if each.has_join]
    note = (
        f"{len(found)} edits of {len({each.song for each in found})} songs; {len(joined)} of them, of"
        f" {len({each.song for each in joined})} songs, have a join at which music goes on. \\* kept out until"
        " scales and weights were set."
    )
    return Table("Planted faults", header, rows, note)


def _row(cells: Sequence[tuple[str, Seen]], component: str) -> list[str]:
    songs = [song for song, _ in cells]
    caught = np.array([seen.caught for _, seen in cells], dtype=float)
    low, high = interval(caught, songs)
    return [
        str(len(cells)),
        str(len(set(songs))),
        f"{caught.mean():.2f} ({low:.2f} to {high:.2f})",
        f"{np.mean([seen.caught_beside for _, seen in cells]):.2f}",
        component,
        f"{np.mean([seen.fired for _, seen in cells]):.2f}",
        f"{np.mean([seen.drop for _, seen in cells]):.3f}",
    ]


def later_by_a_sample(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return np.pad(sound, ((0, 0), (1, 0)))[:, :-1], rate


def remastered(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return limited(*equalised(sound, rate, rng), rng)


PROCESSES = {
    "remastered (EQ +-6 dB, limited to -9 LUFS)": remastered,
    "MP3 128 kb/s": mp3_128,
    "-12 dB, inverted": inverted_quiet,
    "a sample later": later_by_a_sample,
}


def blindness(case: Case, raw: Raw, truth: EDL) -> tuple[dict[str, float], float]:
    """How far processing moves the verdict from sound alone, and an edit of plain sample cuts; exact less random."""
    song = render(case.audio, truth)
    known = judge(raw, song, case.rate, known_map(truth)).verdict
    chance = load_editor("random").edit(case.track, EditRequest(target_s=truth.duration_s))[0]
    span = known - judge(raw, render(case.audio, chance), case.rate, known_map(chance)).verdict
    moved = {}
    for name, process in PROCESSES.items():
        changed, rate = process(song, case.rate, np.random.default_rng(0))
        moved[name] = evaluate(case.audio, case.rate, changed, rate, case.track).verdict - known
    plain = replace(truth, segments=tuple(replace(each, fade=0) for each in truth.segments), end_fade=0)
    cut = np.concatenate([case.audio[:, each.start : each.end] for each in plain.segments], axis=1)
    from_list = judge(raw, cut, case.rate, known_map(plain)).verdict
    from_sound = evaluate(case.audio, case.rate, cut, case.rate, case.track).verdict
    return {**moved, "plain sample cuts, against their cut list": from_sound - from_list}, span


def blindness_table(found: Sequence[Findings]) -> Table:
    """A row a process."""
    span = float(np.mean([each.span for each in found]))
    rows = []
    for name in found[0].moved:
        values = np.abs([each.moved[name] for each in found])
        share = f"{100 * values.mean() / span:.1f} %"
        rows.append([name, len(values), f"{values.mean():.4f}", f"{values.max():.4f}", share])
    header = ["processing", "edits", "mean change", "largest", "of exact - random"]
    lowest = min(each.span for each in found)
    return Table("Blindness", header, rows, f"exact - random: {span:.3f} (lowest {lowest:.3f})")


def rank(case: Case, raw: Raw) -> dict[str, tuple[float, float]]:
    """The editors at the exact edit's length, from sound alone and beside the exact edit."""
    edits = {"exact": case.edl}
    for name in EDITORS:
        with suppress(EditorError):
            edits[name] = load_editor(name).edit(case.track, EditRequest(target_s=case.edl.duration_s))[0]
    ranks = {}
    for name, edl in edits.items():
        alone, verdict = judged(case, raw, edl, case.edl)
        ranks[name] = (alone, verdict.verdict)
    return ranks


def rank_table(found: Sequence[Findings]) -> Table:
    """A row an editor."""
    rows = []
    for name in ("exact", *EDITORS):
        ranked = [each for each in found if name in each.ranks]
        alone = np.array([each.ranks[name][0] for each in ranked])
        low, high = interval(alone, [each.song for each in ranked])
        verdict = f"{alone.mean():.3f} ({low:.3f} to {high:.3f})"
        beside = np.mean([each.ranks[name][1] for each in ranked])
        under = np.mean([each.ranks[name][0] <= each.ranks["exact"][0] for each in ranked])
        rows.append([name, len(ranked), verdict, f"{beside:.3f}", f"{under:.2f}"])
    header = ["editor", "takes", "verdict (95 %)", "beside the exact edit", "not above exact"]
    return Table("Editors at equal length", header, rows)


def speed(case: Case) -> Table:
    """A 20-minute raw and a 7-minute output, the Track being known."""
    audio = np.tile(case.audio, (1, 1 + 20 * 60 * case.rate // case.audio.shape[1]))[:, : 20 * 60 * case.rate]
    rng = np.random.default_rng(0)
    parts = np.array_split(audio, 8, axis=1)  # no two the same: each at its own speed
    played = [soxr.resample(part.T, 1000.0, 1000.0 * rng.uniform(0.97, 1.03)).T for part in parts]
    audio = np.concatenate(played, axis=1).astype(np.float32)
    track = analyse(audio, case.rate)
    edges = np.linspace(0.05, 0.9, 9) * audio.shape[1]
    segments = tuple(Segment(int(at), int(at + 52.5 * case.rate), 400) for at in edges[:-1])
    song = render(audio, EDL(track.source, segments, Maker("speed")))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    evaluate(audio, case.rate, song, case.rate, track)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    rows = [[f"{audio.shape[1] / case.rate / 60:.1f} min raw, 7 min output", f"{wall_s:.0f} s", f"{cpu_s:.0f} s"]]
    return Table("Time of one verdict, the Track being known", ["what", "wall clock", "processor"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path, help="songs that get_music.py fetched")
    parser.add_argument("--jobs", type=int, help="takes at the same time (default: one a processor)")
    parser.add_argument("--selection", action="store_true")
    args = parser.parse_args()
    work = partial(find, hidden=KEPT_OUT if args.selection else (), faults_only=args.selection)
    chosen = takes(args.data, args.fetched, selection=args.selection)
    found = []
    for each in side_by_side(work, chosen, stage="judging", jobs=args.jobs):
        if isinstance(each, EditorError):
            raise each
        found.append(each)
    caught = faults_table(found)
    if args.selection:
        print(caught.markdown())
        return
    spent = [[part, f"{sum(each.spent_s[part] for each in found):.0f} s"] for part in found[0].spent_s]
    where = Table("Where the time of this benchmark goes", ["part", "processor"], spent)
    others = [rank_table(found), blindness_table(found), speed(sample_case(REPORTED[0])), where]
    notes = [caught.note, *(table.markdown() for table in others)]
    publish("ruler_validity", caught.title, caught.header, caught.rows, *notes)


if __name__ == "__main__":
    main()
