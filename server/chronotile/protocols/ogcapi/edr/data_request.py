"""What every data query begins with, and how its answer leaves."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.limits import Limits
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import require_at_most
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.crs import Crs
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import IsActive, Point
from chronotile.http.base_urls import base_url
from chronotile.http.bodies import BodyResponse
from chronotile.http.cache_headers import cache_headers, format_times_used
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.pipeline.answer import FilePayload
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, check_values
from chronotile.pipeline.encoders.coverage.attributes import layer_attributes
from chronotile.pipeline.encoders.coverage.cells import table_of_cells
from chronotile.pipeline.encoders.document_parts import Credits
from chronotile.pipeline.encoders.file_parts import Body, Whole, stream_parts
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
from chronotile.protocols.ogcapi.edr import queries
from chronotile.protocols.ogcapi.edr.features import location_address
from chronotile.protocols.ogcapi.edr.params import requested_layers, valued_collection

OTHER_NAMES: Mapping[str, str] = dict.fromkeys(
    ("parameter_name", "parameter_names", "parameter-names", "parametername"), "parameter-name"
)
"""What clients call parameters: OWSLib the second."""


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
            NotAcceptable: The header Accept takes none of them.
        """
        return queries.data_format(self.query, self.accept, names)

    def csv_options(self, name: str) -> CsvOptions:
        """Return how the requested layers are written as CSV; `name` is that of the format.

        Raises:
            InvalidParameter: As `csv_options`, or a layer is not of the collection.
        """
        layers = requested_layers(self.offered, self.query)
        return csv_options(self.query, layers, is_csv=name == queries.CSV)

    def media_type(self, name: str) -> str:
        """Return the media type under which a format leaves."""
        return queries.media_type_of(name, self.accept)


def parse_data_query(request: Request) -> DataRequest:
    """Return the query, and its collection.

    Raises:
        UnknownCollection: There is not one of that name, or it has no values.
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
    """Return the answer that carries series; 304 where the client holds it already.

    Args:
        payload: With its body, which is let go when it is sent.
        name: Of the format.
        data_request: As requested.
    """
    caching = cache_headers(payload.missing, is_open=payload.time.is_open)
    headers = {"ETag": f'"{payload.etag}"', "Vary": "Accept", **caching}
    if payload.time.instants:
        headers["Chronotile-Time"] = format_times_used(payload.time)
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    if name in queries.EXTENSIONS:
        headers["Content-Disposition"] = f'attachment; filename="{data_request.offered.id}.{queries.EXTENSIONS[name]}"'
    if isinstance(payload.body, Whole):
        return Response(b"".join(payload.body.iter_bytes()), media_type=payload.media_type, headers=headers)
    return BodyResponse(payload.body, media_type=payload.media_type, headers=headers)


SMALLER = f"request a smaller area or fewer times, or use {queries.NETCDF} or {queries.GEOTIFF}"
CHECK_VALUES = partial(check_values, alternative=SMALLER)


def fields_format(name: str, data_request: DataRequest, crs: Crs) -> FieldsFormat:
    """Return how series of several variables are written.

    Args:
        name: Of the format, as EDR has it.
        data_request: The request, and the collection that they are of.
        crs: Of the coordinates.
    """
    layers = tuple(data_request.offered.fields.values())
    named, media_type = Credits.of(layers, data_request.offered), data_request.media_type(name)
    said = fingerprint(crs.name, data_request.address, named, [layer_attributes(layer) for layer in layers])
    endpoint, options = partial(endpoint_of, address=data_request.address), data_request.csv_options(name)
    encoders: dict[str, Callable[[SeriesTable], Iterable[bytes]]] = {
        queries.COVERAGE_JSON: partial(encode_series_covjson, crs=crs, may_be_single=True),
        queries.GEOJSON: partial(encode_layers_geojson, endpoint_of=endpoint),
        queries.CSV: partial(encode_layers_csv, options=options),
        queries.NETCDF: lambda table: iter([encode_series_netcdf(table)]),
    }

    def encode(table: SeriesTable) -> Generator[bytes]:
        yield from encoders[name](replace(table, title=data_request.offered.id, credits=named))

    return FieldsFormat(name=f"{name} {media_type} {said} {options}", media_type=media_type, encode=encode)


def cells_formats(data_request: DataRequest, options: CsvOptions) -> dict[str, CoverageFormat]:
    """Return how cells are written, by the names that EDR has for formats; features have a point per cell."""

    def features(coverage: Coverage, is_active: IsActive) -> Body:
        named = Credits.of([field.layer for field in coverage.fields], data_request.offered)
        endpoint = partial(endpoint_of, address=data_request.address)
        table = replace(table_of_cells(coverage, is_active=is_active), credits=named)
        return stream_parts(encode_layers_geojson(table, endpoint_of=endpoint))

    def lines(coverage: Coverage, is_active: IsActive) -> Body:
        return stream_parts(encode_layers_csv(table_of_cells(coverage, is_active=is_active), options))

    return {
        queries.COVERAGE_JSON: COVERAGE_FORMATS["json"]._replace(check=CHECK_VALUES),
        queries.GEOJSON: CoverageFormat(
            queries.MEDIA_TYPES[queries.GEOJSON], "geojson", features, _check_features, is_streamed=True
        ),
        queries.CSV: CoverageFormat(queries.MEDIA_TYPES[queries.CSV], "csv", lines, CHECK_VALUES, is_streamed=True),
        queries.NETCDF: COVERAGE_FORMATS["NetCDF"],
        queries.GEOTIFF: COVERAGE_FORMATS["GTiff"],
    }


def _check_features(coverage: Coverage, limits: Limits) -> None:
    """Refuse more features than a document may have.

    Raises:
        LimitExceeded: There are more cells than `max_features`, or more values than `max_series_values`.
    """
    CHECK_VALUES(coverage, limits)
    cells = coverage.grid.width * coverage.grid.height
    fewer = f"request a smaller area, or use {queries.COVERAGE_JSON} or {queries.CSV}"
    require_at_most("max_features", cells, limits.max_features, alternative=fewer, locator="f")


def endpoint_of(place: Point | Area, *, address: str) -> str:
    """Return the URL of the query for one place of a collection."""
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
"""Of queries whose `coords` are an area: cells have no other box."""
