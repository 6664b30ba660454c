"""Links that show one job to other people. The table stores a digest of each secret and the subjects of the owner."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256

import orjson
import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, LargeBinary, MetaData, Table, Text, delete, literal, select

from chronotile.core.database import database_time, making_tables
from chronotile.core.model.job import JOB_ID
from chronotile.jobs.queue.database import JOBS as USAGE
from chronotile.jobs.queue.database import read_transaction
from chronotile.jobs.queue.faults import no_job
from chronotile.jobs.queue.schema import JOBS

SHARE_PREFIX = "cts_"
"""Prefix of secrets of links; keys have another prefix."""
DAY_S = 86_400.0
METADATA = MetaData(info={"name": "links to jobs", "version": 1})
SHARES = Table(
    "chronotile_job_shares",
    METADATA,
    Column("job", ForeignKey(JOBS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("subjects", Text, nullable=False),  # JSON
    Column("expires", Float(53), nullable=False),
)
_MAKING = 7_105_104
"""Advisory lock of PostgreSQL: only its holder creates the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShare:
    """A link that was just made."""

    secret: str
    expires: float
    """Seconds since 1970, UTC."""


class JobShares:
    """Links to jobs, at most one per job; the table is created with the first link.

    Args:
        engine: Engine of the job table, which exists.
        clock: Seconds since 1970, as in `JobTable`.

    Raises:
        SourceUnavailable: The database is unreachable, damaged or locked for too long; also in each method.
        StorageFull: The disk is full; also in each method that writes.
    """

    def __init__(self, engine: sa.Engine, *, clock: Callable[[sa.Connection], float] = database_time) -> None:
        self._engine = engine
        self._clock = clock
        self._is_made = False

    def create(self, job: str, *, subjects: Collection[str], days: float) -> NewShare:
        """Return a new link to a job, which replaces an existing one.

        Args:
            job: Id of the job.
            subjects: Subjects of its owner: the link shows only layers that they may read.
            days: Lifetime of the link.

        Raises:
            UnknownPath: The job was deleted.
        """
        secret = SHARE_PREFIX + secrets.token_urlsafe(32)
        digest, written = sha256(secret.encode()).digest(), orjson.dumps(sorted(subjects)).decode()
        with making_tables(self._engine, USAGE, METADATA, _MAKING) as connection:
            now = self._clock(connection)
            expires = now + days * DAY_S
            connection.execute(delete(SHARES).where(sa.or_(SHARES.c.job == job, SHARES.c.expires <= now)))
            row = select(JOBS.c.id, literal(digest), literal(written), literal(expires)).where(JOBS.c.id == job)
            names = ["job", "digest", "subjects", "expires"]
            insertion = sa.insert(SHARES).from_select(names, row).returning(SHARES.c.job)
            if connection.scalar(insertion) is None:
                raise no_job(job)
        return NewShare(secret=secret, expires=expires)

    def end(self, job: str) -> None:
        """Remove the link to a job."""
        with making_tables(self._engine, USAGE, METADATA, _MAKING) as connection:
            connection.execute(delete(SHARES).where(SHARES.c.job == job))

    def subjects(self, job: str, digest: bytes) -> frozenset[str] | None:
        """Return the subjects of the creator of a link, by the digest of its secret; `None` without a valid link."""
        if not JOB_ID.fullmatch(job):
            return None
        if not self._is_made:
            with making_tables(self._engine, USAGE, METADATA, _MAKING):
                self._is_made = True
        with read_transaction(self._engine) as connection:
            is_it = SHARES.c.job == job, SHARES.c.digest == digest, SHARES.c.expires > self._clock(connection)
            text = connection.scalar(select(SHARES.c.subjects).where(*is_it))
        return None if text is None else frozenset(orjson.loads(text))
