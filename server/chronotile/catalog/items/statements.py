"""SQL statements that are compiled once and run on a cursor of the driver.

Finding the items of a tile takes about ten microseconds in SQLite; `Connection.execute` takes ten times as long.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from math import inf
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, Update, and_, bindparam, exists, func, insert, or_, select
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ColumnElement, Insert

from chronotile.catalog.items.cells import outward
from chronotile.catalog.items.schema import BODIES, COLLECTIONS, COVERS, FORMS, HEADERS, INSTANTS, ITEMS, VALUES
from chronotile.core.database import POSTGRESQL, Usage, fault_of, words_for_faults
from chronotile.core.errors import ServerBusy
from chronotile.core.model.space.boxes import BBox

REPEATABLE_READ = 3
"""Number in psycopg of the isolation level that shows all statements of a transaction the same version."""
MAX_LISTED = 1024
"""Values per list of a statement."""
STEPS = 20_000
"""Steps of SQLite between two checks of the time limit."""
MAX_INSERTED = 32
"""Rows that PostgreSQL receives one by one; more are sent as a stream, which needs another round trip."""
SLACK_S = 0.5
"""Tolerance of PostgreSQL's timeout: setting it takes the time of a statement, so small changes are skipped."""

Value = int | float | str | bytes | bool | None
DriverCursor = Any
"""A cursor of the driver, in a transaction."""
DriverRow = Any
"""A row of the driver's cursor: a tuple or a row object, by driver."""
_Any = TypeVar("_Any")


class Statement:
    """A statement compiled for one database."""

    def __init__(
        self, words: Select[Any] | Insert | Update, dialect: Dialect, columns: Sequence[str] | None = None
    ) -> None:
        compiled = words.compile(dialect=dialect, column_keys=columns)
        self._sql = str(compiled)
        self._constants = dict(compiled.params)
        self._order: list[str] | None = getattr(compiled, "positiontup", None)

    def run(self, cursor: DriverCursor, values: Mapping[str, Value]) -> list[Any]:
        """Return the rows of the statement."""
        cursor.execute(self._sql, self._fill(values))
        rows: list[Any] = cursor.fetchall()
        return rows

    def change(self, connection: Connection, values: Mapping[str, Value]) -> None:
        """Run a statement that changes rows."""
        connection.exec_driver_sql(self._sql, self._fill(values))

    def change_each(self, connection: Connection, rows: Sequence[Mapping[str, Value]]) -> None:
        """Run a statement that inserts rows; each row has all columns."""
        order = self._order
        filled: Any = rows if order is None else [tuple([row[name] for name in order]) for row in rows]
        connection.exec_driver_sql(self._sql, filled)

    def _fill(self, values: Mapping[str, Value]) -> Any:  # noqa: ANN401 -- as the driver takes them
        filled = {**self._constants, **values}
        return filled if self._order is None else tuple([filled[name] for name in self._order])


class TimeLimit:
    """Context that ends a search if the database and this process together take too long.

    Args:
        seconds: Time limit of the search.
        cursor: Cursor of the driver, in a transaction.
        dialect: Dialect of the database.
        clock: Returns seconds of a monotonic clock.
    """

    def __init__(
        self, seconds: float, cursor: DriverCursor, dialect: Dialect, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._cursor, self._dialect, self._clock = seconds, cursor, dialect, clock
        self._deadline = clock() + seconds
        self._set = inf
        """Timeout in seconds that PostgreSQL was last given."""

    def __enter__(self) -> Self:
        """Start: SQLite checks the clock automatically."""
        self.renew()
        if self._dialect.name != POSTGRESQL:
            self._cursor.connection.set_progress_handler(lambda: self._clock() > self._deadline, STEPS)
        return self

    def check(self) -> None:
        """Raise an error after the time limit.

        Raises:
            ServerBusy: The time limit is exceeded.
        """
        if self._clock() > self._deadline:
            raise self._refusal()

    def renew(self) -> None:
        """Check the time limit before a statement, and set PostgreSQL's timeout to the remaining time.

        Raises:
            ServerBusy: The time limit is exceeded.
        """
        self.check()
        remaining_s = self._deadline - self._clock()
        if self._dialect.name == POSTGRESQL and self._set > remaining_s + SLACK_S:
            self._cursor.execute(f"SET LOCAL statement_timeout = {max(1, round(1000 * remaining_s))}")
            self._set = remaining_s

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
    """Insert rows with all columns; values have the types of the driver."""
    if len(rows) > MAX_INSERTED and connection.dialect.name == POSTGRESQL:
        _copy_rows(connection, table, rows)
    elif rows:
        _insertion(table, connection.dialect).change_each(connection, rows)


def _copy_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Value]]) -> None:
    """Send rows to PostgreSQL as one stream, which halves the work of both sides."""
    cursor: Any = connection.connection.cursor()
    quote = connection.dialect.identifier_preparer.quote
    names = list(table.c.keys())
    sql = f"COPY {table.name} ({', '.join(map(quote, names))}) FROM STDIN"
    with cursor, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


@lru_cache(maxsize=64)
def _insertion(table: Table, dialect: Dialect) -> Statement:
    # Cached: making the statement takes a fifth of the time of adding an item.
    return Statement(insert(table), dialect, table.c.keys())


@contextmanager
def reading(engine: Engine, usage: Usage, *, is_single: bool = False) -> Iterator[Any]:
    """Yield a cursor of the driver that sees one version of the database.

    Args:
        engine: Engine of the database.
        usage: Use of the database, for messages.
        is_single: Whether only one statement is run, which needs no transaction.

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
        has_ended = engine.dialect.is_disconnect(error, driver, None)  # before `invalidate`, which closes it
        connection.invalidate(error)
        if has_ended:
            # Idle connections of the pool have ended too. Those in use return to the same pool, which closes them.
            engine.pool.dispose()
        raise fault_of(error, usage) from error
    except BaseException:
        connection.invalidate()
        raise
    finally:
        connection.close()


def pad(values: Sequence[_Any]) -> list[_Any]:
    """Repeat the last value until the length is a power of two, so that few statements serve all lists."""
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *[values[-1]] * (size - len(values))]


def chunks(values: Sequence[_Any], size: int = MAX_LISTED) -> Iterator[Sequence[_Any]]:
    """Yield parts of a sequence."""
    return (values[start : start + size] for start in range(0, len(values), size))


def list_parameters(prefix: str, values: Sequence[Value]) -> dict[str, Value]:
    """Return the values of a list by parameter name (`prefix0`, `prefix1`, …)."""
    return {f"{prefix}{number}": value for number, value in enumerate(values)}


REF_COLUMNS = (
    ITEMS.c.number,
    ITEMS.c.id,
    ITEMS.c.instant,
    ITEMS.c.changed,
    *(ITEMS.c.west, ITEMS.c.south, ITEMS.c.east, ITEMS.c.north),
    ITEMS.c.footprint,
    ITEMS.c.rank,
)
EDGES = ("west", "south", "east", "north")


def box_parameters(box: BBox, cells: Sequence[int]) -> tuple[int, dict[str, Value]]:
    """Return the number of `cell…` parameters, and their values with the edges of the box."""
    padded = pad(cells)
    return len(padded), dict(zip(EDGES, outward(box), strict=True)) | list_parameters("cell", padded)


@lru_cache(maxsize=256)
def list_statement(query: Callable[[int], Select[Any]], count: int, dialect: Dialect) -> Statement:
    """Return the compiled statement of a query with a list of `count` values."""
    return Statement(query(count), dialect)


def names(prefix: str, count: int) -> list[Any]:
    """Return the parameters of a list."""
    return [bindparam(f"{prefix}{number}") for number in range(count)]


COLLECTION = select(COLLECTIONS).where(
    COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id")
)
"""A collection by `archive` and `id`."""


@cache
def covering(cells: int, instants: int) -> Select[Any]:
    """Items in `cell…` that may meet a box; of `instant…`, or from `first` to `last` if no instants are given."""
    return (
        select(*REF_COLUMNS)
        .select_from(COVERS.join(ITEMS, ITEMS.c.number == COVERS.c.item))
        .where(_cells_condition(cells), _instants_condition(COVERS.c.instant, instants))
        .limit(bindparam("most"))
    )


@cache
def numbers_in_cells(cells: int) -> Select[Any]:
    """Numbers of items in `cell…` from `first` to `last` that may meet a box; some come more than once."""
    return (
        select(COVERS.c.item)
        .where(_cells_condition(cells), _instants_condition(COVERS.c.instant, 0))
        .limit(bindparam("most"))
    )


@cache
def numbers_of_ids(ids: int) -> Select[Any]:
    """Numbers of the items of a collection that have `id…`."""
    condition = and_(ITEMS.c.collection == bindparam("collection"), ITEMS.c.id.in_(names("id", ids)))
    return select(ITEMS.c.number).where(condition)


def numbers_of_value() -> Select[Any]:
    """Numbers of the items of a collection that have a `value` and begin from `first_start` to `last_start`."""
    condition = and_(VALUES.c.collection == bindparam("collection"), VALUES.c.value == bindparam("value"))
    starts = VALUES.c.start.between(bindparam("first_start"), bindparam("last_start"))
    return select(VALUES.c.item).where(condition, starts)


def numbers_of_starts() -> Select[Any]:
    """Select the row numbers of the items of a collection that begin from `first_start` to `last_start`."""
    starts = ITEMS.c.start.between(bindparam("first_start"), bindparam("last_start"))
    return select(ITEMS.c.number).where(ITEMS.c.collection == bindparam("collection"), starts)


@cache
def levels_and_covering(cells: int, instants: int) -> Select[Any]:
    """Levels of the collection of `archive` and `id`, with each row of `covering` in it, or with NULL if none is."""
    condition = and_(
        COVERS.c.collection == COLLECTIONS.c.number,
        *_box_conditions(cells),
        _instants_condition(COVERS.c.instant, instants),
    )
    return (
        select(COLLECTIONS.c.levels, *REF_COLUMNS)
        .select_from(COLLECTIONS.outerjoin(COVERS, condition).outerjoin(ITEMS, ITEMS.c.number == COVERS.c.item))
        .where(COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id"))
        .limit(bindparam("most"))
    )


@cache
def items_of_instants(instants: int) -> Select[Any]:
    """Items that may meet a box of many cells; `instants` is the number of listed instants, as in `covering`."""
    return (
        select(*REF_COLUMNS)
        .where(
            ITEMS.c.collection == bindparam("collection"),
            _instants_condition(ITEMS.c.instant, instants),
            box_condition(),
        )
        .limit(bindparam("most"))
    )


_UNORDERED = select(INSTANTS.c.instant, INSTANTS.c.end).where(INSTANTS.c.collection == bindparam("collection"))
ALL_INSTANTS = _UNORDERED.order_by(INSTANTS.c.instant)
"""Instants of a collection and their ends."""
ENDS = ALL_INSTANTS.limit(1), _UNORDERED.order_by(INSTANTS.c.instant.desc()).limit(1)
"""Statements for the first and the last instant of a collection."""


@cache
def instants_changed(instants: int) -> Select[Any]:
    """Counter of the collection of `archive` and `id`, with instant and last change of each listed instant, or NULL."""
    condition = and_(INSTANTS.c.collection == COLLECTIONS.c.number, INSTANTS.c.instant.in_(names("instant", instants)))
    return (
        select(COLLECTIONS.c.counter, INSTANTS.c.instant, INSTANTS.c.changed)
        .select_from(COLLECTIONS.outerjoin(INSTANTS, condition))
        .where(COLLECTIONS.c.archive == bindparam("archive"), COLLECTIONS.c.id == bindparam("id"))
    )


@cache
def instants_in_cells(cells: int) -> Select[Any]:
    """Instants of items in `cell…` that may meet a box, and their ends; one statement, as rows cost more than pages."""
    return ALL_INSTANTS.where(INSTANTS.c.instant.in_(select(COVERS.c.instant).where(_cells_condition(cells))))


@cache
def instants_in_box() -> Select[Any]:
    """Instants with an item that meets a box of many cells, and their ends: the first item found is enough."""
    has_item = exists().where(
        ITEMS.c.collection == INSTANTS.c.collection, ITEMS.c.instant == INSTANTS.c.instant, box_condition()
    )
    return ALL_INSTANTS.where(has_item)


@cache
def bodies(items: int) -> Select[Any]:
    """Assets of `item…`."""
    return select(BODIES.c.item, BODIES.c.assets).where(BODIES.c.item.in_(names("item", items)))


@cache
def changes(items: int) -> Select[Any]:
    """Counters of the last changes of `item…`."""
    return select(ITEMS.c.number, ITEMS.c.changed).where(ITEMS.c.number.in_(names("item", items)))


@cache
def documents(items: int) -> Select[Any]:
    """Documents of `item…` that have at most `most` bytes."""
    is_wanted = and_(BODIES.c.item.in_(names("item", items)), func.length(BODIES.c.document) <= bindparam("most"))
    return select(BODIES.c.item, BODIES.c.document).where(is_wanted)


@cache
def headers(items: int) -> Select[Any]:
    """Headers of assets of `item…`."""
    return select(HEADERS).where(HEADERS.c.item.in_(names("item", items)))


@cache
def forms(count: int) -> Select[Any]:
    """Forms of assets by `digest…`; of several collections they are the same."""
    return select(FORMS.c.digest, FORMS.c.body).where(FORMS.c.digest.in_(names("digest", count)))


FORMS_OF_COLLECTION = (
    select(FORMS.c.body, FORMS.c["items"])
    .where(FORMS.c.collection == bindparam("collection"))
    .order_by(FORMS.c["items"].desc(), FORMS.c.digest)
    .limit(bindparam("most"))
)
"""Forms of assets of a collection, the most frequent first."""
_COUNTS: tuple[Any, ...] = (func.count(), func.count() - func.count(ITEMS.c.rank))
UNRANKED = select(*_COUNTS).where(ITEMS.c.collection == bindparam("collection"))
"""Number of items of a collection, and number of items without a rank."""


def _cells_condition(cells: int) -> ColumnElement[bool]:
    return and_(COVERS.c.collection == bindparam("collection"), *_box_conditions(cells))


def _box_conditions(cells: int) -> Iterator[ColumnElement[bool]]:
    yield COVERS.c.cell.in_(names("cell", cells))
    yield COVERS.c.west <= bindparam("east")
    yield COVERS.c.east >= bindparam("west")
    yield COVERS.c.south <= bindparam("north")
    yield COVERS.c.north >= bindparam("south")


def box_condition(number: str = "") -> ColumnElement[bool]:
    """Return the condition that the box of an item meets the box of the parameters whose names end with `number`.

    The box of an item may cross the antimeridian (west > east); the box of the parameters may not.
    """
    is_west, is_east = ITEMS.c.west <= bindparam(f"east{number}"), ITEMS.c.east >= bindparam(f"west{number}")
    return and_(
        ITEMS.c.south <= bindparam(f"north{number}"),
        ITEMS.c.north >= bindparam(f"south{number}"),
        or_(and_(is_west, is_east), and_(ITEMS.c.west > ITEMS.c.east, or_(is_west, is_east))),
    )


def _instants_condition(column: ColumnElement[int], instants: int) -> ColumnElement[bool]:
    if instants:
        return column.in_(names("instant", instants))
    return column.between(bindparam("first"), bindparam("last"))
