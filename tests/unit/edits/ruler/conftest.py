"""A small made-up jam with everything known about it: silence, sixteen bars, a ring-out, silence."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.track import Track
from rl_editor.audio.source import identify
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.ruler.evaluate import hear_raw
from rl_editor.edits.ruler.raw import Raw

RATE = 22050
BEAT = RATE // 2
QUIET, BEATS, RING = 8, 64, 4
"""Beats of silence before, of music, and of its last chord ringing out; as much silence follows."""
_CHORDS_HZ = ((220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247))


@dataclass(frozen=True)
class Jam:
    """The raw, its Track, and its right edit: the music with its ring-out."""

    audio: np.ndarray
    track: Track
    raw: Raw
    exact: EDL

    def edl(self, *beats: tuple[float, float], fade_s: float = 0.01) -> EDL:
        """An edit that plays stretches of beats, counted from the music's first."""
        segments = [
            Segment(round((QUIET + first) * BEAT), round((QUIET + last) * BEAT), round(fade_s * RATE) if k else 0)
            for k, (first, last) in enumerate(beats)
        ]
        return EDL(self.track.source, tuple(segments), Maker("test"))


def _sound() -> np.ndarray:
    """Kick, snare and off-beat hats, a chord a bar of four, and a bass note a beat that says which bar it is."""
    rng = np.random.default_rng(3)
    total = (2 * QUIET + BEATS + RING) * BEAT
    sound = 1e-4 * rng.standard_normal(total)
    t = np.arange(4 * BEAT) / RATE
    decay = np.exp(-np.arange(BEAT // 2) / (0.04 * RATE))
    for bar in range(BEATS // 4):
        at = (QUIET + 4 * bar) * BEAT
        envelope = np.minimum(t * 200.0, 1.0) * np.exp(-t)
        for hz in _CHORDS_HZ[bar % 4]:
            sound[at : at + len(t)] += 0.06 * envelope * np.sin(2 * np.pi * hz * t)
        for beat in range(4):
            low = np.sin(2 * np.pi * (55 + 8 * (bar % 4)) * np.arange(len(decay)) / RATE)
            hit = low if beat % 2 == 0 else rng.standard_normal(len(decay))
            sound[at + beat * BEAT :][: len(decay)] += 0.3 * decay * hit
            sound[at + beat * BEAT + BEAT // 2 :][: len(decay) // 4] += (
                0.1 * rng.standard_normal(len(decay) // 4) * decay[: len(decay) // 4]
            )
    at = (QUIET + BEATS) * BEAT
    ring = np.arange(RING * BEAT) / RATE
    for hz in _CHORDS_HZ[0]:
        sound[at : at + len(ring)] += 0.15 * np.exp(-3.5 * ring) * np.sin(2 * np.pi * hz * ring)
    return np.stack([sound, 0.8 * sound]).astype(np.float32)


@pytest.fixture(scope="session")
def jam(make_track: Callable[..., Track]) -> Jam:
    audio = _sound()
    n = audio.shape[1] // BEAT
    music = (np.arange(n) >= QUIET) & (np.arange(n) < QUIET + BEATS + RING)
    activity = np.where(music, Activity.MUSIC, Activity.SILENCE).astype(np.int8)
    made = make_track(np.random.default_rng(0), n)
    track = replace(
        made,
        source=identify(audio, RATE),
        bounds=np.arange(n + 1) * BEAT,
        activity=activity,
        phrase=np.where(music, 1 + np.maximum(np.arange(n) - QUIET, 0) // 16, np.where(np.arange(n) < QUIET, 0, 9)),
        song=np.where(music, 0, -1),
        attempt=np.where(music, 1, 0),
        superseded=np.zeros(n, dtype=np.float32),
        spoiled=np.zeros(n, dtype=np.float32),
    )
    exact = EDL(
        track.source, (Segment(QUIET * BEAT, (QUIET + BEATS + RING) * BEAT),), Maker("truth"), end_fade=RATE // 10
    )
    return Jam(audio, track, hear_raw(audio, track), exact)
