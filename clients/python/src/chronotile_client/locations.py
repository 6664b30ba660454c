"""Locations of series: points, areas or a place, from the types that users have."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path, PurePath
from typing import Any, TypeAlias

from chronotile_client.user_warnings import warn_user

JsonObject: TypeAlias = Mapping[str, Any]

FILES = frozenset({".csv", ".fgb", ".geojson", ".gpkg", ".json", ".kml", ".parquet", ".shp", ".zip"})
"""Extensions of files with geometries; their paths are not places of the server."""
POINTS, AREAS = "Point", ("Polygon", "MultiPolygon", "GeometryCollection")


@dataclass(frozen=True, slots=True)
class Points:
    """Points in longitude and latitude."""

    ids: Sequence[object]
    positions: Sequence[tuple[float, float]]
    is_single: bool = False
    """Whether it is one point, whose series needs no id."""


@dataclass(frozen=True, slots=True)
class Areas:
    """Polygons as GeoJSON geometries in longitude and latitude."""

    ids: Sequence[object]
    geometries: Sequence[JsonObject | None]
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """West, south, east, north in longitude and latitude."""

    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the server, as `set/id`."""

    id: str


Location: TypeAlias = Points | Areas | Box | Place


def location_of(where: Any) -> Location:  # noqa: ANN401 -- all forms of points and areas
    """Return the location of a series.

    Args:
        where: `(lon, lat)`; `(west, south, east, north)`; `"set/id"` of a place; a list, array or mapping of points by
            name; a shapely geometry, GeoSeries or GeoDataFrame; GeoJSON as a mapping. Objects with a CRS are
            reprojected.

    Raises:
        ValueError: It has another type, is empty, or contains both points and areas.
    """
    if isinstance(where, PurePath) or (isinstance(where, str) and _is_file(where)):
        raise ValueError(f"{str(where)!r} is a file: read it first, geopandas.read_file({str(where)!r})")
    if isinstance(where, str) and "/" not in where:
        raise ValueError(f"a text is the 'set/id' of a place of the server, got {where[:80]!r}")
    if isinstance(where, str):
        return Place(where)
    if isinstance(where, Iterator):
        where = list(where)
    labels = _labels(where)
    where = geojson_of(where)
    if isinstance(where, Mapping) and isinstance(where.get("type"), str):
        return _of_geojson(where, labels)
    if isinstance(where, Mapping):
        return Points(_some(list(where)), [_position(each) for each in where.values()])
    numbers = _numbers(where)
    if numbers and len(numbers) == 2:
        return Points([1], [(numbers[0], numbers[1])], is_single=True)
    if numbers and len(numbers) == 4:
        return Box(box_text(numbers))
    if isinstance(where, Iterable) and numbers is None:
        positions = [_position(each) for each in where]
        return Points(_numbered(len(positions)), positions)
    raise ValueError(
        "a place is (lon, lat), (west, south, east, north), 'set/id', a list of points, GeoJSON, or an object of "
        f"geopandas or shapely; got {str(where)[:80]!r}"
    )


def geojson_of(value: Any) -> Any:  # noqa: ANN401 -- any type; values without a geometry are returned unchanged
    """Return geometries of shapely and geopandas as GeoJSON in longitude and latitude, other values unchanged."""
    if hasattr(value, "to_crs") and getattr(value, "crs", None) is not None:
        value = value.to_crs("OGC:CRS84")
    elif hasattr(value, "to_crs"):
        kind = type(value).__name__
        warn_user([f"the {kind} has no CRS: longitude and latitude are assumed; name another with set_crs"])
    if hasattr(value, "__geo_interface__"):
        # Tuples become lists, and columns without a form in GeoJSON become text.
        return json.loads(json.dumps(value.__geo_interface__, default=str))
    return value


def box_text(bbox: Any) -> str:  # noqa: ANN401 -- a tuple, list or array
    """Return a box as the value of `bbox`.

    Raises:
        ValueError: It is not four numbers.
    """
    numbers = _numbers(bbox)
    if not numbers or len(numbers) != 4:
        raise ValueError(f"bbox is west, south, east, north in degrees, got {bbox!r}")
    return ",".join(map(repr, numbers))


def _labels(where: Any) -> Sequence[object] | None:  # noqa: ANN401 -- as in location_of
    """Return the index of a GeoDataFrame or GeoSeries, which GeoJSON would convert to text."""
    return list(where.index) if hasattr(where, "to_crs") and hasattr(where, "index") else None


def _of_geojson(document: JsonObject, labels: Sequence[object] | None) -> Location:
    if document["type"] == "FeatureCollection":
        # Some programs omit the member of a missing geometry, although RFC 7946 requires null.
        features = [{"geometry": None, **feature} for feature in document.get("features") or ()]
        geometries = [feature["geometry"] for feature in features]
        own = [feature.get("id") for feature in features]
        ids = labels or [number if id_ is None else id_ for number, id_ in enumerate(own, 1)]
        return _of_geometries(geometries, ids, is_single=False)
    if document["type"] == "Feature":
        if document.get("geometry") is None:
            raise ValueError("the feature has no geometry")
        document = document["geometry"]
    if document["type"] == "MultiPoint":
        positions = [_position(each) for each in document["coordinates"]]
        return Points(_numbered(len(positions)), positions)
    return _of_geometries([document], [1], is_single=True)


def _of_geometries(geometries: Sequence[JsonObject | None], ids: Sequence[object], *, is_single: bool) -> Location:
    kinds = {geometry["type"] for geometry in geometries if geometry}
    _some(ids)
    if kinds == {POINTS}:
        if None in geometries:
            raise ValueError(f"point {ids[geometries.index(None)]!r} has no position: leave it out")
        return Points(ids, [_position(point["coordinates"]) for point in geometries if point], is_single)
    if POINTS in kinds:
        raise ValueError("points and areas have different series: request them apart")
    if unknown := kinds - set(AREAS):
        raise ValueError(f"a series is of points or polygons, got {', '.join(sorted(unknown))}")
    return Areas(ids, geometries, is_single)


def _position(point: Any) -> tuple[float, float]:  # noqa: ANN401 -- a tuple, list or array
    numbers = _numbers(point)
    if not numbers or len(numbers) not in {2, 3}:
        raise ValueError(f"a point is (lon, lat) in degrees, got {str(point)[:80]!r}")
    return numbers[0], numbers[1]


def _numbers(value: Any) -> list[float] | None:  # noqa: ANN401 -- anything
    """Return the items of a sequence as numbers, or None if an item is not a number."""
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        return None
    items = list(value)
    return [float(item) for item in items] if items and all(isinstance(item, Real) for item in items) else None


def _some(ids: Sequence[object]) -> Sequence[object]:
    if not ids:
        raise ValueError("there is no point or area")
    return ids


def _is_file(text: str) -> bool:
    """Whether a text is the path of a file; the id of a place `set/id` may have the same extension."""
    is_place = text.count("/") == 1 and not Path(text).exists()
    return PurePath(text).suffix.lower() in FILES and not is_place


def _numbered(count: int) -> Sequence[object]:
    """Return ids for members without ids: numbers from 1, as in the server's CSV and Parquet."""
    return _some(range(1, count + 1))
