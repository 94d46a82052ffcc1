"""The policy: an encoder over the whole recording, and a head that decides step by step."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from rl_editor.policies.decision_head import DecisionHead, Prepared, standing_of
from rl_editor.policies.recordings import Recordings
from rl_editor.policies.situation import Situation
from rl_editor.policies.track_encoder import Encoded, EncoderConfig, TrackEncoder
from rl_editor.rl.masked import masked_log_probs


@dataclass(frozen=True)
class PolicyConfig:
    """Size of a policy."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """The network over the whole recording."""


class Policy(nn.Module):
    """Which action to take where edits stand."""

    mean: Tensor
    scale: Tensor
    fitted: Tensor
    """Whether the normaliser was set, () bool."""

    def __init__(self, n_columns: int, n_landing_columns: int, config: PolicyConfig) -> None:
        """Make a policy of recordings whose beats and landings have so many columns."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_columns))
        self.register_buffer("scale", torch.ones(n_columns))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))
        self.encoder = TrackEncoder(n_columns, config.encoder)
        self.head = DecisionHead(config.encoder.width, n_landing_columns)

    @torch.no_grad()
    def normalise_by(self, beats: Tensor) -> None:
        """Take mean and spread of the columns from beats of the training set, (M, D)."""
        self.mean.copy_(beats.mean(dim=0))
        self.scale.copy_(beats.std(dim=0).clamp(min=0.05))
        self.fitted.fill_(True)

    def encode(self, recordings: Recordings) -> tuple[Encoded, Prepared]:
        """Once a recording and update: what all its decisions share."""
        encoded = self._encoded(recordings)
        return encoded, self.head.prepare(recordings, encoded)

    def encode_one_by_one(self, recordings: Recordings) -> tuple[Encoded, Prepared]:
        """The same, of many: nobody listens to the padding, which costs the square of the longest one's length."""
        each = [self._encoded(recordings.alone(number)) for number in range(len(recordings.share))]
        columns = zip(*each, strict=True)
        encoded = Encoded(*(pad_sequence([one[0] for one in column], batch_first=True) for column in columns))
        return encoded, self.head.prepare(recordings, encoded)

    def _encoded(self, recordings: Recordings) -> Encoded:
        beats = (recordings.beats - self.mean) / self.scale * recordings.present[..., None]
        encoded: Encoded = self.encoder(recordings._replace(beats=beats))
        return encoded

    def recording_parameters(self) -> Iterator[nn.Parameter]:
        """The weights that `encode` uses."""
        yield from self.encoder.parameters()
        yield from self.head.recording_parameters()

    def log_probs(self, prepared: Prepared, situation: Situation, temperature: float = 1.0) -> Tensor:
        """Log-probabilities of all actions, (N, A), with logits divided by the temperature."""
        logits = self.head(prepared, situation, standing_of(prepared, situation))
        return masked_log_probs(logits / temperature, situation.mask)
