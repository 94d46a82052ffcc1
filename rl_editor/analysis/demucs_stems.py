"""Stems by Demucs: slow and good, for who has its weights.

The package `demucs` brings the network but no weights. They are taken from a file, from where an earlier use has left
them, or fetched from where Demucs publishes them. About real time on one core.
Source: Rouard, Massa, Defossez, Hybrid Transformers for Music Source Separation, ICASSP 2023.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from rl_editor.analysis.foreign_weights import download, kept_weights, opening
from rl_editor.analysis.spectra import RATE, listen
from rl_editor.analysis.stems import STEMS, Stems
from rl_editor.arrays import Array
from rl_editor.errors import CheckpointError
from rl_editor.progress import Report, ignore

if TYPE_CHECKING:
    from demucs.apply import Model

METHOD = "demucs"
_REPOSITORY, _FILE = "adefossez/HTDemucs", "955717e8.safetensors"  # what demucs 4.1 calls htdemucs
_PIECE_S, _CONTEXT_S = 300, 5  # heard at a time, and before and after it: 1 GB, whatever the length
_BLOCK = 1 << 22
_STAGE = "stems by demucs"


def load_demucs(weights: Path) -> "Model":
    """A Demucs network from a file.

    Args:
        weights: `.safetensors` with the class and its arguments as metadata, or `.th`, both as Demucs publishes them.
    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds more than weights.
    """
    with opening(weights, what="demucs", kinds=".safetensors or .th"):
        model = _from_safetensors(weights) if weights.suffix == ".safetensors" else _from_pickle(weights)
    if set(model.sources) != set(STEMS):
        raise CheckpointError(f"{weights}: splits into {', '.join(model.sources)}, not into {', '.join(STEMS)}")
    return model.eval()


def published_demucs(report: Report = ignore) -> Path:
    """The file of the published network: from the Hugging Face cache, from an earlier call, or else fetched.

    Args:
        report: told of the share that has been fetched.
    Raises:
        CheckpointError: it is not there and can't be fetched.
    """
    from huggingface_hub import hf_hub_url, try_to_load_from_cache

    cached = try_to_load_from_cache(_REPOSITORY, _FILE)
    if isinstance(cached, str):
        return Path(cached)
    kept = kept_weights(_FILE)
    if not kept.is_file():
        download(hf_hub_url(_REPOSITORY, _FILE), kept, what="demucs", report=report)
    return kept


def demucs_stems(sound: Array, sample_rate: int, model: "Model", report: Report = ignore) -> Stems:
    """A sound in four stems, which sum to it to float32 precision: what the network leaves over is in `other`.

    Mono goes in as two like channels, more than two as their mean. It is heard in pieces of 5 minutes with 5 s of
    context, on the device that holds the network. No random shifts: the same sound gives the same stems.

    Args:
        sound: float32 (channels, n).
        sample_rate: Hz.
        model: from `load_demucs`.
        report: told of the share that is done.
    """
    channels, n = sound.shape
    sounds = np.zeros((len(STEMS), channels, n), dtype=np.float32)
    for start, parts in _pieces(sound, sample_rate, model, sample_rate, report):
        sounds[:, :, start : start + parts.shape[2]] = parts if channels == 2 else parts.mean(axis=1, keepdims=True)
    sounds[-1] = sound - sounds[0] - sounds[1] - sounds[2]
    return Stems(sounds, METHOD)


def demucs_mels(sound: Array, sample_rate: int, mono: Array, model: "Model", report: Report = ignore) -> Array:
    """Power in mel bands of each stem, float32 (4, T, 80), as `stem_mels` gives it of the quick split.

    Only the mean of the channels of each stem is kept, at `RATE`: a quarter of what `demucs_stems` needs at 44.1 kHz.

    Args:
        sound: float32 (channels, n).
        sample_rate: Hz.
        mono: the mean of its channels at `RATE`, (m,), as in `Spectra`.
        model: from `load_demucs`.
        report: told of the share that is done.
    """
    monos = np.zeros((len(STEMS), len(mono)), dtype=np.float32)
    for start, parts in _pieces(sound, sample_rate, model, RATE, report):
        part = parts.mean(axis=1)[:, : len(mono) - start]  # two resamplers may round a length differently
        monos[:, start : start + part.shape[1]] = part
    monos[-1] = mono - monos[0] - monos[1] - monos[2]
    # chroma is made and dropped: little beside what the network takes
    return np.stack([listen(part[None], RATE).mel for part in monos])


def _pieces(sound: Array, sample_rate: int, model: "Model", rate: int, report: Report) -> Iterator[tuple[int, Array]]:
    """Stems of one piece after another, (4, 2, m) at `rate` Hz, and the sample at which it begins."""
    channels, n = sound.shape
    mean, deviation = _mean_and_deviation(sound)
    report(_STAGE, 0.0)
    for start in range(0, n, _PIECE_S * sample_rate):
        context = min(start, _CONTEXT_S * sample_rate)
        end = min(start + _PIECE_S * sample_rate, n)
        heard = sound[:, start - context : end + _CONTEXT_S * sample_rate]
        stereo = heard if channels == 2 else np.tile(heard.mean(axis=0), (2, 1))

        def done(share: float, start: int = start, end: int = end) -> None:
            report(_STAGE, (start + share * (end - start)) / n)

        parts = _apply((stereo - mean) / deviation, sample_rate, model, rate, done)
        parts *= deviation
        first = context // sample_rate * rate
        yield start // sample_rate * rate, parts[:, :, first : first + _PIECE_S * rate]
    report(_STAGE, 1.0)


def _mean_and_deviation(sound: Array) -> tuple[np.float32, np.float32]:
    """Of the channels' mean, over the whole sound; what Demucs was trained to be given is 0 and 1."""
    n = sound.shape[1]
    total, squares = 0.0, 0.0
    for start in range(0, n, _BLOCK):
        mono = sound[:, start : start + _BLOCK].mean(axis=0, dtype=np.float64)
        total, squares = total + float(mono.sum()), squares + float(mono @ mono)
    variance = max(squares / n - (total / n) ** 2, 0.0)
    return np.float32(total / n), np.float32(variance**0.5 + 1e-8)


def _apply(heard: Array, sample_rate: int, model: "Model", rate: int, done: Callable[[float], None]) -> Array:
    """Stems of a stereo sound, (4, 2, m) at `rate` Hz; `done` is told of the share."""
    import torch
    from demucs.apply import apply_model

    at_rate = np.ascontiguousarray(soxr.resample(heard.T, sample_rate, model.samplerate).T, dtype=np.float32)
    sources = apply_model(
        model,
        torch.from_numpy(at_rate)[None],
        shifts=0,
        device=next(model.parameters()).device,
        callback=lambda told: done(told["segment_offset"] / at_rate.shape[1]),
    )[0].cpu()
    output = np.zeros((len(STEMS), 2, round(heard.shape[1] * rate / sample_rate)), dtype=np.float32)
    for target, stem in zip(output, STEMS, strict=True):
        source = sources[model.sources.index(stem)].numpy()
        back = soxr.resample(source.T, model.samplerate, rate).T[:, : target.shape[1]]
        target[:, : back.shape[1]] = back
    return output


def _from_safetensors(weights: Path) -> "Model":
    from demucs.hf import load_safetensors_model
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(error) from error
    # Demucs calls whatever class the metadata names, with arguments of the file's choice
    if metadata.get("klass") not in _class_names() or "structure" in metadata:
        raise CheckpointError(f"{weights}: not weights of demucs (its class is {metadata.get('klass')})")
    return load_safetensors_model(weights)


def _from_pickle(weights: Path) -> "Model":
    import torch
    from demucs.states import load_model

    with torch.serialization.safe_globals([*_classes(), Fraction]):
        package = torch.load(weights, map_location="cpu", weights_only=True)
    return load_model(package)


def _classes() -> list[type]:
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    return [HTDemucs, HDemucs, Demucs]


def _class_names() -> set[str]:
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in _classes()}
