"""`rl-editor info`: what is installed and what this machine has."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.cli.arguments import CommandParser, command_parser

if TYPE_CHECKING:
    from jsonargparse import Namespace

_PACKAGES = (
    "rl-editor", "torch", "torchaudio", "lightning", "gymnasium", "librosa", "numpy", "numba", "soundfile",
    "demucs", "beat-this", "pydub", "jsonargparse", "tensorboard",
)  # fmt: skip


def parser() -> CommandParser:
    """The command line of `rl-editor info`."""
    return command_parser("info", "Versions, devices, ffmpeg, weights present, shipped recipes and checkpoints.")


def run(args: "Namespace") -> int:
    """Print one line a fact."""
    import platform

    lines = [("python", f"{platform.python_version()} on {platform.platform()}")]
    lines += [(package, _version(package)) for package in _PACKAGES]
    lines += [("libsndfile", _libsndfile()), ("ffmpeg", shutil.which("ffmpeg") or "not found")]
    lines += [("devices", _devices()), ("weights", _weights()), *_shipped()]
    width = max(len(name) for name, _ in lines)
    sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in lines))
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _libsndfile() -> str:
    import soundfile

    return str(soundfile.__libsndfile_version__)


def _devices() -> str:
    import torch

    found = ["cpu"]
    found += [f"cuda:{k} ({torch.cuda.get_device_name(k)})" for k in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return ", ".join(found)


def _weights() -> str:
    """Weights of others that a user fetched: nothing here ever downloads them unasked."""
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    found = sorted(file.name for file in folder.glob("*")) if folder.is_dir() else []
    return ", ".join(found) or f"none in {folder}"


def _shipped() -> list[tuple[str, str]]:
    from rl_editor.checkpoints import shipped_checkpoints, shipped_folder

    recipes = sorted(file.name for file in shipped_folder("configs").glob("*.yaml"))
    checkpoints = [file.stem for file in shipped_checkpoints()]
    return [("recipes", ", ".join(recipes) or "none yet"), ("checkpoints", ", ".join(checkpoints) or "none yet")]
