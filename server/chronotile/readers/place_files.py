"""Sets of places from GeoJSON, GeoPackage and FlatGeobuf files."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from chronotile.core.errors import ChronotileError, UnsupportedSource
from chronotile.core.extras import missing_extra
from chronotile.core.model.collection import Finding
from chronotile.core.model.crs import CRS84, Crs, crs_of, transformer
from chronotile.core.model.grid import BBox
from chronotile.core.model.places import PlaceSet, PlacesSpec, Property, Shapes
from chronotile.readers.library_errors import opening

MAX_TOLD = 3
"""Places that a finding names; of the others it gives the number."""

_GEOJSON = {".geojson", ".json"}
_POLYGONS = (3, 6)
_FURTHEST = (360.0, 90.0)
"""Longitude and latitude."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What a file holds, feature by feature."""

    crs: Crs
    shapes: Shapes
    """(feature,): of any kind; `None` where a feature has none, or one that cannot be read."""
    columns: Mapping[str, Sequence[object]]
    """(feature,) by name of the field."""
    own_ids: Sequence[object]
    """(feature,): the features' own, `None` where they have none."""


def read_places(spec: PlacesSpec) -> PlaceSet:
    """Return the places of a file: what is not a polygon is left out, what is invalid is repaired, both are found.

    Raises:
        UnsupportedSource: The file cannot be read, has too much, or its ids do not name each place once.
    """
    path = Path(spec.path)
    if not path.is_file():
        raise UnsupportedSource(f"there is no file {path.name}")
    table = _read_geojson(path) if path.suffix.lower() in _GEOJSON else read_with_gdal(path, spec.table)[1]
    if len(table.shapes) > spec.max_features:
        raise UnsupportedSource(f"it has {len(table.shapes)} features; limits.max_features is {spec.max_features}")
    vertices = int(shapely.get_num_coordinates(table.shapes).sum())
    if vertices > spec.max_vertices:
        raise UnsupportedSource(f"it has {vertices} vertices; limits.max_vertices is {spec.max_vertices}")
    check_range(table)
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


def _read_geojson(path: Path) -> Table:
    """RFC 7946, and the member `crs` of the GeoJSON before it (2008)."""
    with opening(path.name):
        document = orjson.loads(path.read_bytes())
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise UnsupportedSource(f"{path.name} is not a GeoJSON FeatureCollection")
    if not all(isinstance(feature, dict) for feature in features):
        raise UnsupportedSource(f"{path.name} has features that are not objects")
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
    return CRS84 if name is None else _crs(str(name))


def _crs(name: str) -> Crs:
    try:
        return crs_of(name)
    except ChronotileError as error:
        raise UnsupportedSource(f"its CRS is unknown: {error.message}") from error


def read_with_gdal(
    path: Path, table: str | None = None, *, takes_first: bool = False, most: int | None = None
) -> tuple[str, Table]:
    """Return the name and the content of a feature table.

    Args:
        path: Of the file.
        table: Its name, where the file has several.
        takes_first: Whether the first is read, where none is named.
        most: Features that are read.

    Raises:
        UnsupportedSource: The file cannot be read, has no such table, or no CRS.
    """
    absent = missing_extra("places", f"a {path.suffix[1:]} file of places")
    if absent is not None:
        raise UnsupportedSource(f"{absent}, or convert it to GeoJSON")
    from pyogrio import list_layers, raw

    with opening(path.name):
        tables = [str(name) for name, kind in list_layers(path) if kind is not None]
        table = table or (tables[0] if takes_first and tables else _only(tables))
        if table not in tables:
            raise UnsupportedSource(f"it has no feature table {table!r}; it has {', '.join(tables)}")
        meta, _fids, wkb, columns = raw.read(
            path, layer=table, force_2d=True, datetime_as_string=True, max_features=most
        )
    if meta["crs"] is None:
        raise UnsupportedSource(f"{path.name} has no CRS")
    return table, Table(
        crs=_crs(str(meta["crs"])),
        shapes=shapely.from_wkb(wkb, on_invalid="ignore"),
        columns={
            str(name): _typed(column, np.dtype(type_))
            for name, column, type_ in zip(meta["fields"], columns, meta["dtypes"], strict=True)
        },
        own_ids=[None] * len(wkb),
    )


def _typed(column: NDArray[Any], type_: np.dtype[Any]) -> list[Any]:
    """The values of a column, which is one of floats where whole numbers and truths have gaps."""
    values: list[Any] = column.tolist()
    if column.dtype.kind != "f" or type_.kind not in "iub":
        return values
    return [None if math.isnan(value) else type_.type(value).item() for value in values]


def _only(tables: Sequence[str]) -> str:
    if len(tables) != 1:
        raise UnsupportedSource(f"it has {len(tables)} feature tables; name one with table: {', '.join(tables)}")
    return tables[0]


def check_range(table: Table) -> None:
    """Check that coordinates are numbers, and degrees on earth.

    Raises:
        UnsupportedSource: They are not.
    """
    vertices = shapely.get_coordinates(table.shapes)
    if not np.isfinite(vertices).all():
        raise UnsupportedSource("it has coordinates that are not numbers")
    if table.crs.is_geographic and (np.abs(vertices) > _FURTHEST).any():
        hint = "GeoJSON without a member crs is in longitude and latitude, longitude first (RFC 7946)"
        raise UnsupportedSource(f"it has longitudes beyond 360 or latitudes beyond 90 degrees; {hint}")


def _ids(table: Table, spec: PlacesSpec) -> list[str]:
    """(feature,): the text by which each is requested."""
    given = table.own_ids if spec.id_field is None else _column(table, spec.id_field)
    where = "of its own" if spec.id_field is None else f"in field {spec.id_field}"
    ids, first = [_id(each) for each in given], dict[str, int]()
    for number, name in enumerate(ids, start=1):
        if name is None:
            fields = ", ".join(list(table.columns)[:40])
            raise UnsupportedSource(f"feature {number} has no id {where}; name a field with id: one of {fields}")
        if name in first:
            raise UnsupportedSource(f"features {first[name]} and {number} have the same id {where}: {name[:80]!r}")
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


def property_of(value: object) -> Property:
    """Return a value as a property: dates as text; lists, mappings and numbers that are none are left out."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return None if isinstance(value, list | dict | bytes) else str(value)


def _column(table: Table, name: str) -> Sequence[object]:
    if name not in table.columns:
        raise UnsupportedSource(f"it has no field {name!r}; it has {', '.join(list(table.columns)[:40])}")
    return table.columns[name]


def _repaired(shapes: Shapes) -> tuple[list[Any], dict[int, str]]:
    """The polygons, made valid, and by feature what was done to it."""
    made, notes = [None] * len(shapes), dict[int, str]()
    is_valid = shapely.is_valid(shapes)
    for number, shape in enumerate(shapes):
        if shape is None:
            notes[number] = "it has no geometry that can be read"
        elif shapely.get_type_id(shape) not in _POLYGONS:
            notes[number] = f"it is a {shape.geom_type}, not a polygon"
        elif is_valid[number] and not shape.is_empty:
            made[number] = shape
        else:
            whole = shapely.make_valid(shape, method="structure", keep_collapsed=False)
            made[number] = None if whole.is_empty else whole
            notes[number] = f"it was not a valid polygon ({shapely.is_valid_reason(shape)})"
    return made, notes


def _bbox(shapes: Shapes, crs: Crs) -> BBox:
    vertices = shapely.get_coordinates(shapes)
    x, y = transformer(crs, CRS84).transform(vertices[:, 0], vertices[:, 1])
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        raise UnsupportedSource(f"it has no longitudes and latitudes in {crs.name[:40]}")
    return BBox(*(float(edge) for edge in (x[usable].min(), y[usable].min(), x[usable].max(), y[usable].max())))


def _findings(ids: Sequence[str], found: _Found) -> Iterable[Finding]:
    """One for what was left out, one for what was repaired."""
    for is_readable, words in ((False, "left out"), (True, "repaired")):
        numbers = [number for number in found.notes if (found.shapes[number] is not None) == is_readable]
        if numbers:
            named = "; ".join(f"{ids[number][:60]}: {found.notes[number]}" for number in numbers[:MAX_TOLD])
            more = f"; and {len(numbers) - MAX_TOLD} more" if len(numbers) > MAX_TOLD else ""
            yield Finding("warning", "places", f"{len(numbers)} {words}: {named}{more}")
