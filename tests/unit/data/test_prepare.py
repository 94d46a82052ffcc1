"""From pairs to demonstrations: what is measured, judged, kept, and read again."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rl_editor.analysis.store import ANALYSIS_VERSION
from rl_editor.audio.files import Encoding, read_audio, write_audio
from rl_editor.audio.source import Source, identify
from rl_editor.data import prepare, prepared
from rl_editor.data.known_edits import recovered, residual_db
from rl_editor.data.pairs import Pair, find_pairs
from rl_editor.data.prepare import Changed, Preparation, entries_of, judge
from rl_editor.data.prepared import (
    FOLDER,
    Entry,
    Measured,
    edl_file,
    read_manifest,
    read_prepared,
    take_file,
    write_manifest,
)
from rl_editor.data.splits import split_of
from rl_editor.data.thresholds import Thresholds
from rl_editor.edits import edl as edl_files
from rl_editor.edits.edl import EDL, Maker, Segment
from rl_editor.edits.render import render
from rl_editor.errors import DataError

RATE = 16000
DEEP = Encoding("FLAC", "PCM_24")
MEASURED = Measured(
    key="jam",
    raw="jam_raw.wav",
    edit="jam_edit.wav",
    source=Source("ab", RATE, 2, 100),
    edit_hash="cd",
    song_hash="ef",
    origin="recovered",
    residual_db=None,
    coverage=0.95,
    confidence=0.8,
    kept=0.3,
    decisions=10,
    outside=1,
    analysis_version=1,
    take_sha256="01",
    edl_sha256="23",
)


def jam(seconds: float, seed: int) -> np.ndarray:
    """Hits at 120 bpm over noise that never repeats, float32 (2, n)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    hits = np.exp(-(t % 0.5) / 0.03) * rng.standard_normal(len(t))
    melody = np.sin(2 * np.pi * np.cumsum(rng.uniform(200, 800, len(t) // 4000 + 1).repeat(4000)[: len(t)]) / RATE)
    return np.tile(0.3 * hits + 0.1 * melody, (2, 1)).astype(np.float32)


def write_pair(folder: Path, key: str, seed: int, *, edl: bool = True) -> EDL:
    raw = folder / f"{key}_raw.flac"
    write_audio(raw, jam(24.0, seed), RATE, encoding=DEEP)
    recording = read_audio(raw)
    segments = (Segment(2 * RATE, 9 * RATE), Segment(15 * RATE, 22 * RATE, fade=200), Segment(8000, 5 * RATE))
    true_edit = EDL(recording.source, segments, Maker("truth"))
    write_audio(folder / f"{key}_edit.flac", render(recording.audio, true_edit), RATE, encoding=DEEP)
    if edl:
        edl_files.write(true_edit, folder / "edl" / f"{key}.json", overwrite=False)
    return true_edit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs, one with its EDL, and what became of them."""
    folder = tmp_path_factory.mktemp("data")
    write_pair(folder, "exact", 1)
    write_pair(folder, "heard", 2, edl=False)
    (folder / "cards").mkdir()
    (folder / "cards" / "heard.json").write_text('{"version": 1, "song": {"content_hash": "our song"}}')
    pairs = find_pairs(folder).pairs
    work = Preparation(folder, folder / FOLDER)
    write_manifest(folder / FOLDER, entries_of(folder, pairs, map(work, pairs), Thresholds()))
    return folder


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_an_exact_edit_is_verified_and_one_without_is_recovered(data: Path) -> None:
    exact, heard = read_manifest(data / FOLDER)
    assert (exact.status, heard.status) == ("prepared", "prepared")
    assert exact.measured is not None
    assert heard.measured is not None
    assert (exact.measured.origin, heard.measured.origin) == ("exact", "recovered")
    assert exact.measured.residual_db is not None
    assert exact.measured.residual_db < -120
    assert heard.measured.coverage > 0.95
    assert heard.measured.confidence > 0.9


def test_the_split_goes_by_the_song_of_the_card_else_by_the_raw(data: Path) -> None:
    exact, heard = read_manifest(data / FOLDER)
    raw = read_audio(data / "exact_raw.flac").source.content_hash
    assert exact.measured is not None
    assert (exact.measured.song_hash, exact.split) == (raw, split_of(raw))
    assert heard.measured is not None
    assert (heard.measured.song_hash, heard.split) == ("our song", split_of("our song"))


def test_what_is_prepared_is_read_with_track_and_demonstration(data: Path) -> None:
    prepared = read_prepared(data / FOLDER)
    assert len(prepared) == 2
    for take in prepared:
        assert take.track.source == read_audio(data / take.entry.measured.raw).source
        assert Path(take.track.source.file) == data / take.entry.measured.raw
        assert len(take.demonstration.actions) == take.entry.measured.decisions
        assert take.demonstration.is_outside.sum() == take.entry.measured.outside
        assert abs(take.edl.duration_s - 18.5) < 0.1
    assert (prepared[0].demonstration.weight == 1).all()
    assert sum(len(prepared.split(split)) for split in ("train", "val", "test")) == 2


def test_what_is_prepared_is_not_prepared_again_and_damage_is_healed(data: Path) -> None:
    pair = find_pairs(data).pairs[0]
    before = files_of(data / FOLDER)
    work = Preparation(data, data / FOLDER)
    measured = work(pair)
    assert files_of(data / FOLDER) == before
    for damaged in (take_file(data / FOLDER, pair.key), edl_file(data / FOLDER, pair.key)):
        damaged.write_bytes(b"half")
        assert work(pair) == measured
        assert {name: content for name, (content, _) in files_of(data / FOLDER).items()} == {
            name: content for name, (content, _) in before.items()
        }


def test_another_content_is_prepared_only_when_asked(tmp_path: Path) -> None:
    write_pair(tmp_path, "jam", 3)
    (pair,) = find_pairs(tmp_path).pairs
    work = Preparation(tmp_path, tmp_path / FOLDER)
    measured = work(pair)
    write_audio(tmp_path / pair.edit, jam(19.0, 4), RATE, encoding=DEEP, overwrite=True)
    before = files_of(tmp_path)
    assert work(pair) == Changed(
        measured, "jam_edit.flac has changed since this pair was prepared; --overwrite prepares it again"
    )
    assert files_of(tmp_path) == before
    again = replace(work, overwrite=True)(pair)
    assert again.source == measured.source
    assert "not what its EDL plays" in judge(again, Thresholds())


def test_what_has_changed_is_learned_from_as_it_was(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    (folder / "cards" / "heard.json").write_text('{"version": 1, "song": {"content_hash": "another song"}}')
    before = read_manifest(folder / FOLDER)
    pairs = find_pairs(folder).pairs
    outcomes = list(map(Preparation(folder, folder / FOLDER), pairs))
    write_manifest(folder / FOLDER, entries_of(folder, pairs, outcomes, Thresholds()))
    exact, heard = read_manifest(folder / FOLDER)
    assert exact == before[0]
    assert heard == replace(before[1], status="changed", reason=heard.reason)
    assert heard.reason.startswith("cards/heard.json has changed")
    assert [len(take.demonstration.actions) for take in read_prepared(folder / FOLDER)] == [
        entry.measured.decisions for entry in before
    ]
    (entry,) = entries_of(folder, pairs[1:], outcomes[1:], Thresholds(confidence=1.0))
    assert entry.status == "set aside"
    assert "1.00 needed; cards/heard.json has changed" in entry.reason


def test_another_version_of_the_program_leaves_a_set_as_it_is_and_does_not_read_its_analyses(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pair, _), entry = find_pairs(data).pairs, read_manifest(data / FOLDER)[0]
    for module in (prepare, prepared):
        monkeypatch.setattr(module, "ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    assert entry.measured is not None
    before = files_of(data)
    assert Preparation(data, data / FOLDER)(pair) == Changed(
        entry.measured, "prepared by another version of this program; --overwrite prepares it again"
    )
    assert files_of(data) == before
    with pytest.raises(DataError, match=r"of another version of this program; run .* again \(--overwrite"):
        read_prepared(data / FOLDER).load(entry)


def test_a_changed_pair_of_which_a_part_is_lost_is_prepared_again(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    (pair, _) = find_pairs(folder).pairs
    (folder / pair.files[2]).write_text((folder / pair.files[2]).read_text() + "\n")
    take_file(folder / FOLDER, pair.key).unlink()
    assert isinstance(Preparation(folder, folder / FOLDER)(pair), Measured)
    assert take_file(folder / FOLDER, pair.key).is_file()


def test_an_edit_of_which_nothing_is_found_is_set_aside_once(tmp_path: Path) -> None:
    write_audio(tmp_path / "jam_raw.wav", jam(12.0, 7), RATE)
    write_audio(tmp_path / "jam_edit.wav", jam(6.0, 8), RATE)
    (pair,) = find_pairs(tmp_path).pairs
    work = Preparation(tmp_path, tmp_path / FOLDER)
    measured = work(pair)
    assert judge(measured, Thresholds()).endswith("of the edit found in the raw, 90.0 % needed")
    before = files_of(tmp_path)
    assert work(pair) == measured
    assert files_of(tmp_path) == before


def test_an_edl_of_another_recording_is_refused(tmp_path: Path) -> None:
    edl = write_pair(tmp_path, "jam", 3)
    other = replace(edl, source=replace(edl.source, content_hash="0" * 64))
    edl_files.write(other, tmp_path / "edl" / "jam.json", overwrite=True)
    (pair,) = find_pairs(tmp_path).pairs
    with pytest.raises(DataError, match=r"jam\.json: an edit of another recording than"):
        Preparation(tmp_path, tmp_path / FOLDER)(pair)


def test_new_material_in_an_edit_is_no_jump_of_the_editor(tmp_path: Path) -> None:
    write_audio(tmp_path / "raw.wav", jam(24.0, 5), RATE)
    raw = read_audio(tmp_path / "raw.wav")
    kept, new = raw.audio[:, 2 * RATE : 9 * RATE], jam(4.0, 6)
    later = raw.audio[:, 15 * RATE : 22 * RATE]
    write_audio(tmp_path / "edit.wav", np.concatenate([kept, new, later], axis=1), RATE)
    known = recovered(read_audio(tmp_path / "edit.wav"), raw)
    assert known.coverage == pytest.approx(14 / 18, abs=0.05)
    assert known.sureties is not None
    assert [surety.follows for surety in known.sureties] == [True, False]
    assert known.ends


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (MEASURED, ""),
        (replace(MEASURED, coverage=0.899), "89.9 % of the edit found in the raw, 90.0 % needed"),
        (replace(MEASURED, confidence=0.5), "found with confidence 0.50, 0.60 needed"),
        (replace(MEASURED, coverage=1.0, confidence=1.0, residual_db=-59.0), "not what its EDL plays"),
        (replace(MEASURED, coverage=1.0, confidence=1.0, residual_db=-90.0), ""),
    ],
)
def test_pairs_under_a_threshold_are_set_aside_with_the_reason(measured: Measured, reason: str) -> None:
    assert (reason in judge(measured, Thresholds())) if reason else judge(measured, Thresholds()) == ""
    (entry,) = entries_of(Path(), [Pair("jam", Path("a"), Path("b"))], [measured], Thresholds())
    assert entry.status == ("set aside" if reason else "prepared")


@pytest.mark.parametrize("wrong", [{"coverage": 3.0}, {"confidence": -0.1}, {"coverage": float("nan")}])
def test_thresholds_are_shares(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(DataError, match=f"least {name} .*: must be from 0 to 1"):
        Thresholds(**wrong)


def test_a_song_chosen_for_the_test_is_there_with_all_its_pairs() -> None:
    pairs = [Pair(str(k), Path("a"), Path("b"), test=k == 2) for k in range(4)]
    songs = ["x", "b", "b", "y"]
    outcomes = [replace(MEASURED, key=str(k), song_hash=song) for k, song in enumerate(songs)]
    sides = [entry.split for entry in entries_of(Path(), pairs, outcomes, Thresholds())]
    assert sides == [split_of("x"), "test", "test", split_of("y")]


def test_a_failed_pair_is_told_and_not_read(tmp_path: Path) -> None:
    pair, failure = Pair("jam", Path("a"), Path("b")), DataError(f"{tmp_path / 'b'}: an edit of {tmp_path / 'a'}")
    entries = list(entries_of(tmp_path, [pair], [failure], Thresholds()))
    assert entries == [Entry("jam", "failed", "b: an edit of a")]
    write_manifest(tmp_path, entries)
    assert read_manifest(tmp_path) == entries
    assert len(read_prepared(tmp_path)) == 0


def test_a_residual_counts_what_is_missing_at_the_end() -> None:
    sound = np.ones((2, 100), np.float32)
    assert residual_db(sound, sound) <= -190
    assert residual_db(sound, sound[:, :90]) == pytest.approx(-10.0)
    assert residual_db(sound[:, :90], sound) == pytest.approx(10 * np.log10(1 / 9))
    assert residual_db(sound, 0.9 * sound) == pytest.approx(-20.0, abs=1e-4)


@pytest.mark.parametrize("spoil", [lambda text: text[:-20], lambda text: text.replace('"version": 2', '"version": 9')])
def test_a_manifest_that_can_not_be_read_is_told(data: Path, tmp_path: Path, spoil: Callable[[str], str]) -> None:
    with pytest.raises(DataError, match="no prepared set; `rl-editor prepare"):
        read_prepared(tmp_path)
    text = (data / FOLDER / "manifest.jsonl").read_text()
    (tmp_path / "manifest.jsonl").write_text(spoil(text))
    with pytest.raises(DataError, match=r"line [12] is damaged or of another version of this program; `rl-editor prep"):
        read_prepared(tmp_path)


def test_what_was_lost_from_a_set_is_told(data: Path) -> None:
    prepared = read_prepared(data / FOLDER)
    entry = prepared.entries[0]
    assert entry.measured is not None
    lost = replace(entry, measured=replace(entry.measured, source=replace(entry.measured.source, content_hash="00")))
    with pytest.raises(DataError, match="run `rl-editor prepare` again"):
        prepared.load(lost)


def test_edits_of_other_rates_than_their_edl_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "jam", 3)
    (pair,) = find_pairs(tmp_path).pairs
    write_audio(tmp_path / pair.edit, jam(18.5, 3), 2 * RATE, overwrite=True)
    with pytest.raises(DataError, match="2 channels at 32000 Hz; its EDL plays 2 at 16000"):
        Preparation(tmp_path, tmp_path / FOLDER)(pair)


def test_identity_of_the_raw_is_kept_without_its_file(data: Path) -> None:
    (entry, _) = read_manifest(data / FOLDER)
    recording = read_audio(data / "exact_raw.flac")
    assert entry.measured is not None
    assert entry.measured.source == identify(recording.audio, RATE)
    assert entry.measured.source.file == ""
