"""What a reward model is worth on held-out pairs: small cases by hand, and that calibration is not its own fit's."""

import pytest
import torch

from rl_editor.policies.edit_scorer import EditScorer, ScorerConfig
from rl_editor.policies.peoples_pairs import PEOPLE
from rl_editor.policies.preference_report import Judged, refer, report

SMALL = ScorerConfig(members=2, width=16, blocks=1, heads=2, penalty=0.0)


def judged(
    raw: list[float], pairs: list[tuple[int, int, bool]], *, kind: str = "planted", songs: str | None = None
) -> Judged:
    """Edits of one recording, on which both members agree."""
    first, second, won = zip(*pairs, strict=True)
    return Judged(
        raw=torch.tensor([raw, raw]),
        recording=torch.zeros(len(raw), dtype=torch.int64),
        duration_s=torch.arange(1.0, len(raw) + 1),
        first=torch.tensor(first),
        second=torch.tensor(second),
        won=torch.tensor(won),
        song=tuple(songs or "s" * len(pairs)),
        kind=(kind,) * len(pairs),
    )


def test_accuracy_by_kind_and_by_margin() -> None:
    said = judged([0.0, 1.0, 3.0, 6.0], [(3, 0, True), (1, 0, False), (2, 1, True), (0, 2, False)])
    scorer = EditScorer(SMALL)
    found = report(scorer, said, refitted=False)
    assert found["accuracy"] == found["accuracy/planted"] == 0.75
    assert found["accuracy_by_margin/narrow"] == 0.5
    assert found["accuracy_by_margin/wide"] == 1.0
    assert found["disagreement"] == 0.0
    assert found["length_correlation"] > 0.9


def test_the_held_out_set_becomes_the_reference() -> None:
    scorer, said = EditScorer(SMALL), judged([0.0, 1.0, 3.0, 6.0], [(3, 0, True)] * 30 + [(0, 3, True)] * 10)
    refer(scorer, said)
    assert scorer.centre.tolist() == [2.5, 2.5]
    difference = scorer.standardised(said.raw).mean(dim=0)
    told = float((scorer.sureness * (difference[3] - difference[0])).sigmoid())
    assert told == pytest.approx(0.75, abs=0.02)  # as often as it came true


def test_people_alone_tell_how_sure_differences_are() -> None:
    planted = judged([0.0, 1.0], [(1, 0, True)] * 4)
    people = [(1, 0, True), (0, 1, True)] * 20
    both = planted._replace(
        first=torch.cat([planted.first, torch.tensor([pair[0] for pair in people])]),
        second=torch.cat([planted.second, torch.tensor([pair[1] for pair in people])]),
        won=torch.ones(44, dtype=torch.bool),
        song=("s",) * 44,
        kind=planted.kind + (PEOPLE,) * 40,
    )
    scorer = EditScorer(SMALL)
    refer(scorer, both)
    assert float(scorer.sureness) < 0.01  # they are of two minds


def test_calibration_is_that_of_songs_that_did_not_fit_it() -> None:
    # songs a always go by the score, songs b against it: each half's own fit would be far better
    pairs = [(1, 0, True)] * 20 + [(0, 1, True)] * 20
    said = judged([0.0, 1.0], pairs, songs="a" * 20 + "b" * 20)
    scorer = EditScorer(SMALL)
    assert report(scorer, said, refitted=True)["calibration_error"] > 0.4


def test_nothing_compared_is_told_without_accuracy() -> None:
    empty = judged([0.0, 1.0], [(1, 0, True)])
    nothing = torch.empty(0, dtype=torch.int64)
    empty = empty._replace(first=nothing, second=nothing, won=nothing.bool(), song=(), kind=())
    assert set(report(EditScorer(SMALL), empty, refitted=True)) == {"length_correlation", "disagreement"}
