"""Reads parts of many files concurrently, from disk if they are cached there."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Future

from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.cog.file_tags import tag_of_status
from chronotile.readers.hrefs import local_path
from chronotile.readers.remote.files import FilePart, Found, fetcher, put_together, wait_for
from chronotile.readers.remote.requests import Replaced


def content_of(result: Found) -> bytes:
    """Return the bytes of a part, or raise its error.

    Raises:
        Exception: Why it cannot be read.
    """
    if isinstance(result, Exception):
        raise result
    return result


def read_parts(parts: Iterable[FilePart]) -> dict[FilePart, Found]:
    """Return parts of files, waiting once for remote parts."""
    return finish(start(parts))


def start(parts: Iterable[FilePart], stored: ByteBlocks | None = None) -> Mapping[FilePart, "Found | Future[bytes]"]:
    """Read local parts and send the requests for remote ones; `finish` waits for their answers.

    Args:
        parts: Of any files.
        stored: Cache on disk for parts of remote files; `None` for no cache.
    """
    results: dict[FilePart, Found | Future[bytes]] = {}
    here: dict[str, list[FilePart]] = {}
    elsewhere: list[FilePart] = []
    for part in dict.fromkeys(parts):
        if local_path(part.href) is not None:
            here.setdefault(part.href, []).append(part)
        elif stored is not None and (data := stored.get(_name(part), part.stop - part.start)) is not None:
            results[part] = data
        else:
            elsewhere.append(part)
    requested = fetcher.start(elsewhere)
    if stored is not None:
        for part, future in requested.items():
            _store(part, future, stored)
    results |= requested  # remote parts arrive while local files are read
    for of_file in here.values():
        results |= _read_local(of_file)
    return results


def fetch_ahead(parts: Iterable[FilePart], stored: ByteBlocks | None = None) -> None:
    """Send the requests for remote parts that will be read soon and are not in `stored`."""
    remote_parts = [part for part in parts if local_path(part.href) is None]
    fetcher.fetch_ahead(part for part in remote_parts if stored is None or not stored.has(_name(part)))


def finish(started: Mapping[FilePart, "Found | Future[bytes]"]) -> dict[FilePart, Found]:
    """Return the parts that `start` requested, waiting until all have arrived."""
    return {part: wait_for(s) if isinstance(s, Future) else s for part, s in started.items()}


def _store(part: FilePart, future: "Future[bytes]", stored: ByteBlocks) -> None:
    """Store a part on disk when it arrives, in the thread that fetched it."""
    if not part.tag:  # without a tag, a replaced file would not be noticed
        return

    def put(done: "Future[bytes]") -> None:
        if done.exception() is None:
            stored.put(_name(part), done.result())

    future.add_done_callback(put)


def _name(part: FilePart) -> bytes:
    return repr(tuple(part)).encode()


def _read_local(parts: list[FilePart]) -> dict[FilePart, Found]:
    """Return parts of one local file."""
    path = local_path(parts[0].href)
    assert path is not None  # noqa: S101 -- checked by the caller
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        return dict.fromkeys(parts, error)
    try:
        results: dict[FilePart, Found] = {}
        for together in put_together(parts):
            start, stop = together[0].start, max(part.stop for part in together)
            data = os.pread(descriptor, stop - start, start)
            results |= {part: data[part.start - start : part.stop - start] for part in together}
        if parts[0].tag and tag_of_status(os.fstat(descriptor)) != parts[0].tag:
            return dict.fromkeys(parts, Replaced("it was replaced"))
        return results
    except OSError as error:
        return dict.fromkeys(parts, error)
    finally:
        os.close(descriptor)
