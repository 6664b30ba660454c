"""How many files, functions and frames of a warm server a request enters: `python -m tests.replay.trace`."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import CO_COROUTINE
from pathlib import Path
from types import CodeType, FrameType

import chronotile
from tests.replay.archives import make
from tests.replay.request import Request
from tests.replay.running import work_folder
from tests.replay.site import Site, site_of

OWN = str(Path(chronotile.__file__).parent)
PARTS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<module>")
"""Code objects that are part of a function; Python 3.12 has fewer of them."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Code that a request enters."""

    files: int
    changes: int
    """Calls from one file into another."""
    functions: int
    depth: int
    """Largest number of nested frames of chronotile in a thread."""
    with_waiting: int
    """The same, including frames of the event loop that wait for the thread."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A request that is traced several times with other values; the smallest numbers count."""

    archive: str
    requests: Sequence[Request]
    max_changes: int
    """Calls from one file into another that it may make; only lowered. It is 30 more than measured: on a busy machine
    the check for changed files runs during the request."""
    warm: Sequence[Request] = ()
    """Requests that are sent before, in addition to the first of the requests."""


def _get(target: str) -> Request:
    return Request("GET", target)


def _map(west: float) -> Request:
    return _get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=CRS:84&WIDTH=256&HEIGHT=256"
        f"&FORMAT=image/png&TIME=2023-06-01&BBOX={west},50.95,{west + 0.1:.2f},51.05"
    )


def _execution(lon: float, *headers: tuple[str, str]) -> Request:
    inputs = {"layers": "NDVI", "points": [[lon, 51.0]], "datetime": "2023-06", "format": "json"}
    given = (("content-type", "application/json"), *headers)
    return Request("POST", "/ogcapi/processes/time-series/execution", given, json.dumps({"inputs": inputs}))


BACKGROUND = {"index", "shares", "elsewhere", "webhooks"}
"""Names of threads whose work does not belong to a request."""
WESTS = (4.3, 4.32, 4.34, 4.36)
ASYNC = ("prefer", "respond-async")
WALKS: Mapping[str, Walk] = {
    "GetMap, another box": Walk("demo", [_map(west) for west in WESTS], max_changes=432),
    "GetMap, the same again": Walk("demo", [_map(WESTS[0])] * 3, max_changes=313),
    "XYZ tile": Walk(
        "demo",
        [
            _get(f"/tiles/NDVI/WebMercatorQuad/12/{x}/{y}.png?datetime=2023-06-01")
            for x in (2097, 2098)
            for y in (1369, 1370)
        ],
        max_changes=368,
    ),
    "point series": Walk(
        "demo",
        [_get(f"/timeseries/NDVI/point?lon={lon}&lat=51&datetime=2023&format=json") for lon in WESTS],
        max_changes=344,
    ),
    "STAC search, index open": Walk(
        "scenes", [_get(f"/stac/search?collections=cut&limit={limit}") for limit in (3, 4, 5)], max_changes=584
    ),
    "mosaic tile": Walk(
        "scenes",
        [
            _get(f"/tiles/B04/WebMercatorQuad/16/{x}/{y}.png?datetime=2021-11-03")
            for x in (33859, 33860)
            for y in (22082, 22083)
        ],
        max_changes=636,
    ),
    "synchronous process (time-series)": Walk("demo", [_execution(lon) for lon in WESTS], max_changes=711),
    "job accepted": Walk("demo", [_execution(lon, ASYNC) for lon in WESTS], max_changes=399),
}


class Tracer:
    """Records the entered code in all threads that start after `install`."""

    def __init__(self) -> None:
        self._is_on = False
        self._codes: set[CodeType] = set()
        self._changes = 0
        self._deepest = self._with_waiting = self._waiting = 0
        self._loop: int | None = None
        self._is_leaving = False
        self._in_thread: Counter[int] = Counter()
        """Largest number of nested frames of chronotile since the thread got its work."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Trace threads that start in the block."""
        threading.setprofile(self._note)
        try:
            yield
        finally:
            threading.setprofile(None)

    def entered(self, work: Callable[[], object]) -> Entered:
        """Return the code entered by work that an event loop does for this thread."""
        self._codes, self._deepest, self._with_waiting, self._waiting, self._loop = set(), 0, 0, 0, None
        self._changes = 0
        self._in_thread.clear()
        self._is_on = True
        work()
        self._is_on = False
        functions = {code for code in self._codes if code.co_name not in PARTS}
        files = {code.co_filename for code in functions}
        return Entered(len(files), self._changes, len(functions), self._deepest, self._with_waiting)

    def _note(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self._is_on or event not in {"call", "return"} or not frame.f_code.co_filename.startswith(OWN):
            return
        if threading.current_thread().name in BACKGROUND:
            return
        thread = threading.get_ident()
        if self._loop is None:
            self._loop = thread  # the request arrives in this thread
        is_loop = thread == self._loop
        depth = _own_frames(frame)
        if event == "call":
            self._is_leaving = self._is_leaving and not is_loop
            self._codes.add(frame.f_code)
            self._changes += _is_change(frame)
            self._deepest = max(self._deepest, depth)
            self._in_thread[thread] = max(self._in_thread[thread], depth)
        elif is_loop and not self._is_leaving and frame.f_code.co_flags & CO_COROUTINE:
            self._waiting, self._is_leaving = depth, True  # the innermost that waits
        elif not is_loop and depth == 1:  # by now the loop waits for it
            self._with_waiting = max(self._with_waiting, self._waiting + self._in_thread.pop(thread, 0))


def _is_change(frame: FrameType) -> bool:
    """Return whether the nearest caller in this package is in another file."""
    caller = frame.f_back
    while caller is not None and not caller.f_code.co_filename.startswith(OWN):
        caller = caller.f_back
    return caller is not None and caller.f_code.co_filename != frame.f_code.co_filename


def _own_frames(frame: FrameType | None) -> int:
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith(OWN) and frame.f_code.co_name not in PARTS
        frame = frame.f_back
    return count


def traced() -> dict[str, Entered]:
    """Return the code that each walk enters."""
    tracer, found, number = Tracer(), dict[str, Entered](), 0
    with work_folder() as folder, tracer.installed(), ExitStack() as stack:
        sites = dict[str, Site]()
        for name, walk in WALKS.items():
            if walk.archive not in sites:
                place = make(walk.archive)
                sites[walk.archive] = stack.enter_context(
                    site_of(walk.archive, place, folder / f"{walk.archive}-state")
                )
            site = sites[walk.archive]

            def send(request: Request, site: Site = site) -> None:
                nonlocal number
                number += 1
                answer = site.send(number, request)
                if answer.status not in {200, 201}:
                    raise RuntimeError(f"{request}: {answer.status} {answer.content[:500]!r}")

            for request in (*walk.warm, walk.requests[0], walk.requests[0]):
                send(request)
            seen = list[Entered]()
            for request in walk.requests[1:]:
                send(walk.requests[0])  # checks files for changes, so that the traced request does not
                seen.append(tracer.entered(partial(send, request)))
            found[name] = Entered(
                files=min(each.files for each in seen),
                changes=min(each.changes for each in seen),
                functions=min(each.functions for each in seen),
                depth=max(each.depth for each in seen),
                with_waiting=max(each.with_waiting for each in seen),
            )
    return found


def main() -> None:
    """Print the table."""
    columns = ("request", "files", "changes", "at most", "functions", "depth", "with those that wait")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, entered in traced().items():
        files = (entered.files, entered.changes, WALKS[name].max_changes)
        figures = (*files, entered.functions, entered.depth, entered.with_waiting)
        print(f"| {name} | {' | '.join(map(str, figures))} |")


if __name__ == "__main__":
    sys.exit(main())
