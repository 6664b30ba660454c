"""Items of the index as records; their documents may have been written by anyone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from chronotile.catalog.items.order import instant_in
from chronotile.errors import MAX_SHOWN, UnknownItem
from chronotile.model.items import FoundItem, ItemPage
from chronotile.model.licence import licence_of, rights_of
from chronotile.model.time.instants import format_instant
from chronotile.pipeline.search.find import find_product
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.search_items import search_items
from chronotile.protocols.common.item_links import item_path
from chronotile.protocols.common.product_links import asset_path, product_path
from chronotile.protocols.ogcapi.block import Json, Link
from chronotile.protocols.ogcapi.documents.collection_context import CollectionContext
from chronotile.protocols.ogcapi.records.common_properties import (
    GEOJSON,
    JSON,
    contacts_of,
    record_links,
    split_templates,
)
from chronotile.protocols.ogcapi.records.item_search import item_search, product_of
from chronotile.protocols.ogcapi.records.params import RecordsQuery
from chronotile.protocols.ogcapi.records.record_collections import ITEM, ITEM_RECORDS

OF_RECORDS = frozenset(
    (
        *("created", "updated", "type", "title", "description", "keywords", "themes", "language", "languages"),
        *("resourceLanguages", "externalIds", "formats", "contacts", "license", "rights", "collection"),
    )
)
"""Properties that mean something in a record: those of items are taken only where they are of the right type."""
TIMES = ("created", "updated")
PREVIEWS = {"thumbnail", "overview"}
"""Roles of assets that are pictures of the item."""
NOTHING = ItemPage(items=(), next=None, matched=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundItems:
    """A page of records of items."""

    records: list[Json | orjson.Fragment]
    page: ItemPage


def find_items(query: RecordsQuery, context: CollectionContext, *, are_encoded: bool) -> FoundItems:
    """Return a page of the items that a query selects.

    Args:
        query: What is looked for.
        context: For whom.
        are_encoded: Whether the records are wanted as JSON, each encoded by itself: all at once would hold the
            interpreter's lock, and memory, for long.

    Raises:
        InvalidParameter: A parameter is not accepted, or the search takes too long.
        SourceUnavailable: The index does not answer.
    """
    search = item_search(query, context.services)
    page = NOTHING if search is None else search_items(search, context.services)
    made = (item_record(each, context) for each in page.items)
    records = [orjson.Fragment(orjson.dumps(each)) if are_encoded else each for each in made]
    return FoundItems(records=records, page=page)


def find_item_record(id_: str, context: CollectionContext) -> Json:
    """Return the record of an item.

    Raises:
        UnknownItem: There is no such item.
        SourceUnavailable: The index does not answer.
    """
    product = product_of(id_)
    if product is None:
        raise UnknownItem(f"record {id_[:MAX_SHOWN]!r} is not known; ids are UUIDs", locator="recordId")
    return item_record(find_product(product, context.services), context)


def item_record(found: FoundItem, context: CollectionContext) -> Json:
    """Return an item as a record."""
    item = public_item(found, context.services.source_hrefs.get(found.collection))
    properties, assets = item["properties"], item["assets"]
    document = context.document
    # Of the catalogue of others a collection may have items before it has layers here.
    collection = document.catalogue.collections_by_id.get(found.collection)
    licence = licence_of(_text(properties.get("license")) or (None if collection is None else collection.license))
    box = {"bbox": item["bbox"]} if isinstance(item.get("bbox"), list) else {}
    links = (*record_links(ITEM_RECORDS, str(found.product), document), *_links(found, assets, context))
    return {
        "id": str(found.product),
        "type": "Feature",
        "time": _time(properties),
        "geometry": item["geometry"],
        **box,
        "properties": {
            **{name: value for name, value in properties.items() if name not in OF_RECORDS},
            **_own(properties),
            "type": ITEM,
            "title": _text(properties.get("title")) or f"{found.collection} {found.ref.id}",
            "collection": found.collection,
            "externalIds": [{"scheme": found.collection, "value": found.ref.id}],
            "formats": [{"mediaType": each} for each in _types(assets)],
            **contacts_of(document.catalogue, document.language),
            **rights_of(licence, None if collection is None else collection.attribution),
        },
        **split_templates(links if licence.page is None else (*links, _licence(licence.page))),
    }


def _own(properties: Mapping[str, Any]) -> Json:
    description, keywords = _text(properties.get("description")), properties.get("keywords")
    times = {name: moment for name in TIMES if (moment := _moment(properties.get(name))) is not None}
    described = {"description": description} if description else {}
    is_list = isinstance(keywords, list) and all(isinstance(each, str) for each in keywords)
    return {**times, **described, **({"keywords": keywords} if is_list and keywords else {})}


def _time(properties: Mapping[str, Any]) -> Json | None:
    moment = _moment(properties.get("datetime"))
    ends = [_moment(properties.get(name)) for name in ("start_datetime", "end_datetime")]
    if None not in ends and ends[0] != ends[1]:
        return {"interval": ends}
    return None if moment is None else {"timestamp": moment}


def _moment(value: object) -> str | None:
    """A time of RFC 3339 in UTC, as records write it."""
    found = instant_in(value) if isinstance(value, str) else None
    return None if found is None else format_instant(np.datetime64(found, "ns"))


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _licence(href: str) -> Link:
    return Link(rel="license", href=href, type=None, title="Licence")


def _types(assets: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(type_ for each in assets.values() if (type_ := _text(each.get("type")))))


def _links(found: FoundItem, assets: Mapping[str, Any], context: CollectionContext) -> Iterator[Link]:
    base, root = context.document.base, context.document.root
    stac = f"{root}{item_path(found.collection, found.ref.id)}"
    yield Link(rel="about", href=stac, type=GEOJSON, title="The item in STAC")
    up = f"{base}/collections/{quote(found.collection)}"
    yield Link(rel="up", href=up, type=JSON, title="The collection in OGC API")
    if assets:
        yield Link(rel="item", href=f"{root}{product_path(found.product)}", type=None, title="The whole product")
    for name, asset in assets.items():
        roles = asset.get("roles")
        is_preview = isinstance(roles, list) and not PREVIEWS.isdisjoint(
            each for each in roles if isinstance(each, str)
        )
        yield Link(
            rel="preview" if is_preview else "enclosure",
            href=f"{root}{asset_path(found.product, name)}",
            type=_text(asset.get("type")) or None,
            title=_text(asset.get("title")) or name,
        )
