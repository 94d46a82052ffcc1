"""Sections and phrases against made-up forms and sample songs."""

import numpy as np
import pytest

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.beat_features import QUARTERS, BeatFeatures, beat_features
from rl_editor.analysis.sections import Form, find_form
from rl_editor.analysis.spectra import listen, onset_bands
from rl_editor.audio.sample_songs import make_song


def form_of(letters: str, *, bars: int = 8, pause: int = 0) -> Form:
    """The form found where each letter is `bars` bars of 4 beats of one sound, after `pause` beats of talk."""
    rng = np.random.default_rng(1)
    sound = {letter: rng.normal(0, 8, 52) for letter in sorted(set(letters))}
    beats = [rng.normal(0, 8, 52) for _ in range(pause)]
    beats += [sound[letter] + rng.normal(0, 1, 52) for letter in letters for _ in range(4 * bars)]
    quarters = np.repeat(np.array(beats, dtype=np.float32), QUARTERS, axis=0)
    features = BeatFeatures(quarters, ("mel",) * 40 + ("chroma",) * 12)
    n = len(beats)
    position = ((np.arange(n) - pause) % 4).astype(np.int8)
    bar = np.maximum(np.cumsum(position == 0) - 1, 0)
    activity = np.where(np.arange(n) < pause, Activity.TALK, Activity.MUSIC).astype(np.int8)
    return find_form(features, bar, position, activity)


def starts(form: Form) -> list[int]:
    return np.flatnonzero(np.diff(form.section, prepend=-1)).tolist()


def test_sections_begin_where_the_sound_changes_and_alike_ones_share_a_label() -> None:
    form = form_of("ABAB")
    assert starts(form) == [0, 32, 64, 96]
    assert form.label == ("A", "B", "A", "B")


def test_what_is_not_music_is_a_section_of_no_label() -> None:
    form = form_of("AB", pause=12)
    assert starts(form) == [0, 12, 44]
    assert form.label == ("-", "A", "B")


def test_a_phrase_is_four_bars_and_begins_with_its_section() -> None:
    form = form_of("AB", bars=6)
    phrase_starts = np.flatnonzero(np.diff(form.phrase, prepend=-1)).tolist()
    assert phrase_starts == [0, 16, 24, 40]


def test_one_sound_is_one_section() -> None:
    assert form_of("A", bars=16).label == ("A",)


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_most_sections_of_a_song_are_found_within_a_bar(seed: int) -> None:
    song = make_song(np.random.default_rng(seed))
    spectra = listen(song.mix, song.sample_rate)
    bounds = np.unique(np.concatenate([[0], song.beats, [song.mix.shape[1]]]))
    features = beat_features(spectra, onset_bands(spectra.mel), bounds, song.sample_rate)
    position = np.concatenate([[3], song.bar_position, [0, 1, 2, 3] * 4])[: len(bounds) - 1].astype(np.int8)
    bar = np.maximum(np.cumsum(position == 0) - 1, 0)
    form = find_form(features, bar, position, np.zeros(len(position), dtype=np.int8))
    found_s = bounds[starts(form)] / song.sample_rate
    bar_s = 4 * 60.0 / song.tempo_bpm
    written_s = [song.beats[section.start_beat] / song.sample_rate for section in song.sections[1:]]
    hits = [np.abs(found_s - time_s).min() <= bar_s for time_s in written_s]
    assert np.mean(hits) >= 0.6
