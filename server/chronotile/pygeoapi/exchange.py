"""What providers take from pygeoapi and tell it: queries, fields, grids and times, errors."""

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
from chronotile.core.model.geometry.area import LENGTHS_M, OTHER_LENGTHS, Area
from chronotile.core.model.geometry.json_text import is_number
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

# What pygeoapi hands to providers, turned into requests.

MAX_SHOWN = 60
TIME_AXIS = "time"
X_AXES = "Lon", "x"

_NUMBER = re.compile(r"\d{1,12}(\.\d{0,20})?", re.ASCII)

Ends = Sequence[Any]
"""The one or two values of a subset, as pygeoapi has parsed them: numbers or text."""


def named_layers(offered: OfferedCollection, names: Iterable[str], *, locator: str) -> tuple[str, ...]:
    """Return the ids of the layers of fields, all of the collection without names.

    Raises:
        InvalidParameter: One is not a field.
    """
    fields = offered.fields
    known = {layer.id: layer for layer in fields.values()} | fields
    layers: dict[str, None] = {}
    for name in names:
        if name not in known:
            raise InvalidParameter(
                f"{locator} names a field {name[:MAX_SHOWN]!r}; accepted are {', '.join(fields)}", locator=locator
            )
        layers[known[name].id] = None
    return tuple(layers) or tuple(layer.id for layer in fields.values())


def named_crs(text: str | None, offered: OfferedCollection, catalogue: Catalogue, *, locator: str) -> Crs:
    """Return one of the CRS offered, or that of the data, by its URI, URN or code; CRS84 where none is named.

    Raises:
        UnsupportedCrs: It is neither.
    """
    if not text:
        return CRS84
    own = offered.main_field.main_variable.grid.crs
    if text in {own.uri, own.name}:
        return own
    with translate_error(UnsupportedCrs, UnsupportedCrs, locator=locator):
        return CRS84 if text in {"CRS84", CRS84.uri} else catalogue.offered_crs(text)


def box_of(numbers: Sequence[float], crs: Crs) -> BBox:
    """Return four or six numbers in the axis order of the CRS as a box with x first; heights are left out."""
    half = len(numbers) // 2
    first, second, third, fourth = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    return BBox(second, first, fourth, third) if is_north_first(crs) else BBox(first, second, third, fourth)


def trims_of(subsets: Mapping[str, Ends], crs: Crs) -> tuple[Trim, ...]:
    """Return what subsets of the axes of the data, but time, cut off.

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


def time_of(datetime: str | None, subsets: Mapping[str, Ends]) -> TimeSelection:
    """Return what `datetime`, or a subset of the axis of time, selects.

    Raises:
        InvalidParameter: It is not a time, or there are both.
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
        InvalidParameter: One of them is none.
    """
    for text, locator in ((length, "within"), (units, "within-units")):
        if not text:
            raise MissingParameter(f"{locator} is missing", locator=locator)
    named = str(units).lower()
    unit = LENGTHS_M.get(OTHER_LENGTHS.get(named, named))
    if unit is None:
        raise InvalidParameter(
            f"within-units {named[:MAX_SHOWN]!r} is not accepted; use {', '.join(LENGTHS_M)}", locator="within-units"
        )
    if _NUMBER.fullmatch(str(length)) is None:
        raise InvalidParameter(f"within must be a number, got {str(length)[:MAX_SHOWN]!r}", locator="within")
    return float(str(length)) * unit


def points_of(geometry: shapely.Geometry, crs: Crs) -> tuple[Point, ...]:
    """Return the points of a geometry, whose coordinates are in the axis order of the CRS.

    Raises:
        InvalidParameter: It is not a point, or has none.
    """
    if geometry.geom_type not in {"Point", "MultiPoint"} or geometry.is_empty:
        raise InvalidParameter(f"coords must be a POINT or MULTIPOINT, got a {geometry.geom_type}", locator="coords")
    return tuple(Point(x=float(x), y=float(y), crs=crs) for x, y in _xy(shapely.get_coordinates(geometry), crs))


def area_of(geometry: shapely.Geometry, crs: Crs) -> Area:
    """Return what a polygon covers, whose coordinates are in the axis order of the CRS.

    Raises:
        InvalidParameter: It is not a polygon, or its rings cross.
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


def chosen(services: Services, options: Mapping[str, Any] | None) -> OfferedCollection:
    """Return the collection that a provider's `options` name, or else the first one.

    Raises:
        UnknownCollection: There is not one of that name.
    """
    name = (options or {}).get("collection")
    if name is None:
        return offered_collections(services.catalogue)[0]
    return offered_collection(services.catalogue, str(name))


def fields_of(offered: OfferedCollection) -> dict[str, Json]:
    """Return the schema of each field by its name, as pygeoapi has it of providers."""
    return {
        name: {
            "type": "number",
            "title": next(iter(layer.title.values()), name),
            "x-ogc-unit": layer.main_variable.encoding.units or "",
        }
        for name, layer in offered.fields.items()
    }


def axes_of(grid: NativeGrid, times: TimeDomain) -> list[str]:
    """Return the names of the axes as `subset` takes them."""
    horizontal = ["Lon", "Lat"] if grid.crs.is_geographic else ["x", "y"]
    return [*horizontal, *(["time"] if len(times) else [])]


def coverage_properties(grid: NativeGrid, times: TimeDomain) -> Json:
    """Return what pygeoapi makes the extent of a coverage of."""
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


# Errors as pygeoapi words them: of any other kind it makes a bare 500.


class ProviderUnavailableError(ProviderConnectionError):  # type: ignore[misc]  # pygeoapi has no types
    """A source cannot be read now."""

    http_status_code = HTTPStatus.SERVICE_UNAVAILABLE


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn our errors into pygeoapi's, with our words.

    Raises:
        ProviderGenericError: The block raised an error of ours.
    """
    try:
        yield
    except ChronotileError as error:
        raise _provider_error(error) from error


def _provider_error(error: ChronotileError) -> ProviderGenericError:
    if isinstance(error, ConfigurationError):  # its words name files, which clients must not see
        return ProviderUnavailableError(error.message, user_msg="the data of this collection cannot be served now")
    if error.status == HTTPStatus.NOT_FOUND:
        return ProviderItemNotFoundError(user_msg=error.message)
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderInvalidQueryError(user_msg=error.message)
    return ProviderUnavailableError(user_msg=error.message)
