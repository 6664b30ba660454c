"""References of kerchunk as a store. Metadata are read once; the version of the document stands for all its files."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.file_states import file_state
from chronotile.readers.hrefs import local_path
from chronotile.readers.library_errors import Damaged
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.files import looks, read_whole
from chronotile.readers.remote.requests import Refused, Replaced, one_read
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode, group_of_documents, number_of_json
from chronotile.readers.zarr.references.array import ReferenceArray, decoder_of
from chronotile.readers.zarr.references.document import MAX_DOCUMENT_BYTES, read_references
from chronotile.readers.zarr.references.files import ReferencedFiles, places_of
from chronotile.readers.zarr.references.table import (
    MAX_RECORD_BYTES,
    ParquetFolder,
    ParquetReferences,
    References,
    metadata_of,
    tables_of,
)
from chronotile.readers.zarr.remote import State

METADATA = (".zgroup", ".zarray", ".zattrs")
"""Names of metadata documents of groups and arrays."""


class ReferenceDocument:
    """The document whose fingerprint is the version of the references.

    Args:
        href: Path or URL.
    """

    def __init__(self, href: str) -> None:
        self._href = href
        self._is_here = local_path(href) is not None
        if not self._is_here:
            looks.forget(href)
        self._opened = self._now()

    def read(self) -> bytes:
        """Return its content.

        Raises:
            Replaced: It was written since this object was made.
            UnsupportedSource: It is missing or too large.
        """
        document = read_file(self._href, MAX_DOCUMENT_BYTES)
        if document is None and not self._is_here:
            raise Refused(HTTPStatus.NOT_FOUND)
        if not self._is_here:
            looks.forget(self._href)
        if self._now() != self._opened:
            raise Replaced("the references were written while they were read")
        if document is None:
            raise UnsupportedSource("there are no references at that place")
        return document

    def state(self) -> str:
        """Return a text that identifies the version that was read.

        Raises:
            Replaced: It is remote and was written since. The server itself detects changes of local documents.
        """
        if not self._is_here and self._now() != self._opened:
            raise Replaced("the references were written since they were read")
        return repr((self._href, tuple(self._opened)))

    def _now(self) -> State:
        try:
            return file_state(self._href) if self._is_here else looks.state(self._href, is_whole=True)
        except FileNotFoundError:
            raise UnsupportedSource("it does not exist") from None


@dataclass(frozen=True, slots=True)
class ReferenceStore:
    """References to the arrays of a Zarr store of version 2."""

    documents: Mapping[str, bytes]
    """Metadata documents of groups and arrays by key."""
    root: GroupNode
    references: Mapping[str, References]
    """References of each array by path."""
    files: ReferencedFiles
    document: ReferenceDocument
    findings: tuple[Finding, ...] = ()

    def read_group(self) -> GroupNode:
        """Return the root group."""
        return self.root

    def open_array(
        self,
        node: ArrayNode,
        *,
        growing: str | None = None,  # noqa: ARG002 -- of `Store`
        caches: ReaderCaches | None = None,
    ) -> ReferenceArray:
        """Return an array. `growing` has no effect, as references do not change.

        Raises:
            UnsupportedSource: It has an unsupported codec.
        """
        described: dict[str, Any] = json.loads(self.documents[f"{node.path}/.zarray"])
        fill = described.get("fill_value")
        return ReferenceArray(
            node,
            references=self.references[node.path],
            decoder=decoder_of(described),
            fill=0 if fill is None else number_of_json(fill),
            files=self.files,
            state=self.document.state,
            cache=None if caches is None else caches.blocks,
        )


def open_json(href: str, allowed: AllowedPlaces | None = None) -> ReferenceStore:
    """Return the store that a JSON document of references describes.

    Args:
        href: The document.
        allowed: Allowed locations outside its folder, server or bucket; all addresses are checked immediately.
            `None`: no others, and each address is checked when its file is read.

    Raises:
        UnsupportedSource: It is not a document of references, or an address is not allowed.
    """
    with one_read():
        document = ReferenceDocument(href)
        entries = read_references(document.read())
    documents: dict[str, bytes] = {}
    for key, entry in entries.items():
        if key.rpartition("/")[2] not in METADATA:
            continue
        if not isinstance(entry, bytes):
            raise UnsupportedSource(
                f"its reference {key} leads to another file; metadata are read in the document alone"
            )
        documents[key] = entry
    root = _root_of(documents)
    arrays = {node.path: node for node in root.all_arrays()}
    tables, addresses = tables_of(entries, arrays)
    place_of = places_of(href, allowed)
    for address in addresses if allowed is not None else ():
        place_of(address)
    return ReferenceStore(documents, root, tables, ReferencedFiles(place_of), document)


def open_parquet(href: str, allowed: AllowedPlaces | None = None) -> ReferenceStore:
    """Return the store that a folder of references in Parquet files describes; `allowed` as in `open_json`.

    Raises:
        UnsupportedSource: It is not a folder of references.
    """
    folder = href.rstrip("/")
    with one_read():
        document = ReferenceDocument(f"{folder}/.zmetadata")
        documents, record_size = metadata_of(document.read())
    root = _root_of(documents)
    records = ParquetFolder(partial(_record, folder))
    tables = {node.path: ParquetReferences(node, records, record_size) for node in root.all_arrays()}
    return ReferenceStore(documents, root, tables, ReferencedFiles(places_of(href, allowed)), document)


def read_file(href: str, max_bytes: int) -> bytes | None:
    """Return a whole file; `None` if it is missing.

    Raises:
        UnsupportedSource: It has more than `max_bytes`.
        Away: Its server is unreachable, or refuses access.
    """
    path = local_path(href)
    if path is None:
        return read_whole(href, max_bytes)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > max_bytes:
                raise UnsupportedSource(f"{path.name} is larger than {max_bytes} bytes, of which none is read")
            return file.read()
    except FileNotFoundError:
        return None


def _record(folder: str, name: str) -> bytes | None:
    try:
        return read_file(f"{folder}/{name}", MAX_RECORD_BYTES)
    except UnsupportedSource as error:
        raise Damaged(error.message) from None


def _root_of(documents: Mapping[str, bytes]) -> GroupNode:
    if not documents:
        raise UnsupportedSource("its references have no metadata of Zarr version 2 (.zgroup, .zarray)")
    return group_of_documents(documents.items())
