"""The reward's terms as tables: what each action pays in each place, gathered for N edits at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.track import Track
from rl_editor.arrays import DoubleArray
from rl_editor.edits.actions import END, KEEP, N_ACTIONS, SLOTS, Move, State, fade_samples
from rl_editor.edits.stacking import stacked
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.reward import (
    TERMS,
    Joins,
    RewardConfig,
    Worth,
    coverage_term,
    fade_terms,
    join_terms,
    joins_of_table,
    phrase_term,
    repeat_term,
    worth_of,
)

_JOINING = ("content", "seam", "tempo", "energy", "phrases")  # terms of landings, by place alone
_FADE, _ORDER, _REPETITION = (TERMS.index(name) for name in ("fade", "order", "repetition"))
_BEGIN = SLOTS  # slot of the KEEP that an edit begins with
_CHUNK = 256


class Paid(NamedTuple):
    """What one action pays in each of N edits."""

    terms: Tensor
    """Seconds of good music, (N, T) float64, columns `TERMS`."""
    joins: Tensor
    """It makes a join, (N,) bool."""
    loops: Tensor
    """That join repeats what was played, (N,) bool."""
    back: Tensor
    """It goes back to what was passed over, (N,) bool."""


@dataclass(frozen=True, eq=False)
class Payment:
    """The reward's terms of Q recordings; made by `make_payment`."""

    config: RewardConfig
    slot: Tensor
    """Slot of each action, and then of each that begins an edit, (2 A,) int64."""
    place: Tensor
    """The terms of each slot, (Q (B+1) (SLOTS + 1), T) float64: `repetition` for each time that its beat was played
    before, `order` if it goes back; those of the fade and of the whole edit are 0."""
    fade: Tensor
    """The term of each action's fade, (Q (B+1) A,) float64."""
    labels: Tensor
    """Label of each beat's section, (Q, B) int64; L where there is none."""
    n_labels: int
    """L, the most of any recording."""
    rate: Tensor
    """Samples a second, (Q,) float64."""

    def of(self, state: State, action: Tensor, by: Move, row: Tensor) -> Paid:
        """What an action pays, but for `of_whole`.

        Args:
            state: before the action.
            action: (N,), legal.
            by: what it does.
            row: of the playheads among those of all recordings, (N,).
        """
        slot = self.slot.index_select(0, action + (state.furthest < 0) * N_ACTIONS)
        terms = self.place.index_select(0, row * (SLOTS + 1) + slot)
        before = state.plays.gather(1, by.beat[:, None])[:, 0]
        joins = by.joins.bool()
        anew = joins & (before == 0)
        back = anew & (by.beat < state.furthest)
        terms[:, _REPETITION].mul_(before)
        terms[:, _ORDER].mul_(back)
        terms[:, _FADE].copy_(self.fade.index_select(0, row * N_ACTIONS + action))
        return Paid(terms, joins, joins ^ anew, back)

    def of_whole(self, recording: Tensor, plays: Tensor, sections: Tensor, left: Tensor) -> Tensor:
        """What edits that end pay for coverage and length, (n, T) float64, columns `TERMS`.

        Args:
            recording: (n,).
            plays: how often beats were played, (n, B).
            sections: how many different ones they can hold, (n,) float64.
            left: samples still to play, (n,).
        """
        terms = torch.zeros(len(recording), len(TERMS), dtype=torch.float64, device=recording.device)
        counts = self._counts(recording, plays)
        terms[:, TERMS.index("coverage")] = coverage_term(counts, sections, self.config)
        terms[:, TERMS.index("length")] = -self.config.prices.nearness * (left.abs() / self.rate[recording])
        return terms

    def _counts(self, recording: Tensor, plays: Tensor) -> Tensor:
        """Beats of each label that edits have played, (n, L) int64."""
        counts = torch.zeros(len(recording), self.n_labels + 1, dtype=torch.int64, device=recording.device)
        for chunk in torch.split(torch.arange(len(recording), device=recording.device), _CHUNK):
            counts[chunk] = counts[chunk].scatter_add(1, self.labels[recording[chunk]], (plays[chunk] > 0).long())
        return counts[:, :-1]


def make_payment(instances: Instances, config: RewardConfig) -> Payment:
    """The tables of a set of instances."""
    device, tracks = instances.row.device, instances.tracks
    worths = [worth_of(track, config) for track in tracks]
    rows = instances.rules.tables.bounds.shape[1]
    most = max(int(worth.labels.max(initial=-1)) + 1 for worth in worths)
    joins = [joins_of_table(track) for track in tracks]
    each = list(zip(tracks, worths, joins, strict=True))
    labels = (np.where(worth.labels < 0, most, worth.labels) for worth in worths)
    slot = instances.rules.tables.slot

    return Payment(
        config=config,
        slot=torch.cat([slot, slot.masked_fill(slot == KEEP, _BEGIN)]),
        place=stacked((_places(*own, config) for own in each), rows, device=device).flatten(0, 2),
        fade=stacked((_fades(track, joins, config) for track, _, joins in each), rows, device=device).flatten(),
        labels=stacked(labels, rows - 1, fill=most, device=device),
        n_labels=most,
        rate=torch.tensor([track.source.sample_rate for track in tracks], dtype=torch.float64, device=device),
    )


def _places(track: Track, worth: Worth, joins: Joins, config: RewardConfig) -> DoubleArray:
    """`Payment.place` of one recording, (B+1, SLOTS + 1, T)."""
    landings, until, bounds = track.landings, worth.until, track.bounds
    beat, at_once = np.maximum(landings.beat, 0), landings.half == 1
    joining = join_terms(track, worth, joins, config)
    joining["content"] = (until[beat + landings.half] - np.interp(landings.starts(bounds), bounds, until)).ravel()
    broken, again = phrase_term(worth.opens, config), repeat_term(np.diff(bounds), track, config)
    place = np.zeros((len(bounds), SLOTS + 1, len(TERMS)))
    terms = dict(zip(TERMS, np.moveaxis(place, 2, 0), strict=True))  # views
    for name in _JOINING:
        terms[name][:, 2:_BEGIN] = np.where(landings.valid, joining[name].reshape(beat.shape), 0.0)
    for name in _JOINING[1:]:
        terms[name][0, 2:_BEGIN] = 0.0  # a beginning is no join
    terms["phrases"][0, 2:_BEGIN] = np.where(at_once[0], broken[beat[0]], 0.0)
    terms["start"][0, 2:_BEGIN] = np.where(at_once[0], worth.start[beat[0]], 0.0)
    terms["phrases"][:-1, _BEGIN], terms["start"][:-1, _BEGIN] = broken[:-1], worth.start
    terms["phrases"][:, END], terms["ending"][:, END] = broken, worth.ending
    terms["order"][:, 2:_BEGIN] = -config.order_s
    terms["repetition"][:, 2:_BEGIN] = np.where(at_once, again[beat], 0.0)
    terms["repetition"][:-1, KEEP] = again
    terms["content"][:-1, [KEEP, _BEGIN]] = np.diff(until)[:, None]
    return place


def _fades(track: Track, joins: Joins, config: RewardConfig) -> DoubleArray:
    """`Payment.fade` of one recording, (B+1, A)."""
    fade = np.zeros((track.n_beats + 1, N_ACTIONS))
    fade[1:, 2:] = fade_terms(fade_samples(track), joins.fits[:, None], config).reshape(len(fade), -1)[1:]
    return fade
