"""Feature files as GeoJSON: the program of the process that parses files from outside (`isolated`)."""

import io
import math
import os
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from chronotile.core.errors import ChronotileError, LimitExceeded, UnsupportedSource, raised_instead, require_at_most
from chronotile.core.model.crs import CRS84, Crs, transformer
from chronotile.core.model.places import Property, Shapes
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.geopackage import GEOPACKAGE, read_geopackage
from chronotile.readers.places.sandbox import limit_resources, refuse_system_calls
from chronotile.readers.places.shapefiles import FEWER, PARTS, prepare_shapefiles, read_shapefile
from chronotile.readers.places.table import Table, check_range, choose_table, property_of

MAX_MEMBERS = 1_000
"""Of a ZIP."""
DECIMALS = 7
"""Of degrees that were computed from another CRS: a centimetre."""
AT_ONCE = 256
"""Features that are written together."""
LARGEST_TYPE, LARGEST_TYPE_OF_UPLOADS = 7, 6
"""Types of geometries that are written: collections, multipolygons. Curves are not."""
REFUSED, BROKEN = 3, 4
"""Exit codes: the output is an error, and an error that is not foreseen."""
_DAMAGED_ZIP = (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError, zlib.error)
"""What `zipfile` raises for a ZIP that is damaged or encrypted."""


def _prepare_gdal() -> None:
    import pyogrio.raw  # noqa: F401


Format = Literal["geopackage", "shapefile", "other"]
"""A shapefile is in a ZIP; others are read by GDAL."""
PREPARE: Mapping[Format, Callable[[], None]] = {
    "geopackage": lambda: None,
    "shapefile": prepare_shapefiles,
    "other": _prepare_gdal,
}
"""Import what reads a format, as nothing can be imported later."""


def format_of(start: bytes) -> Format:
    """Return the format of a file by its first bytes."""
    if start.startswith(GEOPACKAGE):
        return "geopackage"
    return "shapefile" if start.startswith(b"PK") else "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How a file is read and written, and what it may take."""

    format: Format
    max_features: int
    max_vertices: int
    max_bytes: int
    """Bytes of a shapefile in a ZIP, and of the answer."""
    memory_bytes: int
    cpu_s: int
    table: str | None = None
    """The feature table, if there are several."""
    is_upload: bool = False
    """Whether the first of several tables is read, and coordinates become longitude and latitude."""


def main(conversion: Conversion) -> None:
    """Convert standard input to standard output, after everything is refused that this does not need."""
    PREPARE[conversion.format]()
    transformer(CRS84, CRS84)  # opens the database of PROJ
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries repeat parts of files
    sys.excepthook = lambda *_: os._exit(BROKEN)
    limit_resources(memory_bytes=conversion.memory_bytes, cpu_s=conversion.cpu_s, output_bytes=conversion.max_bytes)
    is_isolated = refuse_system_calls()
    try:
        if conversion.format == "other" and not is_isolated:
            raise UnsupportedSource("files of this kind are read on Linux alone; convert it to GeoJSON")
        body, code = convert(sys.stdin.buffer.read(), conversion), 0
    except LimitExceeded as error:
        body, code = [orjson.dumps([error.limit, error.allowed, error.needed, error.alternative])], REFUSED
    except ChronotileError as error:
        body, code = [orjson.dumps(error.message)], REFUSED
    sys.stdout.buffer.writelines(body)
    sys.stdout.buffer.flush()
    os._exit(code)


def convert(content: bytes, conversion: Conversion) -> list[bytes]:
    """Return the parts of a GeoJSON document with the name of the table, in CRS84 or with a member `crs`.

    Raises:
        UnsupportedSource: The file cannot be read, or has no known CRS.
        LimitExceeded: It has too much.
    """
    name, table = _read(content, conversion)
    count = len(table.shapes)
    require_at_most("features of a file", count, conversion.max_features, alternative=FEWER)
    vertices = int(shapely.get_num_coordinates(table.shapes).sum())
    require_at_most("max_vertices", vertices, conversion.max_vertices, alternative=FEWER)
    crs = {} if conversion.is_upload else {"crs": {"type": "name", "properties": {"name": table.crs.name}}}
    parts = [orjson.dumps({"type": "FeatureCollection", "name": name, **crs, "features": []})[:-2]]
    for start in range(0, count, AT_ONCE):
        parts += [b"," if start else b"", _features(table, slice(start, start + AT_ONCE), conversion)]
    return [*parts, b"]}"]


def _features(table: Table, some: slice, conversion: Conversion) -> bytes:
    """Some features, one after another."""
    texts = shapely.to_geojson(_written(table.crs, table.shapes[some], conversion)).tolist()
    columns = {name: list(map(property_of, values[some])) for name, values in table.columns.items()}
    rows = ({name: values[row] for name, values in columns.items()} for row in range(len(texts)))
    return orjson.dumps([_feature(text, row) for text, row in zip(texts, rows, strict=True)])[1:-1]


def _read(content: bytes, conversion: Conversion) -> tuple[str, Table]:
    """The table of a file, with at most one feature more than is allowed."""
    most = conversion.max_features + 1
    match conversion.format:
        case "geopackage":
            return read_geopackage(content, conversion.table, takes_first=conversion.is_upload, most=most)
        case "shapefile":
            name, parts = _unpacked(content, conversion.max_bytes)
            return name, read_shapefile(parts, most=most, max_vertices=conversion.max_vertices)
        case "other":
            return _read_with_gdal(content, conversion.table, most=most)


def _read_with_gdal(content: bytes, table: str | None, *, most: int) -> tuple[str, Table]:
    """The name and at most `most` features of a table of another format. Only an isolated process may call it."""
    from pyogrio import list_layers, raw

    name = choose_table(
        [str(name) for name, kind in list_layers(content) if kind is not None], table, takes_first=False
    )
    meta, _fids, wkb, columns = raw.read(content, layer=name, force_2d=True, datetime_as_string=True, max_features=most)
    if meta["crs"] is None:
        raise UnsupportedSource("it has no CRS")
    return name, Table(
        crs=crs_of_file(str(meta["crs"])),
        shapes=shapely.from_wkb(wkb, on_invalid="ignore"),
        columns={
            str(field): _typed(column, np.dtype(type_))
            for field, column, type_ in zip(meta["fields"], columns, meta["dtypes"], strict=True)
        },
    )


def _typed(column: NDArray[Any], type_: np.dtype[Any]) -> list[Any]:
    """The values of a column, which is one of floats where whole numbers and truths have gaps."""
    values: list[Any] = column.tolist()
    if column.dtype.kind != "f" or type_.kind not in "iub":
        return values
    return [None if math.isnan(value) else type_.type(value).item() for value in values]


def _unpacked(content: bytes, max_bytes: int) -> tuple[str, dict[str, bytes]]:
    """Name and files by suffix of the first shapefile of a ZIP."""
    damaged = UnsupportedSource("the ZIP is damaged, or its compression is not supported")
    with raised_instead(_DAMAGED_ZIP, damaged), ZipFile(io.BytesIO(content)) as members:
        require_at_most("members of a ZIP", len(members.filelist), MAX_MEMBERS, alternative="send the shapefile alone")
        names = sorted(name for name in members.namelist() if not PurePosixPath(name).name.startswith("."))
        first = next((name for name in names if name.lower().endswith(".shp")), None)
        if first is None:
            raise UnsupportedSource("the ZIP has no shapefile (.shp)")
        parts = [members.getinfo(name) for name in names if name[:-4] == first[:-4] and name[-4:].lower() in PARTS]
        size = sum(part.file_size for part in parts)  # of which no more is read
        require_at_most("bytes of a shapefile", size, max_bytes, alternative=FEWER)
        if any(part.compress_type not in {ZIP_STORED, ZIP_DEFLATED} for part in parts):
            raise damaged
        return PurePosixPath(first).stem, {part.filename[-4:].lower(): members.read(part) for part in parts}


def _written(crs: Crs, shapes: Shapes, conversion: Conversion) -> Shapes:
    """The geometries that are written, in two dimensions; of an upload in longitude and latitude."""
    check_range(crs, shapes)
    flat: Shapes = shapely.force_2d(shapes)
    largest = LARGEST_TYPE_OF_UPLOADS if conversion.is_upload else LARGEST_TYPE
    flat[(shapely.get_type_id(flat) > largest) | shapely.is_empty(flat)] = None
    if not conversion.is_upload or crs == CRS84:
        return flat
    to_degrees = transformer(crs, CRS84)
    degrees: Shapes = shapely.transform(flat, lambda xy: np.column_stack(to_degrees.transform(*xy.T)).round(DECIMALS))
    if not np.isfinite(shapely.get_coordinates(degrees)).all():
        raise UnsupportedSource("some of its coordinates have no longitude and latitude in its CRS")
    return degrees


def _feature(geometry: str | None, properties: Mapping[str, Property]) -> dict[str, object]:
    written = None if geometry is None else orjson.Fragment(geometry)
    return {"type": "Feature", "properties": properties, "geometry": written}
