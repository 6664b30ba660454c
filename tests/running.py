"""Servers in separate processes, as users start them."""

import os
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

import pytest

Seen = TypeVar("Seen")

PROGRAM = Path(sysconfig.get_path("scripts")) / "chronotile"
PATIENCE_S = 180
"""Time that a test waits for an immediate event: machines of tests may stall for seconds."""
CLIENT = Path(__file__).parents[1] / "clients" / "python" / "src"
"""Folder of the Python client, which tests do not install; it goes on the path of users' programs."""
ANY_HTTP_PORT = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""Options of a Dask scheduler, whose HTTP server would otherwise listen on port 8787, even without a dashboard."""


@contextmanager
def serving(
    *arguments: object, log: IO[str] | None = None, program: Path = PROGRAM, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Run a server in a separate process and end it at the end; yields the process, its address and its output.

    It logs to `log` if that is not `None`. `program` may be from another environment.

    Raises:
        AssertionError: The server ended before it had printed its addresses.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHRONOTILE_")}
    with TemporaryFile("w+", encoding="utf-8") as file:
        process = subprocess.Popen(
            [program, *map(str, arguments), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log or file,
            text=True,
            env=kept | environment,
        )
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("WMTS"):
                    break
            else:
                status = process.wait(timeout=PATIENCE_S)
                file.seek(0)
                raise AssertionError(f"the server ended with status {status}: {''.join(lines)}{file.read()}")
            yield process, lines[-1].split()[1].removesuffix("/wmts"), lines
        finally:
            process.terminate()  # a server that is killed leaves the folder of its workers
            try:
                process.wait(timeout=PATIENCE_S)
            finally:
                process.kill()  # a process that does not end must not fail other tests
                process.communicate()


def with_client() -> dict[str, str]:
    """Return the environment of a process that imports the Python client."""
    path = os.pathsep.join(filter(None, [str(CLIENT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path}


def answer_of(url: str) -> int:
    """Return the status of the first answer there is."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
                return answer.status
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def is_shown(url: str, text: bytes) -> bool:
    """Return whether an answer has the text."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return text in answer.read()


def until(look: Callable[[], Seen]) -> Seen:
    """Return the first true result of `look`; fail after three minutes, longer than any machine stalls."""
    end = time.monotonic() + PATIENCE_S
    while not (seen := look()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return seen


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes that a server has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def listening_addresses(pid: int) -> set[Any]:
    """Return the addresses (`ip`, `port`) on which a process or its children listen."""
    psutil = pytest.importorskip("psutil", reason="the extra dask is not installed")
    first, found = psutil.Process(pid), set[Any]()
    for each in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it ended after the listing
            found |= {held.laddr for held in each.net_connections("inet") if held.status == psutil.CONN_LISTEN}
    return found


def ports_served_by(pid: int) -> set[int]:
    """Return the clients' ports of a process's connections; none if it has ended."""
    held, table = set[str](), ""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed after the listing
                held.add(str(descriptor.readlink()))
        table = Path(f"/proc/{pid}/net/tcp").read_text()
    rows = (line.split() for line in table.splitlines()[1:])
    return {int(row[2].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in held}


def reserved_port() -> socket.socket:
    """Return a socket that reserves a port of 127.0.0.1 without listening.

    A server that gets the port may listen there nevertheless, because it sets SO_REUSEADDR.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held
