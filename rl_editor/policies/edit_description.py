"""A finished edit as a network takes it in: the beats it plays, in output order, and what each of its joins does.

Everything is told within the recording: what is heard is that of `recordings.hear`, distances are in units of the
music's own, gains are against the rest of the edit. So neither level nor EQ of the recording, nor a gain on the whole
edit, makes another description; only the editing does.

Nothing tells whether a join is a landing of the table: true edits often have others and a policy's never have, so that
it would tell who edited, not how well. For the same reason times below `_UNHEARD_S` count as nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.edits.crossings import crossing_steps
from rl_editor.edits.edl import EDL
from rl_editor.edits.fault_places import phrase_starts
from rl_editor.policies.copies import sound_groups
from rl_editor.policies.recordings import Heard, hear

TOKEN_COLUMNS = (
    "share", "progress", "place", "plays", "section_plays", "gain",
    "first", "join", "end",
    "timbre", "chroma", "onset", "step_level", "step_spectrum", "gain_step", "tempo_step", "energy_step",
    "limp", "limp_beats", "off_attack", "other_position",
    "hard", "fade",
    "skip_ahead", "skip_back", "left_out", "left_music",
    "leaves_boundary", "enters_boundary", "leaves_phrase", "enters_phrase", "leaves_bar", "enters_bar",
    "music_would_follow", "music_led_there",
)  # fmt: skip
"""What is told of each beat that is played: where it stands, and of the first after a join what the join does."""
ABOUT_COLUMNS = ("told", "longer", "kept", "log_kept", "log_minutes")
"""What is told of an edit as a whole."""
_AT = {name: column for column, name in enumerate(TOKEN_COLUMNS)}
_AROUND = np.arange(-2, 2)  # beats compared around a join, relative to the playhead
_SLIVER = 0.1  # of a beat: less is a landing's lag, no beat
_UNHEARD_S = 0.015
_LATE_S, _FADE_S, _HARD_S = 0.1, 0.5, 0.002  # told as 1; a shorter fade than the last is none
_DB, _PLAYS, _BEATS = 6.0, 4.0, 64.0
_MOST = 4.0


class EditDescription(NamedTuple):
    """One edit of T beats, its end being one more."""

    beat: IntArray
    """Beat of the recording, (T+1,); of the end the last one that was played."""
    beside: IntArray
    """At joins the beat that would have followed and the one that led to where it goes on, (T+1, 2); else -1."""
    columns: Array
    """`TOKEN_COLUMNS`, (T+1, J)."""
    left_out: Array
    """At joins the mean description of the beats passed over that are played nowhere, (T+1, D)."""
    plays: Array
    """How often each beat of the recording is played, (B,)."""
    about: Array
    """`ABOUT_COLUMNS`, (A,)."""
    duration_s: float


@dataclass(frozen=True, eq=False)
class Ground:
    """A recording on which edits are described; made once for all of them."""

    track: Track

    @cached_property
    def heard(self) -> Heard:
        """As a network takes it in."""
        return hear(self.track)

    @cached_property
    def sounds(self) -> list[Array]:
        """Timbre, chroma and onsets of its beats, (B, F) each."""
        return sound_groups(self.track)

    @cached_property
    def labels(self) -> IntArray:
        """Number of the label of each beat's section, (B,); sections that are alike have one."""
        if self.track.section is None or self.track.section_labels is None:
            return np.arange(self.track.n_beats)
        _, number = np.unique(np.array(self.track.section_labels), return_inverse=True)
        return number[self.track.section].astype(np.int64)

    @cached_property
    def energy_db(self) -> Array:
        """Energy contour, (B,)."""
        return self.track.energy_db

    @cached_property
    def phrases(self) -> BoolArray:
        """Whether a phrase begins at each bound, (B+1,); it does at the end."""
        begins = np.zeros(self.track.n_beats + 1, dtype=bool)
        begins[phrase_starts(self.track)] = begins[-1] = True
        return begins


class _Played(NamedTuple):
    beat: IntArray
    share: Array
    segment: IntArray


def describe_edit(edl: EDL, ground: Ground) -> EditDescription:
    """The description of an edit of a recording.

    Args:
        edl: of the recording of `ground`.
        ground: its recording.
    """
    track, heard = ground.track, ground.heard
    played = _played(edl, track)
    plays = np.bincount(played.beat, minlength=track.n_beats).astype(np.float32)
    columns = np.zeros((len(played.beat) + 1, len(TOKEN_COLUMNS)), dtype=np.float32)
    left_out = np.zeros((len(columns), heard.beats.shape[1]), dtype=np.float32)
    beside = np.full((len(columns), 2), -1, dtype=np.int64)
    _tell_beats(columns, edl, played, ground)
    for k, row in _edges(edl, played):
        passed = _passed_over(edl, k, track)
        unplayed = passed[plays[passed] == 0]
        if len(unplayed):
            left_out[row] = heard.beats[unplayed].mean(axis=0)
        columns[row, _AT["left_out"]] = np.log1p(len(unplayed)) / np.log1p(_BEATS)
        columns[row, _AT["left_music"]] = np.log1p(track.is_music[unplayed].sum()) / np.log1p(_BEATS)
        beside[row] = _tell_edge(columns[row], edl, k, ground)
    return EditDescription(
        beat=np.append(played.beat, played.beat[-1]),
        beside=beside,
        columns=columns,
        left_out=left_out,
        plays=plays,
        about=_about(edl),
        duration_s=edl.duration_s,
    )


def _played(edl: EDL, track: Track) -> _Played:
    """The beats that are played, in output order, and how much of each; slivers left by a landing's lag are none."""
    beats, shares, segments = [], [], []
    for k, segment in enumerate(edl.segments):
        first = int(np.searchsorted(track.bounds, segment.start, side="right")) - 1
        rows = np.arange(first, int(np.searchsorted(track.bounds, segment.end)))
        ends = np.minimum(track.bounds[rows + 1], segment.end)
        share = (ends - np.maximum(track.bounds[rows], segment.start)) / np.diff(track.bounds)[rows]
        kept = share >= min(_SLIVER, share.max())
        beats.append(rows[kept])
        shares.append(share[kept])
        segments.append(np.full(int(kept.sum()), k))
    return _Played(np.concatenate(beats), np.concatenate(shares).astype(np.float32), np.concatenate(segments))


def _tell_beats(columns: Array, edl: EDL, played: _Played, ground: Ground) -> None:
    beat, count = played.beat, len(played.beat)
    of_section = _earlier_plays(ground.labels[beat])
    gains = np.array([segment.gain_db for segment in edl.segments])
    middle = np.average(gains, weights=[len(segment) for segment in edl.segments])
    columns[:-1, _AT["share"]] = played.share
    columns[:, _AT["progress"]] = np.arange(count + 1) / count
    columns[:-1, _AT["place"]] = beat / ground.track.n_beats
    columns[:-1, _AT["plays"]] = np.minimum(_earlier_plays(beat), _PLAYS) / _PLAYS
    columns[:-1, _AT["section_plays"]] = np.log1p(of_section) / np.log1p(_BEATS)
    columns[:-1, _AT["gain"]] = np.clip((gains[played.segment] - middle) / _DB, -_MOST, _MOST)
    columns[-1, _AT["end"]] = 1.0


def _earlier_plays(beat: IntArray) -> IntArray:
    """How often each of the beats, or whatever has these numbers, was played before, (T,)."""
    order = np.argsort(beat, kind="stable")
    ranked = beat[order]
    begins = np.searchsorted(ranked, ranked)
    earlier = np.empty_like(beat)
    earlier[order] = np.arange(len(beat)) - begins
    return earlier


def _edges(edl: EDL, played: _Played) -> list[tuple[int, int]]:
    """Number of each segment that is entered by a jump or a change of gain, with its first row; last the end."""
    firsts = np.searchsorted(played.segment, np.arange(len(edl.segments)))
    entered = [0] + [
        k
        for k, (before, after) in enumerate(zip(edl.segments, edl.segments[1:], strict=False), start=1)
        if before.end != after.start or before.gain_db != after.gain_db
    ]
    return [*((k, int(firsts[k])) for k in entered), (len(edl.segments), len(played.beat))]


def _passed_over(edl: EDL, k: int, track: Track) -> IntArray:
    """Beats between where segment k - 1 ends and where segment k begins, if that is ahead."""
    leave, enter = _leave(edl, k, track), _enter(edl, k, track)
    return np.arange(0 if leave is None else leave, track.n_beats if enter is None else enter)


def _leave(edl: EDL, k: int, track: Track) -> int | None:
    """Row of the bound next to where what was before segment k ends; None before the first."""
    return None if k == 0 else int(np.abs(track.bounds - edl.segments[k - 1].end).argmin())


def _enter(edl: EDL, k: int, track: Track) -> int | None:
    """Row of the bound next to where segment k begins; None after the last."""
    return None if k == len(edl.segments) else int(np.abs(track.bounds - edl.segments[k].start).argmin())


def _tell_edge(row: Array, edl: EDL, k: int, ground: Ground) -> tuple[int, int]:
    """Tell in a row of columns what the join into segment k does; its two beats beside, -1 where there is none."""
    track, rate = ground.track, edl.source.sample_rate
    leave, enter = _leave(edl, k, track), _enter(edl, k, track)
    fade = edl.segments[k].fade if enter is not None else edl.end_fade
    tell = dict[str, float](first=leave is None, hard=fade < _HARD_S * rate, fade=min(fade / rate / _FADE_S, _MOST))
    off_leave = off_enter = 0.0
    if leave is not None:
        off_leave = (edl.segments[k - 1].end - int(track.bounds[leave])) / rate
        tell |= {"leaves_boundary": track.boundary[leave], "leaves_phrase": ground.phrases[leave]}
        tell |= {"leaves_bar": _is_bar(track, leave), "music_would_follow": _is_music(track, leave)}
    if enter is not None:
        off_enter = (edl.segments[k].start - int(track.bounds[enter])) / rate
        tell |= {"enters_boundary": track.boundary[enter], "enters_phrase": ground.phrases[enter]}
        tell |= {"enters_bar": _is_bar(track, enter), "music_led_there": _is_music(track, enter - 1)}
    tell["off_attack"] = _late(max(abs(off_leave), abs(off_enter)))
    if leave is not None and enter is not None:
        tell |= _told_of_join(edl, k, ground, leave, enter, off_enter - off_leave)
    for name, value in tell.items():
        row[_AT[name]] = min(max(float(value), -_MOST), _MOST)
    follows = -1 if leave is None or leave >= track.n_beats else leave
    return follows, -1 if enter is None else enter - 1


def _told_of_join(edl: EDL, k: int, ground: Ground, leave: int, enter: int, limp_s: float) -> dict[str, float]:
    track = ground.track
    gain_step = (edl.segments[k].gain_db - edl.segments[k - 1].gain_db) / _DB
    if edl.segments[k - 1].end == edl.segments[k].start:
        return {"gain_step": gain_step}
    skip = enter - leave
    beat_s = float(np.diff(track.bounds_s)[min(enter, track.n_beats - 1)])
    timbre, chroma, onset = (_apart(sounds, leave, enter) for sounds in ground.sounds)
    before, after = np.array([max(leave, 1)]), np.array([min(enter, track.n_beats - 1)])
    level, spectrum = crossing_steps(track, before, after)[0]
    return {
        "join": 1.0,
        "timbre": timbre,
        "chroma": chroma,
        "onset": onset,
        "step_level": level,
        "step_spectrum": spectrum,
        "gain_step": gain_step,
        "tempo_step": _tempo_step(track, leave, enter),
        "energy_step": (ground.energy_db[after[0]] - ground.energy_db[before[0] - 1]) / _DB,
        "limp": _late(abs(limp_s)),
        "limp_beats": max(abs(limp_s) - _UNHEARD_S, 0.0) / beat_s,
        "other_position": _position(track, leave) != _position(track, enter),
        "skip_ahead": np.log1p(max(skip, 0)) / np.log1p(_BEATS),
        "skip_back": np.log1p(max(-skip, 0)) / np.log1p(_BEATS),
    }


def _tempo_step(track: Track, leave: int, enter: int) -> float:
    """By how many octaves the tempo differs after a join; 0 where it is not known."""
    if track.tempo_bpm is None:
        return 0.0
    before, after = track.tempo_bpm[max(leave - 1, 0)], track.tempo_bpm[min(enter, track.n_beats - 1)]
    return float(np.abs(np.log2(max(after, 1.0) / max(before, 1.0))))


def _apart(sounds: Array, leave: int, enter: int) -> float:
    """Mean distance of the beats around playhead `leave` from those around `enter`; 1 as two beats at random."""
    here, there = leave + _AROUND, enter + _AROUND
    inside = (here >= 0) & (here < len(sounds)) & (there >= 0) & (there < len(sounds))
    if not inside.any():
        return 1.0
    return float(np.linalg.norm(sounds[here[inside]] - sounds[there[inside]], axis=1).mean() / np.sqrt(2.0))


def _late(time_s: float) -> float:
    return max(time_s - _UNHEARD_S, 0.0) / _LATE_S


def _position(track: Track, row: int) -> int:
    """Position in its bar of the beat at a bound, that after the last beat going on."""
    return int(track.bar_position[row]) if row < track.n_beats else int(track.bar_position[-1]) + 1


def _is_bar(track: Track, row: int) -> bool:
    return row == track.n_beats or bool(track.bar_position[row] == 0)


def _is_music(track: Track, row: int) -> bool:
    return 0 <= row < track.n_beats and bool(track.is_music[row])


def _about(edl: EDL) -> Array:
    """`ABOUT_COLUMNS`: whether a length was asked for and by how much it is missed; how much is kept."""
    kept = edl.n_samples / edl.source.n_samples
    asked = edl.target_s or edl.duration_s
    longer = float(np.clip(4.0 * np.log(edl.duration_s / asked), -_MOST, _MOST))
    told = float(edl.target_s is not None)
    values = (told, longer, min(kept, _MOST), float(np.log(kept)), float(np.log(edl.duration_s / 60.0)))
    return np.array(values, dtype=np.float32)
