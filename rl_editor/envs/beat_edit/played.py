"""What an episode has played, as an edit."""

import numpy as np

from rl_editor.analysis.landings import Family
from rl_editor.analysis.track import Track
from rl_editor.arrays import IntArray
from rl_editor.edits.actions import END, KEEP, column_of, fade_class_of, fade_samples
from rl_editor.edits.edl import EDL, Maker, Segment, merged
from rl_editor.edits.joins import fade_at_end, fade_at_start
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
        actions: (T,), each legal where the episode took it, the last one END, or not yet; then what was played so far,
            its length as it is.
        maker: what chose the actions.
    Raises:
        EnvError: nothing was played yet.
    """
    if not len(actions):
        raise EnvError("nothing was played yet: there is no edit before the first action")
    track, request = instances.track_of(which), instances.requests[which]
    ended = actions[-1] == END
    first = max(int(instances.rules.first[instances.row[which]]), 0)
    segments = _segments(actions if ended else np.append(actions, END), first, track)
    target_s = request.length_s(track.source.duration_s)
    edl = EDL(track.source, tuple(segments), maker, target_s, end_fade=fade_at_end(track, segments[-1].end))
    met = exactly(edl, resolve(track, request), track, slack_s=request.slack_s) if ended else edl
    return edl if met is None else met


def _segments(actions: IntArray, first: int, track: Track) -> list[Segment]:
    """What legal actions play from beat `first` on: as `replay`, which goes step by step since it trusts no action."""
    places = track.landings
    begins, classes = places.starts(track.bounds), fade_samples(track)
    start, playhead, since = int(track.bounds[first]), first, 0
    fade, why = fade_at_start(track, start), "beginning"
    segments = []
    for t in np.flatnonzero(actions != KEEP).tolist():
        action, row = int(actions[t]), playhead + t - since  # each KEEP in between has played a beat
        if row > 0:
            segments.append(Segment(start, int(track.bounds[row]), fade, why=why))
        if action == END:
            break
        column = column_of(action)
        start = int(begins[row, column])
        playhead, since = int(places.beat[row, column] + places.half[row, column]), t + 1
        if row == 0:
            fade = fade_at_start(track, start)
        else:
            fade, why = int(classes[fade_class_of(action)]), Family(int(places.family[row, column])).name.lower()
    return merged(segments)


def meets_length(instances: Instances, which: int, n_samples: int) -> bool:
    """Whether an edit of instance `which` is as long as was asked for, to the slack."""
    request, rate = instances.requests[which], instances.track_of(which).source.sample_rate
    # half a sample: the length asked for is rounded to samples
    return abs(n_samples - int(instances.target[which])) <= request.slack_s * rate + 0.5
