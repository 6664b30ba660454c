"""The formats of coverages in OGC API, by names and media types."""

from collections.abc import Mapping

from chronotile.core.extras import has_extra
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS

FORMATS: Mapping[str, str] = {name: each.media_type for name, each in COVERAGE_FORMATS.items()}
"""Media types by names; the first is for those who take anything."""
ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("geotiff", "tiff", "tif", "cog"), "GTiff"),
    **dict.fromkeys(("nc", "netcdf4", "application/netcdf"), "NetCDF"),
    **dict.fromkeys(("geozarr", "application/x-zarr", "application/zarr+zip", "application/vnd.zarr"), "zarr"),
    **dict.fromkeys(("covjson", "coveragejson", "application/vnd.cov+json", "application/json"), "json"),
}
"""Other names and media types that clients request."""
JSON, JSON_SCHEMA = "application/json", "application/schema+json"
"""The formats of coverage documents."""


def lacking_formats() -> frozenset[str]:
    """Return the names of formats whose library is not installed."""
    return frozenset[str]() if has_extra("netcdf") else frozenset({"NetCDF"})
