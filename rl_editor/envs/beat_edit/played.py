"""What an episode has played, as an edit."""

import numpy as np

from rl_editor.arrays import IntArray
from rl_editor.edits.actions import END, TIGHT, landing_action
from rl_editor.edits.demonstration import Outside, replay
from rl_editor.edits.edl import EDL, Maker
from rl_editor.edits.length import exactly
from rl_editor.edits.wishes import resolve
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.errors import EnvError

MAKER = Maker("BeatEdit-v0")


def edit_of(instances: Instances, which: int, actions: IntArray, maker: Maker = MAKER) -> EDL:
    """The edit that the actions of an episode make, its length met to the slack where an end can be moved for it.

    Where none can, since the edit begins and ends where the recording does, or at a lock or a ban, it stays as long as
    it was played, off by half of the longest beat at most or by a landing's lag; `meets_length` tells.

    Args:
        instances: the set that the episode is of.
        which: its instance.
        actions: (T,), the last one END, or not yet; then what was played so far, its length as it is.
        maker: what chose the actions.
    Raises:
        EnvError: nothing was played yet.
    """
    row = int(instances.row[which])
    track, request = instances.track_of(which), instances.requests[which]
    if not len(actions):
        raise EnvError("nothing was played yet: there is no edit before the first action")
    first = int(instances.rules.first[row])
    outside = Outside(*np.full((3, len(actions)), -1))
    if first > 0:  # where the request says how to begin, the episode has begun without an action
        begins = (first, 0, int(track.bounds[first]))
        actions = np.append(landing_action(0, TIGHT), actions)
        outside = Outside(*(np.append(value, column) for value, column in zip(begins, outside, strict=True)))
    ended = actions[-1] == END
    if not ended:
        actions, outside = np.append(actions, END), Outside(*(np.append(column, -1) for column in outside))
    target_s = request.length_s(track.source.duration_s)
    edl = replay(actions, track, outside, maker=maker, target_s=target_s)
    met = exactly(edl, resolve(track, request), track, slack_s=request.slack_s) if ended else edl
    return edl if met is None else met


def meets_length(instances: Instances, which: int, n_samples: int) -> bool:
    """Whether an edit of instance `which` is as long as was asked for, to the slack."""
    request, rate = instances.requests[which], instances.track_of(which).source.sample_rate
    # half a sample: the length asked for is rounded to samples
    return abs(n_samples - int(instances.target[which])) <= request.slack_s * rate + 0.5
