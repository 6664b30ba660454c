"""Series as Parquet."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np

from chronotile.core.model.request import Point
from chronotile.core.model.types import AnyArray
from chronotile.pipeline.encoders.series.table import Rows, SeriesTable

ROWS_A_GROUP = 262_144


def encode_series_parquet(table: SeriesTable) -> bytes:
    """Return a long table as Parquet, as from `write_series_parquet`."""
    buffer = io.BytesIO()
    write_series_parquet(table, buffer)
    return buffer.getvalue()


def write_series_parquet(table: SeriesTable, file: BinaryIO) -> None:
    """Write a long table with a row per place and time, in columns `id`, `time`, the reducers, `valid` and `total`.

    If an area has a note, there is a column `note`. Points have `longitude`, `latitude`, `value` and `reason` instead.
    `id` is the id from the client, or the number of the place from 1; if one is a text, all are. Instants are in UTC,
    in nanoseconds. The layer, units, attribution and licence are in the metadata of the schema. Places are read in
    order, one group of rows at a time.
    """
    import pyarrow as pa
    from pyarrow import parquet

    has_texts = any(isinstance(name, str) for name in table.names)
    ids = np.array([str(name) for name in table.names], dtype=object) if has_texts else np.array(table.names)
    texts = {"note", "reason"} | ({"id"} if ids.dtype == object else set())
    metadata = {"layer": table.title, "units": table.units, **table.credits.texts}
    with ExitStack() as opened:
        writer = None
        for columns in _groups(table, ids):
            arrays = {
                name: pa.array(values, type=pa.string() if name in texts else None, from_pandas=True)
                for name, values in columns.items()
            }
            arrays["time"] = arrays["time"].cast(pa.timestamp("ns", tz="UTC"))
            group = pa.table(arrays).replace_schema_metadata(metadata)
            if writer is None:
                writer = opened.enter_context(parquet.ParquetWriter(file, group.schema, compression="zstd"))
            writer.write_table(group, row_group_size=ROWS_A_GROUP)


def _groups(table: SeriesTable, ids: AnyArray) -> Iterator[dict[str, AnyArray]]:
    """Yield the columns of each group of rows, at least one group; a group has whole places."""
    places, has_notes = max(1, ROWS_A_GROUP // max(1, len(table.times))), table.has_notes
    max_rows, pending = places * len(table.times), dict[str, AnyArray]()
    for rows in table.batches(ROWS_A_GROUP):
        columns = _columns(table, rows, ids, has_notes=has_notes)
        pending = (
            {name: np.concatenate([pending[name], values]) for name, values in columns.items()} if pending else columns
        )
        while 0 < max_rows <= len(pending["id"]):
            yield {name: values[:max_rows] for name, values in pending.items()}
            pending = {name: values[max_rows:] for name, values in pending.items()}
    if pending and (len(pending["id"]) or not max_rows):
        yield pending
    elif not ids.size:
        yield from (_columns(table, rows, ids, has_notes=has_notes) for rows in table.parts())


def _columns(table: SeriesTable, rows: Rows, ids: AnyArray, *, has_notes: bool) -> dict[str, AnyArray]:
    """Return columns (place * time,) by name; NaN and `None` mark missing values."""
    count, own_ids = len(table.times), ids[rows.first : rows.first + len(rows.places)]
    columns: dict[str, AnyArray] = {"id": np.repeat(own_ids, count), "time": np.tile(table.times, len(rows.places))}
    if rows.places and not table.has_areas:
        degrees = np.array([place.degrees for place in rows.places if isinstance(place, Point)])
        columns |= {name: np.repeat(degrees[:, axis], count) for axis, name in enumerate(("longitude", "latitude"))}
    columns |= {name: values.ravel() for name, values in table.values_at_all_times(rows).items()}
    if table.has_counts:
        columns |= {"valid": rows.valid.ravel(), "total": rows.totals.ravel()}
        if has_notes:
            columns["note"] = np.repeat(np.array(rows.notes, dtype=object), count)
    elif rows.codes is not None:
        columns["reason"] = rows.reasons(None).ravel()
    return columns
