"""Laws of files of comparisons: what is written is read again, merging is a union, a wrong line is told by number."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl_editor.analysis.track import Track
from rl_editor.data.comparisons import (
    Comparison,
    as_line,
    edl_hash,
    merged,
    read_comparisons,
    write_comparisons,
)
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.errors import DataError, EditorError

ONE = Comparison(
    id="anna-1",
    edl_a="a" * 64,
    edl_b="b" * 64,
    shown="BA",
    answer="A",
    listener="anna",
    time="2026-03-01T18:05:00+00:00",
    chosen_by="random",
    probability=0.1,
    strength=2,
    rating_a=7,
    rating_b=5,
    reasons=("joins", "it stümbles"),
)
ratings = st.none() | st.integers(1, 10)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    answer = draw(st.sampled_from(["A", "B", "tie", "can't say"]))
    return Comparison(
        id=draw(st.text(min_size=1, max_size=6).filter(lambda text: bool(text.strip()))),
        edl_a="a" * 64,
        edl_b="b" * 64,
        shown=draw(st.sampled_from(["AB", "BA"])),
        answer=answer,
        listener="ben",
        time="2026-03-01T18:05:00+01:00",
        chosen_by="random",
        probability=draw(st.floats(1e-6, 1.0)),
        strength=draw(st.none() | st.integers(1, 3)) if answer in ("A", "B") else None,
        rating_a=draw(ratings),
        rating_b=draw(ratings),
        reasons=tuple(draw(st.lists(st.text(max_size=5), max_size=3))),
    )


unique = st.lists(comparisons(), max_size=6, unique_by=lambda each: each.id)


@given(unique)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, told: list[Comparison]) -> None:
    file = tmp_path_factory.getbasetemp() / "told.jsonl"
    write_comparisons(file, told, overwrite=True)
    assert read_comparisons(file) == told


@given(unique)
def test_merging_what_is_merged_changes_nothing(told: list[Comparison]) -> None:
    once = merged(told)
    assert merged(once) == once == merged(told, told)


@given(unique, st.integers(0, 6))
def test_the_order_of_files_does_not_matter(told: list[Comparison], cut: int) -> None:
    assert merged(told[:cut], told[cut:]) == merged(told[cut:], told[:cut]) == merged(told)


def test_two_answers_of_one_id_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"^comparison 'anna-1' is told twice, and differs in answer$"):
        merged([ONE], [replace(ONE, answer="B")])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2: this program reads version 1"),
        ({"answer": "C"}, "answer 'C': is A, B, tie or can't say"),
        ({"answer": "tie"}, "strength 2: goes with A or B only"),
        ({"strength": 4}, "strength 4: must be a whole number from 1 to 3"),
        ({"strength": True}, "strength True: must be a whole number from 1 to 3"),
        ({"rating_b": 0}, "rating_b 0: must be a whole number from 1 to 10"),
        ({"probability": 0}, "probability 0: must be above 0 and not above 1"),
        ({"probability": "1"}, "probability '1': must be above 0 and not above 1"),
        ({"edl_a": "xyz"}, "edl_a 'xyz': must be 64 hex digits"),
        ({"edl_b": "a" * 64}, f"edl_b '{'a' * 64}': is the same edit as edl_a"),
        ({"shown": "first"}, "shown 'first': is AB or BA"),
        ({"time": "yesterday"}, "time 'yesterday': must be ISO 8601 with an offset from UTC"),
        ({"time": "2026-03-01T18:05:00"}, "time '2026-03-01T18:05:00': must be ISO 8601 with an offset from UTC"),
        ({"reasons": "joins"}, "reasons 'joins': must be a list of texts"),
        ({"listener": " "}, "listener ' ': must be a text"),
        ({"mood": "good"}, "unknown field 'mood'"),
        ({"listener": None}, "listener None: must be a text"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, change: dict[str, object], said: str) -> None:
    file = tmp_path / "told.jsonl"
    wrong = json.dumps({**json.loads(as_line(ONE)), "id": "other", **change})
    file.write_text(as_line(ONE) + wrong + "\n")
    with pytest.raises(DataError) as error:
        read_comparisons(file)
    assert str(error.value) == f"{file}, line 2: {said}"


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "not JSON"), ("[1]", "not a JSON object"), ('{"version": 1, "id": "x"}', "field 'answer' is missing")],
)
def test_what_is_no_comparison_is_told_with_its_number(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "told.jsonl"
    file.write_text(f"\n{line}\n")
    with pytest.raises(DataError) as error:
        read_comparisons(file)
    assert str(error.value) == f"{file}, line 2: {said}"


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.jsonl: can't be read \(No such file or directory\)$"):
        read_comparisons(tmp_path / "none.jsonl")


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    file = tmp_path / "told.jsonl"
    write_comparisons(file, [ONE], overwrite=False)
    with pytest.raises(EditorError, match="exists already"):
        write_comparisons(file, [], overwrite=False)
    assert read_comparisons(file) == [ONE]


def test_the_hash_of_an_edit_is_that_of_what_is_heard(make_track: Callable[..., Track]) -> None:
    source = make_track(np.random.default_rng(0), 20).source
    edl = EDL(source, (Segment(0, 1000), Segment(2000, 4000, 8)), Maker("planner", seed=1), target_s=3.0)
    same = [
        replace(edl, maker=Maker("policy", "c" * 64, 2), target_s=None),
        replace(edl, segments=tuple(replace(segment, why="other") for segment in edl.segments)),
        replace(edl, source=replace(source, file="elsewhere.wav")),
    ]
    other = [
        replace(edl, end_fade=5),
        replace(edl, segments=edl.segments[:1]),
        replace(edl, segments=(edl.segments[0], replace(edl.segments[1], fade=9))),
        replace(edl, segments=(edl.segments[0], replace(edl.segments[1], gain_db=1.0))),
        replace(edl, source=replace(source, content_hash="1" * 64)),
    ]
    assert {edl_hash(each) for each in same} == {edl_hash(edl)}
    assert len({edl_hash(each) for each in [edl, *other]}) == 1 + len(other)
