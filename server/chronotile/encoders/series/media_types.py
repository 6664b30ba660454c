"""Media types of series, by the name that `format=` gives them."""

from collections.abc import Mapping

SERIES_MEDIA_TYPES: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "covjson": "application/prs.coverage+json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "netcdf": "application/netcdf",
}
