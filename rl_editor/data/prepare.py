"""From a raw / edit pair to a demonstration: analyse the raw, know the edit, verify it, decode it.

Measuring a pair takes long and is done once; judging what was measured takes nothing and is done with every manifest,
so that a threshold can be changed without measuring again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rl_editor.analysis.analyse import analyse
from rl_editor.analysis.store import ANALYSIS_VERSION, Key
from rl_editor.analysis.track import Track
from rl_editor.audio.files import Recording, read_audio
from rl_editor.data.demonstrations import demonstrate, write_demonstration
from rl_editor.data.known_edits import given, read_true_edit, recovered
from rl_editor.data.pairs import Pair
from rl_editor.data.prepared import (
    PREPARED_VERSION,
    Entry,
    Measured,
    edl_file,
    pair_file,
    read_measured,
    take_file,
    track_store,
    write_measured,
)
from rl_editor.data.splits import split_of
from rl_editor.data.training_files import file_hash, read_card
from rl_editor.edits import edl as edl_files
from rl_editor.errors import DataError, EditorError

_LARGEST_RESIDUAL_DB = -60.0  # 16 bits stand near -90, a lossy copy of the edit above -40


@dataclass(frozen=True)
class Thresholds:
    """What a recovered pair must reach to be learned from."""

    coverage: float = 0.9
    """Least share of the edit that is found in the raw."""
    confidence: float = 0.6
    """Least mean confidence of what is found."""

    def __post_init__(self) -> None:
        for name in ("coverage", "confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DataError(f"least {name} {getattr(self, name):g}: must be from 0 to 1")


@dataclass(frozen=True)
class Preparation:
    """The measuring of pairs, in whichever process."""

    data: Path
    """Folder of training data."""
    folder: Path
    """Of the prepared set."""
    overwrite: bool = False
    """Replace what was measured on other files or by another version."""

    def __call__(self, pair: Pair) -> Measured:
        """Measure a pair and write its demonstration, unless that is there already.

        Raises:
            EditorError: a file can't be used or written, or was measured before with another content.
        """
        made_from = self._made_from(pair)
        kept = read_measured(pair_file(self.folder, pair.key))
        if kept is not None:
            measured, made_from_then = kept
            if made_from_then == made_from and self._is_whole(measured):
                return measured
            if made_from_then != made_from and not self.overwrite:
                raise DataError(
                    f"{self.data / pair.raw}: this pair or the program has changed since it was prepared; "
                    "--overwrite prepares it again"
                )
        return self._measure(pair, made_from)

    def _made_from(self, pair: Pair) -> dict[str, str]:
        versions = {"analysis_version": str(ANALYSIS_VERSION), "prepared_version": str(PREPARED_VERSION)}
        return {file.as_posix(): file_hash(self.data / file) for file in pair.files} | versions

    def _is_whole(self, measured: Measured) -> bool:
        """Whether all that was written besides is still there."""
        if not measured.decisions:
            return True
        take, edl = take_file(self.folder, measured.key), edl_file(self.folder, measured.key)
        if not (take.is_file() and edl.is_file()) or file_hash(take) != measured.take_sha256:
            return False
        return track_store(self.folder).load(Key(measured.source)) is not None

    def _measure(self, pair: Pair, made_from: dict[str, str]) -> Measured:
        raw, edit = read_audio(self.data / pair.raw), read_audio(self.data / pair.edit)
        card = read_card(self.data / pair.card) if pair.card else None
        known = given(read_true_edit(self.data / pair.edl, raw), edit, raw) if pair.edl else recovered(edit, raw)
        take = take_file(self.folder, pair.key)
        shown = None
        if known.edl is not None:
            shown = demonstrate(known.edl, self._track(raw), known.sureties, ends=known.ends)
            write_demonstration(take, shown)
            edl_files.write(known.edl, edl_file(self.folder, pair.key), overwrite=True)
        measured = Measured(
            key=pair.key,
            raw=pair.raw.as_posix(),
            edit=pair.edit.as_posix(),
            source=replace(raw.source, file=""),
            edit_hash=edit.source.content_hash,
            song_hash=card.song.content_hash if card else raw.source.content_hash,
            origin="exact" if pair.edl else "recovered",
            residual_db=known.residual_db,
            coverage=known.coverage,
            confidence=known.confidence,
            kept=edit.source.duration_s / raw.source.duration_s,
            decisions=len(shown.actions) if shown else 0,
            outside=int(shown.is_outside.sum()) if shown else 0,
            take_sha256=file_hash(take) if shown else "",
        )
        write_measured(pair_file(self.folder, pair.key), measured, made_from)
        return measured

    def _track(self, raw: Recording) -> Track:
        store, key = track_store(self.folder), Key(raw.source)
        track = store.load(key)
        if track is None:
            track = analyse(raw.audio, raw.sample_rate, source=raw.source)
            store.save(key, track)
        return track


def judge(measured: Measured, thresholds: Thresholds) -> str:
    """Why a pair is not to be learned from; empty where it is."""
    if measured.residual_db is not None and measured.residual_db > _LARGEST_RESIDUAL_DB:
        return (
            f"the edit is not what its EDL plays (difference {measured.residual_db:.0f} dB, at most "
            f"{_LARGEST_RESIDUAL_DB:.0f}); without the EDL it is recovered from sound"
        )
    if measured.coverage < thresholds.coverage:
        return f"{_percent(measured.coverage)} of the edit found in the raw, {_percent(thresholds.coverage)} needed"
    if measured.confidence < thresholds.confidence:
        return f"found with confidence {measured.confidence:.2f}, {thresholds.confidence:.2f} needed"
    return ""


def entries_of(
    pairs: Iterable[Pair], outcomes: Iterable[Measured | EditorError], thresholds: Thresholds
) -> Iterator[Entry]:
    """What became of each pair, whether it was measured or failed.

    A song with a pair in `test_input` is on the test side with all its pairs.
    """
    both = list(zip(pairs, outcomes, strict=True))
    test_songs = {outcome.song_hash for pair, outcome in both if pair.test and isinstance(outcome, Measured)}
    for pair, outcome in both:
        if isinstance(outcome, EditorError):
            yield Entry(pair.key, "failed", str(outcome))
            continue
        reason = judge(outcome, thresholds)
        split = split_of(outcome.song_hash, test_songs=test_songs)
        yield Entry(pair.key, "set aside" if reason else "prepared", reason, split, outcome)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
