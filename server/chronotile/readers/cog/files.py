"""Opens cloud-optimised GeoTIFFs: reads their headers, for remote files ahead and concurrently."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.cog.file_tags import tag_of_status
from chronotile.readers.cog.header import CogHeader, read_header
from chronotile.readers.cog.parts import content_of, read_parts
from chronotile.readers.hrefs import local_path
from chronotile.readers.remote.files import FilePart, Lanes, first_part, state_tag
from chronotile.readers.remote.requests import Replaced, one_read
from chronotile.readers.tiff import PAGE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class CogFile:
    """A file with its header."""

    href: str
    """Path or URL."""
    header: CogHeader
    tag: str
    """Changes when the file is replaced: its ETag, or made from its modification time; empty if unknown."""
    size: int
    """Bytes."""


MAX_OPENERS, MAX_OPENERS_PER_HOST = 128, 32
"""Headers that are read concurrently, in total and per host: a host that hangs occupies a quarter of the threads, until
its gate gives it fewer."""
MAX_OPENED_AHEAD = 256
"""Files that were opened ahead and not used yet."""
MAX_OPENED_AGE_S = 30.0
"""Maximum age in seconds of a file that was opened ahead."""

_openers = Lanes(MAX_OPENERS, MAX_OPENERS_PER_HOST, name="headers")
_opened: OrderedDict[str, tuple[float, Future[CogFile]]] = OrderedDict()
"""Start of the request (monotonic seconds) and its result, by URL."""
_opened_lock = threading.Lock()


def open_ahead(hrefs: Iterable[str]) -> None:
    """Start to open remote files concurrently, for later calls of `open_cog`; returns immediately."""
    for href in hrefs:
        with _opened_lock:
            if local_path(href) is not None or href in _opened:
                continue
            opened = Future[CogFile]()
            if not _openers.run(host_of(href), partial(_open_into, opened, href)):
                continue
            _opened[href] = monotonic(), opened
            while len(_opened) > MAX_OPENED_AHEAD:
                _opened.popitem(last=False)


def _open_into(opened: Future[CogFile], href: str) -> None:
    try:
        opened.set_result(_open_remote(href))
    except Exception as error:  # noqa: BLE001 -- raised by `open_cog`
        opened.set_exception(error)


def open_cog(href: str) -> CogFile:
    """Return a file with its header, usually from one read of 32 KiB.

    Raises:
        UnsupportedCog: GDAL must read this file, or report its fault.
        OSError: The file is missing or unreachable.
    """
    path = local_path(href)
    if path is not None:
        return _open_local(href, path)
    with _opened_lock:
        begun_s, ahead = _opened.pop(href, (0.0, None))
    is_fresh = ahead is not None and monotonic() - begun_s < MAX_OPENED_AGE_S
    return ahead.result() if ahead is not None and is_fresh else _open_remote(href)


def _open_local(href: str, path: Path) -> CogFile:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        before = os.fstat(descriptor)
        header = read_header(lambda offset, count: os.pread(descriptor, count, offset), before.st_size)
        tag = tag_of_status(before)
        if tag_of_status(os.fstat(descriptor)) != tag:
            raise Replaced("it was written while it was read")
        return CogFile(href=href, header=header, tag=tag, size=before.st_size)
    finally:
        os.close(descriptor)


def _open_remote(href: str) -> CogFile:
    with one_read():
        begin, state = first_part(href, PAGE_BYTES)
        tag = state_tag(state)

        def read(offset: int, count: int) -> bytes:
            if offset + count <= len(begin):
                return begin[offset : offset + count]
            part = FilePart(href, tag, state.size, offset, offset + count)
            return content_of(read_parts([part])[part])

        return CogFile(href=href, header=read_header(read, state.size), tag=tag, size=state.size)
