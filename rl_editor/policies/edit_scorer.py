"""The reward model: small networks apart from each other that score a finished edit.

Each member hears the recording once, walks along the beats that an edit plays, in output order, takes four of them
together, and lets a transformer listen to the whole before it says one number. To that it adds what each number of the
edit's summary is worth by itself: a few answers suffice to learn that, and the transformer has only to say the rest.

Only differences of the scores of one recording mean something; each member's are centred and scaled on a reference set,
so that members can be compared (Coste et al., ICLR 2024: what several agree on is harder to exploit than what one
says).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rl_editor.policies.comparison import COMPARED_COLUMNS
from rl_editor.policies.copies import COPIES
from rl_editor.policies.described_edits import Edits
from rl_editor.policies.edit_description import ABOUT_COLUMNS, TOKEN_COLUMNS
from rl_editor.policies.edit_summary import SUMMARY_COLUMNS, summarise, taken
from rl_editor.policies.recordings import BEAT_COLUMNS, Recordings

_TOGETHER = 4  # beats that become one
_KERNEL = 5
_COMPARED = 16  # numbers left of how a beat differs from a copy
_MOST = 4.0  # deviations by which a number of a summary counts


@dataclass(frozen=True)
class ScorerConfig:
    """Size of a reward model, and how its members' scores become one."""

    members: int = 4
    """Networks, each fitted to other songs."""
    width: int = 48
    """Numbers that describe a beat."""
    blocks: int = 2
    """Blocks of the transformer."""
    heads: int = 4
    """Heads of attention."""
    dropout: float = 0.1
    """Share of activations left out while training."""
    caution: Literal["deviation", "minimum"] = "deviation"
    """What counts: the members' mean less `penalty` of their standard deviations, or the least of them."""
    penalty: float = 1.0
    """Standard deviations between members that are taken off the mean."""


class EditScorer(nn.Module):
    """An ensemble of M members; scores are in units of the spread over the reference set."""

    mean: Tensor
    scale: Tensor
    summary_mean: Tensor
    summary_scale: Tensor
    centre: Tensor
    spread: Tensor
    sureness: Tensor
    """How much a difference of one unit is worth: the first of a pair wins with sigmoid(sureness * difference)."""
    fitted: Tensor

    def __init__(self, config: ScorerConfig) -> None:
        """Make a reward model that knows nothing yet."""
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(_Member(config) for _ in range(config.members))
        self.register_buffer("mean", torch.zeros(BEAT_COLUMNS))
        self.register_buffer("scale", torch.ones(BEAT_COLUMNS))
        self.register_buffer("summary_mean", torch.zeros(SUMMARY_COLUMNS))
        self.register_buffer("summary_scale", torch.ones(SUMMARY_COLUMNS))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))
        self.register_buffer("centre", torch.zeros(config.members))
        self.register_buffer("spread", torch.ones(config.members))
        self.register_buffer("sureness", torch.ones(()))

    @torch.no_grad()
    def normalise_by(self, beats: Tensor) -> None:
        """Take mean and spread of the columns from beats of the training set, (M, D)."""
        self.mean.copy_(beats.mean(dim=0))
        self.scale.copy_(beats.std(dim=0).clamp(min=0.05))
        self.fitted.fill_(True)

    @torch.no_grad()
    def normalise_summaries_by(self, described: Iterable[tuple[Recordings, Edits]]) -> None:
        """Take mean and spread of the summaries from the edits of each recording of the training set.

        The spread is that within recordings, for nobody compares edits of two. After `normalise_by`.
        """
        each = [
            summarise(recordings.beats, edits) for recordings, edits in (self._normalised(*own) for own in described)
        ]
        self.summary_mean.copy_(torch.cat(each).mean(dim=0))
        within = torch.cat([own - own.mean(dim=0) for own in each])
        self.summary_scale.copy_(within.square().mean(dim=0).sqrt().clamp(min=1e-3))

    @torch.no_grad()
    def refer_to(self, raw: Tensor) -> None:
        """Centre and scale each member on what it says of a reference set, (M, N) of `raw`, N > 1."""
        self.centre.copy_(raw.mean(dim=1))
        self.spread.copy_(raw.std(dim=1).clamp(min=1e-3))

    def raw(self, recordings: Recordings, edits: Edits) -> Tensor:
        """What each member says as it is, (M, N), in units of Bradley and Terry's model."""
        recordings, edits = self._normalised(recordings, edits)
        summary = (summarise(recordings.beats, edits) - self.summary_mean) / self.summary_scale
        summary = summary.clamp(-_MOST, _MOST)
        return torch.stack([member(recordings, edits, summary) for member in self.members])

    def scores(self, recordings: Recordings, edits: Edits) -> Tensor:
        """What each member says, centred and scaled, (M, N)."""
        return self.standardised(self.raw(recordings, edits))

    def standardised(self, raw: Tensor) -> Tensor:
        """What `raw` gave, (M, N), centred and scaled."""
        return (raw - self.centre[:, None]) / self.spread[:, None]

    def forward(self, recordings: Recordings, edits: Edits) -> Tensor:
        """What finished edits are worth, on the safe side where members disagree, (N,)."""
        return cautious(self.scores(recordings, edits), self.config)

    def _normalised(self, recordings: Recordings, edits: Edits) -> tuple[Recordings, Edits]:
        beats = (recordings.beats - self.mean) / self.scale * recordings.present[..., None]
        is_told = (edits.left_out != 0).any(dim=-1, keepdim=True)
        left_out = (edits.left_out - self.mean) / self.scale * is_told
        return recordings._replace(beats=beats), edits._replace(left_out=left_out)


def cautious(scores: Tensor, config: ScorerConfig) -> Tensor:
    """One score of M members' (M, N), (N,): their mean less the penalty on their disagreement, or the least."""
    if config.caution == "minimum":
        return scores.amin(dim=0)
    return scores.mean(dim=0) - config.penalty * scores.std(dim=0, correction=0)


class _Member(nn.Module):
    def __init__(self, config: ScorerConfig) -> None:
        super().__init__()
        width = config.width
        self.beats = nn.Sequential(nn.Linear(BEAT_COLUMNS + COPIES, width), nn.GELU(), nn.Linear(width, width))
        self.compared = nn.Linear(1 + COMPARED_COLUMNS, _COMPARED)
        self.played_too = nn.Parameter(torch.zeros(_COMPARED))
        self.copies = nn.Linear(COPIES * _COMPARED, width, bias=False)
        self.columns = nn.Linear(len(TOKEN_COLUMNS), width)
        self.left_out = nn.Linear(BEAT_COLUMNS, width, bias=False)
        self.follows, self.led = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.near = nn.Conv1d(width, width, _KERNEL, padding=_KERNEL // 2, groups=width)
        self.together = nn.Linear(2 * width, width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(width)
        self.worth = nn.Sequential(
            nn.Linear(2 * width + len(ABOUT_COLUMNS), width), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(width, 1)
        )
        self.straight = nn.Linear(SUMMARY_COLUMNS, 1, bias=False)
        nn.init.zeros_(self.straight.weight)

    def forward(self, recordings: Recordings, edits: Edits, summary: Tensor) -> Tensor:
        """Scores of N edits with their summaries (N, S), (N,), in units of its own."""
        beats = self.beats(torch.cat([recordings.beats, recordings.likeness], dim=2))
        follows, led = (
            taken(layer(beats), edits.recording, at.clamp(min=0)) * (at >= 0)[..., None]
            for layer, at in zip((self.follows, self.led), edits.beside.unbind(dim=2), strict=True)
        )
        x = taken(beats, edits.recording, edits.beat) + self._against_copies(recordings, edits) + follows + led
        x = functional.gelu(x + self.columns(edits.columns) + self.left_out(edits.left_out))
        x = x * edits.present[..., None]
        x = (x + functional.gelu(self.near(x.transpose(1, 2)).transpose(1, 2))) * edits.present[..., None]
        present = edits.present.view(len(x), -1, _TOGETHER)
        x = self.together(_mean_and_most(x.view(*present.shape, -1), present))
        whole = present.any(dim=2)
        for block in self.blocks:
            x = block(x, whole)
        pooled = _mean_and_most(self.norm(x), whole)
        worth: Tensor = self.worth(torch.cat([pooled, edits.about], dim=1)) + self.straight(summary)
        return worth[:, 0]

    def _against_copies(self, recordings: Recordings, edits: Edits) -> Tensor:
        """Each played beat beside its copies, which are played too or left out, (N, T, d)."""
        told = self.compared(torch.cat([recordings.likeness[..., None], recordings.compared], dim=3))
        copy, likeness, told = (
            taken(each, edits.recording, edits.beat) for each in (recordings.copy, recordings.likeness, told)
        )
        plays = edits.plays.gather(1, copy.flatten(1)).view(copy.shape)
        heard = functional.gelu(told + plays.clamp(max=1.0)[..., None] * self.played_too) * likeness[..., None]
        against: Tensor = self.copies(heard.flatten(2))
        return against


class _Block(nn.Module):
    """Each token hears all of them (pre-norm transformer)."""

    def __init__(self, config: ScorerConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm = nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.alone = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        parts = self.into(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=present[:, None, None, :])
        x = x + self.dropout(self.out(heard.transpose(1, 2).flatten(2)))
        out: Tensor = x + self.dropout(self.alone(x))
        return out


def _mean_and_most(x: Tensor, present: Tensor) -> Tensor:
    """Mean and greatest of what is present along the last axis but one, (..., 2d); 0 where nothing is."""
    there = present[..., None]
    mean = (x * there).sum(dim=-2) / there.sum(dim=-2).clamp(min=1)
    most = torch.where(there, x, -torch.inf).amax(dim=-2)
    return torch.cat([mean, torch.where(present.any(dim=-1, keepdim=True), most, 0.0)], dim=-1)
