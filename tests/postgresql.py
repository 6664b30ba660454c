"""A PostgreSQL server of our own: a new folder, a socket in it, nobody's password."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.running import PATIENCE_S, until
from tests.strict import find_program

USER = "postgres"
"""User of the databases, and of the system if the tests run as root, which PostgreSQL refuses."""
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""No data of a test have to outlive the machine."""


class Server:
    """A server that can be stopped and started."""

    def __init__(self, folder: Path, settings: Sequence[str]) -> None:
        self.folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it lets in."""
        settings = (
            *self._settings,
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "max_connections=200",
        )
        options = [part for setting in settings for part in ("-c", setting)]
        self._process = subprocess.Popen(
            [find_program("postgres"), "-D", self.folder / "data", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_unprivileged(),
        )
        until(self._lets_in)

    @property
    def pid(self) -> int:
        """Id of its first process, which starts the others."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it and all connections to it."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE_S)

    def crash(self) -> None:
        """End it like `pg_ctl stop -m immediate`: the next start recovers committed rows."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(PATIENCE_S)

    def version(self) -> str:
        """Return which version it is."""
        with psycopg.connect(self._url("postgres")) as connection:
            return str(connection.info.parameter_status("server_version"))

    def make_database(self) -> str:
        """Return the URL of a new database."""
        name = f"jobs_{secrets.token_hex(4)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def _lets_in(self) -> bool:
        assert self._process.poll() is None, "PostgreSQL did not start"
        try:
            psycopg.connect(self._url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def serving_postgresql(settings: Sequence[str] = QUICK) -> Iterator[Server]:
    """A running server, with all it has in a folder that is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        if os.getuid() == 0:
            shutil.chown(folder, USER)
        subprocess.run(
            [find_program("initdb"), "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            **_unprivileged(),
        )
        server = Server(folder, settings)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> dict[str, object]:
    return {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}
