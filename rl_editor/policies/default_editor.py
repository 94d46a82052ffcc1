"""The editor that edits where none is chosen: the shipped policy, and the planner where that can't."""

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError
from rl_editor.policies.policy_editor import PolicyEditor, shipped_policy


class DefaultEditor:
    """Lets the shipped policy edit; the planner steps in for it, and `note` then says why.

    Where no policy is shipped the planner edits, without a word.

    Raises:
        CheckpointError: the shipped policy can't be used.
    """

    note = ""
    """Why the planner made the last edits; empty where the policy did."""

    def __init__(self) -> None:
        file = shipped_policy()
        self._policy = None if file is None else PolicyEditor(file)

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """Edits that meet the request, best first.

        Raises:
            RequestError: no edit of this recording meets the request.
        """
        self.note = ""
        if self._policy is not None:
            try:
                return self._policy.edit(track, request)
            except RequestError as refusal:
                self.note = str(refusal)
        return PlannerEditor().edit(track, request)
