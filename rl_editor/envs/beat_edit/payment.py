"""The reward's terms as tables: what each action pays in each place, gathered for N edits at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rl_editor.analysis.landings import K
from rl_editor.analysis.track import Track
from rl_editor.arrays import DoubleArray
from rl_editor.edits.actions import END, KEEP, N_ACTIONS, State, column_of, fade_samples
from rl_editor.envs.beat_edit.instances import Instances
from rl_editor.envs.beat_edit.reward import (
    COVERED,
    SECTION,
    TERMS,
    RewardConfig,
    Worth,
    fade_terms,
    join_terms,
    joins_of_table,
    worth_of,
)

_OF_PLACE = ("content", "seam", "tempo", "energy", "phrases", "ending")
_AT_END = 2  # coverage and length, the last of them
_PHRASES = TERMS.index("phrases")
_SLOTS = 2 + K  # KEEP, END and each landing, whatever its fade
_CHUNK = 256


class Paid(NamedTuple):
    """What one action pays in each of N edits."""

    terms: Tensor
    """Seconds of good music, (N, T) float64, columns `TERMS`."""
    joins: Tensor
    """Whether it makes a join, and whether that is a loop, and one that goes back to what was passed over, (N, 3)
    bool."""


@dataclass(frozen=True, eq=False)
class Payment:
    """The reward's terms of Q recordings; made by `make_payment`. A slot is KEEP, END or a landing of the row."""

    config: RewardConfig
    track: Tensor
    """Recording of each assignment, (R,) int64."""
    slot: Tensor
    """Slot of each action, (A,) int64."""
    place: Tensor
    """What only the place and the slot decide, (Q, B+1, 2 + K, 8) float64: content, seam, tempo, energy, phrases and
    ending; the beat that is played at once, and the one that is landed on, -1 for none."""
    fade: Tensor
    """The term of each action's fade, (Q, B+1, A) float64."""
    beats: Tensor
    """Of each beat: start and phrases of beginning with it, and what it costs to play it again, (Q, B+1, 3) float64."""
    labels: Tensor
    """Label of each beat's section, (Q, B) int64; L where there is none."""
    n_labels: Tensor
    """(Q,) int64."""
    beat: Tensor
    """Length of the median beat, samples, (Q,) float64."""
    rate: Tensor
    """Samples a second, (Q,) float64."""

    def of(self, state: State, action: Tensor, left: Tensor, ends: Tensor) -> Paid:
        """What an action pays.

        Args:
            state: before the action.
            action: (N,), legal.
            left: samples still to play before the action, (N,).
            ends: edits whose action is END, (n,).
        """
        track, p = self.track[state.track], state.playhead
        rows = self.beats.shape[1]
        at = track * rows + p
        place = self.place.flatten(0, 2)[at * _SLOTS + self.slot[action]]
        n = len(_OF_PLACE)
        both = place[:, n:].to(torch.int64)
        plays, lands = both.unbind(1)
        before, anew = state.plays.gather(1, both.clamp(min=0)).unbind(1)
        anew = anew == 0
        joins = (lands >= 0) & (p > 0)
        back = joins & anew & (lands < state.furthest)
        start, phrases, again = self.beats.flatten(0, 1)[track * rows + plays.clamp(min=0)].unbind(1)
        first = (plays >= 0) & (state.furthest < 0)
        place[:, _PHRASES].add_(phrases * first)
        of_state = (
            self.fade.flatten()[at * N_ACTIONS + action],
            -self.config.order_s * back,
            again * before * (plays >= 0),
            start * first,
            *(torch.zeros_like(start),) * _AT_END,
        )
        terms = torch.cat([place[:, :n], torch.stack(of_state, dim=1)], dim=1)
        if len(ends):
            target = left[ends] + state.samples[ends]
            off_s = left[ends].abs() / self.rate[track[ends]]
            terms[ends, TERMS.index("coverage")] = self._coverage(track[ends], state.plays[ends], target)
            terms[ends, TERMS.index("length")] = -self.config.prices.nearness * off_s
        return Paid(terms, torch.stack([joins, joins & ~anew, back], dim=1))

    def target_s(self, row: Tensor, target: Tensor) -> Tensor:
        """Seconds that `target` samples of assignments `row` are, (N,) float64."""
        return target / self.rate[self.track[row]]

    def _coverage(self, track: Tensor, plays: Tensor, target: Tensor) -> Tensor:
        """The term of edits of `target` samples in which beats were played `plays` times (n, B), (n,) float64."""
        most = int(self.n_labels.max())
        counts = torch.zeros(len(track), most + 1, dtype=torch.int64, device=track.device)
        for chunk in torch.split(torch.arange(len(track), device=track.device), _CHUNK):
            counts[chunk] = counts[chunk].scatter_add(1, self.labels[track[chunk]], (plays[chunk] > 0).long())
        covered = (counts[:, :most] >= COVERED).sum(dim=1)
        n_labels = self.n_labels[track]
        held = torch.div(target, SECTION * self.beat[track], rounding_mode="floor").to(torch.int64)
        share = (covered / torch.minimum(held, n_labels).clamp(min=1)).clamp(max=1.0)
        return self.config.coverage_s * torch.where(n_labels > 0, share, 0.0).to(torch.float64)


def make_payment(instances: Instances, config: RewardConfig) -> Payment:
    """The tables of a set of instances."""
    device, tracks = instances.row.device, instances.tracks
    worths = [worth_of(track, config) for track in tracks]
    rows = instances.rules.tables.bounds.shape[1]
    most = max(int(worth.labels.max(initial=-1)) + 1 for worth in worths)
    tables = [_tables_of(track, worth, config) for track, worth in zip(tracks, worths, strict=True)]

    def padded(arrays: Iterable[np.ndarray], length: int, fill: float = 0.0) -> Tensor:
        full = [np.pad(a, [(0, length - len(a))] + [(0, 0)] * (a.ndim - 1), constant_values=fill) for a in arrays]
        return torch.as_tensor(np.stack(full), device=device)

    def numbers(values: Iterable[float], dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.tensor(list(values), dtype=dtype, device=device)

    return Payment(
        config=config,
        track=instances.track,
        slot=_slots(device),
        place=padded((each.place for each in tables), rows),
        fade=padded((each.fade for each in tables), rows),
        beats=padded((each.beats for each in tables), rows),
        labels=padded((np.where(worth.labels < 0, most, worth.labels) for worth in worths), rows - 1, most),
        n_labels=numbers((int(worth.labels.max(initial=-1)) + 1 for worth in worths), torch.int64),
        beat=numbers(float(np.median(np.diff(track.bounds))) for track in tracks),
        rate=numbers(track.source.sample_rate for track in tracks),
    )


def _slots(device: torch.device) -> Tensor:
    """Slot of each action, (A,)."""
    actions = torch.arange(N_ACTIONS, device=device)
    return torch.where(actions > END, 2 + column_of(actions), actions)


class _TablesOf(NamedTuple):
    """Of one recording; as in `Payment`, without Q."""

    place: DoubleArray
    fade: DoubleArray
    beats: DoubleArray


def _tables_of(track: Track, worth: Worth, config: RewardConfig) -> _TablesOf:
    places, joins, rows = track.landings, joins_of_table(track), track.n_beats + 1
    beat, until = np.maximum(places.beat, 0), worth.until
    broken = -0.5 * config.phrase_s * (1.0 - worth.opens)
    terms = join_terms(track, worth, joins, config)
    terms["content"] = (until[beat + places.half] - np.interp(places.starts(track.bounds), track.bounds, until)).ravel()
    n = len(_OF_PLACE)
    place = np.zeros((rows, _SLOTS, n + 2))
    for number, name in enumerate(_OF_PLACE[:-1]):
        place[:, 2:, number] = np.where(places.valid, terms[name].reshape(places.beat.shape), 0.0)
    place[0, 2:, 1:n] = 0.0  # a beginning is no join
    place[..., n:] = -1
    place[:-1, KEEP, n] = np.arange(track.n_beats)
    place[:, 2:, n] = np.where(places.half == 1, places.beat, -1)
    place[:, 2:, n + 1] = places.beat
    place[:-1, KEEP, 0] = np.diff(until)
    place[:, END, _OF_PLACE.index("phrases")] = broken
    place[:, END, _OF_PLACE.index("ending")] = worth.ending
    fade = np.zeros((rows, N_ACTIONS))
    fade[1:, 2:] = fade_terms(fade_samples(track), joins.fits[:, None], config).reshape(rows, -1)[1:]
    again = -config.prices.repeat * np.diff(track.bounds) / track.source.sample_rate
    return _TablesOf(place, fade, np.stack([worth.start, broken[:-1], again], axis=1))
