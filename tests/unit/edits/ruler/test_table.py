import csv
import io

import numpy as np
import pytest

from rl_editor.edits.ruler.component import Component
from rl_editor.edits.ruler.table import Result, interval, markdown, to_csv
from rl_editor.edits.ruler.verdict import NAMES, Verdict, conclude


def verdict(score: float, agreement: float) -> Verdict:
    scores = {"joins": score, "dead_time": score, "agreement": agreement}
    components = tuple(Component(name, scores.get(name)) for name in NAMES)
    return conclude(components, (), duration_s=60.0, matched=1.0)


def test_an_interval_holds_the_mean_and_shrinks_with_more_songs() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.random(8), rng.random(200)
    narrow = interval(many, [str(k) for k in range(200)])
    wide = interval(few, [str(k) for k in range(8)])
    assert wide[0] < few.mean() < wide[1]
    assert narrow[1] - narrow[0] < 0.5 * (wide[1] - wide[0])


def test_takes_of_one_song_are_drawn_together() -> None:
    values = np.repeat([0.1, 0.5, 0.9, 0.3], 10)
    songs = [str(k) for k in np.repeat(range(4), 10)]
    low, high = interval(values, songs)
    alone_low, alone_high = interval(values, [str(k) for k in range(40)])
    assert high - low > 2.0 * (alone_high - alone_low)


def test_a_table_has_a_row_an_editor_and_a_csv_one_a_take() -> None:
    results = [Result(editor, take, take, verdict(0.8, 0.2)) for editor in ("a", "b") for take in ("x", "y")]
    assert [line.split(" | ")[:2] for line in markdown(results, ["b", "a", "c"]).splitlines()[2:]] == [
        ["| b", "2"],
        ["| a", "2"],
    ]
    rows = list(csv.DictReader(io.StringIO(to_csv(results))))
    assert len(rows) == 4
    assert float(rows[0]["verdict"]) == pytest.approx(0.8)
    assert float(rows[0]["verdict_with_exact_edit"]) < 0.8
    assert rows[0]["order"] == ""


def test_the_verdict_alone_is_the_one_without_the_comparison() -> None:
    assert verdict(0.8, 0.2).alone == pytest.approx(0.8)
    assert verdict(0.8, 0.2).verdict < 0.8
