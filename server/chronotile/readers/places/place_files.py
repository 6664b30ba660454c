"""Sets of places from GeoJSON, GeoPackages, shapefiles and FlatGeobuf files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from hashlib import blake2b
from os import SEEK_END
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
import orjson
import shapely

from chronotile.core.errors import InvalidParameter, LimitExceeded, UnsupportedSource, raised_as
from chronotile.core.extras import require_extra
from chronotile.core.model.collection import Finding
from chronotile.core.model.crs import CRS84, Crs, transformer
from chronotile.core.model.geometry.repair import Checks
from chronotile.core.model.grid import BBox
from chronotile.core.model.places import PlaceSet, PlacesSpec, Shapes
from chronotile.readers.library_errors import opening
from chronotile.readers.places.convert import Conversion, format_of
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.geopackage import GEOPACKAGE
from chronotile.readers.places.isolated import convert_isolated
from chronotile.readers.places.shapefiles import PARTS
from chronotile.readers.places.table import Table, check_range, property_of, shown

MAX_TOLD = 3
"""Places that a finding names; of the others it gives the number."""

FREE_BYTES, BYTES_PER_VERTEX = 256 << 20, 600
"""Memory of the process that reads a file, beside four times its size, by the vertices that are allowed."""
FREE_S, VERTICES_PER_S = 30, 20_000
"""Processor time of that process, in the same way."""

_GEOJSON = {".geojson", ".json"}
_POLYGONS = (3, 6)
MOST_STEPS = 30_000_000_000
"""Of `Checks`, for all polygons of a file: ten seconds."""
TOO_COMPLEX = "it is too complex to be checked or repaired"


def read_places(spec: PlacesSpec) -> PlaceSet:
    """Return the places of a file: what is not a polygon is left out, what is invalid is repaired, both are found.

    Raises:
        UnsupportedSource: The file cannot be read, has too much, or its ids do not name each place once.
    """
    path = Path(spec.path)
    if not path.is_file():
        raise UnsupportedSource(f"there is no file {path.name}")
    with opening(path.name):
        is_geojson = path.suffix.lower() in _GEOJSON
        table = _read_geojson(path.read_bytes() if is_geojson else _converted(path, spec))
    if len(table.shapes) > spec.max_features:
        raise UnsupportedSource(f"it has {len(table.shapes)} features; limits.max_features is {spec.max_features}")
    vertices = int(shapely.get_num_coordinates(table.shapes).sum())
    if vertices > spec.max_vertices:
        raise UnsupportedSource(f"it has {vertices} vertices; limits.max_vertices is {spec.max_vertices}")
    check_range(table.crs, table.shapes)
    ids = _ids(table, spec)
    shapes, notes = _repaired(table.shapes)
    readable = [number for number, shape in enumerate(shapes) if shape is not None]
    if not readable:
        raise UnsupportedSource("it has no polygons")
    return _place_set(spec, table, ids, _Found(shapes, notes, readable))


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    shapes: list[Any]
    """(feature,): valid polygons, `None` for what is none."""
    notes: Mapping[int, str]
    """By feature."""
    readable: Sequence[int]
    """The features that are polygons."""


def _place_set(spec: PlacesSpec, table: Table, ids: Sequence[str], found: _Found) -> PlaceSet:
    shapes = np.array([found.shapes[number] for number in found.readable], dtype=object)
    labels = ids if spec.label_field is None else [_label(each) for each in _column(table, spec.label_field)]
    fields = {name: tuple(_picked(map(property_of, _column(table, name)), found.readable)) for name in spec.fields}
    ids_read = tuple(_picked(ids, found.readable))
    labels_read = tuple(label or name for label, name in zip(_picked(labels, found.readable), ids_read, strict=True))
    parts = (table.crs.name, spec.id, ids_read, labels_read, sorted(fields.items()))
    digest = blake2b(repr(parts).encode(), digest_size=12)
    digest.update(b"".join(shapely.to_wkb(shapes)))
    places = {feature: number for number, feature in enumerate(found.readable)}
    return PlaceSet(
        spec=spec,
        crs=table.crs,
        shapes=shapes,
        ids=ids_read,
        labels=labels_read,
        fields=fields,
        notes={places[feature]: note for feature, note in found.notes.items() if feature in places},
        bbox=_bbox(shapes, table.crs),
        digest=digest.hexdigest(),
        findings=tuple(_findings(ids, found)),
    )


def _picked(values: Iterable[Any], numbers: Sequence[int]) -> list[Any]:
    listed = list(values)
    return [listed[number] for number in numbers]


def _converted(path: Path, spec: PlacesSpec) -> bytes:
    """A file of another format as GeoJSON, by a process that opens no file. A shapefile is sent to it as a ZIP."""
    is_shapefile = path.suffix.lower() == ".shp"
    with TemporaryFile(prefix="chronotile-") if is_shapefile else path.open("rb") as file:
        if is_shapefile:
            _write_zip(path, file)
        start, size = file.read(len(GEOPACKAGE)), file.seek(0, SEEK_END)
        file.seek(0)
        format_ = format_of(start)
        if format_ != "geopackage":
            require_extra("places", f"a {path.suffix[1:]} file of places", error=UnsupportedSource)
        vertices = spec.max_vertices
        conversion = Conversion(
            format=format_,
            max_features=spec.max_features,
            max_vertices=vertices,
            max_bytes=FREE_BYTES + BYTES_PER_VERTEX * vertices,
            memory_bytes=FREE_BYTES + 4 * size + BYTES_PER_VERTEX * vertices,
            cpu_s=FREE_S + vertices // VERTICES_PER_S,
            table=spec.table,
        )
        with raised_as(LimitExceeded, UnsupportedSource, locator=None):
            return convert_isolated(file, conversion)


def _write_zip(path: Path, file: BinaryIO) -> None:
    with ZipFile(file, "w") as members:
        for part in sorted(path.parent.glob(f"{escape(path.stem)}.*")):
            if part.suffix.lower() in PARTS:
                members.write(part, part.name)
    file.seek(0)


def _read_geojson(content: bytes) -> Table:
    """RFC 7946, and the member `crs` of the GeoJSON before it (2008)."""
    document = orjson.loads(content)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise UnsupportedSource("it is not a GeoJSON FeatureCollection")
    if not all(isinstance(feature, dict) for feature in features):
        raise UnsupportedSource("it has features that are not objects")
    texts = np.array([orjson.dumps(feature.get("geometry")).decode() for feature in features], dtype=object)
    properties = [each if isinstance(each := feature.get("properties"), dict) else {} for feature in features]
    names = dict.fromkeys(name for each in properties for name in each)
    return Table(
        crs=_geojson_crs(document.get("crs")),
        shapes=shapely.force_2d(shapely.from_geojson(texts, on_invalid="ignore")),
        columns={name: [each.get(name) for each in properties] for name in names},
        own_ids=[feature.get("id") for feature in features],
    )


def _geojson_crs(member: object) -> Crs:
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return CRS84 if name is None else crs_of_file(str(name))


def _ids(table: Table, spec: PlacesSpec) -> list[str]:
    """(feature,): the text by which each is requested."""
    given = table.own_ids if spec.id_field is None else _column(table, spec.id_field)
    where = "of its own" if spec.id_field is None else f"in field {spec.id_field}"
    ids, first = [_id(each) for each in given], dict[str, int]()
    for number, name in enumerate(ids, start=1):
        if name is None:
            fields = shown(table.columns)
            raise UnsupportedSource(f"feature {number} has no id {where}; name a field with id: one of {fields}")
        if name in first:
            raise UnsupportedSource(f"features {first[name]} and {number} have the same id {where}: {shown([name])!r}")
        first[name] = number
    return [name for name in ids if name is not None]


def _id(value: object) -> str | None:
    """Text as it is, and whole numbers, which GDAL gives as floats where a column has gaps."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_name = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value).strip() or None if is_name else None


def _label(value: object) -> str | None:
    known = property_of(value)
    return None if known is None else str(known)


def _column(table: Table, name: str) -> Sequence[object]:
    if name not in table.columns:
        raise UnsupportedSource(f"it has no field {name!r}; it has {shown(table.columns)}")
    return table.columns[name]


def _repaired(shapes: Shapes) -> tuple[list[Any], dict[int, str]]:
    """The polygons, made valid, and by feature what was done to it."""
    made, notes, checks = [None] * len(shapes), dict[int, str](), Checks(MOST_STEPS)
    for number, shape in enumerate(shapes):
        if shape is None:
            notes[number] = "it has no geometry that can be read"
        elif shapely.get_type_id(shape) not in _POLYGONS:
            notes[number] = f"it is a {shape.geom_type}, not a polygon"
        else:
            try:
                made[number], reason = _valid(shape, checks)
            except (InvalidParameter, shapely.GEOSException):
                reason = TOO_COMPLEX
            if reason:
                notes[number] = reason
    return made, notes


def _valid(shape: Any, checks: Checks) -> tuple[Any, str]:  # noqa: ANN401 -- of shapely
    """A polygon made valid, and why it was not; `None` of one that covers nothing."""
    if shape.is_empty:
        return None, "it is empty"
    rings = tuple(map(shapely.get_coordinates, shapely.get_rings(shapely.get_parts(shape))))
    checks.require_few(rings, rings, "it is")
    if shapely.is_valid(shape):
        return shape, ""
    reason = f"it was not a valid polygon ({shapely.is_valid_reason(shape)})"
    checks.require_repairable(rings, TOO_COMPLEX)
    whole = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    return (None if whole.is_empty else whole), reason


def _bbox(shapes: Shapes, crs: Crs) -> BBox:
    vertices = shapely.get_coordinates(shapes)
    x, y = transformer(crs, CRS84).transform(vertices[:, 0], vertices[:, 1])
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        raise UnsupportedSource(f"it has no longitudes and latitudes in {shown([crs.name])}")
    return BBox(*(float(edge) for edge in (x[usable].min(), y[usable].min(), x[usable].max(), y[usable].max())))


def _findings(ids: Sequence[str], found: _Found) -> Iterable[Finding]:
    """One for what was left out, one for what was repaired."""
    for is_readable, words in ((False, "left out"), (True, "repaired")):
        numbers = [number for number in found.notes if (found.shapes[number] is not None) == is_readable]
        if numbers:
            named = "; ".join(f"{shown([ids[number]])}: {found.notes[number]}" for number in numbers[:MAX_TOLD])
            more = f"; and {len(numbers) - MAX_TOLD} more" if len(numbers) > MAX_TOLD else ""
            yield Finding("warning", "places", f"{len(numbers)} {words}: {named}{more}")
