"""stac-fastapi-pgstac over the same items, in PostgreSQL with PostGIS."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.made_items import COLLECTION, MadeIndex
from benchmarks.peers.server import Server, running
from tests.postgresql import USER
from tests.postgresql import Server as PostgreSql
from tests.strict import find_program

SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=16GB", "jit=off"),
    *("shared_buffers=2GB", "effective_cache_size=8GB", "work_mem=32MB", "maintenance_work_mem=512MB"),
    *("random_page_cost=1.1", "effective_io_concurrency=200"),
)
"""Settings of PostgreSQL, for pgSTAC and for our index in it."""
PARTITIONS = "year"
"""100,000 items per partition, for a million items."""
DOCUMENT = {
    "type": "Collection",
    "stac_version": "1.0.0",
    "id": COLLECTION,
    "description": "Made scenes",
    "license": "other",
    "links": [],
    "extent": {
        "spatial": {"bbox": [[-180, -90, 180, 90]]},
        "temporal": {"interval": [["2016-01-01T00:00:00Z", None]]},
    },
}


def load(postgresql: PostgreSql, made: MadeIndex, scratch: Path) -> tuple[str, float]:
    """Return the URL of a database with the items, and how many seconds it took to load them."""
    url = postgresql.make_database()
    collection, items = scratch / "collection.ndjson", scratch / "items.ndjson"
    collection.write_bytes(orjson.dumps(DOCUMENT))
    with items.open("wb") as file:
        file.writelines(orjson.dumps(document) + b"\n" for document in made.documents())
    run_pypgstac("migrate", url=url)
    run_pypgstac("load", "collections", str(collection), "--method", "upsert", url=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE pgstac.collections SET partition_trunc = %s", [PARTITIONS])
    began = time.monotonic()
    run_pypgstac("load", "items", str(items), "--method", "insert", url=url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    items.unlink()
    return url, time.monotonic() - began


@contextmanager
def served(url: str, scratch: Path, *, workers: int = 1) -> Iterator[int]:
    """Give the port of a server of some workers over a database."""
    place = conninfo_to_dict(url)
    python = str(_program().parent / "python")
    application = ("-m", "uvicorn", "stac_fastapi.pgstac.app:create_app", "--factory")
    options = ("--workers", str(workers), "--no-access-log", "--log-level", "warning")
    server = Server(
        commands=lambda port: [[python, *application, "--port", str(port), *options]],
        probe="/",
        environment={
            "PYTHONPATH": "",
            "PGHOST": quote(str(place["host"]), safe=""),
            "PGPORT": "5432",
            "PGUSER": USER,
            "PGPASSWORD": "none",
            "PGDATABASE": str(place["dbname"]),
        },
    )
    with running("stac-fastapi-pgstac", server, scratch) as port:
        yield port


def version() -> str:
    """Return which versions are measured."""
    names = ("stac-fastapi-pgstac", "pypgstac", "uvicorn")
    code = f"import importlib.metadata as m; print(', '.join(f'{{n}} {{m.version(n)}}' for n in {names}))"
    python = str(_program().parent / "python")
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, env=_quiet()).stdout.strip()


def _program() -> Path:
    found = find_program("pypgstac")
    if found is None:
        raise FileNotFoundError("pypgstac is not installed")
    return Path(found)


def run_pypgstac(*arguments: str, url: str) -> None:
    """Run a command of pypgstac over a database."""
    subprocess.run([_program(), *arguments, "--dsn", url], check=True, capture_output=True, env=_quiet())


def _quiet() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
