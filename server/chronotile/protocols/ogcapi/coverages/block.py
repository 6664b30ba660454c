"""What coverages bring to the tree (OGC 19-087, draft)."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.coverages.links import coverage_links
from chronotile.protocols.ogcapi.coverages.openapi import SCHEMAS, coverage_paths
from chronotile.protocols.ogcapi.coverages.routes import routes

STANDARD = "http://www.opengis.net/spec/ogcapi-coverages-1/1.0/conf"
CONFORMANCE = tuple(
    f"{STANDARD}/{name}"
    for name in (
        *("core", "subsetting", "subsetting-spatial", "subsetting-temporal", "scaling", "scaling-spatial"),
        *("fieldselection", "crs", "geotiff", "netcdf", "coveragejson", "oas30"),
    )
)
"""By the names of OGC's bundle, and of the current draft, which parts subsetting and scaling by space and time."""

block = BuildingBlock(
    routes=routes,
    conformance=CONFORMANCE,
    paths=coverage_paths,
    schemas=SCHEMAS,
    collection_links=coverage_links,
)
