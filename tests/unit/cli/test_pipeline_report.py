import io

import numpy as np
import pytest
import soundfile as sf

from rl_editor.cli.pipeline_report import as_mp3


def tone(channels: int, rate: int) -> np.ndarray:
    t = np.arange(rate) / rate
    return np.tile(0.5 * np.sin(2 * np.pi * 440 * t), (channels, 1)).astype(np.float32)


@pytest.mark.parametrize(("channels", "rate", "heard"), [(1, 22_050, (1, 22_050)), (2, 48_000, (2, 48_000))])
def test_a_sound_is_heard_as_it_was(channels: int, rate: int, heard: tuple[int, int]) -> None:
    sound = tone(channels, rate)
    audio, found_rate = sf.read(io.BytesIO(as_mp3(sound, rate)), dtype="float32", always_2d=True)
    assert (audio.shape[1], found_rate) == heard
    assert abs(np.sqrt(np.mean(audio**2)) - np.sqrt(np.mean(sound**2))) < 0.02


@pytest.mark.parametrize(("channels", "rate", "heard"), [(6, 44_100, (1, 44_100)), (2, 96_000, (2, 48_000))])
def test_what_mp3_can_not_hold_is_made_fit(channels: int, rate: int, heard: tuple[int, int]) -> None:
    audio, found_rate = sf.read(io.BytesIO(as_mp3(tone(channels, rate), rate)), dtype="float32", always_2d=True)
    assert (audio.shape[1], found_rate) == heard
    assert len(audio) / found_rate == pytest.approx(1.0, abs=0.1)


def test_the_same_sound_is_the_same_bytes() -> None:
    assert as_mp3(tone(2, 44_100), 44_100) == as_mp3(tone(2, 44_100), 44_100)
