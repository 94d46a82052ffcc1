"""What a pair must reach to be learned from."""

from dataclasses import dataclass

from rl_editor.errors import DataError


@dataclass(frozen=True)
class Thresholds:
    """What a recovered pair must reach to be learned from."""

    coverage: float = 0.9
    """Least share of the edit that is found in the raw."""
    confidence: float = 0.6
    """Least mean confidence of what is found."""

    def __post_init__(self) -> None:
        for name in ("coverage", "confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DataError(f"least {name} {getattr(self, name):g}: must be from 0 to 1")
