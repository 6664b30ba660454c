"""How answers of data queries are written."""

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from urllib.parse import urlencode

from chronotile.catalog.catalogue import Limits
from chronotile.catalog.offered import Offered
from chronotile.encoders.coverage.attributes import told_of_layer
from chronotile.encoders.coverage.fields import fields_of_cells
from chronotile.encoders.credits import Credits
from chronotile.encoders.file_parts import Body, streamed
from chronotile.encoders.series.covjson_fields import encode_fields_covjson
from chronotile.encoders.series.csv_fields import encode_fields_csv
from chronotile.encoders.series.geojson_fields import encode_fields_geojson
from chronotile.encoders.series.netcdf_fields import encode_fields_netcdf
from chronotile.errors import LimitExceeded
from chronotile.model.collection import Layer
from chronotile.model.coverage import Coverage
from chronotile.model.crs import Crs
from chronotile.model.geometry.area import Area
from chronotile.model.request import Point
from chronotile.model.series.fields import FieldsSeries
from chronotile.model.wanted import IsWanted
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, check_values
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.fields import FieldsFormat
from chronotile.protocols.ogcapi.edr.data_request import DataRequest
from chronotile.protocols.ogcapi.edr.formats import COVERAGE_JSON, CSV, GEOJSON, GEOTIFF, MEDIA_TYPES, NETCDF
from chronotile.protocols.ogcapi.edr.locations import location_address

SMALLER = f"ask for a smaller area or fewer times, or for {NETCDF} or {GEOTIFF}"
CHECK_VALUES = partial(check_values, alternative=SMALLER)


def fields_format(name: str, asked: DataRequest, crs: Crs) -> FieldsFormat:
    """Return how series of several variables are written.

    Args:
        name: Of the format, as EDR has it.
        asked: The request, and the collection that they are of.
        crs: Of the coordinates.
    """
    layers = tuple(asked.offered.fields.values())
    named, media_type = credits_of(layers, asked.offered), asked.media_type(name)
    said = fingerprint(crs.name, asked.address, named, [told_of_layer(layer) for layer in layers])
    told = partial(endpoint_of, address=asked.address)
    encoders: dict[str, Callable[[FieldsSeries], Generator[bytes]]] = {
        COVERAGE_JSON: partial(encode_fields_covjson, crs=crs, credits=named),
        GEOJSON: partial(encode_fields_geojson, endpoint_of=told, credits=named),
        CSV: encode_fields_csv,
        NETCDF: partial(encode_fields_netcdf, title=asked.offered.id, credits=named),
    }
    return FieldsFormat(name=f"{name} {media_type} {said}", media_type=media_type, encode=encoders[name])


def cells_formats(asked: DataRequest) -> dict[str, CoverageFormat]:
    """Return how cells are written, by the names that EDR has for formats; features have a point a cell."""

    def features(coverage: Coverage, is_wanted: IsWanted) -> Body:
        named = credits_of([field.layer for field in coverage.fields], asked.offered)
        told = partial(endpoint_of, address=asked.address)
        return streamed(
            encode_fields_geojson(fields_of_cells(coverage, is_wanted=is_wanted), endpoint_of=told, credits=named)
        )

    def lines(coverage: Coverage, is_wanted: IsWanted) -> Body:
        return streamed(encode_fields_csv(fields_of_cells(coverage, is_wanted=is_wanted)))

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
            asked=cells,
            alternative=f"ask for a smaller area, or for {COVERAGE_JSON} or {CSV}",
            locator="f",
        )


def endpoint_of(place: Point | Area, *, address: str) -> str:
    """Return the URL of the query for one place of a collection."""
    if isinstance(place, Area):
        return location_address(address, str(place.id))
    longitude, latitude = place.degrees
    return f"{address}/position?{urlencode({'coords': f'POINT({longitude!r} {latitude!r})'})}"


def credits_of(layers: Sequence[Layer], offered: Offered) -> Credits:
    """Return whom answers of some layers of a collection name, each once."""
    return Credits(
        attribution=_joined(layer.attribution or offered.attribution for layer in layers),
        license=_joined(layer.license or offered.license for layer in layers),
    )


def _joined(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None
