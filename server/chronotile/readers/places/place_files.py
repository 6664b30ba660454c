"""Sets of places from GeoJSON, GeoPackages, shapefiles and FlatGeobuf files."""

import io
from collections.abc import Iterable, Mapping, Sequence
from glob import escape
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import orjson
import shapely

from chronotile.core.errors import InvalidParameter, LimitExceeded, UnsupportedSource, translate_error
from chronotile.core.extras import require_extra
from chronotile.core.finding import Finding
from chronotile.core.model.geometry.repair import Checks
from chronotile.core.model.places import PlaceSet, PlacesSpec, Property
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.types import ObjectArray
from chronotile.readers.library_errors import opening
from chronotile.readers.places.convert import Conversion
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.isolated import convert_isolated
from chronotile.readers.places.shapefiles import PARTS
from chronotile.readers.places.table import GEOPACKAGE, check_range, shown

MAX_NAMED = 3
"""Maximum number of places that a finding names; it states the number of the others."""

FREE_BYTES, BYTES_PER_VERTEX = 256 << 20, 600
"""Memory of the process that converts a file: `FREE_BYTES`, plus `BYTES_PER_VERTEX` per allowed vertex, plus four times
the size of the file."""
FREE_S, VERTICES_PER_S = 30, 20_000
"""Processor time of that process: `FREE_S`, plus a second per `VERTICES_PER_S` allowed vertices."""

_GEOJSON = {".geojson", ".json"}
_POLYGONS = (3, 6)
"""Type ids of Polygon and MultiPolygon in shapely."""
MAX_STEPS = 30_000_000_000
"""Maximum steps of `Checks` for all polygons of a file, which take ten seconds."""
TOO_COMPLEX = "it is too complex to be checked or repaired"


def read_places(spec: PlacesSpec) -> PlaceSet:
    """Return the places of a file; findings list skipped shapes other than polygons, and repaired polygons.

    Raises:
        UnsupportedSource: The file cannot be read or is too large, or its ids are not unique.
    """
    path = Path(spec.path)
    if not path.is_file():
        raise UnsupportedSource(f"there is no file {path.name}")
    with opening(path.name):
        document = orjson.loads(path.read_bytes() if path.suffix.lower() in _GEOJSON else _convert(path, spec))
        features = _features(document)
        texts = np.array([orjson.dumps(feature.get("geometry")).decode() for feature in features], dtype=object)
        shapes = shapely.force_2d(shapely.from_geojson(texts, on_invalid="ignore"))
        crs = _geojson_crs(document.get("crs"))
    if len(shapes) > spec.max_features:
        raise UnsupportedSource(f"it has {len(shapes)} features; limits.max_features is {spec.max_features}")
    vertices = int(shapely.get_num_coordinates(shapes).sum())
    if vertices > spec.max_vertices:
        raise UnsupportedSource(f"it has {vertices} vertices; limits.max_vertices is {spec.max_vertices}")
    check_range(crs, shapes)
    return _place_set(spec, features, shapes, crs)


def _place_set(spec: PlacesSpec, features: Sequence[Mapping[str, Any]], shapes: ObjectArray, crs: Crs) -> PlaceSet:
    all_ids, checks = _ids(features, spec.id_field), Checks(MAX_STEPS)
    repaired = [_repair(shape, checks) for shape in shapes]
    readable = [number for number, (shape, _reason) in enumerate(repaired) if shape is not None]
    if not readable:
        raise UnsupportedSource("it has no polygons")
    polygons = np.array([repaired[number][0] for number in readable], dtype=object)
    ids = tuple(all_ids[number] for number in readable)
    columns = {name: _column(features, name) for name in spec.fields}
    fields = {name: tuple(values[number] for number in readable) for name, values in columns.items()}
    labels = all_ids if spec.label_field is None else _column(features, spec.label_field)
    labels_read = tuple(
        name if labels[at] in (None, "") else str(labels[at]) for at, name in zip(readable, ids, strict=True)
    )
    digest = blake2b(repr((crs.name, spec.id, ids, labels_read, sorted(fields.items()))).encode(), digest_size=12)
    digest.update(b"".join(shapely.to_wkb(polygons)))
    return PlaceSet(
        spec=spec,
        crs=crs,
        shapes=polygons,
        ids=ids,
        labels=labels_read,
        fields=fields,
        notes={place: repaired[number][1] for place, number in enumerate(readable) if repaired[number][1]},
        bbox=_bbox(polygons, crs),
        digest=digest.hexdigest(),
        findings=tuple(_findings(all_ids, repaired)),
    )


def _convert(path: Path, spec: PlacesSpec) -> bytes:
    """Return a file of another format as GeoJSON.

    A separate process converts the bytes, because it cannot open files; a shapefile is sent to it as a ZIP.
    """
    content = _zip_parts(path) if path.suffix.lower() == ".shp" else path.read_bytes()
    if not content.startswith(GEOPACKAGE):
        require_extra("places", f"a {path.suffix[1:]} file of places", error=UnsupportedSource)
    allowed_bytes = FREE_BYTES + BYTES_PER_VERTEX * spec.max_vertices
    conversion = Conversion(
        max_features=spec.max_features,
        max_vertices=spec.max_vertices,
        max_bytes=allowed_bytes,
        memory_bytes=allowed_bytes + 4 * len(content),
        cpu_s=FREE_S + spec.max_vertices // VERTICES_PER_S,
        table=spec.table,
        is_upload=False,
    )
    with translate_error(LimitExceeded, UnsupportedSource, locator=None):
        return convert_isolated(content, conversion)


def _zip_parts(path: Path) -> bytes:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as members:
        for part in sorted(path.parent.glob(f"{escape(path.stem)}.*")):
            if part.suffix.lower() in PARTS:
                members.write(part, part.name)
    return packed.getvalue()


def _features(document: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- of any JSON
    """Return the features of a GeoJSON FeatureCollection (RFC 7946)."""
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise UnsupportedSource("it is not a GeoJSON FeatureCollection")
    if not all(isinstance(feature, dict) for feature in features):
        raise UnsupportedSource("it has features that are not objects")
    return features


def _geojson_crs(member: object) -> Crs:
    """Return the CRS that the member `crs` names (GeoJSON 2008); CRS84 without it."""
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return CRS84 if name is None else crs_of_file(str(name))


def _ids(features: Sequence[Mapping[str, Any]], field: str | None) -> list[str]:
    """Return the (feature,) ids by which clients request the places."""
    where = "of its own" if field is None else f"in field {field}"
    first = dict[str, int]()
    values = [feature.get("id") for feature in features] if field is None else _column(features, field)
    for number, value in enumerate(values, 1):
        name = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if isinstance(value, float):  # programs write integer columns with missing values as floats
            name = str(int(value)) if value.is_integer() else ""
        if not name:
            fields = shown(_names(features))
            raise UnsupportedSource(f"feature {number} has no id {where}; name a field with id: one of {fields}")
        if name in first:
            raise UnsupportedSource(f"features {first[name]} and {number} have the same id {where}: {shown([name])!r}")
        first[name] = number
    return [*first]


def _properties(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _names(features: Iterable[Mapping[str, Any]]) -> list[str]:
    return [*dict.fromkeys(name for each in features for name in _properties(each))]


def _column(features: Sequence[Mapping[str, Any]], name: str) -> list[Property]:
    """Return (feature,) values of a field; lists and mappings become `None`."""
    names = _names(features)
    if name not in names:
        raise UnsupportedSource(f"it has no field {name!r}; it has {shown(names)}")
    values = [_properties(each).get(name) for each in features]
    return [value if isinstance(value, str | int | float) else None for value in values]


def _repair(shape: Any, checks: Checks) -> tuple[Any, str]:  # noqa: ANN401 -- of shapely
    """Return a valid polygon and the reason for its repair, which is empty for a valid shape.

    For a shape that is no polygon, is empty or cannot be repaired, return `None` and the reason.
    """
    if shape is None:
        return None, "it has no geometry that can be read"
    if shapely.get_type_id(shape) not in _POLYGONS:
        return None, f"it is a {shape.geom_type}, not a polygon"
    if shape.is_empty:
        return None, "it is empty"
    rings = tuple(map(shapely.get_coordinates, shapely.get_rings(shapely.get_parts(shape))))
    try:
        checks.require_few(rings, rings, "it is")
        if shapely.is_valid(shape):
            return shape, ""
        checks.require_repairable(rings, TOO_COMPLEX)
        whole = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        reason = f"it was not a valid polygon ({shapely.is_valid_reason(shape)})"
    except (InvalidParameter, shapely.GEOSException):
        return None, TOO_COMPLEX
    return (None if whole.is_empty else whole), reason


def _bbox(shapes: ObjectArray, crs: Crs) -> BBox:
    vertices = shapely.get_coordinates(shapes)
    x, y = transformer(crs, CRS84).transform(vertices[:, 0], vertices[:, 1])
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        raise UnsupportedSource(f"it has no longitudes and latitudes in {shown([crs.name])}")
    return BBox(*(float(edge) for edge in (x[usable].min(), y[usable].min(), x[usable].max(), y[usable].max())))


def _findings(ids: Sequence[str], repaired: Sequence[tuple[Any, str]]) -> Iterable[Finding]:
    """Yield a finding for skipped places, and one for repaired places."""
    for is_readable, words in ((False, "left out"), (True, "repaired")):
        notes = [
            f"{shown([name])}: {reason}"
            for name, (shape, reason) in zip(ids, repaired, strict=True)
            if reason and (shape is not None) == is_readable
        ]
        if notes:
            more = f"; and {len(notes) - MAX_NAMED} more" if len(notes) > MAX_NAMED else ""
            yield Finding("warning", "places", f"{len(notes)} {words}: {'; '.join(notes[:MAX_NAMED])}{more}")
