"""Products and collections as GeoJSON (OGC 17-047r1) and Atom (OGC 13-026r9 §9), and the description of the search."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch
from chronotile.core.model.space.boxes import BBox, boxes_of
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.cache_headers import unanswered_members
from chronotile.pipeline.products import describe_item, is_picture
from chronotile.pipeline.search.search_items import search_index
from chronotile.protocols.catalogue.opensearch import params
from chronotile.protocols.common.attributes import BY_NAME, attributes_in, moment_in, text_of
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.extent import box_of, interval_of
from chronotile.protocols.common.links import ATOM, OSDD, asset_path, collection_path, item_path, opensearch_path
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.xml import render_xml

TEMPLATES = "catalogue/opensearch/templates"
BEGINNING = "1970-01-01T00:00:00Z"
"""Time of the last update of a collection or page without times."""
SAMPLED = 20
"""Number of newest products whose attributes the description of a collection lists."""
PARTS = ("platform", "instrument")
ACQUISITION = {"orbitNumber", "relativeOrbitNumber", "orbitDirection", "cycleNumber", "operationalMode", "tileId"}
TOKENS: Mapping[str, str] = {
    "collection": "eo:parentIdentifier",
    "uid": "geo:uid",
    "q": "searchTerms",
    "title": "dc:title",
    "bbox": "geo:box",
    "geometry": "geo:geometry",
    "start": "time:start",
    "end": "time:end",
    **{a.name: f"eo:{a.name}" for a in params.ATTRIBUTES if a.name not in {"tileId", "productGroupId"}},
    "relativeOrbitNumber": "eo:track",
    "operationalMode": "eo:sensorMode",
    "publicationDate": "eo:creationDate",
    "count": "count",
    "startIndex": "startIndex",
}
"""Names of parameters in URL templates; parameters that no extension defines are omitted."""


def product_feature(found_item: FoundItem, context: CapabilitiesContext) -> Json:
    """Return a product as a GeoJSON feature.

    Raises:
        SourceUnavailable: The stored document is not an item.
    """
    item = describe_item(found_item, context.services)
    properties, box = item["properties"], item["bbox"]
    values = {attribute.name: value for attribute, value in attributes_in(properties) if attribute.name in BY_NAME}
    parts = {part: {name: values[name] for name in values if name.startswith(part)} for part in PARTS}
    moment = moment_in(properties.get("datetime")) or format_instant(found_item.ref.instant)
    start, end = (moment_in(properties.get(f"{name}_datetime")) or moment for name in ("start", "end"))
    acquired = {name: values[name] for name in values if name in ACQUISITION}
    parts["acquisitionParameters"] = {"beginningDateTime": start, "endingDateTime": end, **acquired}
    published = moment_in(properties.get("created"))
    members = {
        "title": text_of(properties.get("title")) or found_item.ref.id,
        "identifier": found_item.ref.id,
        "parentIdentifier": found_item.collection,
        "date": f"{start}/{end}",
        "updated": moment_in(properties.get("updated")) or published or moment,
        **omit_empty({"published": published, "abstract": text_of(properties.get("description"))}),
        "acquisitionInformation": [omit_empty(parts)],
        "productInformation": values,
        "links": _links(found_item, item["assets"], context.base),
    }
    id_ = f"{params.URN}{quote(found_item.collection, safe='')}:{quote(found_item.ref.id, safe='')}"
    return _feature(id_, BBox(*box[:2], *box[len(box) // 2 :][:2]), members, item["geometry"])


def _links(item: FoundItem, assets: Mapping[str, Any], base: str) -> Json:
    links: dict[str, list[Json]] = {"data": [], "previews": [], "related": []}
    for name, asset in assets.items():
        link = {"href": f"{base}{asset_path(item.product, name)}", "title": text_of(asset.get("title")) or name}
        link |= omit_empty({"type": text_of(asset.get("type")), "length": asset.get("file:size")})
        is_data = "data" in (asset.get("roles") or ["data"])
        links["previews" if is_picture(asset) else "data" if is_data else "related"].append(link)
    stac = _link(f"{base}{item_path(item.collection, item.ref.id)}", params.GEOJSON, "STAC")
    return {**omit_empty(links), "alternates": stac}


def collection_feature(offered: OfferedCollection, context: CapabilitiesContext) -> Json:
    """Return a collection as a GeoJSON feature."""
    first, last = interval_of(offered)
    abstract, date = text_in(offered.abstract, context.language), f"{first or ''}/{last or ''}"
    members = {
        "title": text_in(offered.title, context.language) or offered.id,
        "identifier": offered.id,
        "updated": last or first or BEGINNING,
        **omit_empty({"abstract": abstract, "rights": offered.license, "date": date.strip("/") and date}),
        "links": {
            "search": _link(f"{context.base}{opensearch_path(offered.id)}", OSDD, "Search of its products"),
            "alternates": _link(f"{context.base}{collection_path(offered.id)}", "application/json", "STAC"),
        },
    }
    return _feature(offered.id, box_of(offered), members)


def _feature(id_: str, box: BBox, properties: Json, geometry: Json | None = None) -> Json:
    edges = (map(float, part) for part in boxes_of(box))
    rings = [[[[w, s], [e, s], [e, n], [w, n], [w, s]]] for w, s, e, n in edges]
    shape = geometry or {"type": "MultiPolygon", "coordinates": rings}
    return {"type": "Feature", "id": id_, "bbox": list(box), "geometry": shape, "properties": properties}


def _link(href: str, media_type: str, title: str) -> list[Json]:
    return [{"href": href, "type": media_type, "title": title}]


FeaturePage = tuple[ItemPage, Sequence[Json]]
"""A page of items, and its products or collections as features."""


def page_document(
    feature_page: FeaturePage, query: params.SearchQuery, context: CapabilitiesContext, *, url: str, media_type: str
) -> bytes:
    """Return a page as GeoJSON or Atom; `url` is the URL of the search, without its query."""
    page, features = feature_page
    pages = _pages(page, query, len(features))
    links = {rel: _link(f"{url}?{urlencode(page_query)}", media_type, rel) for rel, page_query in pages}
    description = opensearch_path("".join(query.search.collections))
    updated = max((feature["properties"]["updated"] for feature in features), default=BEGINNING)
    links["search"] = _link(f"{context.base}{description}", OSDD, "Search")
    document = {
        "type": "FeatureCollection",
        "id": links["self"][0]["href"],
        **({} if page.matched is None else {"totalResults": page.matched}),
        "startIndex": query.start,
        "itemsPerPage": query.count,
        "queries": {"request": [dict(query.written)]},
        "properties": {"title": "OpenSearch", "updated": updated, "links": links},
        **omit_empty({"unanswered": unanswered_members(page.unanswered)}),
    }
    if media_type == ATOM:
        return _render("feed", context, **document, features=features)
    # Encoding all in one call would block the interpreter and need more memory.
    return orjson.dumps({**document, "features": [orjson.Fragment(orjson.dumps(feature)) for feature in features]})


def _render(template: str, context: CapabilitiesContext, **values: object) -> bytes:
    """Return an XML document with the title, abstract, contact and keywords of the service."""
    service, language = context.services.catalogue.service, context.language
    return render_xml(
        f"{TEMPLATES}/{template}.xml",
        tokens=TOKENS,
        service=text_in(service.title, language),
        abstract=text_in(service.abstract, language),
        contact=service.contact,
        keywords=service.keywords,
        language=language,
        **values,
    )


def _pages(page: ItemPage, query: params.SearchQuery, count: int) -> Iterator[tuple[str, Sequence[tuple[str, Any]]]]:
    """Yield the relations of pages and their queries; `count` is the number of features of this page."""

    def at(start: int, cursor: str | None = None) -> Sequence[tuple[str, Any]]:
        return [*query.written, ("startIndex", start), *([("cursor", cursor)] if cursor else [])]

    yield "self", at(query.start, query.search.cursor)
    if query.count == 0:
        return
    yield "first", at(1)
    if 1 < query.start <= params.MAX_START:
        yield "prev", at(max(query.start - query.count, 1))
    if page.next or query.start + count <= (page.matched or 0):
        yield "next", at(query.start + count, page.next)
    if page.matched is not None:
        last = min(max(page.matched, 1), params.MAX_START) - 1  # the last page that `startIndex` can request
        yield "last", at(last - last % query.count + 1)


def description_document(
    name: str | None, collections: Mapping[str, OfferedCollection], context: CapabilitiesContext
) -> bytes:
    """Return the description of the search of all collections and products, or of the products of one collection."""
    names, interval = set(TOKENS), [None, None] if name is None else interval_of(collections[name])
    if name is not None:
        items = search_index(ItemSearch(collections=(name,), limit=SAMPLED), context.services).items
        present = {key for item in items for key in orjson.loads(item.document)["properties"]}
        names -= {a.name for a in params.ATTRIBUTES if present.isdisjoint(form.property for form in a.forms)}
    return _render(
        "description",
        context,
        address=f"{context.base}/opensearch",
        collection=name,
        collections=[*collections],
        interval=interval,
        names=names,
        params=params,
    )
