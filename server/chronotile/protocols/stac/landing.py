"""The landing page: a STAC catalogue of all collections (STAC API 1.0, core)."""

from collections.abc import Iterator, Sequence

from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.stac.context import (
    GEOJSON_TYPE,
    JSON_TYPE,
    REL_QUERYABLES,
    SCHEMA_TYPE,
    STAC_VERSION,
    Json,
    StacContext,
    link,
    stac_collections,
)

OPENAPI_TYPE = "application/vnd.oai.openapi+json;version=3.1"
CATALOG_ID = "chronotile"


def landing_document(context: StacContext, classes: Sequence[str]) -> Json:
    """Return the landing page; `classes` are those of standards that hold."""
    service = context.services.catalogue.service
    title = text_in(service.title, context.language) or CATALOG_ID
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "stac_extensions": [],
        "id": CATALOG_ID,
        "title": title,
        "description": text_in(service.abstract, context.language) or title,
        "conformsTo": list(classes),
        "links": list(_links(context)),
    }


def _links(context: StacContext) -> Iterator[Json]:
    root = context.root
    yield link("self", root, JSON_TYPE, "This catalogue")
    yield context.root_link
    yield link("conformance", f"{root}/conformance", JSON_TYPE, "Classes of standards that hold here")
    yield link("data", f"{root}/collections", JSON_TYPE, "All collections")
    for method in ("GET", "POST"):
        yield {**link("search", f"{root}/search", GEOJSON_TYPE, "Search of items"), "method": method}
    yield link(REL_QUERYABLES, f"{root}/queryables", SCHEMA_TYPE, "Properties that filters compare")
    yield from aggregation_links(root)
    yield link("changes", f"{root}/changes", JSON_TYPE, "Items that were added, replaced and removed")
    yield link("service-desc", f"{context.base}/openapi.json", OPENAPI_TYPE, "OpenAPI document")
    yield link("service-doc", f"{context.base}/docs", "text/html", "The same as a page")
    for each in stac_collections(context):
        title = text_in(each.title, context.language) or each.id
        yield link("child", context.collection_url(each.id), JSON_TYPE, title)


def aggregation_links(url: str) -> Iterator[Json]:
    """Yield the links to counts of items, of all or of a collection, whose URL is given."""
    for method in ("GET", "POST"):
        yield {**link("aggregate", f"{url}/aggregate", JSON_TYPE, "Counts of items"), "method": method}
    yield link("aggregations", f"{url}/aggregations", JSON_TYPE, "Counts that there are")
