"""Nothing in the sound of takes tells which attempt is kept; the probes that say so do find what is planted."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.analysis.analyse import analyse
from rl_editor.audio.encoding import Encoding
from rl_editor.audio.files import Recording
from rl_editor.audio.sample_songs import make_song
from rl_editor.audio.source import identify
from rl_editor.data.give_aways import Separability, Twins, beat_twins, join_twins, separability
from rl_editor.data.recorded_song import RecordedSong, recorded_song
from rl_editor.data.recorded_takes import RecordedTake, TakeConfig, recorded_take
from rl_editor.data.recording_channel import Equaliser, equalise

RATE = 22050
SONGS, ROUNDS = 6, 4
# parts have more joins than whole songs
CONFIGS = [
    TakeConfig(mode=mode, keep_ratio=0.25, longest_raw_s=120.0, longest_song_s=30.0) for mode in ("full", "sections")
]


def made_up(seed: int) -> RecordedSong:
    mix = make_song(np.random.default_rng([seed, 77]), sample_rate=RATE, length_s=32.0).mix
    made = Recording(mix, identify(mix, RATE, file=f"{seed}.wav"), Encoding("WAV", "FLOAT"))
    return recorded_song(made, analyse(mix, RATE, source=made.source))


@pytest.fixture(scope="module")
def takes() -> list[RecordedTake]:
    songs = [made_up(k) for k in range(SONGS)]
    return [
        recorded_take(song, np.random.default_rng([k, n]), others=songs[: k - 1], config=config)
        for k, song in enumerate(songs)
        for n in range(ROUNDS)
        for config in CONFIGS
    ]


def judged(takes: list[RecordedTake], probe: Callable[[RecordedTake], Twins]) -> Separability:
    return separability([probe(take) for take in takes], [take.card.song for take in takes])


def with_clicks(take: RecordedTake) -> RecordedTake:
    """A click 46 dB below full scale at each join into a worse attempt."""
    audio = take.audio.copy()
    for part in take.card.parts:
        if part.unit is not None and not part.kept:
            audio[:, part.start] += 0.005
    return replace(take, audio=audio)


def with_dull_good_attempts(take: RecordedTake) -> RecordedTake:
    audio = take.audio.copy()
    for part in take.card.parts:
        if part.kept:
            equalise(audio[:, part.start : part.end], Equaliser(3000.0, -3.0, 300.0, 0.0), RATE)
    return replace(take, audio=audio)


def test_joins_do_not_tell_the_good_attempt_but_clicks_would(takes: list[RecordedTake]) -> None:
    assert judged(takes, join_twins).pooled <= 0.55
    assert judged([with_clicks(take) for take in takes], join_twins).pooled > 0.6


def test_beats_without_a_mistake_do_not_tell_the_good_attempt_but_its_tone_would(takes: list[RecordedTake]) -> None:
    assert judged(takes, beat_twins).within.mean() <= 0.58
    assert judged([with_dull_good_attempts(take) for take in takes], beat_twins).within.mean() > 0.65
