"""The ruler's validity: planted faults caught, remastering not seen, edits from elsewhere judged alike, editors ranked.

    python benchmarks/ruler_validity.py --data ../shared/data [--fetched DIR] [--keep DIR] [--selection]

Sample takes (seeds) and rehearsals of recorded songs, one exact edit each: the truth of the take, with joins made in it
where it has none, from the start of a section to the start of a later one of the same label. Truth and fault go through
one renderer. `--selection` prints the faults on the other songs, on which scales and weights were set, without the
families that were kept out of that. `--keep` keeps takes and analyses, which cost a minute each.
"""

import argparse
import pickle
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
from recovery import equalised, inverted_quiet, limited, mp3_128
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.files import Recording, read_audio
from rl_editor.audio.sample_songs import make_song
from rl_editor.audio.source import identify
from rl_editor.data.recorded_song import recorded_song
from rl_editor.data.recorded_takes import TakeConfig, recorded_take
from rl_editor.data.takes import make_take
from rl_editor.edits.edl import EDL, Maker, Segment
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
SELECTION = (7100, 7101, 7102, 7103, 7104, 7105, 9600, 9601, 9602, 9603, 9605, 9606)
SELECTION_SONGS = {
    "amoebax_angus": 500, "mars_starfall": 501, "mars_wings": 502, "stk_west": 503, "stk_hacienda": 504,
    "zaz_mus2": 505, "singularity_byproduct": 506, "hyperrogue_mountain": 507, "voxelibre_lonely_blossom": 508,
    "voxelibre_oddblock": 509, "singularity_awakening": 510,
}  # fmt: skip
REPORTED = (9610, 9611, 9612, 9613, 9614, 9615)
REPORTED_SONGS = {
    "amoebax_bones": 520, "hyperrogue_desert": 521, "mars_menu": 522, "zaz_mus1": 523, "singularity_journey": 524,
    "hyperrogue_laboratory": 525, "mars_orphanage": 526, "zaz_mus4": 527, "hyperrogue_graveyard": 528,
}  # fmt: skip
EDITORS = ("planner", "sections", "window", "head", "random", "loudest")
_FADE_S = 0.012


@dataclass(frozen=True, eq=False)
class Case:
    """One raw with its exact edit."""

    name: str
    audio: Array
    track: Track
    edl: EDL
    borders: tuple[tuple[int, str], ...]
    """Where sections begin in what is kept, and their labels."""

    @property
    def rate(self) -> int:
        return self.track.source.sample_rate


def sample_case(seed: int) -> Case:
    """A sample take of 4 minutes, or a session of two songs of five and a half."""
    rng = np.random.default_rng(seed)
    count = 2 if seed % 4 == 0 else 1
    pieces = [make_song(rng, name=f"s{k}", length_s=85 if count == 1 else 60).piece for k in range(count)]
    length_s = 240.0 if count == 1 else 330.0
    take = make_take(pieces, rng, length_s=length_s, loud_pauses=seed % 2 == 0, stems=False)
    kept = [passage for attempt in take.attempts if attempt.kept for passage in attempt.passages]
    borders = tuple((passage.start, passage.label) for passage in kept)
    return Case(f"sample {seed}", take.audio, analyse(take.audio, take.sample_rate), take.edl, borders)


def recorded_case(path: Path, seed: int) -> Case:
    """A rehearsal of the first two minutes of a recorded song."""
    whole = read_audio(path)
    audio = np.ascontiguousarray(whole.audio[:, : 130 * whole.sample_rate])
    recording = Recording(audio, identify(audio, whole.sample_rate), whole.encoding)
    song = recorded_song(recording, analyse(audio, whole.sample_rate))
    config = TakeConfig(longest_raw_s=300, longest_song_s=110)
    take = recorded_take(song, np.random.default_rng(seed), config=config)
    track = analyse(take.audio, take.sample_rate)
    return Case(path.stem, take.audio, track, take.edl, _sections(track))


def cases(args: argparse.Namespace) -> Iterator[Case]:
    """All of them, from the folder of kept ones where they are there."""
    songs = SELECTION_SONGS if args.selection else REPORTED_SONGS
    folders = [folder for folder in (args.data / "music", args.fetched) if folder]
    files = {path.stem: path for folder in folders for path in folder.glob("*.ogg")}
    made = [(str(seed), lambda seed=seed: sample_case(seed)) for seed in (SELECTION if args.selection else REPORTED)]
    made += [
        (name, lambda name=name, seed=seed: recorded_case(files[name], seed))
        for name, seed in songs.items()
        if name in files
    ]
    for name, make in made:
        file = args.keep and args.keep / f"case_{name}.pkl"
        if file and file.exists():
            case = pickle.loads(file.read_bytes())
        else:
            case = make()
            if file:
                file.write_bytes(pickle.dumps(case))
        yield replace(case, edl=replace(case.edl, source=case.track.source))


def with_joins(case: Case, most: int = 2) -> EDL:
    """The exact edit with joins: from the start of a section to that of a later one of the same label."""
    if any(case.edl.segments[k - 1].end > case.edl.segments[k].start for k in case.edl.joins):
        return case.edl  # it has loops or another order, with joins of its own
    segments: list[Segment] = []
    count = 0
    for segment in case.edl.segments:
        inside = [border for border in case.borders if segment.start < border[0] < segment.end]
        at, k, fade = segment.start, 1, segment.fade
        while k < len(inside):
            later = [j for j in range(k + 2, len(inside)) if inside[j][1] == inside[k][1]]
            if later and count < most:
                segments.append(Segment(at, inside[k][0], fade))
                at, fade, k, count = inside[later[0]][0], round(_FADE_S * case.rate), later[0], count + 1
            k += 1
        segments.append(Segment(at, segment.end, fade))
    return replace(case.edl, segments=tuple(segments))


def _sections(track: Track) -> tuple[tuple[int, str], ...]:
    assert track.section is not None
    assert track.section_labels is not None
    starts = np.flatnonzero(np.diff(track.section, prepend=-1))
    return tuple((int(track.bounds[row]), track.section_labels[track.section[row]]) for row in starts)


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


@dataclass
class Tally:
    """What was seen of one fault at one grade."""

    songs: list[str]
    caught: list[float]
    caught_beside: list[float]
    fired: list[float]
    drop: list[float]


def faults(chosen: Sequence[Case], *, hidden: Sequence[str]) -> Table:
    """Each fault at each grade, and whether more of it is worse."""
    tallies: dict[tuple[str, float], Tally] = defaultdict(lambda: Tally([], [], [], [], []))
    rising: dict[str, list[bool]] = defaultdict(list)
    for case in chosen:
        raw, truth = hear_raw(case.audio, case.track), with_joins(case)
        exact, beside = judged(case, raw, truth, truth)
        for fault in FAULTS:
            drops = []
            for grade in fault.grades if fault.name not in hidden else ():
                planted = fault.planted(truth, case.track, grade, np.random.default_rng(1))
                if planted is None:
                    continue
                alone, verdict = judged(case, raw, planted, truth)
                seen = tallies[fault.name, grade]
                before, after = (1.0 if each is None else each for each in _component(beside, verdict, fault.component))
                seen.songs.append(case.name)
                seen.caught.append(float(alone < exact))
                seen.caught_beside.append(float(verdict.verdict < beside.verdict))
                seen.fired.append(float(after < before))
                drops.append(beside.verdict - verdict.verdict if fault.needs_human else exact - alone)
                seen.drop.append(drops[-1])
            if fault.ordered and len(drops) > 1:
                rising[fault.name].append(bool((np.diff(drops) > 0).all()))
    rows = [
        _row(fault.name, f"{grade:g} {fault.unit}", fault.component, seen, rising[fault.name])
        for fault in FAULTS
        for grade in fault.grades
        if (seen := tallies.get((fault.name, grade)))
    ]
    header = ["fault", "grade", "edits", "caught", "caught beside the exact edit", "component", "it fired", "mean drop",
              "worse with grade"]  # fmt: skip
    return Table("Planted faults", header, rows, "\\* kept out until scales and weights were set.")


def _component(before: Verdict, after: Verdict, name: str) -> tuple[float | None, float | None]:
    return before.score(name), after.score(name)


def _row(name: str, grade: str, component: str, seen: Tally, rising: list[bool]) -> list[str]:
    low, high = interval(np.array(seen.caught), seen.songs)
    return [
        name + (" \\*" if name in KEPT_OUT else ""),
        grade,
        str(len(seen.songs)),
        f"{np.mean(seen.caught):.2f} ({low:.2f} to {high:.2f})",
        f"{np.mean(seen.caught_beside):.2f}",
        component,
        f"{np.mean(seen.fired):.2f}",
        f"{np.mean(seen.drop):.3f}",
        f"{np.mean(rising):.2f}" if rising else "-",
    ]


def later_by_a_sample(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return np.pad(sound, ((0, 0), (1, 0)))[:, :-1], rate


def remastered(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return limited(*equalised(sound, rate, rng), rng)


def blindness(chosen: Sequence[Case]) -> Table:
    """How far processing moves the verdict from sound alone, and edits made of plain sample cuts."""
    processes = {
        "remastered (EQ +-6 dB, limited to -9 LUFS)": remastered,
        "MP3 128 kb/s": mp3_128,
        "-12 dB, inverted": inverted_quiet,
        "a sample later": later_by_a_sample,
    }
    moved: dict[str, list[float]] = defaultdict(list)
    ranges = []
    for case in chosen:
        raw, truth = hear_raw(case.audio, case.track), with_joins(case)
        song = render(case.audio, truth)
        known = judge(raw, song, case.rate, known_map(truth)).verdict
        chance = load_editor("random").edit(case.track, EditRequest(target_s=truth.duration_s))[0]
        ranges.append(known - judge(raw, render(case.audio, chance), case.rate, known_map(chance)).verdict)
        for name, process in processes.items():
            changed, rate = process(song, case.rate, np.random.default_rng(0))
            moved[name].append(evaluate(case.audio, case.rate, changed, rate, case.track).verdict - known)
        plain = replace(truth, segments=tuple(replace(each, fade=0) for each in truth.segments), end_fade=0)
        cut = np.concatenate([case.audio[:, each.start : each.end] for each in plain.segments], axis=1)
        from_list = judge(raw, cut, case.rate, known_map(plain)).verdict
        moved["plain sample cuts, against their cut list"].append(
            evaluate(case.audio, case.rate, cut, case.rate, case.track).verdict - from_list
        )
    span = float(np.mean(ranges))
    rows = [
        [name, len(values), f"{np.mean(np.abs(values)):.4f}", f"{np.abs(values).max():.4f}",
         f"{100 * np.mean(np.abs(values)) / span:.1f} %"]
        for name, values in moved.items()
    ]  # fmt: skip
    header = ["processing", "edits", "mean change", "largest", "of exact - random"]
    return Table("Blindness", header, rows, f"exact - random: {span:.3f} (lowest {min(ranges):.3f})")


def rank(chosen: Sequence[Case]) -> Table:
    """The editors at the exact edit's length, beside it."""
    alone: dict[str, dict[str, float]] = defaultdict(dict)
    beside: dict[str, dict[str, float]] = defaultdict(dict)
    for case in chosen:
        raw = hear_raw(case.audio, case.track)
        edits = {"exact": case.edl}
        for name in EDITORS:
            try:
                edits[name] = load_editor(name).edit(case.track, EditRequest(target_s=case.edl.duration_s))[0]
            except EditorError:
                continue
        for name, edl in edits.items():
            alone[name][case.name], verdict = judged(case, raw, edl, case.edl)
            beside[name][case.name] = verdict.verdict
    rows = []
    for name, values in alone.items():
        songs = list(values)
        low, high = interval(np.array(list(values.values())), songs)
        under = np.mean([values[song] <= alone["exact"][song] for song in songs])
        rows.append([name, len(songs), f"{np.mean(list(values.values())):.3f} ({low:.3f} to {high:.3f})",
                     f"{np.mean(list(beside[name].values())):.3f}", f"{under:.2f}"])  # fmt: skip
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
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--selection", action="store_true")
    args = parser.parse_args()
    chosen = list(cases(args))
    if args.selection:
        print(faults(chosen, hidden=KEPT_OUT).markdown())
        return
    caught = faults(chosen, hidden=())
    others = [rank(chosen), blindness(chosen), speed(chosen[0])]
    notes = [caught.note, *(table.markdown() for table in others)]
    publish("ruler_validity", caught.title, caught.header, caught.rows, *notes)


if __name__ == "__main__":
    main()
