"""The formats of coverages in OGC API."""

from collections.abc import Mapping

from chronotile.core.extras import has_extra
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS

FORMATS: Mapping[str, str] = {name: coverage_format.media_type for name, coverage_format in COVERAGE_FORMATS.items()}
"""Media type per format name; the first is the default."""
ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("geotiff", "tiff", "tif", "cog"), "GTiff"),
    **dict.fromkeys(("nc", "netcdf4", "application/netcdf"), "NetCDF"),
    **dict.fromkeys(("geozarr", "application/x-zarr", "application/zarr+zip", "application/vnd.zarr"), "zarr"),
    **dict.fromkeys(("covjson", "coveragejson", "application/vnd.cov+json", "application/json"), "json"),
}
"""Format per additional name or media type that clients send."""
JSON, JSON_SCHEMA = "application/json", "application/schema+json"
"""The formats of coverage documents."""


def lacking_formats() -> frozenset[str]:
    """Return the names of formats whose library is not installed."""
    return frozenset[str]() if has_extra("netcdf") else frozenset({"NetCDF"})
