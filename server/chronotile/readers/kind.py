"""Kinds of source: one object per kind, used by all other code for the sources of this kind."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.readers.dated_files import find_files
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches

if TYPE_CHECKING:
    import xarray


AS_STORED: dict[str, Any] = dict.fromkeys(
    ("mask_and_scale", "decode_times", "decode_timedelta", "decode_coords"), False
)
"""Options of xarray to read numbers of a file unchanged for comparisons; characters become texts."""


def has_file(folder: Path, name: str) -> bool:
    """Return whether a folder has a file; False for unreadable folders, which the directory walk reports."""
    with suppress(OSError):
        return (folder / name).is_file()
    return False


def add_coordinates(dataset: "xarray.Dataset", groups: "Iterable[xarray.Dataset]") -> "xarray.Dataset":
    """Return a dataset with coordinates of other groups along dimensions without coordinates."""
    for other in groups if not dataset.sizes.keys() <= dataset.variables.keys() else ():
        fitting = {n: v for n, v in other.variables.items() if v.dims == (n,) and v.size == dataset.sizes.get(n)}
        dataset = dataset.assign_coords({n: v for n, v in fitting.items() if n not in dataset.variables})
    return dataset


class SourceKind(ABC):
    """A kind of source: how it is recognised in a directory, opened, watched, checked and converted.

    The defaults suit files of arrays that contain a whole source or some of its times.
    """

    options: KindOptions
    """Name of the kind in the configuration, and additional keys of its sources."""
    file_ends: tuple[str, ...] = ()
    """Ends of file names that only this kind has, in lower case."""
    shared_ends: tuple[str, ...] = ()
    """Ends of file names that other formats have, too; the content decides."""
    folder_marks: tuple[str, ...] = ()
    """Names of files that mark their folder as a source."""
    folder_ends: tuple[str, ...] = ()
    """Ends of the names of folders that are sources, in lower case."""

    @property
    def name(self) -> str:
        """Name in the configuration."""
        return self.options.name

    @abstractmethod
    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of a source, which uses the caches `caches`.

        Raises:
            UnsupportedSource: The source cannot be served; the message gives the reason in one line.
        """

    def has_content(self, path: Path, head: bytes) -> bool:
        """Return whether a file with a shared end is of this kind, by its first bytes or files next to it."""
        return False

    def is_folder(self, path: Path) -> bool:
        """Return whether a folder is a source of this kind."""
        return path.name.lower().endswith(self.folder_ends) or any(has_file(path, name) for name in self.folder_marks)

    def side_reason(self, path: Path) -> str | None:
        """Return why a side file of this kind is skipped; `""`: without a message; `None`: it is not a side file."""

    def files(self, spec: SourceSpec) -> list[str]:
        """Return the files whose fingerprints show whether a local source has changed.

        Raises:
            UnsupportedSource: There are no files.
        """
        return [path for paths in find_files(spec).values() for path in paths]

    def root_document(self, spec: SourceSpec) -> Path | None:
        """Return the local document that every change of the source replaces; `None` if it does not exist."""

    def findings(self, spec: SourceSpec, reported: Collection[str]) -> Iterator[Finding]:
        """Yield the findings of `check`: damaged files, files that do not fit the others, blocks that are slow to read.

        Args:
            spec: The source.
            reported: Locations that already have findings; no more are yielded for these.
        """
        yield from ()

    def unused_data_findings(self, spec: SourceSpec) -> Iterator[Finding]:
        """Yield a finding for data of the source that no configured variable reads."""
        yield from ()

    def has_map_layout(self, spec: SourceSpec) -> bool:
        """Return whether blocks suit maps, so that `optimise` need not write them again."""
        return False

    def has_times_in_blocks(self, spec: SourceSpec) -> bool:
        """Return whether a block may contain several times; then `optimise` reads many times of a window together."""
        return True

    def datasets(self, path: Path, group: str | None = None) -> "Iterator[xarray.Dataset]":
        """Yield the datasets of a local file or store as xarray reads them, for `audit` and `optimise verify`.

        Args:
            path: The file or store.
            group: The only group to open; `None` means all, the finest first.

        Raises:
            UnsupportedSource: xarray does not read this kind.
        """
        raise UnsupportedSource(f"sources of kind {self.name} are not read apart yet")
