"""Export of the items of a collection as a stac-geoparquet file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import shapely

from chronotile.archive.index.geoparquet import TOP_LEVEL
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.durable_files import PARTIAL, Disk
from chronotile.core.errors import InvalidParameter, UnsupportedSource, WriteFailed
from chronotile.core.extras import require_extra
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json

if TYPE_CHECKING:
    import pyarrow as pa

PAGE = 5_000
"""Items per row group."""
TIMES = ("datetime", "start_datetime", "end_datetime", "created", "updated", "published", "expires")
_DISK = Disk()
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": [],
            "covering": {"bbox": {corner: ["bbox", corner] for corner in ("xmin", "ymin", "xmax", "ymax")}},
        }
    },
}


def export_items(
    items: ItemIndex,
    collection: str,
    file: Path,
    *,
    progress: Callable[[int], None] = lambda _count: None,
    disk: Disk = _DISK,
) -> int:
    """Write the items of a collection into a stac-geoparquet file; return their number.

    The index is read twice: first for the common columns of its items, then for the rows.

    Args:
        items: The index.
        collection: Id of the collection.
        file: Replaced if it exists.
        progress: Called with the number of items read, up to twice the number of items.
        disk: Writes the file.

    Raises:
        UnsupportedSource: There are no items, or pyarrow is not installed.
        WriteFailed: The file cannot be written; an existing file is unchanged.
    """
    require_extra("parquet", "an export as stac-geoparquet", error=UnsupportedSource)
    import pyarrow as pa
    from pyarrow import parquet

    columns, count = _Columns(), 0
    for rows in _pages(items, collection):
        columns.add(rows)
        count += len(rows)
        progress(count)
    if count == 0:
        raise UnsupportedSource(f"{collection} has no items to export")
    schema = columns.schema()
    partial = file.with_name(f"{file.name}{PARTIAL}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
            written = 0
            for rows in _pages(items, collection):
                writer.write_table(pa.Table.from_pylist(columns.fitting(rows), schema=schema))
                written += len(rows)
                progress(count + written)
        disk.finish(partial, file)
    except (OSError, pa.ArrowException) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise WriteFailed(f"{file} cannot be written: {error.strerror or error}") from error
        reason = f"items of {collection} have changed meanwhile; run it again"
        raise WriteFailed(f"{file} was not written: {reason}") from error
    return written


class _Columns:
    """The common columns of rows."""

    def __init__(self) -> None:
        self._types: dict[str, Any] = {}
        self._as_text = set[str]()
        """Columns with values of several types, which are written as JSON."""

    def add(self, rows: Sequence[Json]) -> None:
        """Widen the columns for more rows."""
        for name in {name: None for row in rows for name in row}:
            if name not in self._as_text:
                self._widen(name, [row.get(name) for row in rows])

    def _widen(self, name: str, values: Sequence[object]) -> None:
        import pyarrow as pa

        try:
            new_schema = pa.schema([(name, pa.array(values).type)])
            schemas = [pa.schema([(name, self._types[name])])] if name in self._types else []
            self._types[name] = pa.unify_schemas([*schemas, new_schema], promote_options="permissive").field(name).type
        except pa.ArrowException:
            self._as_text.add(name)
            self._types[name] = pa.string()

    def fitting(self, rows: Sequence[Json]) -> list[Json]:
        """Return rows with values of the types of the columns."""
        if not self._as_text:
            return list(rows)
        return [row | {name: _text(row[name]) for name in self._as_text if name in row} for row in rows]

    def schema(self) -> "pa.Schema":
        """Return the columns and the metadata of the file."""
        import pyarrow as pa

        metadata = {"geo": orjson.dumps(_GEO), "stac-geoparquet": b'{"version": "1.0.0"}'}
        return pa.schema([(name, _known_type(type_)) for name, type_ in self._types.items()], metadata=metadata)


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _pages(items: ItemIndex, collection: str) -> Iterator[list[Json]]:
    """Yield rows, page by page."""
    cursor: str | None = None
    while True:
        page = items.search(ItemSearch(collections=(collection,), limit=PAGE, cursor=cursor))
        rows = [_row(orjson.loads(item.document), collection) for item in page.items]
        if rows:
            yield rows
        if page.next is None:
            return
        cursor = page.next


def _row(document: Json, collection: str) -> Json:
    """Return the row of an item without empty objects, for which Parquet has no columns."""
    properties = document.get("properties") or {}
    row: Json = {name: document[name] for name in TOP_LEVEL if name in document}
    row |= {name: value for name, value in properties.items() if name not in row}
    row |= {name: _time(row[name]) for name in TIMES if name in row}
    for name in ("geometry", "proj:geometry"):
        if isinstance(row.get(name), dict):
            row[name] = shapely.to_wkb(shapely.from_geojson(orjson.dumps(row[name])))
    row["collection"] = row.get("collection") or collection
    row["bbox"] = _corners(document)
    return {name: pruned for name, value in row.items() if (pruned := _remove_empty(value)) is not None}


def _corners(document: Json) -> dict[str, float]:
    box = document.get("bbox")
    if not (isinstance(box, list) and len(box) in {4, 6}):
        box = list(shapely.from_geojson(orjson.dumps(document["geometry"])).bounds)
    half = len(box) // 2
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), map(float, (*box[:2], *box[half : half + 2])), strict=True))


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        start = parse_instant(text).start
    except InvalidParameter:
        return None
    moment: Any = start.astype("datetime64[us]").item()
    return datetime.fromisoformat(f"{moment.isoformat()}+00:00")


def _remove_empty(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, dict):
        return {name: pruned for name, v in value.items() if (pruned := _remove_empty(v)) is not None} or None
    if isinstance(value, list):
        return [_remove_empty(v) for v in value]
    return value


def _known_type(type_: Any) -> Any:  # noqa: ANN401 -- pyarrow's types
    """Return a type without columns of nulls, which few readers support."""
    import pyarrow as pa

    if pa.types.is_null(type_):
        return pa.string()
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(_known_type(field.type)) for field in type_])
    if pa.types.is_list(type_):
        return pa.list_(_known_type(type_.value_type))
    return type_
