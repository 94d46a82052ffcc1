"""Decoding edits into actions and replaying them: identity, joins the landing table holds, and steps a second.

    python benchmarks/decode_replay.py --data ../shared/data [--takes DIR] [--most N] [--store DIR]

Edits of the planner and random legal edits of each song in `--data`; with `--takes` the true edits of a folder that
`rl-editor synthesize` made (`edl/*.json` beside the raws that they name), of which `--most` are read. `--store` keeps
the analyses; given the folder `prepared/tracks` of takes that `rl-editor prepare` has measured, it reads those.

An edit comes back within a beat if each of its edges does; a join that is no whole beat long may have gone. It comes
back exactly if all its segments do, the fades by class. It is stable if what was replayed is decoded to the same
actions. A join in the table is one whose landing skips what the edit does within a quarter of a beat.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.landings import Family, K
from rl_editor.analysis.store import Key, Store
from rl_editor.analysis.track import Track
from rl_editor.audio.files import read_audio
from rl_editor.audio.source import Source
from rl_editor.edits.actions import (
    END,
    FADE_CLASSES,
    KEEP,
    N_ACTIONS,
    Tables,
    advance,
    begin,
    column_of,
    fade_samples,
    legal,
    make_tables,
)
from rl_editor.edits.demonstration import Decoded, decode, replay
from rl_editor.edits.edl import EDL, Maker, Segment, merged, read
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError

_RANDOM_EDITS = 200
_STEPS = 120
_BATCHES = (1, 64, 1024, 4096)
_LONG = 2500  # beats
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Compared:
    """One edit, decoded and replayed."""

    kind: str
    within: bool
    exact: bool
    stable: bool
    joins: tuple[tuple[str, str], ...]
    """Direction and family of each join; `outside` where the table holds none."""
    beginning: str
    """With what the edit begins: the recording, a landing of row 0, or one outside."""


def random_play(track: Track, rng: np.random.Generator) -> np.ndarray:
    """Random legal actions: KEEP nine times of ten, END after `_STEPS` or where nothing else is left."""
    tables = make_tables([track])
    state, actions = begin(tables, torch.zeros(1, dtype=torch.int64)), list[int]()
    while not state.ended:
        mask = legal(tables, state)[0].numpy()
        landings = np.flatnonzero(mask[2:]) + 2
        if mask[END] and (len(actions) >= _STEPS or mask.sum() == 1):
            actions.append(END)
        elif mask[KEEP] and (len(landings) == 0 or rng.random() < 0.9):
            actions.append(KEEP)
        else:
            actions.append(int(rng.choice(landings)))
        state = advance(tables, state, torch.tensor(actions[-1:]))
    return np.array(actions)


def compare(kind: str, edl: EDL, track: Track) -> Compared:
    """Decode and replay one edit."""
    decoded = decode(edl, track)
    back = replay(decoded.actions, track, decoded.outside, maker=edl.maker)
    own, ours = in_beats(merged(edl.segments), track), in_beats(back.segments, track)
    fades = fade_samples(track)
    by_class = all(segment.fade in fades for segment in merged(edl.segments)[1:])
    edges = [[(s.start, s.end) for s in segments] for segments in (merged(edl.segments), back.segments)]
    same_fades = [s.fade for s in merged(edl.segments)[1:]] == [s.fade for s in back.segments[1:]]
    return Compared(
        kind=kind,
        within=comes_back(ours, own),
        exact=edges[0] == edges[1] and (same_fades or not by_class),
        stable=same(decode(back, track), decoded),
        joins=directions(edl, decoded, track),
        beginning=beginning(decoded),
    )


def same(ours: Decoded, theirs: Decoded) -> bool:
    """Whether two demonstrations are one."""
    pairs = zip((*ours[:2], *ours.outside), (*theirs[:2], *theirs.outside), strict=True)
    return all(np.array_equal(our, their) for our, their in pairs)


def beginning(decoded: Decoded) -> str:
    """With what an edit begins."""
    if decoded.outside.beat[0] >= 0:
        return "outside"
    return "landing" if decoded.actions[0] > END else "recording"


def in_beats(segments: list[Segment] | tuple[Segment, ...], track: Track) -> np.ndarray:
    """Starts and ends as beats and fractions of them, (segments, 2)."""
    edges = [(segment.start, segment.end) for segment in segments]
    return np.interp(edges, track.bounds, np.arange(len(track.bounds)))


def comes_back(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether all edges are within a beat; what skips or repeats less than a beat may be no join any more."""
    if len(ours) == 0 or len(theirs) == 0:
        return len(ours) == len(theirs)
    if abs(ours[0, 0] - theirs[0, 0]) > 1 + _ROUNDING:
        return False
    for k, end in enumerate(theirs[:, 1]):
        if abs(ours[0, 1] - end) <= 1 + _ROUNDING and comes_back(ours[1:], theirs[k + 1 :]):
            return True
        if k + 1 == len(theirs) or abs(theirs[k + 1, 0] - end) > 1:
            return False
    return False


def directions(edl: EDL, decoded: Decoded, track: Track) -> tuple[tuple[str, str], ...]:
    """Direction and family of each join of an edit."""
    at = np.flatnonzero((decoded.actions > END) & (decoded.playhead > 0))
    families = [
        "outside"
        if decoded.outside.beat[t] >= 0
        else Family(track.landings.family[decoded.playhead[t], column_of(int(decoded.actions[t]))]).name.lower()
        for t in at
    ]
    ways = ["forward" if after.start >= before.end else "backward" for before, after in pairwise(merged(edl.segments))]
    return tuple(zip(ways, families, strict=True))


def edits_of(track: Track, n_random: int, rng: np.random.Generator) -> Iterator[tuple[str, EDL]]:
    """Edits of one song by the planner, and random legal ones."""
    third_s = track.source.duration_s / 3
    requests = {
        "planner": [EditRequest(), EditRequest(keep=0.35), EditRequest(keep=1.4), EditRequest(keep=0.6, order="free")],
        "planner, middle third banned": [EditRequest(keep=0.5, bans=((third_s, 2 * third_s),))],
    }
    for kind, asked in requests.items():
        for request in asked:
            try:
                yield kind, PlannerEditor().edit(track, request)[0]
            except RequestError:
                continue
    for _ in range(n_random):
        yield "random legal play", replay(random_play(track, rng), track, maker=Maker("random"))


def true_edits(folder: Path, most: int | None, store: Store | None) -> Iterator[tuple[EDL, Track]]:
    """True edits of takes, with the analyses of their raws."""
    for path in sorted(folder.glob("edl/*.json"))[:most]:
        edl = read(path)
        yield edl, analysed(Path(edl.source.file), store, edl.source)


def analysed(path: Path, store: Store | None, known: Source | None = None) -> Track:
    """The analysis of a recording, from the store where it is there; what is `known` need not be read for that."""
    track = store.load(Key(known)) if store and known else None
    if track is not None:
        return track
    recording = read_audio(path)
    track = store.load(Key(recording.source)) if store else None
    if track is None:
        track = analyse(recording.audio, recording.sample_rate, source=recording.source)
        if store:
            store.save(Key(recording.source), track)
    return track


def row(kind: str, compared: list[Compared]) -> list[object]:
    """One line of the table."""
    joins = Counter(join for each in compared for join in each.joins)
    begins = Counter(each.beginning for each in compared)
    held = sum(count for (_, family), count in joins.items() if family != "outside")

    def of(direction: str) -> str:
        own = {family: count for (way, family), count in joins.items() if way == direction}
        total, outside = sum(own.values()), own.pop("outside", 0)
        if total == 0:
            return "-"
        families = ", ".join(f"{family} {own[family]}" for family in sorted(own))
        return f"{(total - outside) / total:.3f} of {total} ({families or 'none'}; outside {outside})"

    return [
        kind,
        len(compared),
        f"{np.mean([each.within for each in compared]):.3f}",
        f"{np.mean([each.exact for each in compared]):.3f}",
        f"{np.mean([each.stable for each in compared]):.3f}",
        f"{held / max(sum(joins.values()), 1):.3f} of {sum(joins.values())}",
        of("forward"),
        of("backward"),
        f"{(len(compared) - begins['outside']) / len(compared):.3f} of {len(compared)} (recording "
        f"{begins['recording']}, landing {begins['landing']}; outside {begins['outside']})",
    ]


def random_tables(n_beats: int, rng: np.random.Generator) -> Tables:
    """Tables of one recording with a landing in every place."""
    bounds = np.concatenate([[0], np.cumsum(rng.integers(15000, 30000, n_beats))])
    beat = rng.integers(0, n_beats, (n_beats + 1, K))
    half = rng.integers(0, 2, beat.shape)
    start = bounds[beat] + half * ((bounds[beat + 1] - bounds[beat]) // 2)
    lawful = np.ones((n_beats + 1, N_ACTIONS), dtype=bool)
    lawful[-1, KEEP] = lawful[0, END] = False
    lawful[0, 3::FADE_CLASSES] = False
    return Tables(*(torch.from_numpy(each)[None] for each in (bounds, beat, half, start, lawful)))


def steps_per_s(n: int, tables: Tables, seconds: float = 3.0) -> tuple[float, float]:
    """Steps a second of N random legal edits: mask and transition alone, and with the drawing of an action."""
    state = begin(tables, torch.zeros(n, dtype=torch.int64))
    steps, ours, begun = 0, 0.0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        before = time.perf_counter()
        mask = legal(tables, state)
        ours += time.perf_counter() - before
        weight = mask.float()
        weight[:, KEEP] *= N_ACTIONS
        weight[:, END] = 0.0
        action = torch.multinomial(weight, 1)[:, 0]
        before = time.perf_counter()
        state = advance(tables, state, action)
        ours += time.perf_counter() - before
        steps += n
    return steps / ours, steps / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--takes", type=Path)
    parser.add_argument("--most", type=int)
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    rng, store = np.random.default_rng(0), Store(args.store) if args.store else None
    compared: dict[str, list[Compared]] = {}
    songs = sorted((args.data / "music").glob("*.ogg"))
    for song in songs:
        track = analysed(song, store)
        for kind, edl in edits_of(track, -(-_RANDOM_EDITS // len(songs)), rng):
            compared.setdefault(kind, []).append(compare(kind, edl, track))
    for edl, track in true_edits(args.takes, args.most, store) if args.takes else ():
        compared.setdefault("true edit of a take", []).append(compare("take", edl, track))
    tables = random_tables(_LONG, rng)
    torch.manual_seed(0)
    speeds = {n: steps_per_s(n, tables) for n in _BATCHES}
    publish(
        "decode_replay",
        f"Edits decoded and replayed, {len(songs)} songs",
        [
            "edits",
            "number",
            "within a beat",
            "exact",
            "stable",
            "joins in the table",
            "forward",
            "backward",
            "beginnings in row 0",
        ],
        [row(kind, each) for kind, each in compared.items()],
        f"Random legal steps a second on one recording of {_LONG} beats, {torch.get_num_threads()} thread(s): "
        + ", ".join(f"N = {n}: {own:,.0f} ({drawn:,.0f} with the drawing)" for n, (own, drawn) in speeds.items())
        + ".",
    )


if __name__ == "__main__":
    main()
