"""Scores that can wait: finished edits are kept while edits are played, and judged together afterwards."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from rl_editor.envs.beat_edit.environment import Finished, Judge


class LateJudge:
    """Tells the environment nothing of a finished edit, and all that ended since then when it is asked.

    A reward model scores many edits in a fifth of the time that they take one by one, and PPO needs no score before the
    rollout is played.

    Args:
        judge: scores finished edits.
        rated: what people gave them; their scores do not count, as the rating is the return.
    """

    def __init__(self, judge: Judge, rated: Judge | None = None) -> None:
        self._judge, self._rated = judge, rated
        self._waiting: list[Finished] = []

    def __call__(self, edits: Finished) -> Tensor:
        """Nothing, (n,) NaN; they are kept."""
        self._waiting.append(edits)
        return torch.full(edits.instance.shape, torch.nan, device=edits.instance.device)

    def scores(self) -> Tensor:
        """Of the edits that ended since it was last asked, in the order in which they did, (E,) float32."""
        if not self._waiting:
            return torch.zeros(0)
        edits = _together(self._waiting)
        self._waiting = []
        scores = self._judge(edits).float().nan_to_num(nan=0.0)
        return scores if self._rated is None else scores * self._rated(edits).isnan()


def _together(edits: Sequence[Finished]) -> Finished:
    longest = max(each.actions.shape[1] for each in edits)
    actions = [pad(each.actions, (0, longest - each.actions.shape[1]), value=-1) for each in edits]
    return Finished(torch.cat([each.instance for each in edits]), torch.cat(actions))
