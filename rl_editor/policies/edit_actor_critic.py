"""A policy with a critic beside it: what PPO trains to edit."""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rl_editor.policies.decision_head import STANDING_COLUMNS, Prepared, Standing, standing_of
from rl_editor.policies.policy import Policy
from rl_editor.policies.recordings import Recordings
from rl_editor.policies.situation import Situation
from rl_editor.rl.actor_critic import ActorCritic
from rl_editor.rl.masked import masked_log_probs
from rl_editor.rl.rollout import evaluating


class Context(NamedTuple):
    """What all decisions on G recordings share."""

    prepared: Prepared
    beats: Tensor
    """What the encoder made of each beat, with nothing before the first and after the last, (G, B+2, d)."""
    whole: Tensor
    """And of each recording, (G, 2d)."""


class EditCritic(nn.Module):
    """What is still to be had from where an edit stands.

    It has the encoder's beats, but no weight in common with the actor, and passes it no gradient.
    """

    def __init__(self, width: int) -> None:
        """Make a critic on an encoder of `width`."""
        super().__init__()
        self.around, self.whole = nn.Linear(2 * width, width), nn.Linear(2 * width, width, bias=False)
        self.standing = nn.Linear(STANDING_COLUMNS, width, bias=False)
        self.between = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.worth = nn.Linear(width, 1)

    def forward(self, context: Context, situation: Situation, standing: Standing) -> Tensor:
        """Values of N situations, (N,)."""
        g, p = situation.recording, situation.playhead
        around = torch.cat([context.beats[g, p], context.beats[g, p + 1]], dim=1)
        seen = self.around(around) + self.whole(context.whole)[g] + self.standing(standing.known.detach())
        worth: Tensor = self.worth(self.between(seen))
        return worth[:, 0]


class EditActorCritic(ActorCritic[Situation]):
    """A policy that edits at a temperature, and its critic.

    The encoder may stay as imitation left it. Then what it makes of the recordings is found once, for all rollouts, and
    learning costs what the decisions cost.
    """

    def __init__(self, policy: Policy, *, temperature: float, train_encoder: bool) -> None:
        """Take a policy; `hear` comes before anything is decided.

        Args:
            policy: is trained.
            temperature: its logits are divided by; the likeliest action stays what it is.
            train_encoder: also train what is found once a recording.
        """
        super().__init__()
        self.policy, self.temperature, self.train_encoder = policy, temperature, train_encoder
        self.critic = EditCritic(policy.head.landed.out_features)
        policy.head.learn_whom_to_trust()
        if not train_encoder:
            for weight in policy.recording_parameters():
                weight.requires_grad_(False)
        self._recordings: Recordings | None = None
        self._context: Context | None = None

    def hear(self, recordings: Recordings) -> None:
        """Take the recordings that situations are numbered by."""
        self._recordings = recordings
        self._context = None

    def prepare(self) -> Context:
        """Encode the recordings, or give back what was made of them before."""
        assert self._recordings is not None, "hear the recordings first"
        if self.train_encoder:
            return self._encoded(self._recordings)
        if self._context is None:
            with torch.no_grad(), evaluating(self):
                self._context = self._encoded(self._recordings)
        return self._context

    def forward(self, context: Context, observation: Situation, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities (N, A) and values (N,)."""
        standing = standing_of(context.prepared, observation)
        logits = self.policy.head(context.prepared, observation, standing)
        return masked_log_probs(logits / self.temperature, mask), self.critic(context, observation, standing)

    def untrained_copy(self) -> "EditActorCritic":
        """A copy that stays as it is, of the same recordings; what is not trained is not held twice."""
        own = EditActorCritic(copy.deepcopy(self.policy), temperature=self.temperature, train_encoder=False)
        own.critic.load_state_dict(self.critic.state_dict())
        own._recordings = self._recordings
        own._context = None if self.train_encoder else self.prepare()
        return own.to(self.critic.worth.weight.device).eval().requires_grad_(False)

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Those of the critic."""
        return self.critic.parameters()

    def critic_head(self) -> nn.Linear:
        """Its last layer."""
        return self.critic.worth

    def _encoded(self, recordings: Recordings) -> Context:
        encoded, prepared = self.policy.encode_one_by_one(recordings)
        beats, share = encoded.beats.detach(), recordings.share[..., None]
        kept = share * encoded.margin.detach().sigmoid()[..., None]
        whole = [(beats * each).sum(dim=1) / each.sum(dim=1).clamp(min=1e-6) for each in (share, kept)]
        return Context(prepared, functional.pad(beats, (0, 0, 1, 1)), torch.cat(whole, dim=1))
