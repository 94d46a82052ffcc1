"""What is shown of edits: decisions are those that were taken, excerpts hold the joins, loudness does not tell."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.analysis.spectra import RATE
from rl_editor.analysis.track import Track
from rl_editor.edits.actions import END, KEEP, Kind, advance, begin, fade_class_of, kinds, legal, make_tables
from rl_editor.edits.demonstration import replay
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.modules.edit_views import (
    ACTIONS,
    AROUND_S,
    FADES,
    LONGEST_S,
    Decisions,
    decisions_of,
    excerpt,
    levelled,
    picture,
    shares,
    together,
)

MakeTrack = Callable[..., Track]


def played(track: Track, rng: np.random.Generator, n: int) -> tuple[EDL, list[str], list[str]]:
    """An edit of `n` actions by chance, half of them landings where there are any, and what each of them was."""
    tables = make_tables([track])
    state = begin(tables, torch.zeros(1, dtype=torch.int64))
    actions, types, fades = [], [], []
    while len(actions) < n or not legal(tables, state)[0, END]:
        legal_now = np.flatnonzero(legal(tables, state)[0].numpy())
        landings = legal_now[legal_now > END]
        lands = len(landings) and (rng.random() < 0.3 or KEEP not in legal_now)
        action = int(rng.choice(landings)) if lands else KEEP
        column = (action - 2) // 4
        types.append(Kind(int(kinds(tables, state)[0, column])).name.lower() if lands else "keep")
        if lands and int(state.playhead):
            fades.append(FADES[fade_class_of(action)])
        actions.append(action)
        state = advance(tables, state, torch.tensor([action]))
    return replay(np.array([*actions, END]), track, maker=Maker("test")), [*types, "end"], fades


@pytest.mark.parametrize("seed", range(12))
def test_decisions_are_those_that_were_taken(make_track: MakeTrack, seed: int) -> None:
    rng = np.random.default_rng(seed)
    track = make_track(rng, 60, share=0.5)
    edl, types, fades = played(track, rng, 40)
    found = decisions_of(edl, track)
    assert [ACTIONS[k] for k in found.actions] == types
    assert [FADES[k] for k in found.fades] == fades
    assert {"cut", "loop", "reorder"} & set(types)


def test_what_lands_outside_the_table_is_counted_too(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 40, share=0.0)
    bounds = track.bounds
    pieces = [(0, 8), (20, 26), (10, 15), (20, 24)]
    segments = tuple(Segment(int(bounds[first]), int(bounds[last])) for first, last in pieces)
    found = decisions_of(EDL(track.source, segments, Maker("somebody")), track)
    assert [ACTIONS[k] for k in found.actions if k > 1] == ["cut", "reorder", "loop"]
    assert len(found.fades) == 3


def test_shares_are_of_all_actions_and_of_all_joins() -> None:
    told = shares(
        together([Decisions(np.array([0, 0, 1]), np.array([], dtype=int)), Decisions(np.arange(5), np.array([2]))])
    )
    assert told["actions/keep"] == 3 / 8
    assert told["actions/reorder"] == 1 / 8
    assert [told[f"fades/{name}"] for name in FADES] == [0, 0, 1, 0]
    assert not any(name.startswith("fades") for name in shares(Decisions(np.array([0, 1]), np.array([], dtype=int))))


def test_a_short_song_is_heard_whole() -> None:
    song = np.random.default_rng(0).random(round(LONGEST_S * RATE), dtype=np.float32)
    assert np.array_equal(excerpt(song, [1.0, 5.0]), song)


@given(st.lists(st.floats(0.0, 99.0), max_size=30), st.floats(61.0, 99.0))
def test_an_excerpt_is_a_minute(joins_s: Sequence[float], length_s: float) -> None:
    song = np.ones(round(length_s * RATE), dtype=np.float32)
    heard = excerpt(song, sorted(at_s for at_s in joins_s if at_s < length_s))
    assert len(heard) == round(LONGEST_S * RATE)


def test_a_long_song_is_heard_at_its_joins_then_from_its_beginning() -> None:
    song = np.arange(200 * RATE, dtype=np.float32)  # each sample tells where it is from
    heard = excerpt(song, [70.0, 73.0, 150.0])
    inside = heard[(heard > 0) & (np.diff(heard, append=0.0) == 1.0)]  # neither pause nor ramp
    assert set(inside[inside > 60 * RATE] // RATE) == {*range(68, 75), *range(148, 152)}
    assert inside.max() < (150 + AROUND_S) * RATE
    first = np.argmax(heard == 69 * RATE)
    assert np.array_equal(heard[first : first + 5 * RATE], song[69 * RATE : 74 * RATE])  # two joins, one stretch
    beginning = heard[np.argmax(heard == RATE) :]
    assert len(beginning) > 40 * RATE
    assert np.argmax(heard == 149 * RATE) > first


def test_of_too_many_joins_the_first_are_heard() -> None:
    song = np.arange(400 * RATE, dtype=np.float32)
    heard = excerpt(song, [100.0 + 10.0 * k for k in range(25)])
    assert 101 * RATE in heard
    assert heard.max() < 300 * RATE
    assert RATE not in heard


@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_the_louder_one_is_not_louder(gain: float) -> None:
    sound = 0.2 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    np.testing.assert_allclose(levelled(sound * np.float32(gain)), levelled(sound), rtol=2e-3, atol=1e-5)


def test_no_sound_is_raised_beyond_full_scale_and_silence_stays() -> None:
    hits = np.full(5 * RATE, 1e-4, dtype=np.float32)
    hits[:: RATE // 2] = 1.0
    assert np.abs(levelled(hits)).max() <= 1.0
    assert not levelled(np.zeros(RATE, dtype=np.float32)).any()


def test_pictures_differ_with_what_they_show(make_track: MakeTrack) -> None:
    track = make_track(np.random.default_rng(0), 40)
    audio = np.random.default_rng(0).uniform(-1, 1, (1, track.source.n_samples)).astype(np.float32)
    edl = EDL(track.source, (Segment(0, int(track.bounds[10])),), Maker("one"))
    shown = picture(edl, track, audio, audio[:, : edl.n_samples])
    assert shown.dtype == np.uint8
    assert shown.shape[2] == 3
    assert shown.std() > 1
    still = picture(edl, track, np.zeros_like(audio), np.zeros((1, edl.n_samples), dtype=np.float32))
    assert not np.array_equal(still, shown)
