"""Statements that are made once and run on a cursor of the driver.

Finding the items of a tile takes some ten microseconds in SQLite, and `Connection.execute` ten times that.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import inf
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, insert
from sqlalchemy.engine import Dialect

from chronotile.database import POSTGRESQL, Usage, fault_of, words_for_faults
from chronotile.errors import ServerBusy

REPEATABLE_READ = 3
"""What psycopg calls the isolation in which all statements of a transaction see one state."""
MOST_LISTED = 1024
"""Values in one list of a statement."""
STEPS = 20_000
"""Steps of SQLite between two looks at the clock."""
SLACK_S = 0.5
"""By how much a statement of PostgreSQL may exceed the time that is left: to set that takes as long as a statement."""

Value = int | float | str | bytes | bool | None
_Any = TypeVar("_Any")


class Statement:
    """A statement in the words of one database."""

    def __init__(self, select: Select[Any], dialect: Dialect) -> None:
        compiled = select.compile(dialect=dialect)
        self._sql = str(compiled)
        self._constants = dict(compiled.params)
        self._order: list[str] | None = getattr(compiled, "positiontup", None)

    def run(self, cursor: Any, values: Mapping[str, Value]) -> list[Any]:  # noqa: ANN401 -- the driver's own
        """Return the rows of the statement."""
        filled = {**self._constants, **values}
        cursor.execute(self._sql, filled if self._order is None else [filled[name] for name in self._order])
        rows: list[Any] = cursor.fetchall()
        return rows


class TimeLimit:
    """Ends what a cursor and this process do for a search once both together take too long; a context.

    Args:
        seconds: How long they may take.
        cursor: Of the driver, in a transaction.
        dialect: Of the database.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        seconds: float,
        cursor: Any,  # noqa: ANN401 -- the driver's own
        dialect: Dialect,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._cursor = cursor
        self._dialect = dialect
        self._clock = clock
        self._deadline = clock() + seconds
        self._set = inf
        """How long PostgreSQL lets a statement run."""

    def __enter__(self) -> Self:
        """Begin: SQLite looks at the clock by itself."""
        self.renew()
        if self._dialect.name != POSTGRESQL:
            self._cursor.connection.set_progress_handler(lambda: self._clock() > self._deadline, STEPS)
        return self

    def check(self) -> None:
        """Check that there is time left.

        Raises:
            ServerBusy: There is none.
        """
        if self._clock() > self._deadline:
            raise self._refusal()

    def renew(self) -> None:
        """Check that there is time left, before a statement, which PostgreSQL lets run no longer than that.

        Raises:
            ServerBusy: There is none.
        """
        self.check()
        left = self._deadline - self._clock()
        if self._dialect.name == POSTGRESQL and self._set > left + SLACK_S:
            self._cursor.execute(f"SET LOCAL statement_timeout = {max(1, round(1000 * left))}")
            self._set = left

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """End.

        Raises:
            ServerBusy: A statement was ended.
        """
        if self._dialect.name != POSTGRESQL:
            self._cursor.connection.set_progress_handler(None, STEPS)
        if isinstance(error, self._dialect.loaded_dbapi.Error):
            reason = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)
            if reason in {"SQLITE_INTERRUPT", "57014"}:
                raise self._refusal() from error

    def _refusal(self) -> ServerBusy:
        return ServerBusy(
            f"the search takes longer than {self._seconds:.0f} s now; try again later, or restrict it by collections, "
            "bbox or datetime"
        )


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Value]]) -> None:
    """Insert rows, whose values are as the driver takes them; each has all columns."""
    if not rows:
        return
    sql, order = _insertion(table, connection.dialect)
    filled: Any = rows if order is None else [tuple([row[name] for name in order]) for row in rows]
    connection.exec_driver_sql(sql, filled)


@lru_cache(maxsize=64)
def _insertion(table: Table, dialect: Dialect) -> tuple[str, list[str] | None]:
    """The statement that inserts a row, and the order of its values; to make it takes a fifth of adding one item."""
    compiled = insert(table).compile(dialect=dialect, column_keys=list(table.c.keys()))
    return str(compiled), getattr(compiled, "positiontup", None)


@contextmanager
def reading(engine: Engine, usage: Usage, *, is_single: bool = False) -> Iterator[Any]:
    """Yield a cursor of the driver; all it reads is of one state of the database.

    Args:
        engine: Of the database.
        usage: What it is for.
        is_single: Whether one statement is run, which sees one state without a transaction.

    Raises:
        SourceUnavailable: The database does not answer or is damaged.
    """
    with words_for_faults(engine, usage):
        connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    is_postgresql = engine.dialect.name == POSTGRESQL
    try:
        cursor = connection.cursor()
        if is_postgresql and is_single:
            driver.autocommit = True
        elif is_postgresql:
            driver.isolation_level = REPEATABLE_READ
        elif not is_single:
            cursor.execute("BEGIN")
        yield cursor
        if not is_single:
            driver.rollback()
        if is_postgresql and is_single:
            driver.autocommit = False
        elif is_postgresql:
            driver.isolation_level = None
    except engine.dialect.loaded_dbapi.Error as error:
        has_ended = engine.dialect.is_disconnect(error, driver, None)  # as long as it is not closed by us
        connection.invalidate(error)
        if has_ended:
            # The idle ones of its pool have ended too; those in use come back to the same pool, which closes them.
            engine.pool.dispose()
        raise fault_of(error, usage) from error
    except BaseException:
        connection.invalidate()
        raise
    finally:
        connection.close()


def padded(values: Sequence[_Any]) -> list[_Any]:
    """Return values, the last repeated until there are as many as a power of two: few statements serve all lists."""
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (size - len(values))]


def chunks(values: Sequence[_Any], size: int = MOST_LISTED) -> Iterator[Sequence[_Any]]:
    """Yield parts of a sequence."""
    return (values[start : start + size] for start in range(0, len(values), size))


def listed(prefix: str, values: Sequence[Value]) -> dict[str, Value]:
    """Return values by the names of the parameters of a list."""
    return {f"{prefix}{number}": value for number, value in enumerate(values)}
