"""The tables of jobs in a database, and which version of them it has."""

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)

from chronotile.errors import ConfigurationError
from chronotile.jobs.engine import hold, writing

VERSION = 3
"""Of the tables below; whoever changes them counts on."""

METADATA = MetaData()
SCHEMA = Table("chronotile_schema", METADATA, Column("version", Integer, nullable=False))
JOBS = Table(
    "chronotile_jobs",
    METADATA,
    Column("number", Integer, primary_key=True),  # in the order in which they came
    Column("id", String(32), nullable=False, unique=True),
    Column("process", String(80), nullable=False, index=True),
    Column("inputs", Text, nullable=False),
    Column("wanted", Text, nullable=False),  # all else that was asked for
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
    Column("blocks", Integer),  # that were finished when it was claimed last
    Column("not_before", Float(53)),
    Column("owner", String(80)),
    Column("leased_until", Float(53)),
    Column("fault", Text),
    Column("results", Text),
    Index("ix_chronotile_jobs_next", "status", "number"),
    Index("ix_chronotile_jobs_open", "user", "status"),
    Index("ix_chronotile_jobs_of", "user", "number"),
)
BLOCKS = Table(
    "chronotile_blocks",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("result", Text, nullable=False),
)
LOG = Table(
    "chronotile_log",
    METADATA,
    # SQLite counts integers only.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)

CALLBACKS = Table(
    "chronotile_callbacks",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("status", String(10), primary_key=True),  # of which is told
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),  # of the URL
    Column("base", Text, nullable=False),
    Column("due", Float(53), index=True),  # without it there is nothing to tell
    Column("not_before", Float(53), nullable=False),
    Column("tries", Integer, nullable=False),
)

WORKERS = Table(
    "chronotile_workers",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("seen", Float(53), nullable=False),
)

_MAKING = 7_105_101
"""Whom PostgreSQL lets make the tables."""


def make_tables(engine: Engine) -> None:
    """Make the tables unless they are there, whoever else does so at the same time.

    Raises:
        ConfigurationError: They are those of a newer or an older chronotile.
    """
    with writing(engine) as connection:
        hold(connection, _MAKING)
        SCHEMA.create(connection, checkfirst=True)
        version = connection.scalar(select(SCHEMA.c.version))
        if version is not None and version > VERSION:
            raise ConfigurationError(
                [
                    f"the table of jobs has version {version}, of a newer chronotile, and this one knows version "
                    f"{VERSION}: update it, or give it another CHRONOTILE_DATABASE_URL or CHRONOTILE_JOBS_DIR"
                ]
            )
        if version is not None and version < VERSION:
            raise ConfigurationError(
                [
                    f"the table of jobs has version {version}, of an older chronotile, which this one with version "
                    f"{VERSION} cannot go on with: remove its file jobs.sqlite, or in PostgreSQL all tables whose "
                    "names begin with chronotile_; or set another CHRONOTILE_JOBS_DIR or CHRONOTILE_DATABASE_URL"
                ]
            )
        if version is None:
            METADATA.create_all(connection)
            connection.execute(insert(SCHEMA).values(version=VERSION))
