"""Opening of Zarr sources: a Zarr store, kerchunk references, or an Icechunk repository."""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from chronotile.core.errors import AddressRefused, UnsupportedSource
from chronotile.core.extras import has_extra
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.types import AnyArray, Json, NumberArray
from chronotile.core.web.item_places import SOURCE_SETTING
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.cf.array_source import ArraySource
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.scope import GroupTree
from chronotile.readers.cf.time_numbers import TEXT_KINDS
from chronotile.readers.hrefs import local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.requests import Refused
from chronotile.readers.zarr.arrays import open_array
from chronotile.readers.zarr.damage import guard_blosc
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode, open_documents, read_group
from chronotile.readers.zarr.references.files import places_of
from chronotile.readers.zarr.store_files import LEVELS_END, LINK, linked_store

# Types of strings have no specification in version 3 yet. The filter is set once for the process, because threads that
# change filters for themselves undo each other's.
warnings.filterwarnings("ignore", "The data type .* does not have a Zarr V3 specification", FutureWarning)

JSON_END = ".json"
PARQUET_ENDS = (".parquet", ".parq")
MAX_TEXTS = 10_000
"""Maximum number of labels of a dimension."""
LEVEL_KEYS = ("path", "group", "asset")
"""Keys that contain the path of a level in `multiscales`."""
STATED = ("spatial:", "proj:")
"""Prefixes of keys of a level that state its position."""
FINEST = ("0.zarr", "0")
"""Possible names of the finest level."""


class Store(Protocol):
    """Groups and arrays in one state of a source."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings about its files."""

    def read_group(self) -> GroupNode:
        """Return the root group."""

    def open_array(
        self, node: ArrayNode, *, growing: str | None = None, caches: ReaderCaches | None = None
    ) -> ArraySource:
        """Return an array; the dimension `growing` may get longer."""


@dataclass(frozen=True, slots=True)
class PlainStore:
    """A Zarr store: a local folder, a `.zip`, or a remote store."""

    href: str
    names: tuple[str, ...] = ()
    """Arrays to request if they cannot be listed."""
    linked: Path | None = None
    """The store that a folder of levels links to as its finest level."""
    findings: tuple[Finding, ...] = ()

    def read_group(self) -> GroupNode:
        """Return the root group.

        Raises:
            UnsupportedSource: It is a folder of levels without the finest.
        """
        root = read_group(self.href, self.names)
        if self.linked is not None:
            finest = _read_linked(self.linked)
            return replace(root, groups={**root.groups, LINK: finest})
        levels = {name.removesuffix(".zarr") for name in root.groups}
        if self.href.rstrip("/").endswith(LEVELS_END) and "0" not in levels and any(map(str.isdigit, levels)):
            raise UnsupportedSource(f"its finest level, 0.zarr, is missing; a {LINK} is followed on this machine alone")
        return root

    def open_array(
        self, node: ArrayNode, *, growing: str | None = None, caches: ReaderCaches | None = None
    ) -> ArraySource:
        """Return an array."""
        if self.linked is not None and node.path.startswith(f"{LINK}/"):
            linked_node = replace(node, path=node.path.removeprefix(f"{LINK}/"))
            return open_array(str(self.linked), linked_node, growing=growing, caches=caches)
        return open_array(self.href, node, growing=growing, caches=caches)


def _read_linked(store: Path) -> GroupNode:
    """Return the root group of the linked finest level, with paths below the link."""
    group = read_group(str(store))
    if not group.arrays:
        raise UnsupportedSource(f"its {LINK} leads to {store.name}, which has no arrays at its root")
    arrays = {name: replace(node, path=f"{LINK}/{node.path}") for name, node in group.arrays.items()}
    return GroupNode(LINK, group.attrs, arrays)


def load_all(store: Store, node: ArrayNode) -> NumberArray:
    """Return all numbers of a small array, with the length read from its metadata even if it has grown since."""
    growing = node.dims[0] if node.dims else None
    return store.open_array(node, growing=growing).read(tuple(slice(0, length) for length in node.shape))


def _is_text(node: ArrayNode) -> bool:
    return node.dtype is not None and node.dtype.kind in TEXT_KINDS


def load_texts(store: Store, node: ArrayNode) -> AnyArray:
    """Return a small array of strings, which tensorstore does not read.

    Raises:
        UnsupportedSource: It has several dimensions, is too long, or is not in a plain store.
    """
    if not isinstance(store, PlainStore) or len(node.shape) != 1 or node.shape[0] > MAX_TEXTS:
        raise UnsupportedSource(f"its texts {node.name} are not read: they are not along one dimension, or too many")
    import zarr
    from zarr.core.buffer import default_buffer_prototype

    guard_blosc()
    documents, _root = open_documents(store.href)
    chunks = range(-(-node.shape[0] // node.files[0]))
    names = [f"{node.path}/{name}" for name in (node.document, ".zattrs")] + [node.file_of([c]) for c in chunks]
    bodies = {name.lstrip("/"): documents.read(name.lstrip("/")) for name in names}
    prototype = default_buffer_prototype()
    copy = {name: prototype.buffer.from_bytes(body) for name, body in bodies.items() if body is not None}
    array = zarr.open_array(zarr.storage.MemoryStore(copy), path=node.path, mode="r")
    values = np.asarray(array[:]).tolist()
    return np.array([v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values])


def names_of(spec: SourceSpec) -> list[str]:
    """Return the names of configured arrays and groups, which are requested if a store cannot be listed."""
    groups = (spec.group or "").split("/")
    return [*filter(None, groups), *(variable.name or variable.id for variable in spec.variables.values())]


def open_group(
    href: str, allowed: AllowedPlaces | None = None, *, names: Iterable[str] = ()
) -> tuple[Store, GroupNode]:
    """Return the store at an address and its root group; arguments and errors as in `open_store`."""
    store = open_store(href, allowed, names=names)
    try:
        return store, store.read_group()
    except Refused:
        if not isinstance(store, PlainStore) or not _is_repository(href):
            raise
    repository = _open_repository(href, allowed)
    return repository, repository.read_group()


def open_store(href: str, allowed: AllowedPlaces | None = None, *, names: Iterable[str] = ()) -> Store:
    """Return the store at an address, by its content if it is local, otherwise by the end of its name.

    A remote repository is only recognised if no Zarr store is found there (`open_group`).

    Args:
        href: The address.
        allowed: Permitted addresses in references and virtual chunks, in addition to their folder, server or bucket;
            `None` permits no others, and checks references when their file is read.
        names: Arrays to request in a remote Zarr store that has no consolidated metadata and cannot be listed.

    Raises:
        UnsupportedSource: It contains references that cannot be served.
    """
    if _is_json(href) or _is_parquet(href):
        from chronotile.readers.zarr.references.store import open_json, open_parquet  # noqa: PLC0415 -- seldom needed

        return (open_json if _is_json(href) else open_parquet)(href, allowed)
    if local_path(href) is not None and _is_repository(href):
        return _open_repository(href, allowed)
    return PlainStore(href, tuple(names), None if (path := local_path(href)) is None else _resolve_link(path, allowed))


def _resolve_link(path: Path, allowed: AllowedPlaces | None) -> Path | None:
    """Return the store that replaces the finest level of a folder of levels, if it may be opened."""
    linked = linked_store(path)
    if linked is None or any((path / name).is_dir() for name in FINEST):
        return None
    if allowed is not None:
        try:
            linked = Path(places_of(str(path), allowed)(str(linked.absolute())))
        except AddressRefused as error:
            reason = (
                f"its {LINK} leads out of the folder that holds it; to follow it, allow {error.prefix} in "
                f"{SOURCE_SETTING}"
            )
            raise AddressRefused(reason, prefix=error.prefix) from error
    if not linked.is_dir():
        raise UnsupportedSource(f"its {LINK} leads to {linked.name}, which is not a folder")
    return linked


def _is_repository(href: str) -> bool:
    from chronotile.readers.zarr.repository import is_repository  # noqa: PLC0415 -- seldom needed

    return is_repository(href)


def _open_repository(href: str, allowed: AllowedPlaces | None) -> Store:
    from chronotile.readers.zarr.repository import open_repository  # noqa: PLC0415 -- seldom needed

    return open_repository(href, allowed)


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


def tree_of(root: GroupNode, store: Store) -> GroupTree:
    """Return the groups of a store."""
    groups = dict(root.walk())
    shapes = {path: {name: array.shape for name, array in g.arrays.items()} for path, g in groups.items()}
    cut = next((path for path, group in groups.items() if group.is_cut), None)
    return GroupTree(shapes, cache(lambda path: fields_of(groups[path], root, store)), cut)


def fields_of(group: GroupNode, root: GroupNode, store: Store) -> FieldSet:
    """Return the arrays of a group; attributes that the group lacks come from the root."""
    bounds = {node.attrs.get(key) for node in group.arrays.values() for key in ("bounds", "climatology")}
    nodes = {
        name: node
        for name, node in group.arrays.items()
        if node.dtype is not None and (not _is_text(node) or (isinstance(store, PlainStore) and has_extra("zarr")))
    }
    of_coordinates = {name for name, node in nodes.items() if len(node.dims) < 2} | bounds
    groups = _groups_above(group, root)
    stated = _layout_attributes(groups)
    nodes = {name: replace(node, attrs=stated.get(node.path, {}) | node.attrs) for name, node in nodes.items()}
    fields = {name: _field(name, _drop_fill(node, name in of_coordinates), store) for name, node in nodes.items()}
    levels = tuple(attributes for g in groups for attributes in (stated.get(g.path, {}) | g.attrs,))
    return FieldSet(fields, {**root.attrs, **group.attrs}, levels)


def _groups_above(group: GroupNode, root: GroupNode) -> list[GroupNode]:
    """Return the group and its parents, the nearest first."""
    chain = [root]
    below = group.path.removeprefix(root.path).strip("/")
    for name in below.split("/") if below and group is not root else ():
        if name in chain[-1].groups:
            chain.append(chain[-1].groups[name])
    return [group, *reversed([c for c in chain if c is not group])]


def levels_listed(attrs: Json) -> Iterator[tuple[str, Json]]:
    """Yield the path and the entry of each level in GeoZarr's `multiscales`: `datasets`, or a `layout`."""
    multiscales = attrs.get("multiscales")
    for layout in multiscales if isinstance(multiscales, list) else [multiscales]:
        entries = (layout.get("datasets") or layout.get("layout")) if isinstance(layout, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            level = {"path": entry} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
            path = next((level[key] for key in LEVEL_KEYS if key in level), None)
            if path is not None:
                yield str(path).strip("/"), level


def _layout_attributes(groups: Sequence[GroupNode]) -> dict[str, Json]:
    """Return the position keys of groups and arrays in `multiscales`, by path."""
    return {
        "/".join(filter(None, (parent.path, path.removeprefix(".")))): {
            key: value for key, value in level.items() if key.startswith(STATED)
        }
        for parent in groups
        for path, level in levels_listed(parent.attrs)
    }


def _drop_fill(node: ArrayNode, is_of_coordinates: bool) -> ArrayNode:
    """Return the array without the default fill value 0 of version 2, because 0 is a usual coordinate."""
    if not is_of_coordinates or node.version != 2 or node.attrs.get("_FillValue") != 0:
        return node
    return replace(node, attrs={key: value for key, value in node.attrs.items() if key != "_FillValue"})


def _field(name: str, node: ArrayNode, store: Store) -> Field:
    return Field(
        name=name,
        dims=node.dims,
        shape=node.shape,
        dtype=node.dtype or np.dtype(object),
        attrs=node.attrs,
        load=lambda: load_texts(store, node) if _is_text(node) else load_all(store, node),
        part=lambda picks: store.open_array(node).read(picks),
    )


# Findings of `check`: chunks that are slow to read.

LARGE_BYTES = 16 << 20
"""Size of a chunk that is too large to be decoded for one picture."""


def chunk_findings(spec: SourceSpec) -> Iterator[Finding]:
    """Yield a warning for each array with large chunks, because each tile then decodes much."""
    with opening(spec.collection):
        store, root = open_group(spec.href, names=names_of(spec))
        arrays = list(root.at(spec.group or "").all_arrays())
    for array in arrays:
        if array.dtype is None or len(array.shape) < 2:
            continue
        with opening(spec.collection):
            chunks = store.open_array(array).chunks or ()
        size = math.prod(chunks) * array.dtype.itemsize
        if size > LARGE_BYTES:
            shape = " x ".join(map(str, chunks))
            message = (
                f"its chunks of {shape} are {size >> 20} MiB: each tile decodes at least one; "
                "write it with chunks of one time and 256 to 1024 pixels per side"
            )
            yield Finding("warning", f"{spec.collection}: {array.path}", message)
