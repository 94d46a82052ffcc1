"""Candidates: edits of one recording to be compared, from several editors, no two nearly alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.edits.length import is_another
from rl_editor.edits.request import Editor, EditRequest
from rl_editor.errors import RequestError


@dataclass(frozen=True)
class Candidate:
    """An edit with all it takes to make it again."""

    edl: EDL
    made_by: str
    """The editor, by the name somebody gave it: of two policies each has its own."""
    request: EditRequest
    """What it was asked."""
    rank: int
    """Which of the edits it answered with, from 0."""


def offered(name: str, editor: Editor, track: Track, request: EditRequest) -> list[Candidate]:
    """What one editor offers, best first; one edit where it knows no more.

    Raises:
        RequestError: it has no edit that meets the request.
    """
    try:
        edits = editor.edit(track, request)
    except RequestError:
        if request.count == 1:
            raise
        return offered(name, editor, track, replace(request, count=1))
    return [Candidate(edl, name, request, rank) for rank, edl in enumerate(edits)]


def chosen(offers: Iterable[Sequence[Candidate]], count: int) -> list[Candidate]:
    """At most `count` candidates, each editor's best first, then all second ones, and so on; near copies are dropped.

    Args:
        offers: of each editor, best first.
        count: how many are wanted.
    """
    kept: list[Candidate] = []
    for candidate in chain.from_iterable(zip_longest(*offers)):
        if candidate is not None and is_another(candidate.edl, (other.edl for other in kept)):
            kept.append(candidate)
        if len(kept) == count:
            break
    return kept
