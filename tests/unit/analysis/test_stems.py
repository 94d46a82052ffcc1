import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from rl_editor.analysis.spectra import HOP, RATE, listen
from rl_editor.analysis.stems import METHOD, STEMS, running_median, split_stems, stem_mels
from rl_editor.arrays import Array
from rl_editor.audio.sample_songs import Song, make_song

SONG_S = slice(10 * RATE, 40 * RATE)


@pytest.fixture(scope="module")
def song() -> Song:
    return make_song(np.random.default_rng(3), sample_rate=RATE, length_s=45.0)


@pytest.fixture(scope="module")
def truth(song: Song) -> Array:
    """Stems of 30 s of a song, mono, (4, 1, n)."""
    stems = song.stems
    parts = [stems["drums"], stems["bass"], stems["voice"], stems["chords"] + stems["lead"]]
    return np.stack([part.mean(axis=0, keepdims=True)[:, SONG_S] for part in parts])


def si_sdr_db(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al., ICASSP 2019)."""
    a, b = estimate.ravel().astype(np.float64), truth.ravel().astype(np.float64)
    target = (a @ b) / (b @ b) * b
    return float(10 * np.log10((target @ target) / ((a - target) @ (a - target))))


def shares(sound: np.ndarray) -> dict[str, float]:
    """Share of the energy that each stem gets."""
    sounds = split_stems(sound[None].astype(np.float32)).sounds
    energy = np.square(sounds, dtype=np.float64).sum(axis=(1, 2))
    return dict(zip(STEMS, energy / energy.sum(), strict=True))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60_000), st.sampled_from([1, 2]), st.integers(0, 100))
def test_stems_sum_to_the_mix(n: int, channels: int, seed: int) -> None:
    mix = np.random.default_rng(seed).uniform(-1, 1, (channels, n)).astype(np.float32)
    stems = split_stems(mix)
    assert stems.sounds.shape == (len(STEMS), channels, n)
    assert stems.sounds.dtype == np.float32
    assert stems.method == METHOD
    np.testing.assert_allclose(stems.sounds.sum(axis=0), mix, atol=5e-7)


def test_every_stem_is_nearer_to_the_truth_than_the_mix_is(truth: Array) -> None:
    mix = truth.sum(axis=0)
    sounds = split_stems(mix).sounds
    gains = [si_sdr_db(sounds[k], truth[k]) - si_sdr_db(mix, truth[k]) for k in range(4)]
    assert gains[0] > 4.0, gains
    assert gains[1] > 4.0, gains
    assert gains[2] > 4.0, gains
    assert gains[3] > 4.0, gains


def test_each_kind_of_sound_goes_where_it_belongs() -> None:
    t = np.arange(8 * RATE) / RATE
    rng = np.random.default_rng(0)
    hits = rng.standard_normal(len(t)) * np.exp(-(t % 0.5) / 0.02)
    deep = np.sin(2 * np.pi * 80.0 * t)
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (330.0, 440.0, 554.4))
    sung_hz = 440.0 * 2.0 ** (np.round(3 * np.sin(t * 2.3)) / 6 + 0.04 * np.sin(2 * np.pi * 5.5 * t))
    sung = sum(np.sin(k * 2 * np.pi * np.cumsum(sung_hz) / RATE) / k for k in (1, 2, 3))
    assert shares(hits)["drums"] > 0.8
    assert shares(deep)["bass"] > 0.9
    assert shares(chord)["other"] > 0.95
    assert shares(sung)["vocals"] > 0.5


def test_blocks_leave_no_trace() -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((1, 60 * RATE)).astype(np.float32) * np.linspace(0.1, 1.0, 60 * RATE, dtype=np.float32)
    offset = 2048 * 97  # a multiple of the grid on which sustained sound is sought
    whole, part = split_stems(sound).sounds, split_stems(sound[:, offset:]).sounds
    settled = slice(4 * RATE, 45 * RATE)
    np.testing.assert_allclose(whole[:, :, offset:][:, :, settled], part[:, :, settled], atol=1e-5)


def test_both_channels_are_split_alike() -> None:
    rng = np.random.default_rng(0)
    mono = rng.standard_normal((1, 3 * RATE)).astype(np.float32)
    single, double = split_stems(mono).sounds, split_stems(np.concatenate([mono, -mono])).sounds
    np.testing.assert_allclose(double[:, 0], single[:, 0], atol=1e-5)
    np.testing.assert_allclose(double[:, 1], -single[:, 0], atol=1e-5)


def test_silence_stays_silent() -> None:
    assert not split_stems(np.zeros((2, RATE), dtype=np.float32)).sounds.any()
    assert not stem_mels(listen(np.zeros((1, RATE), dtype=np.float32), RATE)).any()


def test_mel_bands_of_stems_are_those_of_their_sound(truth: Array) -> None:
    mix = truth.sum(axis=0)
    direct = stem_mels(listen(mix, RATE))
    assert direct.shape == (len(STEMS), mix.shape[1] // HOP + 1, 80)
    for name, mel, sound in zip(STEMS, direct, split_stems(mix).sounds, strict=True):
        heard = listen(sound, RATE).mel
        assert 10 * np.log10(mel.sum() / heard.sum()) == pytest.approx(0.0, abs=1.0), name
        # tenths of a second, bands pooled by eight
        ours, theirs = (np.log(m[: len(m) // 10 * 10].reshape(-1, 10, 10, 8).sum((1, 3)) + 1e-6) for m in (mel, heard))
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9, name


@pytest.mark.parametrize(("width", "length"), [(17, 100), (17, 17), (17, 5), (3, 1), (33, 64)])
def test_running_median_is_the_median(width: int, length: int) -> None:
    rows = np.random.default_rng(length).integers(0, 9, (6, length)).astype(np.float32)
    np.testing.assert_array_equal(running_median(rows, width), median_filter(rows, (1, width), mode="mirror"))
