"""The start and the end of every data query: its request, and its response in a format."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.limits import Limits
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import require_at_most
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import Point
from chronotile.core.model.space.crs import Crs
from chronotile.http.base_urls import base_url
from chronotile.http.bodies import BodyResponse
from chronotile.http.cache_headers import cache_headers, format_times_used
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.pipeline.cached_answer import FilePayload
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, check_values
from chronotile.pipeline.encoders.bodies import Body, BytesBody, stream_parts
from chronotile.pipeline.encoders.coverage.attributes import layer_attributes
from chronotile.pipeline.encoders.coverage.cells import table_of_cells
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.covjson import encode_series_covjson
from chronotile.pipeline.encoders.series.csv import CsvOptions, encode_layers_csv
from chronotile.pipeline.encoders.series.json import encode_layers_geojson
from chronotile.pipeline.encoders.series.netcdf import encode_series_netcdf
from chronotile.pipeline.encoders.series.table import SeriesTable
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.fields import FieldsFormat
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.csv_options import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.edr import formats
from chronotile.protocols.ogcapi.edr.locations import location_address
from chronotile.protocols.ogcapi.edr.params import requested_layers, valued_collection

OTHER_NAMES: Mapping[str, str] = dict.fromkeys(
    ("parameter_name", "parameter_names", "parameter-names", "parametername"), "parameter-name"
)
"""Spellings of `parameter-name` by clients; OWSLib sends `parameter_names`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """A request for data of a collection."""

    services: Services
    offered: OfferedCollection
    query: Kvp
    accept: str
    address: str
    """Public URL of the collection."""

    def format_among(self, names: tuple[str, ...]) -> str:
        """Return the name of the requested format.

        Raises:
            InvalidParameter: `f` is not one of `names`.
            NotAcceptable: The header Accept accepts none of them.
        """
        return formats.data_format(self.query, self.accept, names)

    def csv_options(self, name: str) -> CsvOptions:
        """Return the CSV options for the requested layers; `name` is the format.

        Raises:
            InvalidParameter: An option is not accepted, or a layer is not part of the collection.
        """
        layers = requested_layers(self.offered, self.query)
        return csv_options(self.query, layers, is_csv=name == formats.CSV)

    def media_type(self, name: str) -> str:
        """Return the media type of a response in a format."""
        return formats.media_type_of(name, self.accept)


def parse_data_query(request: Request) -> DataRequest:
    """Return the request, with its collection.

    Raises:
        UnknownCollection: The collection does not exist, or has no values.
        InvalidParameter: A parameter is repeated with different values.
    """
    services = services_of(request)
    offered = valued_collection(services.catalogue, request.path_params["collectionId"])
    return DataRequest(
        services=services,
        offered=offered,
        query=Kvp((OTHER_NAMES.get(name.lower(), name), value) for name, value in request.query_params.multi_items()),
        accept=request.headers.get("accept", ""),
        address=f"{base_url(request)}/ogcapi/collections/{quote(offered.id)}",
    )


def data_response(payload: FilePayload, name: str, data_request: DataRequest) -> Response:
    """Return the response with series; 304 if they are unchanged since the client's request.

    The body of the payload is released after it is sent.
    """
    caching = cache_headers(payload.missing, is_open=payload.time.is_open)
    headers = {"ETag": f'"{payload.etag}"', "Vary": "Accept", **caching}
    if payload.time.instants:
        headers["Chronotile-Time"] = format_times_used(payload.time)
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    if name in formats.EXTENSIONS:
        headers["Content-Disposition"] = f'attachment; filename="{data_request.offered.id}.{formats.EXTENSIONS[name]}"'
    if isinstance(payload.body, BytesBody):
        return Response(b"".join(payload.body.iter_bytes()), media_type=payload.media_type, headers=headers)
    return BodyResponse(payload.body, media_type=payload.media_type, headers=headers)


SMALLER = f"request a smaller area or fewer times, or use {formats.NETCDF} or {formats.GEOTIFF}"
CHECK_VALUES = partial(check_values, alternative=SMALLER)


def fields_format(name: str, data_request: DataRequest, crs: Crs) -> FieldsFormat:
    """Return the encoder of series of several variables, with its media type.

    `name` is a format of EDR, `crs` applies to the coordinates in the response.
    """
    layers = tuple(data_request.offered.fields.values())
    attribution, media_type = Credits.from_layers(layers, data_request.offered), data_request.media_type(name)
    content = fingerprint(crs.name, data_request.address, attribution, [layer_attributes(layer) for layer in layers])
    endpoint, options = partial(endpoint_of, address=data_request.address), data_request.csv_options(name)
    encoders: dict[str, Callable[[SeriesTable], Iterable[bytes]]] = {
        formats.COVERAGE_JSON: partial(encode_series_covjson, crs=crs, may_be_single=True),
        formats.GEOJSON: partial(encode_layers_geojson, endpoint_of=endpoint),
        formats.CSV: partial(encode_layers_csv, options=options),
        formats.NETCDF: lambda table: iter([encode_series_netcdf(table)]),
    }

    def encode(table: SeriesTable) -> Generator[bytes]:
        yield from encoders[name](replace(table, title=data_request.offered.id, credits=attribution))

    return FieldsFormat(name=f"{name} {media_type} {content} {options}", media_type=media_type, encode=encode)


def cells_formats(data_request: DataRequest, options: CsvOptions) -> dict[str, CoverageFormat]:
    """Return the formats of cells by their names in EDR; GeoJSON has one point feature per cell."""

    def features(coverage: Coverage, is_active: IsActive) -> Body:
        attribution = Credits.from_layers([field.layer for field in coverage.fields], data_request.offered)
        endpoint = partial(endpoint_of, address=data_request.address)
        table = replace(table_of_cells(coverage, is_active=is_active), credits=attribution)
        return stream_parts(encode_layers_geojson(table, endpoint_of=endpoint))

    def lines(coverage: Coverage, is_active: IsActive) -> Body:
        return stream_parts(encode_layers_csv(table_of_cells(coverage, is_active=is_active), options))

    return {
        formats.COVERAGE_JSON: COVERAGE_FORMATS["json"]._replace(check=CHECK_VALUES),
        formats.GEOJSON: CoverageFormat(
            formats.MEDIA_TYPES[formats.GEOJSON], "geojson", features, _check_features, is_streamed=True
        ),
        formats.CSV: CoverageFormat(formats.MEDIA_TYPES[formats.CSV], "csv", lines, CHECK_VALUES, is_streamed=True),
        formats.NETCDF: COVERAGE_FORMATS["NetCDF"],
        formats.GEOTIFF: COVERAGE_FORMATS["GTiff"],
    }


def _check_features(coverage: Coverage, limits: Limits) -> None:
    """Raise if a document would have too many features.

    Raises:
        LimitExceeded: More cells than `max_features`, or more values than `max_series_values`.
    """
    CHECK_VALUES(coverage, limits)
    cells = coverage.grid.width * coverage.grid.height
    fewer = f"request a smaller area, or use {formats.COVERAGE_JSON} or {formats.CSV}"
    require_at_most("max_features", cells, limits.max_features, alternative=fewer, locator="f")


def endpoint_of(place: Point | Area, *, address: str) -> str:
    """Return the URL that queries a collection at a position or in an area."""
    if isinstance(place, Area):
        return location_address(address, str(place.id))
    longitude, latitude = place.degrees
    return f"{address}/position?{urlencode({'coords': f'POINT({longitude!r} {latitude!r})'})}"


SPELLING = {
    "point": "coords",
    "points": "coords",
    "geometry": "coords",
    "time": "datetime",
    "layer": "parameter-name",
    "location": "locationId",
    "place": "locationId",
}

edr_fault = partial(problem_response, spelling=SPELLING)
area_fault = partial(problem_response, spelling={**SPELLING, "bbox": "coords"})
"""Errors of queries with an area in `coords`; an error of the bounding box concerns `coords`, too."""
