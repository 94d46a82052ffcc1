"""The editor `policy`: edits as a trained policy decides."""

from dataclasses import replace
from pathlib import Path

import torch

from rl_editor import checkpoints
from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL, Maker
from rl_editor.edits.length import is_another
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv
from rl_editor.envs.beat_edit.instances import Instances, make_instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.errors import CheckpointError
from rl_editor.policies.playing import TEMPERATURE, PlayedEdit, play, recordings_of
from rl_editor.policies.policy_file import NAME, load_policy
from rl_editor.policies.recordings import Heard, batched, hear
from rl_editor.policies.track_encoder import natural_ratio

_DRAWS = 8  # drawn edits for each one that is asked for, where several are


class PolicyEditor:
    """Takes the likeliest action at every step, or the best of several drawn edits."""

    def __init__(self, checkpoint: Path | None = None, best_of: int = 1, temperature: float = TEMPERATURE) -> None:
        """Load a policy.

        Args:
            checkpoint: its file; None takes the shipped one.
            best_of: edits to choose from, the likeliest one among them; chosen is the one of the best joins.
            temperature: that edits beside the likeliest one are drawn at.
        Raises:
            CheckpointError: it can't be used, or none is shipped.
        """
        self.best_of, self.temperature = best_of, temperature
        file = checkpoint or shipped_policy()
        if file is None:
            raise CheckpointError(
                "editor policy: no checkpoint is shipped yet; train one (bc-warmup), --checkpoint names it"
            )
        loaded = load_policy(file)
        self.policy, self.content_hash = loaded.policy, loaded.content_hash

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """Edits that meet the request, best first, each at least 20 % different from those before it.

        Raises:
            RequestError: no edit by KEEP and landings is known to meet it.
        """
        heard = hear(track)
        if request.length_s(track.source.duration_s) is None:
            request = replace(request, keep=self.natural_ratio(heard))
        played, instances = self._played(track, heard, request)
        maker = Maker(NAME, self.content_hash, request.seed)
        edits: list[EDL] = []
        for each in played:
            edl = edit_of(instances, 0, each.actions, maker)
            if is_another(edl, edits):
                edits.append(edl)
            if len(edits) == request.count:
                break
        return edits

    @torch.inference_mode()
    def natural_ratio(self, heard: Heard) -> float:
        """The share of a recording that is worth keeping where no length is asked for."""
        recordings = batched([heard], [0.0], [False])
        encoded, _ = self.policy.encode(recordings)
        return min(max(float(natural_ratio(encoded.keep, recordings.share)), 0.03), 1.0)

    @torch.inference_mode()
    def _played(self, track: Track, heard: Heard, request: EditRequest) -> tuple[list[PlayedEdit], Instances]:
        """Edits, the best first, and the instances they are of."""
        instances = make_instances([track], [(0, request)], RewardConfig())
        _, prepared = self.policy.encode(recordings_of(instances, [heard]))
        first = play(self.policy, prepared, BeatEditEnv(instances, 1), torch.zeros(1, dtype=torch.int64))
        draws = max(self.best_of, _DRAWS * request.count if request.count > 1 else 1) - 1
        if draws == 0:
            return first, instances
        generator = torch.Generator().manual_seed(request.seed)
        which = torch.zeros(draws, dtype=torch.int64)
        drawn = play(self.policy, prepared, BeatEditEnv(instances, draws), which, generator, self.temperature)
        if self.best_of > 1:
            return sorted([*first, *drawn], key=lambda each: each.seam_cost), instances
        return [*first, *sorted(drawn, key=lambda each: -each.log_prob)], instances


def shipped_policy() -> Path | None:
    """The policy that comes with the program; None where none does."""
    return next((file for file in checkpoints.shipped_checkpoints() if file.stem == NAME), None)
