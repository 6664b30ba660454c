"""Formats of data queries: names, media types and their choice."""

from collections.abc import Mapping, Sequence

from chronotile.core.extras import has_extra, require_extra
from chronotile.core.model.formats import COVERAGE_JSON_TYPE, GEOTIFF_TYPE
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format

COVERAGE_JSON, GEOJSON, CSV, NETCDF, GEOTIFF = "CoverageJSON", "GeoJSON", "CSV", "NetCDF", "GeoTIFF"

MEDIA_TYPES: Mapping[str, str] = {
    COVERAGE_JSON: COVERAGE_JSON_TYPE,
    GEOJSON: "application/geo+json",
    CSV: "text/csv",
    NETCDF: "application/netcdf",
    GEOTIFF: GEOTIFF_TYPE,
}
OTHER_MEDIA_TYPES: Mapping[str, str] = {
    "application/vnd.cov+json": COVERAGE_JSON,
    "application/json": COVERAGE_JSON,
    "application/x-netcdf": NETCDF,
}
"""Format per additional media type that clients send. The first is the registered name of CoverageJSON."""
OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("json", "covjson"), COVERAGE_JSON),
    **dict.fromkeys(("netcdf4", "nc"), NETCDF),
    "gtiff": GEOTIFF,
}
EXTENSIONS: Mapping[str, str] = {CSV: "csv", NETCDF: "nc", GEOTIFF: "tif"}
"""Extension of formats that browsers should save instead of display."""

POSITION_FORMATS = (COVERAGE_JSON, GEOJSON, CSV, NETCDF)
CELL_FORMATS = (COVERAGE_JSON, GEOJSON, CSV, NETCDF, GEOTIFF)
"""Formats of area, cube and radius queries."""
FILE_FORMATS = (NETCDF, GEOTIFF)
"""Formats whose size is limited in bytes instead of values."""
LOCATION_FORMATS = (COVERAGE_JSON, GEOJSON, CSV)
FEATURE_FORMATS = (GEOJSON,)
"""Formats of the lists of locations and items."""


def data_format(query: Kvp, accept: str, names: tuple[str, ...]) -> str:
    """Return the format name of the response to a data query.

    Raises:
        InvalidParameter: `f` is not one of `names`.
        NotAcceptable: The header Accept accepts none of them.
        MissingExtra: The library of the format is not installed.
    """
    offered = {name: MEDIA_TYPES[name] for name in names}
    aliases = {**OTHER_MEDIA_TYPES, **OTHER_NAMES}
    if names == FEATURE_FORMATS:
        aliases = {"json": GEOJSON, "application/json": GEOJSON}
    name = negotiate_format(
        query,
        accept,
        offered,
        aliases={alias: name for alias, name in aliases.items() if name in names},
        lacking=set(names).difference(list_installed(names)),
    )
    if name == NETCDF:
        require_extra("netcdf", f"format {NETCDF}", locator="f")
    return name


def list_installed(names: Sequence[str]) -> list[str]:
    """Return the formats whose libraries are installed."""
    return [name for name in names if name != NETCDF or has_extra("netcdf")]


def media_type_of(name: str, accept: str) -> str:
    """Return the media type of a response: an additional one if Accept lists only that, else the usual one."""
    usual = MEDIA_TYPES[name]
    types = {usual, *(media_type for media_type, format_name in OTHER_MEDIA_TYPES.items() if format_name == name)}
    listed = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    accepted = [media_type for media_type in listed if media_type in types]
    return accepted[0] if accepted and usual not in accepted else usual
