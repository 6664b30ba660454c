"""Products and collections as GeoJSON (OGC 17-047r1) and Atom (OGC 13-026r9 §9), and what describes their search."""

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
"""When what has no times was updated."""
SAMPLED = 20
"""Newest products of a collection, by which it is known what they are compared by."""
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
    **{each.name: f"eo:{each.name}" for each in params.ATTRIBUTES if each.name not in {"tileId", "productGroupId"}},
    "relativeOrbitNumber": "eo:track",
    "operationalMode": "eo:sensorMode",
    "publicationDate": "eo:creationDate",
    "count": "count",
    "startIndex": "startIndex",
}
"""What templates of addresses call parameters; those that no extension has are left out."""


def product_feature(found: FoundItem, context: CapabilitiesContext) -> Json:
    """Return a product.

    Raises:
        SourceUnavailable: The index holds something that is not an item.
    """
    item = describe_item(found, context.services)
    properties, box = item["properties"], item["bbox"]
    values = {each.name: value for each, value in attributes_in(properties) if each.name in BY_NAME}
    parts = {part: {name: values[name] for name in values if name.startswith(part)} for part in PARTS}
    moment = moment_in(properties.get("datetime")) or format_instant(found.ref.instant)
    start, end = (moment_in(properties.get(f"{name}_datetime")) or moment for name in ("start", "end"))
    acquired = {name: values[name] for name in values if name in ACQUISITION}
    parts["acquisitionParameters"] = {"beginningDateTime": start, "endingDateTime": end, **acquired}
    published = moment_in(properties.get("created"))
    told = {
        "title": text_of(properties.get("title")) or found.ref.id,
        "identifier": found.ref.id,
        "parentIdentifier": found.collection,
        "date": f"{start}/{end}",
        "updated": moment_in(properties.get("updated")) or published or moment,
        **omit_empty({"published": published, "abstract": text_of(properties.get("description"))}),
        "acquisitionInformation": [omit_empty(parts)],
        "productInformation": values,
        "links": _links(found, item["assets"], context.base),
    }
    id_ = f"{params.URN}{quote(found.collection, safe='')}:{quote(found.ref.id, safe='')}"
    return _feature(id_, BBox(*box[:2], *box[len(box) // 2 :][:2]), told, item["geometry"])


def _links(found: FoundItem, assets: Mapping[str, Any], base: str) -> Json:
    links: dict[str, list[Json]] = {"data": [], "previews": [], "related": []}
    for name, asset in assets.items():
        link = {"href": f"{base}{asset_path(found.product, name)}", "title": text_of(asset.get("title")) or name}
        link |= omit_empty({"type": text_of(asset.get("type")), "length": asset.get("file:size")})
        is_data = "data" in (asset.get("roles") or ["data"])
        links["previews" if is_picture(asset) else "data" if is_data else "related"].append(link)
    stac = _link(f"{base}{item_path(found.collection, found.ref.id)}", params.GEOJSON, "STAC")
    return {**omit_empty(links), "alternates": stac}


def collection_feature(offered: OfferedCollection, context: CapabilitiesContext) -> Json:
    """Return a collection."""
    first, last = interval_of(offered)
    abstract, date = text_in(offered.abstract, context.language), f"{first or ''}/{last or ''}"
    told = {
        "title": text_in(offered.title, context.language) or offered.id,
        "identifier": offered.id,
        "updated": last or first or BEGINNING,
        **omit_empty({"abstract": abstract, "rights": offered.license, "date": date.strip("/") and date}),
        "links": {
            "search": _link(f"{context.base}{opensearch_path(offered.id)}", OSDD, "Search of its products"),
            "alternates": _link(f"{context.base}{collection_path(offered.id)}", "application/json", "STAC"),
        },
    }
    return _feature(offered.id, box_of(offered), told)


def _feature(id_: str, box: BBox, properties: Json, geometry: Json | None = None) -> Json:
    edges = (map(float, each) for each in boxes_of(box))
    rings = [[[[w, s], [e, s], [e, n], [w, n], [w, s]]] for w, s, e, n in edges]
    shape = geometry or {"type": "MultiPolygon", "coordinates": rings}
    return {"type": "Feature", "id": id_, "bbox": list(box), "geometry": shape, "properties": properties}


def _link(href: str, media_type: str, title: str) -> list[Json]:
    return [{"href": href, "type": media_type, "title": title}]


FeaturePage = tuple[ItemPage, Sequence[Json]]
"""A page, and its products or collections as features."""


def page_document(
    found: FeaturePage, query: params.SearchQuery, context: CapabilitiesContext, *, url: str, media_type: str
) -> bytes:
    """Return a page as GeoJSON or Atom; `url` is that of the search, without its query."""
    page, features = found
    pages = _pages(page, query, len(features))
    links = {rel: _link(f"{url}?{urlencode(told)}", media_type, rel) for rel, told in pages}
    description = opensearch_path("".join(query.search.collections))
    updated = max((each["properties"]["updated"] for each in features), default=BEGINNING)
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
    # Each encoded by itself: all at once would hold the interpreter's lock, and memory, for long.
    return orjson.dumps({**document, "features": [orjson.Fragment(orjson.dumps(each)) for each in features]})


def _render(template: str, context: CapabilitiesContext, **values: object) -> bytes:
    """A document of XML, with what the service says of itself."""
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


def _pages(page: ItemPage, query: params.SearchQuery, shown: int) -> Iterator[tuple[str, Sequence[tuple[str, Any]]]]:
    """The relations of pages, and their queries."""

    def at(start: int, cursor: str | None = None) -> Sequence[tuple[str, Any]]:
        return [*query.written, ("startIndex", start), *([("cursor", cursor)] if cursor else [])]

    yield "self", at(query.start, query.search.cursor)
    if query.count == 0:
        return
    yield "first", at(1)
    if 1 < query.start <= params.MOST_START:
        yield "prev", at(max(query.start - query.count, 1))
    if page.next or query.start + shown <= (page.matched or 0):
        yield "next", at(query.start + shown, page.next)
    if page.matched is not None:
        last = min(max(page.matched, 1), params.MOST_START) - 1  # or the last that a number reaches
        yield "last", at(last - last % query.count + 1)


def description_document(
    name: str | None, collections: Mapping[str, OfferedCollection], context: CapabilitiesContext
) -> bytes:
    """Return what describes the search of collections and products, or of the products of one collection."""
    names, interval = set(TOKENS), [None, None] if name is None else interval_of(collections[name])
    if name is not None:
        found = search_index(ItemSearch(collections=(name,), limit=SAMPLED), context.services).items
        known = {key for each in found for key in orjson.loads(each.document)["properties"]}
        names -= {each.name for each in params.ATTRIBUTES if known.isdisjoint(form.property for form in each.forms)}
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
