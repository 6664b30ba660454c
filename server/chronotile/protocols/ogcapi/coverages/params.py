"""The parameters of `/coverage` as a request for a coverage."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownPath
from chronotile.core.model.collection import Layer, Resampling
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.axes import (
    HORIZONTAL,
    INTERPOLATION_URI,
    INTERPOLATIONS,
    CoverageAxis,
    members_by_axis,
    members_of,
    query_of,
)
from chronotile.protocols.common.query.crs import check_degrees, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import F, Parameter, custom, datetime, names_of, number, text, whole
from chronotile.protocols.common.query.values import integer
from chronotile.protocols.ogcapi.crs import BBOX, BBOX_CRS, requested_bbox
from chronotile.protocols.ogcapi.subset import CoveragePart, named_fields, requested_subset

PROPERTIES = text("properties", "Fields, separated by commas, in order; default: all")
EXCLUDE_PROPERTIES = text("exclude-properties", "Fields that are left out")


def layers_of(offered: OfferedCollection) -> tuple[Layer, ...]:
    """Return the layers of all fields.

    Raises:
        UnknownPath: The collection has no values.
    """
    if not offered.has_values:
        message = f"collection {offered.id} is not a coverage: it has colours, not values"
        raise UnknownPath(message, locator="collectionId")
    return tuple(offered.fields.values())


def requested_layers(query: Kvp, offered: OfferedCollection) -> tuple[Layer, ...]:
    """Return the layers of `properties` except `exclude-properties`, in the requested order.

    Raises:
        InvalidParameter: A field does not exist, or no field remains. Fields on other grids are accepted with `crs`.
        UnknownPath: The collection has no values.
    """
    everything = layers_of(offered)
    has_any_grid = query.optional("crs") is not None  # all fields are resampled to this CRS
    requested = named_fields(query, PROPERTIES, offered, has_any_grid=has_any_grid) or everything
    excluded = named_fields(query, EXCLUDE_PROPERTIES, offered)
    layers = tuple(layer for layer in requested if layer not in excluded)
    if not layers:
        raise InvalidParameter("exclude-properties leaves no field", locator="exclude-properties")
    return layers


LEAST, MOST = 1e-6, 1e9
SCALE_FACTOR = number("scale-factor", "How many cells become one along both axes", least=LEAST, most=MOST)
SCALE_AXES = text("scale-axes", "The same for each axis: `Lat(2),Lon(4)`")
SCALE_SIZE = text("scale-size", "How many cells each axis has: `Lat(100),Lon(200)`")
WIDTH = whole("width", "How many columns; rows follow where they are not given", least=1)
HEIGHT = whole("height", "How many rows; columns follow where they are not given", least=1)
RESOLUTION = text("resolution", "How wide a cell is along each axis, in units of the CRS: `Lat(0.1),Lon(0.1)`")
KINDS: Mapping[str, tuple[Parameter[object], ...]] = {
    "scale-factor": (SCALE_FACTOR,),
    "scale-axes": (SCALE_AXES,),
    "scale-size": (SCALE_SIZE,),
    "width and height": (WIDTH, HEIGHT),
    "resolution": (RESOLUTION,),
}
"""Kinds of scaling with their parameters; only one kind may be used, as each sets the number of cells."""
SCALING = tuple(parameter for parameters in KINDS.values() for parameter in parameters)
AS_OBSERVED: Mapping[str, str] = {"scale-axes": "1", "resolution": ""}
"""Content of the axis `time` that leaves times unchanged."""
_WHOLE = re.compile(r"\d{1,18}(?:\.0{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSize:
    """Number of columns or rows; an axis with `None` retains its native number."""

    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialResolution:
    """Width and height of a cell in units of the response's CRS; an axis with `None` retains its native resolution."""

    x: float | None
    y: float | None


Scaling = ScaleFactors | ScaleSize | PartialSize | PartialResolution


def requested_scaling(query: Kvp) -> Scaling | None:
    """Return the scaling in space, or `None`.

    Raises:
        InvalidParameter: A parameter is not accepted, scales time, or contradicts another kind of scaling.
    """
    kinds = [kind for kind, ps in KINDS.items() if any(query.optional(name) is not None for name in names_of(ps))]
    if len(kinds) > 1:
        raise InvalidParameter(
            f"{' and '.join(kinds)} each set the number of cells; give one of them",
            locator=next(name for name in names_of(SCALING) if query.optional(name) is not None),
        )
    return _READERS[kinds[0]](query) if kinds else None


def _factors(query: Kvp) -> Scaling:
    factors = {axis: _positive(part, locator="scale-axes") for axis, part in _axes(query, "scale-axes").items()}
    return ScaleFactors(x=factors.get("x", 1.0), y=factors.get("y", 1.0), locator="scale-axes")


def _size(query: Kvp) -> Scaling:
    sizes = {axis: _cells(part) for axis, part in _axes(query, "scale-size").items()}
    width, height = sizes.get("x"), sizes.get("y")
    return ScaleSize(width=width, height=height) if width and height else PartialSize(width=width, height=height)


def _width_and_height(query: Kvp) -> Scaling:
    width, height = WIDTH.optional(query), HEIGHT.optional(query)
    return ScaleSize(width=width, height=height, locator="height" if width is None else "width")


def _resolution(query: Kvp) -> Scaling:
    parts = {axis: part for axis, part in _axes(query, "resolution").items() if part}
    sizes = {axis: _positive(part, locator="resolution") for axis, part in parts.items()}
    return PartialResolution(x=sizes.get("x"), y=sizes.get("y"))


_READERS: Mapping[str, Callable[[Kvp], Scaling]] = {
    "scale-factor": lambda query: ScaleFactors(x=SCALE_FACTOR.value(query), y=SCALE_FACTOR.value(query)),
    "scale-axes": _factors,
    "scale-size": _size,
    "width and height": _width_and_height,
    "resolution": _resolution,
}


def _axes(query: Kvp, name: str) -> dict[CoverageAxis, str]:
    """Return the content of each axis in space; an axis `time` must leave times unchanged: `time(1)`, `time()`."""
    members = members_of(query.require(name), locator=name)
    axes = members_by_axis(members, {**HORIZONTAL, "time": "time"}, accepted=("Lat", "Lon", "x", "y"), locator=name)
    time = axes.pop("time", None)
    if time is not None and time.content != AS_OBSERVED.get(name):
        raise InvalidParameter(
            f"{name} does not scale time: instants are returned as observed; select them with datetime, "
            "or reduce them with the time series API",
            locator=name,
        )
    return {axis: member.content for axis, member in axes.items()}


def _positive(text: str, *, locator: str) -> float:
    return number(locator, "", least=LEAST, most=MOST).parse(text)


def _cells(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        message = f"scale-size takes whole numbers of cells, got {text[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="scale-size")
    return integer(text.partition(".")[0], locator="scale-size", least=1)


OLDER_NAMES: Mapping[str, str] = {"scalefactor": "scale-factor", "scaleaxes": "scale-axes", "scalesize": "scale-size"}
"""Names in earlier drafts, which GDAL's driver sends."""


def _resampling(text: str) -> Resampling:
    name = text.removeprefix(INTERPOLATION_URI).lower()
    if name not in INTERPOLATIONS:
        message = f"interpolation {text[:MAX_SHOWN]!r} is not accepted; use nearest or bilinear"
        raise InvalidParameter(message, locator="interpolation")
    return INTERPOLATIONS[name]


SUBSET = text(
    "subset",
    "Parts along axes: `Lat(50.8:50.9)`, open ends `*`, one position `Lat(50.8)`, "
    '`time("2020-06-01":"2020-06-30")`; `x` and `y` in a projected CRS; may be repeated',
)
SUBSET_CRS = text("subset-crs", "CRS of `subset`; default: CRS84 for Lat and Lon, the native one for x and y")
DATETIME = datetime(
    "An instant or an interval, either end of which may be open (`..`); default: all, or the newest that are 32 MiB"
)
CRS = text("crs", "CRS of the response; default: the native one")
INTERPOLATION = custom(
    "interpolation", "How cells that are not native ones are made", _resampling, schema=enum_of(("nearest", "bilinear"))
)
OF_COVERAGE: tuple[Parameter[object], ...] = (
    *(BBOX, BBOX_CRS, SUBSET, SUBSET_CRS, DATETIME, PROPERTIES, EXCLUDE_PROPERTIES, CRS),
    *(*SCALING, INTERPOLATION, F),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageQuery:
    """A parsed request. The scaling is applied later: it may need the native grid."""

    request: CoverageRequest
    """A request without a scale."""
    scaling: Scaling | None


def coverage_query(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the query with the parameter names of the current draft.

    Raises:
        InvalidParameter: A parameter is repeated with different values, or does not exist.
    """
    query = query_of((OLDER_NAMES.get(name.lower(), name), value) for name, value in pairs)
    query.check_names(names_of(OF_COVERAGE))
    return query


def parse_coverage(query: Kvp, offered: OfferedCollection, catalogue: Catalogue) -> CoverageQuery:
    """Return the request of a query.

    Raises:
        ChronotileError: A parameter is not accepted, or contradicts another one.
    """
    layers = requested_layers(query, offered)
    first, has_time = layers[0], any(len(layer.times) for layer in layers)
    subset = requested_subset(query, first, catalogue, has_time=has_time)
    crs = CRS.optional(query)
    request = CoverageRequest(
        layers=tuple(layer.id for layer in layers),
        trims=_trims(query, subset, first, catalogue),
        time=_time(query, subset, has_time=has_time),
        crs=None if crs is None else named_crs(crs, first, catalogue),
        resampling=INTERPOLATION.optional(query),
    )
    return CoverageQuery(request=request, scaling=requested_scaling(query))


def _trims(query: Kvp, subset: CoveragePart, layer: Layer, catalogue: Catalogue) -> tuple[Trim, ...]:
    """Return the box of `bbox` or `subset`; degrees are checked (clauses G and N)."""
    bbox = requested_bbox(query, layer, catalogue)
    if bbox is None:
        trims = () if subset.trim is None else (subset.trim,)
    else:
        if subset.trim is not None:
            raise InvalidParameter("bbox and subset both cut in space; give one of them", locator="subset")
        trims = (Trim(box=bbox[0], crs=bbox[1]),)
    for trim in trims:
        check_degrees(trim.box, trim.crs, locator=trim.locator)
    return trims


def _time(query: Kvp, subset: CoveragePart, *, has_time: bool) -> TimeSelection:
    if query.optional(DATETIME.name) is None:
        return subset.time or ABSENT
    if subset.time is not None:
        raise InvalidParameter("datetime and subset=time(...) both select times; give one of them", locator="datetime")
    if not has_time:
        raise InvalidParameter("no requested field has times; leave datetime out", locator="datetime")
    return DATETIME.value(query)
