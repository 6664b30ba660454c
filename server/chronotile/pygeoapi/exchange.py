"""Conversion between pygeoapi and this software: queries, fields, grids, times and errors."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import numpy as np
import shapely
from pygeoapi.provider.base import (
    ProviderConnectionError,
    ProviderGenericError,
    ProviderInvalidQueryError,
    ProviderItemNotFoundError,
)

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection, offered_collection, offered_collections
from chronotile.core.errors import (
    ChronotileError,
    ConfigurationError,
    InvalidParameter,
    MissingParameter,
    UnsupportedCrs,
    translate_error,
)
from chronotile.core.model.coverage import Trim
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.geometry.lengths import LENGTHS_M, OTHER_LENGTHS
from chronotile.core.model.request import Point
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs, is_north_first
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.time.steps import DEKAD_STEP, step_of
from chronotile.core.model.types import FloatArray, Json
from chronotile.pipeline.services import Services

MAX_SHOWN = 60
TIME_AXIS = "time"
X_AXES = "Lon", "x"

_NUMBER = re.compile(r"\d{1,12}(\.\d{0,20})?", re.ASCII)

SubsetEnds = Sequence[Any]
"""One or two values of a subset, parsed by pygeoapi: numbers or texts."""


def named_layers(offered: OfferedCollection, names: Iterable[str], *, locator: str) -> tuple[str, ...]:
    """Return the ids of the layers of fields; without names, all layers of the collection.

    Raises:
        InvalidParameter: A name is not a field.
    """
    fields = offered.fields
    layers_by_name = {layer.id: layer for layer in fields.values()} | fields
    layers: dict[str, None] = {}
    for name in names:
        if name not in layers_by_name:
            raise InvalidParameter(
                f"{locator} names a field {name[:MAX_SHOWN]!r}; accepted are {', '.join(fields)}", locator=locator
            )
        layers[layers_by_name[name].id] = None
    return tuple(layers) or tuple(layer.id for layer in fields.values())


def named_crs(text: str | None, offered: OfferedCollection, catalogue: Catalogue, *, locator: str) -> Crs:
    """Return an offered CRS or the native one by its URI, URN or code; CRS84 for an empty text.

    Raises:
        UnsupportedCrs: The CRS is not offered.
    """
    if not text:
        return CRS84
    native_crs = offered.main_field.main_variable.grid.crs
    if text in {native_crs.uri, native_crs.name}:
        return native_crs
    with translate_error(UnsupportedCrs, UnsupportedCrs, locator=locator):
        return CRS84 if text in {"CRS84", CRS84.uri} else catalogue.offered_crs(text)


def box_of(numbers: Sequence[float], crs: Crs) -> BBox:
    """Return four or six numbers in the axis order of the CRS as a box with x first; heights are ignored."""
    half = len(numbers) // 2
    first, second, third, fourth = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    return BBox(second, first, fourth, third) if is_north_first(crs) else BBox(first, second, third, fourth)


def trims_of(subsets: Mapping[str, SubsetEnds], crs: Crs) -> tuple[Trim, ...]:
    """Return the trims of subsets of all axes except time.

    Raises:
        InvalidParameter: An end is not a number.
    """
    trims = []
    for axis, ends in subsets.items():
        if axis == TIME_AXIS:
            continue
        low, high = (_edge(ends[index], open_edge, axis) for index, open_edge in ((0, -math.inf), (-1, math.inf)))
        box = BBox(low, -math.inf, high, math.inf) if axis in X_AXES else BBox(-math.inf, low, math.inf, high)
        trims.append(Trim(box=box, crs=crs, locator="subset"))
    return tuple(trims)


def time_of(datetime: str | None, subsets: Mapping[str, SubsetEnds]) -> TimeSelection:
    """Return the selection of `datetime` or of a subset of the time axis.

    Raises:
        InvalidParameter: A text is not a time, or both are present.
    """
    if TIME_AXIS not in subsets:
        return parse_time(datetime)
    if datetime:
        raise InvalidParameter("give either datetime or a subset of time", locator="datetime")
    return parse_time("/".join(str(end) for end in subsets[TIME_AXIS]))


def metres_of(length: str | None, units: str | None) -> float:
    """Return a length in metres.

    Raises:
        MissingParameter: The length or its unit is missing.
        InvalidParameter: The length is not a number, or the unit is unknown.
    """
    for text, locator in ((length, "within"), (units, "within-units")):
        if not text:
            raise MissingParameter(f"{locator} is missing", locator=locator)
    unit_name = str(units).lower()
    unit = LENGTHS_M.get(OTHER_LENGTHS.get(unit_name, unit_name))
    if unit is None:
        raise InvalidParameter(
            f"within-units {unit_name[:MAX_SHOWN]!r} is not accepted; use {', '.join(LENGTHS_M)}",
            locator="within-units",
        )
    if _NUMBER.fullmatch(str(length)) is None:
        raise InvalidParameter(f"within must be a number, got {str(length)[:MAX_SHOWN]!r}", locator="within")
    return float(str(length)) * unit


def points_of(geometry: shapely.Geometry, crs: Crs) -> tuple[Point, ...]:
    """Return the points of a geometry with coordinates in the axis order of the CRS.

    Raises:
        InvalidParameter: The geometry contains no points, or is not a point.
    """
    if geometry.geom_type not in {"Point", "MultiPoint"} or geometry.is_empty:
        raise InvalidParameter(f"coords must be a POINT or MULTIPOINT, got a {geometry.geom_type}", locator="coords")
    return tuple(Point(x=float(x), y=float(y), crs=crs) for x, y in _xy(shapely.get_coordinates(geometry), crs))


def area_of(geometry: shapely.Geometry, crs: Crs) -> Area:
    """Return the area of polygons with coordinates in the axis order of the CRS.

    Raises:
        InvalidParameter: The geometry is not a polygon, or its rings cross.
    """
    if geometry.geom_type not in {"Polygon", "MultiPolygon"} or geometry.is_empty:
        raise InvalidParameter(
            f"coords must be a POLYGON or MULTIPOLYGON, got a {geometry.geom_type}", locator="coords"
        )
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        raise InvalidParameter(f"coords is not an area: {reason}", locator="coords")
    polygons = tuple(
        tuple(_xy(shapely.get_coordinates(ring), crs) for ring in (polygon.exterior, *polygon.interiors))
        for polygon in shapely.get_parts(geometry)
    )
    return Area(polygons=polygons, crs=crs)


def _xy(coordinates: FloatArray, crs: Crs) -> FloatArray:
    return np.ascontiguousarray(coordinates[:, ::-1]) if is_north_first(crs) else coordinates


def _edge(value: object, open_edge: float, axis: str) -> float:
    if value == "*":
        return open_edge
    if not (is_number(value) and math.isfinite(value)):
        raise InvalidParameter(f"subset of {axis} takes numbers, got {str(value)[:MAX_SHOWN]!r}", locator="subset")
    return float(value)


def find_collection(services: Services, options: Mapping[str, Any] | None) -> OfferedCollection:
    """Return the collection in the `options` of a provider, or else the first one.

    Raises:
        UnknownCollection: The collection does not exist.
    """
    name = (options or {}).get("collection")
    if name is None:
        return offered_collections(services.catalogue)[0]
    return offered_collection(services.catalogue, str(name))


def fields_of(offered: OfferedCollection) -> dict[str, Json]:
    """Return the schemas of the fields by name, in the form of pygeoapi."""
    return {
        name: {
            "type": "number",
            "title": next(iter(layer.title.values()), name),
            "x-ogc-unit": layer.main_variable.encoding.units or "",
        }
        for name, layer in offered.fields.items()
    }


def axes_of(grid: NativeGrid, times: TimeDomain) -> list[str]:
    """Return the names of the axes for `subset`."""
    horizontal = ["Lon", "Lat"] if grid.crs.is_geographic else ["x", "y"]
    return [*horizontal, *(["time"] if len(times) else [])]


def coverage_properties(grid: NativeGrid, times: TimeDomain) -> Json:
    """Return the properties from which pygeoapi makes the extent of a coverage."""
    x_step, y_step = grid.steps
    properties: Json = {
        "bbox": list(grid.bbox),
        "bbox_crs": grid.crs.uri,
        "width": grid.width,
        "height": grid.height,
        "resx": x_step,
        "resy": y_step,
    }
    if len(times) == 0:
        return properties
    properties["time_range"] = [format_instant(times.instants[index]) for index in (0, -1)]
    step = step_of(times)
    return properties if step in {None, DEKAD_STEP} else {**properties, "restime": step}


class ProviderUnavailableError(ProviderConnectionError):  # type: ignore[misc]  # pygeoapi has no types
    """A source cannot be read now. Errors of other classes become a 500 without text in pygeoapi."""

    http_status_code = HTTPStatus.SERVICE_UNAVAILABLE


@contextmanager
def translate_errors() -> Iterator[None]:
    """Convert errors of this software to errors of pygeoapi with the same text.

    Raises:
        ProviderGenericError: The block raised a ChronotileError.
    """
    try:
        yield
    except ChronotileError as error:
        raise _provider_error(error) from error


def _provider_error(error: ChronotileError) -> ProviderGenericError:
    if isinstance(error, ConfigurationError):  # the text contains paths, which clients must not see
        return ProviderUnavailableError(error.message, user_msg="the data of this collection cannot be served now")
    if error.status == HTTPStatus.NOT_FOUND:
        return ProviderItemNotFoundError(user_msg=error.message)
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderInvalidQueryError(user_msg=error.message)
    return ProviderUnavailableError(user_msg=error.message)
