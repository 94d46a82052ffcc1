"""Recovery of known edits from sound alone, clean and after processing, of human pairs, and its time and memory.

    python benchmarks/recovery.py --data ../shared/data [--fetched DIR] [--seed 0]

Each song is cut into 7 to 12 segments of 2 to 16 s that begin and end at onsets: cuts, loops and reorderings with
fades of 8 to 30 ms; one more edit has fades of 0.1 to 2 s, one has skips of 40 to 300 ms inside the music. Time is
right within 50 ms of the true source, or where the sound there is equal (residual at most -40 dB, 100 ms at a time, at
the raw's own rate). A join counts within 50 ms, each once; one into equal sound is none, and is not counted if found.
"""

import argparse
import io
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile as sf
import soxr
from report import publish

from rl_editor.analysis.spectra import HOP, RATE, listen, onset_bands
from rl_editor.arrays import Array
from rl_editor.audio.files import Recording, read_audio
from rl_editor.audio.loudness import integrated_lufs, weighted_power
from rl_editor.audio.source import identify
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.recovery.recover import recover
from rl_editor.edits.recovery.recovered import Recovery
from rl_editor.edits.render import positions, render

Process = Callable[[Array, int, np.random.Generator], tuple[Array, int]]
NEAR_S = 0.05
EQUAL = 1e-4
_PIECE_S = 0.1
_AROUND_S = 0.2


@dataclass(frozen=True)
class Score:
    """One recovered edit against the true one."""

    right_s: float
    exact_s: float
    """Time within two samples of the true source."""
    total_s: float
    joins: int
    found: int
    predicted: int
    errors_s: tuple[float, ...]
    fade_errors_s: tuple[float, ...]


def onsets(recording: Recording) -> np.ndarray:
    """Samples of strong onsets, at least 0.2 s apart."""
    spectra = listen(recording.audio, recording.sample_rate)
    strength = onset_bands(spectra.mel).sum(axis=1)
    peaks, _ = scipy.signal.find_peaks(strength, distance=20, height=np.percentile(strength, 80))
    return (peaks * HOP / RATE * recording.sample_rate).astype(int)


def shuffled(recording: Recording, rng: np.random.Generator, fade_s: tuple[float, float]) -> EDL:
    """Cuts, loops and reorderings."""
    places, rate = onsets(recording), recording.sample_rate
    last = recording.source.n_samples
    segments: list[Segment] = []
    while len(segments) < rng.integers(7, 13):
        start = int(rng.choice(places))
        if segments and rng.random() < 0.25:  # a loop: play some of it once more
            start = int(places[np.abs(places - (segments[-1].start + segments[-1].end) // 2).argmin()])
        end = int(places[np.abs(places - start - rng.uniform(2, 16) * rate).argmin()])
        fade = int(rng.uniform(*fade_s) * rate) if segments else 0
        if end - start >= 2 * rate and end <= last and (not segments or segments[-1].end != start):
            segments.append(Segment(start, end, fade))
    return EDL(recording.source, tuple(segments), Maker("random"))


def skipping(recording: Recording, rng: np.random.Generator) -> EDL:
    """Skips of 40 to 300 ms, forward and back, every 3 to 8 s."""
    rate, last = recording.sample_rate, recording.source.n_samples
    start, segments = rate, []
    while (end := start + int(rng.uniform(3, 8) * rate)) < last - rate and len(segments) < 12:
        segments.append(Segment(start, end, int(0.008 * rate) if segments else 0))
        start = end + int(rng.choice([-1, 1]) * rng.uniform(0.04, 0.3) * rate)
    return EDL(recording.source, tuple(segments), Maker("skips"))


def clean(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return sound, rate


def mp3_128(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Through libsndfile's MP3 encoder (LAME) at constant 128 kb/s, in pieces it can hold on its stack."""
    file = io.BytesIO()
    kind = {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": 0.65,
    }  # gives 128 kb/s: checked below
    with sf.SoundFile(file, "w", rate, sound.shape[0], **kind) as writer:
        for at in range(0, sound.shape[1], 1 << 16):
            writer.write(sound[:, at : at + (1 << 16)].T)
    kbps = file.tell() * 8 / (sound.shape[1] / rate) / 1000
    assert 125 < kbps < 132, kbps
    file.seek(0)
    decoded, rate = sf.read(file, dtype="float32", always_2d=True)
    return np.ascontiguousarray(decoded.T), rate


def equalised(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Five peaking filters of -6 to 6 dB. Source: R. Bristow-Johnson, Audio EQ Cookbook."""
    for hz in (80, 250, 800, 2500, 7000):
        gain, w = 10 ** (rng.uniform(-6, 6) / 40), 2 * np.pi * hz / rate
        alpha = np.sin(w) / 2
        b = [1 + alpha * gain, -2 * np.cos(w), 1 - alpha * gain]
        a = [1 + alpha / gain, -2 * np.cos(w), 1 - alpha / gain]
        sound = scipy.signal.lfilter(b, a, sound, axis=1).astype(np.float32)
    return sound, rate


def limited(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Compressed 2:1 above the mean level, then limited at -1 dBFS, to -9 LUFS."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    level = np.sqrt(uniform_filter1d(np.square(sound).mean(axis=0), rate // 20)) + 1e-9
    sound = sound * np.minimum((level / np.sqrt(np.square(sound).mean())) ** -0.5, 1.0)
    gain = 1.0
    for _ in range(6):
        peak = np.abs(sound * gain).max(axis=0)
        reach = rate // 200
        duck = uniform_filter1d(minimum_filter1d(np.minimum(0.89 / np.maximum(peak, 1e-9), 1.0), reach), reach)
        output = (sound * gain * duck).astype(np.float32)
        gain *= 10 ** ((-9 - (integrated_lufs(weighted_power(output, rate)) or -9)) / 20)
    return output, rate


def mono_22k(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return soxr.resample(sound.mean(axis=0), rate, 22050)[None].astype(np.float32), 22050


def inverted_quiet(sound: Array, rate: int, rng: np.random.Generator) -> tuple[Array, int]:
    return (-0.251 * sound).astype(np.float32), rate


def equal(raw: Array, here: int, there: int, n: int) -> bool:
    """Whether n samples of the raw sound the same at two places."""
    low = max(0, -min(here, there))
    n = min(n, raw.shape[1] - max(here, there)) - low
    if n <= 0:
        return False
    a, b = (raw[:, at + low : at + low + n].astype(np.float64) for at in (here, there))
    return bool(np.square(a - b).sum() <= EQUAL * np.square(a).sum())


def score(raw: Array, true: EDL, found: Recovery) -> Score:
    """How much of the edit's time and joins was recovered."""
    rate = true.source.sample_rate
    piece = int(_PIECE_S * rate)
    starts = np.array(positions(true.segments))
    right = exact = 0
    for at in range(0, true.n_samples, piece):
        n = min(piece, true.n_samples - at)
        times = np.arange(at, at + n, max(1, n // 10))
        k = np.searchsorted(starts, times, side="right") - 1
        source = times - starts[k] + np.array([segment.start for segment in true.segments])[k]
        ours = played(found, times)
        differs = np.abs(ours - source)
        good = differs <= NEAR_S * rate
        exact += int((differs <= 2).sum()) * n / len(times)
        if not good.all() and (ours[~good] >= 0).all():
            good[~good] = equal(raw, int(source[~good][0]), int(ours[~good][0]), n)
        right += good.mean() * n
    return Score(right / rate, exact / rate, true.duration_s, *_joins(raw, true, found))


def played(found: Recovery, times: np.ndarray) -> np.ndarray:
    """Sample of the raw at each sample of the edit; far outside where nothing was found."""
    source = np.full(len(times), -(10**12))
    for segment in found.segments:
        at = round(segment.at_s * found.source.sample_rate)
        inside = (times >= at) & (times < at + segment.end - segment.start)
        source[inside] = times[inside] - at + segment.start
    return source


def _joins(raw: Array, true: EDL, found: Recovery) -> tuple[int, int, int, tuple[float, ...], tuple[float, ...]]:
    rate, around = true.source.sample_rate, int(_AROUND_S * true.source.sample_rate)
    real, none = [], []
    for k in true.joins:
        at_s = positions(true.segments)[k] / rate
        end, start = true.segments[k - 1].end, true.segments[k].start
        same = equal(raw, end - around, start - around, around) or equal(raw, end, start, around)
        (none if same else real).append((at_s, true.segments[k].fade / rate))
    fade_at = {segment.at_s: segment.fade / rate for segment in found.segments}
    predicted = [at_s for at_s in found.joins_s if all(abs(at_s - each) > 0.25 for each, _ in none)]
    errors, fade_errors, left = [], [], set(predicted)
    for at_s, fade_s in real:
        nearest = min(left, key=lambda each: abs(each - at_s), default=np.inf)
        if abs(nearest - at_s) <= NEAR_S:
            left.remove(nearest)
            errors.append(abs(nearest - at_s))
            fade_errors.append(abs(fade_at[nearest] - fade_s))
    return len(real), len(errors), len(predicted), tuple(errors), tuple(fade_errors)


def row(name: str, bar: str, scores: Sequence[Score]) -> list[object]:
    def total(field: str) -> float:
        return sum(getattr(each, field) for each in scores)

    errors = [error for each in scores for error in each.errors_s]
    fades = [error for each in scores for error in each.fade_errors_s]
    worst = min(each.right_s / each.total_s for each in scores)
    return [
        name,
        f"{total('total_s') / 60:.0f}",
        f"{total('right_s') / total('total_s'):.2%}",
        bar,
        f"{worst:.1%}",
        f"{total('exact_s') / total('total_s'):.1%}",
        f"{total('joins'):.0f}",
        f"{total('found') / max(total('joins'), 1):.3f}",
        f"{total('found') / max(total('predicted'), 1):.3f}",
        f"{np.median(errors) * 1000:.1f} / {np.percentile(errors, 90) * 1000:.1f}" if errors else "-",
        f"{np.median(fades) * 1000:.1f}" if fades else "-",
    ]


CONDITIONS: dict[str, tuple[Process, str]] = {
    "clean": (clean, "99 %"),
    "MP3 128 kb/s": (mp3_128, "97 %"),
    "EQ +-6 dB": (equalised, "97 %"),
    "compressed, limited to -9 LUFS": (limited, "97 %"),
    "mono 22 kHz": (mono_22k, "97 %"),
    "-12 dB, polarity inverted": (inverted_quiet, "97 %"),
}


def measured(songs: Sequence[Path], seed: int) -> Iterator[tuple[str, Score]]:
    """Name of the condition and score of each edit."""
    for number, path in enumerate(songs):
        recording = read_audio(path)
        rate = recording.sample_rate

        def judged(edl: EDL, process: Process) -> Score:
            rng = np.random.default_rng([seed, number, 1])  # noqa: B023
            edit, edit_rate = process(render(recording.audio, edl), rate, rng)  # noqa: B023
            found = recover(recording.audio, rate, edit, edit_rate, source=recording.source)  # noqa: B023
            return score(recording.audio, edl, found)  # noqa: B023

        rng = np.random.default_rng([seed, number])
        short, long = shuffled(recording, rng, (0.008, 0.03)), shuffled(recording, rng, (0.1, 2.0))
        for name, (process, _) in CONDITIONS.items():
            yield name, (result := judged(short, process))
            print(f"{path.stem}: {name}: {result.right_s / result.total_s:.4f}", flush=True)
        yield "clean, fades of 0.1 to 2 s", judged(long, clean)
        yield "MP3, fades of 0.1 to 2 s", judged(long, mp3_128)
        yield "clean, skips of 40 to 300 ms", judged(skipping(recording, rng), clean)


def strangers(songs: Sequence[Path]) -> tuple[float, float]:
    """Share of 10 s of the next song that is left unmatched in an edit of each, and of the song's own that is found."""
    alien = own = 0.0
    for path, other in pairwise(songs):
        recording, stranger = read_audio(path), read_audio(other)
        rate = recording.sample_rate
        foreign = soxr.resample(stranger.audio.T[20 * stranger.sample_rate :], stranger.sample_rate, rate)[
            : 10 * rate
        ].T
        parts = (recording.audio[:, 30 * rate : 45 * rate], foreign, recording.audio[:, 10 * rate : 25 * rate])
        edit = np.concatenate(parts, axis=1).astype(np.float32)
        found = recover(recording.audio, rate, edit, rate, source=recording.source)
        times = np.arange(0, edit.shape[1], rate // 100)
        lost = played(found, times) < 0
        inside = (times >= 15 * rate) & (times < 25 * rate)
        alien, own = alien + lost[inside].mean(), own + (~lost[~inside]).mean()
    return alien / (len(songs) - 1), own / (len(songs) - 1)


def human_pairs(folders: Sequence[Path]) -> list[list[object]]:
    """Rows: how far each pair's recovery is from what `pair.json` says."""
    rows = []
    for folder in folders:
        said = json.loads((folder / "pair.json").read_text())
        files = [next(iter(folder.glob(f"{role}.*")), None) for role in ("raw", "edit")]
        if None in files:
            rows.append([folder.name, "-", "-", "-", "-", "sound not here"])
            continue
        raw, edit = (read_audio(file) for file in files if file is not None)
        found = recover(raw.audio, raw.sample_rate, edit.audio, edit.sample_rate, source=raw.source)
        rate = raw.sample_rate
        near = matched = 0
        for span in said["segments"]:
            times = np.arange(int(span["edit_start"] * rate), int(span["edit_end"] * rate), rate // 10)
            ours = played(found, times) / rate
            there = times / rate - span["edit_start"] + span["raw_start"]
            near += int((np.abs(ours - there) <= 0.5).sum())
            matched += len(times)
        nccs = [str(span["ncc"]) for span in said["segments"]]
        gaps = ", ".join(f"{a:.1f}-{b:.1f} s" for a, b in found.unmatched) or "none"
        sure = np.average(
            [each.confidence for each in found.segments] or [0.0],
            weights=[each.end - each.start for each in found.segments] or [1],
        )
        rows.append([folder.name, ", ".join(nccs), f"{near / matched:.1%}", len(found.segments), f"{sure:.2f}", gaps])
    return rows


def _timed(songs: list[Path], results: "object") -> None:
    """A raw of 20 minutes out of several songs, an edit of 7 minutes of it: seconds and peak memory in GB."""
    sounds = [read_audio(path) for path in songs]
    rate = 44100
    parts = [sound.audio for sound in sounds if sound.sample_rate == rate and sound.audio.shape[0] == 2]
    raw = np.concatenate(parts * 3, axis=1)[:, : 1200 * rate]
    source = identify(raw, rate)
    rng = np.random.default_rng(0)
    starts = rng.integers(rate, raw.shape[1] - 20 * rate, 28)
    edl = EDL(source, tuple(Segment(int(s), int(s) + 15 * rate, 800) for s in starts), Maker("timed"))
    edit = render(raw, edl)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()  # of one thread: what else the machine does is not counted
    found = recover(raw, rate, edit, rate, source=source)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results.put((seconds, peak / 2**20, before / 2**20, found.coverage))  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fetched", type=Path, help="folder of further songs")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    songs = sorted((args.data / "music").glob("*.ogg"))
    known = {song.name for song in songs}
    songs += [song for song in sorted(args.fetched.glob("*.ogg")) if song.name not in known] if args.fetched else []
    context = get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_timed, args=(songs[:8], results))
    process.start()
    seconds, peak_gb, before_gb, coverage = results.get()
    process.join()
    by_condition: dict[str, list[Score]] = {}
    for name, result in measured(songs, args.seed):
        by_condition.setdefault(name, []).append(result)
    bars = {name: bar for name, (_, bar) in CONDITIONS.items()}
    rows = [row(name, bars.get(name, "-"), scores) for name, scores in by_condition.items()]
    pairs = human_pairs(sorted(folder for folder in (args.data / "pairs").iterdir() if folder.is_dir()))
    alien, own = strangers(songs[:8])
    told = ["", "| pair | ncc | within 0.5 s | segments | confidence | unmatched |", "| --- |" + " --- |" * 5]
    told += ["| " + " | ".join(map(str, each)) + " |" for each in pairs]
    publish(
        "recovery",
        f"Recovery of edits of {len(songs)} songs from sound alone",
        ("edits", "min", "time right", "bar", "worst", "2 samples", "joins", "recall", "precision", "error ms 50/90 %",
         "fade error ms"),
        rows,
        "Bars of joins: median error 10 ms, recall and precision .98 (clean).",
        f"10 s of another song in the middle of an edit: {alien:.1%} left unmatched, {own:.1%} of the rest found.",
        "\n".join(told),
        f"20-minute raw, 7-minute edit: {seconds:.1f} s of one core (bar 30), peak {peak_gb:.2f} GB of the process "
        f"(bar 2.5), {before_gb:.2f} GB of it before recovery; coverage {coverage:.3f}.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
