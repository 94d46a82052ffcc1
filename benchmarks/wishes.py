"""Lengths and wishes: is every edit as long as asked, and each wish honoured or refused with a reason?

    python benchmarks/wishes.py --data ../shared/data [--fetched DIR] [--combinations 200] [--seed 0]

The songs are those of `--data`'s folder music and all of `--fetched`. Whether an edit honours its request is told from
the EDL's samples and the track's bounds alone, not by the planner's own code.
"""

import argparse
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.audio.files import read_audio
from rl_editor.edits.edl import EDL
from rl_editor.edits.length import repeated
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest, Order
from rl_editor.errors import RequestError

_KEEPS = (0.2, 0.35, 0.5, 0.75, 1.5)
_ALIGNED_S = 0.05  # a landing may begin so much before its beat
_SHOWN = 12


@dataclass
class Lengths:
    """What became of one length asked of all songs."""

    loose_s: list[float] = field(default_factory=list)
    """Errors at a slack of 1 s."""
    exact_samples: list[int] = field(default_factory=list)
    """Errors at a slack of 0."""
    repeated_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass
class Wished:
    """What became of the random combinations."""

    honoured: int = 0
    violated: list[str] = field(default_factory=list)
    impossible: Counter[str] = field(default_factory=Counter)
    """Refusals of wishes that contradict each other or the recording, by reason."""
    offered: list[str] = field(default_factory=list)
    """Refusals of a length, with the nearest ones."""
    unoffered: list[str] = field(default_factory=list)
    """Refusals where a length was asked and none was offered, contradictions aside."""
    offers: int = 0
    offers_met: int = 0
    offers_failed: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    """Refusals that offer a length within the slack of the one they refuse."""
    avoidable: list[str] = field(default_factory=list)
    """Refusals of a length that the beats alone would allow, if any could follow any."""
    faded_locks: int = 0
    """Edits that honour a lock, but fade out over a part of it."""
    banned_ms: list[float] = field(default_factory=list)
    """Of banned sound that a fade lets through, for each edit where one does."""


def songs(data: Path, fetched: Path | None) -> dict[str, Track]:
    """The songs by name, each analysed once."""
    paths = {path.stem: path for folder in (fetched, data / "music") if folder for path in folder.glob("*.ogg")}
    tracks = {}
    for name, path in sorted(paths.items()):
        recording = read_audio(path)
        source = replace(recording.source, file=name)
        tracks[name] = analyse(recording.audio, recording.sample_rate, source=source)
    return tracks


def lengths_of(tracks: dict[str, Track], keep: float) -> Lengths:
    """Ask all songs for this share, loosely and to the sample."""
    found = Lengths()
    for track in tracks.values():
        rate, wish_s = track.source.sample_rate, keep * track.source.duration_s
        for slack_s in (1.0, 0.0):
            try:
                edl = PlannerEditor().edit(track, EditRequest(keep=keep, slack_s=slack_s))[0]
            except RequestError as error:
                found.refused.append(str(error))
                continue
            found.repeated_s.append(repeated(edl) / rate)
            if slack_s:
                found.loose_s.append(abs(edl.n_samples / rate - wish_s))
            else:
                found.exact_samples.append(abs(edl.n_samples - round(wish_s * rate)))
    return found


def random_request(rng: np.random.Generator, track: Track) -> EditRequest:
    """A combination of wishes as a person might have them, contradictions included."""
    duration_s = track.source.duration_s

    def ranges(longest_s: float) -> tuple[tuple[float, float], ...]:
        count = int(rng.choice(3, p=(0.45, 0.4, 0.15)))
        firsts_s = rng.uniform(0, 0.95 * duration_s, count)
        lasts_s = np.minimum(firsts_s + rng.uniform(1.0, longest_s, count), duration_s)
        return tuple((float(first_s), float(last_s)) for first_s, last_s in zip(firsts_s, lasts_s, strict=True))

    order: Order = "free" if rng.random() < 0.25 else "forward"
    start_s = float(rng.uniform(0, 0.5 * duration_s)) if rng.random() < 0.3 else None
    end_s = float(rng.uniform(0.5 * duration_s, duration_s)) if rng.random() < 0.3 else None
    keep = float(rng.uniform(0.1, 1.0) if rng.random() < 0.8 else rng.uniform(1.0, 2.0))
    length = {"target_s": keep * duration_s} if rng.random() < 0.5 else {"keep": keep}
    return EditRequest(
        **(length if rng.random() < 0.85 else {}),
        slack_s=float(rng.choice([1.0, 0.0, 0.25], p=(0.5, 0.35, 0.15))),
        locks=ranges(25.0),
        bans=ranges(min(40.0, 0.3 * duration_s)),
        start_s=start_s,
        end_s=end_s,
        order=order,
        loops=bool(rng.random() < 0.15),
    )


def spans(edl: EDL) -> list[tuple[int, int]]:
    """What is played without a break, in samples of the source and in output order."""
    joined: list[tuple[int, int]] = []
    for segment in edl.segments:
        if joined and joined[-1][1] == segment.start:
            joined[-1] = (joined[-1][0], segment.end)
        else:
            joined.append((segment.start, segment.end))
    return joined


def touched(track: Track, ranges: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """The beats that the ranges touch, in samples."""
    bounds, rate = track.bounds.tolist(), track.source.sample_rate
    beats = itertools.pairwise(bounds)
    return [(a, b) for a, b in beats if any(a < last_s * rate and b > first_s * rate for first_s, last_s in ranges)]


def broken_wishes(edl: EDL, track: Track, request: EditRequest) -> list[str]:
    """Which wishes the edit does not honour, in words."""
    rate, played, broken = track.source.sample_rate, spans(edl), []
    locked, banned = touched(track, request.locks), touched(track, request.bans)
    missing = [(a, b) for a, b in locked if not any(start <= a and b <= end for start, end in played)]
    if missing:
        broken.append(f"{len(missing)} of {len(locked)} locked beats not whole, first at {missing[0][0] / rate:.2f} s")
    heard = [min(b, end) - max(a, start) for a, b in banned for start, end in played if start < b and end > a]
    if heard:
        broken.append(f"{len(heard)} of {len(banned)} banned beats played, {sum(heard) / rate:.3f} s in all")
    for name, time_s, at in (("start", request.start_s, played[0][0]), ("end", request.end_s, played[-1][1])):
        if time_s is not None and abs(at - time_s * rate) > _half_beat(track, time_s) + 1:
            off_s, allowed_s = at / rate - time_s, _half_beat(track, time_s) / rate
            broken.append(f"{name} {off_s:+.2f} s off where half a beat is {allowed_s:.2f} s")
    target_s = request.length_s(track.source.duration_s)
    if target_s is not None and abs(edl.n_samples / rate - target_s) > max(request.slack_s, 0.5 / rate) + 1e-9:
        broken.append(f"length {edl.n_samples / rate - target_s:+.4f} s off at slack {request.slack_s:g}")
    return broken + _broken_order(edl, track, request)


def _half_beat(track: Track, time_s: float) -> float:
    """Half the beat that holds this time, in samples."""
    beat = int(np.clip(np.searchsorted(track.bounds_s, time_s, side="right") - 1, 0, track.n_beats - 1))
    return float(track.bounds[beat + 1] - track.bounds[beat]) / 2


def _broken_order(edl: EDL, track: Track, request: EditRequest) -> list[str]:
    """Repeats or steps back that neither the request allows nor the length demands."""
    rate, target_s = track.source.sample_rate, request.length_s(track.source.duration_s)
    banned = touched(track, request.bans)
    beats = zip(track.bounds.tolist(), track.bounds[1:].tolist(), track.is_music.tolist(), strict=False)
    music_s = sum(b - a for a, b, is_music in beats if is_music and (a, b) not in banned) / rate
    if request.loops or (target_s is not None and target_s > music_s):
        return []
    margin = _ALIGNED_S * rate
    played = spans(edl)
    ordered = sorted(played)
    twice = sum(max(before[1] - after[0] - margin, 0) for before, after in itertools.pairwise(ordered))
    broken = [f"{twice / rate:.2f} s played twice"] if twice > 0 else []
    back = any(after[0] < before[1] - margin for before, after in itertools.pairwise(played))
    return [*broken, "goes back in forward order"] if back and request.order == "forward" else broken


def allowed_by_beats(track: Track, request: EditRequest, target_s: float) -> bool:
    """Whether the beats between start and end that are not banned hold the locks and this length, each played once."""
    bounds, rate = track.bounds, track.source.sample_rate
    first = 0 if request.start_s is None else int(np.abs(bounds[:-1] - request.start_s * rate).argmin())
    last = track.n_beats if request.end_s is None else int(np.abs(bounds - request.end_s * rate).argmin())
    locked, banned = touched(track, request.locks), touched(track, request.bans)
    if any(a < bounds[first] or b > bounds[last] for a, b in locked):
        return False
    inside = [(a, b) for a, b in banned if a >= bounds[first] and b <= bounds[last]]
    most = bounds[last] - bounds[first] - sum(b - a for a, b in inside)
    return bool(sum(b - a for a, b in locked) <= target_s * rate <= most)


def offered_s(message: str) -> list[float]:
    """The nearest lengths a refusal names, in seconds."""
    found = re.search(r"nearest lengths are (.*)$", message)
    clocks = found.group(1).split(", ") if found else []
    return [sum(60**k * float(part) for k, part in enumerate(reversed(clock.split(":")))) for clock in clocks]


def try_wishes(tracks: dict[str, Track], combinations: int, seed: int) -> Wished:
    """Random requests of random songs, judged."""
    rng, result, names = np.random.default_rng(seed), Wished(), list(tracks)
    for number in range(combinations):
        name = names[int(rng.integers(len(names)))]
        track = tracks[name]
        request = random_request(rng, track)
        told = f"{number}: {name}, {_in_words(request, track)}"
        try:
            edl = PlannerEditor().edit(track, request)[0]
        except RequestError as error:
            _judge_refusal(result, track, request, told, str(error))
            continue
        broken = broken_wishes(edl, track, request)
        if broken:
            result.violated.append(f"{told}: {'; '.join(broken)}")
        else:
            result.honoured += 1
        _listen_to_fades(result, edl, track, request)
    return result


def _judge_refusal(result: Wished, track: Track, request: EditRequest, told: str, message: str) -> None:
    target_s = request.length_s(track.source.duration_s)
    reason = message.split(": ", 1)[-1]
    offers = offered_s(message)
    if target_s is None or not reason.startswith("no edit that meets these wishes"):
        result.impossible[reason] += 1
        return
    if allowed_by_beats(track, request, target_s):
        result.avoidable.append(f"{told}: {reason}")
    if not offers:
        result.unoffered.append(f"{told}: {reason}")
        return
    result.offered.append(f"{told}: {reason}")
    if any(abs(offer_s - target_s) <= request.slack_s for offer_s in offers):
        result.needless.append(f"{told}: {reason}")
    for offer_s in offers:
        result.offers += 1
        try:
            # an offer is written to the second
            edl = PlannerEditor().edit(track, replace(request, keep=None, target_s=offer_s, slack_s=1.0))[0]
        except RequestError as error:
            result.offers_failed.append(f"{told}; offered {offer_s:g} s: {error}")
            continue
        broken = broken_wishes(edl, track, replace(request, keep=None, target_s=offer_s, slack_s=1.0))
        result.offers_met += not broken
        if broken:
            result.offers_failed.append(f"{told}; offered {offer_s:g} s: {'; '.join(broken)}")


def _listen_to_fades(result: Wished, edl: EDL, track: Track, request: EditRequest) -> None:
    """Count what fades do to locks and bans; a fade plays up to its length before a segment's start."""
    locked, banned = touched(track, request.locks), touched(track, request.bans)
    last = edl.segments[-1].end
    result.faded_locks += bool(edl.end_fade) and any(a < last and b > last - edl.end_fade for a, b in locked)
    through = 0
    for k in edl.joins:
        start, fade = edl.segments[k].start, edl.segments[k].fade
        through += sum(max(min(b, start) - max(a, start - fade), 0) for a, b in banned)
    if through:
        result.banned_ms.append(1e3 * through / track.source.sample_rate)


def _in_words(request: EditRequest, track: Track) -> str:
    words = []
    target_s = request.length_s(track.source.duration_s)
    if target_s is not None:
        words.append(f"{target_s:.1f} of {track.source.duration_s:.1f} s, slack {request.slack_s:g}")
    words += [f"lock {first_s:.1f}-{last_s:.1f}" for first_s, last_s in request.locks]
    words += [f"ban {first_s:.1f}-{last_s:.1f}" for first_s, last_s in request.bans]
    words += [f"start {request.start_s:.1f}"] if request.start_s is not None else []
    words += [f"end {request.end_s:.1f}"] if request.end_s is not None else []
    words += ["free"] if request.order == "free" else []
    return ", ".join([*words, "loops"] if request.loops else words)


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    """A note with a list of cases, none where there are none."""
    if not lines:
        return []
    more = [f"- and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return ["\n".join([f"{title}:", "", *(f"- {line}" for line in lines[:_SHOWN]), *more])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path)
    parser.add_argument("--combinations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tracks = songs(args.data, args.fetched)
    rows: list[list[object]] = []
    refusals: list[str] = []
    for keep in _KEEPS:
        found = lengths_of(tracks, keep)
        exact = sum(error == 0 for error in found.exact_samples)
        refusals += found.refused
        rows.append(
            [
                f"keep {keep:g}",
                f"{max(found.loose_s, default=np.nan):.3f} s",
                f"{exact} of {len(tracks)}, worst {max(found.exact_samples, default=-1)} samples off",
                len(found.refused),
                f"{max(found.repeated_s, default=0.0):.2f} s" + (" (demanded)" if keep > 1 else ""),
            ]
        )
    wished = try_wishes(tracks, args.combinations, args.seed)
    contradictory = sum(wished.impossible.values())
    reasons = [f"{count} x {reason}" for reason, count in wished.impossible.most_common()]
    publish(
        "wishes",
        f"Lengths and wishes, {len(tracks)} songs",
        ["asked", "largest error at slack 1", "exact at slack 0", "refused", "most played twice"],
        rows,
        f"{args.combinations} random combinations of locks, bans, starts, ends, lengths and orders (seed {args.seed}): "
        f"{wished.honoured} honoured, {len(wished.violated)} violated (bar 0), {len(wished.offered)} refused with the "
        f"nearest lengths, {contradictory} refused as contradictory, {len(wished.unoffered)} refused with neither. "
        f"Of {wished.offers} lengths offered {wished.offers_met} were met when asked for.",
        f"Not held against an edit: {wished.faded_locks} fade out over a part of a lock; in {len(wished.banned_ms)} a "
        f"crossfade lets through banned sound, at most {max(wished.banned_ms, default=0.0):.0f} ms.",
        f"Refused, though the beats between start and end would allow the length: {len(wished.avoidable)}.",
        *_listed("Those", wished.avoidable),
        *_listed("Lengths refused", refusals),
        *_listed("Violated", wished.violated),
        *_listed("Reasons of the contradictory", reasons),
        *_listed("Refused without nearest lengths", wished.unoffered),
        *_listed("Refused, though a length within the slack was offered", wished.needless),
        *_listed("Offers that were not met", wished.offers_failed),
        *_listed("Refused with the nearest lengths", wished.offered),
    )


if __name__ == "__main__":
    main()
