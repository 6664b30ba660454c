"""What a source of kind zarr may be: a Zarr store, references of kerchunk to one, or an Icechunk repository."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from chronotile.model.raster import Numbers
from chronotile.readers.cf.array_source import ArraySource
from chronotile.readers.hrefs import local_path
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.requests import Refused
from chronotile.readers.zarr.arrays import open_array
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode, read_group
from chronotile.web.places import Places

JSON_END = ".json"
PARQUET_ENDS = (".parquet", ".parq")


class Store(Protocol):
    """Groups and arrays of one state."""

    def read_group(self) -> GroupNode:
        """Return the root group."""

    def open_array(
        self, node: ArrayNode, *, growing: str | None = None, caches: ReaderCaches | None = None
    ) -> ArraySource:
        """Return an array, of which one dimension may grow."""


@dataclass(frozen=True, slots=True)
class PlainStore:
    """A Zarr store: a folder, a `.zip`, or one elsewhere."""

    href: str
    names: tuple[str, ...] = ()
    """Arrays to look for where they cannot be listed."""

    def read_group(self) -> GroupNode:
        """Return the root group."""
        return read_group(self.href, self.names)

    def open_array(
        self, node: ArrayNode, *, growing: str | None = None, caches: ReaderCaches | None = None
    ) -> ArraySource:
        """Return an array."""
        return open_array(self.href, node, growing=growing, caches=caches)


def load_all(store: Store, node: ArrayNode) -> Numbers:
    """Return all of a (small) array as it was understood; where an append is under way it may be longer by now."""
    growing = node.dims[0] if node.dims else None
    return store.open_array(node, growing=growing).read(tuple(slice(0, length) for length in node.shape))


def open_group(href: str, allowed: Places | None = None, *, names: Iterable[str] = ()) -> tuple[Store, GroupNode]:
    """Return what a place holds, and its root group; arguments and errors are those of `open_store`."""
    store = open_store(href, allowed, names=names)
    try:
        return store, store.read_group()
    except Refused:
        if not isinstance(store, PlainStore) or not _is_repository(href):
            raise
    repository = _open_repository(href)
    return repository, repository.read_group()


def open_store(href: str, allowed: Places | None = None, *, names: Iterable[str] = ()) -> Store:
    """Return what a place holds: known by its content here, by the end of its name elsewhere.

    A repository elsewhere is known when no Zarr store is found there (`open_group`).

    Args:
        href: The place.
        allowed: Where addresses in references may lead besides their own folder, server or bucket; `None`: they are not
            checked before a file is read.
        names: Arrays to look for in a Zarr store elsewhere that has no consolidated metadata and cannot be listed.

    Raises:
        UnsupportedSource: It holds references that cannot be served.
    """
    if _is_json(href) or _is_parquet(href):
        from chronotile.readers.zarr.references.store import (  # noqa: PLC0415 -- seldom needed
            open_json,
            open_parquet,
        )

        return (open_json if _is_json(href) else open_parquet)(href, allowed)
    if local_path(href) is not None and _is_repository(href):
        return _open_repository(href)
    return PlainStore(href, tuple(names))


def _is_repository(href: str) -> bool:
    from chronotile.readers.zarr.repository import is_repository  # noqa: PLC0415 -- as above

    return is_repository(href)


def _open_repository(href: str) -> Store:
    from chronotile.readers.zarr.repository import open_repository  # noqa: PLC0415 -- as above

    return open_repository(href)


def _is_json(href: str) -> bool:
    path = local_path(href)
    if path is None:
        return href.lower().endswith(JSON_END)
    return path.is_file() and path.suffix != ".zip"


def _is_parquet(href: str) -> bool:
    path = local_path(href)
    if path is None:
        return href.rstrip("/").lower().endswith(PARQUET_ENDS)
    document = path / ".zmetadata"
    return document.is_file() and b'"record_size"' in document.read_bytes()
