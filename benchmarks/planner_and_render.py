"""Planner and renderer on 20 minutes: time after JIT, and the renderer beside pydub.

    python benchmarks/planner_and_render.py --data ../shared/data [--minutes 20]

The recording is the songs of `--data` one after another, repeated until it is long enough.
"""

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
from pydub import AudioSegment
from report import publish

from rl_editor.analysis.analyse import analyse
from rl_editor.audio.files import read_audio
from rl_editor.edits.edl import EDL
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.render import render
from rl_editor.edits.request import EditRequest

RATE = 44100
_RUNS = 5


def long_recording(data: Path, minutes: float) -> np.ndarray:
    """The songs one after another, float32 (2, n) at 44.1 kHz."""
    pieces, length = [], 0
    for path in itertools.cycle(sorted((data / "music").glob("*.ogg"))):
        recording = read_audio(path)
        sound = soxr.resample(recording.audio.T, recording.sample_rate, RATE).T
        pieces.append(sound)
        length += sound.shape[1]
        if length >= minutes * 60 * RATE:
            return np.ascontiguousarray(np.concatenate(pieces, axis=1)[:, : round(minutes * 60 * RATE)])
    raise SystemExit(f"{data}: no songs in music/")


def by_pydub(recording: AudioSegment, edl: EDL) -> AudioSegment:
    """The same segments joined by pydub, which cuts to the millisecond and fades by its own law."""
    song = None
    for segment in edl.segments:
        piece = recording[1000 * segment.start / RATE : 1000 * segment.end / RATE]
        fade_ms = min(round(1000 * segment.fade / RATE), len(piece))
        song = piece if song is None else song.append(piece, crossfade=fade_ms)
    return song


def median_cpu_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    args = parser.parse_args()
    audio = long_recording(args.data, args.minutes)
    analyse(audio[:, : 60 * RATE], RATE)  # JIT and imports
    start = time.process_time()
    track = analyse(audio, RATE)
    analysis_s = time.process_time() - start
    planner, request = PlannerEditor(), EditRequest(keep=0.35)
    edl = planner.edit(track, request)[0]
    plan_s = median_cpu_s(lambda: planner.edit(track, request))
    render_s = median_cpu_s(lambda: render(audio, edl))
    samples = (audio.T * 32767).clip(-32768, 32767).astype("<i2").tobytes()
    whole = AudioSegment(samples, sample_width=2, frame_rate=RATE, channels=2)
    pydub_s = median_cpu_s(lambda: by_pydub(whole, edl))
    length_s = audio.shape[1] / RATE
    off_ms = 1e3 * (edl.duration_s - 0.35 * length_s)
    rows = [
        ["analysis, landing table included", f"{analysis_s:.1f} s", f"{length_s / analysis_s:.0f}x real time"],
        ["planner to 35 %, after JIT", f"{plan_s:.2f} s", f"{off_ms:+.0f} ms off, {len(edl.joins)} joins"],
        ["render", f"{1e3 * render_s:.0f} ms", f"{edl.duration_s / render_s:.0f}x real time"],
        ["render, pydub (16 bit, other fades)", f"{1e3 * pydub_s:.0f} ms", f"{edl.duration_s / pydub_s:.0f}x"],
    ]
    publish(
        "planner_and_render",
        f"{args.minutes:g} minutes of stereo, {track.n_beats} beats: CPU time, median of {_RUNS}",
        ["stage", "CPU time", "figure"],
        rows,
    )


if __name__ == "__main__":
    main()
