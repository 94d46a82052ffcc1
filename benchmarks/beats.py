"""Beats and downbeats of songs with exact truth: our tracker, and librosa's beside it.

    python shared/data/stems/make_stems.py --out DIR --mix-only
    python benchmarks/beats.py --data ../shared/data --cache DIR

Songs are rendered from MIDI, so truth is exact but for the 5 to 7 ms of an attack. Both trackers are scored as users
get them, as a grid that tiles the recording, inside the annotated span and from its start (nothing is trimmed).
"""

import argparse
import time
from pathlib import Path

import mir_eval
import numpy as np
from librosa.beat import beat_track
from report import publish

from rl_editor.analysis.bars import bar_positions, downbeat_evidence
from rl_editor.analysis.beat_features import beat_features
from rl_editor.analysis.beat_files import KnownBeats, read_beats
from rl_editor.analysis.beat_tracker import onset_strength, track_beats
from rl_editor.analysis.beats import attack_offset_s, beat_grid, tile
from rl_editor.analysis.spectra import HOP, RATE, listen, onset_bands
from rl_editor.audio.files import read_audio

_WITHIN_S = 0.07
_VARIANTS = ("plain", "drift", "fast", "cuts")


def inside(times_s: np.ndarray, truth: KnownBeats) -> np.ndarray:
    """The times within the annotated span."""
    first, last = truth.times_s[[0, -1]]
    return times_s[(times_s >= first - _WITHIN_S) & (times_s <= last + _WITHIN_S)]


def beat_scores(bounds_s: np.ndarray, truth: KnownBeats) -> list[float]:
    """F at 70 ms and AMLt."""
    found = inside(bounds_s[:-1], truth)
    f_measure = mir_eval.beat.f_measure(truth.times_s, found, f_measure_threshold=_WITHIN_S)
    return [f_measure, mir_eval.beat.continuity(truth.times_s, found)[3]]


def scores(path: Path, truth: KnownBeats) -> list[float]:
    """Of ours F, AMLt, downbeat F; of librosa's F, AMLt; CPU s for our spectra and onsets, and for our tracker."""
    recording = read_audio(path)
    sound = {"n_samples": recording.audio.shape[1], "sample_rate": recording.sample_rate}
    begun = time.process_time()
    spectra = listen(recording.audio, recording.sample_rate)
    onsets = onset_bands(spectra.mel)
    heard = time.process_time()
    track_beats(onsets)
    tracked = time.process_time()
    grid = beat_grid(onsets, spectra.mono, **sound)
    bounds_s = grid.bounds / recording.sample_rate
    positions = bar_positions(downbeat_evidence(beat_features(spectra, onsets, grid.bounds, recording.sample_rate)))
    downbeats = KnownBeats(truth.times_s[truth.position == 0], None)
    downbeat_f, _ = beat_scores(np.append(bounds_s[:-1][positions == 0], bounds_s[-1]), downbeats)
    frames = beat_track(onset_envelope=onset_strength(onsets), sr=RATE, hop_length=HOP, trim=False)[1]
    times_s = frames * HOP / RATE
    peer = tile(times_s + attack_offset_s(spectra.mono, times_s), **sound) / recording.sample_rate
    return [*beat_scores(bounds_s, truth), downbeat_f, *beat_scores(peer, truth), heard - begun, tracked - heard]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="renders by make_stems.py")
    args = parser.parse_args()
    track_beats(np.random.default_rng(0).random((2000, 3), dtype=np.float32))  # compiles
    rows = []
    for variant in _VARIANTS:
        found = []
        for csv in sorted((args.data / "stems" / "beats").glob(f"*.{variant}.csv")):
            sound = args.cache / csv.stem / "mix.wav"
            if not sound.is_file():
                parser.error(f"{sound} is missing; render it with make_stems.py --out {args.cache} --mix-only")
            found.append(scores(sound, read_beats(csv)))
            rows.append([csv.stem, *(f"{value:.3f}" for value in found[-1][:5]), *(f"{s:.2f}" for s in found[-1][5:])])
        means = np.mean(found, axis=0)
        rows.append(
            [f"**mean {variant}**", *(f"**{value:.3f}**" for value in means[:5]), *(f"{s:.2f}" for s in means[5:])]
        )
    publish(
        "beats",
        "Beats and downbeats of rendered songs",
        ["song", "F", "AMLt", "downbeat F", "librosa F", "librosa AMLt", "spectra, CPU s", "tracker, CPU s"],
        rows,
        "F within 70 ms; AMLt (continuity) allows octave and off-beat. No constant was fitted to these songs.",
    )


if __name__ == "__main__":
    main()
