"""What people said of edits, beside the recordings these are of."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.audio.source import Source
from rl_editor.data.comparisons import Comparison, edl_hash
from rl_editor.edits import edl as edls
from rl_editor.edits.edl import EDL
from rl_editor.errors import DataError, EDLError
from rl_editor.policies.ground import Ground
from rl_editor.policies.judged import Answers, JudgedRecording, Ratings

PEOPLE = "people"
"""Kind of their pairs."""
_SIDES = {"A": 1, "B": -1, "tie": 0}
_LEAST_WEIGHT, _MOST_WEIGHT = 0.2, 5.0  # of answers on pairs that were chosen oftener or seldomer than others


def find_edits(folders: Iterable[Path]) -> dict[str, EDL]:
    """All EDL files in folders and below, by the hash of what is heard of them; other JSON is passed over."""
    found = {}
    for file in sorted({file for folder in folders for file in folder.rglob("*.json")}):
        try:
            edl = edls.read(file)
        except EDLError:
            continue
        found[edl_hash(edl)] = edl
    return found


def peoples_pairs(
    comparisons: Sequence[Comparison],
    edits: Mapping[str, EDL],
    track_of: Callable[[Source], Track],
    song_of: Callable[[Source], str],
) -> list[JudgedRecording]:
    """The recordings that people compared edits of, by content hash; who could not say teaches nothing.

    Answers on pairs that were chosen with a small probability count for more, the mean of all for 1, so that what is
    learned is about edits, not about who chose the pairs.

    Args:
        comparisons: the answers.
        edits: by hash.
        track_of: the analysis of a recording.
        song_of: content hash of the song a recording is of, by which the split goes.
    Raises:
        DataError: an edit is not among them, or the two of a pair are of different recordings.
    """
    told = [comparison for comparison in comparisons if comparison.answer in _SIDES]
    weights = _weights(told)
    by_source: dict[str, list[int]] = defaultdict(list)
    for number, comparison in enumerate(told):
        sources = {_edit(edits, comparison, name).source.content_hash for name in (comparison.edl_a, comparison.edl_b)}
        if len(sources) > 1:
            raise DataError(f"comparison {comparison.id!r}: its two edits are of different recordings")
        by_source[sources.pop()].append(number)
    judged = []
    for content_hash, numbers in sorted(by_source.items()):
        own = [told[number] for number in numbers]
        names = sorted({name for each in own for name in (each.edl_a, each.edl_b)})
        place = {name: number for number, name in enumerate(names)}
        source = edits[names[0]].source
        judged.append(
            JudgedRecording(
                key=content_hash[:12],
                song=song_of(source),
                ground=Ground(track_of(source)),
                edits=tuple(edits[name] for name in names),
                answers=_answers(own, place, weights[numbers]),
                ratings=_ratings(own, place),
            )
        )
    return judged


def _edit(edits: Mapping[str, EDL], comparison: Comparison, name: str) -> EDL:
    if name not in edits:
        raise DataError(
            f"comparison {comparison.id!r}: no EDL file of edit {name[:12]} in the folder of the comparisons or below"
        )
    return edits[name]


def _weights(comparisons: Sequence[Comparison]) -> np.ndarray:
    """How much each answer counts, (P,): the inverse of its pair's probability within bounds, 1 in the mean."""
    inverse = np.array([1.0 / each.probability for each in comparisons], dtype=np.float32)
    if not len(inverse):
        return inverse
    return np.clip(inverse / inverse.mean(), _LEAST_WEIGHT, _MOST_WEIGHT)


def _answers(comparisons: Sequence[Comparison], place: Mapping[str, int], weight: np.ndarray) -> Answers:
    return Answers(
        first=np.array([place[each.edl_a] for each in comparisons], dtype=np.int64),
        second=np.array([place[each.edl_b] for each in comparisons], dtype=np.int64),
        side=np.array([_SIDES[each.answer] for each in comparisons], dtype=np.int64),
        strength=np.array([each.strength or 0 for each in comparisons], dtype=np.int64),
        given=np.ones(len(comparisons), dtype=np.int64),
        weight=weight.astype(np.float32),
        kind=(PEOPLE,) * len(comparisons),
    )


def _ratings(comparisons: Sequence[Comparison], place: Mapping[str, int]) -> Ratings:
    rated = [
        (place[name], rating)
        for each in comparisons
        for name, rating in ((each.edl_a, each.rating_a), (each.edl_b, each.rating_b))
        if rating is not None
    ]
    edit, rating = np.array(rated, dtype=np.int64).reshape(-1, 2).T
    return Ratings(edit, rating)
