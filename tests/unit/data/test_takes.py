import itertools
from dataclasses import replace

import numpy as np
import pytest

from rl_editor.audio.composition import STEMS
from rl_editor.audio.mixing import quick_lufs
from rl_editor.audio.performing import MOST_EARLY_S, tempo_curve
from rl_editor.audio.sample_songs import Piece, make_song
from rl_editor.data.faults import FAMILIES, Fault, draw_faults
from rl_editor.data.take_plan import Filler, PlannedAttempt, plan_take
from rl_editor.data.take_sound import play
from rl_editor.data.takes import ROOM, Take, make_take
from rl_editor.edits.edl import from_json, to_json
from rl_editor.edits.render import render
from rl_editor.errors import DataError

RATE = 22050


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    return [
        make_song(np.random.default_rng(seed), sample_rate=RATE, length_s=35.0, name=f"song {seed}").piece
        for seed in (1, 2)
    ]


@pytest.fixture(scope="module")
def jam(pieces: list[Piece]) -> Take:
    return make_take(pieces[:1], np.random.default_rng(5), length_s=150.0, loud_pauses=True)


@pytest.fixture(scope="module")
def session(pieces: list[Piece]) -> Take:
    return make_take(pieces, np.random.default_rng(6), length_s=240.0, loud_pauses=False)


def loudness_of(take: Take, kind: str) -> float:
    sound = np.concatenate([take.audio[:, p.start : p.end] for p in take.parts if p.kind == kind], axis=1)
    return quick_lufs(sound, take.sample_rate)


def test_stems_and_room_sum_to_the_raw_which_does_not_clip(jam: Take) -> None:
    assert tuple(jam.stems) == (*STEMS, ROOM)
    total = sum(sound.astype(np.float64) for sound in jam.stems.values())
    assert np.abs(total - jam.audio).max() < 1e-6
    assert jam.audio.dtype == np.float32
    assert np.isfinite(jam.audio).all()
    assert 0.1 < np.abs(jam.audio).max() < 0.96


def test_the_stems_of_the_songs_are_silent_in_the_pauses(jam: Take) -> None:
    for part in jam.parts:
        song = sum(jam.stems[stem][:, part.start + 200 : part.end] for stem in STEMS)
        room = jam.stems[ROOM][:, part.start : part.end]
        if part.kind in ("music", "false start"):
            assert np.abs(song).max() > 0.05
            assert np.abs(room).max() < 0.05
        else:
            assert np.abs(song).max() < 1e-3


def test_a_raw_without_stems_is_the_same_raw(pieces: list[Piece], jam: Take) -> None:
    bare = make_take(pieces[:1], np.random.default_rng(5), length_s=150.0, loud_pauses=True, stems=False)
    assert bare.stems == {}
    assert np.abs(bare.audio - jam.audio).max() < 1e-4
    assert (bare.parts, bare.attempts) == (jam.parts, jam.attempts)


def test_the_same_seed_gives_the_same_bytes_and_another_another_take(pieces: list[Piece]) -> None:
    def made(seed: int) -> bytes:
        return make_take(pieces[:1], np.random.default_rng(seed), length_s=90.0, stems=False).audio.tobytes()

    assert made(3) == made(3)
    assert made(3) != made(4)


@pytest.mark.parametrize("take", ["jam", "session"])
def test_parts_tile_the_raw_and_attempts_are_parts(take: str, request: pytest.FixtureRequest) -> None:
    made: Take = request.getfixturevalue(take)
    assert [part.start for part in made.parts] == [0, *(part.end for part in made.parts[:-1])]
    assert made.parts[-1].end == made.audio.shape[1]
    played = [(part.start, part.end) for part in made.parts if part.kind in ("music", "false start")]
    assert played == [(attempt.start, attempt.end) for attempt in made.attempts]


@pytest.mark.parametrize("take", ["jam", "session"])
def test_the_true_edit_plays_exactly_the_good_attempts(take: str, request: pytest.FixtureRequest) -> None:
    made: Take = request.getfixturevalue(take)
    kept = [attempt for attempt in made.attempts if attempt.kept]
    songs = list(dict.fromkeys(attempt.song for attempt in made.attempts))
    assert [attempt.song for attempt in kept] == songs
    assert all(attempt.complete and not attempt.spoiled for attempt in kept)
    edit = render(made.audio, made.edl)
    wanted = np.concatenate([made.audio[:, a.start : a.end] for a in kept], axis=1)
    assert edit.shape == wanted.shape
    # less the fade-in, which is over before the first attack, and the fade-out of the ring-out
    inside = slice(made.edl.segments[0].fade, -made.edl.end_fade)
    changed = (edit[:, inside] != wanted[:, inside]).any(axis=0)
    assert changed.sum() <= sum(segment.fade for segment in made.edl.segments[1:])
    assert from_json(to_json(made.edl)) == made.edl


def test_every_song_has_worse_attempts_and_most_come_before_the_good_one(pieces: list[Piece]) -> None:
    worse, earlier = 0, 0
    for seed in range(12):
        steps = plan_take([p.composition for p in pieces], np.random.default_rng(seed), length_s=400.0)
        attempts = [step for step in steps if isinstance(step, PlannedAttempt)]
        for song in range(2):
            places = [k for k, step in enumerate(attempts) if step.song == song]
            best = next(k for k in places if attempts[k].kept)
            assert len(places) > 1
            assert any(attempts[k].faults for k in places if k != best)
            worse += len(places) - 1
            earlier += sum(k < best for k in places)
    assert 0.5 < earlier / worse < 0.95


@pytest.mark.parametrize("length_s", [60.0, 240.0, 3600.0])
def test_a_plan_has_the_length_that_was_asked_for(pieces: list[Piece], length_s: float) -> None:
    for seed in range(5):
        steps = plan_take([pieces[0].composition], np.random.default_rng(seed), length_s=length_s)
        assert sum(step.length_s for step in steps) == pytest.approx(length_s, rel=0.02)
        dead_s = sum(step.length_s for step in steps if isinstance(step, Filler))
        assert 0.05 < dead_s / length_s < 0.6
        assert all(step.length_s > 0.0 for step in steps)


def test_a_raw_too_short_for_its_songs_is_refused(pieces: list[Piece]) -> None:
    with pytest.raises(DataError, match="too short for its songs, which need at least"):
        make_take(pieces, np.random.default_rng(0), length_s=30.0)
    with pytest.raises(DataError, match="at least one song"):
        make_take([], np.random.default_rng(0), length_s=30.0)
    with pytest.raises(DataError, match="same name"):
        make_take([pieces[0], pieces[0]], np.random.default_rng(0), length_s=300.0)


def test_beats_and_downbeats_lie_inside_the_attempts(session: Take) -> None:
    inside = np.zeros(len(session.beats), dtype=bool)
    for attempt in session.attempts:
        mine = (session.beats >= attempt.start) & (session.beats < attempt.end)
        assert mine.sum() == attempt.n_beats
        assert session.beats[mine][0] - attempt.start < 0.03 * RATE
        inside |= mine
    assert inside.all()
    assert len(session.bar_position) == len(session.beats)
    assert (np.diff(session.beats) > 0).all()


def test_count_in_clicks_are_a_beat_apart_and_lead_to_the_downbeat(pieces: list[Piece]) -> None:
    for seed in range(4):
        take = make_take(pieces[:1], np.random.default_rng(seed), length_s=150.0)
        counted = [
            (part, after) for part, after in zip(take.parts, take.parts[1:], strict=False) if part.kind == "count-in"
        ]
        if counted:
            break
    part, attempt = counted[0]
    first, second = take.beats[take.beats >= attempt.start][:2]
    sound = np.abs(take.stems[ROOM][:, part.start : part.end]).max(axis=0)
    loud = np.flatnonzero(sound > 0.3 * sound.max())
    clicks = part.start + loud[np.r_[True, np.diff(loud) > 0.2 * RATE]]
    assert len(clicks) in (3, 4, 6, 8)
    spacing = np.diff([*clicks, first])
    assert np.abs(spacing - (second - first)).max() < 0.004 * RATE


def test_talk_and_tuning_are_as_loud_as_the_music_when_wanted_and_much_softer_when_not(
    pieces: list[Piece], jam: Take
) -> None:
    quiet = make_take(pieces[:1], np.random.default_rng(5), length_s=150.0, loud_pauses=False, stems=False)
    heard = {part.kind for part in jam.parts} & {"talk", "tuning"}
    assert heard
    for kind in heard:
        assert abs(loudness_of(jam, kind) - loudness_of(jam, "music")) < 3.5
        assert loudness_of(quiet, kind) < loudness_of(quiet, "music") - 5.0
    assert loudness_of(jam, "silence") < loudness_of(jam, "music") - 20.0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fault_is_heard_where_it_is_said_to_be_and_nowhere_else(family: str, pieces: list[Piece]) -> None:
    piece = pieces[0]
    times = tempo_curve(piece.composition, np.random.default_rng(0), tempo=1.0)
    fault = Fault(family, 20, 26, 0.7)
    clean = PlannedAttempt(0, times, 0.0, end_beat=40)
    good, beats = play(clean, piece, np.random.default_rng(1), stems=False)
    bad, _ = play(replace(clean, faults=(fault,)), piece, np.random.default_rng(1), stems=False)
    wrong = np.square(bad["mix"] - good["mix"]).sum(axis=0)
    start, end = beats[20] - round(MOST_EARLY_S * RATE), beats[26]
    assert wrong[start:end].mean() > 0.05 * np.square(good["mix"][:, start:end]).sum(axis=0).mean()
    assert wrong[: start - 1].max() == 0.0
    # a wrong or late note may be held into the beats after its own
    held = 0 if family in ("level", "dropout", "muffling") else 3 * RATE
    assert wrong[end + held + 1 :].max() < 1e-6


def test_drawn_faults_are_apart_inside_the_attempt_and_of_few_families() -> None:
    for seed in range(50):
        faults = draw_faults(10, 200, np.random.default_rng(seed), beats_between=20.0)
        assert faults
        assert len({fault.family for fault in faults}) <= 3
        assert faults[0].first_beat >= 12
        assert faults[-1].end_beat < 200
        assert all(a.end_beat < b.first_beat for a, b in itertools.pairwise(faults))
    only = draw_faults(0, 300, np.random.default_rng(0), beats_between=10.0, families=["dropout"])
    assert {fault.family for fault in only} == {"dropout"}


def test_no_local_sound_tells_an_unspoiled_beat_of_a_bad_attempt_from_the_good_one(pieces: list[Piece]) -> None:
    """Level and brightness of unspoiled beats: good and bad differ no more than two good ones."""
    differences = []
    for seed in range(4):
        take = make_take(pieces[:1], np.random.default_rng(seed), length_s=200.0, stems=False)
        spoiled = [span for attempt in take.attempts for span in attempt.spoiled]
        rows: dict[bool, list[float]] = {True: [], False: []}
        for attempt in take.attempts:
            mine = take.beats[(take.beats >= attempt.start) & (take.beats < attempt.end)]
            for start, end in itertools.pairwise(mine):
                if not any(start < span.end and end > span.start for span in spoiled):
                    rows[attempt.kept].append(float(np.log(np.square(take.audio[:, start:end]).mean())))
        differences.append(10.0 * (np.mean(rows[True]) - np.mean(rows[False])) / np.log(10.0))
    assert abs(np.mean(differences)) < 3.0
