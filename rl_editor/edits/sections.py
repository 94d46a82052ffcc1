"""The editor `sections`: whole parts of the form, joined only where one ends and another begins."""

from dataclasses import replace

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.edits.edl import EDL, Maker
from rl_editor.edits.planner import PlannerEditor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import RequestError, TrackError


class SectionsEditor:
    """The planner, with no landings but those from the end of a section to the beginning of another."""

    def edit(self, track: Track, request: EditRequest) -> list[EDL]:
        """Edits that meet the request, best first.

        Raises:
            RequestError: no edit of whole sections meets the request.
            TrackError: nothing is known of the recording's sections.
        """
        if track.section is None:
            raise TrackError("the sections of this recording are not known")
        try:
            edits = PlannerEditor(crossings=False).edit(_of_sections(track, track.section), request)
        except RequestError as error:
            raise RequestError(f"{error}; the editor planner may also join inside sections") from error
        return [replace(edl, maker=Maker("sections", seed=request.seed)) for edl in edits]


def _of_sections(track: Track, section: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Track:
    """The track with only the landings that lead from one section's end to another's beginning."""
    begins = np.append(np.diff(section, prepend=-1) != 0, True)
    places = track.landings
    whole = begins[:, None] & begins[np.maximum(places.beat, 0)] & (places.half == 0)
    whole[0] = begins[np.maximum(places.beat[0], 0)]
    return replace(track, landings=replace(places, beat=np.where(whole, places.beat, -1)))
