"""The decision: keep on, stop, or go on at one of the landings, out of what the encoder made of the recording.

Light, since it works at every step: what does not change from step to step (projections of beats, sums of what is
worth keeping) is computed once a recording. Landings are scored by additive attention (Bahdanau et al., ICLR 2015)
between where the edit stands and where it would go.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rl_editor.edits.actions import FADE_CLASSES, Kind
from rl_editor.envs.beat_edit.environment import SCALARS
from rl_editor.policies.order import song_order
from rl_editor.policies.outlook import Outlook, outlook
from rl_editor.policies.recordings import SEAM_SCORE, Recordings
from rl_editor.policies.situation import Situation
from rl_editor.policies.track_encoder import Encoded, natural_ratio

_BEFORE, _AFTER = 2, 8  # beats around a place whose margins are told
_LEFT, _RATIO = SCALARS.index("left"), SCALARS.index("ratio")
_LARGEST = 8.0  # that a margin or a scalar is told as
_WORST = 20.0  # beats that an action may lose, beyond which all are alike
_TRUST = 4.0  # nats that each beat counts by which an action is worse than the best, as the outlook tells it
_TRUST_LEARNING = 0.4  # the same of recordings that are known by heart, where the outlook would leave nothing to learn
_SAY = 2.0  # nats by which the network may outvote the outlook; it knows its own songs too well
_SOME_BEATS = 4.0  # about which gains are told as numbers near 1
_SOFT = 0.02  # share of a recording about which sums are told as numbers near 1


class Prepared(NamedTuple):
    """What the head needs of G recordings at every step."""

    stood: Tensor
    """Of standing before each bound, (G, B+1, d)."""
    landed: Tensor
    """Of going on at each bound, (G, B+1, d)."""
    margins: Tensor
    """Margins around each bound, (G, B+1, W)."""
    kept: Tensor
    """Share of the recording that is worth keeping before each bound, (G, B+1)."""
    outlook: Outlook
    recordings: Recordings


class Standing(NamedTuple):
    """Where N edits stand, as numbers, and what the outlook tells of going on."""

    known: Tensor
    """(N, STANDING_COLUMNS)."""
    left: Tensor
    """Share of the recording that is still to be played, (N,)."""
    keeping: Tensor
    """Beats that keeping on gains over the best, (N,)."""
    gains: Tensor
    """The same of each landing, (N, K)."""


STANDING_COLUMNS = len(SCALARS) + 1 + _BEFORE + _AFTER + 3


class DecisionHead(nn.Module):
    """Logits of all actions of N situations."""

    def __init__(self, width: int, n_landing_columns: int) -> None:
        """Make the head on an encoder of `width`, for landings of so many columns."""
        super().__init__()
        n_margins = _BEFORE + _AFTER
        self.sharpness = nn.Parameter(torch.zeros(()))
        # how much more the network has to say and the outlook is trusted, as logarithms: who imitates can't know
        self.say, self.trust = (nn.Parameter(torch.zeros(()), requires_grad=False) for _ in range(2))
        self.stood = nn.Linear(2 * width, width)
        self.landed = nn.Linear(2 * width, width)
        self.state = nn.Linear(STANDING_COLUMNS, width)
        self.moves = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2))
        self.towards = nn.Linear(width, width)
        self.landing = nn.Linear(n_landing_columns + len(Kind) + 2 + n_margins + 3, width)
        self.score = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.points = nn.Linear(width, 1)
        self.fades = nn.Linear(width, FADE_CLASSES)

    def prepare(self, recordings: Recordings, encoded: Encoded) -> Prepared:
        """What does not change from step to step."""
        beats = encoded.beats
        both = torch.cat([functional.pad(beats, (0, 0, 1, 0)), functional.pad(beats, (0, 0, 0, 1))], dim=2)
        margin = torch.where(recordings.present, encoded.margin.clamp(-_LARGEST, _LARGEST), -_LARGEST)
        around = functional.pad(margin, (_BEFORE, _AFTER), value=-_LARGEST).unfold(1, _BEFORE + _AFTER, 1)
        worth = recordings.share * torch.sigmoid(encoded.margin * self.sharpness.exp())
        kept = functional.pad(worth.cumsum(dim=1), (1, 0))
        return Prepared(self.stood(both), self.landed(both), around, kept, _outlook_of(recordings, encoded), recordings)

    def learn_whom_to_trust(self) -> None:
        """From now on how much the network has to say beside the outlook is learned too."""
        self.say.requires_grad_(True)
        self.trust.requires_grad_(True)

    def recording_parameters(self) -> Iterator[nn.Parameter]:
        """The weights that `prepare` uses."""
        yield self.sharpness
        yield from self.stood.parameters()
        yield from self.landed.parameters()

    def forward(self, prepared: Prepared, situation: Situation, standing: Standing) -> Tensor:
        """Logits, (N, A)."""
        g, p = situation.recording, situation.playhead
        state = functional.gelu(prepared.stood[g, p] + self.state(standing.known))
        # what goes back in the song may play again what it counts on
        is_ahead = prepared.outlook.is_ahead(g, p) & (situation.kind != Kind.LOOP)
        forward = torch.where(is_ahead, standing.gains, 0.0).clamp(-_WORST, 0.0)
        trust = (_TRUST_LEARNING if self.training else _TRUST) * self.trust.exp()
        known_gains = functional.pad(standing.keeping[:, None].clamp(-_WORST, 0.0), (0, 1))
        moves = self._bounded(self.moves(state)) + trust * known_gains
        landings = self._landings(prepared, situation, state, standing, is_ahead) + trust * forward[..., None]
        return torch.cat([moves, landings.flatten(1)], dim=1)

    def _landings(
        self,
        prepared: Prepared,
        situation: Situation,
        state: Tensor,
        standing: Standing,
        is_ahead: Tensor,
    ) -> Tensor:
        """Logits of each landing with each fade, (N, K, 4)."""
        g, p = situation.recording[:, None], situation.playhead[:, None]
        beat = prepared.recordings.landed[situation.recording, situation.playhead].clamp(min=0)
        passed = prepared.kept[g, beat] - prepared.kept[g, p]
        ahead = prepared.kept[g, -1] - prepared.kept[g, beat] - standing.left[:, None]
        kinds = functional.one_hot(situation.kind.clamp(min=0), len(Kind)) * (situation.kind >= 0)[..., None]
        known = torch.cat(
            [
                prepared.recordings.landings[situation.recording, situation.playhead],
                kinds.float(),
                situation.plays[..., None],
                is_ahead[..., None].float(),
                prepared.margins[g, beat],
                _told(passed)[..., None],
                _told(ahead)[..., None],
                torch.asinh(standing.gains / _SOME_BEATS)[..., None],
            ],
            dim=2,
        )
        there = self.score(prepared.landed[g, beat] + self.landing(known) + self.towards(state)[:, None])
        fades = self.fades(there).log_softmax(dim=2)
        logits: Tensor = self._bounded(self.points(there)) + fades
        return logits

    def _bounded(self, logits: Tensor) -> Tensor:
        """Logits within what the network has to say, the small ones as they are."""
        most = _SAY * self.say.exp()
        return most * torch.tanh(logits / most)


def standing_of(prepared: Prepared, situation: Situation) -> Standing:
    """Where N edits stand."""
    g, p = situation.recording, situation.playhead
    scalars = situation.scalars.clamp(-_LARGEST, _LARGEST)
    left = scalars[:, _LEFT] * situation.scalars[:, _RATIO]
    ahead = prepared.kept[g, -1] - prepared.kept[g, p] - left
    best, keeping, gains = prepared.outlook.at(g, p, left)
    known = torch.cat(
        [
            scalars,
            situation.must_keep[:, None].float(),
            prepared.margins[g, p],
            _told(ahead)[:, None],
            torch.asinh(torch.stack([best, keeping], dim=1) / _SOME_BEATS),
        ],
        dim=1,
    )
    return Standing(known, left, keeping, gains)


def _outlook_of(recordings: Recordings, encoded: Encoded) -> Outlook:
    """The outlook of G recordings, in the order of the song where parts may change places."""
    ratio = torch.where(recordings.ratio > 0, recordings.ratio, natural_ratio(encoded.keep, recordings.share))
    known = (encoded.margin, recordings.share, ratio, recordings.landed, recordings.landings[..., SEAM_SCORE])
    as_recorded = outlook(*known)
    place = as_recorded.place.clone()
    for number in recordings.free.nonzero()[:, 0].tolist():
        found = song_order(as_recorded.played(number), recordings.sounds[number].cpu().numpy())
        place[number] = torch.as_tensor(found)
    return as_recorded if bool((place == as_recorded.place).all()) else outlook(*known, place)


def _told(share: Tensor) -> Tensor:
    """A share of a recording as a number that is fine near 0 and bounded."""
    return torch.asinh(share / _SOFT)
