"""How well a policy imitates: its loss on situations, and its own edits beside the true ones."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.edits.actions import END, KEEP, Kind, column_of
from rl_editor.edits.edl import EDL
from rl_editor.edits.request import EditRequest
from rl_editor.envs.beat_edit.environment import BeatEditEnv, Judge
from rl_editor.envs.beat_edit.instances import Instances, make_instances
from rl_editor.envs.beat_edit.played import edit_of
from rl_editor.envs.beat_edit.reward import RewardConfig
from rl_editor.policies.playing import play, recordings_of
from rl_editor.policies.policy import Policy
from rl_editor.policies.recordings import Heard
from rl_editor.policies.taught import Batch, HeardTake
from rl_editor.rl.masked import log_prob_of_any

_USUAL = RewardConfig()


class Losses(NamedTuple):
    """Scalars."""

    total: Tensor
    decisions: Tensor
    """Negative log-probability of what the editor would do, in nats."""
    kept: Tensor
    """Cross entropy of which beats are kept, in nats a beat of mean length."""


def cloning_loss(policy: Policy, shown: Batch, *, smoothing: float, keep_weight: float) -> Losses:
    """What imitation costs.

    Args:
        policy: any mode.
        shown: G takes with N situations.
        smoothing: share of each decision that goes to all legal actions alike.
        keep_weight: of telling which beats are kept.
    """
    encoded, prepared = policy.encode(shown.recordings)
    log_probs = policy.log_probs(prepared, shown.situation)
    right = -log_prob_of_any(log_probs, shown.best)
    mask = shown.situation.mask
    even = -(log_probs.masked_fill(~mask, 0.0).sum(dim=1) / mask.sum(dim=1).clamp(min=1))
    each = torch.where(shown.weight > 0, (1.0 - smoothing) * right + smoothing * even, 0.0)
    decisions = (each * shown.weight).sum() / shown.weight.sum().clamp(min=1e-6)
    told = functional.binary_cross_entropy_with_logits(encoded.keep.float(), shown.kept, reduction="none")
    kept = (told * shown.recordings.share).sum(dim=1).mean()
    return Losses(decisions + keep_weight * kept, decisions, kept)


@torch.no_grad()
def accuracy_by_action(policy: Policy, shown: Batch) -> dict[str, tuple[int, int]]:
    """How many decisions of demonstrations are the likeliest ones, and how many there are, by kind of action.

    A landing counts as right with any fade, and where it is another of equal worth. What is forced is not counted.
    """
    _, prepared = policy.encode(shown.recordings)
    chosen = policy.log_probs(prepared, shown.situation).argmax(dim=1)
    right = shown.best.gather(1, chosen[:, None])[:, 0] | (_place(chosen) == _place(shown.demonstrated))
    counted = (shown.demonstrated >= 0) & (shown.situation.mask.sum(dim=1) > 1)
    kinds = _kind(shown)
    told = {"keep": shown.demonstrated == KEEP, "end": shown.demonstrated == END}
    told |= {kind.name.lower(): kinds == kind for kind in Kind}
    return {
        name: (int((right & counted & of_kind).sum()), int((counted & of_kind).sum())) for name, of_kind in told.items()
    }


def _place(action: Tensor) -> Tensor:
    """KEEP, END or the landing, whatever its fade."""
    return torch.where(action > END, 2 + column_of(action), action)


def _kind(shown: Batch) -> Tensor:
    """Kind of the landing that was shown, (N,); -1 for other actions."""
    column = column_of(shown.demonstrated).clamp(min=0)
    kind = shown.situation.kind.gather(1, column[:, None])[:, 0]
    return torch.where(shown.demonstrated > END, kind, -1)


def request_of(take: HeardTake) -> EditRequest:
    """What is asked for where a take is edited: the true edit's length, in any order."""
    return EditRequest(target_s=take.target_s, order="free")


class Imitated(NamedTuple):
    """A policy's edit of a take."""

    edl: EDL
    overlap: float
    """(F1 - r) / (1 - r) against the true edit, r the F1 of as much at random."""
    joins: int
    returned: float
    """What the environment pays for it."""


@torch.no_grad()
def imitated(
    policy: Policy,
    takes: Sequence[HeardTake],
    config: RewardConfig = _USUAL,
    judge_of: Callable[[Instances, Sequence[Heard]], Judge | None] = lambda *_: None,
) -> list[Imitated]:
    """The policy's own edits of takes, each of the true edit's length.

    Args:
        policy: in any mode.
        takes: whose lengths can be met.
        config: what the environment pays for.
        judge_of: makes what scores finished edits besides, if anything does.
    """
    edits = []
    training, device = policy.training, policy.mean.device
    policy.eval()
    for take in takes:
        made = make_instances([take.track], [(0, request_of(take))], config, device=device)
        _, prepared = policy.encode(recordings_of(made, [take.heard]).to(device))
        which = torch.zeros(1, dtype=torch.int64, device=device)
        env = BeatEditEnv(made, 1, config, learned=judge_of(made, [take.heard]))
        (played,) = play(policy, prepared, env, which)
        edl = edit_of(made, 0, played.actions)
        edits.append(Imitated(edl, overlap(edl, take.kept, take.track), len(edl.joins), played.returned))
    policy.train(training)
    return edits


def overlap(edl: EDL, kept: Array, track: Track) -> float:
    """(F1 - r) / (1 - r) of the beats that an edit plays against those that the true one keeps, by their length.

    Args:
        edl: an edit of the recording.
        kept: beats that the true edit plays, (B,).
        track: analysis of the recording.
    """
    lengths = np.diff(track.bounds).astype(np.float64)
    played = np.zeros(track.n_beats)
    for segment in edl.segments:
        inside = np.minimum(track.bounds[1:], segment.end) - np.maximum(track.bounds[:-1], segment.start)
        played = np.maximum(played, np.clip(inside / lengths, 0.0, 1.0))
    ours, true = float(played @ lengths), float(kept @ lengths)
    f1 = 2.0 * float((played * kept) @ lengths) / (ours + true)
    by_chance = 2.0 * ours * true / lengths.sum() / (ours + true)
    return (f1 - by_chance) / (1.0 - by_chance)
