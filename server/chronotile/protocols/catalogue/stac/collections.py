"""STAC collections (STAC 1.1), the landing page and queryables."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from chronotile.archive.index.file_items import PROJECTION, STAC_VERSION
from chronotile.catalog.items.properties import instant_in
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.licence import append_licence, licence_of
from chronotile.core.model.formats import COG_TYPE, MapFormat
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.types import Json
from chronotile.pipeline.coverage.layer_store import has_store
from chronotile.pipeline.search.search_items import search_index
from chronotile.pipeline.styling.write_style import EXTENSION as RENDER
from chronotile.protocols.catalogue.stac import extensions
from chronotile.protocols.catalogue.stac.context import (
    GEOJSON_TYPE,
    JSON_TYPE,
    REL_QUERYABLES,
    SCHEMA_TYPE,
    StacContext,
)
from chronotile.protocols.catalogue.stac.extensions import band_of, ground_resolution, own_fields
from chronotile.protocols.catalogue.stac.layer_links import MAP_LINKS_EXTENSION, layer_links
from chronotile.protocols.common.extent import box_of, interval_of
from chronotile.protocols.common.item_collections import item_collections
from chronotile.protocols.common.links import ATOM, feed_path, link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty

OPENAPI_TYPE = "application/vnd.oai.openapi+json;version=3.1"
CATALOG_ID = "chronotile"


def landing_document(context: StacContext, classes: Sequence[str]) -> Json:
    """Return the landing page with its conformance classes."""
    service = context.services.catalogue.service
    title = text_in(service.title, context.language) or CATALOG_ID
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        **context.authentication(),
        "id": CATALOG_ID,
        "title": title,
        "description": text_in(service.abstract, context.language) or title,
        "conformsTo": list(classes),
        "links": list(_landing_links(context)),
    }


def _landing_links(context: StacContext) -> Iterator[Json]:
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
    for collection in item_collections(context.services):
        title = text_in(collection.title, context.language) or collection.id
        yield link("child", context.collection_url(collection.id), JSON_TYPE, title)


def aggregation_links(url: str) -> Iterator[Json]:
    """Yield links to counts of items; `url` is the URL of the catalogue or of a collection."""
    for method in ("GET", "POST"):
        yield {**link("aggregate", f"{url}/aggregate", JSON_TYPE, "Counts of items"), "method": method}
    yield link("aggregations", f"{url}/aggregations", JSON_TYPE, "Available counts")


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
"""Classes of a server whose items may be written."""


def conformance(*, may_write: bool) -> Sequence[str]:
    """Return the conformance classes; `may_write` is true if any client may write items."""
    return (*CONFORMANCE, *OF_WRITING) if may_write else CONFORMANCE


SAMPLE = 20
"""Number of newest items whose properties are listed."""
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
    """Return the properties of the newest items, from all collections or one; filters may use other properties too.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    url = context.root if collection is None else context.collection_url(collection)
    search = ItemSearch(collections=() if collection is None else (collection,), limit=SAMPLE)
    items = search_index(search, context.services).items
    properties = _properties(orjson.loads(item.document).get("properties", {}) for item in items)
    return {
        "$schema": SCHEMA,
        "$id": f"{url}/queryables",
        "type": "object",
        "title": "Queryables" if collection is None else f"Queryables of {collection}",
        "properties": {**properties, **KNOWN},
        "additionalProperties": True,
    }


def _properties(items: Iterable[Any]) -> Json:
    schemas: Json = {}
    for properties in items:
        for name, value in properties.items():
            schema = _schema(value)
            if schema is not None:
                schemas.setdefault(name, {"title": name, **schema})
    return dict(sorted(schemas.items()))


def _schema(value: object) -> Json | None:
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"} if instant_in(value) is None else TIME
    return None


LANGUAGE = "https://stac-extensions.github.io/language/v1.0.0/schema.json"
NO_ITEMS = "It has no times and therefore no items: its values are in the Zarr store and the coverage."
"""Added to the description of a collection without times: STAC requires a time of each item."""


def collection_document(offered: OfferedCollection, context: StacContext) -> Json:
    """Return a collection."""
    language, title = context.language, text_in(offered.title, context.language) or offered.id
    cube, renders = extensions.cube_of(offered, language), extensions.renders_of(offered.layers, language)
    links, licence = list(_links(offered, context)), licence_of(offered.license)
    summaries, service = _summaries(offered), context.services.catalogue.service
    has_times = not offered.layers or any(len(layer.times) for layer in offered.layers)
    description = (text_in(offered.abstract, language) or title) + ("" if has_times else f"\n\n{NO_ITEMS}")
    host = service.contact.name or text_in(service.title, language)
    parts = {
        extensions.DATA_CUBE_EXTENSION: bool(cube),
        PROJECTION: "proj:code" in summaries,
        extensions.RASTER: bool(own_fields(offered)),
        RENDER: bool(renders),
        MAP_LINKS_EXTENSION: any(entry["rel"] in {"xyz", "wmts", "wms"} for entry in links),
        LANGUAGE: True,
    }
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        **context.authentication([extension for extension, is_used in parts.items() if is_used]),
        "id": offered.id,
        "title": title,
        "description": append_licence(description, licence),
        "keywords": list(offered.keywords),
        "language": language,
        **omit_empty({"languages": [code for code in service.languages if code != language]}),
        "license": licence.stac,
        "providers": [{"name": host, "roles": ["host"], "url": context.base}] if host else [],
        **omit_empty({"attribution": offered.attribution}),
        "extent": {"spatial": {"bbox": [list(box_of(offered))]}, "temporal": {"interval": [interval_of(offered)]}},
        "summaries": summaries,
        "item_assets": _item_assets(offered, language),
        **cube,
        **omit_empty({"renders": renders}),
        "links": links,
        "assets": _assets(offered, context),
    }


def _summaries(offered: OfferedCollection) -> Json:
    grids = {layer.main_variable.grid: None for layer in offered.layers if not layer.main_variable.is_mosaic}
    codes = {grid.crs.name: None for grid in grids if grid.crs.uri is not None}
    sizes = sorted({ground_resolution(grid) for grid in grids})
    return omit_empty({"proj:code": list(codes), "gsd": sizes})


def _item_assets(offered: OfferedCollection, language: str) -> Json:
    return {
        name: {
            "title": text_in(layer.title, language) or layer.id,
            "type": COG_TYPE,
            "roles": ["data"],
            "bands": [band_of(layer)],
        }
        for name, layer in own_fields(offered).items()
    }


def _assets(offered: OfferedCollection, context: StacContext) -> Json:
    if not offered.layers:
        return {}
    assets: Json = {
        "thumbnail": {
            "href": f"{context.base}/layers/{quote(offered.drawn_layer.id, safe='')}/preview.png",
            "type": MapFormat.PNG,
            "roles": ["thumbnail"],
            "title": "Picture of the newest clear time",
        }
    }
    for layer in offered.layers:
        if has_store(layer):
            assets[f"zarr-{layer.id}"] = extensions.store_asset(layer, context)
    return assets


def _links(offered: OfferedCollection, context: StacContext) -> Iterator[Json]:
    url = context.collection_url(offered.id)
    yield link("self", url, JSON_TYPE, "This collection")
    yield context.root_link
    yield link("parent", context.root, JSON_TYPE, "All collections")
    yield link("items", f"{url}/items", GEOJSON_TYPE, "Items")
    yield link(REL_QUERYABLES, f"{url}/queryables", SCHEMA_TYPE, "Properties that filters compare")
    yield from aggregation_links(url)
    feed = f"{context.base}{feed_path(offered.collection.id)}"
    yield link("alternate", feed, ATOM, "The newest items as an Atom feed")
    yield link("alternate", f"{context.base}/ogcapi/collections/{quote(offered.id)}", JSON_TYPE, "In OGC API")
    page = licence_of(offered.license).page
    if page is not None:
        yield link("license", page, "text/html", "Licence")
    for record in offered.collection.metadata:
        yield link("describedby", record.url, record.format, "Metadata record")
    for layer in offered.layers:
        yield from layer_links(layer, context).collection_links()
