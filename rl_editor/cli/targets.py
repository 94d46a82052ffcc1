"""Where the results of editing one song go, checked before any work is done."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rl_editor.atomic import check_writable
from rl_editor.cli.songs import find_songs
from rl_editor.errors import DataError, EditorError

if TYPE_CHECKING:
    from jsonargparse import Namespace

_PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Job:
    """One song to edit and where everything goes."""

    source: Path
    song: Path
    edl: Path
    plot: Path
    join_preview: Path | None

    def numbered(self, number: int) -> "Job":
        """The job of the edit of this rank: the best keeps the names, the others get their number."""
        if number == 1:
            return self

        def rename(path: Path) -> Path:
            return path.with_name(f"{path.stem}.{number}{path.suffix}")

        preview = self.join_preview and rename(self.join_preview)
        return Job(self.source, rename(self.song), rename(self.edl), rename(self.plot), preview)

    @property
    def files(self) -> list[Path]:
        """All files that are written."""
        return [path for path in (self.song, self.edl, self.plot, self.join_preview) if path is not None]

    def check(self, *, overwrite: bool) -> None:
        """Refuse before the work what could not be written after it.

        Raises:
            EditorError: a file exists and may not be replaced, can't be written, or has a suffix nobody can write.
        """
        from rl_editor.audio.encoding import output_encoding

        if self.plot.suffix.lower() not in _PICTURES:
            raise EditorError(f"{self.plot}: a picture ends in {', '.join(_PICTURES)}")
        for path in (self.song, self.join_preview):
            if path is not None:
                output_encoding(path.suffix, None)
        for path in self.files:
            check_writable(path, overwrite=overwrite, source=self.source)


def is_folder(text: str) -> bool:
    """Whether an output names a folder: it ends in / or is one."""
    return text.endswith("/") or Path(text).is_dir()


def jobs(args: "Namespace") -> list[Job]:
    """What is to be edited: files as named, of folders all sound files below, their tree kept in the output.

    Raises:
        DataError: a folder holds no sound file, or two results would have one name.
    """
    found = [_job(source, kept, args) for source, kept in _sources(args.songs)]
    names = Counter(
        path.resolve() for job in found for rank in range(1, args.top + 1) for path in job.numbered(rank).files
    )
    twice = [path for path, count in names.items() if count > 1]
    if twice:
        raise DataError(f"{twice[0]}: two results would have this name")
    return found


def _sources(named: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Each recording with the part of its path that the output keeps; edits of ours in a folder are passed over."""
    for text in named:
        path = Path(text)
        if text and not path.is_dir():
            yield path, Path()
            continue
        for song in find_songs([text]):
            if ".edit" not in song.suffixes[:-1]:
                yield song, song.parent.relative_to(path)


def _job(source: Path, kept: Path, args: "Namespace") -> Job:
    from rl_editor.audio.encoding import writable_suffix

    name = f"{source.stem}.edit{writable_suffix(source.suffix)}"
    if args.output is None:
        song = source.with_name(name)
    else:
        song = Path(args.output) / kept / name if is_folder(args.output) else Path(args.output)
    return Job(
        source=source,
        song=song,
        edl=Path(args.edl) if args.edl else song.with_suffix(".json"),
        plot=Path(args.plot) if args.plot else song.with_suffix(".png"),
        join_preview=Path(args.join_preview) if args.join_preview else None,
    )
