"""Takes from finished songs: a raw session in which a recording is rehearsed, and its exact edit.

The good attempt at each unit is whole and has no faults, and nothing else tells it: all that is played goes through one
process (`rl_editor.data.performance`), all parts overlap alike, and one recording channel is put over all of it.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl_editor.arrays import Array, IntArray
from rl_editor.audio.mixing import small_room
from rl_editor.audio.performing import MOST_EARLY_S
from rl_editor.audio.source import identify
from rl_editor.data.excerpt import Span
from rl_editor.data.faults import FAMILIES, Family
from rl_editor.data.performance import append
from rl_editor.data.recorded_song import RecordedSong
from rl_editor.data.recording_channel import draw_channel, record
from rl_editor.data.session_plan import Mode, Playing, SessionPlan, draw_ratio, plan_session
from rl_editor.data.session_sound import Sounding, lead_samples, not_played, played
from rl_editor.data.take_card import TakeCard, TakePart
from rl_editor.data.take_plan import Filler
from rl_editor.data.takes import Spoiled
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.errors import DataError

_SHORTEST_FADE_S, _LONGEST_FADE_S = 0.008, 0.03
_FADE_IN_S = 0.004
_END_FADE_S = 0.5


@dataclass(frozen=True)
class TakeConfig:
    """How takes are made."""

    mode: Mode | None = None
    """How the song is rehearsed; None draws it for each take."""
    keep_ratio: float | None = None
    """How much of the raw is kept, about; None draws it for each take, as wide as in real jams."""
    loud_pauses: bool | None = None
    """Talk and tuning within 2 dB of the music instead of 8 to 20 dB below; None tosses a coin for each take."""
    longest_raw_s: float = 720.0
    """About how long a raw may get, in seconds."""
    longest_song_s: float = 240.0
    """How much of a song is rehearsed at most, in seconds."""

    def __post_init__(self) -> None:
        if self.keep_ratio is not None and not 0.05 <= self.keep_ratio <= 0.9:
            raise DataError(f"keep ratio {self.keep_ratio:g}: must be from 0.05 to 0.9")
        if not 30.0 <= self.longest_song_s <= self.longest_raw_s:
            raise DataError(
                f"{self.longest_song_s:g} s of a song in a raw of {self.longest_raw_s:g} s:"
                " must be at least 30 s, and no more than the raw"
            )


@dataclass(frozen=True, eq=False)
class RecordedTake:
    """A raw and its exact edit."""

    audio: Array
    """float32 (2, n)."""
    sample_rate: int
    """Hz."""
    edl: EDL
    """The true edit."""
    card: TakeCard

    @property
    def beats(self) -> IntArray:
        """Samples where the beats of all that is played fall, (B,)."""
        return np.array([beat for part in self.card.parts for beat in part.beats], dtype=np.int64)


def recorded_take(
    song: RecordedSong,
    rng: np.random.Generator,
    *,
    others: Sequence[RecordedSong] = (),
    families: Sequence[Family] = FAMILIES,
    config: TakeConfig = TakeConfig(),
) -> RecordedTake:
    """A session over a finished song, and the edit that gives the song.

    Args:
        song: what is rehearsed; of a long one, a part.
        rng: all that is random; the same state gives the same bytes.
        others: what else may be played a little; take them from the same side of a split.
        families: what may go wrong; the others are held out.
        config: how the take is made.
    Raises:
        DataError: no fault family is allowed.
    """
    if not families:
        raise DataError("no fault family is allowed: a take needs at least one")
    ratio = draw_ratio(rng) if config.keep_ratio is None else config.keep_ratio
    plan = plan_session(
        song,
        others,
        rng,
        ratio=ratio,
        mode=config.mode,
        families=families,
        longest_raw_s=config.longest_raw_s,
        longest_song_s=config.longest_song_s,
    )
    loud = bool(rng.random() < 0.5) if config.loud_pauses is None else config.loud_pauses
    soundings = _soundings(plan, song, others, families, loud, rng)
    parts = _parts(plan, soundings, song)
    raw = _assembled(soundings, song.sample_rate)
    channel = draw_channel(rng)
    record(raw, channel, song.sample_rate, rng)
    edl = _true_edit(raw, song, plan.edit, parts, rng)
    heard = {step.other for step in plan.steps if isinstance(step, Playing) and step.kind == "other tune"}
    spoilt = {spoiled.family for part in parts for spoiled in part.spoiled}
    card = TakeCard(
        song=song.name,
        song_hash=song.track.source.content_hash,
        others={others[k].name: others[k].track.source.content_hash for k in sorted(heard)},
        raw_hash=edl.source.content_hash,
        mode=plan.mode,
        families=tuple(family for family in FAMILIES if family in spoilt),
        held_out=tuple(family for family in FAMILIES if family not in families),
        loud_pauses=loud,
        keep_ratio=sum(part.end - part.start for part in parts if part.kept) / raw.shape[1],
        before=plan.before,
        channel=channel,
        units=plan.units,
        parts=parts,
    )
    return RecordedTake(raw, song.sample_rate, edl, card)


def _soundings(
    plan: SessionPlan,
    song: RecordedSong,
    others: Sequence[RecordedSong],
    families: Sequence[Family],
    loud: bool,
    rng: np.random.Generator,
) -> deque[Sounding]:
    """The sound of each step, each by its own generator."""
    room = small_room(song.sample_rate, rng.uniform(0.25, 0.6), rng)
    end_beat = plan.units[-1].end_beat
    return deque(
        played(step, song, others, own, end_beat=end_beat, families=families, loud=loud)
        if isinstance(step, Playing)
        else not_played(step, room, song.sample_rate, own, loud=loud)
        for step, own in zip(plan.steps, rng.spawn(len(plan.steps)), strict=True)
    )


def _parts(plan: SessionPlan, soundings: Sequence[Sounding], song: RecordedSong) -> tuple[TakePart, ...]:
    """What each step has become, laid end to end."""
    lead, start, counts = lead_samples(song.sample_rate), 0, Counter[int | None]()
    parts = []
    for step, sounding in zip(plan.steps, soundings, strict=True):
        end = start + sounding.audio.shape[1] - lead
        parts.append(_part(step, start, end, start + sounding.beats, song, counts))
        start = end
    return tuple(parts)


def _part(
    step: Filler | Playing, start: int, end: int, bounds: IntArray, song: RecordedSong, counts: Counter[int | None]
) -> TakePart:
    if isinstance(step, Filler):
        return TakePart(start, end, step.kind)
    beats = tuple(bounds[:-1].tolist())
    if step.kind not in ("music", "false start"):
        return TakePart(start, end, step.kind, beats=beats)
    counts[step.unit] += 1
    early = round(MOST_EARLY_S * song.sample_rate)  # mistimed notes may come before their beat
    spoiled = tuple(
        Spoiled(
            max(int(bounds[fault.first_beat]) - (early if fault.family == "timing" else 0), start),
            int(bounds[fault.end_beat]),
            fault.family,
        )
        for fault in step.faults
    )
    return TakePart(
        start,
        end,
        step.kind,
        unit=step.unit,
        attempt=counts[step.unit],
        song_start=int(song.bounds[step.span.first_beat]),
        song_end=int(song.bounds[step.span.end_beat]),
        first_beat=step.span.first_beat,
        kept=step.kept,
        spoiled=spoiled,
        beats=beats,
    )


def _assembled(soundings: deque[Sounding], sample_rate: int) -> Array:
    """One sound behind the other, float32 (2, n); each is given back as soon as it stands."""
    lead = lead_samples(sample_rate)
    raw = np.zeros((2, sum(sounding.audio.shape[1] - lead for sounding in soundings)), dtype=np.float32)
    at = 0
    while soundings:
        sound = soundings.popleft().audio
        append(raw, at, sound, lead)
        at += sound.shape[1] - lead
    return raw


def _true_edit(
    raw: Array, song: RecordedSong, spans: Sequence[Span], parts: Sequence[TakePart], rng: np.random.Generator
) -> EDL:
    """The spans in their order, each from the kept attempt at its unit, on to where that ends."""
    rate = song.sample_rate
    kept = {part.song_end: part for part in parts if part.kept}
    segments: list[Segment] = []
    for span in spans:
        part = kept[int(song.bounds[span.end_beat])]
        assert part.first_beat is not None
        start = part.beats[span.first_beat - part.first_beat]
        goes_on = bool(segments) and segments[-1].end == start
        fade_s = (0.0 if goes_on else rng.uniform(_SHORTEST_FADE_S, _LONGEST_FADE_S)) if segments else _FADE_IN_S
        again = any(segment.end == part.end for segment in segments)
        why = f"unit {(part.unit or 0) + 1}, attempt {part.attempt}: " + (
            "the song repeats it" if again else "whole and without a fault"
        )
        segments.append(Segment(start, part.end, round(fade_s * rate), why=why))
    end_fade = min(round(_END_FADE_S * rate), len(segments[-1]))
    return EDL(identify(raw, rate), tuple(segments), Maker("truth"), end_fade=end_fade)
