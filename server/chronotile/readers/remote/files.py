"""Remote files, read in parts over HTTP or from S3 (docs/design/remote-reading.md).

Each answer has the state of the file, so that parts of two versions are never mixed; each read has a time limit.
"""

import posixpath
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitTooLong
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

from chronotile.core.turns import CLIENT, Turns
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.flights import Flights
from chronotile.readers.remote.buckets import REQUEST_S
from chronotile.readers.remote.requests import (
    READ_S,
    Away,
    ObjectState,
    Refused,
    Replaced,
    SourceLocation,
    ask_document,
    ask_part,
    ask_state,
    one_read,
    place_of,
    read_deadline,
    retry,
)
from chronotile.readers.remote.s3_environment import s3_access

# Parts of many remote files are requested together, and the caller waits for the last one.
#
# Adjacent parts of one file are one request. Concurrent requests are limited per server and in total, so that a server
# that hangs does not block requests to the others. A part that another thread waits for is not requested twice.
# Requests run in threads: with obstore they take half the processor time of its asynchronous calls.

AT_ONCE_OF_SERVER = 64
"""Maximum number of concurrent requests to one server or one bucket."""
AT_ONCE = 256
"""Maximum number of concurrent requests to all servers together."""
AHEAD_BYTES = 64 << 20
"""Limit of prefetched parts without a reader; the oldest are dropped, and fetched again when they are read."""
MOST_WAITING = 20_000
"""Maximum number of requests to one server that wait to be sent."""
TOGETHER_BYTES = 32 << 10
"""Maximum gap between two parts of one request: less than a connection transfers during one round trip."""
REQUEST_BYTES = 4 << 20
"""Maximum size of several parts in one request; a line of 0.5 MB/s transfers it within `REQUEST_S`."""


class FilePart(NamedTuple):
    """A range of bytes of one version of a remote file."""

    href: str
    tag: str
    """Result of `state_tag` for the version; empty if unknown."""
    size: int
    """Size of the whole file."""
    start: int
    stop: int


Found = bytes | Exception
"""The bytes of a part, or why they cannot be read."""


def state_tag(state: ObjectState) -> str:
    """Return a text that changes when a remote file is replaced: ETag or modification time; empty without both."""
    return state.tag or (f"modified:{state.modified_ns:x}" if state.modified_ns else "")


def is_in_state(state: ObjectState, tag: str, size: int) -> bool:
    """Return whether the size of a file and, unless `tag` is empty, its tag are unchanged."""
    return state.size == size and (not tag or state_tag(state) == tag)


def first_part(href: str, count: int) -> tuple[bytes, ObjectState]:
    """Return at most `count` bytes from the start of a remote file, and its state, by one request.

    Raises:
        Away: The file cannot be read.
    """
    place = place_of(href)
    return retry(lambda: ask_part(place, 0, count, None), read_deadline())


class RangeFetcher:
    """Fetches parts of files; all threads of a process share one.

    Args:
        fetch: Returns the bytes of a part by one request, within a deadline; by default over the network.
    """

    def __init__(self, fetch: Callable[[SourceLocation, FilePart, float], bytes] | None = None) -> None:
        self._fetch = fetch or _fetched
        self._lanes = Lanes(AT_ONCE, AT_ONCE_OF_SERVER, name="ranges")
        self._flying: dict[FilePart, Future[bytes]] = {}
        self._ahead = set[FilePart]()
        self._landed: OrderedDict[FilePart, Future[bytes]] = OrderedDict()
        self._landed_bytes = 0
        self._lock = threading.Lock()

    def fetch_ahead(self, parts: Iterable[FilePart]) -> None:
        """Send the requests for parts that any thread will later pass to `start`."""
        parts = list(parts)
        with self._lock:
            lacking = [part for part in parts if part not in self._landed and part not in self._flying]
            self._ahead.update(lacking)
        self._start(lacking)

    def start(self, parts: Iterable[FilePart]) -> dict[FilePart, Future[bytes]]:
        """Send the requests for some parts, and return futures of their bytes.

        The futures end after `READ_S`, or at the end of the read of this thread (`one_read`).
        """
        landed = dict[FilePart, Future[bytes]]()
        lacking = list[FilePart]()
        with self._lock:
            for part in dict.fromkeys(parts):
                self._ahead.discard(part)  # requested in advance; from now on, a reader holds the part in memory
                found = self._landed.pop(part, None)
                if found is None:
                    lacking.append(part)
                else:
                    self._landed_bytes -= part.stop - part.start
                    landed[part] = found
        return landed | self._start(lacking)

    def _start(self, parts: Iterable[FilePart]) -> dict[FilePart, Future[bytes]]:
        deadline = read_deadline() or monotonic() + READ_S
        found, own = dict[FilePart, Future[bytes]](), defaultdict[tuple[str, str, int], list[FilePart]](list)
        with self._lock:
            for part in dict.fromkeys(parts):
                flying = self._flying.get(part)
                if flying is None:
                    flying = self._flying[part] = Future()
                    own[part[:3]].append(part)
                found[part] = flying
        access = s3_access() if any(href.startswith("s3:") for href, _tag, _size in own) else None
        for (href, _tag, _size), of_file in own.items():
            try:
                place = place_of(href, access)
            except Exception as error:  # noqa: BLE001 -- raised to those who wait for these parts
                self._fail(of_file, error)
                continue
            for together in put_together(of_file):
                self._send(place, together, deadline)
        return found

    def _send(self, place: SourceLocation, parts: Sequence[FilePart], deadline: float) -> None:
        whole = parts[0]._replace(start=parts[0].start, stop=max(part.stop for part in parts))

        def work() -> None:
            try:
                data = self._fetch(place, whole, deadline)
            except Exception as error:  # noqa: BLE001 -- as above
                self._fail(parts, error)
            else:
                for part in parts:
                    own = data[part.start - whole.start : part.stop - whole.start] if len(parts) > 1 else data
                    self._land(part, own)

        if not self._lanes.run(host_of(whole.href), work):
            self._fail(parts, Away(f"more than {MOST_WAITING} requests wait for its server"))

    def _fail(self, parts: Sequence[FilePart], error: Exception) -> None:
        for part in parts:
            with self._lock:
                self._ahead.discard(part)
                flying = self._flying.pop(part)
            flying.set_exception(error)

    def _land(self, part: FilePart, data: bytes) -> None:
        with self._lock:
            flying = self._flying.pop(part)
            if part in self._ahead:
                self._ahead.discard(part)
                self._landed[part] = flying
                self._landed_bytes += part.stop - part.start
                while self._landed_bytes > AHEAD_BYTES:
                    dropped, _future = self._landed.popitem(last=False)
                    self._landed_bytes -= dropped.stop - dropped.start
        flying.set_result(data)


def wait_for(future: Future[bytes]) -> Found:
    """Return the bytes of a requested part, or the error of its request."""
    try:
        return future.result(READ_S + REQUEST_S)
    except WaitTooLong:
        return Away(f"reading it takes longer than {READ_S:g} s")
    except Exception as error:  # noqa: BLE001 -- the caller raises it for what needs the part
        return error


def put_together(parts: Sequence[FilePart]) -> list[list[FilePart]]:
    """Return parts of one file in groups, one per request."""
    groups: list[list[FilePart]] = []
    for part in sorted(parts, key=lambda each: each.start):
        first, stop = (groups[-1][0].start, groups[-1][-1].stop) if groups else (0, 0)
        if groups and part.start - stop <= TOGETHER_BYTES and part.stop - first <= REQUEST_BYTES:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _fetched(place: SourceLocation, part: FilePart, deadline: float) -> bytes:
    """The bytes of a part.

    Raises:
        Away: They cannot be read.
        Replaced: The file is in another state.
    """
    expected = ObjectState(0, part.size, part.tag)
    data, state = retry(lambda: ask_part(place, part.start, part.stop, expected), deadline)
    if not is_in_state(state, part.tag, part.size):
        raise Replaced("it was replaced")
    if len(data) != part.stop - part.start:
        raise Away("its server sends fewer bytes than it announces")
    return data


class Lanes:
    """Threads for requests, a limited number for each server; others wait, and clients take turns.

    Args:
        at_once: Number of threads.
        of_server: Maximum number for one server.
        name: Name of the threads.
    """

    def __init__(self, at_once: int, of_server: int, *, name: str) -> None:
        self._at_once, self._of_server, self._name = at_once, of_server, name
        self._threads: ThreadPoolExecutor | None = None
        self._running = Counter[str]()
        self._waiting: Mapping[str, Turns[Callable[[], None]]] = defaultdict(Turns)
        self._lock = threading.Lock()

    def run(self, server: str, work: Callable[[], None]) -> bool:
        """Run something when the server has room for it; return whether it may wait so long."""
        with self._lock:
            if self._running[server] >= self._of_server:
                waiting, client = self._waiting[server], CLIENT.get()
                if len(waiting) >= MOST_WAITING or waiting.count_of(client) >= MOST_WAITING // 2:
                    return False
                waiting.add(client, work)
                return True
            self._running[server] += 1
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix=self._name)
            threads = self._threads
        threads.submit(self._run, server, work)
        return True

    def _run(self, server: str, work: Callable[[], None]) -> None:
        following: Callable[[], None] | None = work
        while following is not None:
            following()
            with self._lock:
                waiting = self._waiting[server]
                # At the end of the process the remaining requests are dropped.
                following = waiting.pop() if threading.main_thread().is_alive() else None
                if following is None:
                    self._running[server] -= 1


fetcher = RangeFetcher()
"""The fetcher of this process."""


# From here on: files that GDAL reads in parts, and documents that are read whole.

LOOK_S = 10.0
"""Seconds before the state of a file is requested again; each part that is read updates it."""

PAGE_BYTES = 32 << 10
"""Unit of reads of headers and indexes, which GDAL requests in small parts."""
PAGES_BYTES = 16 << 20
"""Limit of the pages cached in a process."""
PARTS_AT_ONCE = 4
MOST_LOOKS = 20_000


class RemoteStates:
    """The states of remote files, each requested at most every `LOOK_S` seconds while the file is used.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ObjectState]] = OrderedDict()
        self._flights = Flights[str, ObjectState]()
        self._lock = threading.Lock()

    def state(self, href: str, *, is_whole: bool = False) -> ObjectState:
        """Return the state of a file; threads that need the same one wait for one answer.

        Args:
            href: The file.
            is_whole: Whether the file is read as a whole; otherwise its server must support range requests.

        Raises:
            Away: It cannot be read.
        """
        return self._recent(href) or self._flights.share(href, partial(self._request, href, is_whole=is_whole))

    def _recent(self, href: str) -> ObjectState | None:
        with self._lock:
            known = self._known.get(href)
        return known[1] if known is not None and self._clock() - known[0] < LOOK_S else None

    def _request(self, href: str, *, is_whole: bool) -> ObjectState:
        state = self._recent(href)  # another thread may have requested the state
        if state is None:
            place = place_of(href)
            # A signed URL may not allow HEAD; and only a range request shows whether the server supports ranges.
            state = retry(lambda: ask_state(place) if is_whole else ask_part(place, 0, 1, None)[1], read_deadline())
            self.note(href, state)
        return state

    def note(self, href: str, state: ObjectState) -> None:
        """Store the state in an answer of a server."""
        with self._lock:
            self._known[href] = self._clock(), state
            self._known.move_to_end(href)
            while len(self._known) > MOST_LOOKS:
                self._known.popitem(last=False)

    def has_unmarked(self, source: str) -> bool:
        """Return whether the stored state of any file of a source has neither ETag nor modification time.

        Args:
            source: A file, a folder including subfolders, or a pattern; only its part before the first `{` is used.
        """
        start, brace, _ = source.partition("{")
        below = start if brace else f"{start.rstrip('/')}/"
        with self._lock:
            return any(
                (href == source or href.startswith(below)) and not state.tag and not state.modified_ns
                for href, (_asked_s, state) in self._known.items()
            )

    def forget(self, href: str | None = None) -> None:
        """Forget the state of a file, or of all, so that it is requested again at the next use."""
        with self._lock:
            if href is None:
                self._known.clear()
            else:
                self._known.pop(href, None)


looks = RemoteStates()
"""Latest states of the remote files that this process reads."""


class _Pages:
    """Cache of pages of files; pages without use for the longest time are dropped."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[str, ObjectState, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, href: str, state: ObjectState, number: int) -> bytes | None:
        """Return a page of a file in a state, if it is cached."""
        with self._lock:
            found = self._pages.get((href, state, number))
            if found is not None:
                self._pages.move_to_end((href, state, number))
            return found

    def put(self, href: str, state: ObjectState, number: int, page: bytes) -> None:
        """Cache a page; pages without use for the longest time are dropped."""
        with self._lock:
            self._bytes += len(page) - len(self._pages.pop((href, state, number), b""))
            self._pages[href, state, number] = page
            while self._bytes > PAGES_BYTES:
                self._bytes -= len(self._pages.popitem(last=False)[1])


_pages = _Pages()


class RemoteFile:
    """A remote file in one state, for GDAL; only one thread may use it at a time.

    Args:
        href: The file.
        state: Its state; parts of another state are never returned.
        owner: The VRT that refers to this file and records its failures; `None` if this file records its own.
    """

    def __init__(self, href: str, state: ObjectState, *, owner: "RemoteFile | None" = None) -> None:
        self._href, self._state = href, state
        self._place = place_of(href)
        self._owner = owner or self
        self.failure: Exception | None = None
        """The first failure since it was set to `None`; results of GDAL are then invalid."""

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._state.size

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes from an offset, fewer at the end of the file or after a failure, which is recorded."""
        size = max(0, min(size, self.size - offset))
        if not size:
            return b""
        if size > PAGE_BYTES:
            found = self.read_ranges([(offset, size)])
            return b"" if found is None else found[0]
        try:
            first, last = offset // PAGE_BYTES, (offset + size - 1) // PAGE_BYTES
            start = offset - first * PAGE_BYTES
            return b"".join(self._page(number) for number in range(first, last + 1))[start : start + size]
        except Exception as error:  # noqa: BLE001 -- it cannot pass through GDAL, and is raised behind it
            self._fail(error)
            return b""

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return the bytes of several (offset, size), nothing after a failure, which is recorded."""
        try:
            parts = joined(ranges)
            deadline = read_deadline()

            def read(part: range) -> bytes:
                return self._ask(part.start, part.stop, deadline)

            if len(parts) == 1:
                found = [read(parts[0])]
            else:
                with ThreadPoolExecutor(min(PARTS_AT_ONCE, len(parts))) as threads:
                    found = list(threads.map(read, parts))
            return [cut(offset, size, parts, found) for offset, size in ranges]
        except Exception as error:  # noqa: BLE001 -- see above
            self._fail(error)
            return None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raise the failure of a read in the block instead of GDAL's error; all reads together have `READ_S` seconds.

        Raises:
            Away: A part cannot be read.
            Replaced: The file is in another state.
        """
        self.failure = None
        with one_read():
            try:
                yield
            except Exception:  # GDAL's own words for a failure of ours differ by format and operation
                if self.failure is not None:
                    raise self.failure from None
                raise
        if self.failure is not None:
            raise self.failure

    def beside(self, name: str) -> "RemoteFile | None":
        """Return a file to which this one, a VRT, refers by a relative path; `None` if it is missing."""
        parts = urlsplit(self._href)
        if not parts.path.lower().endswith(".vrt"):
            return None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(parts.path), name))
        href = parts._replace(path=path).geturl()
        try:
            return RemoteFile(href, looks.state(href), owner=self._owner)
        except Exception as error:  # noqa: BLE001 -- see above
            self._fail(error)
            return None

    def _fail(self, error: Exception) -> None:
        if self._owner.failure is None:
            self._owner.failure = error

    def _page(self, number: int) -> bytes:
        found = _pages.get(self._href, self._state, number)
        if found is None:
            start = number * PAGE_BYTES
            found = self._ask(start, min(start + PAGE_BYTES, self.size), read_deadline())
            _pages.put(self._href, self._state, number, found)
        return found

    def _ask(self, start: int, stop: int, deadline: float | None) -> bytes:
        """Bytes of the file in its state.

        Raises:
            Away: They cannot be read.
            Replaced: The file is in another state.
        """
        if stop > self.size:
            raise Away("a requested part is beyond its end: the file is damaged")
        try:
            data, state = retry(lambda: ask_part(self._place, start, stop, self._state), deadline)
        except Replaced:
            looks.forget(self._href)
            raise
        if state != self._state:
            looks.note(self._href, state)
            raise Replaced("it was replaced")
        if len(data) != stop - start:
            raise Away("its server sends fewer bytes than it announces")
        return data


def read_whole(href: str, max_bytes: int) -> bytes | None:
    """Return a remote file of at most `max_bytes` bytes; `None` if it is missing.

    Raises:
        UnsupportedSource: It is larger.
        Away: Its server does not answer, or refuses access.
    """
    place = place_of(href)
    try:
        return retry(lambda: ask_document(place, max_bytes), read_deadline())
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise


PART_BYTES = 1 << 20
"""Maximum size of a request; a line of 130 kB/s transfers it within `REQUEST_S`."""
GAP_BYTES = 16 << 10
"""Maximum gap between two ranges that one request fetches together."""


def joined(ranges: Sequence[tuple[int, int]]) -> list[range]:
    """Return the ranges to request for several (offset, size): near ones together, in parts of at most `PART_BYTES`."""
    spans: list[range] = []
    for offset, size in sorted(ranges):
        if spans and offset - spans[-1].stop <= GAP_BYTES:
            spans[-1] = range(spans[-1].start, max(spans[-1].stop, offset + size))
        else:
            spans.append(range(offset, offset + size))
    return [
        range(start, min(start + PART_BYTES, span.stop))
        for span in spans
        for start in range(span.start, span.stop, PART_BYTES)
    ]


def cut(offset: int, size: int, parts: Sequence[range], found: Sequence[bytes]) -> bytes:
    """Return the bytes of one range from those of all parts."""
    return b"".join(
        data[max(offset, part.start) - part.start : min(offset + size, part.stop) - part.start]
        for part, data in zip(parts, found, strict=True)
        if part.start < offset + size and part.stop > offset
    )
