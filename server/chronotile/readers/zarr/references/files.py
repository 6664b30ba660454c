"""Local and remote files of references. All reads of a file must have the version of the first read."""

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from chronotile.core.errors import UnsupportedSource
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.file_states import fingerprint_of
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import Damaged
from chronotile.readers.remote.files import cut, joined, looks
from chronotile.readers.remote.requests import (
    Away,
    ObjectState,
    Refused,
    Replaced,
    ask_part,
    place_of,
    read_deadline,
    retry,
)
from chronotile.readers.zarr.references.document import ByteRange
from chronotile.readers.zarr.remote import State

READS_AT_ONCE = 32
"""Maximum concurrent requests per read, over all its files."""
MAX_RANGE_BYTES = 256 << 20
"""Maximum bytes of a reference; a larger one counts as an error of its writer."""


class _FetchedRange(NamedTuple):
    """Part of a file that is fetched with one request."""

    address: str
    span: range


class ReferencedFiles:
    """Reader of ranges of files; ranges of several files are fetched concurrently.

    Args:
        resolve: Returns the location of an address; it raises an error if the location is not allowed.
    """

    def __init__(self, resolve: Callable[[str], str]) -> None:
        self._resolve = resolve
        self._states: dict[str, State] = {}
        """Version of each file that was read. References are valid only for this version."""
        self._lock = threading.Lock()

    def read(self, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return the bytes of each range; adjacent ranges are fetched together.

        Raises:
            Damaged: A file is missing, too short for its references, or was replaced.
            Away: The server of a file is unreachable.
        """
        try:
            places = {address: self._resolve(address) for address in {r.address for r in ranges}}
        except UnsupportedSource as error:  # addresses in Parquet files are not checked at opening
            raise Damaged(error.message) from None
        whole = [self._resolve_size(r._replace(address=places[r.address])) for r in ranges]
        by_address: dict[str, list[tuple[int, int]]] = {}
        for place, offset, size in whole:
            by_address.setdefault(place, []).append((offset, size))
        parts = [_FetchedRange(place, span) for place, b in by_address.items() for span in joined(b)]
        data_by_file = self._fetch(parts)
        return [cut(offset, size, *data_by_file[place]) for place, offset, size in whole]

    def _resolve_size(self, byte_range: ByteRange) -> tuple[str, int, int]:
        """Return location, offset and size; the size of a whole file is requested."""
        size = byte_range.size
        if size is None:
            with _as_damage(byte_range.address):
                path = local_path(byte_range.address)
                size = looks.state(byte_range.address).size if path is None else path.stat().st_size
        if size > MAX_RANGE_BYTES:
            raise Damaged(
                f"a reference is to {size} bytes of {base_name(byte_range.address)}; at most {MAX_RANGE_BYTES}"
            )
        return byte_range.address, byte_range.offset, size

    def _fetch(self, parts: Sequence[_FetchedRange]) -> Mapping[str, tuple[list[range], list[bytes]]]:
        """Return ranges and bytes of all parts, by file."""
        deadline = read_deadline()

        def read(part: _FetchedRange) -> bytes:
            with _as_damage(part.address):
                return self._read_part(part, deadline)

        if len(parts) == 1:
            data = [read(parts[0])]
        else:
            with ThreadPoolExecutor(max(1, min(READS_AT_ONCE, len(parts)))) as threads:
                data = list(threads.map(read, parts))
        data_by_file: dict[str, tuple[list[range], list[bytes]]] = {}
        for part, piece in zip(parts, data, strict=True):
            spans, pieces = data_by_file.setdefault(part.address, ([], []))
            spans.append(part.span)
            pieces.append(piece)
        return data_by_file

    def _read_part(self, part: _FetchedRange, deadline: float | None) -> bytes:
        address, span = part
        if not span:
            return b""
        path = local_path(address)
        if path is not None:
            data, state = _read_here(path, span)
        else:
            state_before = self._states.get(address)
            expected = state_before if isinstance(state_before, ObjectState) else None
            place = place_of(address)
            data, state = retry(lambda: ask_part(place, span.start, span.stop, expected), deadline)
        with self._lock:
            if self._states.setdefault(address, state) != state:
                raise Replaced("it was replaced since its references were read")
        size = state.size
        if span.stop > size:
            raise Damaged(f"{base_name(address)} ends before the bytes that a reference names")
        if len(data) != len(span):
            raise Away("its server sends fewer bytes than it announces")
        return data


@contextmanager
def _as_damage(address: str) -> Iterator[None]:
    """Convert errors about a single missing or replaced file into `Damaged`."""
    name = base_name(address)
    try:
        yield
    except Replaced:
        raise Damaged(f"{name} was replaced since its references were read: write them again") from None
    except Refused as error:
        raise Damaged(f"{name}, to which references lead, cannot be read: {error}") from None
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise Damaged(f"{name}, to which references lead, does not exist, or may not be read") from None


def _read_here(path: Path, span: range) -> tuple[bytes, State]:
    with path.open("rb") as file:
        data = os.pread(file.fileno(), len(span), span.start)
        status = os.fstat(file.fileno())
    return data, fingerprint_of(status)


MAX_KNOWN = 1 << 20
"""Maximum number of cached locations."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def places_of(href: str, allowed: AllowedPlaces | None) -> Callable[[str], str]:
    """Return a function that returns the location of an address; relative ones start at the folder of the references.

    Args:
        href: The references: a document, or a folder of documents.
        allowed: Allowed locations outside that folder, its server and its bucket.

    Raises:
        AddressRefused: By the returned function: the location is not allowed, or the address is ambiguous.
    """
    path = local_path(href)
    folder = href.rstrip("/").rpartition("/")[0] if path is None else str(path.absolute().parent)
    places = ItemPlaces(folder, allowed or AllowedPlaces())
    locations: dict[str, str] = {}

    def place_of(address: str) -> str:
        location = locations.get(address)
        if location is None:
            absolute = address
            if not _SCHEME.match(address) and not address.startswith("/"):
                absolute = f"{folder}/{address}" if path is None else os.path.normpath(Path(folder) / address)
            location = places.require_allowed(absolute)
            if len(locations) < MAX_KNOWN:
                locations[address] = location
        return location

    return place_of
