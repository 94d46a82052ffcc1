from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.analysis.landings import K
from rl_editor.analysis.track import Track
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import TrackError


def test_joins_lead_from_a_sections_end_to_anothers_beginning(make_track: Callable[..., Track]) -> None:
    rng = np.random.default_rng(2)
    track = replace(make_track(rng, 192, share=0.9), section=np.arange(192) // 16)
    beats = np.where(rng.random(track.landings.beat.shape) < 0.5, 16 * rng.integers(1, 12, (193, K)), -1)
    beats[beats == np.arange(193)[:, None]] = -1
    track = replace(track, landings=replace(track.landings, beat=beats, half=np.zeros_like(track.landings.half)))
    edl = load_editor("sections").edit(track, EditRequest(keep=0.4))[0]
    ends = [segment.end for segment in edl.segments[:-1]]
    assert edl.maker.editor == "sections"
    assert len(edl.joins) >= 1
    assert all(end in track.bounds[::16] for end in ends)


def test_without_sections_there_is_nothing_to_go_by(make_track: Callable[..., Track]) -> None:
    with pytest.raises(TrackError, match="sections of this recording are not known"):
        load_editor("sections").edit(make_track(np.random.default_rng(0), 60), EditRequest(keep=0.5))
