import librosa
import numpy as np
import pytest

from rl_editor.audio.composition import STEMS
from rl_editor.audio.loudness import integrated_lufs, weighted_power
from rl_editor.audio.mixing import ceiling_gain, quick_lufs
from rl_editor.audio.sample_songs import Song, make_song, song_names

RATE = 22050


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return [make_song(np.random.default_rng(seed), sample_rate=RATE, length_s=55.0) for seed in range(5)]


def chroma_of(song: Song, label: str) -> list[np.ndarray]:
    """Chroma of each bar of each section of a label, (bars, 12), without drums."""
    tonal = sum(song.stems[stem] for stem in STEMS if stem != "drums").mean(axis=0)
    chroma = librosa.feature.chroma_stft(y=tonal, sr=RATE, hop_length=512, tuning=0.0)
    per_bar = song.piece.composition.beats_per_bar
    found = []
    for section in song.sections:
        if section.label == label:
            bounds = song.beats[section.start_beat : section.start_beat + section.n_beats : per_bar] // 512
            found.append(np.array([bar.mean(axis=1) for bar in np.split(chroma, bounds, axis=1)[1:-1]]))
    return found


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    n = min(len(a), len(b))
    return float(np.corrcoef(a[:n].ravel(), b[:n].ravel())[0, 1])


def test_stems_sum_to_the_mix_which_is_loud_but_does_not_clip(songs: list[Song]) -> None:
    for song in songs:
        assert tuple(song.stems) == STEMS
        total = sum(song.stems[stem].astype(np.float64) for stem in STEMS)
        assert np.abs(total - song.mix).max() < 1e-6
        assert song.mix.dtype == np.float32
        assert np.isfinite(song.mix).all()
        assert 0.3 < np.abs(song.mix).max() < 0.95
        assert -18.5 < quick_lufs(song.mix, RATE) < -13.5


def test_every_part_plays_and_none_drowns_the_others(songs: list[Song]) -> None:
    for song in songs:
        levels = [quick_lufs(song.stems[stem], RATE) for stem in STEMS]
        assert max(levels) - min(levels) < 15.0


def test_the_same_seed_gives_the_same_bytes_and_another_another_song() -> None:
    def made(seed: int) -> bytes:
        return make_song(np.random.default_rng(seed), sample_rate=RATE, length_s=25.0).mix.tobytes()

    assert made(3) == made(3)
    assert made(3) != made(4)


def test_the_first_attack_of_a_beat_starts_exactly_at_it(songs: list[Song]) -> None:
    for song in songs:
        drums = song.stems["drums"].mean(axis=0)
        beats = [b for b in song.beats if np.abs(drums[b : b + 200]).max() > 0.05]
        assert len(beats) > len(song.beats) // 4
        before = np.array([np.abs(drums[b - 20 : b]).max() for b in beats])
        after = np.array([np.abs(drums[b : b + 60]).max() for b in beats])
        assert np.median(after / np.maximum(before, 1e-4)) > 10.0


def test_energy_rises_at_written_beats_far_more_than_elsewhere(songs: list[Song]) -> None:
    for song in songs:
        spectra = np.abs(librosa.stft(song.mix.mean(axis=0), n_fft=256, hop_length=64))
        rise = np.maximum(np.diff(np.log1p(50.0 * spectra), axis=1), 0.0).sum(axis=0)
        at_beats = np.array([rise[max(b - 3, 0) : b + 4].max() for b in song.beats // 64])
        elsewhere = np.random.default_rng(0).integers(10, len(rise) - 10, 500)
        anywhere = np.array([rise[b - 3 : b + 4].max() for b in elsewhere])
        assert (at_beats[:, None] > anywhere).mean() > 0.9


def test_a_tracker_finds_the_tempo_or_an_octave_of_it(songs: list[Song]) -> None:
    found = 0
    for song in songs:
        tempo = librosa.beat.beat_track(y=song.mix.mean(axis=0), sr=RATE)[0].item()
        found += min(abs(np.log2(tempo / song.tempo_bpm * octave)) for octave in (0.5, 1.0, 2.0)) < 0.06
    assert found >= 4


def test_the_tempo_drifts_a_little_but_never_jumps(songs: list[Song]) -> None:
    for song in songs:
        tempo_bpm = 60.0 * RATE / np.diff(song.beats)[: -2 * song.piece.composition.beats_per_bar]
        assert 0.001 < tempo_bpm.std() / song.tempo_bpm < 0.03
        assert np.abs(tempo_bpm / song.tempo_bpm - 1.0).max() < 0.06


def test_sections_tile_the_beats_and_begin_on_downbeats(songs: list[Song]) -> None:
    for song in songs:
        starts = [section.start_beat for section in song.sections]
        ends = [section.start_beat + section.n_beats for section in song.sections]
        assert starts == [0, *ends[:-1]]
        assert ends[-1] == len(song.beats) == len(song.bar_position)
        assert not song.bar_position[starts].any()


def test_a_chorus_comes_back_and_differs_from_the_verse(songs: list[Song]) -> None:
    for song in songs:
        (first, second), verse = chroma_of(song, "chorus")[:2], chroma_of(song, "verse")[0]
        assert similarity(first, second) > 0.8
        assert similarity(first, second) > similarity(first, verse) + 0.1


def test_a_chorus_is_louder_than_a_verse(songs: list[Song]) -> None:
    for song in songs:
        level = {}
        for section in song.sections:
            start, end = song.beats[[section.start_beat, section.start_beat + section.n_beats - 1]]
            level.setdefault(section.label, quick_lufs(song.mix[:, start:end], RATE))
        assert level["chorus"] > level["verse"] + 0.3


def test_the_last_chord_rings_out_to_silence(songs: list[Song]) -> None:
    for song in songs:
        tail = song.mix[:, song.beats[-1] :]
        assert tail.shape[1] > 2.5 * RATE
        assert np.abs(tail[:, RATE : 2 * RATE]).max() > 0.01
        assert np.abs(tail[:, -50:]).max() < 0.003


def test_the_spectrum_falls_like_that_of_a_record_and_its_low_end_is_mono(songs: list[Song]) -> None:
    for song in songs:
        middle, side = song.mix.sum(axis=0) / 2.0, (song.mix[0] - song.mix[1]) / 2.0
        power = np.square(np.abs(librosa.stft(middle, n_fft=4096))).mean(axis=1)
        side_power = np.square(np.abs(librosa.stft(side, n_fft=4096))).mean(axis=1)
        hz = np.arange(len(power)) * RATE / 4096
        octaves_db = [10.0 * np.log10(power[(hz >= f) & (hz < 2 * f)].sum()) for f in (80, 320, 1280, 5120)]
        tilt = np.polyfit([0, 2, 4, 6], octaves_db, 1)[0]
        assert -7.0 < tilt < -1.5
        low = (hz > 30) & (hz < 110)
        assert side_power[low].sum() < 0.03 * power[low].sum()
        assert side_power.sum() > 0.005 * power.sum()


@pytest.mark.parametrize("length_s", [30.0, 90.0])
def test_a_song_is_about_as_long_as_was_asked(length_s: float) -> None:
    for seed in range(2):
        song = make_song(np.random.default_rng(seed), sample_rate=16000, length_s=length_s)
        assert song.mix.shape[1] / 16000 == pytest.approx(length_s, rel=0.35)


def test_names_are_different_even_for_many_songs() -> None:
    names = song_names(300, np.random.default_rng(0))
    assert len(set(names)) == 300


def test_the_quick_meter_agrees_with_the_standards_meter_on_music(songs: list[Song]) -> None:
    for song in songs:
        for sound in (song.mix, *song.stems.values()):
            assert quick_lufs(sound, RATE) == pytest.approx(integrated_lufs(weighted_power(sound, RATE)), abs=0.3)


def test_loudness_of_the_standards_reference_tone() -> None:
    tone = np.sin(2 * np.pi * 997.0 * np.arange(5 * 48000) / 48000).astype(np.float32)
    assert quick_lufs(np.stack([tone, 0.0 * tone]), 48000) == pytest.approx(-3.01, abs=0.05)
    assert quick_lufs(np.zeros((2, 48000), np.float32), 48000) == -70.0


def test_the_ceiling_leaves_quiet_sound_alone_and_holds_loud_sound() -> None:
    sound = np.linspace(-4.0, 4.0, 801, dtype=np.float32)[None]
    driven = sound * ceiling_gain(sound, 0.9)
    assert np.abs(driven).max() <= 0.9
    assert (np.diff(driven) > -1e-6).all()
    quiet = np.abs(sound) <= 0.45
    assert (driven[quiet] == sound[quiet]).all()
