import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.analyse import analyse
from rl_editor.audio.encoding import Encoding
from rl_editor.audio.files import Recording
from rl_editor.audio.mixing import quick_lufs
from rl_editor.audio.sample_songs import PLAYED_LUFS, make_song
from rl_editor.audio.source import identify
from rl_editor.data.excerpt import Span, cut_into_units, draw_excerpt
from rl_editor.data.faults import FAMILIES, Fault
from rl_editor.data.performance import Material, perform
from rl_editor.data.recorded_song import RecordedSong, Repeat, recorded_song
from rl_editor.data.recorded_takes import RecordedTake, TakeConfig, recorded_take
from rl_editor.data.session_plan import Playing, draw_ratio, plan_session
from rl_editor.data.stretching import stretched, transposed
from rl_editor.edits.edl import from_json, to_json
from rl_editor.edits.render import render
from rl_editor.errors import DataError

RATE = 22050
ENCODING = Encoding("WAV", "FLOAT")
SMALL = TakeConfig(longest_raw_s=120.0, longest_song_s=45.0)


def recording(audio: np.ndarray, name: str) -> Recording:
    return Recording(audio, identify(audio, RATE, file=f"{name}.wav"), ENCODING)


def made_up(seed: int, length_s: float) -> RecordedSong:
    made = recording(make_song(np.random.default_rng(seed), sample_rate=RATE, length_s=length_s).mix, f"song {seed}")
    return recorded_song(made, analyse(made.audio, RATE, source=made.source))


@pytest.fixture(scope="module")
def song() -> RecordedSong:
    return made_up(1, 60.0)


@pytest.fixture(scope="module")
def other() -> RecordedSong:
    return made_up(2, 30.0)


def take(song: RecordedSong, seed: int = 0, **settings: object) -> RecordedTake:
    return recorded_take(song, np.random.default_rng(seed), config=replace(SMALL, **settings))


def plan(song: RecordedSong, seed: int, ratio: float = 0.25, mode: str | None = None, **kwargs: object):
    arguments = {"families": FAMILIES, "longest_raw_s": 720.0, "longest_song_s": 240.0} | kwargs
    rng = np.random.default_rng(seed)
    return plan_session(song, (), rng, ratio=ratio, mode=mode, **arguments)


def test_a_song_is_material_from_its_first_sound_to_where_the_last_has_died_away(other: RecordedSong) -> None:
    n = other.audio.shape[1]
    quiet = recording(np.pad(other.audio, ((0, 0), (3 * RATE, 4 * RATE))), "quiet ends")
    song = recorded_song(quiet, analyse(quiet.audio, RATE, source=quiet.source))
    heard = np.flatnonzero(np.abs(quiet.audio).max(axis=0) > 0.02)
    assert heard[0] - 0.05 * RATE < song.bounds[0] <= heard[0]
    assert heard[-1] < song.bounds[-1] < 3 * RATE + n + 0.1 * RATE
    assert (np.diff(song.bounds) > 0).all()
    assert song.name == "quiet ends"
    assert quick_lufs(song.audio, RATE) == pytest.approx(PLAYED_LUFS, abs=0.3)


def test_what_can_not_be_a_song_is_refused(song: RecordedSong) -> None:
    short = recording(song.audio[:, : 10 * RATE], "short")
    with pytest.raises(DataError, match=r"short: .* s of sound and .* beats; takes need at least 15 s and 32 beats"):
        recorded_song(short, analyse(short.audio, RATE, source=short.source))
    with pytest.raises(DataError, match="short: the analysis is of another recording"):
        recorded_song(short, song.track)
    low = replace(short, source=replace(short.source, sample_rate=8000))
    with pytest.raises(DataError, match="short: 8000 Hz; takes need songs of at least 16000 Hz"):
        recorded_song(low, song.track)
    with pytest.raises(DataError, match="no fault family is allowed"):
        recorded_take(song, np.random.default_rng(0), families=())
    with pytest.raises(DataError, match="keep ratio 2"):
        TakeConfig(keep_ratio=2.0)


def test_what_a_song_plays_twice_is_found(other: RecordedSong) -> None:
    first, end = other.bounds[[0, 32]].tolist()
    sound = other.audio
    twice = recording(np.concatenate([sound[:, :end], sound[:, first:]], axis=1), "twice")
    song = recorded_song(twice, analyse(twice.audio, RATE, source=twice.source))
    away_s = song.bounds_s[[r.again for r in song.repeats]] - song.bounds_s[[r.first for r in song.repeats]]
    assert np.abs(away_s - (end - first) / RATE).min() < 0.05
    assert all(repeat.likeness >= 0.8 for repeat in song.repeats)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), tempo=st.floats(0.96, 1.04))
def test_each_mark_falls_near_its_wanted_place_and_sounds_as_it_did(seed: int, tempo: float) -> None:
    rng = np.random.default_rng(seed)
    audio = rng.standard_normal((2, 4 * RATE), dtype=np.float32).cumsum(axis=1)
    marks = np.cumsum(rng.integers(RATE // 5, RATE // 2, 8))
    wanted = (marks - marks[0]) / tempo
    sound, landed = stretched(audio, marks, wanted, RATE, lead=500)
    assert np.abs(landed - 500 - wanted).max() < 0.006 * RATE
    assert sound.shape == (2, landed[-1])
    assert np.array_equal(sound[:, :500], audio[:, marks[0] - 500 : marks[0]])
    for mark, place in zip(marks[:-1], landed, strict=False):
        n = int(0.04 * RATE)
        assert np.array_equal(sound[:, place : place + n], audio[:, mark : mark + n])


def test_at_its_own_tempo_sound_is_unchanged() -> None:
    audio = np.random.default_rng(0).standard_normal((2, RATE), dtype=np.float32)
    marks = np.array([0, 7000, 14000, RATE])
    sound, landed = stretched(audio, marks, marks.astype(float), RATE)
    assert np.array_equal(sound, audio)
    assert np.array_equal(landed, marks)


@pytest.mark.parametrize("semitones", [-3.0, -1.0, 2.0])
def test_transposed_sound_is_as_long_and_as_much_higher_as_asked(semitones: float) -> None:
    t = np.arange(2 * RATE) / RATE
    tone = np.tile(np.sin(2 * np.pi * 440.0 * t), (2, 1)).astype(np.float32)
    high = transposed(tone, np.array([0, RATE // 2, RATE, 2 * RATE]), semitones, RATE)
    assert high.shape == tone.shape
    peak_hz = np.abs(np.fft.rfft(high[0] * np.hanning(2 * RATE))).argmax() / 2.0
    assert 12.0 * np.log2(peak_hz / 440.0) == pytest.approx(semitones, abs=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fault_is_heard_where_it_is_and_nowhere_else(song: RecordedSong, family: str) -> None:
    material = Material(song.audio, song.bounds[8:41], RATE)
    fault = Fault(family, 12, 20, 0.5)
    clean, faulty = (
        perform(material, np.random.default_rng(7), tempo=1.0, faults=faults).audio for faults in ((), (fault,))
    )
    beats = perform(material, np.random.default_rng(7), tempo=1.0, faults=(fault,)).beats
    before, inside = slice(0, beats[11]), slice(beats[12], beats[20])
    assert np.array_equal(clean[:, before], faulty[:, before])
    n = min(clean.shape[1], faulty.shape[1])
    changed = np.abs(clean[:, :n] - faulty[:, :n])[:, inside].mean()
    assert changed > 0.1 * np.abs(clean[:, inside]).mean()


@pytest.mark.parametrize("mode", ["full", "sections", "reorder", "loop"])
def test_the_edit_is_the_song_in_its_order_at_the_tempo_of_the_good_attempts(
    song: RecordedSong, other: RecordedSong, mode: str
) -> None:
    half = song.n_beats // 2
    with_repeat = replace(song, repeats=(Repeat(16, half, 16, 1.0),))
    made = recorded_take(with_repeat, np.random.default_rng(2), others=(other,), config=replace(SMALL, mode=mode))
    card = made.card
    assert card.mode == mode
    kept = [part for part in card.parts if part.kept]
    assert len(kept) == len(card.units)
    assert all(part.kind == "music" and not part.spoiled for part in kept)
    edit = render(made.audio, made.edl)
    assert edit.shape[1] == sum(len(segment) for segment in made.edl.segments)
    starts = [segment.start for segment in made.edl.segments]
    assert set(starts) <= {beat for part in kept for beat in part.beats}
    order = [part.unit for part in kept]
    if mode == "reorder":
        assert order != sorted(order)
        assert starts != sorted(starts)
    else:
        assert order == sorted(order)
    plays = np.zeros(made.audio.shape[1], dtype=int)
    for segment in made.edl.segments:
        plays[segment.start : segment.end] += 1
    assert plays.max() == (2 if mode == "loop" else 1)
    assert all((plays[part.start : part.end] > 0).all() == part.kept for part in card.parts)
    assert from_json(to_json(made.edl)) == made.edl


@pytest.mark.parametrize("seed", range(4))
def test_parts_tile_the_raw_and_beats_are_where_the_song_has_them(song: RecordedSong, seed: int) -> None:
    made = take(song, seed)
    parts = made.card.parts
    assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == made.audio.shape[1] == made.edl.source.n_samples
    assert made.audio.dtype == np.float32
    assert 0.05 < np.abs(made.audio).max() < 1.0
    assert (np.diff(made.beats) > 0).all()
    for part in parts:
        if part.first_beat is None:
            continue
        assert part.beats[0] == part.start
        assert part.end > part.beats[-1]
        span = np.array([*part.beats]) / RATE
        written = song.bounds_s[part.first_beat : part.first_beat + len(span)]
        tempo = (written[-1] - written[0]) / (span[-1] - span[0])
        assert 0.93 < tempo < 1.07
        assert part.song_start == song.bounds[part.first_beat]
        for spoiled in part.spoiled:
            assert part.start <= spoiled.start < spoiled.end <= part.end


def test_the_good_attempt_is_the_song_itself_at_another_pace(song: RecordedSong) -> None:
    made = take(song, 3, mode="full")
    part = next(part for part in made.card.parts if part.kept)
    likeness = []
    for k, at in enumerate(part.beats[4:-4]):
        source = int(song.bounds[part.first_beat + 4 + k])
        n = int(0.05 * RATE)
        x, y = song.audio[:, source : source + n].sum(0), made.audio[:, at : at + n].sum(0)
        likeness.append(np.corrcoef(x, y)[0, 1])
    assert np.median(likeness) > 0.8


def test_a_take_has_worse_attempts_and_most_of_them_have_mistakes(song: RecordedSong) -> None:
    attempts, flawless = 0, 0
    for seed in range(40):
        steps = [step for step in plan(song, seed).steps if isinstance(step, Playing)]
        worse = [step for step in steps if step.kind == "music" and not step.kept]
        assert worse
        attempts += len(worse)
        clean = [step for step in worse if not step.faults]
        assert all(step.unit is None or step.span.n_beats < plan(song, seed).units[step.unit].n_beats for step in clean)
        flawless += len(clean)
        for step in worse:
            assert len({fault.family for fault in step.faults}) <= 3
    assert 0.1 <= flawless / attempts <= 0.2


def test_a_held_out_family_is_never_heard(song: RecordedSong) -> None:
    allowed = ("level", "muffling")
    for seed in range(3):
        made = recorded_take(song, np.random.default_rng(seed), families=allowed, config=SMALL)
        assert set(made.card.families) <= set(allowed)
        assert made.card.held_out == ("timing", "wrong notes", "dropout")


def test_reordered_takes_often_hold_a_run_through_of_the_whole_song(song: RecordedSong) -> None:
    found = []
    for seed in range(20):
        made = plan(song, seed, ratio=0.2, mode="reorder")
        whole = Span(made.units[0].first_beat, made.units[-1].end_beat)
        found.append(any(isinstance(s, Playing) and s.unit is None and s.span == whole for s in made.steps))
    assert 0.4 < np.mean(found) < 1.0


def test_without_a_repeat_there_is_no_loop(song: RecordedSong) -> None:
    bare = replace(song, repeats=())
    assert all(plan(bare, seed, mode="loop").mode != "loop" for seed in range(10))


def test_keep_ratios_are_as_wide_as_in_real_jams() -> None:
    rng = np.random.default_rng(0)
    low, median, high = np.percentile([draw_ratio(rng) for _ in range(4000)], [5, 50, 95])
    assert low < 0.11
    assert 0.2 < median < 0.24
    assert high > 0.5


@pytest.mark.parametrize("ratio", [0.15, 0.4, 0.7])
def test_the_raw_is_filled_until_about_the_wanted_share_is_kept(song: RecordedSong, ratio: float) -> None:
    for seed in range(8):
        made = plan(song, seed, ratio=ratio)
        kept_s = sum(s.length_s for s in made.steps if isinstance(s, Playing) and s.kept)
        assert kept_s / sum(step.length_s for step in made.steps) == pytest.approx(ratio, rel=0.25)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), most_s=st.floats(20.0, 80.0), count=st.integers(1, 6))
def test_units_tile_an_excerpt_that_fits(song: RecordedSong, seed: int, most_s: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    excerpt = draw_excerpt(song, most_s, rng)
    assert excerpt.length_s(song) <= most_s
    units = cut_into_units(song, excerpt, count, rng)
    assert 1 <= len(units) <= count
    assert units[0].first_beat == excerpt.first_beat
    assert units[-1].end_beat == excerpt.end_beat
    assert all(before.end_beat == after.first_beat for before, after in pairwise(units))
    assert all(edge.end_beat in {*song.borders.tolist(), song.n_beats} for edge in units)


def test_the_same_seed_gives_the_same_bytes_and_another_another_take(song: RecordedSong, other: RecordedSong) -> None:
    def made(seed: int) -> tuple[bytes, str, str]:
        config = replace(SMALL, longest_raw_s=90.0, longest_song_s=40.0)
        result = recorded_take(song, np.random.default_rng(seed), others=(other,), config=config)
        return result.audio.tobytes(), to_json(result.edl), result.card.to_json()

    assert made(5) == made(5)
    assert made(5) != made(6)


def test_the_card_is_json_and_names_the_song(song: RecordedSong) -> None:
    made = take(song, 1)
    card = json.loads(made.card.to_json())
    assert card["song"] == song.name
    assert card["song_hash"] == song.track.source.content_hash
    assert card["raw_hash"] == made.edl.source.content_hash
    assert card["mode"] in ("full", "sections", "reorder", "loop")
    assert len(card["parts"]) == len(made.card.parts)
    assert card["keep_ratio"] == pytest.approx(
        sum(p["end"] - p["start"] for p in card["parts"] if p["kept"]) / made.audio.shape[1]
    )


def test_talk_is_as_loud_as_the_music_only_where_it_should_be(song: RecordedSong) -> None:
    differences = {}
    for loud in (True, False):
        made = take(song, 11, loud_pauses=loud, keep_ratio=0.3)
        talk, music = (
            [quick_lufs(made.audio[:, p.start : p.end], RATE) for p in made.card.parts if p.kind == kind]
            for kind in ("talk", "music")
        )
        differences[loud] = np.mean(talk) - np.median(music)
    assert abs(differences[True]) < 4.0
    assert differences[False] < -6.0
