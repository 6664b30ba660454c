"""Items of the index as records; documents of items may come from any author."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson

from chronotile.catalog.items.cql2.tree import all_of, join_filters, negate_filter
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownItem
from chronotile.core.licence import licence_of, rights_of
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Json
from chronotile.pipeline.products import is_picture
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.search_items import find_product, listed_collections, search_items
from chronotile.pipeline.services import Services
from chronotile.protocols.common.attributes import moment_in, text_of
from chronotile.protocols.common.links import asset_path, item_path, link, product_path
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.terms import terms_filter
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext
from chronotile.protocols.ogcapi.filters import FILTER
from chronotile.protocols.ogcapi.records.params import DATETIME, MAX_IDS, Q, RecordsQuery
from chronotile.protocols.ogcapi.records.record_collections import (
    GEOJSON,
    ITEM,
    ITEM_RECORDS,
    JSON,
    RecordsPage,
    contacts_of,
    record_links,
    split_templates,
)

OF_RECORDS = frozenset(
    (
        *("created", "updated", "type", "title", "description", "keywords", "themes", "language", "languages"),
        *("resourceLanguages", "externalIds", "formats", "contacts", "license", "rights", "collection"),
    )
)
"""Properties with a meaning in records; an item's property is copied only if its type is right."""
NOTHING = ItemPage(items=(), next=None, matched=0)


def find_items(query: RecordsQuery, context: CollectionContext, *, are_encoded: bool) -> RecordsPage:
    """Return a page of the items that a query selects.

    Args:
        query: Selection and order.
        context: Language and URLs of the records.
        are_encoded: Whether each record is returned as JSON text. Encoding a whole page in one call would hold the
            interpreter's lock, and memory, for long.

    Raises:
        InvalidParameter: A parameter is not accepted, or the search takes too long.
        SourceUnavailable: The index does not answer.
    """
    search = item_search(query, context.services)
    try:
        page = NOTHING if search is None else search_items(search, context.services)
    except InvalidParameter as error:
        if error.locator != FILTER.name or query.filter is not None:
            raise
        # The parameter that was translated to a condition on items.
        parameter = Q.name if query.terms else next(iter(query.values), Q.name)
        raise InvalidParameter(error.message.replace(FILTER.name, parameter, 1), locator=parameter) from error
    records = (item_record(item, context) for item in page.items)
    return RecordsPage(
        records=[orjson.Fragment(orjson.dumps(record)) if are_encoded else record for record in records],
        matched=page.matched,
        following=None if page.next is None else ("cursor", page.next),
        unanswered=page.unanswered,
    )


def find_item_record(id_: str, context: CollectionContext) -> Json:
    """Return the record of an item.

    Raises:
        UnknownItem: The item does not exist.
        SourceUnavailable: The index does not answer.
    """
    product = product_of(id_)
    if product is None:
        raise UnknownItem(f"record {id_[:MAX_SHOWN]!r} is not known; ids are UUIDs", locator="recordId")
    return item_record(find_product(product, context.services), context)


def item_record(found_item: FoundItem, context: CollectionContext) -> Json:
    """Return an item as a record."""
    item = public_item(found_item, context.services.source_hrefs.get(found_item.collection))
    properties, assets = item["properties"], item["assets"]
    document = context.document
    # A collection of a remote catalogue may have items before it has layers here.
    collection = document.catalogue.collections_by_id.get(found_item.collection)
    licence = licence_of(text_of(properties.get("license")) or (None if collection is None else collection.license))
    box = {"bbox": item["bbox"]} if isinstance(item.get("bbox"), list) else {}
    links = [*record_links(ITEM_RECORDS, str(found_item.product), document), *_links(found_item, assets, context)]
    if licence.page is not None:
        links.append(link("license", licence.page, None, "Licence"))
    types = dict.fromkeys(filter(None, (text_of(asset.get("type")) for asset in assets.values())))
    return {
        "id": str(found_item.product),
        "type": "Feature",
        "time": _time(properties),
        "geometry": item["geometry"],
        **box,
        "properties": {
            **{name: value for name, value in properties.items() if name not in OF_RECORDS},
            **_own(properties),
            "type": ITEM,
            "title": text_of(properties.get("title")) or f"{found_item.collection} {found_item.ref.id}",
            "collection": found_item.collection,
            "externalIds": [{"scheme": found_item.collection, "value": found_item.ref.id}],
            "formats": [{"mediaType": type_} for type_ in types],
            **contacts_of(document.catalogue, document.language),
            **rights_of(licence, None if collection is None else collection.attribution),
        },
        **split_templates(links),
    }


def _own(properties: Mapping[str, Any]) -> Json:
    description, keywords = text_of(properties.get("description")), properties.get("keywords")
    times = {name: moment_in(properties.get(name)) for name in ("created", "updated")}
    is_list = isinstance(keywords, list) and all(isinstance(keyword, str) for keyword in keywords)
    return omit_empty({**times, "description": description, "keywords": keywords if is_list else None})


def _time(properties: Mapping[str, Any]) -> Json | None:
    moment = moment_in(properties.get("datetime"))
    ends = [moment_in(properties.get(name)) for name in ("start_datetime", "end_datetime")]
    if None not in ends and ends[0] != ends[1]:
        return {"interval": ends}
    return None if moment is None else {"timestamp": moment}


def _links(found_item: FoundItem, assets: Mapping[str, Any], context: CollectionContext) -> Iterator[Json]:
    base, root = context.document.base, context.document.root
    stac = f"{root}{item_path(found_item.collection, found_item.ref.id)}"
    yield link("about", stac, GEOJSON, "The item in STAC")
    up = f"{base}/collections/{quote(found_item.collection)}"
    yield link("up", up, JSON, "The collection in OGC API")
    if assets:
        yield link("item", f"{root}{product_path(found_item.product)}", None, "The whole product")
    for name, asset in assets.items():
        yield link(
            "preview" if is_picture(asset) else "enclosure",
            f"{root}{asset_path(found_item.product, name)}",
            text_of(asset.get("type")) or None,
            text_of(asset.get("title")) or name,
        )


Condition = Json | bool
ItemKey = tuple[str, str]
"""A collection, and the id of an item in it."""


def item_search(query: RecordsQuery, services: Services) -> ItemSearch | None:
    """Return the search in the index; `None` if no item can match.

    Raises:
        InvalidParameter: The times or the filter are not accepted.
        SourceUnavailable: The index does not answer.
    """
    span = _span(query.time)
    parts = list[Condition]()
    if query.filter is not None:
        _check_ids(query.filter)
        parts.append(_item_condition(query.filter, services))
    if query.terms:
        parts.append(terms_filter(query.terms))
    if query.external_ids:
        parts.append(_has_external_id(query.external_ids, services))
    named_items = _find_named(query.ids, services)
    if query.ids:
        parts.append(_is_one_of(named_items))
    if False in parts or (query.types and ITEM not in query.types):
        return None
    conditions = [condition for condition in parts if condition is not True]
    values = dict(query.values)
    collection = values.pop("collection", None)
    conditions += [{"op": "=", "args": [{"property": name}, value]} for name, value in values.items()]
    return ItemSearch(
        collections=() if collection is None else (str(collection),),
        bbox=query.box,
        span=span,
        ids=tuple(dict.fromkeys(id_ for _collection, id_ in named_items)),
        filter=all_of(conditions),
        sort=() if query.order == ITEM_RECORDS.default_order else query.order,
        limit=query.limit,
        cursor=query.cursor,
    )


def _span(time: TimeSelection) -> TimeSpan | None:
    if time.keyword == "absent":
        return None
    if len(time.parts) != 1 or time.parts[0].period is not None:
        raise InvalidParameter("datetime takes one instant or one interval of records", locator=DATETIME.name)
    return time.parts[0].span


def _item_condition(node: Any, services: Services) -> Condition:  # noqa: ANN401 -- JSON
    """Return a filter of records as a filter of items, which have no property `type` and whose `id` is the item's."""
    arguments = node.get("args") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not isinstance(arguments, list):
        rest: Condition = node  # the parser of conditions reports the error
        return rest
    if node.get("op") in ("and", "or", "not"):
        return {**node, "args": [_item_condition(argument, services) for argument in arguments]}
    if "type" in _names(arguments):
        from chronotile.catalog.items.cql2.document_filter import DocumentFilter  # noqa: PLC0415 -- SQLAlchemy, with the first

        return DocumentFilter(node).holds({"type": ITEM})
    return _id_condition(node, services) if "id" in _names(arguments) else dict(node)


def _id_condition(node: Mapping[str, Any], services: Services) -> Condition:
    operator, arguments = node.get("op"), node["args"]
    texts = _texts_of(node)
    if operator not in ("=", "<>", "in") or texts is None or len(arguments) != 2:
        raise InvalidParameter("filter compares id with =, <> and in alone", locator=FILTER.name)
    condition = _is_one_of(_find_named(texts, services))
    return negate_filter(condition) if operator == "<>" else condition


def _check_ids(tree: Mapping[str, Any]) -> None:
    """Refuse too many ids before the first is looked up."""
    count, waiting = 0, [tree]
    while waiting:
        node = waiting.pop()
        count += len(_texts_of(node) or ()) if "id" in _names(node.get("args")) else 0
        waiting += [member for member in _members(node.get("args")) if isinstance(member, Mapping)]
    if count > MAX_IDS:
        raise InvalidParameter(f"filter has {count} ids; at most {MAX_IDS} are accepted", locator=FILTER.name)


def _texts_of(node: Mapping[str, Any]) -> Sequence[str] | None:
    """Return the texts that a property is compared with; `None` unless these are one text or one list of texts."""
    values = [value for value in _members(node.get("args")) if not isinstance(value, Mapping)]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return texts if len(values) == 1 and all(isinstance(text, str) for text in texts) else None


def _names(arguments: object) -> set[str]:
    """Return the properties in arguments, including arguments of `casei`."""
    nodes = [node for node in _members(arguments) if isinstance(node, Mapping)]
    inner = [member for node in nodes for member in _members(node.get("args")) if isinstance(member, Mapping)]
    return {name for node in (*nodes, *inner) if isinstance(name := node.get("property"), str)}


def _members(arguments: object) -> Sequence[Any]:
    return arguments if isinstance(arguments, list) else ()


def _find_named(ids: Iterable[str], services: Services) -> list[ItemKey]:
    """Return the items with these record ids; unknown ids are skipped."""
    named_items = list[ItemKey]()
    for text in ids:
        product = product_of(text)
        if product is None:
            continue
        try:
            item = find_product(product, services)
        except UnknownItem:
            continue
        named_items.append((item.collection, item.ref.id))
    return named_items


def product_of(text: str) -> UUID | None:
    """Return the id of the product in the id of a record, `None` if the text has another form."""
    try:
        product = UUID(text)
    except ValueError:
        return None
    return product if str(product) == text.lower() else None


def _is_one_of(named_items: Sequence[ItemKey]) -> Condition:
    collections = dict.fromkeys(collection for collection, _id in named_items)
    return join_filters(
        "or",
        [
            _collection_condition(name, [id_ for collection, id_ in named_items if collection == name])
            for name in collections
        ],
    )


def _collection_condition(collection: str, ids: Sequence[str]) -> Json:
    return {"op": "and", "args": [{"op": "=", "args": [{"property": "collection"}, collection]}, _ids_condition(ids)]}


def _ids_condition(ids: Sequence[str]) -> Json:
    return {"op": "in", "args": [{"property": "id"}, list(ids)]}


def _has_external_id(texts: Sequence[str], services: Services) -> Json:
    """Return the condition on external ids: an item id, or `collection:id`."""
    pairs = ((text.partition(":")[0], text.partition(":")[2]) for text in texts)
    schemes = [_collection_condition(scheme, [id_]) for scheme, id_ in pairs if scheme in listed_collections(services)]
    return {"op": "or", "args": [_ids_condition(texts), *schemes]}
