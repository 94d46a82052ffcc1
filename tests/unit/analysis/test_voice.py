import numpy as np
import pytest

from rl_editor.analysis.pooling import span_means
from rl_editor.analysis.spectra import RATE, listen
from rl_editor.analysis.stems import stem_mels
from rl_editor.analysis.voice import partial_movement, voice_activity
from rl_editor.arrays import Array
from rl_editor.audio.sample_songs import make_song

BOUNDS_S = np.arange(0.0, 20.01, 0.5)
T = np.arange(20 * RATE) / RATE


def activity(sound: np.ndarray, bounds_s: np.ndarray = BOUNDS_S) -> Array:
    spectra = listen(np.atleast_2d(sound).astype(np.float32), RATE)
    return voice_activity(spectra, stem_mels(spectra), bounds_s)


def sung(depth_cents: float) -> np.ndarray:
    """A tune of held notes rich in partials, with vibrato."""
    semitones = np.array([0, 2, 4, 7, 5, 4, 2, 0])[(T / 0.8).astype(int) % 8]
    hz = 330.0 * 2.0 ** ((semitones + depth_cents / 100.0 * np.sin(2 * np.pi * 5.5 * T)) / 12.0)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return 0.1 * sum(np.sin(k * phase) / k**0.5 for k in range(1, 9))


def test_partials_move_under_vibrato_only() -> None:
    moving, still = partial_movement(sung(70.0).astype(np.float32)), partial_movement(sung(0.0).astype(np.float32))
    assert np.median(moving) > 0.5
    assert np.median(still) < 0.25


def test_blocks_leave_no_trace() -> None:
    sound = np.random.default_rng(0).standard_normal(110 * RATE).astype(np.float32)
    sound[0] = np.abs(sound).max()
    offset = 512 * 1000
    part = np.concatenate([sound[:1], sound[offset + 1 :]])
    np.testing.assert_allclose(partial_movement(sound)[1010:-10], partial_movement(part)[10:-10], atol=1e-4)


def test_a_voice_over_a_band_is_heard_where_it_sings() -> None:
    rng = np.random.default_rng(0)
    band = 0.05 * sum(np.sin(2 * np.pi * hz * T) for hz in (110.0, 220.0, 277.2, 330.0, 554.4, 660.0))
    band += 0.05 * rng.standard_normal(len(T)) * np.exp(-(T % 0.5) / 0.02)
    sings = (T > 5.0) & (T < 15.0)
    heard = activity(band + sung(70.0) * sings)
    assert heard[13:27].mean() > 0.6
    assert max(heard[:7].max(), heard[33:].max()) < 0.1


@pytest.mark.parametrize("what", ["silence", "chord", "drums", "noise"])
def test_no_voice_is_made_up(what: str) -> None:
    rng = np.random.default_rng(0)
    sounds = {
        "silence": np.zeros(len(T)),
        "chord": 0.1 * sum(np.sin(2 * np.pi * hz * T) for hz in (220.0, 277.2, 330.0, 880.0, 1100.0)),
        "drums": rng.standard_normal(len(T)) * np.exp(-(T % 0.5) / 0.03),
        "noise": 0.1 * rng.standard_normal(len(T)),
    }
    heard = activity(sounds[what])
    assert heard.shape == (40,)
    assert heard.max() < 0.3


def test_the_voice_of_sample_songs() -> None:
    found, false, ranks = [], [], []
    for seed in (11, 12):
        song = make_song(np.random.default_rng(seed), sample_rate=RATE, length_s=60.0)
        bounds_s = np.append(song.beats, song.beats[-1] + RATE // 2) / RATE
        voice, mix = song.stems["voice"], song.mix
        power = np.stack([np.square(voice).sum(axis=0), np.square(mix).sum(axis=0)], axis=1)
        own, whole = span_means(power, bounds_s * RATE).T
        sings, rests = own > 0.05 * whole, own < 1e-4 * whole
        heard = activity(mix, bounds_s)
        found += [heard[sings]]
        false += [heard[rests], activity(mix - voice, bounds_s)]
        more = np.sign(heard[sings][:, None] - heard[rests])
        ranks.append(0.5 + 0.5 * more.mean())
    assert np.mean(ranks) > 0.75, ranks
    assert (np.concatenate(found) > 0.5).mean() > 0.2
    assert (np.concatenate(false) > 0.5).mean() < 0.06
