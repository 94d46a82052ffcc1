"""Joins the planner chose: their seam scores, what an unseen feature hears, their level, and the edit's two ends.

    python benchmarks/joins.py --data ../shared/data [--fetched DIR]

Each song is asked for at 35 and at 50 % with its middle third banned, so that there are joins to judge. The unseen
feature is measured here, from the rendered sound, in units of its own 98th percentile over the recording's own beats;
so is the level. Random joins are scored as kindly as possible: by the better of the landing table's two formulas.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.beat_features import beat_features
from rl_editor.analysis.landings import boundary_score
from rl_editor.analysis.seams import SEAM_TERMS, TERM_WEIGHTS, continuation, step
from rl_editor.analysis.spectra import listen, onset_bands
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, DoubleArray
from rl_editor.audio.files import read_audio
from rl_editor.edits.edl import EDL
from rl_editor.edits.joins import describe
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.render import join_fade, positions, render
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError

_KEEPS = (0.35, 0.5)
_AROUND_S = 0.5
_RANDOM = 500
_FRAME = 2048
_LOUD_ENOUGH = 1e-5
_EDGE_S = 0.05  # how much of a bar's end may be lost to an aligned landing


@dataclass(frozen=True)
class Judged:
    """One edit of one song."""

    song: str
    keep: float
    whys: tuple[str, ...]
    scores: tuple[float, ...]
    """Seam score of each join, that of a crossing by what the Track holds; infinite where nothing is known of it."""
    worst_terms: tuple[str, ...]
    """The seam term that differs most, of each join."""
    random: float
    """Mean seam score of random joins of the song."""
    unseen: tuple[float, ...]
    """Step of the unseen feature at each join, in units of the song's own 98th percentile."""
    levels_db: tuple[float, ...]
    """Step of level at each join."""
    own_level_db: float
    """98th percentile of the recording's own steps of level, over the same windows."""
    first_bar: bool
    last_bar: bool


def timbre(sound: Array, sample_rate: int) -> DoubleArray:
    """Spectral centroid (octaves), 85 % rolloff (octaves) and flatness (10 dB) of one window's mean spectrum, (3,).

    Args:
        sound: float32 (channels, samples).
        sample_rate: Hz.
    """
    mono = sound.mean(axis=0)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, (0, max(_FRAME - len(mono), 0))), _FRAME)
    spectrum = np.abs(np.fft.rfft(frames[:: _FRAME // 2] * np.hanning(_FRAME), axis=1)) ** 2
    hz = np.fft.rfftfreq(_FRAME, 1 / sample_rate)
    band = (hz >= 60) & (hz <= min(16000, sample_rate / 2))
    power = spectrum.mean(axis=0)[band] + 1e-9
    total = np.cumsum(power)
    centroid = float((np.sqrt(power) * hz[band]).sum() / np.sqrt(power).sum())
    rolloff = float(hz[band][np.searchsorted(total, 0.85 * total[-1])])
    flatness_db = 10 * float(np.log10(power).mean() - np.log10(power.mean()))
    return np.array([np.log2(centroid), np.log2(rolloff), flatness_db / 10])


def level_db(sound: Array) -> float:
    """RMS level, dBFS."""
    return 10 * float(np.log10(np.square(sound, dtype=np.float64).mean() + _LOUD_ENOUGH**2))


def unseen_step(sound: Array, sample_rate: int, before: int, after: int) -> float:
    """Euclidean step of `timbre` from the half second that ends at sample `before` to that which begins at `after`."""
    earlier, later = _around(sound, sample_rate, before, after)
    return float(np.linalg.norm(timbre(later, sample_rate) - timbre(earlier, sample_rate)))


def level_step(sound: Array, sample_rate: int, before: int, after: int) -> float:
    """Step of level in dB, without sign, over the same two half seconds."""
    earlier, later = _around(sound, sample_rate, before, after)
    return abs(level_db(later) - level_db(earlier))


def _around(sound: Array, sample_rate: int, before: int, after: int) -> tuple[Array, Array]:
    n = round(_AROUND_S * sample_rate)
    return sound[:, max(before - n, 0) : before], sound[:, after : after + n]


def own_steps(audio: Array, track: Track) -> DoubleArray:
    """98th percentiles of the recording's own steps at its beats inside the music: unseen feature and level, (2,)."""
    rate, is_music = track.source.sample_rate, track.is_music
    inside = 1 + np.flatnonzero(is_music[:-1] & is_music[1:])
    places = [p for p in track.bounds[inside].tolist() if rate // 4 < p < audio.shape[1] - rate // 4]
    steps = [(unseen_step(audio, rate, p, p), level_step(audio, rate, p, p)) for p in places]
    return np.percentile(np.array(steps), 98, axis=0)


def random_score(audio: Array, track: Track, rng: np.random.Generator) -> float:
    """Mean seam score of joins from a random music beat to another."""
    rate, bounds_s = track.source.sample_rate, track.bounds_s
    spectra = listen(audio, rate)
    features = beat_features(spectra, onset_bands(spectra.mel), track.bounds, rate)
    middles = (bounds_s[:-1] + bounds_s[1:]) / 2
    places_s = np.append(np.stack([bounds_s[:-1], middles], axis=1), bounds_s[-1])
    music = np.flatnonzero(track.is_music)
    leave, beat = 1 + rng.choice(music, _RANDOM), rng.choice(music, _RANDOM)
    apart = np.abs(leave - beat) >= 2
    leave, beat = leave[apart], beat[apart]
    terms = continuation(features, track.is_music).terms(leave, beat, np.zeros_like(beat))
    steps = step(spectra, places_s).terms(2 * leave, 2 * beat)
    jump = np.maximum(steps[:, SEAM_TERMS.index("step_level") - len(TERM_WEIGHTS)] - 1.0, 0.0)
    continued = terms @ np.array(TERM_WEIGHTS) + jump
    broken = boundary_score(steps.mean(axis=1), track.boundary[leave], track.boundary[beat])
    return float(np.minimum(continued, broken).mean())


def bar_kept(edl: EDL, track: Track, *, last: bool) -> bool:
    """Whether the first or the last bar that holds music is played whole, as far as it is music."""
    music = np.flatnonzero(track.is_music)
    bar = track.bar[music[-1 if last else 0]]
    margin = _EDGE_S * track.source.sample_rate
    beats = music[track.bar[music] == bar]
    pieces = [(segment.start, segment.end) for segment in edl.segments]
    return all(
        any(start <= track.bounds[b] + margin and end >= track.bounds[b + 1] - margin for start, end in pieces)
        for b in beats
    )


def judge(song: str, audio: Array, track: Track, keep: float, own: DoubleArray, random: float) -> Judged | None:
    """The edit of `keep` without the middle third; None where the planner refuses it."""
    duration_s, rate = track.source.duration_s, track.source.sample_rate
    request = EditRequest(keep=keep, bans=((duration_s / 3, 2 * duration_s / 3),))
    try:
        edl = PlannerEditor().edit(track, request)[0]
    except RequestError:
        return None
    sound, at = render(audio, edl), positions(edl.segments)
    edges = [(at[k] - join_fade(edl, k), at[k]) for k in edl.joins]
    joins = describe(edl, track)
    return Judged(
        song=song,
        keep=keep,
        whys=tuple(f"{join.why} {join.from_s:.1f}-{join.to_s:.1f}" for join in joins),
        scores=tuple(float("inf") if join.score is None else join.score for join in joins),
        worst_terms=tuple(join.worst or "nothing known" for join in joins),
        random=random,
        unseen=tuple(unseen_step(sound, rate, *edge) / float(own[0]) for edge in edges),
        levels_db=tuple(level_step(sound, rate, *edge) for edge in edges),
        own_level_db=float(own[1]),
        first_bar=bar_kept(edl, track, last=False),
        last_bar=bar_kept(edl, track, last=True),
    )


def _share(met: Sequence[bool], bar: float) -> str:
    if not met:
        return "none to judge"
    share = np.mean(met)
    return f"{sum(met)} of {len(met)}, {share:.2f} (bar {bar:.2f}, {'met' if share >= bar else 'missed'})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path)
    args = parser.parse_args()
    folders = [folder for folder in (args.fetched, args.data / "music") if folder]
    paths = {path.stem: path for folder in folders for path in folder.glob("*.ogg")}
    edits, refused = [], []
    for song, path in sorted(paths.items()):
        recording = read_audio(path)
        track = analyse(recording.audio, recording.sample_rate)
        own = own_steps(recording.audio, track)
        random = random_score(recording.audio, track, np.random.default_rng(0))
        for keep in _KEEPS:
            judged = judge(song, recording.audio, track, keep, own, random)
            if judged is None:
                refused.append(f"{song} at {keep:g}")
            else:
                edits.append(judged)
    rows = [
        [
            edit.song,
            edit.keep,
            ", ".join(edit.whys) or "-",
            f"{max(edit.scores):.2f} ({edit.worst_terms[int(np.argmax(edit.scores))]})" if edit.scores else "-",
            f"{np.mean(edit.scores):.2f} / {edit.random:.2f}" if edit.scores else f"- / {edit.random:.2f}",
            f"{max(edit.unseen):.2f}" if edit.unseen else "-",
            f"{max(edit.levels_db):.1f} ({edit.own_level_db:.1f})" if edit.levels_db else "-",
            f"{'yes' if edit.first_bar else 'no'} / {'yes' if edit.last_bar else 'no'}",
        ]
        for edit in edits
    ]
    joined = [edit for edit in edits if edit.scores]
    levels = [value for edit in joined for value in edit.levels_db]
    publish(
        "joins",
        f"Joins of {len(edits)} edits of {len(paths)} songs, the middle third banned",
        [
            "song",
            "keep",
            "joins",
            "worst seam score",
            "mean, random",
            "worst unseen step, own p98 = 1",
            "worst level step, dB (own p98)",
            "first / last bar",
        ],
        rows,
        f"Worst seam score <= 1: {_share([max(edit.scores) <= 1 for edit in joined], 0.85)}.",
        f"Worst unseen step <= the song's own p98: {_share([max(edit.unseen) <= 1 for edit in joined], 0.75)}.",
        f"Mean below random joins: {_share([np.mean(edit.scores) < edit.random for edit in joined], 1.0)}.",
        f"Level step <= 8 dB, joins: {_share([value <= 8 for value in levels], 0.95)}; "
        f"edits: {_share([max(edit.levels_db) <= 8 for edit in joined], 0.95)}.",
        f"First bar kept: {_share([edit.first_bar for edit in edits], 0.9)}; "
        f"last bar: {_share([edit.last_bar for edit in edits], 0.9)}; "
        f"both: {_share([edit.first_bar and edit.last_bar for edit in edits], 0.9)}.",
        f"Without a join: {len(edits) - len(joined)}. Refused: {', '.join(refused) or 'none'}.",
    )


if __name__ == "__main__":
    main()
