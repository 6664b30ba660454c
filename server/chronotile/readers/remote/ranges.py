"""Parts of many files elsewhere in one wait: all are requested together, and the caller waits for the last.

Parts of one file that lie near together are one request. How many requests run at once is bounded for each server and
in all, so that a server that hangs leaves room for the others. A part that another thread waits for is not requested
twice. Requests run in threads: with obstore they take half the processor time of its asynchronous calls.
"""

import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitTooLong
from time import monotonic
from typing import NamedTuple

from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.remote.requests import (
    READ_S,
    REQUEST_S,
    Away,
    ObjectState,
    Place,
    Replaced,
    ask_part,
    place_of,
    read_deadline,
    retry,
)
from chronotile.readers.remote.s3_environment import s3_access

AT_ONCE_OF_SERVER = 64
"""Requests that one server, or one bucket, answers at once."""
AT_ONCE = 256
AHEAD_BYTES = 64 << 20
"""Of parts that were fetched ahead and not read yet; beyond it the oldest are dropped, and fetched again."""
MOST_WAITING = 20_000
"""Requests of one server that wait to be sent."""
GAP_BYTES = 32 << 10
"""Between two parts that one request fetches together: less than what a line transfers in the time of a round trip."""
REQUEST_BYTES = 4 << 20
"""Parts are put together up to so many bytes, which a line of 0.5 MB/s transfers within `REQUEST_S`."""


class FilePart(NamedTuple):
    """Bytes of a file in a state."""

    href: str
    tag: str
    """By `state_tag`; empty: not known."""
    size: int
    """Of the whole file."""
    start: int
    stop: int


Found = bytes | Exception
"""The bytes of a part, or why they cannot be read."""


def state_tag(state: ObjectState) -> str:
    """Return a text that changes when a file elsewhere is replaced: its ETag, else its time; empty without either."""
    return state.tag or (f"modified:{state.modified_ns:x}" if state.modified_ns else "")


def is_in_state(state: ObjectState, tag: str, size: int) -> bool:
    """Return whether a file is still what it was, as far as is known."""
    return state.size == size and (not tag or state_tag(state) == tag)


def first_part(href: str, count: int) -> tuple[bytes, ObjectState]:
    """Return at most so many bytes from the start of a file elsewhere, and its state, by one request.

    Raises:
        Away: It cannot be read.
    """
    place = place_of(href)
    return retry(lambda: ask_part(place, 0, count, None), read_deadline())


class RangeFetcher:
    """Fetches parts of files; all threads of a process share one.

    Args:
        fetch: Gives the bytes of a part as one request does, within a deadline.
    """

    def __init__(self, fetch: Callable[[Place, FilePart, float], bytes] | None = None) -> None:
        self._fetch = fetch or _fetched
        self._lanes = Lanes(AT_ONCE, AT_ONCE_OF_SERVER, name="ranges")
        self._flying: dict[FilePart, Future[bytes]] = {}
        self._ahead = set[FilePart]()
        self._landed: OrderedDict[FilePart, Future[bytes]] = OrderedDict()
        self._landed_bytes = 0
        self._lock = threading.Lock()

    def fetch_ahead(self, parts: Iterable[FilePart]) -> None:
        """Send the requests for parts that a later `start` takes, by whatever thread."""
        parts = list(parts)
        with self._lock:
            lacking = [part for part in parts if part not in self._landed and part not in self._flying]
            self._ahead.update(lacking)
        self._start(lacking)

    def start(self, parts: Iterable[FilePart]) -> dict[FilePart, Future[bytes]]:
        """Send the requests for some parts, and return what will hold their bytes.

        They end `READ_S` after now, or with the read of this thread.
        """
        landed = dict[FilePart, Future[bytes]]()
        lacking = list[FilePart]()
        with self._lock:
            for part in dict.fromkeys(parts):
                self._ahead.discard(part)  # it has a reader, who holds it
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

    def _send(self, place: Place, parts: Sequence[FilePart], deadline: float) -> None:
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
    """Return what is found of a part that was requested."""
    try:
        return future.result(READ_S + REQUEST_S)
    except WaitTooLong:
        return Away(f"reading it takes longer than {READ_S:g} s")
    except Exception as error:  # noqa: BLE001 -- the caller raises it for what needs the part
        return error


def put_together(parts: Sequence[FilePart]) -> list[list[FilePart]]:
    """Return parts of one file in groups, each of which one request fetches."""
    groups: list[list[FilePart]] = []
    for part in sorted(parts, key=lambda each: each.start):
        last = groups[-1] if groups else None
        if last is not None and part.start - last[-1].stop <= GAP_BYTES and part.stop - last[0].start <= REQUEST_BYTES:
            last.append(part)
        else:
            groups.append([part])
    return groups


def _fetched(place: Place, part: FilePart, deadline: float) -> bytes:
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
    """Threads in which requests run, so many at once of each server, the others in their order.

    Args:
        at_once: In all.
        of_server: Of one server.
        name: Of the threads.
    """

    def __init__(self, at_once: int, of_server: int, *, name: str) -> None:
        self._at_once, self._of_server, self._name = at_once, of_server, name
        self._threads: ThreadPoolExecutor | None = None
        self._running = Counter[str]()
        self._waiting: Mapping[str, deque[Callable[[], None]]] = defaultdict(deque)
        self._lock = threading.Lock()

    def run(self, server: str, work: Callable[[], None]) -> bool:
        """Run something when the server has room for it; return whether it may wait so long."""
        with self._lock:
            if self._running[server] >= self._of_server:
                if len(self._waiting[server]) >= MOST_WAITING:
                    return False
                self._waiting[server].append(work)
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
                # At the end of the process nobody waits for what is left.
                following = waiting.popleft() if waiting and threading.main_thread().is_alive() else None
                if following is None:
                    self._running[server] -= 1


fetcher = RangeFetcher()
"""Of this process."""
