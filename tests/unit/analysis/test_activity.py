"""What is music, against jams whose truth is exact and against finished music."""

import numpy as np
import pytest

from rl_editor.analysis.activity import STEP, Activity, classify, listen_for_cues, music_threshold, runs
from rl_editor.analysis.spectra import listen, onset_bands
from rl_editor.audio.sample_songs import make_song
from rl_editor.data.takes import Take, make_take

STEP_S = 0.25


def heard(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Activity every quarter of a second."""
    spectra = listen(audio, sample_rate)
    cues = listen_for_cues(spectra, onset_bands(spectra.mel).sum(axis=1))
    return classify(cues, np.arange(0.0, audio.shape[1] / sample_rate, STEP_S), spectra.frame_rate)


@pytest.fixture(scope="module", params=[(1, True), (2, False)], ids=["talk as loud as music", "quiet talk"])
def take(request: pytest.FixtureRequest) -> Take:
    seed, loud = request.param
    rng = np.random.default_rng(seed)
    return make_take([make_song(rng).piece], rng, length_s=330.0, loud_pauses=loud, stems=False)


def test_music_is_kept_and_the_rest_is_told_from_it(take: Take) -> None:
    labels = heard(take.audio, take.sample_rate)
    middle = (np.arange(len(labels)) + 0.5) * STEP_S * take.sample_rate
    kinds = np.array([next(p.kind for p in take.parts if p.start <= at < p.end) for at in middle])
    music = labels == Activity.MUSIC
    assert music[kinds == "music"].mean() > 0.98
    pauses = np.isin(kinds, ["talk", "tuning", "silence"])
    assert music[pauses].mean() < 0.15


def test_a_song_alone_is_music_from_start_to_end() -> None:
    song = make_song(np.random.default_rng(5))
    assert (heard(song.mix, song.sample_rate) == Activity.MUSIC).mean() > 0.98


def test_level_does_not_matter(take: Take) -> None:
    part = take.audio[:, : 120 * take.sample_rate]
    assert np.array_equal(heard(part, take.sample_rate), heard(part * np.float32(0.125), take.sample_rate))


def test_silence_is_told(take: Take) -> None:
    sound = np.concatenate(
        [take.audio[:, : 60 * take.sample_rate], np.zeros((2, 20 * take.sample_rate), np.float32)], 1
    )
    assert (heard(sound, take.sample_rate)[-70:] == Activity.SILENCE).all()


def test_the_threshold_stands_between_two_groups() -> None:
    rng = np.random.default_rng(0)
    two = np.concatenate([rng.normal(0.6, 0.02, 100), rng.normal(0.9, 0.02, 300)]).astype(np.float32)
    assert 0.65 < music_threshold(two) < 0.85


def test_runs_are_first_and_one_past_last() -> None:
    labels = np.array([0, 0, 2, 2, 2, 0], dtype=np.int8)
    assert runs(labels, 0).tolist() == [[0, 2], [5, 6]]
    assert runs(labels, 2).tolist() == [[2, 5]]
    assert runs(labels, 3).shape == (0, 2)


def test_cues_have_one_row_a_step() -> None:
    song = make_song(np.random.default_rng(5))
    spectra = listen(song.mix, song.sample_rate)
    cues = listen_for_cues(spectra, onset_bands(spectra.mel).sum(axis=1))
    assert len(cues.music) == -(-len(spectra.mel) // STEP)
    assert all(len(getattr(cues, name)) == len(cues.music) for name in ("pulse", "short_db"))
