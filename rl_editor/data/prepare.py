"""From a raw / edit pair to a demonstration: analyse the raw, know the edit, verify it, decode it.

Measuring a pair takes long and is done once; judging what was measured takes nothing and is done with every manifest,
so that a threshold can be changed without measuring again. Nothing that was measured is replaced unasked: a pair that
changed since stays as it was, and is told.
"""

import os
import re
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
    Status,
    edl_file,
    pair_file,
    read_measured,
    take_file,
    track_store,
    write_measured,
)
from rl_editor.data.splits import split_of
from rl_editor.data.thresholds import Thresholds
from rl_editor.data.training_files import file_hash, read_card
from rl_editor.edits import edl as edl_files
from rl_editor.errors import EditorError

_VERSIONS = ("analysis_version", "prepared_version")
_LARGEST_RESIDUAL_DB = -60.0  # 16 bits stand near -90, a lossy copy of the edit above -40


@dataclass(frozen=True)
class Changed:
    """A pair that was measured on other files, or by another version of the program, and is left as it was."""

    measured: Measured
    """Then."""
    what: str
    """What is another now, and the way out."""


@dataclass(frozen=True)
class Preparation:
    """The measuring of pairs, in whichever process."""

    data: Path
    """Folder of training data."""
    folder: Path
    """Of the prepared set."""
    overwrite: bool = False
    """Replace what was measured on other files or by another version."""

    def __call__(self, pair: Pair) -> Measured | Changed:
        """Measure a pair and write its demonstration, unless that is there already.

        Raises:
            EditorError: a file can't be used or written.
        """
        made_from = self._made_from(pair)
        kept = read_measured(pair_file(self.folder, pair.key))
        if kept is not None:
            measured, made_from_then = kept
            if made_from_then == made_from and self._is_whole(measured) and self._has_track(measured):
                return measured
            # what is no longer whole, perhaps as an --overwrite was killed, is nothing to be kept
            if made_from_then != made_from and not self.overwrite and self._is_whole(measured):
                return Changed(measured, _what_changed(made_from_then, made_from))
        return self._measure(pair, made_from)

    def _made_from(self, pair: Pair) -> dict[str, str]:
        versions = {_VERSIONS[0]: str(ANALYSIS_VERSION), _VERSIONS[1]: str(PREPARED_VERSION)}
        return {file.as_posix(): file_hash(self.data / file) for file in pair.files} | versions

    def _is_whole(self, measured: Measured) -> bool:
        """Whether its demonstration and its EDL are still there, as they were written."""
        if not measured.decisions:
            return True
        take, edl = take_file(self.folder, measured.key), edl_file(self.folder, measured.key)
        for file, sha256 in ((take, measured.take_sha256), (edl, measured.edl_sha256)):
            if not file.is_file() or file_hash(file) != sha256:
                return False
        return True

    def _has_track(self, measured: Measured) -> bool:
        return not measured.decisions or track_store(self.folder).load(Key(measured.source)) is not None

    def _measure(self, pair: Pair, made_from: dict[str, str]) -> Measured:
        raw, edit = read_audio(self.data / pair.raw), read_audio(self.data / pair.edit)
        card = read_card(self.data / pair.card) if pair.card else None
        known = given(read_true_edit(self.data / pair.edl, raw), edit, raw) if pair.edl else recovered(edit, raw)
        take, edl = take_file(self.folder, pair.key), edl_file(self.folder, pair.key)
        shown = None
        if known.edl is not None:
            shown = demonstrate(known.edl, self._track(raw), known.sureties, ends=known.ends)
            write_demonstration(take, shown)
            edl_files.write(known.edl, edl, overwrite=True)
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
            analysis_version=ANALYSIS_VERSION,
            take_sha256=file_hash(take) if shown else "",
            edl_sha256=file_hash(edl) if shown else "",
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
    data: Path, pairs: Iterable[Pair], outcomes: Iterable[Measured | Changed | EditorError], thresholds: Thresholds
) -> Iterator[Entry]:
    """What became of each pair, whether it was measured, had changed or failed.

    A song with a pair in `test_input` is on the test side with all its pairs.

    Args:
        data: folder of training data, which no reason names.
        pairs: all of it.
        outcomes: of each pair.
        thresholds: what a pair must reach to be learned from.
    """
    known = [(pair, *_parted(outcome)) for pair, outcome in zip(pairs, outcomes, strict=True)]
    test_songs = {measured.song_hash for pair, measured, _ in known if pair.test and isinstance(measured, Measured)}
    for pair, measured, changed in known:
        if isinstance(measured, EditorError):
            yield Entry(pair.key, "failed", _relative(str(measured), data))
            continue
        doubt = judge(measured, thresholds)
        status: Status = "set aside" if doubt else "changed" if changed else "prepared"
        reason = "; ".join(filter(None, (doubt, changed)))
        yield Entry(pair.key, status, reason, split_of(measured.song_hash, test_songs=test_songs), measured)


def _parted(outcome: Measured | Changed | EditorError) -> tuple[Measured | EditorError, str]:
    """What is known of a pair, and what changed since."""
    return (outcome.measured, outcome.what) if isinstance(outcome, Changed) else (outcome, "")


def _what_changed(before: dict[str, str], now: dict[str, str]) -> str:
    """`cards/jam.json has changed since this pair was prepared; ...`."""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    files = [name for name in names if name not in _VERSIONS]
    if not files:
        return "prepared by another version of this program; --overwrite prepares it again"
    verb = "has" if len(files) == 1 else "have"
    return f"{', '.join(files)} {verb} changed since this pair was prepared; --overwrite prepares it again"


def _relative(text: str, data: Path) -> str:
    """A message without the folder of training data, so that a set can be moved."""
    return text if data == Path() else re.sub(rf"(?<![\w./\\-]){re.escape(f'{data}{os.sep}')}", "", text)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
