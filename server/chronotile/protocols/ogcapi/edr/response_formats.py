"""How answers of data queries are written."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

from chronotile.catalog.catalogue import Limits
from chronotile.encoders.coverage.attributes import layer_attributes
from chronotile.encoders.coverage.cells import table_of_cells
from chronotile.encoders.credits import Credits
from chronotile.encoders.file_parts import Body, stream_parts
from chronotile.encoders.series.covjson import encode_series_covjson
from chronotile.encoders.series.csv import CsvOptions, encode_layers_csv
from chronotile.encoders.series.geojson import encode_layers_geojson
from chronotile.encoders.series.netcdf import encode_series_netcdf
from chronotile.encoders.series.table import SeriesTable
from chronotile.errors import LimitExceeded
from chronotile.model.cancellation import IsActive
from chronotile.model.coverage import Coverage
from chronotile.model.crs import Crs
from chronotile.model.geometry.area import Area
from chronotile.model.request import Point
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, check_values
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.fields import FieldsFormat
from chronotile.protocols.ogcapi.edr.data_request import DataRequest
from chronotile.protocols.ogcapi.edr.formats import COVERAGE_JSON, CSV, GEOJSON, GEOTIFF, MEDIA_TYPES, NETCDF
from chronotile.protocols.ogcapi.edr.locations import location_address

SMALLER = f"request a smaller area or fewer times, or use {NETCDF} or {GEOTIFF}"
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
        COVERAGE_JSON: partial(encode_series_covjson, crs=crs, may_be_single=True),
        GEOJSON: partial(encode_layers_geojson, endpoint_of=endpoint),
        CSV: partial(encode_layers_csv, options=options),
        NETCDF: lambda table: iter([encode_series_netcdf(table)]),
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
        COVERAGE_JSON: COVERAGE_FORMATS["json"]._replace(check=CHECK_VALUES),
        GEOJSON: CoverageFormat(MEDIA_TYPES[GEOJSON], "geojson", features, _check_features, is_streamed=True),
        CSV: CoverageFormat(MEDIA_TYPES[CSV], "csv", lines, CHECK_VALUES, is_streamed=True),
        NETCDF: COVERAGE_FORMATS["NetCDF"],
        GEOTIFF: COVERAGE_FORMATS["GTiff"],
    }


def _check_features(coverage: Coverage, limits: Limits) -> None:
    """Refuse more features than a document may have.

    Raises:
        LimitExceeded: There are more cells than `max_features`, or more values than `max_series_values`.
    """
    CHECK_VALUES(coverage, limits)
    cells = coverage.grid.width * coverage.grid.height
    if cells > limits.max_features:
        raise LimitExceeded(
            "max_features",
            allowed=limits.max_features,
            needed=cells,
            alternative=f"request a smaller area, or use {COVERAGE_JSON} or {CSV}",
            locator="f",
        )


def endpoint_of(place: Point | Area, *, address: str) -> str:
    """Return the URL of the query for one place of a collection."""
    if isinstance(place, Area):
        return location_address(address, str(place.id))
    longitude, latitude = place.degrees
    return f"{address}/position?{urlencode({'coords': f'POINT({longitude!r} {latitude!r})'})}"
