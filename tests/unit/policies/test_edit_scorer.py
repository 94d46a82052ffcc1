"""The reward model: what must hold of any weights, and that it learns what is better from answers alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfilt
from torch import Tensor

from rl_editor.analysis.activity import Activity
from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.arrays import Array
from rl_editor.audio.sample_songs import make_song
from rl_editor.checkpoint_card import Card
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.faults import FAULTS
from rl_editor.edits.registry import load_editor
from rl_editor.edits.request import EditRequest
from rl_editor.errors import CheckpointError
from rl_editor.policies.described_edits import put_together
from rl_editor.policies.edit_description import TOKEN_COLUMNS, describe_edit, describe_edits
from rl_editor.policies.edit_scorer import EditScorer, ScorerConfig, cautious
from rl_editor.policies.edit_scorer_file import FILE, load_scorer, save_scorer
from rl_editor.policies.edit_summary import summarise
from rl_editor.policies.ground import Ground
from rl_editor.policies.judged import Answers, JudgedRecording, Ratings, all_pairs, drawn_pairs
from rl_editor.policies.preference_loss import bootstrap, preference_losses
from rl_editor.rl.bradley_terry import Raters

Make = Callable[..., Track]
SOUNDS = ("timbre",) * 8 + ("chroma",) * 12 + ("onset",) * 3 + ("level",)
SMALL = ScorerConfig(members=2, width=16, blocks=1, heads=2, dropout=0.0)
CARD = Card("reward", "", "", (), "", "", "", (), "")


def heard_track(make_track: Make, seed: int, n_beats: int = 80) -> Track:
    """A track with sounds, whose first quarter is heard again in its last."""
    rng = np.random.default_rng(seed)
    activity = np.full(n_beats, Activity.MUSIC, dtype=np.int8)
    activity[n_beats // 2 : n_beats // 2 + 6] = Activity.SILENCE
    sounds = rng.normal(size=(n_beats, len(SOUNDS)))
    sounds[-n_beats // 4 :] = sounds[: n_beats // 4] + 0.1 * rng.normal(size=(n_beats // 4, len(SOUNDS)))
    track = make_track(rng, n_beats, activity=activity)
    return replace(track, features=sounds.astype(np.float32), feature_names=SOUNDS)


def edit_of_beats(track: Track, *spans: tuple[int, int], gain_db: float = 0.0) -> EDL:
    segments = (Segment(int(track.bounds[first]), int(track.bounds[last]), 8, gain_db) for first, last in spans)
    return EDL(track.source, tuple(segments), Maker("test"), target_s=20.0)


def small_scorer(*grounds: Ground, seed: int = 0, config: ScorerConfig = SMALL) -> EditScorer:
    torch.manual_seed(seed)
    scorer = EditScorer(config)
    scorer.normalise_by(torch.cat([torch.as_tensor(ground.heard.beats) for ground in grounds]))
    return scorer.eval()


def scored(scorer: EditScorer, ground: Ground, *edits: EDL) -> Tensor:
    with torch.inference_mode():
        return scorer.raw(*put_together([ground.heard], [[describe_edit(edl, ground) for edl in edits]]))


def answers_on(pairs: list[tuple[int, int, int]]) -> Answers:
    first, second, side = np.array(pairs, dtype=np.int64).T
    nothing = np.zeros(len(pairs), dtype=np.int64)
    weight = np.ones(len(pairs), dtype=np.float32)
    return Answers(first, second, side, nothing, nothing.copy(), weight, ("test",) * len(pairs))


NO_RATINGS = Ratings(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def test_edits_are_scored_alike_alone_and_beside_longer_ones_of_other_recordings(make_track: Make) -> None:
    grounds = [Ground(heard_track(make_track, seed, n_beats)) for seed, n_beats in ((0, 80), (1, 120))]
    edits = [edit_of_beats(grounds[0].track, (4, 20), (30, 41)), edit_of_beats(grounds[1].track, (0, 60), (20, 90))]
    scorer = small_scorer(*grounds)
    alone = [scored(scorer, ground, edl)[:, 0] for ground, edl in zip(grounds, edits, strict=True)]
    described = [[describe_edit(edl, ground)] for ground, edl in zip(grounds, edits, strict=True)]
    with torch.inference_mode():
        both = scorer.raw(*put_together([ground.heard for ground in grounds], described))
    torch.testing.assert_close(both, torch.stack(alone, dim=1), atol=1e-5, rtol=1e-4)


def test_a_gain_on_the_whole_edit_changes_no_score(make_track: Make) -> None:
    ground = Ground(heard_track(make_track, 0))
    plain, louder = (edit_of_beats(ground.track, (4, 20), (30, 41), gain_db=gain) for gain in (0.0, 6.0))
    raw = scored(small_scorer(ground), ground, plain, louder)
    torch.testing.assert_close(raw[:, 0], raw[:, 1])


def test_segments_that_go_on_from_each_other_are_one(make_track: Make) -> None:
    ground = Ground(heard_track(make_track, 0))
    raw = scored(
        small_scorer(ground),
        ground,
        edit_of_beats(ground.track, (4, 30)),
        edit_of_beats(ground.track, (4, 17), (17, 30)),
    )
    torch.testing.assert_close(raw[:, 0], raw[:, 1])


def test_every_weight_learns(make_track: Make) -> None:
    ground = Ground(heard_track(make_track, 0))
    scorer, raters = small_scorer(ground), Raters()
    edits = (edit_of_beats(ground.track, (4, 30), (60, 70), (8, 12)), edit_of_beats(ground.track, (10, 40)))
    told = answers_on([(0, 1, 1), (0, 1, 0)])._replace(given=np.array([1, 1]), strength=np.array([2, 0]))
    rated = Ratings(np.array([0, 1]), np.array([8, 3]))
    batch = all_pairs([JudgedRecording("one", "song", ground, edits, told, rated)])
    losses = preference_losses(scorer, raters, batch, centre_weight=0.1, rating_weight=1.0, seed=None)
    losses.total.backward()
    weights = [*scorer.named_parameters(), *raters.named_parameters()]
    assert [name for name, weight in weights if weight.grad is None or not weight.grad.any()] == []
    assert all(bool(torch.isfinite(weight.grad).all()) for _, weight in weights if weight.grad is not None)


def test_which_of_a_pair_is_offered_first_changes_no_loss(make_track: Make) -> None:
    ground = Ground(heard_track(make_track, 0))
    edits = (edit_of_beats(ground.track, (4, 30), (60, 70)), edit_of_beats(ground.track, (10, 40)))
    scorer, raters = small_scorer(ground), Raters()
    for given in (0, 1):
        losses = []
        for pair in ((0, 1, 1), (1, 0, -1)):
            told = answers_on([pair])._replace(given=np.array([given]))
            batch = all_pairs([JudgedRecording("one", "song", ground, edits, told, NO_RATINGS)])
            made = preference_losses(scorer, raters, batch, centre_weight=0.0, rating_weight=1.0, seed=None)
            losses.append(made.answers.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_planted_fault_changes_what_is_told_of_an_edit(make_track: Make) -> None:
    track = heard_track(make_track, 2, 240)
    track = replace(track, spoiled=np.where(np.arange(240) % 60 == 50, 1.0, 0.0).astype(np.float32))
    ground = Ground(track)
    edl = edit_of_beats(track, (0, 100), (130, 200))
    before = describe_edit(edl, ground)
    seen = 0
    for fault in FAULTS:
        faulty = fault.planted(edl, track, fault.grades[-1], np.random.default_rng(0))
        if faulty is None:
            continue
        after, seen = describe_edit(faulty, ground), seen + 1
        same = len(before.beat) == len(after.beat) and np.array_equal(before.columns, after.columns)
        assert not (same and np.array_equal(before.beat, after.beat)), fault.name
    assert seen >= 8


def test_what_nobody_hears_of_a_join_is_not_told(make_track: Make) -> None:
    ground = Ground(heard_track(make_track, 0))
    plain = edit_of_beats(ground.track, (4, 20), (30, 41))
    shifted = replace(plain.segments[1], start=plain.segments[1].start + 10)  # 10 ms at 1 kHz
    before, after = (
        describe_edit(edl, ground).columns for edl in (plain, replace(plain, segments=(plain.segments[0], shifted)))
    )
    share = TOKEN_COLUMNS.index("share")
    assert np.array_equal(np.delete(before, share, axis=1), np.delete(after, share, axis=1))


def test_steps_of_tempo_and_what_was_played_of_a_section_are_told(make_track: Make) -> None:
    track = replace(
        heard_track(make_track, 0),
        section=np.repeat(np.arange(4), 20),
        section_labels=("A", "B", "A", "-"),
        tempo_bpm=np.where(np.arange(80) < 40, 60.0, 120.0).astype(np.float32),
    )
    columns = describe_edit(edit_of_beats(track, (10, 18), (42, 46)), Ground(track)).columns
    tempo, again = (columns[:, TOKEN_COLUMNS.index(name)] for name in ("tempo_step", "section_plays"))
    assert tempo.nonzero()[0].tolist() == [8]
    assert tempo[8] == 1.0  # an octave
    assert again[:12] == pytest.approx(np.log1p(np.arange(12)) / np.log1p(64))  # A goes on in its other section


def test_edits_are_described_alike_alone_and_beside_others(make_track: Make) -> None:
    track = replace(
        heard_track(make_track, 0), section=np.repeat(np.arange(4), 20), section_labels=("A", "B", "A", "-")
    )
    ground, rng = Ground(track), np.random.default_rng(0)
    edits = [edit_of_beats(track, (0, 80)), edit_of_beats(track, (40, 41)), edit_of_beats(track, (30, 41), (4, 20))]
    for gain_db in (0.0, -3.0, 4.0):
        starts = rng.integers(0, 70, 5)
        edits.append(
            edit_of_beats(track, *((int(at), int(at + rng.integers(1, 10))) for at in starts), gain_db=gain_db)
        )
        lag = replace(edits[-1].segments[2], start=edits[-1].segments[2].start + 40, gain_db=1.0)
        edits.append(replace(edits[-1], segments=(*edits[-1].segments[:2], lag, *edits[-1].segments[3:]), end_fade=90))
    for edl, together in zip(edits, describe_edits(edits, ground), strict=True):
        for one, other in zip(describe_edit(edl, ground), together, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_each_beat_is_told_where_it_stands_and_each_join_in_its_first_row(make_track: Make) -> None:
    track = heard_track(make_track, 0)
    told = describe_edit(edit_of_beats(track, (4, 8), (6, 9), (60, 62)), Ground(track))
    assert told.beat.tolist() == [4, 5, 6, 7, 6, 7, 8, 60, 61, 61]
    assert told.beside.tolist() == [[-1, 3], *[[-1, -1]] * 3, [8, 5], *[[-1, -1]] * 2, [9, 59], [-1, -1], [62, -1]]
    assert told.plays[[4, 6, 7, 9, 60]].tolist() == [1, 2, 2, 0, 1]
    columns = dict(zip(TOKEN_COLUMNS, told.columns.T, strict=True))
    assert columns["plays"].tolist() == [0, 0, 0, 0, 0.25, 0.25, 0, 0, 0, 0]
    assert columns["join"].nonzero()[0].tolist() == [4, 7]
    assert columns["first"].nonzero()[0].tolist() == [0]
    assert columns["end"].nonzero()[0].tolist() == [9]
    passed = np.log1p([4, 0, 51, 18]) / np.log1p(64)  # before the beginning, at the two joins, after the end
    assert columns["left_out"][[0, 4, 7, 9]] == pytest.approx(passed)
    assert columns["left_music"][7] == pytest.approx(np.log1p(51 - 6) / np.log1p(64))  # six beats are silent
    between = np.r_[9:60]
    np.testing.assert_allclose(told.left_out[7], Ground(track).heard.beats[between].mean(axis=0), atol=1e-5)
    assert not told.left_out[[1, 4]].any()


def test_how_well_an_edit_begins_and_ends_and_how_many_sections_it_plays_are_told(make_track: Make) -> None:
    track = replace(
        heard_track(make_track, 0), section=np.repeat(np.arange(4), 20), section_labels=("A", "B", "A", "C")
    )
    ground, begins, ends = Ground(track), TOKEN_COLUMNS.index("begins"), TOKEN_COLUMNS.index("ends")
    whole, inside = (describe_edit(edit_of_beats(track, span), ground) for span in ((0, 40), (10, 31)))
    assert (whole.columns[0, begins], whole.columns[-1, ends]) == (1.0, 1.0)  # a pause follows beat 40
    assert inside.columns[0, begins] <= 0.0
    assert inside.columns[-1, ends] <= 0.0
    assert not whole.columns[1:-1, [begins, ends]].any()
    possible = [20.0 / ground.beat_s / 32, 3.0]
    for told, heard in ((whole, 2), (inside, 2)):
        assert told.about[-1] == pytest.approx(min(heard / max(min(possible), 1.0), 1.0))


def test_a_summary_is_of_what_is_there_alone(make_track: Make) -> None:
    ground = Ground(heard_track(make_track, 0))
    short, long = (edit_of_beats(ground.track, *spans) for spans in (((4, 7), (30, 33)), ((0, 40),)))
    described = describe_edits([short, long], ground)
    recordings, edits = put_together([ground.heard], [described])
    summary = summarise(recordings.beats, edits)[0].numpy()
    columns, beats = described[0].columns, ground.heard.beats[described[0].beat]
    parts = [columns.mean(axis=0), columns.max(axis=0), columns[0], columns[-1], beats.mean(axis=0), beats.max(axis=0)]
    expected = np.concatenate([*parts, described[0].left_out.mean(axis=0), described[0].about])
    np.testing.assert_allclose(summary, expected, atol=1e-5)


def test_summaries_are_of_unit_spread_within_recordings(make_track: Make) -> None:
    scorer, told = EditScorer(SMALL), []
    for seed in range(3):
        ground, rng = Ground(heard_track(make_track, seed)), np.random.default_rng(seed)
        edits = [edit_of_beats(ground.track, (at, at + 9), (40, 60 + at)) for at in rng.permutation(20)[:8].tolist()]
        told.append(put_together([ground.heard], [describe_edits(edits, ground)]))
    scorer.normalise_summaries_by(told)
    each = [(summarise(own.beats, edits) - scorer.summary_mean) / scorer.summary_scale for own, edits in told]
    spread = torch.cat([own - own.mean(dim=0) for own in each]).square().mean(dim=0).sqrt()
    told_of = scorer.summary_scale > 1e-3  # else it is the same in all edits
    torch.testing.assert_close(spread[told_of], torch.ones(int(told_of.sum())), atol=1e-3, rtol=0.0)
    assert int(told_of.sum()) > 40


def test_it_learns_a_hidden_utility_from_answers(make_track: Make) -> None:
    grounds = [Ground(heard_track(make_track, seed, 60)) for seed in range(8)]
    torch.manual_seed(0)

    def judged(ground: Ground, seed: int) -> JudgedRecording:
        """Edits of one join or two; what is liked is the share of the first half, and that nothing is repeated."""
        rng = np.random.default_rng(seed)
        edits, liked = [], []
        for _ in range(10):
            first, again = sorted(rng.integers(2, 25, 2))[0], int(rng.integers(0, 20))
            length = int(rng.integers(6, 20))
            edits.append(edit_of_beats(ground.track, (first, first + length), (30 + again, 56), (first, first + 6)))
            liked.append(length / 10 - again / 10)
        pairs = [(a, b, 1 if liked[a] > liked[b] else -1) for a in range(10) for b in range(a)]
        return JudgedRecording(str(seed), str(seed), ground, tuple(edits), answers_on(pairs), NO_RATINGS)

    known = [judged(ground, seed) for seed, ground in enumerate(grounds)]
    scorer, raters = small_scorer(*grounds).train(), Raters()
    optimiser = torch.optim.AdamW([*scorer.parameters(), *raters.parameters()], lr=5e-3)
    for step in range(40):
        batch = drawn_pairs([known[step % 6]], pairs=20)
        loss = preference_losses(scorer, raters, batch, centre_weight=0.01, rating_weight=1.0, seed=None).total
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    scorer.eval()
    batch = all_pairs(known[6:])
    with torch.inference_mode():
        scores = scorer(batch.recordings, batch.edits)
    right = (scores[batch.first] > scores[batch.second]) == (batch.side > 0)
    assert right.float().mean() > 0.85


def test_members_learn_from_different_songs_and_keep_them() -> None:
    songs = [str(number) for number in range(400)]
    counts = bootstrap(songs, 4, seed=0)
    assert torch.equal(counts, bootstrap(songs[::-1], 4, seed=0).flip(1))
    assert not torch.equal(counts[0], counts[1])
    assert not torch.equal(counts, bootstrap(songs, 4, seed=1))
    assert counts.mean() == pytest.approx(1.0, abs=0.1)
    assert bootstrap(songs[:3], 2, seed=None).tolist() == [[1.0] * 3] * 2


def test_members_are_centred_and_scaled_on_the_reference() -> None:
    scorer = EditScorer(SMALL)
    raw = torch.tensor([[0.0, 10.0, 20.0], [1.0, 1.1, 0.9]])
    scorer.refer_to(raw)
    scores = scorer.standardised(raw)
    torch.testing.assert_close(scores.mean(dim=1), torch.zeros(2), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(scores.std(dim=1), torch.ones(2))


def test_disagreement_lowers_a_score() -> None:
    scores = torch.tensor([[1.0, 2.0], [1.0, 0.0]])
    assert cautious(scores, ScorerConfig()).tolist() == [1.0, 0.0]
    assert cautious(scores, ScorerConfig(penalty=0.0)).tolist() == [1.0, 1.0]
    assert cautious(scores, ScorerConfig(caution="minimum")).tolist() == [1.0, 0.0]


def test_it_stays_small() -> None:
    assert sum(weight.numel() for weight in EditScorer(ScorerConfig()).parameters()) <= 500_000


def test_it_comes_back_from_its_file(make_track: Make, tmp_path: Path) -> None:
    ground = Ground(heard_track(make_track, 0))
    scorer = small_scorer(ground, config=replace(SMALL, caution="minimum"))
    edits = [edit_of_beats(ground.track, (4, 20), (30, 41)), edit_of_beats(ground.track, (4, 50))]
    scorer.refer_to(scored(scorer, ground, *edits))
    content_hash = save_scorer(tmp_path / FILE, scorer, CARD)
    loaded = load_scorer(tmp_path / FILE)
    assert (loaded.content_hash, loaded.scorer.config) == (content_hash, scorer.config)
    torch.testing.assert_close(
        scored(loaded.scorer, ground, *edits), scored(scorer, ground, *edits), atol=1e-2, rtol=1e-2
    )
    torch.testing.assert_close(loaded.scorer.spread, scorer.spread)


def test_a_file_made_for_other_descriptions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_scorer(tmp_path / FILE, EditScorer(SMALL), CARD)
    monkeypatch.setattr("rl_editor.policies.edit_scorer_file._MADE_FOR", {"beat_columns": 3})
    with pytest.raises(CheckpointError, match=r"reward.safetensors: made for another analysis .* \(reward-model\)$"):
        load_scorer(tmp_path / FILE)


def brighter(audio: Array, rate: int) -> Array:
    """6 dB more above 2 kHz."""
    return audio + sosfilt(butter(1, 2000.0, "high", fs=rate, output="sos"), audio)


@pytest.fixture(scope="module")
def recorded() -> tuple[Array, Track]:
    """A sample song and its analysis."""
    song = make_song(np.random.default_rng(3), sample_rate=22050, length_s=25.0)
    audio = (0.4 * song.mix).astype(np.float32)
    return audio, analyse(audio, song.sample_rate)


@pytest.mark.parametrize(
    ("process", "most"),
    # the analysis is not quite as sure of music that is nearer to its floor; all else is the same to rounding
    [(lambda audio, rate: audio / 2.0, 0.02), (lambda audio, rate: audio * 2.0, 0.02), (brighter, 0.5)],
    ids=["6 dB quieter", "6 dB louder", "6 dB brighter"],
)
def test_level_and_tone_of_the_recording_hardly_move_a_score(
    recorded: tuple[Array, Track], process: Callable[[Array, int], Array], most: float
) -> None:
    audio, track = recorded
    processed = analyse(process(audio, track.source.sample_rate).astype(np.float32), track.source.sample_rate)
    ground, other = Ground(track), Ground(replace(processed, source=track.source))
    edits = [
        load_editor(name).edit(track, EditRequest(keep=0.5, slack_s=3.0, seed=seed))[0]
        for name, seed in (("planner", 0), ("head", 0), ("random", 0), ("random", 1), ("loudest", 0))
    ]
    scorer = small_scorer(ground, config=ScorerConfig(dropout=0.0))
    before, after = (scored(scorer, each, *edits) for each in (ground, other))
    assert (after - before).abs().mean() <= most * before.std(dim=1).mean()
