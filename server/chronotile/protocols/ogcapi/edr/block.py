"""OGC API - Environmental Data Retrieval (OGC 19-086r6)."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.edr.collection_members import collection_links, collection_members
from chronotile.protocols.ogcapi.edr.openapi import edr_paths
from chronotile.protocols.ogcapi.edr.routes import routes
from chronotile.protocols.ogcapi.edr.schemas import SCHEMAS

CLASSES = ("core", "collections", "queries", "json", "geojson", "edr-geojson", "covjson", "oas30")
VERSIONS = ("1.0", "1.1")
ROOT = "http://www.opengis.net/spec/ogcapi-edr-1"
AS_THE_SUITE_HAS_IT = f"{ROOT}/1.0/req/edr-geojson"
"""OGC's test suite looks for the class under the name of its requirements, and leaves its tests out without it."""

block = BuildingBlock(
    routes=routes,
    conformance=(*(f"{ROOT}/{version}/conf/{name}" for version in VERSIONS for name in CLASSES), AS_THE_SUITE_HAS_IT),
    paths=edr_paths,
    schemas=SCHEMAS,
    collection_links=collection_links,
    collection_members=collection_members,
)
