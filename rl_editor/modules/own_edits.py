"""The edits that the policy of a module gives to takes, made once for all who ask between two steps."""

from collections.abc import Callable, Sequence

from lightning.pytorch import LightningModule

from rl_editor.policies.imitation import Imitated
from rl_editor.policies.taught import HeardTake


class OwnEdits:
    """Edits as the policy is now.

    Args:
        module: whose steps make edits stale.
        make: edits takes.
    """

    def __init__(self, module: LightningModule, make: Callable[[Sequence[HeardTake]], Sequence[Imitated]]) -> None:
        self._module, self._make = module, make
        self._made: tuple[tuple[int, tuple[str, ...]], Sequence[Imitated]] | None = None

    def __call__(self, takes: Sequence[HeardTake]) -> Sequence[Imitated]:
        """Edits of these takes, in their order."""
        now = self._module.global_step, tuple(take.key for take in takes)
        if self._made is None or self._made[0] != now:
            self._made = now, self._make(takes)
        return self._made[1]


def means(edits: Sequence[Imitated]) -> dict[str, float]:
    """What edits are like in the mean, by name; nothing where there are none."""
    told = {
        "overlap": [edit.overlap for edit in edits],
        "joins": [float(edit.joins) for edit in edits],
        "ep_return": [edit.returned for edit in edits],
    }
    return {name: sum(values) / len(values) for name, values in told.items() if values}
