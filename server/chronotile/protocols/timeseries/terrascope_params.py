"""What Terrascope's clients request, turned into series requests."""

from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.geometry.area import Area
from chronotile.model.geometry.geojson import area_of, areas_of, point_of
from chronotile.model.request import AreaSeriesRequest, SeriesRequest, place_in_degrees
from chronotile.model.series.reducer import MEAN, STD
from chronotile.model.time.instants import ABSENT, DISTANT_FUTURE, DISTANT_PAST, TimePart, TimeSelection, TimeSpan
from chronotile.model.time.parser import parse_instant
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, custom, names_of, whole
from chronotile.protocols.common.query.place import LAT, LON, geometry_rules, longitude_latitude

ONLY_VALID = -1
"""Of `maxValids`: all entries that have a value."""
SWITCH: Mapping[str, bool] = {"0": False, "1": True, "false": False, "true": True}


def _start(given: str) -> TimeSpan:
    return _day(given, "startDate")


def _end(given: str) -> TimeSpan:
    return _day(given, "endDate")


def _day(given: str, name: str) -> TimeSpan:
    try:
        return parse_instant(given)
    except InvalidParameter as error:
        raise InvalidParameter(
            f"{name} must be a date such as 2020-06-24, got {given[:MAX_SHOWN]!r}", locator=name
        ) from error


START = custom("startDate", "The first day, included", _start)
END = custom("endDate", "The last day, included", _end)
MAX_VALIDS = whole("maxValids", "`-1`: only dates with a value; `n`: the latest n of those", least=ONLY_VALID)
INCL_COUNT = code("inclCount", "`0` leaves the counts out", SWITCH, default="1", described=("0", "1"))
INCL_ST_DEV = code("inclStDev", "`1` adds the standard deviation", SWITCH, default="0", described=("0", "1"))
ZOOM = whole("zoom", "Without effect: counts are of native pixels")
OF_SERIES: tuple[Parameter[object], ...] = (START, END, MAX_VALIDS, INCL_COUNT, INCL_ST_DEV, ZOOM)
OF_POINT = (*OF_SERIES, LON, LAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOptions:
    """Which entries of a series a client wants, and what of each."""

    max_valids: int | None = None
    """The latest so many that have a value, or all that have one (`ONLY_VALID`); `None` is every date."""
    has_counts: bool = True
    has_deviation: bool = False

    @property
    def name(self) -> str:
        """Text that differs between them, for ETags."""
        return f"terrascope-{self.max_valids}-{self.has_counts}-{self.has_deviation}"


def entry_options(query: Kvp) -> EntryOptions:
    """Return what `maxValids`, `inclCount` and `inclStDev` say.

    Raises:
        InvalidParameter: One of them is not accepted, or a parameter is misspelt.
    """
    query.check_spelling((*names_of(OF_POINT), "crs"))
    most = MAX_VALIDS.given(query)
    if most == 0:
        raise InvalidParameter("maxValids must be -1 (all that are valid) or at least 1, got 0", locator="maxValids")
    return EntryOptions(
        max_valids=most,
        has_counts=INCL_COUNT.of(query),
        has_deviation=INCL_ST_DEV.of(query),
    )


def point_request(layer: Layer, query: Kvp) -> SeriesRequest:
    """Return the series that `{productId}/point` requests.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    return SeriesRequest(layer=layer.id, point=longitude_latitude(query), time=days_of(query))


def geometry_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest | SeriesRequest:
    """Return the series that `{productId}/geometry` requests: of a polygon, or of the one cell under a point.

    Raises:
        ChronotileError: A parameter or the geometry is not accepted.
    """
    position = point_of(body)
    if position is not None:
        return SeriesRequest(layer=layer.id, point=place_in_degrees(*position), time=days_of(query))
    rules = geometry_rules(layer, query, catalogue, elsewhere=f"{layer.id}/features")
    return _areas_request(layer, query, (area_of(body, rules),))


def collection_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `{productId}/geometries` and `{productId}/features` request.

    Raises:
        ChronotileError: A parameter or a geometry is not accepted.
    """
    rules = geometry_rules(layer, query, catalogue, elsewhere=f"{layer.id}/geometry")
    return _areas_request(layer, query, areas_of(body, rules))


def days_of(query: Kvp) -> TimeSelection:
    """Return the times from `startDate` to `endDate`, both included; either may be absent.

    Raises:
        InvalidParameter: One is not a date, the end is before the start, or other names for them are there.
    """
    query.refuse(("datetime", "time", "times", "date", "dates"), instead="startDate and endDate")
    start, end = START.given(query), END.given(query)
    if start is None and end is None:
        return ABSENT
    span = TimeSpan(DISTANT_PAST if start is None else start.start, DISTANT_FUTURE if end is None else end.end)
    if span.end <= span.start:
        raise InvalidParameter("endDate must not be before startDate", locator="endDate")
    return TimeSelection("parts", (TimePart(span, is_interval=True),))


def _areas_request(layer: Layer, query: Kvp, areas: tuple[Area, ...]) -> AreaSeriesRequest:
    reducers = (MEAN, STD) if entry_options(query).has_deviation else (MEAN,)
    return AreaSeriesRequest(layer=layer.id, areas=areas, time=days_of(query), reducers=reducers)
