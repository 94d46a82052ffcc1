"""Stems by Demucs: slow and good, for who has its weights.

The package `demucs` brings the network but no weights. They are taken from a file, or from the Hugging Face cache where
an earlier use has left them; they are downloaded only where the caller says so. About real time on one core.
Source: Rouard, Massa, Defossez, Hybrid Transformers for Music Source Separation, ICASSP 2023.
"""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from rl_editor.analysis.stems import STEMS, Stems
from rl_editor.arrays import Array
from rl_editor.errors import CheckpointError

if TYPE_CHECKING:
    from demucs.apply import Model

METHOD = "demucs"
_REPOSITORY, _FILE = "adefossez/HTDemucs", "955717e8.safetensors"  # what demucs 4.1 calls htdemucs
_PIECE_S, _CONTEXT_S = 300, 5  # heard at a time, and before and after it: 1 GB, whatever the length


def load_demucs(weights: Path) -> "Model":
    """A Demucs network from a file.

    Args:
        weights: `.safetensors` with the class and its arguments as metadata, or `.th`, both as Demucs publishes them.
    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds more than weights.
    """
    if not weights.is_file():
        raise CheckpointError(f"{weights}: no such file; demucs needs its weights (.safetensors or .th)")
    try:
        model = _from_safetensors(weights) if weights.suffix == ".safetensors" else _from_pickle(weights)
    except CheckpointError:
        raise
    # whatever a damaged or foreign file makes of the libraries that read it
    except (OSError, RuntimeError, TypeError, ValueError, KeyError, AttributeError, EOFError) as error:
        raise CheckpointError(f"{weights}: not weights of demucs ({_first_line(error)})") from error
    if set(model.sources) != set(STEMS):
        raise CheckpointError(f"{weights}: splits into {', '.join(model.sources)}, not into {', '.join(STEMS)}")
    return model.eval()


def cached_demucs(*, download: bool = False) -> "Model":
    """The published network, from the Hugging Face cache.

    Args:
        download: fetch it where it is not there yet.
    Raises:
        CheckpointError: it is not there, or can't be fetched.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        file = hf_hub_download(_REPOSITORY, _FILE, local_files_only=not download)
    except (OSError, HfHubHTTPError) as error:
        if download:
            raise CheckpointError(f"demucs: its weights can't be downloaded ({_first_line(error)})") from error
        raise CheckpointError("demucs: no weights here; name a file that holds them, or allow the download") from error
    return load_demucs(Path(file))


def demucs_stems(sound: Array, sample_rate: int, model: "Model") -> Stems:
    """A sound in four stems, which sum to it to float32 precision: what the network leaves over is in `other`.

    Mono goes in as two like channels, more than two as their mean. It is heard in pieces of 5 minutes with 5 s of
    context, on the device that holds the network. No random shifts: the same sound gives the same stems.

    Args:
        sound: float32 (channels, n).
        sample_rate: Hz.
        model: from `load_demucs` or `cached_demucs`.
    """
    channels, n = sound.shape
    stereo = sound if channels == 2 else np.tile(sound.mean(axis=0, dtype=np.float32), (2, 1))
    mono = stereo.mean(axis=0)
    mean, deviation = mono.mean(dtype=np.float64), mono.std(dtype=np.float64) + 1e-8
    sounds = np.zeros((len(STEMS), channels, n), dtype=np.float32)
    order = [model.sources.index(stem) for stem in STEMS]
    piece, context = _PIECE_S * sample_rate, _CONTEXT_S * sample_rate
    for start in range(0, n, piece):
        low, end = max(start - context, 0), min(start + piece, n)
        heard = (stereo[:, low : min(end + context, n)] - np.float32(mean)) / np.float32(deviation)
        parts = _apply(heard, sample_rate, model)[order, :, start - low : end - low] * np.float32(deviation)
        sounds[:, :, start:end] = parts if channels == 2 else parts.mean(axis=1, keepdims=True)
    sounds[-1] = sound - sounds[0] - sounds[1] - sounds[2]
    return Stems(sounds, METHOD)


def _apply(heard: Array, sample_rate: int, model: "Model") -> Array:
    """Sources of a stereo sound at its own rate, (sources, 2, n)."""
    import torch
    from demucs.apply import apply_model

    at_rate = np.ascontiguousarray(soxr.resample(heard.T, sample_rate, model.samplerate).T, dtype=np.float32)
    device = next(model.parameters()).device
    sources = apply_model(model, torch.from_numpy(at_rate)[None], shifts=0, device=device)[0].cpu().numpy()
    output = np.zeros((len(sources), *heard.shape), dtype=np.float32)
    for target, source in zip(output, sources, strict=True):
        back = soxr.resample(source.T, model.samplerate, sample_rate).T[:, : heard.shape[1]]
        target[:, : back.shape[1]] = back
    return output


def _from_safetensors(weights: Path) -> "Model":
    from demucs.hf import load_safetensors_model
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise CheckpointError(f"{weights}: not weights of demucs ({_first_line(error)})") from error
    # Demucs calls whatever class the metadata names, with arguments of the file's choice
    if metadata.get("klass") not in _class_names() or "structure" in metadata:
        raise CheckpointError(f"{weights}: not weights of demucs (its class is {metadata.get('klass')})")
    return load_safetensors_model(weights)


def _from_pickle(weights: Path) -> "Model":
    import pickle

    import torch
    from demucs.states import load_model

    try:
        with torch.serialization.safe_globals([*_classes(), Fraction]):
            package = torch.load(weights, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{weights}: holds more than weights, or is damaged; it was not opened") from error
    return load_model(package)


def _classes() -> list[type]:
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    return [HTDemucs, HDemucs, Demucs]


def _class_names() -> set[str]:
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in _classes()}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
