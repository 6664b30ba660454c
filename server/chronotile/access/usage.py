"""Usage by day, in the database of keys; anonymous clients get a new pseudonym each day."""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from chronotile.access.keys import KEYS
from chronotile.access.tables import DAY_S
from chronotile.core.database import POSTGRESQL, SQLITE, ArchiveTables, words_for_faults, write_transaction

By = Literal["user", "organisation", "layer", "protocol", "class", "day", "month"]
BY: Final[tuple[By, ...]] = get_args(By)
"""Columns for grouping reports."""
COUNTS: Final = ("requests", "bytes", "products", "seconds")
USAGE = replace(KEYS, name="the table of usage", missing="no usage has been counted", synchronous="NORMAL")
METADATA = sa.MetaData(info={"name": "usage", "version": 1})
KEY = ("day", "user", "organisation", "layer", "protocol", "class")
"""Key of a count; the day is an ISO 8601 date."""
TABLE = sa.Table(
    "chronotile_usage",
    METADATA,
    sa.Column("archive", sa.String(200), primary_key=True),
    *(sa.Column(name, sa.Text, primary_key=True) for name in KEY),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTS[:-1]),
    sa.Column("seconds", sa.Float(53), nullable=False),
)
SALTS = sa.Table(
    "chronotile_usage_salts",
    METADATA,
    sa.Column("archive", sa.String(200), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("salt", sa.LargeBinary(32), nullable=False),
)
INSERTS: Mapping[str, Callable[[sa.Table], Any]] = {SQLITE: sqlite.insert, POSTGRESQL: postgresql.insert}
MAX_ROWS = 100_000
"""Rows of a report."""


class UsageTable(ArchiveTables):
    """The counts of an archive."""

    usage, metadata, making = USAGE, METADATA, 7_105_207

    def salt(self, day: str) -> bytes:
        """Return the salt of a day, which all servers of the database share."""
        with write_transaction(self._engine, USAGE) as connection:
            insertion = INSERTS[connection.dialect.name](SALTS).values(
                archive=self._archive, day=day, salt=secrets.token_bytes(32)
            )
            connection.execute(insertion.on_conflict_do_nothing())
            selection = sa.select(SALTS.c.salt).where(SALTS.c.archive == self._archive, SALTS.c.day == day)
            return bytes(connection.scalars(selection).one())

    def add(self, counts: Mapping[tuple[str, ...], Sequence[float]]) -> None:
        """Add counts in one transaction.

        Args:
            counts: Numbers in the order of `COUNTS`, by keys in the order of `KEY`.
        """
        names = ("archive", *KEY, *COUNTS)
        # Sorted: two transactions that lock rows in different orders could block each other.
        rows = [
            dict(zip(names, (self._archive, *key, *numbers), strict=True)) for key, numbers in sorted(counts.items())
        ]
        with write_transaction(self._engine, USAGE) as connection:
            insertion = INSERTS[connection.dialect.name](TABLE)
            added = {name: TABLE.c[name] + insertion.excluded[name] for name in COUNTS}
            connection.execute(
                insertion.on_conflict_do_update(index_elements=list(TABLE.primary_key), set_=added), rows
            )

    def forget(self, today: str, *, days: int) -> None:
        """Delete counts older than `days`, and the salts of past days."""
        oldest = (date.fromisoformat(today) - timedelta(days=days)).isoformat()
        with write_transaction(self._engine, USAGE) as connection:
            connection.execute(sa.delete(TABLE).where(TABLE.c.archive == self._archive, TABLE.c.day < oldest))
            connection.execute(sa.delete(SALTS).where(SALTS.c.archive == self._archive, SALTS.c.day < today))
        if self._engine.dialect.name == SQLITE:  # its write-ahead log still contains the deleted salts
            with words_for_faults(self._engine, USAGE), closing(self._engine.raw_connection()) as raw:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def report(self, first: date, last: date, by: Collection[By]) -> list[dict[str, Any]]:
        """Return the sums of the counts, ordered by the columns of `by`.

        Args:
            first: First day.
            last: Last day, inclusive.
            by: Columns for grouping; empty for one row with the total.
        """
        month = sa.func.substr(TABLE.c.day, 1, 7).label("month")
        columns = [month if name == "month" else TABLE.c[name] for name in by]
        sums = [  # without the cast, sums of PostgreSQL are decimals
            sa.cast(sa.func.coalesce(sa.func.sum(TABLE.c[name]), 0), TABLE.c[name].type).label(name) for name in COUNTS
        ]
        query = (
            sa.select(*columns, *sums)
            .where(TABLE.c.archive == self._archive, TABLE.c.day.between(first.isoformat(), last.isoformat()))
            .group_by(*columns)
            .order_by(*columns)
            .limit(MAX_ROWS)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        names = [*by, *COUNTS]
        return [dict(zip(names, row, strict=True)) | {"seconds": round(row.seconds, 3)} for row in rows]


def day_of(seconds: float) -> str:
    """Return the day (UTC) of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def seconds_left(seconds: float) -> int:
    """Return the rest of the day (UTC) in seconds, at least 1, at a time in seconds since 1970."""
    return int(DAY_S - seconds % DAY_S) or 1
