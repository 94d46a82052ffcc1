"""People's ratings as the environment asks for them: an edit that somebody rated is worth what it was given."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from rl_editor.data.comparisons import BEST, Comparison, edl_hash
from rl_editor.envs.beat_edit.environment import Finished
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.played import edit_of

_MIDDLE = (1 + BEST) / 2


def ratings_of(comparisons: Iterable[Comparison]) -> dict[str, float]:
    """Mean rating of each edit that was rated, by its hash, from -1 for the least to 1 for the best."""
    given: dict[str, list[int]] = defaultdict(list)
    for each in comparisons:
        for name, rating in ((each.edl_a, each.rating_a), (each.edl_b, each.rating_b)):
            if rating is not None:
                given[name].append(rating)
    return {name: (sum(ratings) / len(ratings) - _MIDDLE) / (BEST - _MIDDLE) for name, ratings in given.items()}


class RatedEdits:
    """Tells what finished edits were given; NaN for those that nobody rated.

    Args:
        ratings: by hash of what is heard of an edit.
        instances: those that the edits are of.
    """

    def __init__(self, ratings: Mapping[str, float], instances: Instances) -> None:
        self._ratings, self._instances = ratings, instances

    def __call__(self, edits: Finished) -> Tensor:
        """Of each edit, (n,) float64."""
        rows = zip(edits.instance.tolist(), edits.actions, strict=True)
        made = (edit_of(self._instances, which, actions[actions >= 0].cpu().numpy()) for which, actions in rows)
        given = [self._ratings.get(edl_hash(edl), torch.nan) for edl in made]
        return torch.tensor(given, dtype=torch.float64, device=edits.instance.device)
