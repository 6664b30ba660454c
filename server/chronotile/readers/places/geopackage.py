"""Feature tables of GeoPackages (OGC 12-128r19), read from memory by SQLite.

A database from outside is a program: its views, triggers, generated columns and virtual tables run SQL of its author.
Only stored columns of ordinary tables are read here; no function is called and no other file is opened.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from time import monotonic
from typing import Any

import numpy as np
import shapely

from chronotile.core.errors import UnsupportedSource, raised_instead
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.table import Table, choose_table, shown

GEOPACKAGE = b"SQLite format 3\0"
"""Its first bytes."""
WITHOUT_WAL = b"\1\1"
"""Versions of the format, at byte 18, that need no second file."""
MAX_S = 120.0
"""Time for one file. The processor time of the process is limited as well."""
STEPS = 10_000
"""Instructions of SQLite between two looks at the clock."""
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 64 << 20,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
MAX_SCHEMA_ROWS = 20_000
ENVELOPES = (0, 32, 48, 48, 64)
"""Bytes of the box before a geometry, by its code (§2.1.3)."""
EXTENDED = 0x20
"""Flag of geometries that are not WKB."""
_UNDEFINED = {-1, 0, 99_999}
"""Numbers of no reference system; the last is GDAL's."""
_NO_MILLISECONDS = re.compile(r"(?<=\d)\.0+(?=Z?$)")


def read_geopackage(content: bytes, table: str | None, *, takes_first: bool, most: int) -> tuple[str, Table]:
    """Return the name and at most `most` rows of a feature table.

    Raises:
        UnsupportedSource: The file is damaged, has no such table, or no CRS.
    """
    damaged = UnsupportedSource("the GeoPackage is damaged")
    with raised_instead((sqlite3.Error, ValueError, TypeError), damaged), _opened(content) as file:
        tables = _Tables(file)
        features = {
            name for name, kind in tables.read("gpkg_contents", ("table_name", "data_type")) if kind == "features"
        }
        geometries = {
            name: (column, number)
            for name, column, number in tables.read("gpkg_geometry_columns", ("table_name", "column_name", "srs_id"))
            if name in features
        }
        name = choose_table(list(geometries), table, takes_first=takes_first)
        column, number = geometries[name]
        crs = crs_of_file(tables.crs_text(number))
        types = {field: type_ for field, type_ in tables.fields(name).items() if field.lower() != column.lower()}
        shapes, rows = list[Any](), list[tuple[object, ...]]()
        for geometry, *values in tables.read(name, (column, *types), most=most):
            shapes.append(shapely.from_wkb(_wkb(geometry), on_invalid="ignore"))
            rows.append(tuple(map(_typed, values, types.values())))
    columns = dict(zip(types, zip(*rows, strict=True), strict=False))
    return name, Table(crs=crs, shapes=np.array(shapes, dtype=object), columns=columns)


@contextmanager
def _opened(content: bytes) -> Iterator[sqlite3.Connection]:
    """The database in memory, so that no journal beside it counts; one in WAL mode as it was last completed."""
    end_s = monotonic() + MAX_S
    with closing(sqlite3.connect(":memory:")) as file:
        file.text_factory = lambda text: text.decode("utf-8", "replace")
        file.deserialize(content[:18] + WITHOUT_WAL + content[20:])
        for limit, value in LIMITS.items():
            file.setlimit(limit, value)
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            file.execute(f"PRAGMA {setting}")
        file.set_progress_handler(lambda: monotonic() > end_s, STEPS)
        file.set_authorizer(_authorize)
        yield file


def _authorize(action: int, first: str | None, _second: str | None, _database: str | None, source: str | None) -> int:
    """Permit to read columns, except those that a view or trigger reads (`source`), and to list them."""
    is_read = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ} and source is None
    is_list = action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo"
    return sqlite3.SQLITE_OK if is_read or is_list else sqlite3.SQLITE_DENY


class _Tables:
    """The ordinary tables of a database."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        rows = file.execute("SELECT type, name, sql FROM sqlite_master").fetchmany(MAX_SCHEMA_ROWS)
        # SQLite begins the texts of ordinary tables like this. Those of others are parsed as something else.
        self._names = {name.lower() for kind, name, sql in rows if kind == "table" and sql.startswith("CREATE TABLE ")}

    def fields(self, table: str) -> dict[str, str]:
        """Return the declared types by names of stored columns, without the number of the row."""
        return {name: type_ for name, type_, is_number in self._columns(table) if not is_number}

    def crs_text(self, number: int) -> str:
        """Return what a row of `gpkg_spatial_ref_sys` says: the code, if it is one of EPSG, else the definition.

        Raises:
            UnsupportedSource: The row is missing, or its system is undefined.
        """
        columns = ("srs_id", "organization", "organization_coordsys_id", "definition")
        for row, organisation, code, definition in self.read("gpkg_spatial_ref_sys", columns):
            if row == number and row not in _UNDEFINED:
                return f"EPSG:{code}" if organisation.upper() == "EPSG" else definition
        raise UnsupportedSource("it has no CRS")

    def read(self, table: str, columns: Sequence[str], *, most: int = MAX_SCHEMA_ROWS) -> Iterator[Any]:
        """Return at most `most` rows. No index is used, as it may have expressions."""
        stored = {name.lower() for name, _type, _is_number in self._columns(table)}
        if not {name.lower() for name in columns} <= stored:
            raise UnsupportedSource(f"its table {shown([table])} lacks a stored column of {shown(columns)}")
        names = ", ".join(map(_quoted, columns))
        query = f"SELECT {names} FROM main.{_quoted(table)} NOT INDEXED"  # noqa: S608 -- quoted names of columns that exist
        return islice(self._file.execute(query), most)

    def _columns(self, table: str) -> list[tuple[str, str, bool]]:
        """Names and types of columns that are neither generated nor hidden; whether one is the number of the row."""
        if table.lower() not in self._names:
            raise UnsupportedSource(f"it has no ordinary table {shown([table])}; views and virtual tables are not read")
        rows = self._file.execute(f"PRAGMA main.table_xinfo({_quoted(table)})").fetchall()
        return [
            (name, type_, key > 0 and type_.upper() == "INTEGER")
            for _, name, type_, _, _, key, hidden in rows
            if hidden == 0
        ]


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _wkb(value: object) -> bytes | None:
    """The WKB of a geometry (§2.1.3); `None` of what is none."""
    if not isinstance(value, bytes) or value[:2] != b"GP" or len(value) < 8 or value[3] & EXTENDED:
        return None
    box = value[3] >> 1 & 7
    return value[8 + ENVELOPES[box] :] if box < len(ENVELOPES) else None


def _typed(value: object, type_: str) -> object:
    """A value of a column: truths are stored as numbers, and times with three decimals."""
    if type_.upper() == "BOOLEAN" and isinstance(value, int):
        return bool(value)
    if type_.upper() == "DATETIME" and isinstance(value, str):
        return _NO_MILLISECONDS.sub("", value)
    return value
