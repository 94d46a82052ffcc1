"""Takes as files: what decides them, that their edit is exact, and what happens to those that are there already."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.track import Track
from rl_editor.audio.files import Recording, read_audio, write_audio
from rl_editor.audio.source import identify
from rl_editor.data.splits import split_of
from rl_editor.data.synthesis import Listening, PlannedTake, Recipe, SongFile, Synthesis, plan_takes, write_take
from rl_editor.data.training_files import TakeFiles, read_card
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.render import render
from rl_editor.errors import DataError

HASHES = [f"{k:064x}" for k in range(40)]
STEP = 2.0**-23
RATE = 16000


def tune(seed: int) -> np.ndarray:
    """34 beats of drum hits and changing chords, float32 (2, n): hardly enough for a song."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(17.0 * RATE)) / RATE
    roots_hz = np.array([220.0, 196.0, 175.0, 165.0])[(t // 2).astype(int) % 4]
    hits = np.exp(-(t % 0.5) / 0.03) * np.where(t % 1 < 0.5, np.sin(2 * np.pi * 60 * t), rng.standard_normal(len(t)))
    sound = 0.5 * hits + 0.05 * np.sin(2 * np.pi * roots_hz * t) + 0.05 * np.sin(3 * np.pi * roots_hz * t)
    return np.tile(sound, (2, 1)).astype(np.float32)


def tracks(recording: Recording, known: dict[str, Track]) -> Track:
    """The analysis of a recording, made once."""
    source = recording.source
    if source.content_hash not in known:
        known[source.content_hash] = analyse(recording.audio, recording.sample_rate, source=source)
    return known[source.content_hash]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    return Synthesis(tmp_path_factory.mktemp("data"), Recipe(), partial(tracks, known={}))


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory, work: Synthesis) -> list[SongFile]:
    folder = tmp_path_factory.mktemp("songs")
    for k in range(2):
        write_audio(folder / f"song {k}.wav", tune(k), RATE)
    return [Listening(work.track_of)(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def made(work: Synthesis, songs: list[SongFile]) -> PlannedTake:
    (planned, _) = plan_takes(songs, 1, work.recipe)
    assert work(planned)
    return planned


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_edit_is_exactly_what_the_edl_plays_from_the_raw(work: Synthesis, made: PlannedTake) -> None:
    files = TakeFiles(work.folder, made.key)
    raw, edit, edl = read_audio(files.raw), read_audio(files.edit), edl_files.read(files.edl)
    assert edl.source == raw.source
    played = render(raw.audio, edl).astype(np.float64)
    assert np.array_equal(edit.audio, np.rint(played / STEP) * STEP)


def test_the_card_vouches_for_the_files(work: Synthesis, made: PlannedTake) -> None:
    files = TakeFiles(work.folder, made.key)
    card = read_card(files.card)
    assert card.files == files.hashes()
    assert len(card.files) == 3
    assert card.song == made.song.identity
    assert (card.seed, card.take) == (0, 1)
    assert card.made["raw_hash"] == read_audio(files.raw).source.content_hash


def test_a_take_does_not_depend_on_what_else_is_made(
    work: Synthesis, songs: list[SongFile], made: PlannedTake, tmp_path: Path
) -> None:
    again = replace(work, folder=tmp_path)
    for planned in reversed(plan_takes(songs[::-1], 2, work.recipe)):
        assert again(planned)
    ours = files_of(work.folder)
    assert len(ours) == 4
    assert ours.items() <= files_of(tmp_path).items()


def test_what_is_there_is_not_made_again_what_is_missing_is_and_what_was_changed_only_when_asked(
    work: Synthesis, made: PlannedTake, tmp_path: Path
) -> None:
    here = replace(work, folder=tmp_path)
    assert here(made)
    whole = files_of(tmp_path)
    assert not here(made)
    files = TakeFiles(tmp_path, made.key)
    files.card.unlink()  # as a run leaves it that was killed before the end
    files.edit.write_bytes(b"half")
    assert here(made)
    assert files_of(tmp_path) == whole
    files.edit.write_bytes(b"a remix of one's own")
    with pytest.raises(DataError, match="was changed since it was made; --overwrite"):
        here(made)
    assert files.edit.read_bytes() == b"a remix of one's own"
    assert replace(here, overwrite=True)(made)
    assert files_of(tmp_path) == whole


def test_a_held_out_family_is_never_heard(work: Synthesis, songs: list[SongFile], tmp_path: Path) -> None:
    recipe = Recipe(held_out=("timing", "dropout", "level"))
    held_out = replace(work, folder=tmp_path, recipe=recipe)
    for planned in plan_takes(songs, 1, recipe):
        assert held_out(planned)
        made = read_card(TakeFiles(tmp_path, planned.key).card).made
        assert set(made["families"]) <= {"wrong notes", "muffling"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seed": -1}, "must not be negative"),
        ({"held_out": ("laziness",)}, "no family of faults; there are timing"),
        ({"held_out": ("timing", "wrong notes", "level", "dropout", "muffling")}, "at least one must be left"),
    ],
)
def test_a_recipe_that_makes_nothing_is_refused(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        Recipe(**arguments)


@given(st.permutations(range(40)), st.integers(1, 40))
@settings(max_examples=30)
def test_plans_do_not_depend_on_the_order_of_songs(order: list[int], n: int) -> None:
    songs = [SongFile(Path(f"dir{k}/song.ogg"), HASHES[k]) for k in order[:n]]
    planned = {take.key: take for take in plan_takes(songs, 2, Recipe())}
    assert planned == {take.key: take for take in plan_takes(sorted(songs, key=lambda song: song.path), 2, Recipe())}
    assert len(planned) == 2 * n
    for take in planned.values():
        assert take.song not in take.others
        assert {split_of(other.content_hash) for other in take.others} <= {split_of(take.song.content_hash)}


def test_names_are_fit_for_files_and_tell_seeds_and_families_apart() -> None:
    song = SongFile(Path("a/Ünï: söng?.mp3"), HASHES[1])
    recipes = (Recipe(), Recipe(seed=1), Recipe(held_out=("level",)), Recipe(held_out=("level", "timing")))
    keys = {plan_takes([song], 1, recipe)[0].key for recipe in recipes}
    assert len(keys) == 4
    assert all(key.startswith("Ünï_söng_-") and key.endswith("-01") for key in keys)
    assert (
        plan_takes([song], 1, Recipe(held_out=("timing", "level")))[0].key
        == plan_takes([song], 1, Recipe(held_out=("level", "timing")))[0].key
    )


def test_a_take_whose_edit_would_clip_is_made_quieter(tmp_path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-1.0, 1.0, (2, 4000)).astype(np.float32)
    edl = EDL(identify(audio, 8000), (Segment(0, 2000), Segment(2500, 4000, fade=400)), Maker("truth"))
    assert np.abs(render(audio, edl)).max() > 1.0
    files = TakeFiles(tmp_path, "loud")
    write_take(files, audio, edl)
    raw, edit = read_audio(files.raw), read_audio(files.edit)
    played = render(raw.audio, edl_files.read(files.edl))
    assert np.abs(edit.audio - played).max() <= STEP / 2
