"""Series as Parquet."""

import io
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from chronotile.encoders.series.table import PlacesSeries
from chronotile.errors import UnsupportedFormat

ROWS_A_GROUP = 262_144


def encode_series_parquet(series: PlacesSeries) -> bytes:
    """Return a long table, as `write_series_parquet` writes it.

    Raises:
        UnsupportedFormat: pyarrow, which writes it, is not installed.
    """
    buffer = io.BytesIO()
    write_series_parquet(series, buffer)
    return buffer.getvalue()


def write_series_parquet(series: PlacesSeries, file: BinaryIO) -> None:
    """Write a long table, one row a place and time: `id`, `time`, the reducers, `valid` and `total` of areas.

    Where an area has a note, there is a column `note`. Points have `longitude`, `latitude`, `value` and `reason`
    instead. `id` is what the client called the place, or its number from 1; all are text where one is. Instants are
    UTC, in nanoseconds. Layer, units, attribution and licence stand in the metadata of the schema. Places are taken
    in order, those of one group of rows at a time.

    Raises:
        UnsupportedFormat: pyarrow, which writes it, is not installed.
    """
    pa, parquet = require_pyarrow()
    ids, has_notes = _ids(series), series.has_notes
    texts = {"note", "reason"} | ({"id"} if ids.dtype == object else set())
    step = max(1, ROWS_A_GROUP // max(1, len(series.times)))
    metadata = {"layer": series.layer, "units": series.units, **series.credits.told}
    with ExitStack() as opened:
        writer = None
        for start in range(0, max(1, len(ids)), step):
            own = replace(series, places=series.places[start : start + step])
            columns = {
                name: pa.array(values, type=pa.string() if name in texts else None, from_pandas=True)
                for name, values in _columns(own, ids[start : start + step], has_notes=has_notes).items()
            }
            columns["time"] = columns["time"].cast(pa.timestamp("ns", tz="UTC"))
            table = pa.table(columns).replace_schema_metadata(metadata)
            if writer is None:
                writer = opened.enter_context(parquet.ParquetWriter(file, table.schema, compression="zstd"))
            writer.write_table(table, row_group_size=ROWS_A_GROUP)


def require_pyarrow() -> tuple[Any, Any]:
    """Return pyarrow and its module for Parquet.

    Raises:
        UnsupportedFormat: It is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 -- an extra, and 170 MB
        from pyarrow import parquet  # noqa: PLC0415 -- as above
    except ImportError as error:
        raise UnsupportedFormat(
            "format parquet needs pyarrow, which is not installed on the server: pip install 'chronotile[parquet]'",
            locator="format",
        ) from error
    return pa, parquet


def _columns(series: PlacesSeries, ids: NDArray[Any], *, has_notes: bool) -> dict[str, NDArray[Any]]:
    """(place * time,) by name; NaN and `None` are no value."""
    places, count = series.places, len(series.times)
    columns: dict[str, NDArray[Any]] = {
        "id": np.repeat(ids, count),
        "time": np.tile(series.times, len(places)),
    }
    if places and not series.has_areas:
        longitudes, latitudes = np.array([each.point for each in places]).T
        columns |= {"longitude": np.repeat(longitudes, count), "latitude": np.repeat(latitudes, count)}
    flat = [each.flat for each in places]
    columns |= {name: np.concatenate([each[name] for each in flat]) if flat else np.empty(0) for name in series.columns}
    if series.has_areas:
        none = np.empty(0, dtype=np.int64)
        columns["valid"] = np.concatenate([none, *(each.valid for each in places if each.valid is not None)])
        columns["total"] = np.concatenate([none, *(each.totals for each in places)])
        if has_notes:
            columns["note"] = np.repeat(np.array([each.note for each in places], dtype=object), count)
    elif places:
        columns["reason"] = np.array([reason for each in places for reason in each.reasons or ()], dtype=object)
    return columns


def _ids(series: PlacesSeries) -> NDArray[Any]:
    """Of one type: all numbers, or all text."""
    names = series.names
    if any(isinstance(name, str) for name in names):
        return np.array([str(name) for name in names], dtype=object)
    return np.array(names)
