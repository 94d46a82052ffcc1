"""A described edit in one row: what a listener could say of it without knowing in which order things came.

Joins are few among the beats of an edit, and what they do counts by their number. A network that listens to all beats
together has to find that out; of sums it can be read off, from few answers (benchmarks/results/reward_raters.md).
"""

import torch
from torch import Tensor

from rl_editor.policies.described_edits import Edits
from rl_editor.policies.edit_description import ABOUT_COLUMNS, TOKEN_COLUMNS
from rl_editor.policies.recordings import BEAT_COLUMNS

SUMMARY_COLUMNS = 4 * len(TOKEN_COLUMNS) + 3 * BEAT_COLUMNS + len(ABOUT_COLUMNS)
"""S."""


def summarise(beats: Tensor, edits: Edits) -> Tensor:
    """What is told of the tokens in the mean, at most, of the first and of the last; and of the whole, (N, S).

    Args:
        beats: descriptions of the beats of the recordings, (G, B, D).
        edits: N edits of these.
    """
    present = edits.present[..., None]
    count = present.sum(dim=1)
    played = taken(beats, edits.recording, edits.beat)
    columns = edits.columns * present
    last = (count - 1)[:, None].expand(-1, 1, columns.shape[2])
    return torch.cat(
        [
            columns.sum(dim=1) / count,
            _most(columns, present),
            columns[:, 0],
            columns.gather(1, last)[:, 0],
            (played * present).sum(dim=1) / count,
            _most(played, present),
            edits.left_out.sum(dim=1) / count,
            edits.about,
        ],
        dim=1,
    )


def _most(values: Tensor, present: Tensor) -> Tensor:
    return values.masked_fill(~present, -torch.inf).amax(dim=1)


def taken(table: Tensor, recording: Tensor, beat: Tensor) -> Tensor:
    """Rows of beats (N, T) from a table (G, B, ...) of the recordings (N,), (N, T, ...)."""
    at = (recording[:, None] * table.shape[1] + beat).flatten()
    return table.flatten(0, 1).index_select(0, at).view(*beat.shape, *table.shape[2:])
