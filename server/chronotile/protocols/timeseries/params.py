"""Path, query and body of a series turned into a series request."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.model.reducer import Reducer, parse_reducers
from chronotile.model.request import AreaSeriesRequest, Point, SeriesRequest
from chronotile.model.time import (
    ABSENT,
    DISTANT_FUTURE,
    DISTANT_PAST,
    TimePart,
    TimeSelection,
    TimeSpan,
    parse_instant,
)
from chronotile.protocols.common.accept import preferred_type
from chronotile.protocols.common.asked_crs import asked_crs
from chronotile.protocols.common.geojson import GeometryRules, area_of
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp, choice, datetime_of, number

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv"}


def point_request(layer: Layer, query: Kvp, catalogue: Catalogue) -> SeriesRequest:
    """Return the series that `/timeseries/{layer}/point` asks for.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    return SeriesRequest(layer=layer.id, point=_point(layer, query, catalogue), time=datetime_of(query))


def terrascope_request(layer: Layer, query: Kvp) -> SeriesRequest:
    """Return the series that `/timeseries/v1.x/ts/{productId}/point` asks for.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    return SeriesRequest(layer=layer.id, point=_longitude_latitude(query), time=_days(query))


def area_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/area` asks for.

    Raises:
        ChronotileError: A parameter or the geometry is not accepted.
    """
    query.refuse(("reducer",), instead="reducers")
    return AreaSeriesRequest(
        layer=layer.id,
        areas=(area_of(body, _rules(layer, query, catalogue)),),
        time=datetime_of(query),
        reducers=_reducers(query),
        min_valid=_min_valid(query),
    )


def series_format(query: Kvp, accept: str) -> str:
    """Return `json` or `csv`: as `format` says, else as the header Accept does.

    Raises:
        InvalidParameter: `format` is neither.
    """
    named = query.optional("format")
    if named is not None:
        return choice(named.lower(), MEDIA_TYPES, locator="format")
    wanted = preferred_type(accept, tuple(MEDIA_TYPES.values()))
    return next(name for name, media_type in MEDIA_TYPES.items() if media_type == wanted)


def _reducers(query: Kvp) -> tuple[Reducer, ...]:
    return parse_reducers((query.optional("reducers") or "mean").split(","))


def _min_valid(query: Kvp) -> float:
    share = number(query.optional("min_valid") or "0", locator="min_valid")
    if not 0 <= share <= 1:
        raise InvalidParameter(f"min_valid must be a share from 0 to 1, got {share:g}", locator="min_valid")
    return share


def _point(layer: Layer, query: Kvp, catalogue: Catalogue) -> Point:
    """`lon` and `lat`, or `x` and `y` in `crs`, x before y whatever the CRS says."""
    if not ("x" in query or "y" in query):
        if "crs" in query:
            raise InvalidParameter("crs belongs to x and y; lon and lat are in CRS84", locator="crs")
        return _longitude_latitude(query)
    if "lon" in query or "lat" in query:
        raise InvalidParameter("give either lon and lat, or x, y and crs", locator="x")
    x, y = (number(query.required(name), locator=name) for name in ("x", "y"))
    crs = asked_crs(query.optional("crs"), layer, catalogue)
    return _in_degrees(x, y, crs, names=("x", "y")) if crs.is_geographic else Point(x=x, y=y, crs=crs)


def _longitude_latitude(query: Kvp) -> Point:
    longitude, latitude = (number(query.required(name), locator=name) for name in ("lon", "lat"))
    return _in_degrees(longitude, latitude, CRS84, names=("lon", "lat"))


def _in_degrees(longitude: float, latitude: float, crs: Crs, *, names: tuple[str, str]) -> Point:
    """Longitudes of a second turn are taken back to -180 ... 180."""
    for name, value, most in ((names[0], longitude, 360), (names[1], latitude, 90)):
        if abs(value) > most:
            raise InvalidParameter(f"{name} must be from -{most} to {most} degrees, got {value:g}", locator=name)
    if longitude > 180:
        longitude -= 360
    elif longitude < -180:
        longitude += 360
    return Point(x=longitude, y=latitude, crs=crs)


def _rules(layer: Layer, query: Kvp, catalogue: Catalogue) -> GeometryRules:
    return GeometryRules(
        max_vertices=catalogue.limits.max_vertices,
        max_features=catalogue.limits.max_features,
        crs_named=lambda name: asked_crs(name, layer, catalogue),
        crs=query.optional("crs"),
    )


def _days(query: Kvp) -> TimeSelection:
    """From `startDate` to `endDate`, both included; either may be absent."""
    start, end = (_span(query, name) for name in ("startDate", "endDate"))
    if start is None and end is None:
        return ABSENT
    span = TimeSpan(DISTANT_PAST if start is None else start.start, DISTANT_FUTURE if end is None else end.end)
    if span.end <= span.start:
        raise InvalidParameter("endDate must not be before startDate", locator="endDate")
    return TimeSelection("parts", (TimePart(span, is_interval=True),))


def _span(query: Kvp, name: str) -> TimeSpan | None:
    text = query.optional(name)
    if text is None:
        return None
    try:
        return parse_instant(text)
    except InvalidParameter as error:
        raise InvalidParameter(
            f"{name} must be a date such as 2020-06-24, got {text[:MAX_SHOWN]!r}", locator=name
        ) from error
