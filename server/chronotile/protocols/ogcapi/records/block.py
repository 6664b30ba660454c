"""OGC API - Records - Part 1: Core (OGC 20-004r1)."""

from collections.abc import Sequence

from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext, Link
from chronotile.protocols.ogcapi.records.common_properties import CATALOG, address_of
from chronotile.protocols.ogcapi.records.documents import further_collections
from chronotile.protocols.ogcapi.records.openapi import SCHEMAS, record_paths
from chronotile.protocols.ogcapi.records.record_collections import RECORD_COLLECTIONS, RECORDS_1
from chronotile.protocols.ogcapi.records.routes import routes

REL_CATALOG = "http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog"
RECORDS = (
    *("record-core", "record-collection", "record-core-query-parameters", "records-api", "sorting", "cql-filter"),
    *("json", "html", "oas30", "autodiscovery"),
    *("searchable-catalog", "searchable-catalog/sorting", "searchable-catalog/filtering"),
)
FILTERS = ("filter", "queryables")
CQL2 = ("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison")


def landing_links(context: DocumentContext) -> Sequence[Link]:
    """Return the collections of records."""
    return [
        Link(rel=REL_CATALOG, href=address_of(each, context), type=CATALOG, title=each.title)
        for each in RECORD_COLLECTIONS
    ]


block = BuildingBlock(
    routes=routes,
    conformance=(
        *(f"{RECORDS_1}/{name}" for name in RECORDS),
        *(f"http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/{name}" for name in FILTERS),
        *(f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" for name in CQL2),
    ),
    paths=record_paths,
    schemas=SCHEMAS,
    landing_links=landing_links,
    further_collections=further_collections,
)
