import re
import resource
from pathlib import Path

import numpy as np
import pytest

from rl_editor.arrays import Array
from rl_editor.audio import encoding as encodings
from rl_editor.audio.encoding import Encoding, check_holds, output_encoding, writable_suffix
from rl_editor.audio.files import read_audio, write_audio
from rl_editor.errors import AudioError, EditorError


def noise(channels: int = 2, n: int = 20_000, level: float = 0.5, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return (level * rng.uniform(-1, 1, (channels, n))).astype(np.float32)


class TestOutputEncoding:
    @pytest.mark.parametrize(
        ("suffix", "source", "expected"),
        [
            (".wav", Encoding("WAV", "PCM_16"), "PCM_16"),
            (".WAV", Encoding("FLAC", "PCM_24"), "PCM_24"),
            (".wav", Encoding("FLAC", "PCM_S8"), "PCM_U8"),
            (".flac", Encoding("WAV", "PCM_U8"), "PCM_S8"),
            (".flac", Encoding("WAV", "FLOAT"), "PCM_24"),
            (".flac", Encoding("WAV", "PCM_32"), "PCM_24"),
            (".wav", Encoding("WAV", "DOUBLE"), "FLOAT"),
            (".caf", Encoding("CAF", "ALAC_20"), "PCM_24"),
            (".aiff", Encoding("AIFF", "PCM_S8"), "PCM_16"),
            (".wav", Encoding("MP3", "MPEG_LAYER_III"), "PCM_24"),
            (".flac", Encoding("M4A", "FFMPEG"), "PCM_24"),
            (".aif", None, "PCM_16"),
            (".ogg", Encoding("WAV", "PCM_16"), "VORBIS"),
            (".opus", None, "OPUS"),
            (".mp3", Encoding("WAV", "FLOAT"), "MPEG_LAYER_III"),
        ],
    )
    def test_the_depth_is_the_sources_or_the_nearest_that_loses_least(self, suffix, source, expected):
        assert output_encoding(suffix, source).subtype == expected

    @pytest.mark.parametrize("suffix", encodings.SUFFIXES)
    def test_every_known_suffix_is_written_as_promised(self, tmp_path, suffix):
        path = tmp_path / f"a{suffix.upper()}"
        write_audio(path, noise(), 48000, encoding=Encoding("WAV", "FLOAT"))
        assert read_audio(path).encoding == output_encoding(suffix, Encoding("WAV", "FLOAT"))

    def test_a_suffix_that_can_not_be_written_becomes_wav(self):
        suffixes = {".MP3": ".MP3", ".flac": ".flac", ".m4a": ".wav", "": ".wav"}
        assert {suffix: writable_suffix(suffix) for suffix in suffixes} == suffixes


class TestWriting:
    @pytest.mark.parametrize(
        ("name", "channels", "sample_rate", "message"),
        [
            ("a.mp3", 6, 44100, r"MP3 holds at most 2 channels, this sound has 6; write a \.wav or \.flac$"),
            ("a.flac", 9, 44100, r"FLAC holds at most 8 channels, this sound has 9; write a \.wav$"),
            (
                "a.mp3",
                2,
                96000,
                r"MP3 holds only 8, 11\.025, .*, 48 kHz, this sound has 96 kHz; write a \.wav or",
            ),
            (
                "a.opus",
                2,
                44100,
                r"Opus holds only 8, 12, 16, 24, 48 kHz, this sound has 44\.1 kHz; write a \.wav",
            ),
            (
                "a.ogg",
                2,
                352_800,
                r"Ogg Vorbis holds only rates up to 200 kHz, this sound has 352\.8 kHz; write",
            ),
            (
                "a.ogg",
                256,
                44100,
                r"Ogg Vorbis holds at most 255 channels, this sound has 256; write a \.wav$",
            ),
            ("a.flac", 1, 768_000, r"FLAC holds only rates up to 655\.35 kHz, .* 768 kHz; write a \.wav$"),
            (
                "a.wav",
                1025,
                44100,
                r"WAV holds at most 1024 channels, this sound has 1025; write a sound with fewer",
            ),
            ("a.m4a", 2, 44100, r"\.m4a files can't be written; known are \.wav, \.flac, \.ogg, .*\.caf$"),
            ("a", 2, 44100, r"no suffix says which format to write; known are \.wav"),
        ],
    )
    def test_what_a_format_can_not_hold_names_one_that_can(self, tmp_path, name, channels, sample_rate, message):
        path = tmp_path / name
        for refuse in (
            lambda: check_holds(path, channels, sample_rate),
            lambda: write_audio(path, noise(channels, 100), sample_rate),
        ):
            with pytest.raises(AudioError, match=f"^{re.escape(str(path))}: {message}"):
                refuse()
        assert list(tmp_path.iterdir()) == []

    def test_the_limits_are_the_last_that_work(self, tmp_path):
        for suffix, channels, sample_rate in [
            (".wav", 1024, 44100),
            (".flac", 8, 655_350),
            (".ogg", 255, 44100),
            (".ogg", 2, 200_000),
            (".opus", 255, 48000),
        ]:
            path = tmp_path / f"a{suffix}"
            write_audio(path, noise(channels, 1000), sample_rate, overwrite=True)
            assert read_audio(path).audio.shape == (channels, 1000)

    def test_an_existing_file_is_replaced_only_when_asked(self, tmp_path):
        path = tmp_path / "a.wav"
        write_audio(path, noise(), 44100)
        before = path.read_bytes()
        with pytest.raises(EditorError, match=r"a\.wav: exists already; --overwrite replaces it$"):
            write_audio(path, noise(seed=1), 44100)
        assert path.read_bytes() == before
        write_audio(path, noise(seed=1), 44100, overwrite=True)
        assert path.read_bytes() != before

    @pytest.mark.parametrize(
        ("audio", "message"),
        [
            (np.zeros((2, 0), np.float32), r"a\.wav: no samples to write$"),
            (
                np.full((1, 70_000), np.nan, np.float32),
                r"a\.wav: the sound to write holds NaN or infinite samples$",
            ),
            (np.full((1, 70_000), -np.inf, np.float32), r"a\.wav: the sound to write holds NaN or infinite"),
        ],
    )
    def test_sound_that_is_none_is_refused(self, tmp_path, audio, message):
        with pytest.raises(AudioError, match=message):
            write_audio(tmp_path / "a.wav", audio, 44100)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", encodings.SUFFIXES)
    @pytest.mark.parametrize("missing", [3, 20_000])
    def test_a_full_disk_is_one_line_and_leaves_nothing(self, tmp_path, suffix, missing):
        audio = noise(n=100_000)
        whole, path = tmp_path / f"whole{suffix}", tmp_path / "new" / f"a{suffix}"
        write_audio(whole, audio, 48000)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (whole.stat().st_size - missing, limits[1]))
        try:
            with pytest.raises(AudioError, match=rf"a{suffix}: can't be written \([^\n]+\)$"):
                write_audio(path, audio, 48000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert list(path.parent.iterdir()) == []

    def test_a_rate_no_encoder_takes_is_one_line(self, tmp_path):
        with pytest.raises(AudioError, match=r"a\.flac: can't be written \(libsndfile: [^\n]+\)$"):
            write_audio(tmp_path / "a.flac", noise(), 65_537)
        assert list(tmp_path.iterdir()) == []

    def test_a_wav_too_long_for_its_header_becomes_rf64(self, tmp_path, monkeypatch):
        assert encodings.container_for(Path("a.wav"), Encoding("WAV", "PCM_16"), 2**32) == "RF64"
        assert encodings.container_for(Path("a.w64"), Encoding("W64", "PCM_16"), 2**32) == "W64"
        with pytest.raises(AudioError, match=r"^a\.aiff: AIFF holds at most 4 GB, this sound has 4\.3; write a \.wav"):
            encodings.container_for(Path("a.aiff"), Encoding("AIFF", "PCM_16"), 2**32)
        monkeypatch.setattr("rl_editor.audio.files.container_for", lambda *_: "RF64")
        audio = noise()
        write_audio(tmp_path / "a.wav", audio, 44100, encoding=Encoding("WAV", "FLOAT"))
        recording = read_audio(tmp_path / "a.wav")
        assert recording.encoding == Encoding("RF64", "FLOAT")
        np.testing.assert_array_equal(recording.audio, audio)

    def test_float_files_keep_peaks_beyond_full_scale(self, tmp_path):
        audio = noise(level=3.0)
        assert write_audio(tmp_path / "a.wav", audio, 44100, encoding=Encoding("WAV", "FLOAT")) == 0.0
        np.testing.assert_array_equal(read_audio(tmp_path / "a.wav").audio, audio)
