"""The default editor: the policy where it can, the planner where it can't, and why."""

from pathlib import Path

import numpy as np
import pytest

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL, Maker
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError
from rl_editor.policies import default_editor
from rl_editor.policies.default_editor import DefaultEditor


class ChoosyPolicy:
    """Edits as the planner does, but refuses bans."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        if request.bans:
            raise RequestError("bans are beyond it")
        return [EDL(edl.source, edl.segments, Maker("policy")) for edl in PlannerEditor().edit(track, request)]


@pytest.fixture
def choosy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy is shipped, and it is this one."""
    monkeypatch.setattr(default_editor, "PolicyEditor", lambda file: ChoosyPolicy())
    monkeypatch.setattr(default_editor, "shipped_policy", lambda: Path("policy.safetensors"))


@pytest.fixture
def track(make_track) -> Track:  # type: ignore[no-untyped-def]
    made: Track = make_track(np.random.default_rng(5), 80, share=0.5)
    return made


@pytest.mark.usefixtures("choosy")
def test_the_policy_edits_where_it_can(track: Track) -> None:
    editor = DefaultEditor()
    (edl,) = editor.edit(track, EditRequest(keep=0.5))
    assert (edl.maker.editor, editor.note) == ("policy", "")


@pytest.mark.usefixtures("choosy")
def test_the_planner_steps_in_for_one_request_and_says_why(track: Track) -> None:
    editor = DefaultEditor()
    end_s = float(track.bounds_s[4])
    (edl,) = editor.edit(track, EditRequest(keep=0.5, bans=((0.0, end_s),)))
    assert (edl.maker.editor, editor.note) == ("planner", "bans are beyond it")
    editor.edit(track, EditRequest(keep=0.5))
    assert editor.note == ""


def test_where_no_policy_is_shipped_the_planner_edits(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_editor, "shipped_policy", lambda: None)
    editor = DefaultEditor()
    (edl,) = editor.edit(track, EditRequest(keep=0.5))
    assert (edl.maker.editor, editor.note) == ("planner", "")


@pytest.mark.usefixtures("choosy")
def test_what_neither_can_do_is_refused(track: Track) -> None:
    with pytest.raises(RequestError):
        DefaultEditor().edit(track, EditRequest(keep=0.5, bans=((0.0, track.source.duration_s),)))
