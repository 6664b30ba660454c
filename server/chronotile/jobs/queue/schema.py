"""The tables of jobs in the database, and their version."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

VERSION = 4
"""Version of the tables, and of the files in the folder and the bucket of jobs.

After the first release a change increments the version, migrates older tables in the transaction that creates tables,
and renames the table of jobs. A process of an older version that still runs then fails at its next statement, so
neither version misreads rows of the other.
"""

METADATA = MetaData()
SCHEMA = Table("chronotile_schema", METADATA, Column("version", Integer, nullable=False))
JOBS = Table(
    "chronotile_archive_jobs",
    METADATA,
    Column("number", Integer, primary_key=True),  # in order of submission
    Column("id", String(32), nullable=False, unique=True),
    Column("archive", String(200), nullable=False),
    Column("revision", String(64)),  # revision of the data that the job reads
    Column("process", String(80), nullable=False, index=True),
    Column("inputs", Text, nullable=False),
    Column("wanted", Text, nullable=False),  # the request without its inputs, as JSON
    Column("user", String(200)),
    Column("status", String(10), nullable=False),
    Column("message", Text, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("updated", Float(53), nullable=False),
    Column("started", Float(53)),
    Column("finished", Float(53), index=True),
    Column("attempts", Integer, nullable=False),
    Column("fruitless", Integer, nullable=False),
    Column("blocks", Integer),  # tasks that were finished at the last claim
    Column("not_before", Float(53)),
    Column("owner", String(80)),
    Column("leased_until", Float(53)),
    Column("fault", Text),
    Column("results", Text),
    Index("ix_chronotile_archive_jobs_next", "archive", "status", "number"),
    Index("ix_chronotile_archive_jobs_open", "archive", "user", "status"),
    Index("ix_chronotile_archive_jobs_of", "user", "number"),
)
FINISHED_TASKS = Table(
    "chronotile_blocks",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("result", Text, nullable=False),
)
LOG = Table(
    "chronotile_log",
    METADATA,
    # SQLite numbers rows automatically only in INTEGER columns.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)

CALLBACKS = Table(
    "chronotile_callbacks",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("status", String(10), primary_key=True),  # the reported status
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),  # host of the URL
    Column("base", Text, nullable=False),
    Column("due", Float(53), index=True),  # NULL: no message to send
    Column("not_before", Float(53), nullable=False),
    Column("tries", Integer, nullable=False),
)
CLIENTS = Table(
    "chronotile_job_clients",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("client", String(100), nullable=False, index=True),
)
"""IP address that submitted each job, for limits per client.

A separate table, because versions without it then work unchanged: it was added without a new `VERSION`.
"""

WORKERS = Table(
    "chronotile_archive_workers",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("archive", String(200), nullable=False),
    Column("seen", Float(53), nullable=False),
)
