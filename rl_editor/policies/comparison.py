"""How beats differ from their copies: at the beat, around it, and over the whole passage that both belong to."""

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, IntArray
from rl_editor.policies.copies import REACH, Copies, sound_groups
from rl_editor.policies.passages import Passages

_SPANS = (0, 2, 8)  # beats either side over which distances are told as means
_ONSETS = 3  # bands of onsets
_BANDS = 8  # of mel whose difference is told
_DB = 6.0  # told as 1
_MOST = 4.0
_GROUPS = 3  # whose distances are told
_SIGNED = 2 + _ONSETS + _BANDS
_SAME = 2  # beats around a copy that are no other copy
_BEYOND = (2, 6)  # beats past the ends of a passage where it is told what follows
_OVER = 2 * _GROUPS + _SIGNED  # columns that are summed up over a passage
COMPARED_COLUMNS = _GROUPS * len(_SPANS) + _SIGNED + 4 * _OVER + 4 + 8 * len(_BEYOND)
"""What is told of a beat beside one of its copies."""


def compare(track: Track, copies: Copies, passages: Passages) -> Array:
    """How each beat differs from its copies, (B, C, COMPARED_COLUMNS) within +-4; 0 where there is none.

    Of the beat: distances of timbre, chroma and onsets, at the beat and as means around it, in units of two beats of
    the music drawn at random; then what is signed: level, clearness of the beat, onsets by band, bands of mel, above 0
    where the beat has more of it than its copy. Of the passage: mean, root mean square, greatest and least of the same
    and of how much odder the beat is than its copy, which is above 0 where the beat's other copies are more like the
    copy than like the beat; how far it goes on before and after the beat, how long it is and how far apart its sides
    are; and of each side, for its beginning and its end, whether there is music beyond, and how loud.
    """
    sounds, signed = sound_groups(track), _signed(track)
    here, there = np.arange(track.n_beats)[:, None], copies.beat
    around = []
    for group in sounds:
        distance = np.stack([_distances(group, here + offset, there + offset) for offset in range(-REACH, REACH + 1)])
        around += [distance[REACH - span : REACH + span + 1].mean(axis=0) for span in _SPANS]
    told = [np.stack(around, axis=2), signed[here] - signed[there]]
    if len(passages.first):
        told += [_over_passages(sounds, signed, copies, passages)[passages.of], _extent(passages, len(here))]
        told += [_beyond(track, passages)[passages.of]]
    else:
        told.append(np.zeros((*there.shape, COMPARED_COLUMNS - sum(each.shape[2] for each in told))))
    clipped = np.clip(np.concatenate(told, axis=2, dtype=np.float32), -_MOST, _MOST)
    return np.where((copies.likeness > 0.0)[..., None], clipped, np.float32(0.0))


def _distances(sounds: Array, here: IntArray, there: IntArray) -> Array:
    """Distances of pairs of beats, in units of two beats at random; beyond the ends the last beat counts."""
    last = len(sounds) - 1
    apart = sounds[np.clip(here, 0, last)] - sounds[np.clip(there, 0, last)]
    distance: Array = np.linalg.norm(apart, axis=-1) / np.sqrt(2.0).astype(np.float32)
    return distance


def _signed(track: Track) -> Array:
    """What is compared with its sign, (B, _SIGNED)."""
    names = np.array(track.feature_names)
    onset, mel = (track.features[:, names == group].astype(np.float32) for group in ("onset", "mel"))
    onsets = _pooled(onset, _ONSETS)
    onsets = onsets / np.maximum(onsets.std(axis=0), 1e-3)
    columns = [track.level_db[:, None] / _DB, track.confidence[:, None], onsets, _pooled(mel, _BANDS) / _DB]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _pooled(values: Array, count: int) -> Array:
    """Columns put together to `count` of them, (B, count); 0 where there are none."""
    if not values.shape[1]:
        return np.zeros((len(values), count), dtype=np.float32)
    return np.stack([part.mean(axis=1) for part in np.array_split(values, count, axis=1)], axis=1)


def _over_passages(sounds: list[Array], signed: Array, copies: Copies, passages: Passages) -> Array:
    """Mean, root mean square, greatest and least of what differs over each passage, (P, 4 _OVER)."""
    begins = np.cumsum(passages.length) - passages.length
    within = np.arange(passages.length.sum()) - np.repeat(begins, passages.length)
    here, there = (np.repeat(side, passages.length) + within for side in (passages.first, passages.other))
    apart = np.stack([_distances(group, here, there) for group in sounds], axis=1)
    odder = np.stack([_odder(group, here, there, copies) for group in sounds], axis=1)
    values = np.clip(np.concatenate([apart, odder, signed[here] - signed[there]], axis=1), -_MOST, _MOST)
    length = passages.length[:, None]
    return np.concatenate(
        [
            np.add.reduceat(values, begins) / length,
            np.sqrt(np.add.reduceat(np.square(values), begins) / length),
            np.maximum.reduceat(values, begins),
            np.minimum.reduceat(values, begins),
        ],
        axis=1,
    )


def _odder(sounds: Array, here: IntArray, there: IntArray, copies: Copies) -> Array:
    """How much further beats `here` are from other copies of both than the beats `there` are, (T,); 0 without others.

    Of two tries that differ, the one that a third try contradicts is the one with the mistake.
    """
    both = np.stack([here, there], axis=1)
    others, likeness = copies.beat[both].reshape(len(both), -1), copies.likeness[both].reshape(len(both), -1)
    is_other = (np.abs(others[:, :, None] - both[:, None]) > _SAME).all(axis=2)
    weight = np.where(is_other, np.square(likeness), np.float32(0.0))
    further = _distances(sounds, here[:, None], others) - _distances(sounds, there[:, None], others)
    odder: Array = (further * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), np.float32(0.1))
    return odder


def _extent(passages: Passages, n_beats: int) -> Array:
    """Beats of the passage before and after each beat, its length, and how far its sides are apart, (B, C, 4)."""
    first, length = passages.first[passages.of], passages.length[passages.of]
    before = np.maximum(np.arange(n_beats)[:, None] - first, 0)
    after = np.maximum(length - 1 - before, 0)
    apart = np.abs(passages.other - passages.first)[passages.of] / n_beats
    return np.stack([np.log1p(before), np.log1p(after), np.log1p(length), apart], axis=2)


def _beyond(track: Track, passages: Passages) -> Array:
    """Whether there is music beyond both ends of both sides of each passage, and how loud it is, (P, 8 * 2)."""
    music = track.level_db[track.is_music] if track.is_music.any() else track.level_db
    loud = np.clip((track.level_db - np.median(music)) / _DB, -_MOST, _MOST)
    columns = []
    for side in (passages.first, passages.other):
        for distance in _BEYOND:
            for beat in (side - distance, side + passages.length - 1 + distance):
                inside = (beat >= 0) & (beat < track.n_beats)
                at = np.where(inside, beat, 0)
                columns += [inside & track.is_music[at], np.where(inside, loud[at], -_MOST)]
    return np.stack(columns, axis=1).astype(np.float32)
