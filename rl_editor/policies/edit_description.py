"""A finished edit as a network takes it in: the beats it plays, in output order, and what each of its joins does.

Everything is told within the recording: what is heard is that of `recordings.hear`, distances are in units of the
music's own, gains are against the rest of the edit. So neither level nor EQ of the recording, nor a gain on the whole
edit, makes another description; only the editing does.

Nothing tells whether a join is a landing of the table: true edits often have others and a policy's never have, so that
it would tell who edited, not how well. For the same reason times below `_UNHEARD_S` count as nothing.

All edits of a recording are described together: E edits play T beats on S segments, and have J edges, which are the
joins and both ends.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, DoubleArray, IntArray
from rl_editor.edits.crossings import crossing_steps
from rl_editor.edits.edl import EDL
from rl_editor.envs.beat_edit.reward import COVERED, SECTION
from rl_editor.policies.ground import Ground

TOKEN_COLUMNS = (
    "share", "progress", "place", "plays", "section_plays", "gain",
    "first", "join", "end",
    "timbre", "chroma", "onset", "step_level", "step_spectrum", "gain_step", "tempo_step", "energy_step",
    "limp", "limp_beats", "off_attack", "other_position",
    "hard", "fade",
    "skip_ahead", "skip_back", "left_out", "left_music",
    "leaves_boundary", "enters_boundary", "leaves_phrase", "enters_phrase", "leaves_bar", "enters_bar",
    "music_would_follow", "music_led_there", "begins", "ends",
)  # fmt: skip
"""What is told of each beat that is played: where it stands, and of the first after a join what the join does."""
ABOUT_COLUMNS = ("told", "longer", "off", "kept", "log_kept", "log_minutes", "sections")
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


class _Segments(NamedTuple):
    """Those of all edits, one edit after another, (S,) each."""

    edit: IntArray
    start: IntArray
    end: IntArray
    fade: IntArray
    gain_db: DoubleArray


class _Played(NamedTuple):
    """Beats that are played, in output order, one edit after another, (T,) each."""

    edit: IntArray
    segment: IntArray
    beat: IntArray
    share: DoubleArray
    row: IntArray
    """Where it is told; after the beats of each edit there is one more row for its end."""


class _Edges(NamedTuple):
    """Beginnings, joins, changes of gain and ends, (J,) each."""

    edit: IntArray
    before: IntArray
    """Segment that is left; -1 at a beginning."""
    after: IntArray
    """Segment that is entered; -1 at an end."""
    row: IntArray
    leave: IntArray
    """Bound next to where the edit leaves; 0 at a beginning."""
    enter: IntArray
    """Bound next to where it goes on; B at an end."""
    fade: IntArray

    def of(self, rows: BoolArray) -> "_Edges":
        """Those at `rows`."""
        return _Edges(*(column[rows] for column in self))


def describe_edit(edl: EDL, ground: Ground) -> EditDescription:
    """The description of an edit of a recording, that of `ground`."""
    return describe_edits([edl], ground)[0]


def describe_edits(edits: Sequence[EDL], ground: Ground) -> list[EditDescription]:
    """The descriptions of edits, at least one, of one recording.

    Args:
        edits: of the recording of `ground`.
        ground: their recording.
    """
    track, heard = ground.track, ground.heard
    segments = _segments(edits)
    played = _played(segments, track)
    plays = np.bincount(played.edit * track.n_beats + played.beat, minlength=len(edits) * track.n_beats)
    plays = plays.reshape(len(edits), -1)
    ends = np.cumsum(np.bincount(played.edit) + 1) - 1
    edges = _edges(segments, played, ends, [edl.end_fade for edl in edits], track)

    beat = np.empty(ends[-1] + 1, dtype=np.int64)
    beat[played.row] = played.beat
    beat[ends] = beat[ends - 1]
    beside = np.full((len(beat), 2), -1, dtype=np.int64)
    beside[edges.row, 0] = np.where((edges.before < 0) | (edges.leave == track.n_beats), -1, edges.leave)
    beside[edges.row, 1] = np.where(edges.after < 0, -1, edges.enter - 1)
    columns = np.zeros((len(beat), len(TOKEN_COLUMNS)), dtype=np.float32)
    _tell_beats(columns, segments, played, ends, ground)
    _tell_edges(columns, segments, edges, ground)
    left_out = np.zeros((len(beat), heard.beats.shape[1]), dtype=np.float32)
    left_out[edges.row] = _tell_left_out(columns, edges, plays == 0, ground)

    rows = [slice(end - count, end + 1) for end, count in zip(ends, np.bincount(played.edit), strict=True)]
    return [
        EditDescription(
            beat=beat[own],
            beside=beside[own],
            columns=columns[own],
            left_out=left_out[own],
            plays=plays[k].astype(np.float32),
            about=_about(edits[k], plays[k], ground),
            duration_s=edits[k].duration_s,
        )
        for k, own in enumerate(rows)
    ]


def _segments(edits: Sequence[EDL]) -> _Segments:
    told = [(k, each.start, each.end, each.fade) for k, edl in enumerate(edits) for each in edl.segments]
    edit, start, end, fade = np.array(told, dtype=np.int64).T
    gain_db = np.array([each.gain_db for edl in edits for each in edl.segments], dtype=np.float64)
    return _Segments(edit, start, end, fade, gain_db)


def _played(segments: _Segments, track: Track) -> _Played:
    """The beats that are played, and how much of each; slivers left by a landing's lag are none."""
    first = np.searchsorted(track.bounds, segments.start, side="right") - 1
    count = np.searchsorted(track.bounds, segments.end) - first
    begins = np.cumsum(count) - count
    segment = np.repeat(np.arange(len(count)), count)
    beat = np.arange(len(segment)) + (first - begins)[segment]
    since = np.maximum(track.bounds[beat], segments.start[segment])
    until = np.minimum(track.bounds[beat + 1], segments.end[segment])
    share = (until - since) / (track.bounds[beat + 1] - track.bounds[beat])
    kept = share >= np.minimum(_SLIVER, np.maximum.reduceat(share, begins))[segment]
    edit = segments.edit[segment[kept]]
    return _Played(edit, segment[kept], beat[kept], share[kept], np.arange(len(edit)) + edit)


def _edges(segments: _Segments, played: _Played, ends: IntArray, end_fades: Sequence[int], track: Track) -> _Edges:
    """Where segments are entered by a jump or a change of gain, the beginnings being such, and last the ends."""
    begins = np.diff(segments.edit, prepend=-1) > 0
    jumps = np.append(True, segments.end[:-1] != segments.start[1:])
    steps = np.append(True, segments.gain_db[:-1] != segments.gain_db[1:])
    entered = np.flatnonzero(begins | jumps | steps)
    last = np.append(np.flatnonzero(begins)[1:], len(begins)) - 1
    none = np.full_like(last, -1)
    before = np.concatenate([np.where(begins[entered], -1, entered - 1), last])
    after = np.concatenate([entered, none])
    row = np.concatenate([played.row[np.searchsorted(played.segment, entered)], ends])
    leave = np.where(before < 0, 0, _next_bound(track.bounds, segments.end[before]))
    enter = np.where(after < 0, track.n_beats, _next_bound(track.bounds, segments.start[after]))
    fade = np.concatenate([segments.fade[entered], np.array(end_fades, dtype=np.int64)])
    return _Edges(np.concatenate([segments.edit[entered], segments.edit[last]]), before, after, row, leave, enter, fade)


def _next_bound(bounds: IntArray, at: IntArray) -> IntArray:
    """Row of the bound nearest to each of the samples `at` (J,), the earlier of two."""
    above = np.searchsorted(bounds, at).clip(1)
    return above - (at - bounds[above - 1] <= bounds[above] - at)


def _tell_beats(columns: Array, segments: _Segments, played: _Played, ends: IntArray, ground: Ground) -> None:
    """Tell where the beats stand."""
    row, beat, begins = played.row, played.beat, np.append(0, ends[:-1] + 1)
    count = (ends - begins)[played.edit]
    length = segments.end - segments.start
    middle_db = np.bincount(segments.edit, segments.gain_db * length) / np.bincount(segments.edit, length)
    gain = (segments.gain_db[played.segment] - middle_db[played.edit]) / _DB
    columns[row, _AT["share"]] = played.share
    columns[row, _AT["progress"]] = (row - begins[played.edit]) / count
    columns[ends, _AT["progress"]] = columns[ends, _AT["end"]] = 1.0
    columns[row, _AT["place"]] = beat / ground.track.n_beats
    columns[row, _AT["plays"]] = np.minimum(_earlier_plays(played.edit, beat), _PLAYS) / _PLAYS
    columns[row, _AT["section_plays"]] = _log_beats(_earlier_plays(played.edit, ground.labels[beat]))
    columns[row, _AT["gain"]] = np.clip(gain, -_MOST, _MOST)


def _earlier_plays(edit: IntArray, what: IntArray) -> IntArray:
    """How often each of the beats, or whatever has these numbers, was played before in its edit, (T,)."""
    number = edit * (what.max() + 1) + what
    order = np.argsort(number, kind="stable")
    ranked = number[order]
    earlier = np.empty_like(number)
    earlier[order] = np.arange(len(number)) - np.searchsorted(ranked, ranked)
    return earlier


def _tell_left_out(columns: Array, edges: _Edges, unplayed: BoolArray, ground: Ground) -> Array:
    """Tell how much is passed over that is played nowhere, `unplayed` (E, B); its mean description, (J, D)."""
    told = np.concatenate([ground.heard.beats, ground.track.is_music[:, None]], axis=1, dtype=np.float64)
    sums = np.zeros((len(unplayed), len(told) + 1, told.shape[1] + 1))  # up to each bound; the last column counts
    np.cumsum(unplayed[..., None] * told, axis=1, out=sums[:, 1:, :-1])
    np.cumsum(unplayed, axis=1, out=sums[:, 1:, -1])
    passed = sums[edges.edit, edges.enter] - sums[edges.edit, edges.leave]
    passed[edges.enter <= edges.leave] = 0.0
    columns[edges.row, _AT["left_out"]] = _log_beats(passed[:, -1])
    columns[edges.row, _AT["left_music"]] = _log_beats(passed[:, -2])
    return (passed[:, :-2] / np.maximum(passed[:, -1:], 1.0)).astype(np.float32)


def _tell_edges(columns: Array, segments: _Segments, edges: _Edges, ground: Ground) -> None:
    """Tell what the edges do; of what is before a beginning or after an end nothing."""
    track, rate, row = ground.track, ground.track.source.sample_rate, edges.row
    leaves, enters = edges.before >= 0, edges.after >= 0
    off_leave = np.where(leaves, segments.end[edges.before] - track.bounds[edges.leave], 0) / rate
    off_enter = np.where(enters, segments.start[edges.after] - track.bounds[edges.enter], 0) / rate
    _tell(columns, row, "first", ~leaves)
    _tell(columns, row, "hard", edges.fade < _HARD_S * rate)
    _tell(columns, row, "fade", edges.fade / rate / _FADE_S)
    _tell(columns, row, "off_attack", _late(np.maximum(np.abs(off_leave), np.abs(off_enter))))
    for name, begins in (("boundary", track.boundary), ("phrase", ground.phrases), ("bar", ground.bars)):
        _tell(columns, row, f"leaves_{name}", np.where(leaves, begins[edges.leave], 0.0))
        _tell(columns, row, f"enters_{name}", np.where(enters, begins[edges.enter], 0.0))
    _tell(columns, row, "begins", np.where(leaves, 0.0, ground.beginnings[edges.enter]))
    _tell(columns, row, "ends", np.where(enters, 0.0, ground.endings[edges.leave]))
    _tell(columns, row, "music_would_follow", leaves & ground.music[edges.leave, 1])
    _tell(columns, row, "music_led_there", enters & ground.music[edges.enter, 0])
    both = leaves & enters
    gain_step = (segments.gain_db[edges.after] - segments.gain_db[edges.before]) / _DB
    _tell(columns, row[both], "gain_step", gain_step[both])
    joins = both & (segments.end[edges.before] != segments.start[edges.after])
    if joins.any():
        _tell_joins(columns, edges.of(joins), (off_enter - off_leave)[joins], ground)


def _tell_joins(columns: Array, edges: _Edges, limp_s: DoubleArray, ground: Ground) -> None:
    """Tell how unlike is what is heard on both sides of joins, and how the pulse goes on."""
    track, row, leave, enter = ground.track, edges.row, edges.leave, edges.enter
    last = np.maximum(leave, 1) - 1
    after = np.minimum(enter, track.n_beats - 1)
    _tell(columns, row, "join", np.ones(len(row)))
    for name, sounds in zip(("timbre", "chroma", "onset"), ground.sounds, strict=True):
        _tell(columns, row, name, _apart(sounds, leave, enter))
    level, spectrum = crossing_steps(track, last + 1, after).T
    _tell(columns, row, "step_level", level)
    _tell(columns, row, "step_spectrum", spectrum)
    _tell(columns, row, "tempo_step", np.abs(ground.octaves[after] - ground.octaves[last]))
    _tell(columns, row, "energy_step", (ground.energy_db[after] - ground.energy_db[last]) / _DB)
    beat_s = (track.bounds[after + 1] - track.bounds[after]) / track.source.sample_rate
    _tell(columns, row, "limp", _late(np.abs(limp_s)))
    _tell(columns, row, "limp_beats", np.maximum(np.abs(limp_s) - _UNHEARD_S, 0.0) / beat_s)
    _tell(columns, row, "other_position", ground.positions[leave] != ground.positions[enter])
    _tell(columns, row, "skip_ahead", _log_beats(np.maximum(enter - leave, 0)))
    _tell(columns, row, "skip_back", _log_beats(np.maximum(leave - enter, 0)))


def _tell(columns: Array, row: IntArray, name: str, value: Array | DoubleArray | BoolArray) -> None:
    columns[row, _AT[name]] = np.clip(value, -_MOST, _MOST)


def _apart(sounds: Array, leave: IntArray, enter: IntArray) -> Array:
    """Mean distance of the beats around playheads `leave` from those around `enter`; 1 as two beats at random."""
    last = len(sounds) - 1
    here, there = leave[:, None] + _AROUND, enter[:, None] + _AROUND
    inside = (here >= 0) & (here <= last) & (there >= 0) & (there <= last)
    apart = np.linalg.norm(sounds[here.clip(0, last)] - sounds[there.clip(0, last)], axis=2) / np.sqrt(2.0)
    count = inside.sum(axis=1)
    return np.where(count > 0, (apart * inside).sum(axis=1) / np.maximum(count, 1), 1.0)


def _late(time_s: DoubleArray) -> DoubleArray:
    return np.maximum(time_s - _UNHEARD_S, 0.0) / _LATE_S


def _log_beats(count: IntArray | DoubleArray) -> DoubleArray:
    return np.log1p(count) / np.log1p(_BEATS)


def _about(edl: EDL, plays: IntArray, ground: Ground) -> Array:
    """`ABOUT_COLUMNS`: whether a length was asked for and by how much it is missed; how much is kept, of what."""
    kept = edl.n_samples / edl.source.n_samples
    asked_s = edl.target_s or edl.duration_s
    longer = float(np.clip(4.0 * np.log(edl.duration_s / asked_s), -_MOST, _MOST))
    heard = np.bincount(ground.labels[plays > 0]) >= COVERED
    possible = min(int(ground.labels.max()) + 1, asked_s / (SECTION * ground.beat_s))
    return np.array(
        [
            edl.target_s is not None,
            longer,
            abs(longer),
            min(kept, _MOST),
            np.log(kept),
            np.log(edl.duration_s / 60.0),
            min(heard.sum() / max(possible, 1.0), 1.0),
        ],
        dtype=np.float32,
    )
