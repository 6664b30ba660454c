"""The formats of answers to data queries, by the names that EDR has for them."""

from collections.abc import Mapping, Sequence

from chronotile.extras import has_extra, require_extra
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format

COVERAGE_JSON, GEOJSON, CSV, NETCDF, GEOTIFF = "CoverageJSON", "GeoJSON", "CSV", "NetCDF", "GeoTIFF"

MEDIA_TYPES: Mapping[str, str] = {
    COVERAGE_JSON: "application/prs.coverage+json",
    GEOJSON: "application/geo+json",
    CSV: "text/csv",
    NETCDF: "application/netcdf",
    GEOTIFF: "image/tiff; application=geotiff",
}
OTHER_MEDIA_TYPES: Mapping[str, str] = {
    "application/vnd.cov+json": COVERAGE_JSON,
    "application/json": COVERAGE_JSON,
    "application/x-netcdf": NETCDF,
}
"""By which clients request the same: the first is the name that CoverageJSON was registered under."""
OTHER_NAMES: Mapping[str, str] = {
    "json": COVERAGE_JSON,
    "covjson": COVERAGE_JSON,
    "netcdf4": NETCDF,
    "nc": NETCDF,
    "gtiff": GEOTIFF,
}
EXTENSIONS: Mapping[str, str] = {CSV: "csv", NETCDF: "nc", GEOTIFF: "tif"}
"""Of files that a browser had better save than show."""

OF_POSITION = (COVERAGE_JSON, GEOJSON, CSV, NETCDF)
OF_CELLS = (COVERAGE_JSON, GEOJSON, CSV, NETCDF, GEOTIFF)
"""Of area, cube and radius."""
OF_LOCATION = (COVERAGE_JSON, GEOJSON, CSV)
OF_FEATURES = (GEOJSON,)
"""Of locations and items."""
ALL = OF_CELLS


def data_format(query: Kvp, accept: str, names: tuple[str, ...]) -> str:
    """Return the name of the format that a data query is answered in.

    Raises:
        InvalidParameter: `f` is not one of `names`.
        NotAcceptable: The header Accept takes none of them.
        MissingExtra: The library of the format is not installed.
    """
    offered = {name: MEDIA_TYPES[name] for name in names}
    others = {**OTHER_MEDIA_TYPES, **OTHER_NAMES}
    if names == OF_FEATURES:
        others = {"json": GEOJSON, "application/json": GEOJSON}
    name = negotiate_format(
        query,
        accept,
        offered,
        aliases={key: name for key, name in others.items() if name in names},
        lacking=set(names).difference(installed(names)),
    )
    if name == NETCDF:
        require_extra("netcdf", f"format {NETCDF}", locator="f")
    return name


def installed(names: Sequence[str]) -> list[str]:
    """Return those of some formats whose libraries are installed."""
    return [name for name in names if name != NETCDF or has_extra("netcdf")]


def media_type_of(name: str, accept: str) -> str:
    """Return the media type under which a format leaves: another name of it, where the client asks by that alone."""
    known = {MEDIA_TYPES[name], *(each for each, stands_for in OTHER_MEDIA_TYPES.items() if stands_for == name)}
    accepted = [
        each for each in (part.partition(";")[0].strip().lower() for part in accept.split(",")) if each in known
    ]
    return accepted[0] if accepted and MEDIA_TYPES[name] not in accepted else MEDIA_TYPES[name]
