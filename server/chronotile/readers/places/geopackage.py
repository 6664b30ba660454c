"""Feature tables of GeoPackages (OGC 12-128r19), read from memory by SQLite.

A database from outside is a program: its views, triggers, generated columns and virtual tables run SQL of its author.
Only stored columns of ordinary tables are read here; no function is called and no other file is opened.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any

import numpy as np
import shapely

from chronotile.core.errors import UnsupportedSource, raised_instead
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.table import Table, choose_table, shown

WITHOUT_WAL = b"\1\1"
"""Versions of the format, at byte 18, that need no second file."""
MAX_S = 120.0
"""Time for one file. The processor time of the process is limited as well."""
STEPS = 10_000
"""SQLite instructions between two checks of the time."""
MAX_VALUE_BYTES = 64 << 20
MAX_ROWS = 20_000
"""Rows that are read of a table that describes others."""
ENVELOPES = (0, 32, 48, 48, 64)
"""Bytes of the box before a geometry, by its code (§2.1.3)."""
EXTENDED = 0x20
"""Flag of geometries that are not WKB."""
_UNDEFINED = {-1, 0, 99_999}
"""Numbers of no reference system; the last is GDAL's."""
_NO_MILLISECONDS = re.compile(r"(?<=\d)\.0+(?=Z?$)")


def read_geopackage(content: bytes, table: str | None, *, takes_first: bool, most: int) -> Table:
    """Return at most `most` rows of a feature table.

    Raises:
        UnsupportedSource: The file is damaged, the table is missing, or its CRS is missing or refused.
    """
    damaged = UnsupportedSource("the GeoPackage is damaged")
    with raised_instead((sqlite3.Error, ValueError, TypeError), damaged), _open_database(content) as file:
        kinds = dict(_rows(file, "gpkg_contents", ("table_name", "data_type")))
        listed = _rows(file, "gpkg_geometry_columns", ("table_name", "column_name", "srs_id"))
        geometries = {name: (column, number) for name, column, number in listed if kinds.get(name) == "features"}
        name = choose_table(list(geometries), table, takes_first=takes_first)
        column, number = geometries[name]
        crs = crs_of_file(_crs_text(file, number))
        stored = _columns(file, name)
        types = {
            field: type_ for field, type_, is_number in stored if not is_number and field.lower() != column.lower()
        }
        rows = _rows(file, name, (column, *types), most=most)
        return Table(
            name=name,
            crs=crs,
            shapes=shapely.from_wkb(np.array([_wkb(row[0]) for row in rows], dtype=object), on_invalid="ignore"),
            columns={
                field: [_value_of(row[at], type_) for row in rows] for at, (field, type_) in enumerate(types.items(), 1)
            },
        )


@contextmanager
def _open_database(content: bytes) -> Iterator[sqlite3.Connection]:
    """Open the database in memory, so that no journal is used; one in WAL mode in its last checkpointed state."""
    end_s = monotonic() + MAX_S
    with closing(sqlite3.connect(":memory:")) as file:
        file.text_factory = lambda text: text.decode("utf-8", "replace")
        file.deserialize(content[:18] + WITHOUT_WAL + content[20:])
        file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            file.execute(f"PRAGMA {setting}")
        file.set_progress_handler(lambda: monotonic() > end_s, STEPS)
        file.set_authorizer(_authorize)
        yield file


def _authorize(action: int, first: str | None, _second: str | None, _database: str | None, source: str | None) -> int:
    """Permit reading columns, except by a view or trigger (`source`), and listing them."""
    is_read = action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ} and source is None
    is_list = action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo"
    return sqlite3.SQLITE_OK if is_read or is_list else sqlite3.SQLITE_DENY


def _rows(file: sqlite3.Connection, table: str, columns: Sequence[str], *, most: int = MAX_ROWS) -> list[Any]:
    """Return at most `most` rows. No index is used, because it may contain expressions."""
    if not {name.lower() for name in columns} <= {name.lower() for name, _type, _is_number in _columns(file, table)}:
        raise UnsupportedSource(f"its table {shown([table])} lacks a stored column of {shown(columns)}")
    names = ", ".join(map(_quote, columns))
    query = f"SELECT {names} FROM main.{_quote(table)} NOT INDEXED"  # noqa: S608 -- quoted names of columns that exist
    return file.execute(query).fetchmany(most)


def _columns(file: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    """Return names and types of columns that are neither generated nor hidden, and whether one is the row number.

    SQLite starts the SQL of ordinary tables with `CREATE TABLE `; views and virtual tables are refused.

    Raises:
        UnsupportedSource: The table is missing or not an ordinary one.
    """
    query = "SELECT type, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE"
    if not any(type_ == "table" and sql.startswith("CREATE TABLE ") for type_, sql in file.execute(query, [table])):
        raise UnsupportedSource(f"it has no ordinary table {shown([table])}; views and virtual tables are not read")
    rows = file.execute(f"PRAGMA main.table_xinfo({_quote(table)})")
    return [
        (name, type_, key > 0 and type_.upper() == "INTEGER")
        for _, name, type_, _, _, key, hidden in rows
        if not hidden
    ]


def _crs_text(file: sqlite3.Connection, number: int) -> str:
    """Return the CRS of a row of `gpkg_spatial_ref_sys`: the code if it is from EPSG, otherwise the definition."""
    columns = ("srs_id", "organization", "organization_coordsys_id", "definition")
    for row, organisation, code, definition in _rows(file, "gpkg_spatial_ref_sys", columns):
        if row == number and row not in _UNDEFINED:
            return f"EPSG:{code}" if organisation.upper() == "EPSG" else definition
    raise UnsupportedSource("it has no CRS")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _wkb(value: object) -> bytes | None:
    """Return the WKB of a geometry (§2.1.3); `None` for other values and for extended types."""
    if not isinstance(value, bytes) or value[:2] != b"GP" or len(value) < 8 or value[3] & EXTENDED:
        return None
    box = value[3] >> 1 & 7
    return value[8 + ENVELOPES[box] :] if box < len(ENVELOPES) else None


def _value_of(value: object, type_: str) -> object:
    """A value of a column: truths are stored as numbers, and times with three decimals."""
    if type_.upper() == "BOOLEAN" and isinstance(value, int):
        return bool(value)
    if type_.upper() == "DATETIME" and isinstance(value, str):
        return _NO_MILLISECONDS.sub("", value)
    return value
