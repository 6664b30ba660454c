"""OGC API - Maps - Part 1: Core (OGC 20-058)."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.maps.links import collection_links, landing_links, landing_members
from chronotile.protocols.ogcapi.maps.openapi import map_paths
from chronotile.protocols.ogcapi.maps.routes import routes

CLASSES = (
    *("core", "tilesets", "background", "collections-selection", "scaling", "display-resolution", "spatial-subsetting"),
    *("datetime", "crs", "collection-map", "dataset-map", "styled-map", "png", "jpeg", "tiff"),
    *("api-operations", "cors"),
)
SCHEMES = ("https", "http")
"""The standard has the first in its URIs; its drafts, and most clients, have the second."""

block = BuildingBlock(
    routes=routes,
    conformance=tuple(
        f"{scheme}://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/{name}" for scheme in SCHEMES for name in CLASSES
    ),
    paths=map_paths,
    landing_links=landing_links,
    landing_members=landing_members,
    collection_links=collection_links,
)
