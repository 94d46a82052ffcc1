"""Where shipped files are: recipes (`configs`) and checkpoints (`models`).

In a checkout, an editable install included, they stand beside the package; in a built wheel inside it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder(kind: str) -> Path:
    """The folder of shipped `configs` or `models`.

    Args:
        kind: `configs` or `models`.
    """
    inside_wheel = _PACKAGE / f"_{kind}"
    return inside_wheel if inside_wheel.is_dir() else _PACKAGE.parent / kind


def shipped_checkpoints() -> list[Path]:
    """All shipped checkpoints, `*.safetensors`, sorted by name."""
    return sorted(shipped_folder("models").glob("*.safetensors"))
