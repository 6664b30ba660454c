"""Makes the tables of jobs, and migrates older ones in one transaction, also if several processes start at once."""

import json
import logging

from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from chronotile.errors import ConfigurationError, SourceUnavailable
from chronotile.queue.database import database_time, hold, write_transaction
from chronotile.queue.faults import fault_of
from chronotile.queue.outbox import call_back
from chronotile.queue.rows import fault_text
from chronotile.queue.schema import CLIENTS, FINISHED_TASKS, JOBS, METADATA, SCHEMA, VERSION

OPEN_BEFORE = SourceUnavailable(
    "the job was submitted before jobs were bound to an archive, and is not run because its archive is unknown; "
    "submit it again"
)
"""Why a job fails that had not ended when its table was migrated to version 4."""

_MAKING = 7_105_101
"""Whom PostgreSQL lets make the tables."""
_BEFORE_4 = "chronotile_jobs"
"""The table of jobs up to version 3."""

log = logging.getLogger(__name__)


def make_tables(engine: Engine) -> None:
    """Make the tables unless they are there, and migrate older ones; others who start at the same time wait.

    Raises:
        ConfigurationError: They are those of a newer chronotile.
    """
    with write_transaction(engine) as connection:
        hold(connection, _MAKING)
        SCHEMA.create(connection, checkfirst=True)
        version = connection.scalar(select(SCHEMA.c.version))
        if version == VERSION:
            CLIENTS.create(connection, checkfirst=True)
            return
        if version is not None and version > VERSION:
            raise ConfigurationError(
                [
                    f"the job table has version {version}, of a newer chronotile, and this one knows version "
                    f"{VERSION}: update it, or give it another CHRONOTILE_DATABASE_URL or CHRONOTILE_JOBS_DIR"
                ]
            )
        if version is None:
            METADATA.create_all(connection)
            connection.execute(insert(SCHEMA).values(version=VERSION))
        else:
            _migrate(connection, version)


def _migrate(connection: Connection, version: int) -> None:
    if version < 2:
        _count_attempts(connection)
    if version < 3:
        _part_inputs(connection)
    _bind_to_archives(connection)
    METADATA.create_all(connection)  # what an older version did not have
    ended = _end_open_jobs(connection)
    connection.execute(update(SCHEMA).values(version=VERSION))
    log.warning(
        "the table of jobs was migrated from version %d to %d; %d unfinished jobs are not run because their "
        "archive is unknown",
        version,
        VERSION,
        ended,
    )


def _count_attempts(connection: Connection) -> None:
    """Version 2: attempts in a row without a finished task, and when a job may be begun again."""
    for column in ("fruitless INTEGER NOT NULL DEFAULT 0", "blocks INTEGER", "not_before DOUBLE PRECISION"):
        connection.execute(text(f"ALTER TABLE {_BEFORE_4} ADD COLUMN {column}"))


def _part_inputs(connection: Connection) -> None:
    """Version 3: inputs, which may be long, apart from what else was requested."""
    for name in ("inputs", "wanted"):
        connection.execute(text(f"ALTER TABLE {_BEFORE_4} ADD COLUMN {name} TEXT NOT NULL DEFAULT ''"))
    part = text(f"UPDATE {_BEFORE_4} SET inputs = :inputs, wanted = :wanted WHERE number = :number")  # noqa: S608 -- ours
    read = text(f"SELECT execution FROM {_BEFORE_4} WHERE number = :number")  # noqa: S608 -- as above
    for number in connection.scalars(text(f"SELECT number FROM {_BEFORE_4}")).all():  # noqa: S608 -- as above
        execution = json.loads(connection.scalars(read, {"number": number}).one())
        outputs = {"outputs": execution["outputs"], "response": execution["response"]}
        values = {"inputs": json.dumps(execution["inputs"]), "wanted": json.dumps(outputs), "number": number}
        connection.execute(part, values)
    connection.execute(text(f"ALTER TABLE {_BEFORE_4} DROP COLUMN execution"))


def _bind_to_archives(connection: Connection) -> None:
    """Version 4: of which archive a job is, and the revision of what it reads; another name, as `VERSION` says."""
    for name in ("process", "finished", "next", "open", "of"):
        connection.execute(text(f"DROP INDEX IF EXISTS ix_{_BEFORE_4}_{name}"))
    connection.execute(text("DROP TABLE IF EXISTS chronotile_workers"))
    connection.execute(text(f"ALTER TABLE {_BEFORE_4} RENAME TO {JOBS.name}"))
    for column in ("archive VARCHAR(200)", "revision VARCHAR(64)"):
        connection.execute(text(f"ALTER TABLE {JOBS.name} ADD COLUMN {column}"))
    for index in JOBS.indexes:
        index.create(connection)


def _end_open_jobs(connection: Connection) -> int:
    """End jobs that waited or ran, and return how many: nobody may do them on an archive that is guessed."""
    fault, now = fault_of(OPEN_BEFORE), database_time(connection)
    values = {"status": "failed", "message": fault.detail, "fault": fault_text(fault), "owner": None}
    ids = connection.scalars(select(JOBS.c.id).where(JOBS.c.status.in_(["accepted", "running"]))).all()
    for id_ in ids:
        connection.execute(update(JOBS).where(JOBS.c.id == id_).values(**values, updated=now, finished=now))
        connection.execute(delete(FINISHED_TASKS).where(FINISHED_TASKS.c.job == id_))
        call_back(connection, id_, "failed", now)
    return len(ids)
