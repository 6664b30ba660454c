"""Cloud-optimised GeoTIFFs as files: what is known of one, and parts of many in one wait."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.cog.header import CogHeader, read_header
from chronotile.readers.hrefs import FileState, fingerprint_of, local_path
from chronotile.readers.remote.files import (
    FilePart,
    Found,
    Lanes,
    fetcher,
    first_part,
    put_together,
    state_tag,
    wait_for,
)
from chronotile.readers.remote.requests import Replaced, one_read
from chronotile.readers.tiff import PAGE_BYTES

TAG_OF_FILE = "file:"
"""Begins the tag of a file of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogFile:
    """A file whose header is known."""

    href: str
    """A path, or a URL."""
    header: CogHeader
    tag: str
    """Changes when the file is replaced: its ETag, or made of its modification time; empty: not known."""
    size: int
    """In bytes."""


OPENED_AT_ONCE, OPENED_OF_HOST = 128, 32
"""Headers that are read at once, in all and of one host: one that hangs holds a quarter of the threads, until its gate
leaves it fewer."""
MOST_OPENED_AHEAD = 256
"""Files that were opened ahead and are not used yet."""
OPENED_FOR_S = 30.0
"""How long such a file is used as it was."""

_openers = Lanes(OPENED_AT_ONCE, OPENED_OF_HOST, name="headers")
_opened: OrderedDict[str, tuple[float, Future[CogFile]]] = OrderedDict()
"""Each with when it was begun."""
_opened_lock = threading.Lock()


def open_ahead(hrefs: Iterable[str]) -> None:
    """Begin to open files elsewhere side by side, each of which `open_cog` will be called for; waits for nothing."""
    for href in hrefs:
        with _opened_lock:
            if local_path(href) is not None or href in _opened:
                continue
            opened = Future[CogFile]()
            if not _openers.run(host_of(href), partial(_open_into, opened, href)):
                continue
            _opened[href] = monotonic(), opened
            while len(_opened) > MOST_OPENED_AHEAD:
                _opened.popitem(last=False)


def _open_into(opened: Future[CogFile], href: str) -> None:
    try:
        opened.set_result(_open_elsewhere(href))
    except Exception as error:  # noqa: BLE001 -- raised to those who open the file
        opened.set_exception(error)


def open_cog(href: str) -> CogFile:
    """Return a file with its header, mostly by one read of 32 KiB.

    Raises:
        UnsupportedCog: GDAL has to read this file, or report what is wrong with it.
        OSError: It is gone or away.
    """
    path = local_path(href)
    if path is not None:
        return _open_here(href, path)
    with _opened_lock:
        begun_s, ahead = _opened.pop(href, (0.0, None))
    is_fresh = ahead is not None and monotonic() - begun_s < OPENED_FOR_S
    return ahead.result() if ahead is not None and is_fresh else _open_elsewhere(href)


def _open_here(href: str, path: Path) -> CogFile:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        before = os.fstat(descriptor)
        header = read_header(lambda offset, count: os.pread(descriptor, count, offset), before.st_size)
        tag = _tag_of_status(before)
        if _tag_of_status(os.fstat(descriptor)) != tag:
            raise Replaced("it was written while it was read")
        return CogFile(href=href, header=header, tag=tag, size=before.st_size)
    finally:
        os.close(descriptor)


def _open_elsewhere(href: str) -> CogFile:
    with one_read():
        begin, state = first_part(href, PAGE_BYTES)
        tag = state_tag(state)

        def read(offset: int, count: int) -> bytes:
            if offset + count <= len(begin):
                return begin[offset : offset + count]
            part = FilePart(href, tag, state.size, offset, offset + count)
            return content_of(read_parts([part])[part])

        return CogFile(href=href, header=read_header(read, state.size), tag=tag, size=state.size)


def tag_of_path(path: Path) -> str:
    """Return the tag of a file of this machine as it is now.

    Raises:
        OSError: It is gone.
    """
    return _tag_of_status(path.stat())


def content_of(found: Found) -> bytes:
    """Return what was found of a part.

    Raises:
        Exception: Why it cannot be read.
    """
    if isinstance(found, Exception):
        raise found
    return found


def read_parts(parts: Iterable[FilePart], stored: ByteBlocks | None = None) -> dict[FilePart, Found]:
    """Return parts of files by one wait for all that are elsewhere and not in `stored`."""
    return finish(start(parts, stored))


def start(parts: Iterable[FilePart], stored: ByteBlocks | None = None) -> Mapping[FilePart, "Found | Future[bytes]"]:
    """Read what is here, and send the requests for what is not; `finish` waits for their answers.

    Args:
        parts: Of any files.
        stored: Parts on disk of files elsewhere, into which new ones are put; `None`: there are none.
    """
    found: dict[FilePart, Found | Future[bytes]] = {}
    here: dict[str, list[FilePart]] = {}
    elsewhere: list[FilePart] = []
    for part in dict.fromkeys(parts):
        if local_path(part.href) is not None:
            here.setdefault(part.href, []).append(part)
        elif stored is not None and (known := stored.get(_name(part), part.stop - part.start)) is not None:
            found[part] = known
        else:
            elsewhere.append(part)
    requested = fetcher.start(elsewhere)
    if stored is not None:
        for part, future in requested.items():
            _store(part, future, stored)
    found |= requested  # they are under way while files of this machine are read
    for of_file in here.values():
        found |= _read_here(of_file)
    return found


def fetch_ahead(parts: Iterable[FilePart], stored: ByteBlocks | None = None) -> None:
    """Send the requests for parts of files elsewhere that will be read soon, as far as they are not in `stored`."""
    wanted = [part for part in parts if local_path(part.href) is None]
    fetcher.fetch_ahead(part for part in wanted if stored is None or not stored.has(_name(part)))


def finish(started: Mapping[FilePart, "Found | Future[bytes]"]) -> dict[FilePart, Found]:
    """Return what was started, once all of it is there."""
    return {part: wait_for(s) if isinstance(s, Future) else s for part, s in started.items()}


def _store(part: FilePart, future: "Future[bytes]", stored: ByteBlocks) -> None:
    """Have a part that arrives put on disk, in the thread that fetched it."""
    if not part.tag:  # nothing would tell that the file was replaced
        return

    def put(done: "Future[bytes]") -> None:
        if done.exception() is None:
            stored.put(_name(part), done.result())

    future.add_done_callback(put)


def _name(part: FilePart) -> bytes:
    return repr(tuple(part)).encode()


def _read_here(parts: list[FilePart]) -> dict[FilePart, Found]:
    """Parts of one file of this machine."""
    path = local_path(parts[0].href)
    assert path is not None  # noqa: S101 -- the caller's case
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        return dict.fromkeys(parts, error)
    try:
        found: dict[FilePart, Found] = {}
        for together in put_together(parts):
            start, stop = together[0].start, max(part.stop for part in together)
            data = os.pread(descriptor, stop - start, start)
            found |= {part: data[part.start - start : part.stop - start] for part in together}
        if parts[0].tag and _tag_of_status(os.fstat(descriptor)) != parts[0].tag:
            return dict.fromkeys(parts, Replaced("it was replaced"))
        return found
    except OSError as error:
        return dict.fromkeys(parts, error)
    finally:
        os.close(descriptor)


def tag_of_state(state: FileState) -> str:
    """Return the tag of a local file with a fingerprint."""
    return f"{TAG_OF_FILE}{state.text}"


def _tag_of_status(status: os.stat_result) -> str:
    return tag_of_state(fingerprint_of(status))
