"""The database of jobs: SQLite in the folder of jobs, or PostgreSQL, which several hosts may share."""

from functools import partial

from chronotile.core import database
from chronotile.core.database import Usage, Waits, database_time, hold

__all__ = ["FILE", "JOBS", "database_time", "hold", "open_engine", "read_transaction", "write_transaction"]

BUSY_S = 10
"""How long to wait for a lock, for a connection to PostgreSQL, and for a sign of life of a host."""
STATEMENT_S = 60
"""How long a statement may take in PostgreSQL, with its waiting for locks."""
SILENT_S = 5
"""How long a session of PostgreSQL may be idle in a transaction, which others wait for: its host may be frozen."""
FILE = "jobs.sqlite"

JOBS = Usage(
    name="the job table",
    folder="the jobs folder",
    variable="CHRONOTILE_JOBS_DIR",
    missing="the job tables are missing from their database; restore them, or restart the servers and workers, "
    "which create them",
    file=FILE,
    waits=lambda: Waits(busy_s=BUSY_S, statement_s=STATEMENT_S, silent_s=SILENT_S),
)


open_engine = partial(database.open_engine, usage=JOBS)
write_transaction = partial(database.write_transaction, usage=JOBS)
"""It is on the disk once it has ended, or is as if it had not been."""
read_transaction = partial(database.read_transaction, usage=JOBS)
"""It sees one state of the database and does not wait for writers."""
