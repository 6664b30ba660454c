"""What Terrascope's clients ask for, turned into series requests."""

from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.geometry.area import Area
from chronotile.model.geometry.geojson import area_of, areas_of, point_of
from chronotile.model.request import AreaSeriesRequest, SeriesRequest, place_in_degrees
from chronotile.model.series.reducer import MEAN, STD
from chronotile.model.time.instants import ABSENT, DISTANT_FUTURE, DISTANT_PAST, TimePart, TimeSelection, TimeSpan
from chronotile.model.time.parsing import parse_instant
from chronotile.protocols.common.query.kvp import Kvp, choice, integer
from chronotile.protocols.common.query.place import geometry_rules, longitude_latitude

PARAMETERS = ("lon", "lat", "crs", "startDate", "endDate", "maxValids", "inclCount", "inclStDev", "zoom")

ONLY_VALID = -1
"""Of `maxValids`: all entries that have a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries of a series a client wants, and what of each."""

    max_valids: int | None = None
    """The latest so many that have a value, or all that have one (`ONLY_VALID`); `None` is every date."""
    has_counts: bool = True
    has_deviation: bool = False

    @property
    def name(self) -> str:
        """Text that tells one from the other, for ETags."""
        return f"terrascope-{self.max_valids}-{self.has_counts}-{self.has_deviation}"


def wanted_entries(query: Kvp) -> Wanted:
    """Return what `maxValids`, `inclCount` and `inclStDev` say.

    Raises:
        InvalidParameter: One of them is not accepted, or a parameter is misspelt.
    """
    query.check_spelling(PARAMETERS)
    text = query.optional("maxValids")
    most = None if text is None else integer(text, locator="maxValids", least=ONLY_VALID)
    if most == 0:
        raise InvalidParameter("maxValids must be -1 (all that are valid) or at least 1, got 0", locator="maxValids")
    return Wanted(
        max_valids=most,
        has_counts=_is_on(query, "inclCount", default="1"),
        has_deviation=_is_on(query, "inclStDev", default="0"),
    )


def point_request(layer: Layer, query: Kvp) -> SeriesRequest:
    """Return the series that `{productId}/point` asks for.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    return SeriesRequest(layer=layer.id, point=longitude_latitude(query), time=days_of(query))


def geometry_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest | SeriesRequest:
    """Return the series that `{productId}/geometry` asks for: of a polygon, or of the one cell under a point.

    Raises:
        ChronotileError: A parameter or the geometry is not accepted.
    """
    position = point_of(body)
    if position is not None:
        return SeriesRequest(layer=layer.id, point=place_in_degrees(*position), time=days_of(query))
    rules = geometry_rules(layer, query, catalogue, elsewhere=f"{layer.id}/features")
    return _areas_request(layer, query, (area_of(body, rules),))


def collection_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `{productId}/geometries` and `{productId}/features` ask for.

    Raises:
        ChronotileError: A parameter or a geometry is not accepted.
    """
    rules = geometry_rules(layer, query, catalogue, elsewhere=f"{layer.id}/geometry")
    return _areas_request(layer, query, areas_of(body, rules))


def days_of(query: Kvp) -> TimeSelection:
    """Return the times from `startDate` to `endDate`, both included; either may be absent.

    Raises:
        InvalidParameter: One is no date, the end is before the start, or other names for them are there.
    """
    query.refuse(("start", "from", "begin", "since"), instead="startDate")
    query.refuse(("end", "to", "until"), instead="endDate")
    query.refuse(("datetime", "time", "times", "date", "dates"), instead="startDate and endDate")
    start, end = (_span(query, name) for name in ("startDate", "endDate"))
    if start is None and end is None:
        return ABSENT
    span = TimeSpan(DISTANT_PAST if start is None else start.start, DISTANT_FUTURE if end is None else end.end)
    if span.end <= span.start:
        raise InvalidParameter("endDate must not be before startDate", locator="endDate")
    return TimeSelection("parts", (TimePart(span, is_interval=True),))


def _areas_request(layer: Layer, query: Kvp, areas: tuple[Area, ...]) -> AreaSeriesRequest:
    reducers = (MEAN, STD) if wanted_entries(query).has_deviation else (MEAN,)
    return AreaSeriesRequest(layer=layer.id, areas=areas, time=days_of(query), reducers=reducers)


def _is_on(query: Kvp, name: str, *, default: str) -> bool:
    text = (query.optional(name) or default).lower()
    return choice(text, ("0", "1", "false", "true"), locator=name) in {"1", "true"}


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
