"""Feature files as GeoJSON: the program of the process that parses files from outside (`isolated`)."""

import codecs
import math
import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely

from chronotile.core.errors import ChronotileError, LimitExceeded, UnsupportedSource, require_at_most
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.types import AnyArray, ObjectArray
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.geopackage import read_geopackage
from chronotile.readers.places.sandbox import limit_resources, refuse_system_calls
from chronotile.readers.places.shapefiles import ENCODINGS, FEWER, PlaceFile, read_zip
from chronotile.readers.places.table import GEOPACKAGE, ZIP, Table, check_range, choose_table

DECIMALS = 7
"""Decimals of degrees that were computed from another CRS: a centimetre."""
BATCH_FEATURES = 256
"""Features that are transformed in one call, which takes memory."""
BATCH_ROWS = 4096
"""Rows of a Parquet file that are decoded in one call."""
LARGEST_TYPE, LARGEST_TYPE_OF_UPLOADS = 7, 6
"""Types of geometries that are written: collections, multipolygons. Curves are not."""
MEMORY_BYTES = 160 << 20
"""Memory that reading one upload takes at most."""
REFUSED, BROKEN, ABORTED = 3, 4, 127
"""Exit codes: the output is an error; an unforeseen error; and abort(3) if no signal may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Options and limits of a conversion. The defaults are for uploads."""

    max_vertices: int
    max_features: int = 5_000
    max_bytes: int = 50 << 20
    """Bytes of a shapefile in a ZIP, and of the answer."""
    memory_bytes: int = MEMORY_BYTES
    cpu_s: int = 3
    table: str | None = None
    """The feature table, if there are several."""
    is_upload: bool = True
    """Whether the first of several tables is read, and coordinates become longitude and latitude."""
    has_geometries: bool = True
    """Whether the answer has the geometries."""
    parquet_column: str | None = None
    """The column of texts of a Parquet file; its rows become features without geometry. `None` for other formats."""


def main(conversion: Conversion) -> None:
    """Convert standard input to standard output, after everything is refused that this does not need."""
    content = sys.stdin.buffer.read()
    is_parquet = conversion.parquet_column is not None
    is_for_gdal = not is_parquet and not content.startswith(GEOPACKAGE)
    if is_parquet:
        import pyarrow.parquet  # noqa: F401 -- as in `prepare_gdal`
    if is_for_gdal:
        prepare_gdal()
    transformer(CRS84, CRS84)  # opens the database of PROJ
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # messages of libraries may contain parts of the uploaded file
    sys.excepthook = lambda *_: os._exit(BROKEN)
    limit_resources(memory_bytes=conversion.memory_bytes, cpu_s=conversion.cpu_s, output_bytes=conversion.max_bytes)
    is_isolated = refuse_system_calls()
    try:
        if is_for_gdal and not is_isolated:
            raise UnsupportedSource("files of this kind are read on Linux alone; convert it to GeoJSON")
        body, code = convert(content, conversion), 0
    except LimitExceeded as error:
        fields = ("limit", "allowed", "needed", "alternative")
        body, code = [orjson.dumps({name: getattr(error, name) for name in fields})], REFUSED
    except ChronotileError as error:
        body, code = [orjson.dumps(error.message)], REFUSED
    sys.stdout.buffer.writelines(body)
    sys.stdout.buffer.flush()
    os._exit(code)


def prepare_gdal() -> None:
    """Import the modules that read files with GDAL, because a process that parses a file cannot import."""
    unneeded: dict[str, Any] = dict.fromkeys(("geopandas", "pandas", "pyarrow"))
    sys.modules.update(unneeded)  # else pyogrio imports them: 70 MB
    import pyogrio.raw  # noqa: F401

    for name in ENCODINGS:
        codecs.lookup(name)


def convert(content: bytes, conversion: Conversion) -> list[bytes]:
    """Return the parts of a GeoJSON document with the name of the table, in CRS84 or with a member `crs`.

    Raises:
        UnsupportedSource: The file cannot be read, or its CRS is missing or refused.
        LimitExceeded: It has too many features, vertices or members, or an unpacked shapefile is too large.
    """
    table = _read_table(content, conversion)
    require_at_most("features of a file", len(table.shapes), conversion.max_features, alternative=FEWER)
    vertices = int(shapely.get_num_coordinates(table.shapes).sum())
    require_at_most("max_vertices", vertices, conversion.max_vertices, alternative=FEWER)
    crs = {} if conversion.is_upload else {"crs": {"type": "name", "properties": {"name": table.crs.name}}}
    parts = [orjson.dumps({"type": "FeatureCollection", "name": table.name, **crs, "features": []})[:-2]]
    for start in range(0, len(table.shapes), BATCH_FEATURES):
        some = slice(start, start + BATCH_FEATURES)
        shapes = _output_shapes(table.crs, table.shapes[some], conversion)
        for shape, *values in zip(shapes, *(column[some] for column in table.columns.values()), strict=True):
            geometry = (
                None if shape is None or not conversion.has_geometries else orjson.Fragment(shapely.to_geojson(shape))
            )
            properties = dict(zip(table.columns, values, strict=True))
            feature = {"type": "Feature", "properties": properties, "geometry": geometry}
            parts += [b"," if len(parts) > 1 else b"", orjson.dumps(feature, default=lambda _bytes_or_list: None)]
    return [*parts, b"]}"]


def _read_table(content: bytes, conversion: Conversion) -> Table:
    """Return the table of a file, with at most one feature more than is allowed."""
    most, takes_first = conversion.max_features + 1, conversion.is_upload
    if conversion.parquet_column is not None:
        return _read_parquet(content, conversion.parquet_column, most, conversion.max_bytes)
    if content.startswith(GEOPACKAGE):
        return read_geopackage(content, conversion.table, takes_first=takes_first, most=most)
    from pyogrio import list_layers, raw

    file = read_zip(content, max_bytes=conversion.max_bytes) if content.startswith(ZIP) else PlaceFile(content)
    layers = [str(name) for name, kind in list_layers(file.content) if kind is not None]
    if file.name and not layers:
        raise UnsupportedSource("the shapefile is damaged")
    layer = choose_table(layers, None if file.name else conversion.table, takes_first=takes_first)
    meta, _fids, wkb, columns = raw.read(
        file.content, layer=layer, force_2d=True, datetime_as_string=True, max_features=most
    )
    if file.crs is None and meta["crs"] is None:
        raise UnsupportedSource("it has no CRS")
    return Table(
        name=file.name or layer,
        crs=file.crs or crs_of_file(str(meta["crs"])),
        shapes=shapely.from_wkb(wkb, on_invalid="ignore"),
        columns={
            file.decoded(str(field)): list(map(file.decoded, _values_of(column, np.dtype(type_))))
            for field, column, type_ in zip(meta["fields"], columns, meta["dtypes"], strict=True)
        },
    )


def _read_parquet(content: bytes, column: str, most: int, max_bytes: int) -> Table:
    """Return the texts of a column without geometries; values that are no texts become `None`."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    file, texts, size = ParquetFile(pa.BufferReader(content)), list[str | None](), 0
    if column not in file.schema_arrow.names:
        raise UnsupportedSource(f"it has no column {column}")
    for batch in file.iter_batches(BATCH_ROWS, columns=[column], use_threads=False):
        texts += [value if isinstance(value, str) else None for value in batch.column(0).to_pylist()]
        size += batch.nbytes
        if size > max_bytes:
            raise UnsupportedSource(f"its column {column} has more than {max_bytes} bytes")
        if len(texts) >= most:
            break
    return Table(name="", crs=CRS84, shapes=np.full(len(texts), None), columns={column: texts})


def _values_of(column: AnyArray, type_: np.dtype[Any]) -> list[Any]:
    """Return the values of a column; integers and booleans with gaps are stored as floats and converted back."""
    values: list[Any] = column.tolist()
    if column.dtype.kind != "f" or type_.kind not in "iub":
        return values
    return [None if math.isnan(value) else type_.type(value).item() for value in values]


def _output_shapes(crs: Crs, shapes: ObjectArray, conversion: Conversion) -> ObjectArray:
    """The geometries that are written, in two dimensions; of an upload in longitude and latitude."""
    check_range(crs, shapes)
    flat: ObjectArray = shapely.force_2d(shapes)
    largest = LARGEST_TYPE_OF_UPLOADS if conversion.is_upload else LARGEST_TYPE
    flat[(shapely.get_type_id(flat) > largest) | shapely.is_empty(flat)] = None
    if not conversion.is_upload or crs == CRS84:
        return flat
    to_degrees = transformer(crs, CRS84)
    degrees: ObjectArray = shapely.transform(
        flat, lambda xy: np.column_stack(to_degrees.transform(*xy.T)).round(DECIMALS)
    )
    if not np.isfinite(shapely.get_coordinates(degrees)).all():
        raise UnsupportedSource("some of its coordinates have no longitude and latitude in its CRS")
    return degrees
