"""What a kind of source is: one value a kind, through which all other code treats its sources."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.readers.files import find_files
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

if TYPE_CHECKING:
    import xarray


AS_STORED: dict[str, Any] = dict.fromkeys(
    ("mask_and_scale", "decode_times", "decode_timedelta", "decode_coords"), False
)
"""How xarray opens a file whose numbers are compared; characters are texts."""


def has_file(folder: Path, name: str) -> bool:
    """Return whether a folder has a file; not of one that cannot be read, of which the walk reports why."""
    with suppress(OSError):
        return (folder / name).is_file()
    return False


class SourceKind(ABC):
    """A kind of source: how a directory shows that it is there, how it is opened, watched, checked and converted.

    The defaults suit files of arrays, one of which holds all of a source or some of its times.
    """

    options: KindOptions
    """Its name in the configuration, and what else the configuration may say of such a source."""
    file_ends: tuple[str, ...] = ()
    """Ends of the names of its files, in lower case."""
    shared_ends: tuple[str, ...] = ()
    """The same of names that other formats have too: the content tells them apart."""
    folder_marks: tuple[str, ...] = ()
    """Names of files; a folder with one of them is a source."""
    folder_ends: tuple[str, ...] = ()
    """Ends of the names of folders that are sources, in lower case."""

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self.options.name

    @abstractmethod
    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of what is stored, which keeps in `caches` what it reads.

        Raises:
            UnsupportedSource: It cannot be served; the message gives the reason in one line.
        """

    def has_content(self, path: Path, head: bytes) -> bool:
        """Return whether a file with one of `shared_ends` is of this kind: by its first bytes or files beside it."""
        return False

    def is_folder(self, path: Path) -> bool:
        """Return whether a folder is a source of this kind."""
        return path.name.lower().endswith(self.folder_ends) or any(has_file(path, name) for name in self.folder_marks)

    def side_reason(self, path: Path) -> str | None:
        """Return why a file that goes beside those of this kind is skipped; `""`: no message; `None`: it is no such."""

    def files(self, spec: SourceSpec) -> list[str]:
        """Return the files whose states show whether a source on this machine has changed.

        Raises:
            UnsupportedSource: There are no files.
        """
        return [path for paths in find_files(spec).values() for path in paths]

    def root_document(self, spec: SourceSpec) -> Path | None:
        """Return the one document of this machine that each change replaces, if the source has such a one."""

    def findings(self, spec: SourceSpec, known: Collection[str]) -> Iterator[Finding]:
        """Yield what `check` finds: damaged files, files that do not fit the others, blocks that are slow to read.

        Args:
            spec: The source.
            known: Places of findings there are already, which are not reported again.
        """
        yield from ()

    def left_out(self, spec: SourceSpec) -> Iterator[Finding]:
        """Yield a finding for what the source holds that no variable of the configuration reads."""
        yield from ()

    def has_map_layout(self, spec: SourceSpec) -> bool:
        """Return whether its blocks suit maps, so that `optimise` need not write them again."""
        return False

    def has_times_in_blocks(self, spec: SourceSpec) -> bool:
        """Return whether a block may hold several times, so that `optimise` reads many times of one window together."""
        return True

    def datasets(self, path: Path) -> "Iterator[xarray.Dataset]":
        """Yield what xarray finds in one file or store of this machine, as it is stored, for `audit` and `--verify`.

        Raises:
            UnsupportedSource: xarray does not read this kind.
        """
        raise UnsupportedSource(f"sources of kind {self.name} are not read apart yet")
