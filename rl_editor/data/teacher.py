"""What the editor of a true edit would do next from anywhere: a dynamic oracle.

A demonstration tells what was done where its editor stood. An agent that strays stands somewhere else: it missed a
join, or landed a bar late. What is then best follows from the edit alone: play what is left of it, in its order, with
as little besides as can be. The worth of an action is the number of beats of the edit that are still played if all
goes well after it, less one for each other beat, less the price of joins.

Source: Goldberg and Nivre, A dynamic oracle for arc-eager dependency parsing, COLING 2012 (the idea).
"""

from dataclasses import dataclass

import numpy as np

from rl_editor.analysis.track import Track
from rl_editor.arrays import Array, BoolArray, IntArray
from rl_editor.data.demonstrations import Demonstration
from rl_editor.edits.actions import (
    END,
    FADE_CLASSES,
    KEEP,
    TIGHT,
    column_of,
    fade_class_of,
    landing_action,
    legal_by_rule,
)

_JOIN = 1.0  # beats that a join costs
_OFF = 0.5  # more where it does not land where the edit's own does
_NEVER = np.float32(-1e6)


@dataclass(frozen=True, eq=False)
class Teacher:
    """The best actions anywhere; made by `make_teacher`.

    The *phase* is the number of the run that is played or comes next, n once all of them were.
    """

    runs: IntArray
    """First beat and one past the last of each stretch that the edit plays, in its order, (n, 2)."""
    fades: IntArray
    """Fade class of the join into each, (n,)."""
    values: Array
    """Worth of standing before beat p in phase i, (n + 1, B + 1) float32."""
    landed: IntArray
    """Playhead from which each landing goes on, (B+1, K); -1 where there is none."""
    legal: BoolArray
    """Actions legal by rule, (B+1, A)."""

    def best(self, phase: int, playhead: int, *, must_keep: bool = False) -> BoolArray:
        """The actions that are best in a state, all of equal worth, (A,)."""
        chosen = np.zeros(self.legal.shape[1], dtype=bool)
        if must_keep:
            chosen[KEEP] = True
            return chosen
        if phase == len(self.runs):
            chosen[END] = True
            return chosen
        keep, landings, phases = self._worths(phase, playhead)
        best = max(keep, float(landings.max(initial=_NEVER)))
        chosen[KEEP] = keep >= best
        for column in np.flatnonzero(landings >= best).tolist():
            chosen[landing_action(column, self._fade(playhead, phases[column]))] = True
        return chosen

    def after(self, phase: int, playhead: int, action: int) -> int:
        """The phase after an action that is legal in a state."""
        if action == KEEP:
            return self.phase_of(phase, playhead + 1, played=playhead)
        if action == END:
            return phase
        return self.phase_of(phase, int(self.landed[playhead, column_of(action)]))

    def phase_of(self, phase: int, playhead: int, played: int | None = None) -> int:
        """The phase of who comes to `playhead`, by a landing or by having played a beat."""
        if played is not None:
            on_it = phase < len(self.runs) and self.runs[phase, 0] <= played < self.runs[phase, 1]
            return phase + 1 if on_it and playhead == self.runs[phase, 1] else phase
        held = np.flatnonzero((self.runs[phase:, 0] <= playhead) & (playhead < self.runs[phase:, 1]))
        return phase + int(held[0]) if len(held) else phase

    def _worths(self, phase: int, playhead: int) -> tuple[float, Array, IntArray]:
        """Worth of KEEP, of each landing, and the phases that these lead to, (K,)."""
        n_beats = self.values.shape[1] - 1
        keep = float(_NEVER)
        if playhead < n_beats and self.legal[playhead, KEEP]:
            after = self.phase_of(phase, playhead + 1, played=playhead)
            first, end = self.runs[phase]
            keep = (1.0 if first <= playhead < end else -1.0) + float(self.values[after, playhead + 1])
        usable = self.legal[playhead, 2::FADE_CLASSES] & (self.landed[playhead] >= 0)
        return keep, *self._landings(phase, playhead, usable)

    def _landings(self, phase: int, playhead: int, usable: BoolArray) -> tuple[Array, IntArray]:
        landed = np.maximum(self.landed[playhead], 0)
        first, end = self.runs[phase:, :1], self.runs[phase:, 1:]
        inside = (first <= landed) & (landed < end)
        on_run = inside.any(axis=0)
        phases = phase + np.where(on_run, inside.argmax(axis=0), 0)
        exact = on_run & (landed == self.runs[np.minimum(phases, len(self.runs) - 1), 0])
        # who leaves a run that is being played goes on to a later one; who goes back to nothing comes here again
        begun = self.runs[phase, 0] < playhead < self.runs[phase, 1]
        lost = (begun & (phases == phase)) | (~on_run & (landed <= playhead))
        worth = self.values[phases, landed] - _JOIN - _OFF * ~exact
        return np.where(usable & ~lost, worth, _NEVER).astype(np.float32), phases

    def _fade(self, playhead: int, phase: int) -> int:
        return int(self.fades[phase]) if playhead > 0 else TIGHT


def make_teacher(demonstration: Demonstration, track: Track) -> Teacher:
    """The teacher of a true edit."""
    runs, fades = _runs(demonstration, track)
    places = track.landings
    landed = np.where(places.valid, places.beat + places.half, -1)
    values = np.full((len(runs) + 1, track.n_beats + 1), _NEVER, dtype=np.float32)
    values[-1] = 0.0
    teacher = Teacher(runs, fades, values, landed, legal_by_rule(track))
    for phase in range(len(runs) - 1, -1, -1):
        first, end = runs[phase]
        for beat in range(end - 1, first - 1, -1):
            values[phase, beat] = 1.0 + values[phase + (beat + 1 == end), beat + 1]
        for beat in range(track.n_beats, -1, -1):
            if not first <= beat < end:
                keep, landings, _ = teacher._worths(phase, beat)
                values[phase, beat] = max(keep, float(landings.max(initial=_NEVER)))
    return teacher


def _runs(demonstration: Demonstration, track: Track) -> tuple[IntArray, IntArray]:
    """Stretches of beats that are played without a join, (n, 2), and the fade class of the join into each, (n,)."""
    places, runs, fades = track.landings, [], []
    first, fade = 0, TIGHT
    for t, action in enumerate(demonstration.actions.tolist()):
        if action == KEEP:
            continue
        playhead = int(demonstration.playhead[t])
        if playhead > first:
            runs.append((first, playhead))
            fades.append(fade)
        if action == END:
            break
        column = column_of(action)
        outside = demonstration.outside_beat[t] >= 0
        beat = demonstration.outside_beat[t] if outside else places.beat[playhead, column]
        half = demonstration.outside_half[t] if outside else places.half[playhead, column]
        first, fade = int(beat + half), fade_class_of(action)
    return np.array(runs, dtype=np.int64).reshape(-1, 2), np.array(fades, dtype=np.int64)
