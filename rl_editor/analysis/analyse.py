"""From sound to Track."""

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from rl_editor.analysis.activity import Activity, classify, listen_for_cues, music_share
from rl_editor.analysis.attempts import find_attempts
from rl_editor.analysis.bars import bar_numbers, bar_positions, downbeat_evidence, known_evidence
from rl_editor.analysis.beat_features import beat_features, level_db
from rl_editor.analysis.beat_files import KnownBeats
from rl_editor.analysis.beats import beat_grid, tempo_curve
from rl_editor.analysis.boundaries import boundary_strength
from rl_editor.analysis.demucs_stems import METHOD as DEMUCS
from rl_editor.analysis.demucs_stems import demucs_mels
from rl_editor.analysis.entries import find_entries
from rl_editor.analysis.key import estimate_key
from rl_editor.analysis.kick import kick_activity
from rl_editor.analysis.landings import landing_table
from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.seams import continuation, step
from rl_editor.analysis.sections import find_form
from rl_editor.analysis.spectra import RATE, Spectra, listen, log_mel, onset_bands
from rl_editor.analysis.spectral_features import DESCRIPTORS, beat_descriptors
from rl_editor.analysis.stems import METHOD as DSP
from rl_editor.analysis.stems import STEMS, stem_mels
from rl_editor.analysis.track import Track
from rl_editor.analysis.voice import voice_activity
from rl_editor.arrays import Array, DoubleArray
from rl_editor.audio.loudness import integrated_lufs, weighted_power
from rl_editor.audio.source import Source, identify
from rl_editor.errors import AudioError, TrackError
from rl_editor.progress import Report, ignore

if TYPE_CHECKING:
    from demucs.apply import Model

_SHORTEST_S = 2.0
_LOWEST_RATE = 4000
_MOST_CHANNELS = 6
_LOUDEST = 1e6
_SILENT = 10.0 ** (-80 / 20)
_STEM_BANDS = 20


@threadpool_limits.wrap(limits=1, user_api="blas")
def analyse(
    audio: Array,
    sample_rate: int,
    *,
    source: Source | None = None,
    beats: KnownBeats | None = None,
    demucs: "Model | None" = None,
    report: Report = ignore,
) -> Track:
    """Everything an editor may know about a recording.

    How BLAS shares out a product decides its last bits, so it gets one thread: the same sound gives the same Track.

    Args:
        audio: float32 (channels, samples).
        sample_rate: Hz.
        source: the recording's identity, if it is known already.
        beats: beats that are known already.
        demucs: a network that splits stems, from `load_demucs`; without it signal processing does.
        report: told of each stage.
    Raises:
        AudioError: the sound is shorter than 2 s, silent, or holds values that are not numbers.
        TrackError: no beat given lies within the recording.
    """
    check(audio, sample_rate, file=source.file if source else "")
    source = source or identify(audio, sample_rate)
    report("listening", 0.0)
    spectra = listen(audio, sample_rate)
    onsets = onset_bands(spectra.mel)
    # BS.1770 gives weights to no more channels
    loudness = integrated_lufs(weighted_power(audio, sample_rate)) if audio.shape[0] <= _MOST_CHANNELS else None
    mels = stem_mels(spectra) if demucs is None else demucs_mels(audio, sample_rate, spectra.mono, demucs, report)
    report("listening", 1.0)
    report("beats and form", 0.0)
    known_s = beats.times_s if beats else None
    if known_s is not None and not (known_s < source.duration_s).any():
        raise TrackError(f"{source.file or 'recording'}: all the beats given are after its end")
    grid = beat_grid(onsets, spectra.mono, n_samples=source.n_samples, sample_rate=sample_rate, known_s=known_s)
    bounds_s = grid.bounds / sample_rate
    features = beat_features(spectra, onsets, grid.bounds, sample_rate)
    evidence = downbeat_evidence(features)
    position = bar_positions(evidence if beats is None else known_evidence(evidence, beats, bounds_s))
    bar = bar_numbers(position)
    cues = listen_for_cues(spectra, onsets.sum(axis=1))
    activity = classify(cues, bounds_s, spectra.frame_rate)
    level = level_db(audio, grid.bounds)
    measure = continuation(features, activity == Activity.MUSIC)
    boundary = boundary_strength(features, position, activity)
    form = find_form(features, bar, position, activity)
    attempts = find_attempts(measure, activity, level)
    key = estimate_key(spectra.chroma)
    report("beats and form", 1.0)
    report("landings", 0.0)
    landings = landing_table(
        grid.bounds,
        sample_rate=sample_rate,
        activity=activity,
        boundary=boundary,
        continuation=measure,
        entries=find_entries(measure, activity == Activity.MUSIC, boundary),
        step=step(spectra, _with_halves(bounds_s)),
        mono=spectra.mono,
        mono_rate=RATE,
    )
    report("landings", 1.0)
    return Track(
        source=source,
        bounds=grid.bounds,
        confidence=grid.confidence,
        bar_position=position,
        bar=bar,
        activity=activity,
        music=music_share(cues, bounds_s, spectra.frame_rate),
        level_db=level,
        boundary=boundary,
        features=np.concatenate([features.beats, beat_descriptors(spectra.mel, bounds_s, spectra.frame_rate)], axis=1),
        feature_names=(*features.names, *DESCRIPTORS),
        landings=landings,
        doubts=grid.doubts,
        phrase=form.phrase,
        section=form.section,
        section_labels=form.label,
        tempo_bpm=tempo_curve(bounds_s),
        key=key.name if key else None,
        song=attempts.song,
        attempt=attempts.attempt,
        superseded=attempts.superseded,
        spoiled=attempts.spoiled,
        loudness_lufs=loudness,
        kick=kick_activity(mels[STEMS.index("drums")], spectra.mel, bounds_s, spectra.frame_rate),
        voice=voice_activity(spectra, mels, bounds_s),
        stem_features=_stem_features(mels, spectra, bounds_s),
        stem_feature_names=("mel",) * _STEM_BANDS + ("onset",) * 3,
        stem_method=DSP if demucs is None else DEMUCS,
    )


def check(audio: Array, sample_rate: int, *, file: str = "") -> None:
    """Refuse sound that can't be analysed.

    Args:
        audio: float32 (channels, samples).
        sample_rate: Hz.
        file: its name, for the message.
    Raises:
        AudioError: the sound is shorter than 2 s, silent, or holds values that are not numbers.
    """
    name = file or "recording"
    if audio.ndim != 2 or sample_rate <= 0:
        raise AudioError(f"{name}: sound is (channels, samples) at a positive rate, not {audio.shape}")
    if sample_rate < _LOWEST_RATE:
        raise AudioError(f"{name}: {sample_rate} Hz; analysis needs at least {_LOWEST_RATE} Hz")
    duration_s = audio.shape[1] / sample_rate
    if duration_s < _SHORTEST_S:
        raise AudioError(f"{name}: {duration_s:.1f} s long; analysis needs at least {_SHORTEST_S:.0f} s")
    low, high = float(audio.min()), float(audio.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise AudioError(f"{name}: holds values that are not numbers (NaN or infinite)")
    if max(-low, high) > _LOUDEST:
        raise AudioError(f"{name}: holds values up to {max(-low, high):.0e}, where full scale is 1; this is no sound")
    if max(-low, high) < _SILENT:
        raise AudioError(f"{name}: silent from start to end; there is nothing to edit")


def _with_halves(bounds_s: DoubleArray) -> DoubleArray:
    """Each beat's beginning and middle, and the end, (2B+1,), seconds."""
    middles = (bounds_s[:-1] + bounds_s[1:]) / 2
    return np.append(np.stack([bounds_s[:-1], middles], axis=1), bounds_s[-1])


def _stem_features(mels: Array, spectra: Spectra, bounds_s: DoubleArray) -> Array:
    """Level in 20 wide bands (dB) and onset strength in three, of each stem, (B, S, 23)."""
    frames = bounds_s * spectra.frame_rate
    pooled = [
        np.concatenate(
            [span_means(log_mel(mel, bands=_STEM_BANDS), frames), span_means(onset_bands(mel), frames)], axis=1
        )
        for mel in mels
    ]
    return np.stack(pooled, axis=1)
