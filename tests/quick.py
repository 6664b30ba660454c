"""Pytest plugin: the quick tier has cheap tests that open no network socket and start no process.

The guard is a hook and not an autouse fixture, because it also covers module and session fixtures.
"""

import multiprocessing.util
import platform
import socket
import sys
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest

from tests.costs import expensive_functions, function_of

BEYOND_QUICK = ("slow", "client", "browser", "data", "audit")
"""The markers that put a test into a later tier."""
PROCESS_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "multiprocessing.spawn"}
SOCKET_EVENTS = {"socket.connect", "socket.bind", "socket.sendto"}
WATCHED_EVENTS = SOCKET_EVENTS | PROCESS_EVENTS
NETWORK = {socket.AF_INET, socket.AF_INET6}


class NotQuick(OSError):
    """A quick test did a forbidden operation; as an OSError, so that libraries close the socket."""


@dataclass
class Guard:
    """Whether a quick test runs, and its forbidden operations."""

    is_on: bool = False
    breaches: list[str] = field(default_factory=list)

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Refuse a forbidden operation at its audit event."""
        if event not in WATCHED_EVENTS or not self.is_on or not is_forbidden(event, arguments):
            return
        breach = f"{event}{arguments[:2]!r:.200}: the test needs a marker, for example @pytest.mark.slow"
        self.breaches.append(breach)
        raise NotQuick(breach)


def is_forbidden(event: str, arguments: tuple[object, ...]) -> bool:
    """Return whether an audit event is a new process or the network; sockets of a path or a pair are neither."""
    if event in SOCKET_EVENTS:
        return arguments[0].family in NETWORK
    return event in PROCESS_EVENTS


platform.processor()  # runs `uname` only the first time, so before any library in a test
GUARD = Guard()
sys.addaudithook(GUARD.audit)  # for the whole life of this process

_spawn = multiprocessing.util.spawnv_passfds


def _spawn_audited(path: str, arguments: list[str], descriptors: list[int]) -> int:
    """Start a process as multiprocessing does, which raises no audit event by itself."""
    sys.audit("multiprocessing.spawn", path, arguments)
    return _spawn(path, arguments, descriptors)


multiprocessing.util.spawnv_passfds = _spawn_audited


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark expensive functions as slow, and cases that `quick_cases` of their function does not name."""
    expensive = expensive_functions()
    for item in items:
        marker = item.get_closest_marker("quick_cases")
        if marker is not None and not any(words in item.name for words in marker.args):
            item.add_marker("slow")
            item.add_marker("further_case")
        elif function_of(item.nodeid) in expensive and not any(map(item.get_closest_marker, BEYOND_QUICK)):
            item.add_marker("slow")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool, bool]:
    """Guard a quick test from the set-up of its fixtures to their end."""
    before = GUARD.is_on
    GUARD.is_on = not any(map(item.get_closest_marker, BEYOND_QUICK))
    try:
        return (yield)
    finally:
        GUARD.is_on = before


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Fail a test that was refused something, even if its code went on."""
    breaches, GUARD.breaches = GUARD.breaches, []
    yield
    if breaches := [*breaches, *GUARD.breaches]:
        raise NotQuick("; ".join(breaches))
