"""Shapes that clients send as a GeoPackage or a zipped shapefile, as GeoJSON in longitude and latitude."""

import sqlite3
import zlib
from contextlib import closing
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

import numpy as np
import orjson
import shapely

from chronotile.core.errors import (
    InvalidParameter,
    UnsupportedSource,
    raised_as,
    raised_instead,
    require_at_most,
)
from chronotile.core.extras import require_extra
from chronotile.core.model.crs import CRS84, transformer
from chronotile.core.model.places import Property
from chronotile.readers.place_files import Table, check_range, property_of, read_with_gdal

MAX_FILE_BYTES = 10 << 20
MAX_UNPACKED_BYTES = 50 << 20
MAX_FEATURES = 5_000
PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
"""Members of a ZIP that are unpacked."""
HEADER_BYTES = 100
"""Of a `.shp` and of a `.shx`."""
DECIMALS = 7
"""Of degrees that were computed from another CRS: a centimetre."""
_WRITTEN = range(7)
"""Kinds of geometries, from points to multipolygons; others, as collections and curves, are left out."""
DAMAGED = (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error)
"""What a ZIP raises that cannot be read, or is encrypted."""
FEWER = "send fewer shapes, or simpler ones"


def geojson_of_file(content: bytes, *, max_vertices: int) -> bytes:
    """Return the first table with geometries as a FeatureCollection, whose `name` is that of the table.

    Args:
        content: A GeoPackage, or a ZIP with a shapefile.
        max_vertices: The most that all shapes may have together.

    Raises:
        InvalidParameter: It is neither, it is damaged, or its coordinates have no known CRS.
        LimitExceeded: It has more than `MAX_FEATURES`, `max_vertices` or `MAX_UNPACKED_BYTES`.
        MissingExtra: The server lacks the library.
    """
    require_extra("places", "a GeoPackage or shapefile")
    is_zip = content.startswith(b"PK")
    with TemporaryDirectory(prefix="chronotile-") as made, raised_as(UnsupportedSource, InvalidParameter, locator=None):
        path = _unpacked(content, Path(made)) if is_zip else _stored(content, Path(made))
        name, table = read_with_gdal(path, takes_first=True, most=MAX_FEATURES + 1)
        check_range(table)
    require_at_most("features of a file", len(table.shapes), MAX_FEATURES, alternative=FEWER)
    vertices = int(shapely.get_num_coordinates(table.shapes).sum())
    require_at_most("max_vertices", vertices, max_vertices, alternative=FEWER)
    features = [_feature(*row) for row in _rows(table)]
    return orjson.dumps({"type": "FeatureCollection", "name": name, "features": features})


def _stored(content: bytes, folder: Path) -> Path:
    """The GeoPackage as a file, without anything in it that runs when it is read: views, and tables of modules."""
    if not content.startswith(b"SQLite format 3\0"):
        raise InvalidParameter("the body is neither a GeoPackage nor a ZIP with a shapefile")
    path = folder / "shapes.gpkg"
    path.write_bytes(content)
    damaged = InvalidParameter("the GeoPackage is damaged")
    with raised_instead(sqlite3.Error, damaged), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
        rows = file.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    for kind, name, sql in rows:
        words = " ".join(str(sql).lower().split())
        if kind == "view" or (words.startswith("create virtual table") and " using rtree" not in words):
            raise InvalidParameter(f"the GeoPackage has a view or virtual table, {str(name)[:60]!r}; send tables alone")
    return path


def _unpacked(content: bytes, folder: Path) -> Path:
    """The first shapefile of a ZIP."""
    packed = folder / "shapes.zip"
    packed.write_bytes(content)
    damaged = InvalidParameter("the ZIP is damaged, or its compression is not supported")
    with raised_instead(DAMAGED, damaged), ZipFile(packed) as members:
        names = sorted(name for name in members.namelist() if not PurePosixPath(name).name.startswith("."))
        first = next((name for name in names if name.lower().endswith(".shp")), None)
        if first is None:
            raise InvalidParameter("the ZIP has no shapefile (.shp)")
        unpacked = 0
        for name in names:
            if name[:-4] == first[:-4] and name[-4:].lower() in PARTS:
                with members.open(name) as member:
                    part = member.read(MAX_UNPACKED_BYTES - unpacked + 1)
                unpacked += len(part)
                require_at_most("bytes of a shapefile", unpacked, MAX_UNPACKED_BYTES, alternative=FEWER)
                (folder / f"shapes{name[-4:].lower()}").write_bytes(part)
    index = folder / "shapes.shx"
    if not index.exists():
        index.write_bytes(_index_of((folder / "shapes.shp").read_bytes()))
    return folder / "shapes.shp"


def _index_of(shapes: bytes) -> bytes:
    """What a `.shx` says, which some programs leave out: where each record is, and how long, in words of two bytes."""
    records, at = list[bytes](), HEADER_BYTES
    while at + 8 <= len(shapes) and len(records) <= MAX_FEATURES:
        length = shapes[at + 4 : at + 8]
        records.append((at // 2).to_bytes(4, "big") + length)
        at += 8 + 2 * int.from_bytes(length, "big")
    size = (HEADER_BYTES + 8 * len(records)) // 2
    return shapes[:24] + size.to_bytes(4, "big") + shapes[28:HEADER_BYTES] + b"".join(records)


def _rows(table: Table) -> list[tuple[str | None, dict[str, Property]]]:
    """(feature,): the geometry as GeoJSON, and the properties."""
    shapes = table.shapes.copy()
    shapes[~np.isin(shapely.get_type_id(shapes), _WRITTEN) | shapely.is_empty(shapes)] = None
    if table.crs != CRS84:
        to_degrees = transformer(table.crs, CRS84)
        shapes = shapely.transform(
            shapes, lambda places: np.column_stack(to_degrees.transform(*places.T)).round(DECIMALS)
        )
    if not np.isfinite(shapely.get_coordinates(shapes)).all():
        raise InvalidParameter(f"some coordinates have no longitude and latitude in {table.crs.name[:60]}")
    columns = {name: list(map(property_of, values)) for name, values in table.columns.items()}
    properties = [{name: values[number] for name, values in columns.items()} for number in range(len(shapes))]
    return list(zip(shapely.to_geojson(shapes).tolist(), properties, strict=True))


def _feature(geometry: str | None, properties: dict[str, Property]) -> dict[str, object]:
    written = None if geometry is None else orjson.Fragment(geometry)
    return {"type": "Feature", "properties": properties, "geometry": written}
