"""A reward model as the environment asks it: what finished edits of a set of instances are worth."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from rl_editor.edits.edl import EDL
from rl_editor.envs.beat_edit.environment import Finished
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.policies.described_edits import as_edits, as_recordings
from rl_editor.policies.edit_description import describe_edits
from rl_editor.policies.edit_scorer import EditScorer
from rl_editor.policies.ground import Ground
from rl_editor.policies.recordings import Heard, Recordings


class EditJudge:
    """Scores finished edits; what it has heard of a recording it keeps.

    Args:
        scorer: in eval mode; nothing in it changes.
        instances: those that the edits are of.
        heard: their recordings, in the order of `instances.tracks`, where they were heard already.
    """

    def __init__(self, scorer: EditScorer, instances: Instances, heard: Sequence[Heard] | None = None) -> None:
        self._scorer, self._instances, self._given = scorer, instances, heard
        self._recording = instances.track[instances.row].tolist()
        self._heard = cache(self._hear)

    @torch.inference_mode()
    def __call__(self, edits: Finished) -> Tensor:
        """What they are worth, (n,) float32."""
        of_recording: dict[int, list[int]] = defaultdict(list)
        for number, which in enumerate(edits.instance.tolist()):
            of_recording[self._recording[which]].append(number)
        worth = torch.empty(len(edits.instance))
        # one recording at a time: padding edits to those of a longer one costs more than it saves
        for recording, numbers in of_recording.items():
            ground, recordings = self._heard(recording)
            described = describe_edits([self._edit(edits, number) for number in numbers], ground)
            batch = as_edits([described], n_beats=ground.track.n_beats).to(recordings.beats.device)
            worth[numbers] = self._scorer(recordings, batch).cpu()
        return worth.to(edits.instance.device)

    def _hear(self, recording: int) -> tuple[Ground, Recordings]:
        known = None if self._given is None else self._given[recording]
        ground = Ground(self._instances.tracks[recording], known)
        return ground, as_recordings([ground.heard]).to(self._scorer.centre.device)

    def _edit(self, edits: Finished, number: int) -> EDL:
        actions = edits.actions[number]
        return edit_of(self._instances, int(edits.instance[number]), actions[actions >= 0].cpu().numpy())
