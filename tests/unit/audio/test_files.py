import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rl_editor.arrays import Array
from rl_editor.audio.encoding import SUFFIXES, Encoding
from rl_editor.audio.files import read_audio, write_audio
from rl_editor.audio.source import content_hash
from rl_editor.errors import AudioError

DEPTHS = [
    (".wav", "PCM_U8", 8),
    (".wav", "PCM_16", 16),
    (".wav", "PCM_24", 24),
    (".flac", "PCM_S8", 8),
    (".flac", "PCM_16", 16),
    (".flac", "PCM_24", 24),
    (".aiff", "PCM_16", 16),
    (".aif", "PCM_24", 24),
    (".w64", "PCM_U8", 8),
    (".w64", "PCM_24", 24),
    (".caf", "PCM_S8", 8),
    (".caf", "PCM_24", 24),
]
# LAME in soundfile's wheel: every rate of MPEG-1, 2 and 2.5
MP3_RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]


def noise(channels: int = 2, n: int = 20_000, level: float = 0.5, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return (level * rng.uniform(-1, 1, (channels, n))).astype(np.float32)


def tone(sample_rate: int, channels: int, n: int, amplitude: float = 0.5) -> Array:
    # A chirp: unlike a sine it shows any shift in time.
    t = np.arange(n) / sample_rate
    chirp = amplitude * np.sin(2 * np.pi * (200 * t + 300 * t**2))
    return np.tile(chirp, (channels, 1)).astype(np.float32)


def snr_db(reference: Array, other: Array) -> float:
    return float(10 * np.log10(np.mean(reference**2) / np.mean((other - reference) ** 2)))


def without_length_tag(path: Path) -> None:
    """Remove an MP3's first frame, in which LAME states the length."""
    data = path.read_bytes()
    path.write_bytes(data[data.index(data[:2], 4) :])


class TestIntegers:
    @pytest.mark.parametrize(("suffix", "subtype", "bits"), DEPTHS)
    @settings(max_examples=15, deadline=None)
    @given(data=st.data())
    def test_samples_on_the_grid_survive_reading_and_writing_bit_for_bit(self, suffix, subtype, bits, data):
        full = 2 ** (bits - 1)
        shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 50)))
        elements = st.one_of(st.integers(-full, full - 1), st.sampled_from([-full, full - 1, 0, -1, 1]))
        steps = data.draw(hnp.arrays(np.int64, shape, elements=elements))
        audio = (steps / full).astype(np.float32)
        with tempfile.TemporaryDirectory() as folder:
            first, second = Path(folder) / f"first{suffix}", Path(folder) / f"second{suffix}"
            assert write_audio(first, audio, 44100, encoding=Encoding("WAV", subtype)) == 0.0
            recording = read_audio(first)
            assert recording.encoding.subtype == subtype
            np.testing.assert_array_equal(recording.audio, audio)
            write_audio(second, recording.audio, 44100, encoding=recording.encoding)
            stored = sf.read(second, dtype="int32", always_2d=True)[0].T
        np.testing.assert_array_equal(stored, steps << (32 - bits))

    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
    def test_a_file_written_by_someone_else_is_copied_bit_for_bit(self, tmp_path, subtype):
        steps = np.random.default_rng(1).integers(-(2**31), 2**31, (70_000, 2), dtype=np.int32)
        sf.write(tmp_path / "a.wav", steps, 48000, subtype)
        recording = read_audio(tmp_path / "a.wav")
        write_audio(tmp_path / "b.wav", recording.audio, 48000, encoding=recording.encoding)
        theirs, ours = (sf.read(tmp_path / name, dtype="int32")[0] for name in ("a.wav", "b.wav"))
        np.testing.assert_array_equal(ours, theirs)

    def test_32_bit_keeps_all_that_float32_holds(self, tmp_path):
        audio = noise()
        write_audio(tmp_path / "a.wav", audio, 44100, encoding=Encoding("WAV", "PCM_32"))
        recording = read_audio(tmp_path / "a.wav")
        assert recording.encoding == Encoding("WAV", "PCM_32")
        np.testing.assert_array_equal(recording.audio, np.rint(audio.astype(np.float64) * 2**31) / 2**31)

    def test_samples_between_steps_are_rounded_without_an_offset(self, tmp_path):
        audio = noise(n=200_000)
        write_audio(tmp_path / "a.wav", audio, 44100)
        error = (read_audio(tmp_path / "a.wav").audio - audio) * 2**15
        assert np.abs(error).max() <= 0.5
        assert abs(error.mean()) < 0.01

    def test_full_scale_is_no_peak_to_turn_down(self, tmp_path):
        assert write_audio(tmp_path / "a.wav", np.array([[1.0, -1.0, 0.25]], np.float32), 44100) == 0.0
        np.testing.assert_array_equal(sf.read(tmp_path / "a.wav", dtype="int16")[0], [32767, -32768, 8192])

    @pytest.mark.parametrize(("suffix", "subtype"), [(".wav", "PCM_U8"), (".flac", "PCM_16"), (".aiff", "PCM_24")])
    def test_a_peak_that_would_clip_turns_the_whole_file_down(self, tmp_path, suffix, subtype):
        audio = noise(level=0.9)
        audio[0, 17_000] = -1.6
        gain_db = write_audio(tmp_path / f"a{suffix}", audio, 44100, encoding=Encoding("WAV", subtype))
        assert gain_db == pytest.approx(20 * np.log10(1 / 1.6), abs=1e-5)
        written = read_audio(tmp_path / f"a{suffix}").audio
        np.testing.assert_allclose(written, audio / 1.6, atol=2.0**-7 if subtype == "PCM_U8" else 2.0**-15)


class TestLengths:
    @pytest.mark.parametrize(("suffix", "floor_db"), [(".mp3", 50), (".ogg", 25)])
    @pytest.mark.parametrize("sample_rate", [44100, 48000])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_lossy_files_keep_length_and_place(self, tmp_path, suffix, floor_db, sample_rate, channels):
        path = tmp_path / f"a{suffix}"
        for n in (1, 1152, 100_001):
            audio = tone(sample_rate, channels, n)
            write_audio(path, audio, sample_rate, overwrite=True)
            back = read_audio(path).audio
            assert back.shape == audio.shape
        assert snr_db(audio, back) > floor_db

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize("channels", [1, 2])
    def test_reading_in_blocks_gives_what_reading_at_once_gives(self, tmp_path, suffix, channels):
        path = tmp_path / f"a{suffix}"
        write_audio(path, tone(48000, channels, 300_000), 48000)
        at_once = sf.read(path, dtype="float32", always_2d=True)[0].T
        np.testing.assert_array_equal(read_audio(path).audio, at_once)

    @pytest.mark.parametrize("sample_rate", MP3_RATES)
    def test_mp3_keeps_the_length_at_every_rate_it_has(self, tmp_path, sample_rate):
        write_audio(tmp_path / "a.mp3", tone(sample_rate, 2, 33_333), sample_rate)
        recording = read_audio(tmp_path / "a.mp3")
        assert (recording.sample_rate, recording.source.n_samples) == (sample_rate, 33_333)

    def test_opus_comes_back_with_its_length(self, tmp_path):
        write_audio(tmp_path / "a.opus", noise(n=50_001, level=0.2), 48000)
        recording = read_audio(tmp_path / "a.opus")
        assert recording.audio.shape == (2, 50_001)
        assert recording.encoding == Encoding("OGG", "OPUS")

    def test_a_minute_of_vorbis_does_not_end_the_process(self, tmp_path):
        write_audio(tmp_path / "a.ogg", noise(n=60 * 22050, level=0.1), 22050)
        assert read_audio(tmp_path / "a.ogg").source.duration_s == 60.0

    def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end(self, tmp_path):
        # Silence first: from its low bit rate libsndfile guesses a wrong length.
        audio = np.concatenate([noise(n=200_000, level=0.01), noise(n=200_000, level=0.8)], axis=1)
        path = tmp_path / "a.mp3"
        write_audio(path, audio, 44100)
        whole = read_audio(path).audio
        without_length_tag(path)
        assert abs(sf.info(path).frames - 400_000) > 10_000
        back = read_audio(path).audio
        assert 400_000 <= back.shape[1] <= 400_000 + 3 * 1152
        # The encoder's delay is no longer known, so it stays.
        np.testing.assert_array_equal(back[:, 1105 : 1105 + 390_000], whole[:, :390_000])

    def test_a_flac_that_does_not_state_its_length_is_read_to_its_end(self, tmp_path):
        path, audio = tmp_path / "a.flac", noise(n=100_000)
        write_audio(path, audio, 44100)
        data = bytearray(path.read_bytes())
        data[21] &= 0xF0  # the 36 bits of STREAMINFO's total samples
        data[22:26] = bytes(4)
        expected = read_audio(path).audio
        path.write_bytes(data)
        np.testing.assert_array_equal(read_audio(path).audio, expected)


class TestReading:
    def test_a_recording_knows_its_identity_and_encoding(self, tmp_path):
        path, audio = tmp_path / "a.wav", noise(channels=6)
        write_audio(path, audio, 96000, encoding=Encoding("WAV", "FLOAT"))
        recording = read_audio(path)
        np.testing.assert_array_equal(recording.audio, audio)
        assert recording.audio.dtype == np.float32
        assert recording.audio.flags.c_contiguous
        assert recording.source.content_hash == content_hash(audio, 96000)
        assert recording.source.file == str(path)
        assert recording.encoding == Encoding("WAV", "FLOAT")
        assert recording.sample_rate == 96000

    @pytest.mark.parametrize(
        ("suffix", "channels", "sample_rate"),
        [
            (".wav", 6, 44100),
            (".flac", 6, 44100),
            (".wav", 1, 8000),
            (".flac", 2, 192_000),
            (".ogg", 1, 8000),
        ],
    )
    def test_unusual_channels_and_rates_are_kept(self, tmp_path, suffix, channels, sample_rate):
        path = tmp_path / f"a{suffix}"
        write_audio(path, noise(channels), sample_rate)
        recording = read_audio(path)
        assert recording.audio.shape == (channels, 20_000)
        assert recording.sample_rate == sample_rate

    @pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a", "a.m4a"])
    def test_the_content_counts_and_not_the_suffix(self, tmp_path, name):
        write_audio(tmp_path / "a.wav", noise(), 44100)
        (tmp_path / "a.wav").rename(tmp_path / name)
        assert read_audio(tmp_path / name).encoding == Encoding("WAV", "PCM_16")

    def test_a_name_that_is_not_utf8_can_be_read_and_written(self, tmp_path):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
        write_audio(path, noise(), 44100)
        assert read_audio(path).source.n_samples == 20_000

    @pytest.mark.parametrize("suffix", [".ogg", ".mp3", ".opus"])
    def test_peaks_of_lossy_files_beyond_full_scale_are_kept(self, tmp_path, suffix):
        path, audio = tmp_path / f"hot{suffix}", tone(48000, 2, 96_000, amplitude=1.3)
        assert write_audio(path, audio, 48000) == 0.0
        back = read_audio(path).audio
        assert 1.25 < np.abs(back).max() < 1.7
        assert snr_db(audio, back) > 20

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("empty.wav", b"", r"empty\.wav: is empty \(0 bytes\)$"),
            ("text.mp3", b"not music\n" * 500, r"text\.mp3: not a sound file, or damaged from its start$"),
            ("zeros.mp3", bytes(20_000), r"zeros\.mp3: not a sound file, or damaged"),
            ("text.wav", b"not music\n" * 500, r"text\.wav: not a sound file, or damaged from its start$"),
            ("data.raw", bytes(100), r"data\.raw: a \.raw file does not say its rate and channels; convert"),
            (
                "song.m4a",
                bytes(100),
                r"song\.m4a: needs ffmpeg to be read; install it \(Debian: apt install ffmpeg\) or convert to wav,"
                r" flac, ogg or mp3$",
            ),
        ],
    )
    def test_what_is_no_sound_is_said_in_one_line(self, tmp_path, monkeypatch, capfd, name, content, message):
        monkeypatch.setenv("PATH", str(tmp_path))
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioError, match=message) as caught:
            read_audio(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
        assert capfd.readouterr().err == ""

    def test_missing_files_and_folders_are_named_as_given(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(AudioError, match=r"^nope\.wav: no such file$"):
            read_audio(Path("nope.wav"))
        Path("folder.wav").mkdir()
        with pytest.raises(AudioError, match=r"^folder\.wav: is a folder, not a sound file$"):
            read_audio(Path("folder.wav"))
        os.mkfifo("pipe.wav")
        with pytest.raises(AudioError, match=r"^pipe\.wav: not a regular file"):
            read_audio(Path("pipe.wav"))
        with pytest.raises(AudioError, match=r"can't be read \(File name too long\)$"):
            read_audio(Path("x" * 300 + ".wav"))

    @pytest.mark.parametrize("suffix", [".flac", ".mp3"])
    def test_a_file_cut_short_says_how_far_it_decodes(self, tmp_path, capfd, suffix):
        path = tmp_path / f"cut{suffix}"
        write_audio(path, noise(n=400_000), 40_000 if suffix == ".flac" else 32_000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        whole = "10.00" if suffix == ".flac" else "12.50"
        with pytest.raises(AudioError, match=rf"decodes only to \d\.\d\d s of {whole} s; get a whole") as caught:
            read_audio(path)
        decoded_s = float(re.findall(r"to (\d\.\d\d) s", str(caught.value))[0])
        assert 3 < decoded_s < 7
        assert capfd.readouterr().err == ""

    def test_a_flac_with_garbage_in_it_says_how_far_it_decodes(self, tmp_path):
        path = tmp_path / "a.flac"
        write_audio(path, noise(n=400_000), 40_000)
        data = bytearray(path.read_bytes())
        half = len(data) // 2
        data[half : half + 3000] = bytes(3000)
        path.write_bytes(data)
        with pytest.raises(AudioError, match=r"a\.flac: damaged or cut short, it decodes only to [345]\.\d\d s of"):
            read_audio(path)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_samples_that_are_no_numbers_are_located(self, tmp_path, value):
        audio = noise(n=100_000)
        audio[1, 88_200] = value
        sf.write(tmp_path / "a.wav", audio.T, 44100, "FLOAT")
        with pytest.raises(AudioError, match=r"a\.wav: holds NaN or infinite samples, the first at 2\.000 s$"):
            read_audio(tmp_path / "a.wav")

    def test_a_file_without_samples_is_refused(self, tmp_path):
        sf.write(tmp_path / "a.wav", np.zeros((0, 2)), 44100)
        with pytest.raises(AudioError, match=r"a\.wav: holds no samples$"):
            read_audio(tmp_path / "a.wav")

    def test_a_header_that_claims_years_of_sound_is_refused(self, tmp_path, monkeypatch):
        write_audio(tmp_path / "a.flac", noise(), 44100)

        def no_memory(*_args, **_kwargs):
            raise MemoryError

        monkeypatch.setattr("rl_editor.audio.files.np.empty", no_memory)
        with pytest.raises(AudioError, match=r"a\.flac: 0\.0 hours of sound do not fit into memory$"):
            read_audio(tmp_path / "a.flac")


@pytest.mark.skipif(
    not (shutil.which("ffmpeg") and shutil.which("ffprobe")), reason="ffmpeg and ffprobe are not installed"
)
class TestFfmpeg:
    def encode(self, folder: Path, audio: Array, name: str) -> Path:
        sf.write(folder / "source.wav", audio.T, 48000, "FLOAT")
        command = ["ffmpeg", "-v", "error", "-nostdin", "-i", folder / "source.wav", folder / name]
        subprocess.run(command, check=True)
        return folder / name

    @pytest.mark.parametrize("name", ["a.m4a", "-odd: name.m4a"])
    def test_an_m4a_is_read_in_its_place(self, tmp_path, monkeypatch, capfd, name):
        audio = tone(48000, 2, 96_000)
        self.encode(tmp_path, audio, "a.m4a").rename(tmp_path / name)
        monkeypatch.chdir(tmp_path)
        recording = read_audio(Path(name))
        assert recording.encoding == Encoding("M4A", "FFMPEG")
        assert recording.source.file == name
        # ffmpeg's AAC does not state where the sound ends in its last frame.
        assert 0 <= recording.source.n_samples - 96_000 < 1024
        assert snr_db(audio, recording.audio[:, :96_000]) > 30
        assert capfd.readouterr().err == ""

    def test_what_ffmpeg_decodes_is_not_clipped(self, tmp_path):
        audio = noise(level=1.7)
        np.testing.assert_array_equal(read_audio(self.encode(tmp_path, audio, "a.wv")).audio, audio)

    @pytest.mark.parametrize("name", ["a.m4a", "a.mp3"])
    def test_garbage_gives_one_line_and_not_the_log_of_ffmpeg(self, tmp_path, capfd, name):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(10_000))
        with pytest.raises(AudioError, match=r"^[^\n]*: not a sound file, or damaged; ffmpeg can't read it either$"):
            read_audio(tmp_path / name)
        assert capfd.readouterr().err == ""
