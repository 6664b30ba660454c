"""The database of jobs: SQLite in a folder of this machine, or PostgreSQL, which several hosts may share."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from chronotile.errors import ConfigurationError
from chronotile.machine import are_on_disks_here

BUSY_S = 10
"""How long SQLite waits for another process that writes."""
POSTGRESQL = "postgresql"


def open_engine(url: str | None, folder: Path) -> Engine:
    """Return the engine of the database that `url` names, or of a file in `folder`, which is made.

    Raises:
        ConfigurationError: The URL is none that is known, its driver is not installed, or the folder is on a disk of
            another machine, where SQLite's locks do not hold.
    """
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        if not are_on_disks_here([folder]):
            raise ConfigurationError(
                f"{folder} is on a disk of another machine, where the table of jobs would be damaged; "
                "set CHRONOTILE_DATABASE_URL to a PostgreSQL database, or CHRONOTILE_JOBS_DIR to a folder of this one"
            )
        engine = create_engine(f"sqlite:///{folder / 'jobs.sqlite'}", connect_args={"timeout": BUSY_S})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("CHRONOTILE_DATABASE_URL is no URL, such as postgresql://user@host/name") from error
    if parsed.get_backend_name() != POSTGRESQL:
        raise ConfigurationError(f"CHRONOTILE_DATABASE_URL is of {parsed.drivername}; only postgresql:// is known")
    try:
        return create_engine(parsed.set(drivername=f"{POSTGRESQL}+psycopg"), pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError("PostgreSQL needs psycopg: pip install chronotile[postgresql]") from error


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 -- the driver's own
    """What is written is on the disk when it is said to be; readers do not wait for writers."""
    connection.isolation_level = None  # or else the driver begins transactions when it likes
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's events have no types
    """A transaction that reads first may not find at its end that another has written."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
