"""A STAC API as many archives have it: stac-fastapi over pgSTAC, in PostgreSQL with PostGIS."""

import json
import os
import subprocess
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from tests.postgresql import USER, Server
from tests.running import PATIENCE_S, answer_of, reserved_port
from tests.scenes_archive.documents import Document
from tests.strict import POSTGRESQL, find_program


def lack_of_pgstac() -> str | None:
    """Why such a server cannot run, or None."""
    if find_program("pypgstac") is None:
        return "pypgstac absent (make installs tests/pgstac/requirements.lock)"
    if not any(POSTGRESQL.parent.parent.glob("share/postgresql/*/extension/postgis.control")):
        return "PostGIS absent (Debian: see .ci/run)"
    return None


class StacApi:
    """A running STAC API; collections and items are loaded as its operators do it."""

    def __init__(self, database: str) -> None:
        self._database = database
        held = reserved_port()
        self._port = held.getsockname()[1]
        weakref.finalize(self, os.close, held.detach())
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._run("migrate")

    def load_collection(self, document: Document, folder: Path) -> None:
        """Put a collection."""
        self._load("collections", [document], folder)

    def load_items(self, documents: Iterable[Document], folder: Path) -> None:
        """Add items, or replace existing ones with the same ids."""
        self._load("items", documents, folder)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        place = conninfo_to_dict(self._database)
        environment = {
            "PGHOST": quote(str(place["host"]), safe=""),
            "PGPORT": "5432",
            "PGUSER": USER,
            "PGPASSWORD": "none",
            "PGDATABASE": str(place["dbname"]),
        }
        python = find_program("pypgstac").parent / "python"
        self._process = subprocess.Popen(
            [python, "-m", "uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory", "--port", str(self._port)],
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert answer_of(f"{self.url}/") == 200

    def stop(self) -> None:
        """End the server; the database stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def _load(self, what: str, documents: Iterable[Document], folder: Path) -> None:
        path = folder / f"{what}.ndjson"
        path.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
        self._run("load", what, str(path), "--method", "upsert")

    def _run(self, *arguments: str) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        subprocess.run(
            [find_program("pypgstac"), *arguments, "--dsn", self._database],
            check=True,
            capture_output=True,
            env=environment,
        )


@contextmanager
def serving_stac_api(postgresql: Server) -> Iterator[StacApi]:
    """A STAC API over a new database of the server, without collections."""
    api = StacApi(postgresql.make_database())
    try:
        api.start()
        yield api
    finally:
        api.stop()
