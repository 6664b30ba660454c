"""The landing page (STAC API 1.0, core), the classes that hold here, and the properties that filters compare."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from chronotile.catalog.items.properties import instant_in
from chronotile.core.model.items import ItemSearch
from chronotile.pipeline.search.search_items import search_index
from chronotile.protocols.catalogue.stac.context import (
    GEOJSON_TYPE,
    JSON_TYPE,
    REL_QUERYABLES,
    SCHEMA_TYPE,
    STAC_VERSION,
    StacContext,
    stac_collections,
)
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import Json

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


STAC = "https://api.stacspec.org/v1.0.0"
FEATURES_1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf"
FEATURES_3 = "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf"
CQL2 = "http://www.opengis.net/spec/cql2/1.0/conf"
OPERATORS = (
    *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison"),
    *("basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions", "temporal-functions"),
    "property-property",
)
CONFORMANCE = (
    *(f"{STAC}/{name}" for name in ("core", "collections", "ogcapi-features", "item-search")),
    *(
        f"{STAC}/{scope}#{name}"
        for scope in ("item-search", "ogcapi-features")
        for name in ("fields", "filter", "sort")
    ),
    *(f"https://api.stacspec.org/v1.0.0-rc.1/collection-search{name}" for name in ("", "#free-text")),
    *(f"https://api.stacspec.org/v0.3.0/aggregation{name}" for name in ("", "#filter")),
    *(f"{FEATURES_1}/{name}" for name in ("core", "geojson")),
    *(f"{FEATURES_3}/{name}" for name in ("filter", "features-filter", "queryables")),
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/simple-query",
    *(f"{CQL2}/{name}" for name in OPERATORS),
)
OF_WRITING = (
    f"{STAC}/ogcapi-features/extensions/transaction",
    "http://www.opengis.net/spec/ogcapi-features-4/1.0/conf/simpletx",
)
"""Where items may be written."""


def conformance(*, may_write: bool) -> Sequence[str]:
    """Return the classes; `may_write`: whether any request may write items."""
    return (*CONFORMANCE, *OF_WRITING) if may_write else CONFORMANCE


SAMPLE = 20
"""Of the newest items, whose properties are listed."""
SCHEMA = "https://json-schema.org/draft/2020-12/schema"
TIME: Json = {"type": "string", "format": "date-time"}
KNOWN: Json = {
    "id": {"title": "Id of the item", "type": "string"},
    "collection": {"title": "Id of the collection", "type": "string"},
    "geometry": {"title": "Footprint", "$ref": "https://geojson.org/schema/Geometry.json"},
    "datetime": {"title": "Start of the observation", **TIME},
    "start_datetime": {"title": "Start of the observation", **TIME},
    "end_datetime": {"title": "End of the observation", **TIME},
    "updated": {"title": "When the item was changed", **TIME},
}


def queryables_document(collection: str | None, context: StacContext) -> Json:
    """Return the properties that newest items of the index have, of all collections or of one; others are accepted.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    url = context.root if collection is None else context.collection_url(collection)
    wanted = ItemSearch(collections=() if collection is None else (collection,), limit=SAMPLE)
    found = search_index(wanted, context.services).items
    properties = _properties(orjson.loads(each.document).get("properties", {}) for each in found)
    return {
        "$schema": SCHEMA,
        "$id": f"{url}/queryables",
        "type": "object",
        "title": "Queryables" if collection is None else f"Queryables of {collection}",
        "properties": {**properties, **KNOWN},
        "additionalProperties": True,
    }


def _properties(items: Iterable[Any]) -> Json:
    found: Json = {}
    for properties in items:
        for name, value in properties.items():
            schema = _schema(value)
            if schema is not None:
                found.setdefault(name, {"title": name, **schema})
    return dict(sorted(found.items()))


def _schema(value: object) -> Json | None:
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"} if instant_in(value) is None else TIME
    return None
