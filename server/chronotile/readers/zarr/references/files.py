"""The files that references lead to, here or elsewhere, each read in the state in which it was first read."""

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
from chronotile.readers.hrefs import base_name, fingerprint_of, local_path
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
"""Requests of one read under way at the same time, whatever number of files they are for."""
MAX_RANGE_BYTES = 256 << 20
"""A reference to more is taken for an error of its writer."""


class _FetchedRange(NamedTuple):
    """What one request fetches."""

    address: str
    span: range


class ReferencedFiles:
    """Reads parts of files, those of several files together.

    Args:
        resolve: Returns the place that an address leads to; it raises an error where that may not be opened.
    """

    def __init__(self, resolve: Callable[[str], str]) -> None:
        self._resolve = resolve
        self._states: dict[str, State] = {}
        """Of each file that was read. The references are of these: another file has its chunks at other places."""
        self._lock = threading.Lock()

    def read(self, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Return the bytes of each range; neighbours are fetched together.

        Raises:
            Damaged: A file is missing, shorter than its references say, or was replaced.
            Away: Its server does not answer.
        """
        try:
            places = {address: self._resolve(address) for address in {r.address for r in ranges}}
        except UnsupportedSource as error:  # of references that are read as they are needed
            raise Damaged(error.message) from None
        whole = [self._with_size(r._replace(address=places[r.address])) for r in ranges]
        by_address: dict[str, list[tuple[int, int]]] = {}
        for place, offset, size in whole:
            by_address.setdefault(place, []).append((offset, size))
        parts = [_FetchedRange(place, span) for place, b in by_address.items() for span in joined(b)]
        found = self._fetch(parts)
        return [cut(offset, size, *found[place]) for place, offset, size in whole]

    def _with_size(self, wanted: ByteRange) -> tuple[str, int, int]:
        """Place, offset and size; that of a whole file is looked up."""
        size = wanted.size
        if size is None:
            with _as_damage(wanted.address):
                path = local_path(wanted.address)
                size = looks.state(wanted.address).size if path is None else path.stat().st_size
        if size > MAX_RANGE_BYTES:
            raise Damaged(f"a reference is to {size} bytes of {base_name(wanted.address)}; at most {MAX_RANGE_BYTES}")
        return wanted.address, wanted.offset, size

    def _fetch(self, parts: Sequence[_FetchedRange]) -> Mapping[str, tuple[list[range], list[bytes]]]:
        """The bytes of all parts, by file."""
        deadline = read_deadline()

        def read(part: _FetchedRange) -> bytes:
            with _as_damage(part.address):
                return self._read_part(part, deadline)

        if len(parts) == 1:
            data = [read(parts[0])]
        else:
            with ThreadPoolExecutor(max(1, min(READS_AT_ONCE, len(parts)))) as threads:
                data = list(threads.map(read, parts))
        found: dict[str, tuple[list[range], list[bytes]]] = {}
        for part, each in zip(parts, data, strict=True):
            spans, pieces = found.setdefault(part.address, ([], []))
            spans.append(part.span)
            pieces.append(each)
        return found

    def _read_part(self, part: _FetchedRange, deadline: float | None) -> bytes:
        address, span = part
        if not span:
            return b""
        path = local_path(address)
        if path is not None:
            data, state = _read_here(path, span)
        else:
            known = self._states.get(address)
            expected = known if isinstance(known, ObjectState) else None
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
    """Turn the lack of one file, whose references are there, into what a damaged file is."""
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
"""Addresses whose places are remembered."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def places_of(href: str, allowed: AllowedPlaces | None) -> Callable[[str], str]:
    """Return what gives the place of a file; relative addresses begin in the folder in which the references are.

    Args:
        href: The references: a document, or a folder of documents.
        allowed: What may be opened besides what lies below that folder, or at its server or in its bucket.

    Raises:
        AddressRefused: By the returned function: an address lies elsewhere, or could mean two things.
    """
    path = local_path(href)
    folder = href.rstrip("/").rpartition("/")[0] if path is None else str(path.absolute().parent)
    places = ItemPlaces(folder, allowed or AllowedPlaces())
    known: dict[str, str] = {}

    def place_of(address: str) -> str:
        found = known.get(address)
        if found is None:
            absolute = address
            if not _SCHEME.match(address) and not address.startswith("/"):
                absolute = f"{folder}/{address}" if path is None else os.path.normpath(Path(folder) / address)
            found = places.require_allowed(absolute)
            if len(known) < MAX_KNOWN:
                known[address] = found
        return found

    return place_of
