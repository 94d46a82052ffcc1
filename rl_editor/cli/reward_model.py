"""`rl-editor reward-model` learns which finished edit is better, from planted faults and from people's answers."""

import json
import sys
from collections.abc import Sequence

from rl_editor.cli.complaints import complain
from rl_editor.cli.training import run
from rl_editor.cli.training_options import Order, TrainingParser

__all__ = ["parser", "run"]

_COMPARISONS, _SETTING = "--comparisons", "--data.pairs.comparisons"


def parser() -> "RewardModelParser":
    """The command line of `rl-editor reward-model`."""
    return RewardModelParser(
        "fit",
        "Reward model: learn from pairs of edits which one is better: true edits against such with planted faults and "
        "against other editors', and, with --comparisons FILE [FILE ...], people's answers (docs/comparisons.md). "
        "Without a recipe it is the shipped `reward`, on training_data/prepared.",
        command="reward-model",
        task="reward",
    )


class RewardModelParser(TrainingParser):
    """A training parser that takes files of comparisons by a short name."""

    def parse_args(self, arguments: Sequence[str]) -> Order:
        """Read a command line."""
        return super().parse_args(with_comparisons(arguments))


def with_comparisons(arguments: Sequence[str]) -> list[str]:
    """A command line whose `--comparisons FILE [FILE ...]` is the setting that it stands for."""
    kept: list[str] = []
    files: list[str] | None = None
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        flag, given, value = word.partition("=")
        if flag != _COMPARISONS:
            kept.append(word)
            continue
        files = [*(files or []), *([value] if given else [])]
        while rest and not given and not rest[0].startswith("-"):
            files.append(rest.pop(0))
    if files == []:
        complain(f"{_COMPARISONS} needs at least one FILE (see rl-editor reward-model --help)")
        sys.exit(2)
    return kept if files is None else [*kept, f"{_SETTING}={json.dumps(files)}"]
