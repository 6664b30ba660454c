"""The database of jobs: SQLite in the folder of jobs, or PostgreSQL, which several hosts may share."""

from functools import partial

from chronotile.core import database
from chronotile.core.database import Usage, Waits

BUSY_S = 10
"""Timeout of a lock, of a connection to PostgreSQL and of an unresponsive host."""
STATEMENT_S = 60
"""Timeout of a statement in PostgreSQL, waiting for locks included."""
SILENT_S = 5
"""Timeout of an idle PostgreSQL session in a transaction: other sessions wait for it, and its host may be frozen."""
JOBS_FILE = "jobs.sqlite"

JOBS = Usage(
    name="the job table",
    folder="the jobs folder",
    variable="CHRONOTILE_JOBS_DIR",
    missing="the job tables are missing from their database; restore them, or restart the servers and workers, "
    "which create them",
    file=JOBS_FILE,
    waits=lambda: Waits(busy_s=BUSY_S, statement_s=STATEMENT_S, silent_s=SILENT_S),
)


open_engine = partial(database.open_engine, usage=JOBS)
write_transaction = partial(database.write_transaction, usage=JOBS)
"""Transaction that is on the disk when it ends, or has no effect."""
read_transaction = partial(database.read_transaction, usage=JOBS)
"""Transaction that sees one state of the database and does not wait for writers."""
