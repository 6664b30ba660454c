"""`/timeseries/v1.0/ts` and `/timeseries/v1.1/ts`: Terrascope's list, point, geometry, geometries and features."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.geometry.geojson import area_of, areas_of, point_of
from chronotile.core.model.number_text import number_texts, statistics, text_values
from chronotile.core.model.request import AreaSeriesRequest, SeriesRequest, place_in_degrees
from chronotile.core.model.series.reducers import MEAN, STD
from chronotile.core.model.series.series import AreaSeries, AreasSeries, Series
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan, format_day, format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.time.selection import ABSENT, TimePart, TimeSelection
from chronotile.core.model.types import InstantArray, Int64Array, Json
from chronotile.http.answers import answer_content
from chronotile.http.cache_headers import add_live_warning, cache_headers
from chronotile.http.problems import problem_response
from chronotile.http.request_bodies import parsed_body_callback, read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import refuse_if_busy, run
from chronotile.http.work_kinds import AREAS, DOCUMENTS
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.resolve_series import has_open_times
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.pipeline.series.point import SeriesFormat, extract_series
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.openapi import REFUSALS_OF_BODIES, body, ref
from chronotile.protocols.common.operation import Operation, routes_of, segment
from chronotile.protocols.common.query.areas import geometry_rules
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, custom, names_of, whole
from chronotile.protocols.common.query.points import LAT, LON, longitude_latitude
from chronotile.protocols.timeseries.formats import answer_series

terrascope_fault = partial(problem_response, spelling={"layer": "productId", "point": "lon,lat", "time": "startDate"})
"""Problem documents with the parameter names of Terrascope."""
ONLY_VALID = -1
"""Value of `maxValids` that selects all entries with a value."""
SWITCH: Mapping[str, bool] = {"0": False, "1": True, "false": False, "true": True}


def _day(text: str, name: str) -> TimeSpan:
    try:
        return parse_instant(text)
    except InvalidParameter as error:
        raise InvalidParameter(
            f"{name} must be a date such as 2020-06-24, got {text[:MAX_SHOWN]!r}", locator=name
        ) from error


START = custom("startDate", "The first day, included", partial(_day, name="startDate"))
END = custom("endDate", "The last day, included", partial(_day, name="endDate"))
MAX_VALIDS = whole("maxValids", "`-1`: only dates with a value; `n`: the latest n of those", least=ONLY_VALID)
INCL_COUNT = code("inclCount", "`0` leaves the counts out", SWITCH, default="1", described=("0", "1"))
INCL_ST_DEV = code("inclStDev", "`1` adds the standard deviation", SWITCH, default="0", described=("0", "1"))
ZOOM = whole("zoom", "Without effect: counts are of native pixels")
OF_SERIES: tuple[Parameter[object], ...] = (START, END, MAX_VALIDS, INCL_COUNT, INCL_ST_DEV, ZOOM)
OF_POINT = (*OF_SERIES, LON, LAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOptions:
    """Selection of entries in a series, and their members."""

    max_valids: int | None = None
    """Number of newest entries with a value, or `ONLY_VALID`; `None` selects every date."""
    has_counts: bool = True
    has_deviation: bool = False

    @property
    def name(self) -> str:
        """Text that identifies the options in ETags."""
        return f"terrascope-{self.max_valids}-{self.has_counts}-{self.has_deviation}"


def entry_options(query: Kvp) -> EntryOptions:
    """Return the options of `maxValids`, `inclCount` and `inclStDev`.

    Raises:
        InvalidParameter: A value is not accepted, or a parameter is misspelt.
    """
    query.check_spelling((*names_of(OF_POINT), "crs"))
    most = MAX_VALIDS.optional(query)
    if most == 0:
        raise InvalidParameter("maxValids must be -1 (all that are valid) or at least 1, got 0", locator="maxValids")
    return EntryOptions(max_valids=most, has_counts=INCL_COUNT.value(query), has_deviation=INCL_ST_DEV.value(query))


def point_request(layer: Layer, query: Kvp) -> SeriesRequest:
    """Return the series that `{productId}/point` requests.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    return SeriesRequest(layer=layer.id, point=longitude_latitude(query), time=days_of(query))


def geometry_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest | SeriesRequest:
    """Return the series that `{productId}/geometry` requests, for a polygon or the cell at a point.

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
        InvalidParameter: A date is invalid, the end is before the start, or the query has other names for dates.
    """
    query.refuse(("datetime", "time", "times", "date", "dates"), instead="startDate and endDate")
    start, end = START.optional(query), END.optional(query)
    if start is None and end is None:
        return ABSENT
    span = TimeSpan(DISTANT_PAST if start is None else start.start, DISTANT_FUTURE if end is None else end.end)
    if span.end <= span.start:
        raise InvalidParameter("endDate must not be before startDate", locator="endDate")
    return TimeSelection("parts", (TimePart(span, is_interval=True),))


def _areas_request(layer: Layer, query: Kvp, areas: tuple[Area, ...]) -> AreaSeriesRequest:
    reducers = (MEAN, STD) if entry_options(query).has_deviation else (MEAN,)
    return AreaSeriesRequest(layer=layer.id, areas=areas, time=days_of(query), reducers=reducers)


MEDIA_TYPE = "application/json"
EncodeAreas = Callable[[AreasSeries, TimeDomain, EntryOptions], bytes]


async def get_layers(request: Request) -> Response:
    """Return Terrascope's list of layers."""
    catalogue = services_of(request).catalogue
    body = await run(request, DOCUMENTS, lambda: orjson.dumps(layer_list(catalogue)))
    return answer_content(body, MEDIA_TYPE, request)


async def get_point(request: Request) -> Response:
    """Return the series of a point."""
    layer = services_of(request).catalogue.layer(request.path_params["layer"])
    query = Kvp(request.query_params.multi_items())
    series_request, options = point_request(layer, query), entry_options(query)
    encode = partial(encode_point_series, domain=layer.times, options=options)
    return await answer_series(
        request, series_request, SeriesFormat(name=options.name, media_type=MEDIA_TYPE, encode=encode)
    )


async def post_body(
    request: Request, read: Callable[..., AreaSeriesRequest | SeriesRequest], encode: EncodeAreas
) -> Response:
    """Return the series of a geometry or of a collection of geometries in the body."""
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    refuse_if_busy(request, AREAS, layer.id)
    body = await read_body(request)
    query = Kvp(request.query_params.multi_items())
    has_parsed = parsed_body_callback(request)

    def work(is_active: IsActive) -> tuple[bytes, dict[str, str]]:
        series_request, options = read(layer, query, body, services.catalogue), entry_options(query)
        has_parsed()
        is_open = has_open_times(layer, series_request.time)
        if isinstance(series_request, SeriesRequest):
            series = extract_series(series_request, services, is_active=is_active)
            headers = cache_headers(series.missing, is_open=is_open)
            return encode_point_series(series, layer.times, options), headers
        areas_series = extract_area_series(series_request, services, is_active=is_active)
        headers = cache_headers(areas_series.missing, is_open=is_open)
        return encode(areas_series, layer.times, options), headers

    document, headers = await run(request, AREAS, work, layers=[layer.id])
    return add_live_warning(Response(document, media_type=MEDIA_TYPE, headers=headers), [layer], services)


LAYER = segment("layer", "Product: id or alias of a layer", example=lambda of: of.layer)
DAYS: Json = {
    "startDate": lambda of: f"{of.times}-01-01" if of.times else None,
    "endDate": lambda of: f"{of.times}-12-31" if of.times else None,
}


def _version_operations(version: str) -> Iterator[Operation]:
    root, suffix = f"/timeseries/{version}/ts", version.replace(".", "_")
    describe = partial(Operation, tag="Terrascope's time-series service", faults=terrascope_fault)
    yield describe(
        root,
        get_layers,
        f"getTerrascopeLayers_{suffix}",
        "The layers that have series, with their dates",
        answers={MEDIA_TYPE: ref("TerrascopeLayers")},
        refusals=("Unavailable",),
    )
    yield describe(
        f"{root}/{{layer}}/point",
        get_point,
        f"getTerrascopePoint_{suffix}",
        "The series of a point",
        parameters=[LAYER, *OF_POINT],
        examples={**DAYS, "lon": lambda of: of.longitude, "lat": lambda of: of.latitude},
        required=("lon", "lat"),
        answers={MEDIA_TYPE: ref("TerrascopeSeries")},
    )
    post = partial(describe, method="POST", parameters=[LAYER, *OF_SERIES], examples=DAYS, refusals=REFUSALS_OF_BODIES)
    yield post(
        f"{root}/{{layer}}/geometry",
        partial(post_body, read=geometry_request, encode=encode_area_series),
        f"postTerrascopeGeometry_{suffix}",
        "The series of the geometry of a body",
        body=lambda of: body(ref("Geometry"), of.feature),
        answers={MEDIA_TYPE: ref("TerrascopeSeries")},
    )
    yield post(
        f"{root}/{{layer}}/geometries",
        partial(post_body, read=collection_request, encode=encode_areas_series),
        f"postTerrascopeGeometries_{suffix}",
        "The series of each geometry of a collection",
        body=lambda of: body(ref("Geometry"), {"type": "GeometryCollection", "geometries": [of.polygon]}),
        answers={MEDIA_TYPE: ref("TerrascopeSeriesOfMany")},
    )
    yield post(
        f"{root}/{{layer}}/features",
        partial(post_body, read=collection_request, encode=encode_areas_series),
        f"postTerrascopeFeatures_{suffix}",
        "The series of each feature of a collection",
        body=lambda of: body(ref("FeatureCollection"), of.features),
        answers={MEDIA_TYPE: ref("TerrascopeSeriesOfMany")},
    )


# The documents of Terrascope's time-series service: the same keys, JSON types and order.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellColumns:
    """Counts and statistics of one place at each time."""

    total: int
    """Number of cells."""
    valid: Int64Array
    """(time,) cells with a value."""
    averages: list[str]
    """(time,) as text; empty if no cell has a value."""
    deviations: list[str] | None = None
    """(time,) as text: standard deviation among the cells at one time."""


def layer_list(catalogue: Catalogue) -> dict[str, Any]:
    """Return every layer that has series, under its id and under each alias; composites have none."""
    layers = (layer for layer in catalogue.layers if not layer.is_composite)
    return {"layers": [entry for layer in layers for entry in _layer_entries(layer)]}


def _layer_entries(layer: Layer) -> Iterable[dict[str, Any]]:
    dates = format_instants(layer.times.instants)
    xmin, ymin, xmax, ymax = longitude_latitude_box(layer)
    bounds = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
    for name in (layer.id, *(alias.name for alias in layer.aliases)):
        yield {"name": name, "dates": dates, "bounds": bounds}


def encode_point_series(series: Series, domain: TimeDomain, options: EntryOptions) -> bytes:
    """Return one result per date; dates without a value are included unless the query excludes them.

    Args:
        series: Series of one native cell.
        domain: All times of the layer; they show whether a day has several.
        options: Selection of entries and their members.
    """
    has_value = np.isfinite(series.values)
    cell = CellColumns(
        total=1, valid=has_value.astype(np.int64), averages=number_texts(text_values(series.values, series.encoding))
    )
    return b'{"results":' + _entries(cell, _dates(series.times, domain), options) + b"}"


def encode_area_series(series: AreasSeries, domain: TimeDomain, options: EntryOptions) -> bytes:
    """Return the results of the single area, in the form of a point."""
    return b'{"results":' + _entries(_column(series.areas[0]), _dates(series.times, domain), options) + b"}"


def encode_areas_series(series: AreasSeries, domain: TimeDomain, options: EntryOptions) -> bytes:
    """Return a list of results per area, in the order of the areas."""
    dates = _dates(series.times, domain)
    # One area at a time: an entry needs ten times the memory of its text.
    lists = b",".join(_entries(_column(area_series), dates, options) for area_series in series.areas)
    return b'{"results":[' + lists + b"]}"


def _column(series: AreaSeries) -> CellColumns:
    texts = {name: number_texts(statistics(values)) for name, values in series.reduced.items()}
    return CellColumns(
        total=series.total, valid=series.valid, averages=texts[MEAN.name], deviations=texts.get(STD.name)
    )


def _entries(column: CellColumns, dates: list[str], options: EntryOptions) -> bytes:
    """Return selected entries as a JSON list; empty for a layer without time."""
    if not dates:
        return b"[]"
    indexes = np.arange(len(dates))
    if options.max_valids is not None:
        indexes = np.flatnonzero(column.valid)
        if options.max_valids > 0:
            indexes = indexes[-options.max_valids :]
    return orjson.dumps(
        [{"date": dates[index], "result": _result(column, index, options)} for index in indexes.tolist()]
    )


def _result(column: CellColumns, index: int, options: EntryOptions) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if options.has_counts:
        result = {"totalCount": column.total, "validCount": int(column.valid[index])}
    result["average"] = orjson.Fragment(column.averages[index] or "null")
    if options.has_deviation and column.deviations is not None:
        result["uncertainty"] = orjson.Fragment(column.deviations[index] or "null")
    return result


def _dates(instants: InstantArray, domain: TimeDomain) -> list[str]:
    """Return `YYYY-MM-DD`, or the full instant on days with several; empty for a layer without time."""
    if len(domain) == 0:
        return []
    days, counts = np.unique(domain.instants.astype("datetime64[D]"), return_counts=True)
    shared = set(days[counts > 1].tolist())
    return [
        format_instant(instant) if day in shared else format_day(instant)
        for instant, day in zip(instants, instants.astype("datetime64[D]").tolist(), strict=True)
    ]


operations = (*_version_operations("v1.0"), *_version_operations("v1.1"))
slashed_routes = routes_of(replace(operation, path=f"{operation.path}/") for operation in operations)
"""The same paths with a slash at the end."""
